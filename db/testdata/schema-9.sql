-- Invitations that make nothing busy until their recipient takes them: in force
-- while the object is as it was when it came in; kept afterwards, since this
-- sender may go on updating what was adopted.
CREATE TABLE quarantine (
	id {serial},
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	uid {key} NOT NULL,
	object BIGINT NOT NULL,
	modseq BIGINT NOT NULL,       -- of the object when it came in
	sender TEXT NOT NULL,         -- header From
	organizer TEXT NOT NULL,
	summary TEXT NOT NULL,
	rule TEXT NOT NULL,
	created BIGINT NOT NULL
);
CREATE UNIQUE INDEX quarantine_of ON quarantine (principal, uid);
