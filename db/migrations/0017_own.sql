-- What a guest of a calendar has for himself of an object in it: reminders,
-- whether the time is free for him.
CREATE TABLE own (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	object BIGINT NOT NULL,
	data {blob} NOT NULL,
	tag TEXT NOT NULL,            -- of data
	PRIMARY KEY (principal, object)
);
CREATE INDEX own_object ON own (object);
