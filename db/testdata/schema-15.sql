-- What is known of a room or resource beside its name: building, floor,
-- features, geo.
CREATE TABLE attribute (
	principal BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
	name {key} NOT NULL,
	place BIGINT NOT NULL,        -- of several the order
	value TEXT NOT NULL,
	PRIMARY KEY (principal, name, place)
);

-- Pickers list rooms among very many people.
CREATE INDEX principal_kind ON principal (kind, id);
