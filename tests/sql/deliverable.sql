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

--- create, put, get: the answers show who made which version, and only get shows the content
DO $$
DECLARE
        a json := (t.deliverable('d1', 'one', data => '{"n":1}')).body;
        b json := (t.put('d1', 1, 'two')).body;
        g json;
BEGIN
        PERFORM t.ok((a ->> 'ok')::boolean);
        PERFORM t.eq(a #>> '{deliverable,deliverableId}', 'd1');
        PERFORM t.eq(a #>> '{deliverable,version,version}', '1');
        PERFORM t.eq(a #>> '{deliverable,version,bytes}', '10');
        PERFORM t.eq(a #>> '{deliverable,version,author}', '{"kind":"human","id":"u1"}');
        PERFORM t.eq(a #>> '{deliverable,version,contentHash}', encode(sha256('2:cv,-,3:one,7:{"n":1},'), 'hex'));
        PERFORM t.ok(a::text NOT LIKE '%"one"%', 'no content in the receipt');
        PERFORM t.eq(b #>> '{deliverable,latestVersion}', '2');
        g := (api.deliverable_get('acc', 'u1', 'member', 'd1', NULL)).body;
        PERFORM t.eq(g ->> 'markdown', 'two');
        PERFORM t.eq(g ->> 'data', NULL);
        PERFORM t.eq(g #>> '{deliverable,version,version}', '2');
        g := (api.deliverable_get('acc', 'u1', 'member', 'd1', 1)).body;
        PERFORM t.eq(g ->> 'markdown', 'one');
        PERFORM t.eq(g ->> 'data', '{"n":1}');
        PERFORM t.eq((api.deliverable_get('acc', 'u1', 'member', 'd1', 3)).status, 'DELIVERABLE_NOT_FOUND');
        PERFORM t.eq((api.deliverable_get('acc', 'u1', 'member', 'd9', NULL)).status, 'DELIVERABLE_NOT_FOUND');
        PERFORM t.eq((api.deliverable_get('other', 'u1', 'owner', 'd1', NULL)).status, 'DELIVERABLE_NOT_FOUND', 'another account');
END $$;

--- the same id with the same content is the same deliverable; other content, kind, author or session is DELIVERABLE_EXISTS
DO $$
DECLARE
        a json;
        was text;
BEGIN
        PERFORM t.create('s1');
        a := (t.deliverable('d1')).body;
        PERFORM t.put('d1', 1, 'two');
        was := t.deliverables();
        PERFORM t.eq((t.deliverable('d1')).body #>> '{deliverable,version}', a #>> '{deliverable,version}');
        PERFORM t.eq((t.deliverable('d1', 'other')).status, 'DELIVERABLE_EXISTS');
        PERFORM t.eq((t.deliverable('d1', data => '{}')).status, 'DELIVERABLE_EXISTS');
        PERFORM t.eq((t.deliverable('d1', kind => 'outreach')).status, 'DELIVERABLE_EXISTS');
        PERFORM t.eq((t.deliverable('d1', who => 'u2')).status, 'DELIVERABLE_EXISTS');
        PERFORM t.eq((t.deliverable('d1', session => 's1')).status, 'DELIVERABLE_EXISTS');
        PERFORM t.eq((t.deliverable('d2', NULL)).status, 'INVALID_REQUEST');
        PERFORM t.eq((t.deliverable('d2', session => 'none')).status, 'SESSION_NOT_FOUND');
        PERFORM t.eq(t.deliverables(), was, 'nothing stored');
END $$;

--- a command is done once: its repeat is the first answer, with other content IDEMPOTENCY_CONFLICT
DO $$
DECLARE
        a json := (t.deliverable(NULL, command => 'c1')).body;
        id text := a #>> '{deliverable,deliverableId}';
        b json := (t.put(id, 1, 'two', command => 'c2')).body;
        was text := t.deliverables() || t.fingerprint();
BEGIN
        PERFORM t.eq((t.deliverable(NULL, command => 'c1')).body::text, a::text);
        PERFORM t.eq((t.put(id, 1, 'two', command => 'c2')).body::text, b::text);
        PERFORM t.eq((t.deliverable(NULL, 'x', command => 'c1', hash => '\x99')).status, 'IDEMPOTENCY_CONFLICT');
        PERFORM t.eq((t.put(id, 1, 'x', command => 'c2', hash => '\x99')).status, 'IDEMPOTENCY_CONFLICT');
        PERFORM t.eq((t.put(id, 1, 'x', command => 'c1')).status, 'IDEMPOTENCY_CONFLICT');
        PERFORM t.eq(t.deliverables() || t.fingerprint(), was);
END $$;

--- put: an old base is DELIVERABLE_CONFLICT, but the same content by the same author on the same base is the same answer
DO $$
DECLARE
        b json;
        was text;
BEGIN
        PERFORM t.deliverable('d1');
        b := (t.put('d1', 1, 'two')).body;
        PERFORM t.put('d1', 2, 'three');
        was := t.deliverables();
        PERFORM t.eq((t.put('d1', 1, 'two')).body #>> '{deliverable,version}', b #>> '{deliverable,version}');
        PERFORM t.eq((t.put('d1', 1, 'two', who => 'boss', role => 'admin')).status, 'DELIVERABLE_CONFLICT', 'another author');
        PERFORM t.eq((t.put('d1', 1, 'mine')).status, 'DELIVERABLE_CONFLICT');
        PERFORM t.eq((t.put('d1', 4, 'mine')).status, 'DELIVERABLE_CONFLICT', 'one that is not there yet');
        PERFORM t.eq((t.put('d1', 3, NULL)).status, 'INVALID_REQUEST');
        PERFORM t.eq((t.put('d9', 1, 'x')).status, 'DELIVERABLE_NOT_FOUND');
        PERFORM t.eq(t.deliverables(), was);
        PERFORM t.eq((t.put('d1', 3, 'two', who => 'boss', role => 'admin')).body #>> '{deliverable,version,author,id}', 'boss');
        PERFORM t.eq((SELECT d.user_id FROM lifeos.deliverable d WHERE d.deliverable_id = 'd1'), 'u1', 'it stays his');
END $$;

--- who may: owner and admin all, a member his own, a viewer reads, services nothing, nobody of a suspended account
DO $$
DECLARE
        r record;
        was text;
BEGIN
        PERFORM t.deliverable('d1');
        was := t.deliverables();
        FOR r IN SELECT * FROM (VALUES ('u1', 'member', 'OK', 'OK'), ('u2', 'member', 'FORBIDDEN', 'FORBIDDEN'), ('x', 'owner', 'OK', 'OK'),
                ('x', 'admin', 'OK', 'OK'), ('x', 'viewer', 'OK', 'FORBIDDEN'), ('u1', 'viewer', 'OK', 'FORBIDDEN'),
                ('k', 'ingest', 'FORBIDDEN', 'FORBIDDEN'), ('k', 'operator', 'FORBIDDEN', 'FORBIDDEN')) v(who, role, reads, writes) LOOP
                PERFORM t.eq((api.deliverable_get('acc', r.who, r.role, 'd1', NULL)).status, r.reads, r.role || ' get');
                PERFORM t.eq((api.deliverable_versions('acc', r.who, r.role, 'd1', NULL, NULL)).status, r.reads, r.role || ' versions');
                PERFORM t.eq((api.deliverable_diff('acc', r.who, r.role, 'd1', 1, NULL)).status, r.reads, r.role || ' diff');
                PERFORM t.eq((t.put('d1', 7, 'x', r.who, r.role)).status, CASE r.writes WHEN 'OK' THEN 'DELIVERABLE_CONFLICT' ELSE r.writes END, r.role);
        END LOOP;
        PERFORM t.eq((t.deliverable('d2', who => 'v', role => x)).status, 'FORBIDDEN', x) FROM unnest('{viewer,ingest,operator}'::text[]) x;
        PERFORM t.eq((api.deliverable_list('acc', 'k', x, NULL, NULL, NULL, NULL)).status, 'FORBIDDEN') FROM unnest('{ingest,operator}'::text[]) x;
        UPDATE lifeos.account a SET status = 'suspended' WHERE a.account_id = 'acc';
        PERFORM t.eq(x.status, 'ACCOUNT_SUSPENDED') FROM (VALUES (t.put('d1', 1, 'x')), (t.deliverable('d3')), (api.deliverable_get('acc', 'u1', 'member', 'd1', 1)),
                (api.deliverable_list('acc', 'u1', 'member', NULL, NULL, NULL, NULL))) v(r), LATERAL (SELECT (v.r).status) x;
        PERFORM t.eq(t.deliverables(), was);
END $$;

--- in somebody's session it is his, and the change is audited there; without a session on the account's own stream
DO $$
BEGIN
        PERFORM t.create('s1', 'u1');
        PERFORM t.eq((t.deliverable('d1', who => 'u2', session => 's1')).status, 'FORBIDDEN');
        PERFORM t.eq((t.deliverable('d1', who => 'boss', role => 'admin', session => 's1')).body #>> '{deliverable,userId}', 'u1');
        PERFORM t.eq((t.put('d1', 1, 'two')).status, 'OK', 'his');
        PERFORM t.deliverable('d2');
        PERFORM t.eq(string_agg(a.stream_id || ' ' || a.actor_id || ' ' || a.action || ' ' || a.detail::text, ';' ORDER BY a.recorded_at, a.sequence),
                     's1 boss deliverable_create {"deliverableId":"d1","kind":"cv","version":1,"contentHash":"' || encode(sha256('2:cv,-,2:md,-,'), 'hex') || '"};'
                     || 's1 u1 deliverable_put {"deliverableId":"d1","kind":"cv","version":2,"contentHash":"' || encode(sha256('2:cv,-,3:two,-,'), 'hex') || '"};'
                     || '@account u1 deliverable_create {"deliverableId":"d2","kind":"cv","version":1,"contentHash":"' || encode(sha256('2:cv,-,2:md,-,'), 'hex') || '"}')
        FROM lifeos.audit a WHERE a.action LIKE 'deliverable%';
        PERFORM t.eq(t.chains(), 'whole');
END $$;

--- a list pages through all of them once, the latest changed first, and keeps to the kind, the session and the member
DO $$
DECLARE
        r json;
        next text;
        seen text := '';
BEGIN
        PERFORM t.create('s1', 'u1');
        PERFORM t.deliverable('d' || i, kind => CASE WHEN i % 2 = 0 THEN 'cv' ELSE 'interview' END, who => CASE WHEN i > 5 THEN 'u2' ELSE 'u1' END,
                              session => CASE WHEN i = 4 THEN 's1' END) FROM generate_series(1, 7) i;
        UPDATE lifeos.deliverable d SET updated_at = 1000 WHERE d.deliverable_id <> 'd1';
        LOOP
                r := (api.deliverable_list('acc', 'x', 'viewer', NULL, NULL, 3, next)).body;
                SELECT seen || coalesce(string_agg(e ->> 'deliverableId', ' ' ORDER BY n), '') || '|' INTO seen
                FROM json_array_elements(r -> 'deliverables') WITH ORDINALITY x(e, n);
                next := r #>> '{page,nextCursor}';
                EXIT WHEN next IS NULL;
        END LOOP;
        PERFORM t.eq(seen, 'd1 d7 d6|d5 d4 d3|d2|');
        PERFORM t.eq(r #>> '{page,hasMore}', 'false');
        PERFORM t.eq(json_array_length((api.deliverable_list('acc', 'u2', 'member', NULL, NULL, NULL, NULL)).body -> 'deliverables'), 2);
        PERFORM t.eq(json_array_length((api.deliverable_list('acc', 'u1', 'owner', 'cv', NULL, NULL, NULL)).body -> 'deliverables'), 3);
        PERFORM t.eq((api.deliverable_list('acc', 'u1', 'owner', NULL, 's1', NULL, NULL)).body #>> '{deliverables,0,deliverableId}', 'd4');
        PERFORM t.eq((api.deliverable_list('acc', 'u1', 'owner', NULL, NULL, NULL, 'junk')).status, 'INVALID_REQUEST');
        PERFORM t.eq(json_array_length((api.deliverable_list('other', 'u1', 'owner', NULL, NULL, NULL, NULL)).body -> 'deliverables'), 0);
END $$;

--- versions are listed newest first, page by page, each with who made it
DO $$
DECLARE
        r json;
BEGIN
        PERFORM t.deliverable('d1');
        PERFORM t.put('d1', i, 'v' || i + 1) FROM generate_series(1, 4) i;
        PERFORM lib.deliverable_store('acc', 'u1', 'd1', NULL, 'cv', 'T', 'md', NULL, 'model', 'openclaw', 'gpt', '{"agent":"a"}', 's9', 't9', 'a9');
        r := (api.deliverable_versions('acc', 'u1', 'member', 'd1', 4, NULL)).body;
        PERFORM t.eq(r #>> '{versions,0,author}', '{"kind":"model","id":"openclaw"}');
        PERFORM t.eq((r #> '{versions,0}') ->> f, w, f) FROM (VALUES ('model', 'gpt'), ('config', '{"agent":"a"}'), ('sessionId', 's9'), ('turnId', 't9'),
                ('actionId', 'a9'), ('bytes', '2'), ('title', 'T'), ('version', '6')) x(f, w);
        PERFORM t.ok((r #>> '{versions,0,createdAtMs}')::bigint > 1700000000000);
        PERFORM t.eq(r ->> 'nextBeforeVersion', '3');
        r := (api.deliverable_versions('acc', 'u1', 'member', 'd1', 4, 3)).body;
        PERFORM t.eq(r #>> '{versions,1,version}', '1');
        PERFORM t.eq(r ->> 'hasMore', 'false');
        PERFORM t.eq(r ->> 'nextBeforeVersion', NULL);
END $$;

--- a diff gives both texts; without `to` the latest
DO $$
DECLARE
        r json;
BEGIN
        PERFORM t.deliverable('d1', 'one');
        PERFORM t.put('d1', 1, NULL, data => '{"a":1}');
        PERFORM t.put('d1', 2, 'three');
        r := (api.deliverable_diff('acc', 'u1', 'member', 'd1', 1, NULL)).body;
        PERFORM t.eq(r -> 'from' ->> 'markdown', 'one');
        PERFORM t.eq(r -> 'to' ->> 'version', '3');
        PERFORM t.eq(r -> 'to' ->> 'contentHash', encode(sha256('2:cv,-,5:three,-,'), 'hex'));
        r := (api.deliverable_diff('acc', 'u1', 'member', 'd1', 2, 1)).body;
        PERFORM t.eq(r #>> '{from,markdown}', NULL);
        PERFORM t.eq((api.deliverable_diff('acc', 'u1', 'member', 'd1', 4, 1)).status, 'DELIVERABLE_NOT_FOUND');
        PERFORM t.eq((api.deliverable_diff('acc', 'u1', 'member', 'd1', 1, 4)).status, 'DELIVERABLE_NOT_FOUND');
END $$;

--- a whole MiB is stored and read back; a byte more, or one that would not fit an answer, is BODY_TOO_LARGE
DO $$
DECLARE
        mib text := repeat(E'0123456\n', 131072);
BEGIN
        PERFORM t.eq((t.deliverable('d1', mib)).body #>> '{deliverable,version,bytes}', '1048576');
        PERFORM t.ok((api.deliverable_get('acc', 'u1', 'member', 'd1', NULL)).body ->> 'markdown' = mib);
        PERFORM t.eq((t.put('d1', 1, mib || 'x')).status, 'BODY_TOO_LARGE');
        PERFORM t.eq((t.put('d1', 1, mib, data => '{}')).status, 'BODY_TOO_LARGE');
        PERFORM t.eq((t.put('d1', 1, repeat(E'\x01', 300000))).status, 'BODY_TOO_LARGE', '1.8 MB as JSON');
        PERFORM t.ok(octet_length((api.deliverable_diff('acc', 'u1', 'member', 'd1', 1, 1)).body::text) < 4000000);
END $$;

--- a version cannot be changed or removed, not even by its owner; its words can be forgotten, for good
DO $$
DECLARE
        bad text;
        was text;
BEGIN
        PERFORM t.deliverable('d1', data => '{}');
        was := t.deliverables();
        FOREACH bad IN ARRAY ARRAY['UPDATE lifeos.deliverable_version SET markdown = ''x''', 'UPDATE lifeos.deliverable_version SET author_id = ''x''',
                'UPDATE lifeos.deliverable_version SET markdown = NULL, content_hash = ''''', 'DELETE FROM lifeos.deliverable_version',
                'UPDATE lifeos.deliverable_version SET version = 2', 'TRUNCATE lifeos.deliverable_version'] LOOP
                BEGIN
                        EXECUTE bad;
                        RAISE EXCEPTION 'went through: %', bad;
                EXCEPTION WHEN insufficient_privilege THEN
                END;
        END LOOP;
        PERFORM t.eq(t.deliverables(), was);
        UPDATE lifeos.deliverable_version v SET markdown = NULL, title = NULL, data = NULL;
        PERFORM t.eq((api.deliverable_get('acc', 'u1', 'member', 'd1', NULL)).body ->> 'markdown', NULL);
        BEGIN
                UPDATE lifeos.deliverable_version v SET markdown = 'md';
                RAISE EXCEPTION 'came back';
        EXCEPTION WHEN insufficient_privilege THEN
        END;
END $$;
