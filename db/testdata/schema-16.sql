-- What one user's programs do, for as long as an operator wants to see it.
ALTER TABLE principal ADD COLUMN recorded BIGINT NOT NULL DEFAULT 0; -- until when

CREATE TABLE recording (
	principal BIGINT PRIMARY KEY REFERENCES principal (id) ON DELETE CASCADE,
	until BIGINT NOT NULL,
	secret {blob} NOT NULL,       -- from which the marks in it are made
	octets BIGINT NOT NULL        -- that it holds
);

CREATE TABLE recorded (
	id {id},
	principal BIGINT NOT NULL REFERENCES recording (principal) ON DELETE CASCADE,
	data {blob} NOT NULL          -- one request with its answer, redacted
);
CREATE INDEX recorded_principal ON recorded (principal, id);
