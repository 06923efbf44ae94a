-- deliverable.sql - what was made stays as it was, who made it is known, and nobody overwrites what he has not seen.

--- a stored version has the hash anybody can compute, and the next one the next number
DO $$
DECLARE
        a record := lib.deliverable_store('acc', 'u1', NULL, NULL, 'cv', 'T', 'md', '{"a":1}', 'model', 'openclaw', 'm',
                                          '{"agent":"x"}', NULL, 'turn_1', NULL);
        b record;
BEGIN
        PERFORM t.eq(a.status, 'OK');
        PERFORM t.ok(a.id LIKE 'dlv\_%', 'its own id');
        PERFORM t.eq(a.version, 1);
        PERFORM t.eq(a.content_hash, encode(sha256('2:cv,1:T,2:md,7:{"a":1},'), 'hex'));
        b := lib.deliverable_store('acc', 'u1', a.id, 1, 'cv', NULL, 'md2', NULL, 'human', 'u1', NULL, NULL, NULL, NULL, NULL);
        PERFORM t.eq(b.status, 'OK');
        PERFORM t.eq(b.version, 2);
        PERFORM t.eq(b.content_hash, encode(sha256('2:cv,-,3:md2,-,'), 'hex'));
        b := lib.deliverable_store('acc', 'u1', a.id, NULL, 'cv', NULL, 'md2', NULL, 'human', 'u1', NULL, NULL, NULL, NULL, NULL);
        PERFORM t.eq(b.version, 3, 'whatever is the latest');
END $$;

--- an old base, another kind, another user, an unknown id, nothing and too much are refused before anything is written
DO $$
DECLARE
        id text := (lib.deliverable_store('acc', 'u1', NULL, NULL, 'cv', NULL, 'md', NULL, 'human', 'u1', NULL, NULL, NULL, NULL, NULL)).id;
        was text;
        mib text := repeat('x', 1048576);
BEGIN
        PERFORM lib.deliverable_store('acc', 'u1', id, 1, 'cv', NULL, 'md', NULL, 'human', 'u1', NULL, NULL, NULL, NULL, NULL);
        SELECT string_agg(d::text, '') || (SELECT string_agg(v::text, '') FROM lifeos.deliverable_version v) INTO was FROM lifeos.deliverable d;
        PERFORM t.eq(x.status, want) FROM (VALUES ('u1', id, 1, 'cv', 'md', '{}', 'DELIVERABLE_CONFLICT'),
                ('u1', id, 3, 'cv', 'md', '{}', 'DELIVERABLE_CONFLICT'), ('u1', id, 2, 'interview', 'md', '{}', 'DELIVERABLE_NOT_FOUND'),
                ('u2', id, 2, 'cv', 'md', '{}', 'DELIVERABLE_NOT_FOUND'), ('u1', 'dlv_none', NULL, 'cv', 'md', '{}', 'DELIVERABLE_NOT_FOUND'),
                ('u1', NULL, NULL, 'cv', NULL, NULL, 'INVALID_REQUEST'), ('u1', NULL, NULL, 'cv', mib, '{}', 'BODY_TOO_LARGE'))
                c(usr, id, base, kind, md, data, want),
                lib.deliverable_store('acc', c.usr, c.id, c.base, c.kind, NULL, c.md, c.data::json, 'model', 'o', NULL, NULL, NULL, NULL, NULL) x;
        PERFORM t.eq(string_agg(d::text, '') || (SELECT string_agg(v::text, '') FROM lifeos.deliverable_version v), was) FROM lifeos.deliverable d;
        PERFORM t.eq((lib.deliverable_store('acc', 'u1', NULL, NULL, 'cv', NULL, mib, NULL, 'model', 'o', NULL, NULL, NULL, NULL, NULL)).status, 'OK',
                     'a whole MiB');
END $$;
