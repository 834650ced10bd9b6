-- Where the busy time of somebody outside is published.
CREATE TABLE published (
	viewer BIGINT NOT NULL,       -- principal whose card says so; 0: for everybody here
	name {key} NOT NULL,          -- whose: an address, as in remembered
	object BIGINT NOT NULL,       -- the card; 0: set by an administrator
	url {key} NOT NULL,
	PRIMARY KEY (viewer, name, object)
);
CREATE INDEX published_object ON published (object);
CREATE INDEX published_url ON published (url);

-- What was found there.
CREATE TABLE feed (
	url {key} PRIMARY KEY,
	due BIGINT NOT NULL,          -- when it is to be fetched; 0: when somebody asks
	fetched BIGINT NOT NULL,      -- 0: never
	failures BIGINT NOT NULL,     -- one after another
	answer TEXT NOT NULL,         -- of the last failure
	etag TEXT NOT NULL,
	data {blob} NOT NULL          -- VFREEBUSY components
);
CREATE INDEX feed_due ON feed (due);
