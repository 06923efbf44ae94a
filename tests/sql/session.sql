--- a session is created once: its first event, its resume token, its room
SELECT t.eq(c.status, 'OK'), t.eq(c.head, 1), t.eq(c.body ->> 'ok', 'true'),
       t.eq(c.body -> 'session' ->> 'status', 'created'),
       t.eq(c.body -> 'session' ->> 'providerRoomId', 'lk_room_s1'),
       t.ok(c.body -> 'session' ->> 'providerParticipantId' ~ '^lk_part_[0-9a-f]{16}$'),
       t.ok(c.body -> 'session' ->> 'resumeToken' ~ '^resume_[0-9a-f]{64}$'),
       t.eq((c.body -> 'session' ->> 'resumeValidUntilMs')::bigint - (c.body -> 'session' ->> 'createdAtMs')::bigint, 120000)
FROM t.create('s1') c;
SELECT t.eq(t.types('s1'), 'call.started');
SELECT t.eq(t.payload('s1', 'call.started'), '{"callId":"s1","channel":"voice","direction":"outbound","provider":"livekit"}');

--- the session's fields come in the contract's order
SELECT t.create('s1');
SELECT t.eq((SELECT string_agg(k, ',') FROM json_object_keys((api.session_get('acc', 'u1', 'owner', 's1')).body -> 'session') k),
        'sessionId,userId,status,correlationId,resumeToken,reconnectWindowMs,resumeValidUntilMs,lastAckSequence,'
        'lastAckTimestamp,lastAckEventId,provider,providerRoomId,providerParticipantId,providerCallId,metadata,lastError,'
        'createdAtMs,updatedAtMs,startedAtMs,endedAtMs,failedAtMs,endReason,transportState,retryCount');

--- the resume token is shown to its creator only, and kept by its hash only
SELECT t.create('s1', command => 'c');
SELECT t.eq(t.session('s1', 'resumeToken'), NULL);
SELECT t.eq((t.create('s1', command => 'c')).body -> 'session' ->> 'resumeToken', lib.resume_token('c', c.resume_salt)),
       t.ok(c.resume_hash = sha256(convert_to(lib.resume_token('c', c.resume_salt), 'UTF8')))
FROM lifeos.call_session c WHERE c.session_id = 's1';
SELECT t.eq((SELECT count(*) FROM lifeos.command_receipt r WHERE r.body::text ~ 'resume_[0-9a-f]'), 0);

--- a repeated command gets the first answer, word for word
SELECT t.eq(a.body::text, b.body::text), t.eq(b.status, 'OK')
FROM t.create('s1', command => 'c') a, t.create('s1', command => 'c') b;
SELECT t.eq(t.types('s1'), 'call.started');

--- a command id used for something else is a conflict, and writes nothing
SELECT t.create('s1', command => 'c');
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.create('s1', command => 'c', hash => '\x99')).status, 'IDEMPOTENCY_CONFLICT');
SELECT t.eq((t.state('s1', 'active', command => 'c', hash => '\x01')).status, 'IDEMPOTENCY_CONFLICT');
SELECT t.eq(t.fingerprint(), :'before');

--- command ids belong to their actor: another user's same id is another command
SELECT t.create('s1', command => 'c');
SELECT t.eq((t.create('s2', who => 'u2', command => 'c', hash => '\x77')).status, 'OK');

--- the same user asking for the same session with the same contents gets it, with a token that works; anything else exists
SELECT t.create('s1', metadata => '{"a":1}', command => 'c1');
SELECT t.eq(c.status, 'OK'), t.ok(c.body -> 'session' ->> 'resumeToken' IS NOT NULL), t.eq(c.head, NULL::bigint)
FROM t.create('s1', metadata => '{"a":1}', command => 'c2') c;
SELECT t.eq((SELECT sha256(convert_to((t.create('s1', metadata => '{"a":1}', command => 'c2')).body -> 'session' ->> 'resumeToken', 'UTF8'))::text),
            (SELECT c.resume_hash::text FROM lifeos.call_session c));
SELECT t.eq((t.create('s1', metadata => '{"a":1}', command => 'c1')).body -> 'session' ->> 'resumeToken', NULL, 'a superseded token');
SELECT t.eq((t.create('s1', metadata => '{"a":2}')).status, 'SESSION_EXISTS');
SELECT t.eq((t.create('s1', who => 'u2', metadata => '{"a":1}')).status, 'SESSION_EXISTS');
SELECT t.eq(t.types('s1'), 'call.started');

--- two accounts may use the same session id, and never share a room
SELECT t.create('s1');
SELECT t.eq((t.create('s1', account => 'other')).status, 'OK');
SELECT t.eq(t.session('s1', 'providerRoomId'), 'lk_room_s1');
SELECT t.ok(t.session('s1', 'providerRoomId', 'other') ~ '^lk_room_s1_[0-9a-f]{32}$');

--- a client cannot choose another session's room
SELECT t.create('victim');
SELECT t.eq((t.create('s1', account => 'other', room => 'lk_room_victim')).status, 'LIVEKIT_FIELD_REFUSED');
SELECT t.eq((t.create('s1', account => 'other', room => 'lk_room_future')).status, 'LIVEKIT_FIELD_REFUSED');
SELECT t.create('s2', room => 'mine');
SELECT t.eq((t.create('s3', room => 'mine')).status, 'LIVEKIT_FIELD_REFUSED');
SELECT t.state('s2', 'ended');
SELECT t.eq((t.create('s4', account => 'other', room => 'mine')).status, 'LIVEKIT_FIELD_REFUSED', 'another account');
SELECT t.eq((t.create('s5', room => 'mine')).status, 'OK', 'the same account, when the call is over');

--- a suspended account opens no calls and gets no tokens; its calls can still be ended
SELECT t.create('s1');
SELECT api.account_set('x', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x00');
SELECT t.eq((t.create('s2')).status, 'ACCOUNT_SUSPENDED');
SELECT t.eq((api.session_get('acc', 'u1', 'owner', 's1')).status, 'ACCOUNT_SUSPENDED'), t.eq((api.session_list('acc', 'u1', 'owner', 1, NULL, NULL)).status, 'ACCOUNT_SUSPENDED');
SELECT t.eq((api.token_grant('acc', 'u1', 'owner', 'g', 's1', NULL, 300, NULL, NULL, '\x00')).status, 'ACCOUNT_SUSPENDED');
SELECT t.eq((t.state('s1', 'ended')).status, 'OK');

--- every transition of the life, and no other
SELECT t.create('created'), t.create('active'), t.create('ended'), t.create('failed');
SELECT t.state('active', 'active'), t.state('ended', 'ended'), t.state('failed', 'failed');
SELECT t.eq(t.session(f, 'status'), f) FROM unnest('{created,active,ended,failed}'::text[]) f;
SELECT t.eq((t.state(f, x)).status, CASE WHEN f || '>' || x IN ('created>active', 'created>ended', 'created>failed',
                'active>ended', 'active>failed') OR f = x THEN 'OK' ELSE 'INVALID_TRANSITION' END, f || '>' || x)
FROM (SELECT f, x FROM unnest('{created,active,ended,failed}'::text[]) f, unnest('{created,active,ended,failed}'::text[]) x
      WHERE f <> 'created' AND f <> 'active' OR x IN ('created') OFFSET 0) m;
SELECT t.eq((t.state('created', 'ended')).status, 'OK', 'created>ended');
SELECT t.eq((t.state('active', 'failed')).status, 'OK', 'active>failed');
SELECT t.eq((t.state('ended', 'active')).message, 'Invalid transition from ended to active');

--- the same status again is a replay that writes nothing
SELECT t.create('s1'), t.state('s1', 'active', call_id => 'call-1');
SELECT t.fingerprint() AS before \gset
SELECT t.eq(r.body ->> 'idempotentReplay', 'true'), t.eq(r.body ->> 'providerAuth', NULL) FROM t.state('s1', 'active') r;
SELECT t.eq(t.fingerprint(), :'before');

--- provider ids cannot change once the call is active
SELECT t.create('s1'), t.state('s1', 'active', call_id => 'call-1');
SELECT t.eq((t.state('s1', 'active', call_id => 'call-2')).status, 'PROVIDER_CORRELATION_MISMATCH');
SELECT t.eq((t.state('s1', 'active', call_id => 'call-1')).status, 'OK');
SELECT t.eq((t.state('s1', 'ended', call_id => 'call-2')).status, 'OK');
SELECT t.eq(t.session('s1', 'providerCallId'), 'call-1');

--- a provider without our names must bring all three
SELECT t.create('s1', provider => 'twilio');
SELECT t.eq(r.status || ' ' || r.message, 'INVALID_REQUEST active transition requires providerRoomId, providerParticipantId, and providerCallId')
FROM t.state('s1', 'active') r;
SELECT t.eq(t.session('s1', 'providerRoomId'), NULL);

--- active tells call.connected, ended tells call.ended with the seconds, failed tells the error and the end
SELECT t.create('s1'), t.state('s1', 'active', call_id => 'c9');
UPDATE lifeos.call_session SET started_at = started_at - 61500000 WHERE session_id = 's1';
SELECT t.state('s1', 'ended');
SELECT t.eq(t.types('s1'), 'call.started call.connected call.ended');
SELECT t.ok(t.payload('s1', 'call.connected') ~ '^{"callId":"s1","connectedAt":"[-0-9T:.]+Z","providerSessionId":"c9"}$');
SELECT t.ok(t.payload('s1', 'call.ended') ~ '^{"callId":"s1","durationSeconds":61,"endReason":"completed","endedAt":"[-0-9T:.]+Z"}$');
SELECT t.eq(t.session('s1', 'endReason') || t.session('s1', 'transportState'), 'completedterminated');
SELECT t.create('s2'), t.state('s2', 'failed', error => 'no "route"');
SELECT t.eq(t.types('s2'), 'call.started call.error call.terminal_failure');
SELECT t.eq(t.payload('s2', 'call.error'), '{"callId":"s2","code":"CALL_SESSION_FAILED","message":"no \"route\"","retryable":false}');
SELECT t.eq(t.session('s2', 'lastError'), 'no "route"');
SELECT t.create('s3'), t.state('s3', 'failed');
SELECT t.eq(t.session('s3', 'lastError'), 'call session failed');
SELECT t.eq(t.chains(), 'whole');

--- metadata is merged key by key; only scalars, at most 50
SELECT t.create('s1', metadata => '{"b":1,"a":{"x":1},"c":[1],"d":null,"e":"x"}');
SELECT t.eq(t.session('s1', 'metadata'), '{"b":1,"e":"x"}');
SELECT t.state('s1', 'active', metadata => '{"e":2,"f":true}');
SELECT t.eq(t.session('s1', 'metadata'), '{"b":1,"e":2,"f":true}');
SELECT t.create('s2', metadata => (SELECT ('{' || string_agg('"k' || i || '":' || i, ',' ORDER BY i) || '}')::json FROM generate_series(1, 60) i));
SELECT t.eq((SELECT count(*) FROM json_object_keys(t.session('s2', 'metadata')::json)), 50);

--- strangers find nothing; small roles are told no
SELECT t.create('s1');
SELECT t.eq((api.session_get('other', 'u1', 'owner', 's1')).status, 'SESSION_NOT_FOUND');
SELECT t.eq((api.session_get('acc', 'u1', 'owner', 'nope')).status, 'SESSION_NOT_FOUND');
SELECT t.eq((t.state('s1', 'active', account => 'other')).status, 'SESSION_NOT_FOUND');
SELECT t.eq((api.session_get('acc', 'u2', 'member', 's1')).status, 'FORBIDDEN');
SELECT t.eq((t.state('s1', 'active', who => 'u2', role => 'member')).status, 'FORBIDDEN');
SELECT t.eq((api.session_get('acc', 'u2', 'viewer', 's1')).status, 'OK');
SELECT t.eq((t.state('s1', 'active', who => 'u2', role => 'viewer')).status, 'FORBIDDEN');
SELECT t.eq((t.create('s2', role => 'viewer')).status, 'FORBIDDEN');
SELECT t.eq((t.create('s2', role => 'ingest')).status, 'FORBIDDEN');
SELECT t.eq((t.state('s1', 'ended', who => 'k', role => 'operator')).status, 'FORBIDDEN');
SELECT t.eq((t.state('s1', 'active', who => 'boss', role => 'admin')).status, 'OK');
SELECT t.eq((api.session_get('acc', 'x', 'nonsense', 's1')).status, 'FORBIDDEN');

--- a service key of the whole appliance finds a session, unless two accounts have it
SELECT t.key('k', '*', 'operator'), t.create('s1');
SELECT t.eq((api.session_get('*', 'k', 'operator', 's1')).status, 'OK');
SELECT t.eq((api.session_get('*', 'k', 'owner', 's1')).status, 'SESSION_NOT_FOUND');
SELECT t.create('s1', account => 'other');
SELECT t.eq((api.session_get('*', 'k', 'operator', 's1')).status, 'SESSION_AMBIGUOUS');

--- lists are newest first and page to the end without loss or repeat
SELECT t.create('s' || i) FROM generate_series(1, 7) i;
UPDATE lifeos.call_session SET created_at = 1763711111000000 WHERE session_id IN ('s2', 's3', 's4');
WITH RECURSIVE page(ids, cursor, n) AS (
        SELECT (SELECT string_agg(x ->> 'sessionId', ' ') FROM json_array_elements(l.body -> 'sessions') x),
               l.body -> 'page' ->> 'nextCursor', 1 FROM api.session_list('acc', 'u1', 'owner', 2, NULL, NULL) l
        UNION ALL
        SELECT p.ids || ' ' || (SELECT string_agg(x ->> 'sessionId', ' ') FROM json_array_elements(l.body -> 'sessions') x),
               l.body -> 'page' ->> 'nextCursor', p.n + 1
        FROM page p CROSS JOIN LATERAL api.session_list('acc', 'u1', 'owner', 2, NULL, p.cursor) l WHERE p.cursor IS NOT NULL)
SELECT t.eq((SELECT ids FROM page ORDER BY n DESC LIMIT 1), 's7 s6 s5 s1 s4 s3 s2'), t.eq((SELECT max(n) FROM page), 4);
SELECT t.eq((api.session_list('acc', 'u1', 'owner', 7, NULL, NULL)).body -> 'page' ->> 'hasMore', 'false');
SELECT t.eq((api.session_list('acc', 'u1', 'owner', 7, NULL, 'rubbish')).status, 'INVALID_REQUEST');
SELECT t.eq((api.session_list('acc', 'u1', 'owner', NULL, 'active', NULL)).body -> 'page' ->> 'returned', '0');

--- members list their own sessions, admins their account's, nobody another's
SELECT t.create('s1'), t.create('s2', who => 'u2'), t.create('s3', account => 'other');
SELECT t.eq((api.session_list('acc', 'u2', 'member', NULL, NULL, NULL)).body -> 'page' ->> 'returned', '1');
SELECT t.eq((api.session_list('acc', 'u2', 'admin', NULL, NULL, NULL)).body -> 'page' ->> 'returned', '2');
SELECT t.eq((api.session_list('acc', 'k', 'ingest', NULL, NULL, NULL)).status, 'FORBIDDEN');
SELECT t.eq((api.session_list('*', 'u2', 'admin', NULL, NULL, NULL)).body -> 'page' ->> 'returned', '0');

--- our own events' ids cannot be stored first by a client
SELECT t.create('s1');
SELECT t.ok(NOT EXISTS (SELECT FROM lifeos.event e, lifeos.call_session c
        WHERE e.event_id = 'evt_' || left(encode(lib.hash('', 's1', 'call.started', ''), 'hex'), 32)));
SELECT t.ok(c.id_salt <> d.id_salt) FROM lifeos.call_session c, t.create('s2'), lifeos.call_session d
WHERE c.session_id = 's1' AND d.session_id = 's2';

--- every state change leaves an audit entry in its own transaction
SELECT t.create('s1'), t.state('s1', 'active'), t.state('s1', 'ended');
SELECT t.eq((SELECT string_agg(a.action || ':' || a.actor_id || ':' || a.outcome, ' ' ORDER BY a.sequence) FROM lifeos.audit a),
            'session_create:u1:OK session_state:u1:OK session_state:u1:OK');
SELECT t.eq(t.chains(), 'whole');
