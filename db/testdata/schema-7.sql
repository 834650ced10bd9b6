-- The record of an object is found by the object's number. BIGINT PRIMARY KEY
-- is an index beside the table to SQLite, INTEGER PRIMARY KEY the table itself:
-- a page less to write with every event.
CREATE TABLE slot_new (
	object {number},
	collection BIGINT NOT NULL,
	start BIGINT NOT NULL,
	fin BIGINT NOT NULL,
	busy SMALLINT NOT NULL,
	floating SMALLINT NOT NULL
);
INSERT INTO slot_new (object, collection, start, fin, busy, floating) SELECT object, collection, start, fin, busy, floating FROM slot;
DROP TABLE slot;
ALTER TABLE slot_new RENAME TO slot;
CREATE INDEX slot_range ON slot (collection, start, fin, busy, floating, object);

CREATE TABLE series_new (
	object {number},
	collection BIGINT NOT NULL,
	start BIGINT NOT NULL,
	fin BIGINT NOT NULL,
	covered BIGINT NOT NULL,
	floating SMALLINT NOT NULL,
	runs {blob} NOT NULL
);
INSERT INTO series_new (object, collection, start, fin, covered, floating, runs) SELECT object, collection, start, fin, covered, floating, runs FROM series;
DROP TABLE series;
ALTER TABLE series_new RENAME TO series;
CREATE INDEX series_range ON series (collection, fin, start);
