-- What an attendee proposed to the organizer by a COUNTER and nobody has
-- decided about: one for each of them and each instance.
CREATE TABLE proposal (
	id {id},
	principal BIGINT NOT NULL,    -- the organizer
	uid {key} NOT NULL,
	attendee {key} NOT NULL,      -- as invited
	rid {key} NOT NULL,           -- the instance, '' for the whole
	body {blob} NOT NULL,
	created BIGINT NOT NULL
);
CREATE UNIQUE INDEX proposal_of ON proposal (uid, principal, attendee, rid);
CREATE INDEX proposal_principal ON proposal (principal);

-- How somebody wants things done; what is not in it is as for everybody.
CREATE TABLE preference (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	name {key} NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (principal, name)
);
