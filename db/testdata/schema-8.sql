-- An entry may also say what somebody may not.
ALTER TABLE ace ADD COLUMN deny SMALLINT NOT NULL DEFAULT 0;

-- How far the collection had come when it was left under this name: whoever
-- has not heard of more must be told.
ALTER TABLE gone ADD COLUMN modseq BIGINT NOT NULL DEFAULT 0;
