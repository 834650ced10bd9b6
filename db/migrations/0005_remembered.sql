-- Busy time of people outside, as somebody here was told of it by mail.
CREATE TABLE remembered (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE, -- who was told
	name {key} NOT NULL,          -- of whom: an address, local part in lower case
	data {blob} NOT NULL,         -- VFREEBUSY components
	PRIMARY KEY (principal, name)
);
