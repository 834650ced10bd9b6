-- Into which meetings groups are invited, by whoever organizes them here: later
-- changes of a group are looked for in it. Meetings of older releases come in
-- when they are next written.
CREATE TABLE invited (
	grp BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	uid {key} NOT NULL,
	organizer BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	PRIMARY KEY (grp, uid, organizer)
);
CREATE INDEX invited_meeting ON invited (uid, organizer);

-- Who declined such a meeting and then left the group: he is not invited into it
-- again when he comes back.
CREATE TABLE stayed_away (
	grp BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	uid {key} NOT NULL,
	organizer BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	name {key} NOT NULL,          -- calendar user address, in lower case
	PRIMARY KEY (grp, uid, organizer, name)
);
