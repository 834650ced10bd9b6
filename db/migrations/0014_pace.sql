-- How far what somebody has sent, of all meetings ('') or of one, uses up what
-- he may send: a moment that each mail moves on.
CREATE TABLE pace (
	principal BIGINT NOT NULL,
	uid {key} NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (principal, uid)
);
CREATE INDEX pace_until ON pace (until);

ALTER TABLE delivery ADD COLUMN held SMALLINT NOT NULL DEFAULT 0; -- it was beyond the pace, and due is its turn
