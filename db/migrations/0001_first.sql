-- {id}: a number given by the database. {serial}: the same, never given twice.
-- {key}: text compared and sorted by its bytes. {blob}: bytes.
-- Times are microseconds since 1970 UTC; yes and no are 1 and 0.

CREATE TABLE meta (
	name {key} PRIMARY KEY,
	value {blob} NOT NULL
);

CREATE TABLE principal (
	id {serial},
	address TEXT NOT NULL,
	sort {key} NOT NULL,          -- address in lower case
	local {key} NOT NULL,         -- its local part, for log-in names
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	language TEXT NOT NULL,
	tz TEXT NOT NULL,
	password TEXT NOT NULL,
	mail_copies TEXT NOT NULL,
	policy TEXT NOT NULL,
	capacity BIGINT NOT NULL,
	last_dav BIGINT NOT NULL,
	version BIGINT NOT NULL,
	busy_seq BIGINT NOT NULL DEFAULT 0, -- the agent's lock
	created BIGINT NOT NULL
);
CREATE UNIQUE INDEX principal_sort ON principal (sort);
CREATE INDEX principal_local ON principal (local);

CREATE TABLE address (
	name {key} PRIMARY KEY,       -- in lower case
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	address TEXT NOT NULL,        -- as given
	main SMALLINT NOT NULL,
	tagged SMALLINT NOT NULL      -- has a "+" in it
);
CREATE INDEX address_principal ON address (principal);
CREATE INDEX address_tagged ON address (name) WHERE tagged = 1;

CREATE TABLE member (
	grp BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	place BIGINT NOT NULL,
	name {key} NOT NULL,          -- address in lower case
	address TEXT NOT NULL,        -- as given
	PRIMARY KEY (grp, place)
);
CREATE INDEX member_name ON member (name);

CREATE TABLE collection (
	id {serial},
	owner BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	home TEXT NOT NULL,           -- calendar or addressbook
	kind TEXT NOT NULL,
	name {key} NOT NULL,
	components TEXT NOT NULL,
	display_name TEXT NOT NULL,
	tz TEXT NOT NULL,
	transparent SMALLINT NOT NULL,
	main SMALLINT NOT NULL,       -- the default one
	incarnation TEXT NOT NULL,
	modseq BIGINT NOT NULL,
	purged_modseq BIGINT NOT NULL,
	created BIGINT NOT NULL
);
CREATE UNIQUE INDEX collection_name ON collection (owner, home, name);

CREATE TABLE property (
	resource TEXT NOT NULL,       -- collection, object or principal
	id BIGINT NOT NULL,
	name {key} NOT NULL,
	xml TEXT NOT NULL,
	PRIMARY KEY (resource, id, name)
);

-- A conversation: its row is the lock of everything with one UID.
CREATE TABLE thread (
	uid {key} PRIMARY KEY,
	seq BIGINT NOT NULL
);

-- Bytes of objects, shared by all objects of one UID that are equal.
CREATE TABLE body (
	id {id},
	uid {key} NOT NULL,
	hash {blob} NOT NULL,
	data {blob} NOT NULL
);
CREATE UNIQUE INDEX body_content ON body (uid, hash);

-- An object or, deleted, its tombstone. Nothing here refers to a table by a
-- foreign key: the transaction holds the collection's row, and the check
-- would cost each write a look-up.
CREATE TABLE object (
	id {id},
	collection BIGINT NOT NULL,
	name {key} NOT NULL,
	uid {key} NOT NULL,
	component TEXT NOT NULL,
	etag TEXT NOT NULL,
	schedule_tag TEXT NOT NULL,
	size BIGINT NOT NULL,
	modseq BIGINT NOT NULL,
	deleted SMALLINT NOT NULL,
	created BIGINT NOT NULL,
	modified BIGINT NOT NULL,
	record SMALLINT NOT NULL,     -- 0 none, 1 in slot, 2 in series
	body BIGINT NOT NULL          -- 0 for a tombstone
);
CREATE UNIQUE INDEX object_name ON object (collection, name);
CREATE INDEX object_listing ON object (collection, deleted, name, etag, uid);
CREATE INDEX object_change ON object (collection, modseq, id);
CREATE INDEX object_uid ON object (uid);
CREATE INDEX object_unrecorded ON object (collection, deleted, record) WHERE record = 0 AND deleted = 0;

-- Busy time of objects with one instance of at most seven days: because they
-- are short a range has two bounds in the index.
CREATE TABLE slot (
	object BIGINT PRIMARY KEY,
	collection BIGINT NOT NULL,
	start BIGINT NOT NULL,
	fin BIGINT NOT NULL,
	busy SMALLINT NOT NULL,
	floating SMALLINT NOT NULL
);
CREATE INDEX slot_range ON slot (collection, start, fin, busy, floating, object);

-- Busy time of all others.
CREATE TABLE series (
	object BIGINT PRIMARY KEY,
	collection BIGINT NOT NULL,
	start BIGINT NOT NULL,
	fin BIGINT NOT NULL,          -- 2^62: endless
	covered BIGINT NOT NULL,
	floating SMALLINT NOT NULL,
	runs {blob} NOT NULL
);
CREATE INDEX series_range ON series (collection, fin, start);

CREATE TABLE delivery (
	id {serial},
	uid {key} NOT NULL,
	principal BIGINT NOT NULL,
	sender TEXT NOT NULL,
	rcpt {key} NOT NULL,
	method TEXT NOT NULL,
	sequence BIGINT NOT NULL,
	body {blob} NOT NULL,
	prior {blob},
	scope TEXT NOT NULL,
	local_copy SMALLINT NOT NULL,
	created BIGINT NOT NULL,
	due BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	answer TEXT NOT NULL,
	token TEXT NOT NULL
);
CREATE INDEX delivery_due ON delivery (due, id);
CREATE INDEX delivery_order ON delivery (uid, rcpt, id);

CREATE TABLE job (
	id {serial},
	kind {key} NOT NULL,
	uid {key} NOT NULL,
	principal BIGINT NOT NULL,
	args {blob} NOT NULL,
	due BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	token TEXT NOT NULL
);
CREATE INDEX job_due ON job (due, id);
CREATE INDEX job_order ON job (uid, kind, principal, id);

CREATE TABLE decision (
	id {id},
	at BIGINT NOT NULL,
	direction TEXT NOT NULL,
	door TEXT NOT NULL,
	uid {key} NOT NULL,
	message_id {key} NOT NULL,
	method TEXT NOT NULL,
	principal BIGINT NOT NULL,
	sender TEXT NOT NULL,
	rcpt TEXT NOT NULL,
	belief TEXT NOT NULL,
	rule TEXT NOT NULL,
	outcome TEXT NOT NULL,
	detail TEXT NOT NULL,
	once {key}                    -- Key; null for none
);
CREATE INDEX decision_uid ON decision (uid, id);
CREATE INDEX decision_message ON decision (message_id, id);
CREATE UNIQUE INDEX decision_once ON decision (once);
CREATE INDEX decision_at ON decision (at);
