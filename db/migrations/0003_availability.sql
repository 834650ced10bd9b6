-- When a principal can be met at all: the calendar-availability of its inbox,
-- an iCalendar object.
CREATE TABLE availability (
	principal BIGINT PRIMARY KEY REFERENCES principal (id) ON DELETE CASCADE,
	data {blob} NOT NULL
);

-- The same as objects in calendars, so that nobody looks through the others.
CREATE INDEX object_availability ON object (collection, deleted, component) WHERE component = 'VAVAILABILITY' AND deleted = 0;
