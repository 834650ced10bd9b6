
CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version (version) VALUES (1);
INSERT INTO meta (name, value) VALUES ('epoch', CAST('epoch-1' AS {blob}));
INSERT INTO principal (address, sort, local, kind, name, language, tz, password, mail_copies, policy, capacity, last_dav, version, created)
	VALUES ('ann@example.org', 'ann@example.org', 'ann', 'individual', 'Ann', 'en', 'UTC', '', 'auto', '', 0, 0, 1, 1);
INSERT INTO address (name, principal, address, main, tagged) VALUES ('ann@example.org', 1, 'ann@example.org', 1, 0);
INSERT INTO collection (owner, home, kind, name, components, display_name, tz, transparent, main, incarnation, modseq, purged_modseq, created)
	VALUES (1, 'calendar', 'calendar', 'calendar', 'VEVENT', 'Calendar', '', 0, 1, 'once', 2, 0, 1);
INSERT INTO body (uid, hash, data) VALUES ('uid', CAST('hash' AS {blob}), CAST('body' AS {blob}));
INSERT INTO object (collection, name, uid, component, etag, schedule_tag, size, modseq, deleted, created, modified, record, body)
	VALUES (1, 'a.ics', 'uid', 'VEVENT', 'etag', '', 4, 2, 0, 1, 1, 1, 1);
INSERT INTO slot (object, collection, start, fin, busy, floating) VALUES (1, 1, 10, 20, 1, 0);
INSERT INTO delivery (uid, principal, sender, rcpt, method, sequence, body, prior, scope, local_copy, created, due, attempts, answer, token)
	VALUES ('uid', 1, 'mailto:ann@example.org', 'mailto:eve@example.net', 'REQUEST', 0, CAST('body' AS {blob}), NULL, '', 0, 1, 1, 0, '', '');
INSERT INTO decision (at, direction, door, uid, message_id, method, principal, sender, rcpt, belief, rule, outcome, detail, once)
	VALUES (1, 'in', 'lmtp', 'uid', '<m@example.net>', 'REPLY', 1, '', '', 'proved', 'rule', 'applied', '', 'key');
