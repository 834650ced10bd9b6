-- Which booking counts in which quota, and whose it is.
CREATE TABLE quota_use (
	quota {key} NOT NULL,
	organizer {key} NOT NULL,     -- calendar user address, in lower case
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE, -- what is booked
	uid {key} NOT NULL,
	PRIMARY KEY (quota, organizer, principal, uid)
);
CREATE INDEX quota_use_booking ON quota_use (principal, uid);

-- A time that a room offered to whom asked for another one; nobody else gets
-- it before it expires.
CREATE TABLE hold (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	uid {key} NOT NULL,
	rid {key} NOT NULL,           -- the instance, '' for the whole
	start BIGINT NOT NULL,
	fin BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (principal, uid, rid)
);

CREATE INDEX principal_quota ON principal (id) WHERE policy LIKE '%quota %';
