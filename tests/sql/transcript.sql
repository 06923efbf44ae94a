--- a page of snapshots is in the contract's words and order
SELECT t.create('s1'), t.transcript('s1', 'e1', 'partial', 'u1', 'hel'), t.transcript('s1', 'e2', 'final', 'u1', 'hello');
SELECT t.eq((SELECT string_agg(k, ',') FROM json_object_keys(l.body) k), 'ok,sessionId,count,snapshots,nextCursor,hasMore,retention'),
       t.eq((SELECT string_agg(k, ',') FROM json_object_keys(l.body -> 'snapshots' -> 0) k),
            'snapshotId,sessionId,utteranceId,eventId,sequence,timestamp,ts,type,speaker,text,startMs,endMs,payload,createdAtMs'),
       t.eq(l.body ->> 'count', '2'), t.eq(l.body ->> 'hasMore', 'false'), t.eq(l.body ->> 'nextCursor', '3'),
       t.eq(l.body ->> 'retention', '{"keepLastDefault":2000}'),
       t.eq(l.body #>> '{snapshots,1,text}', 'hello'), t.eq(l.body #>> '{snapshots,1,eventId}', 'e2'),
       t.eq(l.body #>> '{snapshots,1,type}', 'transcript.final'), t.eq(l.body #>> '{snapshots,1,payload,utteranceId}', 'u1')
FROM t.snapshots('s1') l;

--- pages by sequence: every snapshot once, whatever stands between them
SELECT t.create('s1');
SELECT t.transcript('s1', 'e' || i, 'partial', 'u' || i, 'w'), t.append('s1', ARRAY['x' || i]) FROM generate_series(1, 7) i;
WITH RECURSIVE page(ids, after, more, n) AS (
        SELECT '', 0::bigint, true, 0
        UNION ALL
        SELECT p.ids || ' ' || (SELECT string_agg(x ->> 'utteranceId', ' ') FROM json_array_elements(l.body -> 'snapshots') x),
               (l.body ->> 'nextCursor')::bigint, (l.body ->> 'hasMore')::boolean, p.n + 1
        FROM page p CROSS JOIN LATERAL t.snapshots('s1', 3, p.after) l WHERE p.more)
SELECT t.eq((SELECT ids FROM page ORDER BY n DESC LIMIT 1), ' u1 u2 u3 u4 u5 u6 u7'), t.eq((SELECT max(n) FROM page), 3);
SELECT t.eq(l.body ->> 'nextCursor' || (l.body ->> 'count'), '990') FROM t.snapshots('s1', 3, 99) l;
SELECT t.eq(l.body ->> 'hasMore', 'false') FROM t.snapshots('s1', 7) l;

--- the utterance is looked for before the limit is counted
SELECT t.create('s1');
SELECT t.transcript('s1', 'e' || i, 'partial', 'u' || i % 50, 'w' || i) FROM generate_series(1, 200) i;
SELECT t.eq(x, '49 99'), t.eq(more, 'true') FROM (SELECT l.body ->> 'hasMore' AS more, (SELECT string_agg(substr(e ->> 'text', 2), ' ')
        FROM json_array_elements(l.body -> 'snapshots') e) AS x FROM t.snapshots('s1', 2, 0, 'u49') l) y;
SELECT t.eq(l.body ->> 'count' || (l.body ->> 'hasMore'), '2false') FROM t.snapshots('s1', 2, 101, 'u49') l;
SELECT t.eq(l.body ->> 'count', '0') FROM t.snapshots('s1', 2, 0, 'nobody') l;

--- a page that would be too long for an answer is shorter, and the rest follows
SELECT t.create('s1');
SELECT count(t.transcript('s1', 'e' || i, 'final', 'u' || i, repeat('w', 60000))) FROM generate_series(1, 50) i;
SELECT t.ok(octet_length(l.body::text) BETWEEN 3900000 AND 4186112), t.eq(l.body ->> 'hasMore', 'true'),
       t.eq((l.body ->> 'count')::bigint + ((t.snapshots('s1', 2000, (l.body ->> 'nextCursor')::bigint)).body ->> 'count')::bigint, 50)
FROM t.snapshots('s1', 2000) l;

--- statistics are of the session, whatever the page
SELECT t.create('s1'), t.transcript('s1', 'e1', 'partial', 'u1', 'hel'), t.append('s1', '{x}'), t.transcript('s1', 'e2', 'final', 'u2', 'hello');
SELECT t.eq((l.body -> 'stats')::text, '{"count":2,"minSequence":2,"maxSequence":4,"minTimestamp":"2025-11-21T07:45:11.000Z",'
        || '"maxTimestamp":"2025-11-21T07:45:11.000Z","payloadBytes":' || (SELECT sum(octet_length(e.payload::text)) FROM lifeos.event e
        WHERE e.type LIKE 'transcript.%') || '}'), t.ok((l.body #>> '{diagnostics,queryMs}')::numeric >= 0), t.eq(l.body ->> 'count', '1')
FROM t.snapshots('s1', 1, 0, NULL, true) l;
SELECT t.create('s2');
SELECT t.eq((l.body -> 'stats')::text, '{"count":0,"minSequence":null,"maxSequence":null,"minTimestamp":null,"maxTimestamp":null,"payloadBytes":0}')
FROM t.snapshots('s2', 1, 0, NULL, true) l;

--- snapshots are read by who may read the session, and by nobody else
SELECT t.create('s1'), t.create('s1', account => 'other'), t.create('s2'), t.transcript('s1', 'e1', 'final', 'u1', 'ours');
SELECT t.eq((api.transcript_list('acc', 'u2', 'member', 's1', NULL, NULL, NULL, NULL)).status, 'FORBIDDEN');
SELECT t.eq((api.transcript_list('acc', 'u2', 'viewer', 's1', NULL, NULL, NULL, NULL)).status, 'OK');
SELECT t.key('k', 'acc', 'ingest'), t.key('all', '*', 'ingest');
SELECT t.eq((api.transcript_list('acc', 'k', 'ingest', 's1', NULL, NULL, NULL, NULL)).status, 'OK');
SELECT t.eq((api.transcript_list('*', 'all', 'ingest', 's1', NULL, NULL, NULL, NULL)).status, 'SESSION_AMBIGUOUS');
SELECT t.eq((api.transcript_list('third', 'u1', 'owner', 's1', NULL, NULL, NULL, NULL)).status, 'SESSION_NOT_FOUND');
SELECT t.eq((api.transcript_list('other', 'u1', 'owner', 's1', NULL, NULL, NULL, NULL)).body ->> 'count', '0');
SELECT t.eq((t.snapshots('s2')).body ->> 'count', '0');

--- compaction keeps so many snapshots, not so many sequence numbers
SELECT t.create('s1');
SELECT t.transcript('s1', 'e' || i, 'partial', 'u1', 'w' || i), t.append('s1', ARRAY['x' || i, 'y' || i, 'z' || i]) FROM generate_series(1, 10) i;
SELECT t.eq((c.body)::text, '{"ok":true,"sessionId":"s1","keepLast":3,"deletedCount":7,"more":false,"before":{"count":10,"minSequence":2,'
        '"maxSequence":38},"after":{"count":3,"minSequence":30,"maxSequence":38}}') FROM t.compact('s1', 3) c;
SELECT t.eq(t.texts('s1'), 'w8 w9 w10');
SELECT t.eq((SELECT count(*) FROM lifeos.event e WHERE e.type LIKE 'transcript.%'), 10, 'events stay');
SELECT t.eq(t.chains(), 'whole');

--- compaction never takes what tells an utterance's state: its newest final, or without one its newest partial
SELECT t.create('s1'), t.transcript('s1', '1', 'partial', 'u1', 'h'), t.transcript('s1', '2', 'final', 'u1', 'hello'),
       t.transcript('s1', '3', 'final', 'u1', 'hello!'), t.transcript('s1', '4', 'partial', 'u1', 'late'),
       t.transcript('s1', '5', 'partial', 'u2', 'op'), t.transcript('s1', '6', 'partial', 'u2', 'open'), t.transcript('s1', '7', 'final', 'u3', 'last');
SELECT t.eq((t.state_of('s1')), 'hello! open last true');
SELECT t.eq((t.compact('s1', 1)).body ->> 'deletedCount', '4');
SELECT t.eq(t.texts('s1'), 'hello! open last'), t.eq(t.state_of('s1'), 'hello! open last true');
SELECT t.eq((t.compact('s1', 1)).body ->> 'deletedCount', '0');
SELECT t.transcript('s1', '8', 'final', 'u1', 'hello!!');
SELECT t.eq((t.compact('s1', 1)).body ->> 'deletedCount', '1');
SELECT t.eq(t.state_of('s1'), 'hello!! open last true', 'u1 still came first');

--- the state of a call is the same, word for word and in order, before and after any compaction
SELECT t.create('s1');
SELECT t.transcript('s1', 'e' || i, CASE WHEN i % 7 IN (3, 5) THEN 'final' ELSE 'partial' END, 'u' || (i * 7919) % 23, 'w' || i) FROM generate_series(1, 300) i;
SELECT t.state_of('s1') AS before \gset
SELECT t.eq(t.state_of('s1'), :'before'), t.ok((c.body ->> 'deletedCount')::bigint > 0) FROM unnest('{150,40,1}'::bigint[]) keep, t.compact('s1', keep) c;
SELECT t.eq((t.snapshots('s1', 2000)).body ->> 'count', '24', '23 utterances, and the newest snapshot of all');

--- compaction says more when there is more than it takes at once, and goes on where it stopped
SELECT t.create('s1');
SELECT count(t.transcript('s1', 'e' || i, 'partial', 'u1', 'w' || i)) FROM generate_series(1, 20) i;
SELECT t.eq(lib.transcript_forget('acc', 's1', 5, 9), 9), t.eq(lib.transcript_forget('acc', 's1', 5, 9), 6), t.eq(lib.transcript_forget('acc', 's1', 5, 9), 0);
SELECT t.eq(t.texts('s1'), 'w16 w17 w18 w19 w20');

--- compaction keeps 2000 by default
SELECT t.create('s1');
SELECT count(*) FROM t.talk('s1', 2010, 10);
SELECT t.eq((t.compact('s1', NULL)).body ->> 'deletedCount', '9', 'of ten, one is the final'), t.eq((t.compact('s1', NULL)).body ->> 'keepLast', '2000');

--- a suspended account reads no words and forgets none; a revoked key reads none
SELECT t.create('s1'), t.transcript('s1', '1', 'partial', 'u1', 'a'), t.transcript('s1', '2', 'final', 'u1', 'b'), t.key('gone', 'acc', 'ingest');
SELECT api.account_set('x1', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x00'), api.key_revoke('x2', 'gone', '\x00');
SELECT t.eq((t.snapshots('s1')).status, 'ACCOUNT_SUSPENDED'), t.eq((t.compact('s1', 1)).status, 'ACCOUNT_SUSPENDED');
SELECT api.account_set('x3', 'acc', 'active', NULL, NULL, NULL, NULL, NULL, '\x00');
SELECT t.eq(t.texts('s1'), 'a b'), t.eq((api.transcript_list('acc', 'gone', 'ingest', 's1', NULL, NULL, NULL, NULL)).status, 'AUTH_INVALID');

--- compaction is a command: once, receipted, audited, and for who may write
SELECT t.create('s1'), t.transcript('s1', '1', 'partial', 'u1', 'a'), t.transcript('s1', '2', 'partial', 'u1', 'b'), t.transcript('s1', '3', 'final', 'u1', 'c');
SELECT t.key('k', 'acc', 'ingest');
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.compact('s1', 1, who => 'u2', role => 'member')).status, 'FORBIDDEN'), t.eq((t.compact('s1', 1, role => 'viewer')).status, 'FORBIDDEN'),
       t.eq((t.compact('s1', 1, who => 'k', role => 'ingest')).status, 'FORBIDDEN'), t.eq((t.compact('s1', 1, account => 'other')).status, 'SESSION_NOT_FOUND');
SELECT t.eq(t.fingerprint(), :'before');
SELECT t.eq((t.compact('s1', 2, command => 'c')).body ->> 'deletedCount', '1');
SELECT t.eq((t.compact('s1', 2, command => 'c')).body ->> 'deletedCount', '1', 'the first answer');
SELECT t.eq((t.compact('s1', 1, command => 'c', hash => '\x05')).status, 'IDEMPOTENCY_CONFLICT');
SELECT t.eq(t.texts('s1'), 'b c');
SELECT t.eq((SELECT string_agg(a.action || a.detail, ' ') FROM lifeos.audit a WHERE a.action = 'transcript_compact'),
        'transcript_compact{"keepLast":2,"deletedCount":1,"more":false}');
SELECT t.eq((t.compact('s1', 1, who => 'boss', role => 'admin')).status, 'OK');
SELECT t.eq((t.create('s9', who => 'u2', role => 'member')).status || (t.compact('s9', 1, who => 'u2', role => 'member')).status, 'OKOK');

--- compaction of one call leaves every other call alone
SELECT t.create('s1'), t.create('s1', account => 'other'), t.create('s2');
SELECT t.transcript(s, s || i, 'partial', 'u1', 'w' || i) FROM generate_series(1, 4) i, unnest('{s1,s2}'::text[]) s;
SELECT t.append('s1', ARRAY['o' || i], ARRAY['{"text":"w","utteranceId":"u1"}'], account => 'other', type => 'transcript.partial') FROM generate_series(1, 4) i;
SELECT t.eq((t.compact('s1', 1)).body ->> 'deletedCount', '3');
SELECT t.eq(t.texts('s2'), 'w1 w2 w3 w4'), t.eq((SELECT count(*) FROM lifeos.transcript_segment s WHERE s.account_id = 'other'), 4);

--- the state is complete for a call of 30000 snapshots: every utterance, and nothing of another call
SELECT t.create('s1'), t.create('s2');
SELECT t.eq((SELECT count(*) FROM t.talk('s1', 30000, 10)), 30000), t.eq((SELECT count(*) FROM t.talk('s2', 500, 10)), 500);
CREATE TEMP TABLE state AS SELECT (t.replay('s1', 1, NULL, true)).body AS b;
SELECT t.eq(b ->> 'transcriptComplete', 'true'), t.eq(b ->> 'transcriptSnapshotsCount', '30000'), t.eq(json_array_length(b -> 'transcriptState'), 3000::bigint),
       t.eq(b #>> '{diagnostics,snapshotLimit}', NULL), t.eq(b #>> '{diagnostics,snapshotRowsRead}', '30000') FROM state;
SELECT t.eq((SELECT count(*) FROM state, json_array_elements(b -> 'transcriptState') WITH ORDINALITY e(j, n)
        WHERE j ->> 'utteranceId' = 'u' || n - 1 AND j ->> 'text' = 'final ' || n - 1 AND j ->> 'sessionId' = 's1'), 3000);

--- with a snapshotLimit the state is of the newest snapshots, and says if that is not all
SELECT t.create('s1');
SELECT count(*) FROM t.talk('s1', 100, 10);
SELECT t.eq(b ->> 'transcriptComplete' || json_array_length(b -> 'transcriptState') || (b ->> 'transcriptSnapshotsCount'), want, n::text)
FROM (VALUES (100::bigint, 'true10100'), (99, 'false1099'), (10, 'false110'), (NULL, 'true10100')) v(n, want),
     LATERAL (SELECT (t.replay('s1', NULL, n, NULL)).body AS b OFFSET 0) x;
SELECT t.create('s2');
SELECT t.eq(b ->> 'transcriptComplete' || (b ->> 'transcriptState'), 'true[]') FROM (SELECT (t.replay('s2', NULL, 5, NULL)).body AS b OFFSET 0) x;

--- a state that does not fit into the answer leaves out the longest unheard of, and says so
SELECT t.create('s1');
SELECT count(t.transcript('s1', 'e' || i, 'final', 'u' || i, repeat('w', 60000))) FROM generate_series(1, 40) i;
SELECT t.eq(b ->> 'transcriptComplete', 'false'), t.ok(octet_length(b::text) < 4186112), t.ok(json_array_length(b -> 'transcriptState') > 10),
       t.eq(b -> 'transcriptState' -> -1 ->> 'utteranceId', 'u40')
FROM (SELECT (t.replay('s1', 20, NULL, NULL)).body AS b OFFSET 0) x;
SELECT t.eq(b -> 'transcriptState' -> 0 ->> 'utteranceId', 'u40'), t.eq(json_array_length(b -> 'transcriptState'), 1), t.eq(b ->> 'transcriptComplete', 'false')
FROM (SELECT lib.object('{transcriptState,transcriptComplete}', ARRAY[s.state, s.complete::text]) AS b FROM lib.transcript_state('acc', 's1', NULL, 0) s) x;

--- an erased payload leaves its snapshot, without its words
SELECT t.create('s1'), t.transcript('s1', 'e1', 'final', 'u1', 'secret');
UPDATE lifeos.event SET payload = NULL, salt = NULL WHERE event_id = 'e1';
SELECT t.eq(s ->> 'utteranceId' || coalesce(s ->> 'text', '-') || coalesce(s ->> 'payload', '-') || coalesce(s ->> 'speaker', '-'), 'u1---')
FROM t.snapshots('s1') l, LATERAL (SELECT l.body -> 'snapshots' -> 0 AS s) x;
SELECT t.eq((t.snapshots('s1', include_stats => true)).body #>> '{stats,payloadBytes}', '0');

--- list, state and compaction read their own session's segments by the primary key, and no row of another's
SELECT t.create('s1'), t.create('s2'), t.create('s3');
SELECT count(*) FROM t.talk('s1', 3000, 10);
SELECT count(*) FROM t.talk('s2', 60, 10);
CREATE FUNCTION pg_temp.reads() RETURNS bigint LANGUAGE sql AS $$
        SELECT sum(seq_scan) * 1000000 + sum(idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname IN ('transcript_segment', 'event') $$;
SELECT pg_temp.reads() AS r0 \gset
SELECT lib.transcript_state('acc', 's2', NULL);
SELECT pg_temp.reads() AS r1 \gset
SELECT t.replay('s2', 1, NULL, NULL);
SELECT pg_temp.reads() AS r2 \gset
SELECT t.snapshots('s2', 2000);
SELECT pg_temp.reads() AS r3 \gset
SELECT t.compact('s2', 20);
SELECT pg_temp.reads() AS r4 \gset
SELECT t.snapshots('s2', 2000, 0, NULL, true), t.snapshots('s1', 10, 2900);
SELECT pg_temp.reads() AS r5 \gset
SELECT t.ok(:r1 - :r0 BETWEEN 1 AND 66, 'state'), t.ok(:r2 - :r1 BETWEEN 1 AND 68, 'replay'), t.ok(:r3 - :r2 BETWEEN 1 AND 120, 'list'),
       t.ok(:r4 - :r3 BETWEEN 1 AND 400, 'compact'), t.ok(:r5 - :r4 BETWEEN 1 AND 140, 'stats');
