--- a resume changes the token, tells it once, and gives back what was missed
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.append('s1', '{a,b,c}');
SELECT r.status, r.body, r.head, t.token(r) AS t1 FROM t.reconnect('s1', :'t0', 2) r \gset
SELECT t.eq(:'status', 'OK'), t.eq(:head, 5), t.ok(:'t1' ~ '^resume_[0-9a-f]{64}$' AND :'t1' <> :'t0');
SELECT t.eq(b ->> 'live', 'true'), t.eq(b -> 'replay' ->> 'fromSequence', '2'), t.eq(b -> 'replay' ->> 'latestSequence', '5'),
       t.eq((SELECT string_agg(e ->> 'sequence', ' ') FROM json_array_elements(b -> 'replay' -> 'events') e), '3 4 5'),
       t.eq(b -> 'replay' ->> 'nextCursor' || (b -> 'replay' ->> 'hasMore'), '5false'),
       t.eq(b -> 'session' ->> 'lastAckSequence', '2'), t.eq(b -> 'session' ->> 'lastAckEventId', 'a'),
       t.eq((SELECT string_agg(k, ',') FROM json_object_keys(b) k), 'ok,session,live,replay'),
       t.eq((SELECT string_agg(k, ',') FROM json_object_keys(b -> 'replay') k),
            'fromSequence,latestSequence,events,nextCursor,hasMore,transcriptState')
FROM (SELECT :'body'::json AS b) x;
SELECT t.eq(t.types('s1'), 'call.started call.error call.error call.error call.reconnecting');
SELECT t.ok(t.payload('s1', 'call.reconnecting') ~ '^{"at":"[-0-9T:.]+Z","attempt":1,"callId":"s1","reason":"resume_requested"}$');
SELECT t.eq((SELECT a.action || a.outcome FROM lifeos.audit a WHERE a.stream_id = 's1' ORDER BY a.sequence DESC LIMIT 1), 'session_reconnectOK');
SELECT t.eq(t.session('s1', 'resumeToken'), NULL);
SELECT t.eq(t.chains(), 'whole');

--- no token is kept anywhere, neither before nor after it has changed
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.token(t.reconnect('s1', :'t0', command => 'k')) AS t1 \gset
SELECT t.eq((SELECT count(*) FROM lifeos.command_receipt r WHERE r.body::text ~ 'resume_[0-9a-f]'), 0),
       t.eq((SELECT count(*) FROM lifeos.call_session c WHERE c::text ~ 'resume_[0-9a-f]'), 0),
       t.eq((SELECT count(*) FROM lifeos.audit a WHERE a::text ~ 'resume_[0-9a-f]'), 0),
       t.eq((SELECT count(*) FROM lifeos.event e WHERE e::text ~ 'resume_[0-9a-f]'), 0);

--- a lost answer: the same token again gets the same next one, however it is asked, and nothing happens twice
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.token(t.reconnect('s1', :'t0', command => 'k')) AS t1 \gset
SELECT t.eq(t.token(t.reconnect('s1', :'t0', command => 'k')), :'t1', 'same command'),
       t.eq(t.token(t.reconnect('s1', :'t0')), :'t1', 'another command'),
       t.eq(t.token(t.reconnect('s1', :'t0', hash => '\x99')), :'t1', 'another request');
SELECT t.eq((t.reconnect('s1', :'t0', command => 'k', hash => '\x99')).status, 'IDEMPOTENCY_CONFLICT');
SELECT t.eq(t.types('s1'), 'call.started call.reconnecting');
SELECT t.eq((SELECT count(*) FROM lifeos.audit a WHERE a.action = 'session_reconnect'), 1);

--- the token before the last is worth nothing; a repeat of its command still tells what was done, but no token
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.token(t.reconnect('s1', :'t0', command => 'k0')) AS t1 \gset
SELECT t.token(t.reconnect('s1', :'t1')) AS t2 \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.reconnect('s1', :'t0')).status, 'INVALID_RESUME_TOKEN');
SELECT t.eq(r.status, 'OK'), t.eq(t.token(r), NULL) FROM t.reconnect('s1', :'t0', command => 'k0') r;
SELECT t.eq(t.fingerprint(), :'before');
SELECT t.eq(t.token(t.reconnect('s1', :'t1')), :'t2');
SELECT t.eq((SELECT string_agg(e.payload ->> 'attempt', ' ' ORDER BY e.sequence) FROM lifeos.event e WHERE e.type = 'call.reconnecting'), '1 2');

--- a wrong token is refused and changes nothing; so is the one of another session
SELECT t.token(t.create('s1')) AS t0, t.token(t.create('s2')) AS other \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.reconnect('s1', x)).status, 'INVALID_RESUME_TOKEN', x) FROM unnest(ARRAY[:'other', 'x', upper(:'t0'), :'t0' || ' ', left(:'t0', -1)]) x;
SELECT t.eq(t.fingerprint(), :'before');

--- a repeated create gives a fresh token, and all older ones are worth nothing
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.token(t.reconnect('s1', :'t0')) AS t1 \gset
SELECT t.token(t.create('s1')) AS fresh \gset
SELECT t.eq((t.reconnect('s1', x)).status, 'INVALID_RESUME_TOKEN') FROM unnest(ARRAY[:'t0', :'t1']) x;
SELECT t.eq((t.reconnect('s1', :'fresh')).status, 'OK');

--- strangers find no session, colleagues may not, and only its own user resumes it
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.reconnect('s1', :'t0', account => 'other')).status, 'SESSION_NOT_FOUND'),
       t.eq((t.reconnect('nope', :'t0')).status, 'SESSION_NOT_FOUND'),
       t.eq((t.reconnect('s1', :'t0', who => 'u2', role => 'member')).status, 'FORBIDDEN'),
       t.eq((t.reconnect('s1', :'t0', who => 'boss', role => 'admin')).status, 'FORBIDDEN'),
       t.eq((t.reconnect('s1', :'t0', role => 'viewer')).status, 'FORBIDDEN');
SELECT t.eq(t.fingerprint(), :'before');
SELECT t.eq((t.reconnect('s1', :'t0', role => 'member')).status, 'OK');

--- an ack beyond the head is refused before the token changes
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.reconnect('s1', :'t0', 2)).status, 'CURSOR_AHEAD');
SELECT t.eq(t.fingerprint(), :'before');
SELECT t.eq((t.reconnect('s1', 'wrong', 2)).status, 'INVALID_RESUME_TOKEN', 'the token first');
SELECT t.eq((t.reconnect('s1', :'t0', 1)).status, 'OK');

--- who comes too late is told so, on record once, and keeps no way in
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.unseen('s1', 120001);
SELECT t.eq((t.reconnect('s1', 'wrong')).status, 'INVALID_RESUME_TOKEN');
SELECT t.eq((t.reconnect('s1', :'t0', 99)).status, 'RECONNECT_WINDOW_EXPIRED'), t.eq((t.reconnect('s1', :'t0')).status, 'RECONNECT_WINDOW_EXPIRED');
SELECT t.eq((SELECT count(*) FROM lifeos.audit a WHERE a.outcome = 'RECONNECT_WINDOW_EXPIRED'), 1), t.eq(t.types('s1'), 'call.started');
SELECT t.eq(t.chains(), 'whole');

--- the window slides with every sign of life of the session's own user, and with nobody else's
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.append('s1', '{a}');
SELECT t.unseen('s1', 60000);
SELECT t.checkpoint('s1', 'c', 1, who => 'boss', role => 'admin'), t.state('s1', 'active', who => 'boss', role => 'admin'),
       t.reconnect('s1', 'wrong'), api.token_grant('acc', 'boss', 'admin', 'g0', 's1', NULL, 300, NULL, NULL, '\x00');
SELECT t.ok(t.window('s1') BETWEEN 1 AND 60000, 'another user');
SELECT t.checkpoint('s1', 'c', 1);
SELECT t.ok(t.window('s1') > 110000, 'checkpoint'), t.unseen('s1', 60000);
SELECT api.token_grant('acc', 'u1', 'owner', 'g1', 's1', NULL, 300, NULL, NULL, '\x00');
SELECT t.ok(t.window('s1') > 110000, 'token'), t.unseen('s1', 60000);
SELECT t.reconnect('s1', :'t0');
SELECT t.ok(t.window('s1') > 110000, 'reconnect'), t.unseen('s1', 60000);
SELECT t.reconnect('s1', :'t0');
SELECT t.ok(t.window('s1') > 110000, 'the same reconnect again');
SELECT t.create('s2'), t.unseen('s2', 60000), t.state('s2', 'active');
SELECT t.ok(t.window('s2') > 110000, 'state');
SELECT t.create('s3', command => 'c1'), t.unseen('s3', 60000), t.create('s3', command => 'c2');
SELECT t.ok(t.window('s3') > 110000, 'create');

--- a call that is over is read with its token, not resumed, however late; the token is still asked for
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.token(t.reconnect('s1', :'t0')) AS t1, t.state('s1', 'ended') \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq(r.status, 'OK'), t.eq(r.body ->> 'live', 'false'), t.eq(r.body -> 'session' ->> 'status', 'ended'), t.eq(t.token(r), NULL),
       t.eq(json_array_length(r.body -> 'replay' -> 'events'), 4), t.eq(r.head, NULL::bigint)
FROM unnest(ARRAY[:'t0', :'t1']) x, t.reconnect('s1', x, 1) r;
SELECT t.eq((t.reconnect('s1', 'wrong')).status, 'INVALID_RESUME_TOKEN');
SELECT t.eq((t.reconnect('s1', :'t1', 9)).status, 'CURSOR_AHEAD');
SELECT t.eq(t.fingerprint(), :'before');
SELECT t.token(t.create('s2')) AS t0, t.state('s2', 'failed') \gset
SELECT t.eq(r.status || (r.body ->> 'live') || (r.body -> 'session' ->> 'status'), 'OKfalsefailed') FROM t.reconnect('s2', :'t0') r;

--- without an ack of its own a resume starts where the session's ack is, else at the beginning; zero is an ack
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.append('s1', '{a,b}');
SELECT r.body -> 'replay' ->> 'fromSequence' AS start, t.token(r) AS t1 FROM t.reconnect('s1', :'t0') r \gset
SELECT t.eq(:'start', '0'), t.eq(t.session('s1', 'lastAckSequence'), NULL);
SELECT t.checkpoint('s1', 'c', 2);
SELECT r.body -> 'replay' ->> 'fromSequence' AS start, t.token(r) AS t2 FROM t.reconnect('s1', :'t1') r \gset
SELECT t.eq(:'start', '2');
SELECT t.eq(r.body -> 'replay' ->> 'fromSequence', '0'), t.eq(json_array_length(r.body -> 'replay' -> 'events'), 6), t.eq(t.session('s1', 'lastAckSequence'), '2', 'it never falls')
FROM t.reconnect('s1', :'t2', 0) r;

--- the pages of a resume are as long as was asked for, and the transcript is the whole call's
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.transcript('s1', 'x' || i, 'final', 'utt' || i, 'word' || i) FROM generate_series(1, 5) i;
SELECT t.eq(json_array_length(r.body -> 'replay' -> 'events'), 2), t.eq(r.body -> 'replay' ->> 'nextCursor' || (r.body -> 'replay' ->> 'hasMore'), '5true'),
       t.eq(json_array_length(r.body -> 'replay' -> 'transcriptState'), 5)
FROM t.reconnect('s1', :'t0', 3, n => 2) r;

--- a page never outgrows a frame, and always has an event; the pages together have all of them
SELECT t.token(t.create('s1')) AS t0 \gset
SELECT t.append('s1', ARRAY(SELECT 'e' || i FROM generate_series(1, 130) i), ARRAY(SELECT '{"endMs":2,"speaker":"user","startMs":1,"text":"'
                || repeat('x', 65400) || '","utteranceId":"u' || i || '"}' FROM generate_series(1, 130) i), type => 'transcript.final');
WITH RECURSIVE pages AS (
        SELECT r.body, 1 AS page FROM api.event_replay('acc', 'u1', 'owner', 's1', 0, NULL, NULL, NULL, 500, NULL, NULL, NULL) r
        UNION ALL
        SELECT r.body, page + 1 FROM pages p, api.event_replay('acc', 'u1', 'owner', 's1', (p.body ->> 'nextCursor')::bigint, NULL, NULL, NULL, 500, NULL, NULL, NULL) r
        WHERE p.body ->> 'hasMore' = 'true' AND page < 100)
SELECT t.eq(sum(json_array_length(body -> 'events')), 131), t.ok(max(octet_length(body::text)) < 4186112, max(octet_length(body::text))::text), t.ok(count(*) > 2, 'pages'),
       t.ok(max(json_array_length(body -> 'transcriptState')) BETWEEN 8 AND 20, 'transcript from the start'),
       t.eq(min(json_array_length(body -> 'transcriptState')), 1, 'transcript further on: the newest, whatever its size')
FROM pages;
SELECT t.ok(octet_length(r.body::text) < 4186112), t.eq(r.body -> 'replay' ->> 'hasMore', 'true'), t.ok(json_array_length(r.body -> 'replay' -> 'events') > 20)
FROM t.reconnect('s1', :'t0', n => 500) r;

--- checkpoints only move forward, and say what became of them
SELECT t.create('s1'), t.append('s1', '{a,b,c}');
SELECT t.eq(r.body -> 'ackUpdate' ->> 'reason', reason, sequence::text), t.eq(r.body -> 'checkpoint' ->> 'watermarkSequence', stored),
       t.eq(r.body -> 'ackUpdate' ->> 'applied', (reason <> 'stale_sequence_ignored')::text), t.eq(r.body ->> 'latestSequence', '4'),
       t.eq(r.body -> 'sessionAck' ->> 'sequence', stored)
FROM (VALUES (0, 'advanced_sequence', '0'), (0, 'equal_sequence_idempotent', '0'), (3, 'advanced_sequence', '3'), (2, 'stale_sequence_ignored', '3'),
             (0, 'stale_sequence_ignored', '3'), (3, 'equal_sequence_idempotent', '3'), (4, 'advanced_sequence', '4')) v(sequence, reason, stored),
     t.checkpoint('s1', 'c', sequence) r;
SELECT t.eq((SELECT string_agg(k, ',') FROM json_object_keys(r.body) k), 'ok,checkpoint,ackUpdate,sessionAck,latestSequence'),
       t.eq((SELECT string_agg(k, ',') FROM json_object_keys(r.body -> 'checkpoint') k),
            'sessionId,consumerId,watermarkTs,watermarkTimestamp,watermarkEventId,watermarkSequence,updatedAtMs')
FROM t.checkpoint('s1', 'c', 4) r;

--- each consumer has its own checkpoint; the session's ack follows its own user only
SELECT t.create('s1'), t.append('s1', '{a,b,c}');
SELECT t.key('key1', '*', 'ingest');
SELECT t.checkpoint('s1', 'phone', 2), t.checkpoint('s1', 'desk', 3, who => 'boss', role => 'admin'), t.checkpoint('s1', 'worker', 4, who => 'key1', account => '*', role => 'ingest');
SELECT t.eq((SELECT string_agg(c.consumer_id || c.sequence, ' ' ORDER BY c.consumer_id) FROM lifeos.checkpoint c WHERE c.account_id = 'acc'), 'desk3 phone2 worker4');
SELECT t.eq(t.session('s1', 'lastAckSequence') || t.session('s1', 'lastAckEventId'), '2a');
SELECT t.checkpoint('s1', 'tablet', 1);
SELECT t.eq(t.session('s1', 'lastAckSequence'), '2');

--- nobody moves another's checkpoint or uses up his names; services share theirs
SELECT t.create('s1'), t.append('s1', '{a,b,c}'), t.key('key1', '*', 'ingest'), t.key('key2', '*', 'ingest');
SELECT t.checkpoint('s1', 'u1', 2), t.checkpoint('s1', 'u1', 4, who => 'eve', role => 'viewer');
SELECT t.eq((t.checkpoint('s1', 'x' || i, 1, who => 'eve', role => 'viewer')).status, CASE WHEN i < 100 THEN 'OK' ELSE 'TOO_MANY_CONSUMERS' END) FROM generate_series(1, 100) i;
SELECT t.eq(r.body #>> '{checkpoint,watermarkSequence}', '3') FROM t.checkpoint('s1', 'u1', 3) r;
SELECT t.eq((t.checkpoint('s1', 'phone', 1)).status, 'OK');
SELECT t.checkpoint('s1', 'worker', 3, who => 'key1', account => '*', role => 'ingest');
SELECT t.eq(r.body #>> '{ackUpdate,reason}', 'stale_sequence_ignored') FROM t.checkpoint('s1', 'worker', 2, who => 'key2', account => '*', role => 'ingest') r;

--- a checkpoint by event id is one by its sequence; what it cannot be is named
SELECT t.create('s1'), t.create('s2'), t.append('s1', '{a,b}'), t.append('s2', '{z}');
SELECT t.eq(r.body -> 'checkpoint' ->> 'watermarkSequence', '3') FROM t.checkpoint('s1', 'c', event_id => 'b') r;
SELECT t.eq(r.body -> 'ackUpdate' ->> 'reason', 'stale_sequence_ignored') FROM t.checkpoint('s1', 'c', event_id => 'a') r;
SELECT t.fingerprint() AS before \gset
SELECT t.eq(r.status || ' ' || r.message, 'INVALID_REQUEST watermarkEventId: this session has no such event') FROM unnest('{nope,z}'::text[]) x, t.checkpoint('s1', 'c', event_id => x) r;
SELECT t.eq(r.status || ' ' || r.message, 'INVALID_REQUEST watermarkSequence is missing; so is watermarkEventId') FROM t.checkpoint('s1', 'c') r;
SELECT t.eq(r.status || ' ' || r.message, 'INVALID_REQUEST watermarkTs is not an RFC 3339 date and time') FROM t.checkpoint('s1', 'c', 3, ts => 'now') r;
SELECT t.eq((t.checkpoint('s1', 'c', 4)).status, 'CURSOR_AHEAD');
SELECT t.eq(t.fingerprint(), :'before');

--- the time and id of a checkpoint are those of the event unless they are given
SELECT t.create('s1'), t.append('s1', '{a,b}');
SELECT t.eq(r.body -> 'checkpoint' ->> 'watermarkTs', '2025-11-21T07:45:11.000Z'), t.eq(r.body -> 'checkpoint' ->> 'watermarkEventId', 'a') FROM t.checkpoint('s1', 'c', 2) r;
SELECT t.eq(r.body -> 'sessionAck' ->> 'timestamp', '2020-01-01T00:00:00.000Z'), t.eq(r.body -> 'sessionAck' ->> 'eventId', 'mine')
FROM t.checkpoint('s1', 'c', 3, ts => '2020-01-01T00:00:00Z', event_id => 'mine') r;

--- a session has at most 100 consumers; those it has go on
SELECT t.create('s1'), t.append('s1', '{a}');
SELECT t.eq((t.checkpoint('s1', 'c' || i, 1)).status, 'OK') FROM generate_series(1, 100) i;
SELECT t.eq((t.checkpoint('s1', 'c101', 1)).status, 'TOO_MANY_CONSUMERS'), t.eq((t.checkpoint('s1', 'c7', 2)).status, 'OK');
SELECT t.create('s2');
SELECT t.eq((t.checkpoint('s2', 'c101', 1)).status, 'OK', 'of another session');

--- strangers cannot checkpoint; whoever may read may, and a call that is over can be read to its end
SELECT t.create('s1');
SELECT t.eq((t.checkpoint('s1', 'c', 1, account => 'other')).status, 'SESSION_NOT_FOUND'), t.eq((t.checkpoint('s1', 'c', 1, who => 'u2', role => 'member')).status, 'FORBIDDEN'),
       t.eq((t.checkpoint('s1', 'c', 1, who => 'u2', role => 'viewer')).status, 'OK');
SELECT t.state('s1', 'ended');
SELECT t.eq((t.checkpoint('s1', 'c', 2)).status, 'OK'), t.eq(t.session('s1', 'resumeValidUntilMs'), NULL);

--- a consumer goes on from its checkpoint, unless it says from where; an unknown one starts at the beginning
SELECT t.create('s1'), t.append('s1', '{a,b,c}'), t.checkpoint('s1', 'c', 3);
CREATE FUNCTION pg_temp.first(after bigint, ts text, consumer text) RETURNS text LANGUAGE sql AS $$
        SELECT (r.body -> 'events' -> 0 ->> 'sequence') || ' ' || coalesce(r.body -> 'watermark' ->> 'sequence', '-')
        FROM api.event_replay('acc', 'u1', 'owner', 's1', after, NULL, ts, NULL, NULL, NULL, NULL, consumer) r
$$;
SELECT t.eq(pg_temp.first(NULL, NULL, 'c'), '4 3'), t.eq(pg_temp.first(1, NULL, 'c'), '2 1'), t.eq(pg_temp.first(NULL, '2000-01-01T00:00:00Z', 'c'), '1 -'),
       t.eq(pg_temp.first(NULL, NULL, 'd'), '1 -'), t.eq(pg_temp.first(NULL, NULL, NULL), '1 -', 'acks are not cursors');
SELECT t.eq(o.body ->> 'checkpoint', '3'), t.eq(o.body ->> 'status', 'created') FROM api.stream_open('acc', 'u1', 'owner', 's1', 'c') o;
SELECT t.eq(o.body ->> 'checkpoint', NULL) FROM unnest('{d,NULL}'::text[]) x, api.stream_open('acc', 'u1', 'owner', 's1', x) o;

--- presence: who is there keeps a window of its own, written a few times a window; who leaves has one window from then on
SELECT t.create('s1'), t.create('s2'), t.unseen('s1', 40000), t.unseen('s2', 20000);
SELECT t.eq((api.presence('{"here":[["acc","s1","u1"],["acc","s2","u1"]]}')).body::text, '{"ok":true}');
SELECT t.ok(t.window('s1') BETWEEN 155000 AND 160000, 'stretched'), t.ok(t.window('s2') < 100000, 'seen a moment ago');
SELECT c::text AS before FROM lifeos.call_session c WHERE c.session_id = 's1' \gset
SELECT api.presence('{"here":[["acc","s1","u1"]]}');
SELECT t.eq(c::text, :'before', 'not again so soon') FROM lifeos.call_session c WHERE c.session_id = 's1';
SELECT api.presence('{"left":[["acc","s1","u1"]],"here":[]}');
SELECT t.ok(t.window('s1') BETWEEN 115000 AND 120000, 'left');
SELECT t.eq(t.types('s1'), 'call.started'), t.eq((SELECT count(*) FROM lifeos.audit a WHERE a.stream_id = 's1'), 1);

--- presence of others, of calls that are over, and nonsense change nothing and refuse nobody
SELECT t.create('s1'), t.create('s2'), t.state('s2', 'ended'), t.create('s3');
SELECT t.unseen(s, 60000) FROM unnest('{s1,s2,s3}'::text[]) s;
SELECT t.fingerprint() AS before \gset
SELECT t.eq((api.presence(x::json)).status, 'OK', x) FROM unnest(ARRAY['{"here":[["acc","s1","boss"],["other","s1","u1"],["acc","s2","u1"],["acc"],[],7,null,{"a":1},"x",[[1],{},2]]}',
        '{"left":[["acc","s1","boss"],["acc","s2","u1"]]}', '{}', '{"here":null,"left":{"a":1}}', '{"here":"x"}']) x;
SELECT t.eq(t.fingerprint(), :'before');
SELECT api.presence('{"here":[7,["acc","s3","u1"],["acc","s3","u1"]]}');
SELECT t.ok(t.window('s3') > 150000, 'nonsense beside it costs it nothing');

--- a suspended account hears nothing more, resumes nothing and stores no checkpoint, until it is active again
SELECT t.token(t.create('s1')) AS t0 \gset
CREATE FUNCTION pg_temp.all_of(account text, who text, role text, token text) RETURNS text LANGUAGE sql AS $$
        SELECT concat_ws(' ', (api.stream_open(account, who, role, 's1', NULL)).status,
                         (SELECT max(e.status) FROM api.event_read(account, who, role, 's1', 0, 9) e),
                         (api.event_replay(account, who, role, 's1', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL)).status,
                         (t.checkpoint('s1', 'c', 1, who => who, account => account, role => role)).status,
                         (t.reconnect('s1', token, who => who, account => account, role => role)).status)
$$;
SELECT t.eq(pg_temp.all_of('acc', 'u1', 'owner', 'wrong'), 'OK OK OK OK INVALID_RESUME_TOKEN');
SELECT api.account_set('x1', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x00');
SELECT t.eq(pg_temp.all_of('acc', 'u1', 'owner', :'t0'), repeat('ACCOUNT_SUSPENDED ', 4) || 'ACCOUNT_SUSPENDED');
SELECT t.eq(t.types('s1'), NULL);
SELECT api.account_set('x2', 'acc', 'active', NULL, NULL, NULL, NULL, NULL, '\x00');
SELECT t.eq(pg_temp.all_of('acc', 'u1', 'owner', :'t0'), 'OK OK OK OK OK');

--- a key listens while it exists, is not revoked and not outlived
SELECT t.create('s1'), t.key('good', '*', 'ingest'), t.key('own', 'acc', 'operator'), t.key('gone', '*', 'operator'), t.key('old', 'acc', 'ingest');
SELECT api.key_revoke('r', 'gone', '\x00');
UPDATE lifeos.api_key SET expires_at = lib.now() - 1 WHERE key_id = 'old';
SELECT t.eq((api.stream_open(a, k, r, 's1', NULL)).status || ' ' || (SELECT max(e.status) FROM api.event_read(a, k, r, 's1', 0, 9) e) || ' '
            || (api.event_replay(a, k, r, 's1', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL)).status, x || ' ' || x || ' ' || x, k)
FROM (VALUES ('*', 'good', 'ingest', 'OK'), ('acc', 'own', 'operator', 'OK'), ('*', 'gone', 'operator', 'AUTH_INVALID'), ('acc', 'old', 'ingest', 'AUTH_EXPIRED'),
             ('*', 'unknown', 'ingest', 'AUTH_INVALID'), ('acc', 'good', 'ingest', 'AUTH_INVALID'), ('acc', 'own', 'ingest', 'AUTH_INVALID')) v(a, k, r, x);

--- whose access changed is told with the answer, also when the command is repeated
SELECT t.key('k1', 'acc', 'ingest');
SELECT t.eq((api.key_revoke('r', 'k1', '\x00')).account_id, 'acc') FROM generate_series(1, 2);
SELECT t.eq((api.account_set('s', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x00')).account_id, 'acc') FROM generate_series(1, 2);
