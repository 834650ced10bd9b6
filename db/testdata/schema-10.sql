-- What is remembered of meetings that somebody took off his calendar, or was
-- told of before he had them, so that mail that was overtaken does not bring
-- them back.
CREATE TABLE parted (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	uid {key} NOT NULL,
	at BIGINT NOT NULL,
	data {blob} NOT NULL,         -- iCalendar, as the core wrote it
	PRIMARY KEY (principal, uid)
);
CREATE INDEX parted_at ON parted (at);
