--- erasing takes payloads and salts, and nothing else: chain, numbers, types and repeats stay
SELECT t.create('s1'), t.transcript('s1', 'e1', 'final', 'u1', 'my number is 12'), t.append('s1', '{a}', '{"{\"name\":\"x\"}"}');
CREATE TEMP TABLE before AS SELECT to_jsonb(e) - 'payload' - 'salt' AS e FROM lifeos.event e;
SELECT t.eq((r.body)::text, '{"ok":true,"accountId":"acc","sessionId":"s1","fromSequence":1,"toSequence":3,"erasedCount":3,"more":false,"nextSequence":4}'),
       t.eq(r.status, 'OK'), t.eq(r.head, NULL::bigint) FROM t.erase('s1') r;
SELECT t.eq((SELECT count(*) FROM lifeos.event e WHERE e.payload IS NOT NULL OR e.salt IS NOT NULL), 0);
SELECT t.eq((SELECT count(*) FROM before b WHERE NOT EXISTS (SELECT FROM lifeos.event e WHERE to_jsonb(e) - 'payload' - 'salt' = b.e)), 0);
SELECT t.eq(v.verified, 3), t.eq(v.broken_at, NULL::bigint) FROM api.event_verify('acc', 's1') v;
SELECT t.eq(t.chains(), 'whole');
SELECT t.ok(a.deduped) FROM t.append('s1', '{a}', '{"{\"name\":\"x\"}"}') a;
SELECT t.eq((t.append('s1', '{a}', '{"{\"name\":\"y\"}"}')).status, 'EVENT_ID_CONFLICT');
SELECT t.ok(a.sequence = 4) FROM t.append('s1', '{b}') a;
SELECT t.eq(t.chains(), 'whole', 'it goes on after an erasure');

--- what is erased is null wherever it was to be read: replay, stream, snapshots, state
SELECT t.create('s1'), t.transcript('s1', 'e1', 'final', 'u1', 'secret'), t.erase('s1');
SELECT t.eq(r.event::json ->> 'payload', NULL) FROM api.event_read('acc', 'u1', 'owner', 's1', 0, 9) r;
SELECT t.eq(s ->> 'utteranceId' || coalesce(s ->> 'text', '-'), 'u1-') FROM (SELECT (t.snapshots('s1')).body -> 'snapshots' -> 0 AS s OFFSET 0) x;
SELECT t.ok(r.body::text !~ 'secret'), t.eq(json_array_length(r.body -> 'transcriptState'), 1::bigint), t.eq(r.body -> 'events' -> 1 ->> 'payload', NULL)
FROM t.replay('s1', NULL, NULL, NULL) r;

--- a part is erased from here to there, and nothing beside it
SELECT t.create('s1'), t.create('s1', account => 'other'), t.append('s1', '{a,b,c,d}');
SELECT t.eq((t.erase('s1', 3, 4)).body ->> 'erasedCount', '2');
SELECT t.eq((SELECT string_agg(e.event_id, ' ' ORDER BY e.sequence) FROM lifeos.event e WHERE e.session_id = 's1' AND e.payload IS NULL), 'b c');
SELECT t.eq((t.erase('s1', 3, 99)).body ->> 'erasedCount', '1'), t.eq((t.erase('s1', 9, 99)).body ->> 'erasedCount', '0');
SELECT t.eq((SELECT count(*) FROM lifeos.event e WHERE e.account_id = 'other' AND e.payload IS NULL), 0);
SELECT t.eq(t.chains(), 'whole');

--- it goes in steps, says where to go on, and comes to an end
SELECT t.create('s1');
SELECT count(*) FROM t.talk('s1', 4500, 10);
SELECT t.eq((r.body ->> 'erasedCount') || (r.body ->> 'more') || (r.body ->> 'nextSequence'), '2000true2001') FROM t.erase('s1') r;
SELECT t.eq((r.body ->> 'erasedCount') || (r.body ->> 'more') || (r.body ->> 'nextSequence'), '2000true4001') FROM t.erase('s1', 2001) r;
SELECT t.eq((r.body ->> 'erasedCount') || (r.body ->> 'more') || (r.body ->> 'nextSequence'), '501false4502') FROM t.erase('s1', 4001) r;
SELECT t.eq(t.chains(), 'whole');

--- erasing is a command: audited, receipted, and of a session that is there
SELECT t.create('s1'), t.append('s1', '{a}');
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.erase('nope')).status, 'SESSION_NOT_FOUND'), t.eq((t.erase('@account')).status, 'SESSION_NOT_FOUND'), t.eq((t.erase('s1', account => '*')).status, 'SESSION_NOT_FOUND');
SELECT t.eq(t.fingerprint(), :'before');
SELECT t.eq((t.erase('s1', command => 'c')).body ->> 'erasedCount', '2'), t.eq((t.erase('s1', command => 'c')).body ->> 'erasedCount', '2', 'the first answer');
SELECT t.eq((t.erase('s1', 2, command => 'c', hash => '\x77')).status, 'IDEMPOTENCY_CONFLICT');
SELECT t.eq((SELECT string_agg(a.actor_role || ' ' || (a.detail ->> 'erasedCount'), ',') FROM lifeos.audit a WHERE a.action = 'event_erase' AND a.stream_id = 's1'), 'operator 2');
