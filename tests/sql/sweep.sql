--- a call nobody answers ends after its hour, at its deadline, with the duration of nothing
SELECT t.create('s1');
SELECT t.eq(t.sweep('s1'), 'kept');
SELECT t.eq(t.due('s1'), 3600);
SELECT t.age('s1', 3590);
UPDATE lifeos.call_session SET updated_at = lib.now(), seen_at = lib.now();
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 10), t.age('s1', 100);
SELECT t.eq(t.sweep('s1'), 'ended');
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'endReason') || t.session('s1', 'transportState'), 'endedtimeoutterminated');
SELECT t.eq(t.session('s1', 'endedAtMs')::bigint - t.session('s1', 'createdAtMs')::bigint, 3600000);
SELECT t.eq(t.payload('s1', 'call.ended')::json ->> 'durationSeconds', '0');
SELECT t.eq(t.types('s1'), 'call.started call.ended');
SELECT t.eq(t.due('s1'), NULL);
SELECT t.eq((SELECT string_agg(u.actor_id || u.actor_role || u.action || u.outcome || u.detail, ' ') FROM lifeos.audit u WHERE u.sequence = 2),
            'sweepsystemsession_sweepOK{"what":"timeout","from":"created","to":"ended","transportFrom":"healthy","transportTo":"terminated","retryCount":0}');
SELECT t.eq((SELECT e.origin || e.actor_id FROM lifeos.event e WHERE e.sequence = 2), 'sessionsweep');
SELECT t.eq(t.chains(), 'whole');

--- a call ends at its longest, however alive it is and however late the sweep comes
SELECT t.create('s1'), t.live('s1', 'participant_joined', 'PA_1');
SELECT t.eq(t.sweep('s1'), 'kept');
SELECT t.age('s1', 14390);
SELECT t.append('s1', '{e1}');
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 10);
SELECT t.age('s1', 7200);
SELECT t.append('s1', '{e2}');
SELECT t.eq(t.sweep('s1'), 'ended');
SELECT t.eq(t.session('s1', 'endReason') || (t.payload('s1', 'call.ended')::json ->> 'durationSeconds'), 'timeout14400');

--- nobody answered before the call was made: a clock of the provider that is behind ends nothing early
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'lk_room_s1', part => 'PA_1', joined => 1);
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 900);

--- also while its line is lost
SELECT t.lost('s1'), t.age('s1', 14395);
UPDATE lifeos.call_session SET disconnected_at = lib.now();
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 2);
SELECT t.age('s1', 4);
UPDATE lifeos.call_session SET disconnected_at = lib.now() - 1000;
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 1), t.age('s1', 1);
SELECT t.eq(t.sweep('s1'), 'ended');
SELECT t.eq(t.session('s1', 'endReason'), 'timeout');

--- silence ends a call; each sign of life alone puts that off: the client, the provider, an event, a change of the session
SELECT t.create('s' || i), t.live('s' || i, 'participant_joined', 'PA_1'), t.age('s' || i, 890), t.age_events('s' || i, 890) FROM generate_series(0, 4) i;
SELECT t.eq(t.sweep('s0'), 'kept'), t.eq(t.due('s0'), 10);
SELECT t.age('s' || i, 20), t.age_events('s' || i, 20) FROM generate_series(0, 4) i;
UPDATE lifeos.call_session SET seen_at = lib.now() WHERE session_id = 's1';
SELECT t.eq(t.live('s2', 'track_published', 'PA_1'), 'ignored');
SELECT t.append('s3', '{e3}');
UPDATE lifeos.call_session SET updated_at = lib.now() WHERE session_id = 's4';
SELECT t.eq(t.sweep('s0'), 'ended');
SELECT t.eq(t.session('s0', 'endReason'), 'timeout');
SELECT t.eq(t.payload('s0', 'call.ended')::json ->> 'durationSeconds', '900');
SELECT t.eq(t.sweep('s' || i), 'kept', 's' || i), t.eq(t.due('s' || i), 900, 's' || i) FROM generate_series(1, 4) i;

--- a client that is there is no silence, however rarely its row is written; when it has left, the silence counts from there
SELECT t.create('s1'), t.live('s1', 'participant_joined', 'PA_1');
UPDATE lifeos.call_session SET reconnect_window_ms = 600000;
SELECT t.age('s1', 160), t.age_events('s1', 160);
SELECT t.eq((api.presence('{"here":[["acc","s1","u1"]]}')).status, 'OK'), t.age('s1', 149), t.age_events('s1', 149);
SELECT t.eq(t.sweep('s1', silence => 30), 'kept');
SELECT t.eq((api.presence('{"here":[["acc","s1","u1"]]}')).status, 'OK', 'its row is not written yet'), t.age('s1', 5);
SELECT t.eq(t.sweep('s1', silence => 30), 'kept'), t.eq((api.presence('{"here":[["acc","s1","u1"]]}')).status, 'OK');
SELECT t.eq((api.presence('{"left":[["acc","s1","u1"]]}')).status, 'OK'), t.age('s1', 195), t.age_events('s1', 195);
SELECT t.eq(t.sweep('s1', silence => 30), 'ended', 'a quarter of its window late at most');
SELECT t.eq((t.session('s1', 'updatedAtMs')::bigint - t.session('s1', 'endedAtMs')::bigint) / 1000, 165::bigint, 'at its deadline');

--- a lost line is asked back after waits that double up to a cap, then the call ends for its provider's sake
SELECT t.eq(t.lost('s1'), 'OKappliedapplied');
SELECT t.eq(t.payload('s1', 'call.reconnecting')::json ->> 'attempt', '1');
SELECT t.eq(t.due('s1'), 0), t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 2), t.age('s1', 2);
SELECT t.eq(t.sweep('s1'), 'retried'), t.eq(t.due('s1'), 4);
SELECT t.eq(t.payload('s1', 'call.reconnecting')::json ->> 'attempt', '2'), t.age('s1', 4);
SELECT t.eq(t.payload('s1', 'call.reconnecting')::json ->> 'reason', 'provider_retry');
SELECT t.eq(t.sweep('s1'), 'retried'), t.eq(t.due('s1'), 8), t.age('s1', 8);
SELECT t.eq(t.sweep('s1'), 'retried'), t.eq(t.due('s1'), 8, 'the cap');
SELECT t.eq(t.payload('s1', 'call.reconnecting')::json ->> 'attempt', '4'), t.age('s1', 7);
SELECT t.eq(t.sweep('s1'), 'kept', 'its last wait is not over');
SELECT t.eq(t.session('s1', 'status'), 'active'), t.age('s1', 1);
SELECT t.eq(t.sweep('s1'), 'ended');
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'endReason') || t.session('s1', 'transportState'), 'endedended_with_provider_disconnectterminated');
SELECT t.eq(t.due('s1'), NULL);
SELECT t.eq(t.types('s1'), 'call.started call.connected call.reconnecting call.reconnecting call.reconnecting call.reconnecting call.ended');
SELECT t.eq((SELECT string_agg(u.detail ->> 'what', ' ' ORDER BY u.sequence) FROM lifeos.audit u WHERE u.action = 'session_sweep'),
            'retry retry retry ended_with_provider_disconnect');
SELECT t.eq(t.chains(), 'whole');

--- without retries the first wait is the last
SELECT t.lost('s1'), t.age('s1', 1);
SELECT t.eq(t.sweep('s1', retries => 0), 'kept'), t.eq(t.due('s1'), 1), t.age('s1', 1);
SELECT t.eq(t.sweep('s1', retries => 0), 'ended');
SELECT t.eq(t.session('s1', 'endReason'), 'ended_with_provider_disconnect');

--- a sweep that comes late asks as often as one in time, each time with a wait for the answer
SELECT t.lost('s1'), t.age('s1', 1000);
SELECT t.eq(t.sweep('s1'), 'retried', n::text), t.eq(t.due('s1'), 2), t.eq(t.sweep('s1'), 'kept', 'not before'), t.age('s1', 2) FROM generate_series(1, 3) n;
SELECT t.eq(t.sweep('s1'), 'ended');
SELECT t.ok(e.ts >= r.ts, 'the end is not before what came before it') FROM lifeos.event e, lifeos.event r WHERE e.type = 'call.ended' AND r.type <> 'call.ended';

--- whoever comes back heals the line, and all are told what they missed; the next loss counts anew
SELECT t.lost('s1'), t.age('s1', 3);
SELECT t.eq(t.sweep('s1'), 'retried');
SELECT t.eq(t.live('s1', 'participant_joined', 'PA_2'), 'applied');
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'transportState'), 'activehealthy');
SELECT t.eq((SELECT c.retry_count || coalesce(c.disconnected_at::text, 'none') FROM lifeos.call_session c), '0none');
SELECT t.eq(p.j ->> 'resumed' || (p.j ->> 'attempts') || (p.j ->> 'providerSessionId') || (p.j ->> 'callId'), 'true2RM_1s1'),
       t.ok((p.j ->> 'gapMs')::bigint BETWEEN 3000 AND 13000), t.ok(lib.time_parse(p.j ->> 'connectedAt') > lib.now() - 10000000)
FROM (SELECT t.payload('s1', 'call.connected')::json AS j) p;
SELECT t.eq(array_agg(k ORDER BY n)::text, array_agg(k ORDER BY k COLLATE "C")::text, 'canonical') FROM json_object_keys(t.payload('s1', 'call.connected')::json) WITH ORDINALITY u(k, n);
SELECT t.eq(t.sweep('s1'), 'kept'), t.ok(t.due('s1') > 800);
SELECT t.eq(t.live('s1', 'participant_left', 'PA_2', 'CONNECTION_TIMEOUT'), 'applied');
SELECT t.eq(t.payload('s1', 'call.reconnecting')::json ->> 'attempt', '1'), t.age('s1', 2);
SELECT t.eq(t.sweep('s1'), 'retried', 'its events have ids of their own');
SELECT t.eq(t.payload('s1', 'call.reconnecting')::json ->> 'attempt', '2');
SELECT t.eq(t.types('s1'), 'call.started call.connected call.reconnecting call.reconnecting call.connected call.reconnecting call.reconnecting');
SELECT t.eq(t.chains(), 'whole');

--- a track of somebody whose coming back was lost on the way heals the line; one of somebody who has left does not
SELECT t.lost('s1'), t.lost('s2');
SELECT t.eq(t.live('s1', 'track_published', 'PA_1'), 'applied');
SELECT t.eq(t.session('s1', 'transportState'), 'degraded');
SELECT t.eq(t.live('s1', 'track_published', 'PA_2'), 'applied');
SELECT t.eq(t.session('s1', 'transportState'), 'healthy');
SELECT t.eq(t.payload('s1', 'call.connected')::json ->> 'resumed', 'true');
SELECT t.eq(t.live('s1', 'participant_joined', 'PA_2'), 'applied', 'late');
SELECT t.eq(t.types('s1'), 'call.started call.connected call.reconnecting call.connected');

--- the window to come back opens from the loss, and is never made shorter by it
SELECT t.lost('s1');
SELECT t.eq(c.resume_valid_until, c.disconnected_at + 120000000) FROM lifeos.call_session c;
SELECT t.create('s2'), t.live('s2', 'participant_joined', 'PA_1');
UPDATE lifeos.call_session SET resume_valid_until = lib.now() + 500000000 WHERE session_id = 's2';
SELECT t.live('s2', 'participant_left', 'PA_1', 'CONNECTION_TIMEOUT');
SELECT t.ok(c.resume_valid_until > lib.now() + 400000000) FROM lifeos.call_session c WHERE c.session_id = 's2';

--- a clock of the provider that is ahead does not put the deadline off
SELECT t.create('s1'), t.live('s1', 'participant_joined', 'PA_1');
SELECT t.eq((api.provider_event('E1', 'participant_left', '\x00', 'key', lib.now(), lib.now() / 1000 + 86400000, 'lk_room_s1', 'RM_1', 'PA_1', NULL, NULL, NULL,
             'CONNECTION_TIMEOUT', '{}')).status, 'OK');
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 2);

--- a room that is restarted while its line is lost changes nothing about since when
SELECT t.lost('s1'), t.age('s1', 2), t.eq(t.sweep('s1'), 'retried');
SELECT c.disconnected_at AS since FROM lifeos.call_session c \gset
SELECT t.eq((api.provider_event('E9', 'room_started', '\x00', 'key', lib.now(), lib.now() / 1000, 'lk_room_s1', 'RM_2', NULL, NULL, NULL, NULL, NULL, '{}')).status, 'OK');
SELECT t.eq(c.disconnected_at, :since), t.eq(c.retry_count, 1), t.eq(c.room_sid, 'RM_2') FROM lifeos.call_session c;

--- losing the line, asking, coming back and ending leave every partial and final transcript as it was
SELECT t.create('s1'), t.live('s1', 'participant_joined', 'PA_1'), t.transcript('s1', 'f1', 'final', 'u1', 'hello'), t.transcript('s1', 'p1', 'partial', 'u2', 'I was about to');
CREATE FUNCTION pg_temp.words() RETURNS text LANGUAGE sql AS $$
        SELECT (api.event_replay('acc', 'u1', 'owner', 's1', 0, NULL, NULL, NULL, 500, 2000, NULL, NULL)).body ->> 'transcriptState' $$;
SELECT pg_temp.words() AS before \gset
SELECT t.ok(:'before' ~ 'hello' AND :'before' ~ 'I was about to');
SELECT t.live('s1', 'participant_left', 'PA_1', 'CONNECTION_TIMEOUT');
SELECT t.eq(pg_temp.words(), :'before'), t.age('s1', 2);
SELECT t.eq(t.sweep('s1'), 'retried');
SELECT t.eq(pg_temp.words(), :'before');
SELECT t.live('s1', 'participant_joined', 'PA_2');
SELECT t.eq(pg_temp.words(), :'before');
SELECT t.live('s1', 'participant_left', 'PA_2', 'CONNECTION_TIMEOUT'), t.age('s1', 2), t.eq(t.sweep('s1', retries => 0), 'ended');
SELECT t.eq(pg_temp.words(), :'before');
SELECT t.eq(t.session('s1', 'endReason'), 'ended_with_provider_disconnect');

--- what is over is left alone, by whatever way it got there
SELECT t.create('s' || i) FROM generate_series(1, 3) i;
SELECT t.eq(t.due('s1'), 0), t.state('s1', 'ended'), t.state('s2', 'failed'), t.live('s3', 'participant_joined', 'PA_1'), t.live('s3', 'participant_left', 'PA_1', 'CLIENT_INITIATED');
SELECT t.eq(t.due('s' || i), NULL), t.age('s' || i, 1000000) FROM generate_series(1, 3) i;
SELECT t.fingerprint() AS before \gset
SELECT t.eq(t.sweep('s' || i), 'kept') FROM generate_series(1, 3) i;
SELECT t.eq(t.fingerprint(), :'before');
UPDATE lifeos.call_session SET due_at = 1 WHERE session_id = 's1';
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), NULL, 'and is not asked for again');

--- a sweep before the time changes nothing at all
SELECT t.lost('s1'), t.create('s2'), t.create('s3'), t.live('s3', 'participant_joined', 'PA_1');
SELECT t.sweep('s1'), t.sweep('s2'), t.sweep('s3');
UPDATE lifeos.call_session SET seen_at = lib.now() + 1000000 WHERE session_id = 's3';
SELECT t.fingerprint() AS before \gset
SELECT t.eq(t.sweep('s1') || t.sweep('s2') || t.sweep('s3'), 'keptkeptkept');
SELECT t.eq(t.fingerprint(), :'before');

--- every change of state asks for a look, and the look says when the next is
SELECT t.create('s1'), t.eq(t.due('s1'), 0), t.sweep('s1'), t.eq(t.due('s1'), 3600);
SELECT t.state('s1', 'active'), t.eq(t.due('s1'), 0), t.sweep('s1'), t.eq(t.due('s1'), 900);

--- who is due: all whose moment has come, the longest first, page by page, of every account; nobody else
SELECT t.create('s' || i) FROM generate_series(1, 4) i;
SELECT t.create('s1', account => 'other'), t.sweep('s4');
UPDATE lifeos.call_session SET due_at = lib.now() - 1000000 * right(session_id, 1)::integer WHERE account_id = 'acc' AND session_id <> 's4';
SELECT t.eq((api.sweep_due(1)).body::text, '{"ok":true,"due":[{"accountId":"acc","sessionId":"s3"}],"more":true}');
SELECT t.eq((api.sweep_due(3)).body::text, '{"ok":true,"due":[{"accountId":"acc","sessionId":"s3"},{"accountId":"acc","sessionId":"s2"},{"accountId":"acc","sessionId":"s1"}],"more":true}');
SELECT t.sweep('s3');
SELECT t.eq((api.sweep_due(3)).body::text, '{"ok":true,"due":[{"accountId":"acc","sessionId":"s2"},{"accountId":"acc","sessionId":"s1"},{"accountId":"other","sessionId":"s1"}],"more":false}');
SELECT t.eq(t.sweep('s1', account => 'other') || t.sweep('s1') || t.sweep('s2'), 'keptkeptkept');
SELECT t.eq((api.sweep_due(3)).body::text, '{"ok":true,"due":[],"more":false}');

--- nobody's call is refused; a call lost before this was counted has been lost since its last change
SELECT t.eq(t.sweep('nobody'), 'SESSION_NOT_FOUND');
SELECT t.lost('s1');
UPDATE lifeos.call_session SET disconnected_at = NULL, updated_at = lib.now();
SELECT t.eq(t.sweep('s1'), 'kept'), t.eq(t.due('s1'), 2), t.age('s1', 3);
SELECT t.eq(t.sweep('s1'), 'retried');
