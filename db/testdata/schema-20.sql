-- Calendars that their owners share by invitation. What a sharee may do is in
-- ace, as for everybody else; here is who was asked, and where he has it.
CREATE TABLE share (
	id {id},
	collection BIGINT NOT NULL,
	sharee BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	grp BIGINT NOT NULL,          -- the group by which he was asked; 0: himself
	uid {key} NOT NULL,           -- of the invitation
	writes SMALLINT NOT NULL,     -- may he change what is in it
	declined SMALLINT NOT NULL,
	summary TEXT NOT NULL,        -- what the owner calls it to him
	name {key} NOT NULL,          -- in his calendar home, '' not there
	title TEXT NOT NULL           -- what he calls it
);
CREATE UNIQUE INDEX share_collection ON share (collection, sharee);
CREATE UNIQUE INDEX share_uid ON share (uid);
CREATE INDEX share_sharee ON share (sharee, name);

-- Who has ever taken a shared calendar into his home: of all others nothing is
-- asked about that.
ALTER TABLE principal ADD COLUMN guest SMALLINT NOT NULL DEFAULT 0;

-- Whether anybody was asked to share a calendar, or is granted it by name.
ALTER TABLE collection ADD COLUMN shared SMALLINT NOT NULL DEFAULT 0;
UPDATE collection SET shared = 1 WHERE kind = 'calendar' AND EXISTS
	(SELECT 1 FROM ace a WHERE a.resource = 'collection' AND a.id = collection.id AND a.grantee > 0 AND a.deny = 0 AND a.rights % 2 = 1);
