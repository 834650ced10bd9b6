-- Bodies of large mails, shared by all of a conversation that are equal: an
-- invitation to a crowd names all of it to each.
CREATE TABLE letter (
	id {id},
	uid {key} NOT NULL,
	hash {blob} NOT NULL,
	data {blob} NOT NULL
);
CREATE UNIQUE INDEX letter_content ON letter (uid, hash);

ALTER TABLE delivery ADD COLUMN body_letter BIGINT NOT NULL DEFAULT 0;  -- where its body stands; 0: in the row
ALTER TABLE delivery ADD COLUMN prior_letter BIGINT NOT NULL DEFAULT 0;
