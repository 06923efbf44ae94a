--- the usual call: room, caller, hang up; state, events and times come from LiveKit
SELECT t.create('s1');
SELECT t.eq(t.hook('E1', 'room_started', 'lk_room_s1', at => 1), 'applied');
SELECT t.eq(t.session('s1', 'status'), 'created');
SELECT t.eq(t.hook('E2', 'participant_joined', 'lk_room_s1', part => 'PA_1', at => 3, joined => 2), 'applied');
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'startedAtMs') || t.session('s1', 'providerCallId'), 'active1763711002000RM_1');
SELECT t.eq(t.hook('E3', 'participant_left', 'lk_room_s1', part => 'PA_1', at => 64, joined => 2, reason => 'CLIENT_INITIATED'), 'applied');
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'endReason') || t.session('s1', 'endedAtMs'), 'endeduser_hangup1763711064000');
SELECT t.eq(t.hook('E4', 'room_finished', 'lk_room_s1', at => 84), 'ignored');
SELECT t.eq(t.types('s1'), 'call.started call.connecting call.connected call.ended');
SELECT t.eq(t.payload('s1', 'call.connecting'), '{"callId":"s1","provider":"livekit"}');
SELECT t.eq(t.payload('s1', 'call.connected'), '{"callId":"s1","connectedAt":"2025-11-21T07:43:22.000Z","providerSessionId":"RM_1"}');
SELECT t.eq(t.payload('s1', 'call.ended'), '{"callId":"s1","durationSeconds":62,"endReason":"user_hangup","endedAt":"2025-11-21T07:44:24.000Z"}');
SELECT t.eq((SELECT string_agg(DISTINCT e.origin || e.actor_id, ' ') FROM lifeos.event e WHERE e.sequence > 1 AND e.origin <> 'billing'), 'livekitlivekit');
SELECT t.eq(t.chains(), 'whole');

--- a webhook delivered again changes nothing
SELECT t.create('s1'), t.hook('E1', 'room_started', 'lk_room_s1');
SELECT t.fingerprint() AS before \gset
SELECT t.eq(t.hook('E1', 'room_started', 'lk_room_s1'), 'duplicate');
SELECT t.eq(t.hook('E1', 'room_finished', 'lk_room_s1'), 'duplicate');
SELECT t.eq(t.fingerprint(), :'before');

--- room, caller and hang up in any order end the call the same way
CREATE FUNCTION pg_temp.fire(session text, what text) RETURNS text LANGUAGE sql AS $$
        SELECT CASE what WHEN 'room' THEN t.hook(session || what, 'room_started', 'lk_room_' || session, at => 1)
                WHEN 'join' THEN t.hook(session || what, 'participant_joined', 'lk_room_' || session, part => 'PA_1', at => 3, joined => 2)
                WHEN 'left' THEN t.hook(session || what, 'participant_left', 'lk_room_' || session, part => 'PA_1', at => 64, joined => 2, reason => 'CLIENT_INITIATED')
                WHEN 'end' THEN t.hook(session || what, 'room_finished', 'lk_room_' || session, at => 84) END $$;
CREATE TEMP TABLE orders AS SELECT 'p' || row_number() OVER () AS session, ARRAY[a, b, c] AS o
FROM unnest('{room,join,left}'::text[]) a, unnest('{room,join,left}'::text[]) b, unnest('{room,join,left}'::text[]) c WHERE a <> b AND b <> c AND a <> c;
SELECT t.create(session) FROM orders;
DO $$ DECLARE r record; w text; BEGIN FOR r IN SELECT * FROM orders LOOP FOREACH w IN ARRAY r.o || 'end'::text LOOP PERFORM pg_temp.fire(r.session, w); END LOOP; END LOOP; END $$;
SELECT t.eq(count(*), 6) FROM orders;
SELECT t.eq(t.session(session, 'status') || ' ' || t.session(session, 'endReason') || ' ' || t.session(session, 'startedAtMs') || ' ' || t.session(session, 'endedAtMs'),
            'ended user_hangup 1763711002000 1763711064000', o::text),
       t.eq(replace(t.types(session), 'call.connecting ', ''), 'call.started call.connected call.ended', o::text) FROM orders;
SELECT t.eq(t.chains(), 'whole');

--- whatever the order of all four, the call ends once
CREATE FUNCTION pg_temp.fire(session text, what text) RETURNS text LANGUAGE sql AS $$
        SELECT CASE what WHEN 'room' THEN t.hook(session || what, 'room_started', 'lk_room_' || session, at => 1)
                WHEN 'join' THEN t.hook(session || what, 'participant_joined', 'lk_room_' || session, part => 'PA_1', at => 3, joined => 2)
                WHEN 'left' THEN t.hook(session || what, 'participant_left', 'lk_room_' || session, part => 'PA_1', at => 64, reason => 'CONNECTION_TIMEOUT')
                WHEN 'end' THEN t.hook(session || what, 'room_finished', 'lk_room_' || session, at => 84) END $$;
CREATE TEMP TABLE orders AS SELECT 'p' || row_number() OVER () AS session, ARRAY[a, b, c, d] AS o FROM unnest('{room,join,left,end}'::text[]) a,
       unnest('{room,join,left,end}'::text[]) b, unnest('{room,join,left,end}'::text[]) c, unnest('{room,join,left,end}'::text[]) d
WHERE cardinality(ARRAY(SELECT DISTINCT unnest(ARRAY[a, b, c, d]))) = 4;
SELECT t.create(session) FROM orders;
DO $$ DECLARE r record; w text; BEGIN FOR r IN SELECT * FROM orders LOOP FOREACH w IN ARRAY r.o LOOP PERFORM pg_temp.fire(r.session, w); END LOOP; END LOOP; END $$;
SELECT t.eq(count(*), 24) FROM orders;
SELECT t.eq(t.session(session, 'status'), 'ended', o::text), t.ok(t.types(session) ~ 'call.ended$' AND t.types(session) !~ 'call.ended.*call.ended'
       AND t.types(session) !~ 'call.connected.*call.connected', o::text || t.types(session)) FROM orders;
SELECT t.eq(t.chains(), 'whole');

--- left before joined, without saying when: the late joining tells
SELECT t.create('s1'), t.hook('E1', 'participant_left', 'lk_room_s1', part => 'PA_1', at => 9, reason => 'CLIENT_INITIATED');
SELECT t.eq(t.session('s1', 'status'), 'created');
SELECT t.hook('E2', 'participant_joined', 'lk_room_s1', part => 'PA_1', at => 5, joined => 4);
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'endReason') || t.session('s1', 'startedAtMs'), 'endeduser_hangup1763711004000');

--- an agent neither starts a call nor ends it
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'lk_room_s1', part => 'PA_a', joined => 1, kind => 'AGENT'),
       t.hook('E2', 'participant_joined', 'lk_room_s1', part => 'PA_e', joined => 1, kind => 'EGRESS');
SELECT t.eq(t.session('s1', 'status'), 'created');
SELECT t.hook('E3', 'participant_joined', 'lk_room_s1', part => 'PA_1', joined => 2, kind => 'STANDARD'),
       t.hook('E4', 'participant_left', 'lk_room_s1', part => 'PA_a', at => 5, reason => 'CLIENT_INITIATED', kind => 'AGENT');
SELECT t.eq(t.session('s1', 'status'), 'active');

--- a call with two people ends when the last one hangs up
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'lk_room_s1', part => 'PA_1', joined => 1),
       t.hook('E2', 'participant_joined', 'lk_room_s1', part => 'PA_2', joined => 2);
SELECT t.hook('E3', 'participant_left', 'lk_room_s1', part => 'PA_1', at => 5, reason => 'CLIENT_INITIATED');
SELECT t.eq(t.session('s1', 'status'), 'active');
SELECT t.hook('E4', 'participant_left', 'lk_room_s1', part => 'PA_2', at => 6, reason => 'CLIENT_INITIATED');
SELECT t.eq(t.session('s1', 'status'), 'ended');

--- a lost connection degrades the line and opens the reconnect window; coming back heals it
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'lk_room_s1', part => 'PA_1', joined => 1);
SELECT t.hook('E2', 'participant_left', 'lk_room_s1', part => 'PA_1', at => 30, reason => 'CONNECTION_TIMEOUT');
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'transportState'), 'activedegraded');
SELECT t.eq(t.payload('s1', 'call.reconnecting'), '{"at":"2025-11-21T07:43:50.000Z","attempt":1,"callId":"s1","reason":"CONNECTION_TIMEOUT"}');
SELECT t.hook('E3', 'participant_joined', 'lk_room_s1', part => 'PA_2', joined => 35);
SELECT t.eq(t.session('s1', 'transportState'), 'healthy');
SELECT t.hook('E4', 'participant_left', 'lk_room_s1', part => 'PA_2', at => 40, reason => 'SIGNAL_CLOSE');
SELECT t.eq(t.payload('s1', 'call.connected'), '{"attempts":1,"callId":"s1","connectedAt":"2025-11-21T07:43:55.000Z","gapMs":5000,"providerSessionId":"RM_1","resumed":true}');
SELECT t.eq(t.payload('s1', 'call.reconnecting')::json ->> 'attempt', '1');
SELECT t.hook('E5', 'room_finished', 'lk_room_s1', at => 60);
SELECT t.eq(t.session('s1', 'endReason'), 'ended_with_provider_disconnect');
SELECT t.eq(t.types('s1'), 'call.started call.connected call.reconnecting call.connected call.reconnecting call.ended');

--- a second connection of the same person replaces the first, in either order
SELECT t.create('s' || i), t.hook('A' || i, 'participant_joined', 'lk_room_s' || i, part => 'PA_1', joined => 1) FROM generate_series(1, 2) i;
SELECT t.hook('B1', 'participant_left', 'lk_room_s1', part => 'PA_1', at => 5, reason => 'DUPLICATE_IDENTITY'),
       t.hook('C1', 'participant_joined', 'lk_room_s1', part => 'PA_2', joined => 5);
SELECT t.hook('C2', 'participant_joined', 'lk_room_s2', part => 'PA_2', joined => 5),
       t.hook('B2', 'participant_left', 'lk_room_s2', part => 'PA_1', at => 5, reason => 'DUPLICATE_IDENTITY');
SELECT t.eq(t.session(s, 'status') || t.session(s, 'transportState') || t.types(s), 'activehealthycall.started call.connected') FROM unnest('{s1,s2}'::text[]) s;

--- an empty room times out; a finished room completes the call
SELECT t.create('s1'), t.hook('E1', 'room_started', 'lk_room_s1'), t.hook('E2', 'room_finished', 'lk_room_s1', at => 300);
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'endReason'), 'endedtimeout');
SELECT t.eq(t.payload('s1', 'call.ended')::json ->> 'durationSeconds', '0');
SELECT t.create('s2'), t.hook('F1', 'participant_joined', 'lk_room_s2', part => 'PA_1', joined => 1),
       t.hook('F2', 'participant_left', 'lk_room_s2', part => 'PA_1', at => 9, reason => 'ROOM_DELETED'), t.hook('F3', 'room_finished', 'lk_room_s2', at => 10);
SELECT t.eq(t.session('s2', 'endReason'), 'completed');

--- a participant that never got through is an error the client may retry, not an end
SELECT t.create('s1'), t.hook('E1', 'participant_connection_aborted', 'lk_room_s1', part => 'PA_1', reason => 'SIGNAL_CLOSE');
SELECT t.eq(t.session('s1', 'status'), 'created');
SELECT t.ok(t.payload('s1', 'call.error') ~ '^{"callId":"s1","code":"PARTICIPANT_CONNECTION_ABORTED","message":".*SIGNAL_CLOSE","retryable":true}$');

--- a room that comes back under another sid was lost: degraded, healed by a join, and old news is stale
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'lk_room_s1', part => 'PA_1', at => 1, joined => 1);
SELECT t.eq(t.hook('E2', 'room_started', 'lk_room_s1', sid => 'RM_2', at => 50), 'applied');
SELECT t.eq(t.session('s1', 'transportState') || (t.payload('s1', 'call.reconnecting')::json ->> 'reason'), 'degradedROOM_RESTARTED');
SELECT t.eq(t.hook('E3', 'room_finished', 'lk_room_s1', sid => 'RM_1', at => 51), 'ignored');
SELECT t.eq(t.hook('E4', 'room_started', 'lk_room_s1', sid => 'RM_1', at => 0), 'ignored');
SELECT t.hook('E5', 'participant_joined', 'lk_room_s1', sid => 'RM_2', part => 'PA_9', at => 52, joined => 52);
SELECT t.eq(t.session('s1', 'status') || t.session('s1', 'transportState'), 'activehealthy');
SELECT t.hook('E6', 'participant_left', 'lk_room_s1', sid => 'RM_2', part => 'PA_9', at => 60, reason => 'CLIENT_INITIATED');
SELECT t.eq(t.session('s1', 'endReason'), 'user_hangup', 'people of the lost room do not keep the call open');

--- the same with the join first
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'lk_room_s1', part => 'PA_1', at => 1, joined => 1),
       t.hook('E2', 'participant_joined', 'lk_room_s1', sid => 'RM_2', part => 'PA_9', at => 52, joined => 52),
       t.hook('E3', 'room_started', 'lk_room_s1', sid => 'RM_2', at => 50);
SELECT t.eq(t.session('s1', 'transportState') || t.types('s1'), 'healthycall.started call.connected call.reconnecting call.connected');

--- after the end everything is received and nothing applied
SELECT t.create('s1'), t.state('s1', 'ended');
SELECT t.eq(t.hook('E' || n, e, 'lk_room_s1', part => 'PA_1', joined => 1), 'ignored', e)
FROM unnest('{room_started,participant_joined,participant_left,room_finished,participant_connection_aborted}'::text[]) WITH ORDINALITY u(e, n);
SELECT t.eq(t.types('s1'), 'call.started call.ended');
SELECT t.eq((SELECT count(*) FROM lifeos.provider_receipt), 5);

--- what says nothing about the call is kept and ignored
SELECT t.create('s1');
SELECT t.eq(t.hook('E1', 'track_published', 'lk_room_s1', part => 'PA_1'), 'ignored');
SELECT t.eq(t.hook('E2', 'egress_started', NULL, sid => NULL), 'ignored');
SELECT t.eq(t.hook('E3', 'participant_joined', 'lk_room_s1', part => NULL), 'ignored');
SELECT t.eq(t.hook('E4', 'track_published', 'unheard_of'), 'ignored');
SELECT t.eq((SELECT string_agg(result, ' ') FROM lifeos.provider_receipt), 'ignored ignored ignored ignored');

--- webhooks of an unknown room wait for its session and are applied with it, in the order they came
SELECT t.eq(t.hook('E1', 'room_started', 'lk_room_s1', at => 1), 'parked');
SELECT t.eq(t.hook('E2', 'participant_joined', 'lk_room_s1', part => 'PA_1', at => 2, joined => 2), 'parked');
SELECT t.eq(t.hook('E2', 'participant_joined', 'lk_room_s1', part => 'PA_1', at => 2, joined => 2), 'duplicate');
SELECT t.eq((api.health(NULL)).body::text, '{"ok":true,"database":"ok","parkedWebhooks":2,"outboxWaiting":0,"deadLettersOpen":0,"usageUnsigned":0}');
SELECT t.eq(c.body -> 'session' ->> 'status', 'active'), t.eq(c.head, 3) FROM t.create('s1') c;
SELECT t.eq(t.types('s1'), 'call.started call.connecting call.connected');
SELECT t.eq((SELECT string_agg(result || session_id, ' ') FROM lifeos.provider_receipt), 'applieds1 applieds1');
SELECT t.eq((api.health(NULL)).body ->> 'parkedWebhooks', '0');
SELECT t.eq(t.chains(), 'whole');

--- a room named when the call becomes active brings what was parked for it
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'mine', part => 'PA_1', joined => 2);
SELECT t.state('s1', 'active', room => 'mine');
SELECT t.eq((SELECT result FROM lifeos.provider_receipt), 'applied');
SELECT t.eq(t.session('s1', 'providerRoomId'), 'mine');

--- parking has a bound: over it nothing is stored and the sender is told to come again
SET LOCAL lifeos.webhooks_parked_max = '2';
SELECT t.hook('E1', 'room_started', 'r1'), t.hook('E2', 'room_started', 'r2');
SELECT t.fingerprint() AS before \gset
SELECT t.eq(t.hook('E3', 'room_started', 'r3'), 'BUSY');
SELECT t.eq(t.fingerprint(), :'before');
SELECT t.create('s1');
SELECT t.eq(t.hook('E4', 'room_started', 'lk_room_s1'), 'applied', 'a known room is served');

--- a finished call's room may be used again by its account: the webhooks go to the new call
SELECT t.create('s1', room => 'desk'), t.state('s1', 'ended'), t.create('s2', room => 'desk');
SELECT t.eq(t.hook('E1', 'participant_joined', 'desk', part => 'PA_1', joined => 2), 'applied');
SELECT t.eq(t.session('s2', 'status') || t.session('s1', 'status'), 'activeended');

--- clocks that differ never make a negative duration
SELECT t.create('s1'), t.hook('E1', 'participant_joined', 'lk_room_s1', part => 'PA_1', at => 10, joined => 10),
       t.hook('E2', 'participant_left', 'lk_room_s1', part => 'PA_1', at => 9, reason => 'CLIENT_INITIATED');
SELECT t.eq(t.payload('s1', 'call.ended')::json ->> 'durationSeconds', '0');
SELECT t.eq(t.session('s1', 'endedAtMs'), t.session('s1', 'startedAtMs'));
