-- Whether a calendar that somebody has taken into his home counts as his busy
-- time. Of the few of which that is true there is an index.
ALTER TABLE share ADD COLUMN busy SMALLINT NOT NULL DEFAULT 0;
CREATE INDEX share_busy ON share (sharee) WHERE busy = 1;
