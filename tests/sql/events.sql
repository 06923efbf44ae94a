--- sequences are gapless from 1 and answered in order of request and row
SELECT t.create('s1'), t.create('s2');
SELECT t.eq((SELECT string_agg(format('%s.%s %s %s %s', a.op, a.row, a.status, a.sequence, a.deduped), ', ') FROM t.append_ops(
        '{{s1,a,"{}"},{s2,b,"{}"},{s1,c,"{}"},{s2,d,"{}"},{s1,e,"{}"}}') a),
        '0.0 OK 2 f, 1.0 OK 2 f, 2.0 OK 3 f, 3.0 OK 3 f, 4.0 OK 4 f');
SELECT t.eq(t.chains(), 'whole');

--- a request may be about several sessions, also back and forth
SELECT t.create('s1'), t.create('s2');
SELECT t.eq((SELECT string_agg(a.row || ':' || a.sequence, ' ') FROM api.event_append('{acc}', '{u1}', '{owner}', '{owner}', '{5}',
        '{0,0,0,0}', '{s1,s2,s1,s2}', '{a,b,c,d}', '{call.error,call.error,call.error,call.error}', '{f,f,f,f}', '{1,2,3,4}',
        '{"{}","{}","{}","{}"}') a), '0:2 1:2 2:3 3:3');
SELECT t.eq(t.chains(), 'whole');

--- a repeat is answered with what was stored the first time
SELECT t.create('s1');
SELECT t.append('s1', '{a,b}', '{"{\"n\":1}","{\"n\":2}"}');
SELECT t.eq(a.status, 'OK'), t.ok(a.deduped), t.eq(a.sequence, e.sequence), t.eq(a.recorded, e.recorded_at), t.eq(a.ts, e.ts)
FROM t.append('s1', '{a,b}', '{"{\"n\":1}","{\"n\":2}"}') a JOIN lifeos.event e ON e.event_id = (ARRAY['a', 'b'])[a.row + 1];
SELECT t.eq((SELECT head FROM lifeos.stream WHERE stream_id = 's1'), 3);

--- a repeat beside new events: each gets its own answer
SELECT t.create('s1'), t.append('s1', '{a}');
SELECT t.eq((SELECT string_agg(a.sequence || a.deduped::text, ' ') FROM t.append('s1', '{x,a,y}') a), '3false 2true 4false');
SELECT t.eq(t.chains(), 'whole');

--- other content under a stored id refuses the whole request and names the culprit; nothing of it is stored
SELECT t.create('s1'), t.append('s1', '{a}');
SELECT t.fingerprint() AS before \gset
SELECT t.eq((SELECT string_agg(format('%s.%s %s', r.op, r.row, r.status), ', ')
             FROM t.append('s1', '{n1,a,n2}', '{"{}","{\"other\":1}","{}"}') r), '0.1 EVENT_ID_CONFLICT');
SELECT t.eq(t.fingerprint(), :'before');

--- an id is taken in the whole account, and in no other
SELECT t.create('s1'), t.create('s2'), t.create('s1', account => 'other'), t.append('s1', '{a}');
SELECT t.eq((t.append('s2', '{a}')).status, 'EVENT_ID_CONFLICT');
SELECT t.eq((t.append('s1', '{a}', account => 'other')).status, 'OK');

--- a refused request leaves its neighbours in the batch alone
SELECT t.create('s1'), t.create('s2'), t.append('s1', '{a}');
SELECT t.eq((SELECT string_agg(format('%s %s %s', r.op, r.status, r.sequence), ', ') FROM t.append_ops(
        '{{s2,b,"{}"},{s1,a,"{\"x\":1}"},{nope,c,"{}"},{s1,d,"{}"},{s1,a,"{}"}}') r),
        '0 OK 2, 1 EVENT_ID_CONFLICT , 2 SESSION_NOT_FOUND , 3 OK 3, 4 OK 2');
SELECT t.eq(t.chains(), 'whole');

--- inside a batch the earlier request decides, a later equal one is a repeat, a later different one is refused
SELECT t.create('s1');
SELECT t.eq((SELECT string_agg(format('%s %s %s %s', r.op, r.status, r.sequence, r.deduped), ', ') FROM t.append_ops(
        '{{s1,a,"{}"},{s1,a,"{}"},{s1,a,"{\"x\":1}"},{s1,b,"{}"}}') r),
        '0 OK 2 f, 1 OK 2 t, 2 EVENT_ID_CONFLICT  , 3 OK 3 f');
SELECT t.eq((SELECT string_agg(format('%s %s %s', r.row, r.sequence, r.deduped), ', ') FROM t.append('s1', '{c,c,d}') r),
        '0 4 f, 1 4 t, 2 5 f');
SELECT t.eq(t.chains(), 'whole');

--- ids that a refused request had taken are free for the next one of the batch
SELECT t.create('s1'), t.append('s1', '{old}');
SELECT t.eq((SELECT string_agg(format('%s.%s %s %s %s', r.op, r.row, r.status, r.sequence, r.deduped), ', ')
        FROM api.event_append('{acc,acc}', '{u1,u1}', '{owner,owner}', '{owner,owner}', '{1,1}', '{0,0,1}', '{s1,s1,s1}',
                              '{new,old,new}', '{call.error,call.error,call.error}', '{t,t,t}', '{1,1,9}',
                              '{"{\"v\":1}","{\"v\":2}","{\"v\":3}"}') r), '0.1 EVENT_ID_CONFLICT  , 1.0 OK 3 f');
SELECT t.eq(t.payload('s1', 'call.error'), '{"v":3}');

--- ts is part of the content only if the emitter gave it
SELECT t.create('s1');
CREATE TEMP TABLE r AS SELECT g.given, g.ts, a.status FROM (VALUES ('a', false, 1), ('a', false, 2), ('b', true, 1), ('b', true, 2),
        ('b', true, 1), ('a', true, 1)) g(id, given, ts) CROSS JOIN LATERAL api.event_append('{acc}', '{u1}', '{owner}', '{owner}', '{1}',
        '{0}', '{s1}', ARRAY[g.id], '{call.error}', ARRAY[g.given], ARRAY[g.ts]::bigint[], '{"{}"}') a;
SELECT t.eq((SELECT string_agg(status, ' ') FROM r), 'OK OK OK EVENT_ID_CONFLICT OK EVENT_ID_CONFLICT');

--- who may append: the owner, admins, his own member, service keys; nobody else
SELECT t.create('s1', who => 'u2', role => 'member');
SELECT t.eq((t.append('s1', ARRAY['e' || n], who => w, account => a, role => r)).status, want, format('%s %s %s', w, a, r))
FROM (VALUES (1, 'u2', 'acc', 'member', 'OK'), (2, 'u3', 'acc', 'member', 'FORBIDDEN'), (3, 'u2', 'acc', 'viewer', 'FORBIDDEN'),
             (4, 'x', 'acc', 'admin', 'OK'), (5, 'k', 'acc', 'ingest', 'OK'), (6, 'k', '*', 'ingest', 'OK'), (7, 'k', '*', 'operator', 'OK'),
             (8, 'u2', '*', 'owner', 'SESSION_NOT_FOUND'), (9, 'u2', 'other', 'owner', 'SESSION_NOT_FOUND'),
             (10, 'k', 'other', 'ingest', 'SESSION_NOT_FOUND')) v(n, w, a, r, want);
SELECT t.create('s1', account => 'other');
SELECT t.eq((t.append('s1', '{z}', who => 'k', account => '*', role => 'ingest')).status, 'SESSION_AMBIGUOUS');
SELECT t.eq(t.chains(), 'whole');

--- a request is refused for its first bad row, whatever the others are
SELECT t.create('s1');
SELECT t.eq((SELECT string_agg(format('%s.%s %s', r.op, r.row, r.status), ', ') FROM api.event_append('{acc}', '{u1}', '{owner}',
        '{owner}', '{1}', '{0,0,0}', '{s1,gone,nope}', '{a,b,c}', '{call.error,call.error,call.error}', '{t,t,t}', '{1,1,1}',
        '{"{}","{}","{}"}') r), '0.1 SESSION_NOT_FOUND');
SELECT t.eq((SELECT head FROM lifeos.stream WHERE stream_id = 's1'), 1);

--- an ended call still takes what is late
SELECT t.create('s1'), t.state('s1', 'ended');
SELECT t.eq((t.append('s1', '{late}')).sequence, 5);

--- an empty batch is no batch
SELECT t.eq((SELECT count(*) FROM api.event_append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')), 0);

--- reading returns what was written: bytes, order, times
SELECT t.create('s1');
SELECT t.append('s1', '{a}', ARRAY['{"a":"\u00e9 ü \"q\"","z":[1,2.50,{"k":null}]}']);
SELECT t.eq(r.event, '{"eventId":"a","sequence":2,"sessionId":"s1","ts":"2025-11-21T07:45:11.000Z","timestamp":"2025-11-21T07:45:11.000Z",'
        || '"type":"call.error","payload":{"a":"\u00e9 ü \"q\"","z":[1,2.50,{"k":null}]},"schemaVersion":"1.0","origin":"owner",'
        || '"receivedAt":"2025-11-21T07:45:11.111111Z","recordedAt":"' || lib.time_text(e.recorded_at) || '"}')
FROM api.event_read('acc', 'u1', 'owner', 's1', 1, 10) r, lifeos.event e WHERE e.event_id = 'a';

--- pages by sequence: every event once, in order, and where to go on
SELECT t.create('s1');
SELECT t.append('s1', ARRAY(SELECT 'e' || i FROM generate_series(1, 9) i));
SELECT t.eq((SELECT string_agg(sequence::text, ' ') FROM api.event_read('acc', 'u1', 'owner', 's1', 3, 4)), '4 5 6 7');
SELECT t.eq((SELECT count(*) FROM api.event_read('acc', 'u1', 'owner', 's1', 10, 4)), 0);
SELECT t.eq((SELECT string_agg(status, ' ') FROM api.event_read('acc', 'u2', 'member', 's1', 0, 4)), 'FORBIDDEN');
SELECT t.eq((SELECT string_agg(status, ' ') FROM api.event_read('other', 'u2', 'owner', 's1', 0, 4)), 'SESSION_NOT_FOUND');
SELECT t.eq(b ->> 'nextCursor' || (b ->> 'hasMore'), '7true'), t.eq(json_array_length(b -> 'events'), 3::bigint)
FROM (SELECT (api.event_replay('acc', 'u1', 'owner', 's1', 4, NULL, NULL, NULL, 3, NULL, NULL, NULL)).body AS b OFFSET 0) x;
SELECT t.eq(b ->> 'nextCursor' || (b ->> 'hasMore'), '10false') FROM (SELECT (api.event_replay('acc', 'u1', 'owner', 's1', 7, NULL, NULL, NULL, 3, NULL, NULL, NULL)).body AS b OFFSET 0) x;
SELECT t.eq(b ->> 'nextCursor' || (b ->> 'hasMore'), '10false') FROM (SELECT (api.event_replay('acc', 'u1', 'owner', 's1', 10, NULL, NULL, NULL, 3, NULL, NULL, NULL)).body AS b OFFSET 0) x;
SELECT t.eq(b -> 'resume' ->> 'latestSequence', '10') FROM (SELECT (api.event_replay('acc', 'u1', 'owner', 's1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)).body AS b OFFSET 0) x;

--- the order is by sequence whatever the timestamps say; a timestamp filters only without a sequence
SELECT t.create('s1');
SELECT api.event_append('{acc}', '{u1}', '{owner}', '{owner}', '{1}', '{0,0,0}', '{s1,s1,s1}', '{c,b,a}',
        '{call.error,call.error,call.error}', '{t,t,t}', '{3000000,1000000,3000000}', '{"{}","{}","{}"}');
CREATE FUNCTION pg_temp.ids(after bigint, ts text, id text) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(e ->> 'eventId', ' ') FROM json_array_elements((api.event_replay('acc', 'u1', 'owner', 's1', after, NULL, ts, id,
        NULL, NULL, NULL, NULL)).body -> 'events') e WHERE e ->> 'type' = 'call.error' $$;
SELECT t.eq(pg_temp.ids(0, NULL, NULL), 'c b a'), t.eq(pg_temp.ids(NULL, '1970-01-01T00:00:01Z', NULL), 'c a'),
       t.eq(pg_temp.ids(NULL, '1970-01-01T00:00:03Z', 'a'), 'c'), t.eq(pg_temp.ids(0, '1970-01-01T00:00:03Z', 'a'), 'c b a');
SELECT t.eq((api.event_replay('acc', 'u1', 'owner', 's1', NULL, 'yesterday', NULL, NULL, NULL, NULL, NULL, NULL)).message, 'afterTs is not an RFC 3339 date and time');

--- transcript state: the newest state of each utterance, a final above any partial, the later above the earlier
SELECT t.create('s1');
SELECT t.transcript('s1', '1', 'partial', 'u1', 'h'), t.transcript('s1', '2', 'partial', 'u2', 'x'), t.transcript('s1', '3', 'final', 'u1', 'hello'),
       t.transcript('s1', '4', 'partial', 'u1', 'late'), t.transcript('s1', '5', 'final', 'u1', 'hello!'), t.transcript('s1', '6', 'partial', 'u2', 'xy'),
       t.transcript('s1', '7', 'partial', ' ', 'nobody');
CREATE FUNCTION pg_temp.state(n bigint) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(e ->> 'text', ' ') || ' ' || max(b.body ->> 'transcriptSnapshotsCount') FROM (SELECT (api.event_replay('acc', 'u1', 'owner', 's1', 0, NULL, NULL,
        NULL, NULL, n, NULL, NULL)).body OFFSET 0) b, json_array_elements(b.body -> 'transcriptState') e $$;
SELECT t.eq(pg_temp.state(NULL), 'hello! xy 6');
SELECT t.eq(pg_temp.state(3), 'hello! xy 3', 'the newest segments, not the oldest');
SELECT t.eq(pg_temp.state(1), 'xy 1');
SELECT t.eq((SELECT string_agg(k, ',') FROM json_object_keys((api.event_replay('acc', 'u1', 'owner', 's1', 0, NULL, NULL, NULL, NULL, 1, NULL, NULL)).body
        -> 'transcriptState' -> 0) k), 'snapshotId,sessionId,utteranceId,eventId,sequence,timestamp,ts,type,speaker,text,startMs,endMs,payload,createdAtMs');

--- a repeated transcript event is one segment
SELECT t.create('s1');
SELECT t.transcript('s1', '1', 'final', 'u1', 'h'), t.transcript('s1', '1', 'final', 'u1', 'h');
SELECT t.eq((SELECT count(*) FROM lifeos.transcript_segment), 1);

--- opening a stream tells its account, its head and its state, and asks like reading does
SELECT t.create('s1'), t.append('s1', '{a}'), t.key('k', '*', 'ingest');
SELECT t.eq(o.account_id || o.session_id || o.head, 'accs12'), t.eq(o.body::text, '{"ok":true,"accountId":"acc","sessionId":"s1","latestSequence":2,"status":"created","checkpoint":null}')
FROM api.stream_open('*', 'k', 'ingest', 's1', NULL) o;
SELECT t.eq((api.stream_open('acc', 'u2', 'member', 's1', NULL)).status, 'FORBIDDEN');
SELECT t.eq((api.stream_open('other', 'u1', 'owner', 's1', NULL)).status, 'SESSION_NOT_FOUND');

--- a changed, missing or swapped event breaks the chain where it happened
SELECT t.create('s1'), t.append('s1', '{a,b,c}');
SELECT t.eq(v.broken_at, NULL::bigint), t.eq(v.verified, 4) FROM api.event_verify('acc', 's1') v;
ALTER TABLE lifeos.event DISABLE TRIGGER ALL;
UPDATE lifeos.event SET type = 'call.ended' WHERE event_id = 'b';
SELECT t.eq(v.broken_at, 3) FROM api.event_verify('acc', 's1') v;
UPDATE lifeos.event SET type = 'call.error', payload = '{"x":1}' WHERE event_id = 'b';
SELECT t.eq(v.broken_at, 3) FROM api.event_verify('acc', 's1') v;
UPDATE lifeos.event SET payload = '{}' WHERE event_id = 'b';
SELECT t.eq(t.chains(), 'whole');
DELETE FROM lifeos.event WHERE event_id = 'c';
SELECT t.eq(v.broken_at, 4) FROM api.event_verify('acc', 's1') v;

--- a payload can be erased with its salt; the chain holds and repeats are still known
SELECT t.create('s1'), t.append('s1', '{a}', '{"{\"name\":\"x\"}"}');
UPDATE lifeos.event SET payload = NULL, salt = NULL WHERE event_id = 'a';
SELECT t.eq(t.chains(), 'whole');
SELECT t.ok(a.deduped) FROM t.append('s1', '{a}', '{"{\"name\":\"x\"}"}') a;
SELECT t.eq((t.append('s1', '{a}', '{"{\"name\":\"y\"}"}')).status, 'EVENT_ID_CONFLICT');
SELECT t.eq(r.event::json ->> 'payload', NULL) FROM api.event_read('acc', 'u1', 'owner', 's1', 1, 1) r;

--- events and audit entries are append-only, also for their owner
SELECT t.create('s1');
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RETURN 'done'; EXCEPTION WHEN insufficient_privilege THEN RETURN 'refused'; END $$;
SELECT t.eq(pg_temp.refused(s), 'refused', s) FROM unnest(ARRAY['UPDATE lifeos.event SET type = ''x''', 'DELETE FROM lifeos.event',
        'TRUNCATE lifeos.event', 'UPDATE lifeos.audit SET actor_id = ''x''', 'DELETE FROM lifeos.audit', 'TRUNCATE lifeos.audit',
        'UPDATE lifeos.event SET payload = NULL, salt = NULL, type = ''x''']) s;

--- the times: whole milliseconds in three digits, others in six, from 1970 to 9999, and back
SELECT t.eq(lib.time_text(micros), text), t.eq(lib.time_parse(text), micros)
FROM (VALUES (0::bigint, '1970-01-01T00:00:00.000Z'), (1, '1970-01-01T00:00:00.000001Z'), (1763711111111000, '2025-11-21T07:45:11.111Z'),
             (253402300799999999, '9999-12-31T23:59:59.999999Z'), (951782400000000, '2000-02-29T00:00:00.000Z')) v(micros, text);
SELECT t.eq(lib.time_parse('2025-11-21T08:45:11.111+01:00'), 1763711111111000), t.eq(lib.time_parse('1972-06-30T23:59:60Z'), 78796800000000);
SELECT t.eq(lib.time_parse(v), NULL::bigint, v) FROM unnest('{2025-02-29T00:00:00Z,2025-13-01T00:00:00Z,2025-11-21,1969-12-31T23:59:59Z,
        2025-11-21T24:00:00Z,2025-11-21T00:00:00,10000-01-01T00:00:00Z,2025-11-21 00:00:00Z,1970-01-01T00:00:00+01:00}'::text[]) v;
