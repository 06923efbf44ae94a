-- helpers.sql - short words for the cases: schema t, in the test database only.
CREATE SCHEMA t;

CREATE FUNCTION t.eq(got text, want text, what text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        IF got IS DISTINCT FROM want THEN
                RAISE EXCEPTION '% got: %, want: %', what, coalesce(got, 'NULL'), coalesce(want, 'NULL');
        END IF;
END $$;
CREATE FUNCTION t.eq(got bigint, want bigint, what text DEFAULT '') RETURNS void LANGUAGE sql AS
$$ SELECT t.eq(got::text, want::text, what) $$;
CREATE FUNCTION t.ok(got boolean, what text DEFAULT '') RETURNS void LANGUAGE sql AS
$$ SELECT t.eq(got::text, 'true', what) $$;

CREATE SEQUENCE t.command;
CREATE FUNCTION t.command() RETURNS text LANGUAGE sql AS $$ SELECT 'cmd_' || nextval('t.command') $$;

CREATE FUNCTION t.create(session text, who text DEFAULT 'u1', account text DEFAULT 'acc', role text DEFAULT 'owner',
                         provider text DEFAULT NULL, room text DEFAULT NULL, metadata json DEFAULT NULL,
                         command text DEFAULT NULL, hash bytea DEFAULT '\x01') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.session_create(account, who, role, coalesce(command, t.command()), session, NULL, provider, NULL, room, NULL,
                                  NULL, metadata, hash)
$$;
CREATE FUNCTION t.state(session text, status text, who text DEFAULT 'u1', account text DEFAULT 'acc',
                        role text DEFAULT 'owner', call_id text DEFAULT NULL, error text DEFAULT NULL,
                        metadata json DEFAULT NULL, room text DEFAULT NULL, command text DEFAULT NULL,
                        hash bytea DEFAULT '\x02') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.session_state(account, who, role, coalesce(command, t.command()), session, status, NULL, room, NULL, call_id,
                                 metadata, error, hash)
$$;
-- One request of some events: ids and payloads side by side.
CREATE FUNCTION t.append(session text, ids text[], payloads text[] DEFAULT NULL, who text DEFAULT 'u1',
                         account text DEFAULT 'acc', role text DEFAULT 'owner', type text DEFAULT 'call.error')
RETURNS SETOF api.event_out LANGUAGE sql AS $$
        SELECT * FROM api.event_append(ARRAY[account], ARRAY[who], ARRAY[role], ARRAY['owner'], ARRAY[1763711111111111],
                array_fill(0, ARRAY[cardinality(ids)]), array_fill(session, ARRAY[cardinality(ids)]), ids,
                array_fill(type, ARRAY[cardinality(ids)]), array_fill(true, ARRAY[cardinality(ids)]),
                array_fill(1763711111000000, ARRAY[cardinality(ids)]),
                coalesce(payloads, array_fill('{}'::text, ARRAY[cardinality(ids)])))
$$;
-- Many requests of one event each, of one user: session, id, payload.
CREATE FUNCTION t.append_ops(events text[][]) RETURNS SETOF api.event_out LANGUAGE plpgsql AS $$
DECLARE
        n integer := array_length(events, 1);
        sessions text[]; ids text[]; payloads text[];
BEGIN
        FOR i IN 1 .. n LOOP
                sessions[i] := events[i][1];
                ids[i] := events[i][2];
                payloads[i] := events[i][3];
        END LOOP;
        RETURN QUERY SELECT * FROM api.event_append(array_fill('acc'::text, ARRAY[n]), array_fill('u1'::text, ARRAY[n]),
                array_fill('owner'::text, ARRAY[n]), array_fill('owner'::text, ARRAY[n]), array_fill(1763711111111111, ARRAY[n]),
                ARRAY(SELECT generate_series(0, n - 1)), sessions, ids, array_fill('call.error'::text, ARRAY[n]),
                array_fill(true, ARRAY[n]), array_fill(1763711111000000, ARRAY[n]), payloads);
END $$;
CREATE FUNCTION t.transcript(session text, id text, type text, utterance text, content text) RETURNS text LANGUAGE sql AS $$
        SELECT status FROM t.append(session, ARRAY[id], ARRAY['{"endMs":2,"speaker":"user","startMs":1,"text":"' || content
                                    || '","utteranceId":"' || utterance || '"}'], type => 'transcript.' || type)
$$;
-- n transcript events in one request: every so many one utterance, of which the last is the final.
CREATE FUNCTION t.talk(session text, n integer, every integer) RETURNS SETOF api.event_out LANGUAGE sql AS $$
        SELECT * FROM api.event_append('{acc}', '{u1}', '{owner}', '{owner}', '{1763711111111111}', array_fill(0, ARRAY[n]),
                array_fill(session, ARRAY[n]), ARRAY(SELECT session || '-' || i FROM generate_series(1, n) i),
                ARRAY(SELECT CASE WHEN i % every = 0 THEN 'transcript.final' ELSE 'transcript.partial' END FROM generate_series(1, n) i),
                array_fill(true, ARRAY[n]), array_fill(1763711111000000, ARRAY[n]),
                ARRAY(SELECT '{"text":"' || CASE WHEN i % every = 0 THEN 'final ' ELSE 'partial ' END || (i - 1) / every
                             || '","utteranceId":"u' || (i - 1) / every || '"}' FROM generate_series(1, n) i))
$$;
CREATE FUNCTION t.replay(session text, n bigint, snaps bigint, diagnostics boolean) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.event_replay('acc', 'u1', 'owner', session, 0, NULL, NULL, NULL, n, snaps, diagnostics, NULL)
$$;
CREATE FUNCTION t.snapshots(session text, n bigint DEFAULT NULL, after bigint DEFAULT NULL, utterance text DEFAULT NULL,
                            include_stats boolean DEFAULT NULL) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.transcript_list('acc', 'u1', 'owner', session, n, after, utterance, include_stats)
$$;
CREATE FUNCTION t.compact(session text, keep bigint, who text DEFAULT 'u1', account text DEFAULT 'acc', role text DEFAULT 'owner',
                          command text DEFAULT NULL, hash bytea DEFAULT '\x04') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.transcript_compact(account, who, role, coalesce(command, t.command()), session, keep, hash)
$$;
-- The texts of all its snapshots, and those of its transcript's state with whether it is complete.
CREATE FUNCTION t.texts(session text) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(x ->> 'text', ' ' ORDER BY n)
        FROM json_array_elements((t.snapshots(session, 2000)).body -> 'snapshots') WITH ORDINALITY e(x, n)
$$;
CREATE FUNCTION t.state_of(session text) RETURNS text LANGUAGE sql AS $$
        SELECT (SELECT string_agg(x ->> 'text', ' ' ORDER BY n) FROM json_array_elements(s.state::json) WITH ORDINALITY e(x, n)) || ' ' || s.complete
        FROM lib.transcript_state('acc', session, NULL) s
$$;
CREATE FUNCTION t.erase(session text, since bigint DEFAULT NULL, till bigint DEFAULT NULL, account text DEFAULT 'acc',
                        command text DEFAULT NULL, hash bytea DEFAULT '\x06') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.event_erase(coalesce(command, t.command()), account, session, since, till, hash)
$$;
-- A webhook; at and joined are seconds after a fixed moment.
CREATE FUNCTION t.hook(id text, event text, room text, sid text DEFAULT 'RM_1', part text DEFAULT NULL,
                       at integer DEFAULT 0, joined integer DEFAULT NULL, reason text DEFAULT NULL, kind text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(r.body ->> 'result', r.status)
        FROM api.provider_event(id, event, '\x00', 'key', 1763711111111111 + at * 1000000, 1763711000000 + at::bigint * 1000, room,
                                sid, part, 'identity', kind, 1763711000000 + joined::bigint * 1000, reason, '{}') r
$$;
CREATE FUNCTION t.session(session text, field text, account text DEFAULT 'acc') RETURNS text LANGUAGE sql AS $$
        SELECT (api.session_get(account, 'admin', 'admin', session)).body -> 'session' ->> field
$$;
-- The types of a stream's events in order.
-- Without what is said of money, which money.sql is about.
CREATE FUNCTION t.types(session text, account text DEFAULT 'acc') RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(e.event::json ->> 'type', ' ' ORDER BY e.sequence)
        FROM api.event_read(account, 'admin', 'admin', session, 0, 500) e WHERE e.event::json ->> 'type' NOT LIKE 'billing.%'
$$;
CREATE FUNCTION t.payload(session text, event_type text) RETURNS text LANGUAGE sql AS $$
        SELECT e.payload::text FROM lifeos.event e WHERE e.account_id = 'acc' AND e.session_id = session AND e.type = event_type
        ORDER BY e.sequence DESC LIMIT 1
$$;
-- Every chain of every stream, events and audit entries, and no number missing.
CREATE FUNCTION t.chains() RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(string_agg(s.account_id || '/' || s.stream_id, ' '), 'whole') FROM lifeos.stream s
        WHERE (SELECT v.broken_at IS NOT NULL OR v.verified <> s.head FROM api.event_verify(s.account_id, s.stream_id) v)
              OR (SELECT v.broken_at IS NOT NULL OR v.verified <> s.audit_head FROM api.audit_verify(s.account_id, s.stream_id) v)
$$;
-- Everything that a refused request must leave as it was.
CREATE FUNCTION t.fingerprint() RETURNS text LANGUAGE sql AS $$
        SELECT md5(string_agg(x.row, '|' ORDER BY x.row)) FROM (
                SELECT 's' || s::text AS row FROM lifeos.stream s UNION ALL SELECT 'c' || c::text FROM lifeos.call_session c
                UNION ALL SELECT 'r' || r::text FROM lifeos.command_receipt r UNION ALL SELECT 'a' || a::text FROM lifeos.account a
                UNION ALL SELECT 'k' || k::text FROM lifeos.api_key k UNION ALL SELECT 'p' || p::text FROM lifeos.provider_room p
                UNION ALL SELECT 'e' || e.event_id FROM lifeos.event e UNION ALL SELECT 'u' || u.hash::text FROM lifeos.audit u
                UNION ALL SELECT 'w' || w.provider_event_id FROM lifeos.provider_receipt w
                UNION ALL SELECT 'h' || h::text FROM lifeos.checkpoint h) x
$$;
-- A turn in a call, or in a chat: begun, some of its answer from a byte on, ended, stopped, its lease over.
CREATE FUNCTION t.begin(talk text, turn text, words text DEFAULT 'hello', chat boolean DEFAULT false, who text DEFAULT 'u1', role text DEFAULT 'member',
                        account text DEFAULT 'acc', runner text DEFAULT 'run1', history bigint DEFAULT 30, tokens bigint DEFAULT 0,
                        per_day bigint DEFAULT 0, replace boolean DEFAULT NULL, persona text DEFAULT 'both') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.turn_begin(account, who, role, talk, chat, turn, words, persona, NULL, 1763711111111111, runner, 30000, history, tokens, per_day, replace)
$$;
CREATE FUNCTION t.add(talk text, turn text, "from" bigint, words text, runner text DEFAULT 'run1', account text DEFAULT 'acc') RETURNS api.reply LANGUAGE sql AS
$$ SELECT api.turn_text(account, talk, turn, runner, 30000, "from", words) $$;
CREATE FUNCTION t.end(talk text, turn text, words text DEFAULT NULL, outcome text DEFAULT 'completed', proposals json DEFAULT NULL, code text DEFAULT NULL,
                      message text DEFAULT NULL, runner text DEFAULT 'run1', speaker text DEFAULT NULL, tokens bigint DEFAULT 0, account text DEFAULT 'acc',
                      total bigint DEFAULT 2400) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.turn_end(account, talk, turn, runner, outcome, code, message, words, speaker, proposals, 'resp_1', 'model-1', tokens, 0, 10, 20, 30, total, 2500)
$$;
CREATE FUNCTION t.stop(talk text, turn text DEFAULT NULL, who text DEFAULT 'u1', role text DEFAULT 'member', account text DEFAULT 'acc', call boolean DEFAULT false,
                       command text DEFAULT NULL) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.turn_stop(account, who, role, coalesce(command, t.command()), CASE WHEN call THEN talk END, CASE WHEN NOT call THEN talk END, turn, '\x0a')
$$;
CREATE FUNCTION t.lose(turn text) RETURNS void LANGUAGE sql AS $$ UPDATE lifeos.turn SET lease_until = 1 WHERE turn_id = $1 $$;
CREATE FUNCTION t.turn(turn text) RETURNS text LANGUAGE sql AS $$
        SELECT o.status || coalesce(' ' || o.code, '') || ' ' || o.attempt FROM lifeos.turn o WHERE o.turn_id = $1
$$;
CREATE FUNCTION t.says(talk text) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(left(m.role, 1) || ':' || m.state || ':' || m.content, ' | ' ORDER BY m.ordinal) FROM lifeos.message m
        WHERE m.account_id = 'acc' AND m.conversation_id = talk
$$;
CREATE FUNCTION t.forget(talk text, who text DEFAULT 'u1', role text DEFAULT 'member', account text DEFAULT 'acc', command text DEFAULT NULL)
RETURNS api.reply LANGUAGE sql AS $$ SELECT api.conversation_delete(account, who, role, coalesce(command, t.command()), talk, '\x0b') $$;
CREATE FUNCTION t.told(r api.reply) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(e ->> 'type', ' ' ORDER BY n) FROM json_array_elements(r.body -> 'events') WITH ORDINALITY x(e, n)
$$;
-- Everything that a refused turn must leave as it was.
CREATE FUNCTION t.turns() RETURNS text LANGUAGE sql AS $$
        SELECT md5(t.fingerprint() || coalesce(string_agg(x.row, '|' ORDER BY x.row), '')) FROM (
                SELECT o::text AS row FROM lifeos.turn o UNION ALL SELECT m::text FROM lifeos.message m UNION ALL SELECT d::text FROM lifeos.ai_day d
                UNION ALL SELECT c::text FROM lifeos.conversation c UNION ALL SELECT a::text FROM lifeos.action a) x
$$;
CREATE FUNCTION t.reconnect(session text, token text, ack bigint DEFAULT NULL, who text DEFAULT 'u1',
                            account text DEFAULT 'acc', role text DEFAULT 'owner', n bigint DEFAULT NULL,
                            command text DEFAULT NULL, hash bytea DEFAULT '\x03') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.session_reconnect(account, who, role, coalesce(command, t.command()), session, token, ack, n, hash)
$$;
CREATE FUNCTION t.token(r api.reply) RETURNS text LANGUAGE sql AS $$ SELECT r.body -> 'session' ->> 'resumeToken' $$;
CREATE FUNCTION t.checkpoint(session text, consumer text, sequence bigint DEFAULT NULL, who text DEFAULT 'u1',
                             account text DEFAULT 'acc', role text DEFAULT 'owner', ts text DEFAULT NULL,
                             event_id text DEFAULT NULL) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.checkpoint(account, who, role, session, consumer, ts, NULL, event_id, sequence)
$$;
CREATE FUNCTION t.key(id text, account text, scope text) RETURNS void LANGUAGE sql AS $$
        SELECT api.key_create(t.command(), id, sha256(convert_to(id, 'UTF8')), account, scope, NULL, NULL, '\x04')
$$;
-- Its window in milliseconds from now on.
CREATE FUNCTION t.window(session text) RETURNS bigint LANGUAGE sql AS $$
        SELECT (c.resume_valid_until - lib.now()) / 1000 FROM lifeos.call_session c WHERE c.session_id = session
$$;
-- As if so many milliseconds had passed without a sign of life.
CREATE FUNCTION t.unseen(session text, ms bigint) RETURNS void LANGUAGE sql AS $$
        UPDATE lifeos.call_session c SET resume_valid_until = resume_valid_until - ms * 1000, seen_at = seen_at - ms * 1000
        WHERE c.session_id = session
$$;
-- One sweep of a call: an hour unanswered, 900 s of silence, four hours at most, 3 retries after 2, 4 and 8 s, 8 s at most.
CREATE FUNCTION t.sweep(session text, account text DEFAULT 'acc', retries bigint DEFAULT 3,
                        silence bigint DEFAULT 900) RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(r.body ->> 'result', r.status) FROM api.session_sweep(account, session, 3600000, silence * 1000, 14400000, retries, 2000, 8000) r
$$;
-- Time passes for a session: every moment known of it is that many seconds further back. Not those of its events: they are chained.
CREATE FUNCTION t.age(session text, seconds numeric, account text DEFAULT 'acc') RETURNS void LANGUAGE sql AS $$
        UPDATE lifeos.provider_receipt r SET recorded_at = r.recorded_at - seconds * 1000000 WHERE r.account_id = account AND r.session_id = session;
        UPDATE lifeos.call_session c SET created_at = c.created_at - seconds * 1000000, updated_at = c.updated_at - seconds * 1000000,
               started_at = c.started_at - seconds * 1000000, seen_at = c.seen_at - seconds * 1000000, disconnected_at = c.disconnected_at - seconds * 1000000,
               resume_valid_until = c.resume_valid_until - seconds * 1000000, due_at = c.due_at - seconds * 1000000
        WHERE c.account_id = account AND c.session_id = session;
$$;
CREATE FUNCTION t.age_events(session text, seconds numeric) RETURNS void LANGUAGE sql AS $$
        ALTER TABLE lifeos.event DISABLE TRIGGER append_only;
        UPDATE lifeos.event e SET recorded_at = e.recorded_at - seconds * 1000000 WHERE e.account_id = 'acc' AND e.session_id = session;
        ALTER TABLE lifeos.event ENABLE TRIGGER append_only;
$$;
-- When it is due, in whole seconds from now; NULL: never.
CREATE FUNCTION t.due(session text, account text DEFAULT 'acc') RETURNS bigint LANGUAGE sql AS $$
        SELECT round((c.due_at - extract(epoch FROM clock_timestamp()) * 1000000) / 1000000)::bigint FROM lifeos.call_session c
        WHERE c.account_id = account AND c.session_id = session
$$;
-- A webhook of this moment.
CREATE FUNCTION t.live(session text, event text, part text, reason text DEFAULT NULL, id text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(r.body ->> 'result', r.status)
        FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms) n, api.provider_event(coalesce(id, session || event || part), event,
              '\x00', 'key', n.ms * 1000, n.ms, 'lk_room_' || session, 'RM_1', part, 'identity', NULL, CASE event WHEN 'participant_joined' THEN n.ms END,
              reason, '{}') r
$$;
-- A call whose line the provider has just lost.
CREATE FUNCTION t.lost(session text) RETURNS text LANGUAGE sql AS $$
        SELECT (t.create(session)).status || t.live(session, 'participant_joined', 'PA_1') || t.live(session, 'participant_left', 'PA_1', 'CONNECTION_TIMEOUT')
$$;
-- A deliverable by its user; its id is the answer's.
CREATE FUNCTION t.deliverable(id text DEFAULT NULL, md text DEFAULT 'md', who text DEFAULT 'u1', role text DEFAULT 'member', kind text DEFAULT 'cv',
                              session text DEFAULT NULL, data json DEFAULT NULL, command text DEFAULT NULL, hash bytea DEFAULT '\x07')
RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.deliverable_create('acc', who, role, coalesce(command, t.command()), id, kind, session, NULL, md, data, hash)
$$;
CREATE FUNCTION t.put(id text, base bigint, md text, who text DEFAULT 'u1', role text DEFAULT 'member', command text DEFAULT NULL,
                      hash bytea DEFAULT '\x08', data json DEFAULT NULL) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.deliverable_put('acc', who, role, coalesce(command, t.command()), id, base, NULL, md, data, hash)
$$;
-- Everything that is stored of deliverables.
CREATE FUNCTION t.deliverables() RETURNS text LANGUAGE sql AS $$
        SELECT md5(string_agg(x.row, '|' ORDER BY x.row)) FROM (
                SELECT d::text AS row FROM lifeos.deliverable d UNION ALL SELECT v::text FROM lifeos.deliverable_version v) x
$$;
-- An action of session s1 as others leave it: lease and the confirmation's end are seconds from now.
CREATE FUNCTION t.action(id text, status text, lease numeric DEFAULT NULL, expires numeric DEFAULT NULL, confirms bigint DEFAULT 1,
                         session text DEFAULT 's1') RETURNS void LANGUAGE sql AS $$
        INSERT INTO lifeos.action (account_id, session_id, action_id, action_type, status, version, asked_by, actor_id, risk_tier, rule, policy_version,
                                   request_hash, metadata, lease_until, created_at, updated_at)
        VALUES ('acc', session, id, 'cv.edit', status, 1, 'human', 'u1', 'low-risk-write', 'allow', '1', '', '{}', lib.now() + lease * 1000000, 1, 1);
        INSERT INTO lifeos.confirmation (account_id, token_hash, session_id, action_id, version, binding, policy_version, issued_at, expires_at)
        SELECT 'acc', sha256(convert_to(id, 'UTF8')), session, id, confirms, '', '1', 1, lib.now() + expires * 1000000 WHERE expires IS NOT NULL
$$;
CREATE FUNCTION t.expire(kind text, id text, session text DEFAULT 's1') RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(r.body ->> 'result', r.status) FROM api.work_expire('acc', session, kind, id) r
$$;
-- What is due, as kind:id in order.
CREATE FUNCTION t.work_due(n bigint DEFAULT 100) RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(string_agg(x ->> 'kind' || ':' || (x ->> 'id'), ' ' ORDER BY k), '') || CASE WHEN (r.body ->> 'more')::boolean THEN ' more' ELSE '' END
        FROM api.work_due(n) r LEFT JOIN LATERAL json_array_elements(r.body -> 'due') WITH ORDINALITY e(x, k) ON true GROUP BY r.body ->> 'more'
$$;
CREATE FUNCTION t.is(action text) RETURNS text LANGUAGE sql AS $$
        SELECT a.status || coalesce(' ' || a.code, '') FROM lifeos.action a WHERE a.action_id = action
$$;
-- A human's words about actions. payload NULL: the one that is sent in most cases.
CREATE FUNCTION t.letter() RETURNS json LANGUAGE sql AS $$ SELECT '{"data":{"messages":["hello"]},"recipient":"Bob"}'::json $$;
CREATE FUNCTION t.ask(id text, type text DEFAULT 'outreach.requestSend', payload json DEFAULT t.letter(), token text DEFAULT NULL, session text DEFAULT 's1',
                      who text DEFAULT 'u1', account text DEFAULT 'acc', role text DEFAULT 'owner', command text DEFAULT NULL,
                      hash bytea DEFAULT '\x07') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.action_execute(account, who, role, coalesce(command, t.command()), session, id, type, NULL, 'low-risk-write', true, token, payload,
                                  '{"source":"ui"}', NULL, NULL, hash)
$$;
CREATE FUNCTION t.confirm(id text, token text, session text DEFAULT 's1', who text DEFAULT 'u1', account text DEFAULT 'acc', role text DEFAULT 'owner',
                          command text DEFAULT NULL) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.action_confirm(account, who, role, coalesce(command, t.command()), session, id, token, '\x08')
$$;
CREATE FUNCTION t.edit(id text, base bigint, payload json, who text DEFAULT 'u1', role text DEFAULT 'owner', command text DEFAULT NULL) RETURNS api.reply
LANGUAGE sql AS $$ SELECT api.action_edit('acc', who, role, coalesce(command, t.command()), 's1', id, base, payload, NULL, '\x09') $$;
CREATE FUNCTION t.decide(id text, decision text, session text DEFAULT NULL, who text DEFAULT 'u1', role text DEFAULT 'owner', account text DEFAULT 'acc',
                         at json DEFAULT NULL, command text DEFAULT NULL) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.action_decide(account, who, role, coalesce(command, t.command()), session, id, NULL, decision, NULL, NULL, NULL, at, '{"x":1}', '\x0a')
$$;
CREATE FUNCTION t.set(url text DEFAULT NULL, rules text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
        SELECT (api.account_set(t.command(), 'acc', NULL, NULL, NULL, url, rules, NULL, '\x0b')).status
$$;
-- A call, and an account that delivers; what asking for a send is answered with is the token.
CREATE FUNCTION t.desk() RETURNS text LANGUAGE sql AS $$ SELECT (t.create('s1')).status || t.set('https://hooks.example/out') $$;
CREATE FUNCTION t.open(r api.reply) RETURNS text LANGUAGE sql AS $$ SELECT r.body ->> 'confirmationToken' $$;
CREATE FUNCTION t.propose(n integer, type text, arguments json, wanted text DEFAULT NULL, who text DEFAULT 'u1') RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(p.refused, p.action_id) FROM lib.action_propose('acc', 's1', '\x01', who, 'turn_1', n, type, 'a summary', arguments, wanted, NULL) p
$$;
CREATE FUNCTION t.outbox() RETURNS text LANGUAGE sql AS $$ SELECT coalesce(string_agg(o.payload::text, ' '), '') FROM lifeos.outbox o $$;
CREATE FUNCTION t.audits(what text) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(a.outcome, ' ' ORDER BY a.recorded_at) FROM lifeos.audit a WHERE a.action = what
$$;
-- As if so many seconds had passed since its confirmation was issued: nothing else of it changes.
CREATE FUNCTION t.wait(id text, seconds bigint) RETURNS void LANGUAGE sql AS $$
        UPDATE lifeos.confirmation c SET expires_at = c.expires_at - seconds * 1000000, issued_at = c.issued_at - seconds * 1000000 WHERE c.action_id = id
$$;
CREATE FUNCTION t.begin_action(id text, runner text DEFAULT 'r1', lease bigint DEFAULT 10000, who text DEFAULT 'u1', role text DEFAULT 'owner',
                               tokens bigint DEFAULT 0) RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.action_begin('acc', who, role, 's1', id, runner, lease, tokens, 0)
$$;
CREATE FUNCTION t.end_action(id text, runner text DEFAULT 'r1', outcome text DEFAULT 'completed', code text DEFAULT NULL, data json DEFAULT '{"name":"A"}')
RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.action_end('acc', 's1', id, runner, outcome, code, CASE WHEN code IS NOT NULL THEN 'why' END, 'CV', '# CV', data, 'resp_1', 'model-1',
                              '{"agent":"recruiter"}', 100, 50, 1200)
$$;
-- Of every action: executed <=> it sent (if its type sends), never twice, and exactly what was hashed.
CREATE FUNCTION t.sent_right() RETURNS text LANGUAGE sql AS $$
        SELECT coalesce(string_agg(a.action_id || ' ' || a.status, ';'), 'right') FROM lifeos.action a
        JOIN lifeos.action_version v ON v.account_id = a.account_id AND v.session_id = a.session_id AND v.action_id = a.action_id AND v.version = a.version
        LEFT JOIN LATERAL (SELECT count(*) AS n, max(o.payload::text) AS payload, max(encode(o.payload_hash, 'hex')) AS hash FROM lifeos.outbox o
                           WHERE o.account_id = a.account_id AND o.session_id = a.session_id AND o.action_id = a.action_id) o ON true
        WHERE a.action_type = 'outreach.requestSend'
              AND NOT CASE a.status WHEN 'executed'
                      THEN o.n = 1 AND o.payload = left(v.arguments::text, -1) || ',"confirmedBy":"' || a.decided_by || '"}'
                           AND o.hash = encode(sha256(convert_to(o.payload, 'UTF8')), 'hex')
                           AND v.content_hash = lib.hash(a.action_type, v.arguments::text, v.summary)
                      ELSE o.n = 0 END
$$;
CREATE FUNCTION t.voice(persona text, consent boolean DEFAULT NULL, approval text DEFAULT NULL, session text DEFAULT 's1', who text DEFAULT 'u1',
                        role text DEFAULT 'owner', account text DEFAULT 'acc') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.voice_set(account, who, role, t.command(), session, persona, consent, approval, NULL, '\x0c')
$$;
CREATE FUNCTION t.approve(persona text, account text DEFAULT 'acc') RETURNS text LANGUAGE sql AS $$
        SELECT (api.voice_approve(account, 'u1', 'owner', t.command(), persona, 'signed on paper', NULL, '\x0d')).body -> 'approval' ->> 'policyApprovalId'
$$;
-- Money. A call of so many seconds, with one participant from its second 2 on; seconds after a fixed moment.
CREATE FUNCTION t.prices(account text, currency text, prices json, valid_from bigint DEFAULT 1) RETURNS text LANGUAGE sql AS $$
        SELECT (api.price_set(t.command(), account, currency, valid_from, prices, '\x07')).status
$$;
CREATE FUNCTION t.call(session text, seconds integer) RETURNS text LANGUAGE sql AS $$
        SELECT t.create(session);
        SELECT t.hook(session || 'j', 'participant_joined', 'lk_room_' || session, part => 'PA_1', at => 0, joined => 0);
        UPDATE lifeos.provider_participant SET joined_at = joined_at + 2000000 WHERE session_id = session;
        SELECT t.hook(session || 'l', 'participant_left', 'lk_room_' || session, part => 'PA_1', at => seconds, reason => 'CLIENT_INITIATED');
$$;
CREATE FUNCTION t.books() RETURNS text LANGUAGE sql AS $$
        SELECT CASE WHEN EXISTS (SELECT FROM lifeos.ledger_posting p GROUP BY p.account_id, p.currency, p.entry_id HAVING sum(p.amount) <> 0)
                    THEN 'uneven' ELSE 'even' END
$$;
CREATE FUNCTION t.adjust(session text, id text, amount json, currency text DEFAULT 'EUR', corrects text DEFAULT NULL, account text DEFAULT 'acc',
                         who text DEFAULT 'k1', role text DEFAULT 'operator') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.adjustment_create('*', who, role, t.command(), account, session, id, 'call.duration.seconds', amount, currency, 'a reason',
                                     corrects, NULL, '\x08')
$$;
CREATE FUNCTION t.adjust(session text, id text, amount text, currency text DEFAULT 'EUR', corrects text DEFAULT NULL, account text DEFAULT 'acc',
                         who text DEFAULT 'k1', role text DEFAULT 'operator') RETURNS api.reply LANGUAGE sql AS $$
        SELECT t.adjust(session, id, amount::json, currency, corrects, account, who, role)
$$;
CREATE FUNCTION t.second(id text, decision text, who text, role text DEFAULT 'operator') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.adjustment_decide('*', who, role, t.command(), 'acc', id, decision, '\x09')
$$;
CREATE FUNCTION t.dead(id text, decision text, reason text DEFAULT NULL, who text DEFAULT 'k1', role text DEFAULT 'operator',
                       account text DEFAULT '*') RETURNS api.reply LANGUAGE sql AS $$
        SELECT api.dead_letter_decide(account, who, role, t.command(), 'acc', id, decision, reason, '\x0a')
$$;
CREATE FUNCTION t.refused(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        BEGIN
                EXECUTE statement;
        EXCEPTION WHEN insufficient_privilege THEN
                RETURN;
        END;
        RAISE EXCEPTION '% was not refused', statement;
END $$;
-- Keeps what the transaction holds until somebody waits for it.
CREATE FUNCTION t.until_waited_for() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        FOR i IN 1 .. 3000 LOOP
                PERFORM pg_stat_clear_snapshot();
                IF EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid))) THEN
                        RETURN;
                END IF;
                PERFORM pg_sleep(0.01);
        END LOOP;
        RAISE EXCEPTION 'nobody waited';
END $$;
