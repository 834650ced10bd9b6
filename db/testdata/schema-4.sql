-- Locks of WebDAV (RFC 4918 §6). A lock stands on a path and not on a row:
-- it stays when what is there is moved away.
CREATE TABLE davlock (
	token {key} PRIMARY KEY,      -- urn:uuid:...
	owner BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE, -- of the home
	home TEXT NOT NULL,           -- calendar or addressbook
	path {key} NOT NULL,          -- below the home, decoded, without a slash at its ends
	holder BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	shared SMALLINT NOT NULL,
	deep SMALLINT NOT NULL,       -- Depth: infinity
	about TEXT NOT NULL,          -- the DAV:owner element as it was sent
	seconds BIGINT NOT NULL,      -- as granted
	expires BIGINT NOT NULL
);
CREATE INDEX davlock_home ON davlock (owner, home);
CREATE INDEX davlock_holder ON davlock (holder);

-- Access control entries (RFC 3744 §5.5) that people have set.
CREATE TABLE ace (
	resource TEXT NOT NULL,       -- collection, calendar-home or addressbook-home
	id BIGINT NOT NULL,
	place BIGINT NOT NULL,
	grantee BIGINT NOT NULL,      -- a principal; 0: whoever has logged in; -1: everybody
	rights BIGINT NOT NULL,       -- bits, which the door gives their meaning
	PRIMARY KEY (resource, id, place)
);
CREATE INDEX ace_grantee ON ace (grantee, resource);

-- Who may act for whom (calendar-proxy).
CREATE TABLE proxy (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	proxy BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	writes SMALLINT NOT NULL,
	PRIMARY KEY (principal, proxy, writes)
);
CREATE INDEX proxy_of ON proxy (proxy, writes);

-- Collections that are gone, or were renamed, for programs that look for
-- changes of a home.
CREATE TABLE gone (
	collection BIGINT NOT NULL,
	owner BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	home TEXT NOT NULL,
	name {key} NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (collection, name)
);
CREATE INDEX gone_home ON gone (owner, home);

-- Properties that somebody keeps with a collection of somebody else: its
-- colour, its place in a list.
CREATE TABLE personal (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	collection BIGINT NOT NULL,
	name {key} NOT NULL,
	xml TEXT NOT NULL,
	PRIMARY KEY (collection, principal, name)
);
CREATE INDEX personal_principal ON personal (principal);
