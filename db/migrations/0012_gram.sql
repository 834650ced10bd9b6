-- Every three characters in a row of a principal's name and addresses, folded:
-- a text is looked for in few rows, wherever in a name it stands.
CREATE TABLE gram (
	gram {key} NOT NULL,
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	PRIMARY KEY (gram, principal)
);
CREATE INDEX gram_principal ON gram (principal);

ALTER TABLE principal ADD COLUMN grams SMALLINT NOT NULL DEFAULT 0; -- its rows of gram are made
CREATE INDEX principal_gramless ON principal (id) WHERE grams = 0;
