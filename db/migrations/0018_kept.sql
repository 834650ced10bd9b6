-- What stands of the meetings into which organizers outside invite a group: who
-- joins it later is invited, too.
CREATE TABLE kept (
	grp BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	uid {key} NOT NULL,
	fin BIGINT NOT NULL,          -- when the last of it ends
	data {blob} NOT NULL,         -- iCalendar, as the group has been told
	PRIMARY KEY (grp, uid)
);
CREATE INDEX kept_fin ON kept (fin);
