--- conversations are listed newest first, page by page, to who may see them
SELECT t.begin('c' || i, 't1', chat => true, who => CASE WHEN i % 2 = 1 THEN 'u1' ELSE 'u2' END), t.end('c' || i, 't1', 'a') FROM generate_series(1, 5) i;
UPDATE lifeos.conversation SET updated_at = substr(conversation_id, 2)::bigint * 1000;
CREATE FUNCTION pg_temp.list(who text, role text, n bigint, cursor text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(x ->> 'conversationId', ' ') || ' ' || coalesce(r.body #>> '{page,nextCursor}', '-') FROM api.conversation_list('acc', who, role, n, cursor) r,
               json_array_elements(r.body -> 'conversations') x GROUP BY r.body #>> '{page,nextCursor}' $$;
SELECT t.eq(pg_temp.list('boss', 'owner', 20), 'c5 c4 c3 c2 c1 -'), t.eq(pg_temp.list('u1', 'member', 20), 'c5 c3 c1 -'), t.eq(pg_temp.list('v', 'viewer', 2), 'c5 c4 4000~c4'),
       t.eq(pg_temp.list('v', 'viewer', 2, '4000~c4'), 'c3 c2 2000~c2'), t.eq(pg_temp.list('u2', 'member', 1, '4000~c4'), 'c2 -');
SELECT t.eq((api.conversation_list('acc', 'u1', 'member', NULL, 'x')).status, 'INVALID_REQUEST'), t.eq((api.conversation_list('acc', 'k', 'ingest', NULL, NULL)).status, 'FORBIDDEN'),
       t.eq((api.conversation_list('other', 'u1', 'owner', NULL, NULL)).body ->> 'conversations', '[]');
SELECT t.eq(x::text, '{"conversationId":"c1","kind":"chat","userId":"u1","persona":"both","messages":2,"createdAtMs":' || (x ->> 'createdAtMs') || ',"updatedAtMs":1}')
FROM json_array_elements((api.conversation_list('acc', 'u1', 'member', 1, '3000~c3')).body -> 'conversations') x;

--- a call has a conversation from its first turn on
SELECT t.create('s1', role => 'member');
SELECT t.eq((api.conversation_list('acc', 'u1', 'member', NULL, NULL)).body ->> 'conversations', '[]'), t.eq((api.conversation_get('acc', 'u1', 'member', 's1', NULL, NULL)).status, 'CONVERSATION_NOT_FOUND');
SELECT lib.ai_spend('acc', 's1', 5);
SELECT t.eq((api.conversation_list('acc', 'u1', 'member', NULL, NULL)).body ->> 'conversations', '[]', 'nothing was said yet');
SELECT t.begin('s1', 't1'), t.end('s1', 't1', 'a', speaker => 'antonio');
SELECT t.eq((api.conversation_list('acc', 'u1', 'member', NULL, NULL)).body #>> '{conversations,0,kind}', 'call'), t.eq(c.tokens, 5), t.ok(c.id_salt = k.id_salt)
FROM lifeos.conversation c JOIN lifeos.call_session k ON k.session_id = c.conversation_id;

--- messages are read oldest first, page by page, by who may
SELECT t.begin('c1', 't' || i, 'q' || i, chat => true), t.end('c1', 't' || i, 'a' || i, speaker => 'antonio') FROM generate_series(1, 3) i;
CREATE FUNCTION pg_temp.page(n bigint, after bigint) RETURNS text LANGUAGE sql AS $$
        SELECT string_agg(x ->> 'content', ' ') || ' ' || (r.body ->> 'nextCursor') || (r.body ->> 'hasMore') FROM api.conversation_get('acc', 'u1', 'member', 'c1', n, after) r,
               json_array_elements(r.body -> 'messages') x GROUP BY r.body ->> 'nextCursor', r.body ->> 'hasMore' $$;
SELECT t.eq(pg_temp.page(NULL, NULL), 'q1 a1 q2 a2 q3 a3 6false'), t.eq(pg_temp.page(4, 0), 'q1 a1 q2 a2 4true'), t.eq(pg_temp.page(4, 4), 'q3 a3 6false');
SELECT t.eq(g.body ->> 'messages' || (g.body ->> 'nextCursor') || (g.body ->> 'hasMore'), '[]6false') FROM api.conversation_get('acc', 'u1', 'member', 'c1', 4, 6) g;
SELECT t.eq((SELECT string_agg(k, ',') FROM json_object_keys(g.body #> '{messages,1}') k), 'ordinal,messageId,turnId,role,speaker,state,content,createdAtMs'),
       t.eq(g.body #>> '{messages,1,speaker}' || (g.body #>> '{messages,1,role}') || (g.body #>> '{messages,0,turnId}'), 'antonioassistantt1')
FROM api.conversation_get('acc', 'v', 'viewer', 'c1', NULL, NULL) g;
SELECT t.eq((api.conversation_get('acc', 'u2', 'member', 'c1', NULL, NULL)).status, 'FORBIDDEN'), t.eq((api.conversation_get('other', 'u1', 'owner', 'c1', NULL, NULL)).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((api.conversation_get('acc', 'u1', 'owner', 'c9', NULL, NULL)).status, 'CONVERSATION_NOT_FOUND');
UPDATE lifeos.message SET content = repeat(E'\x01', 65536) WHERE ordinal < 6;
INSERT INTO lifeos.message SELECT 'acc', 'c1', i, 'm', 't1', 'user', 'complete', NULL, repeat(E'\x01', 65536), 1 FROM generate_series(7, 20) i;
SELECT t.ok(octet_length(g.body::text) < 4186112), t.eq(g.body ->> 'hasMore', 'true'), t.eq(g.body ->> 'nextCursor', '11') FROM api.conversation_get('acc', 'u1', 'owner', 'c1', NULL, NULL) g;

--- a chat is forgotten for good: its words are nowhere, what remains still verifies
SELECT t.begin('c1', 't1', 'sekret question', chat => true), t.add('c1', 't1', 0, 'sekret answer');
SELECT t.end('c1', 't1', 'sekret answer', proposals => '[{"kind":"confirm","message":"sekret thing?"},{"kind":"deliverable","deliverable":"cv","markdown":"kept"}]');
SELECT t.eq(f.body::text, '{"ok":true,"conversationId":"c1","more":false}') FROM t.forget('c1') f;
SELECT t.eq((SELECT count(*) FROM lifeos.event e WHERE e.session_id = 'c1' AND e.payload IS NOT NULL), 0), t.eq((SELECT count(*) FROM lifeos.message), 0),
       t.eq((SELECT count(*) FROM lifeos.turn o WHERE o.answer IS NOT NULL), 0), t.eq((SELECT count(*) FROM lifeos.action_version v WHERE v.arguments IS NOT NULL OR v.summary IS NOT NULL), 0),
       t.eq((SELECT string_agg(f.state, '') FROM lifeos.confirmation f), 'void'), t.eq((SELECT string_agg(d.markdown, '') FROM lifeos.deliverable_version d), 'kept'),
       t.eq((SELECT count(*) FROM lifeos.event e), 13), t.eq(t.chains(), 'whole');
SELECT t.eq((SELECT count(*) FROM (SELECT c::text AS r FROM lifeos.conversation c UNION ALL SELECT o::text FROM lifeos.turn o UNION ALL SELECT a::text FROM lifeos.action a
        UNION ALL SELECT v::text FROM lifeos.action_version v UNION ALL SELECT u::text FROM lifeos.audit u UNION ALL SELECT r::text FROM lifeos.command_receipt r) x WHERE x.r LIKE '%sekret%'), 0);
SELECT t.eq(a.action || a.detail, 'conversation_delete{"more":false}') FROM lifeos.audit a WHERE a.action = 'conversation_delete';

--- a forgotten chat is not there: for reads, for turns, for stops, to be forgotten again
SELECT t.begin('c1', 't1', chat => true), t.end('c1', 't1', 'a'), t.forget('c1');
SELECT t.turns() AS before \gset
SELECT t.eq((api.conversation_get('acc', 'u1', 'member', 'c1', NULL, NULL)).status, 'CONVERSATION_NOT_FOUND'), t.eq((api.conversation_list('acc', 'u1', 'member', NULL, NULL)).body ->> 'conversations', '[]'),
       t.eq((api.event_read('acc', 'u1', 'owner', 'c1', 0, 100)).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.replay('c1', 10, NULL, NULL)).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((api.stream_open('acc', 'u1', 'owner', 'c1', NULL)).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.snapshots('c1')).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((t.checkpoint('c1', 'w', 1)).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.begin('c1', 't1', chat => true)).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((t.begin('c1', 't2', chat => true)).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.add('c1', 't1', 0, 'x')).status, 'TURN_INTERRUPTED'), t.eq((t.end('c1', 't1', 'x')).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((t.stop('c1')).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.forget('c1')).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.forget('c1', who => 'u2')).status, 'FORBIDDEN'),
       t.eq((t.create('c1')).status, 'SESSION_EXISTS'), t.eq((t.begin('c1', 't2')).status, 'SESSION_NOT_FOUND');
SELECT t.eq(t.turns(), :'before');

--- forgetting is a command, for who may write, of what is there and is over
SELECT t.begin('c1', 't1', chat => true), t.create('s1', role => 'member'), t.begin('s1', 't1'), t.end('s1', 't1', 'a');
SELECT t.turns() AS before \gset
SELECT t.eq((t.forget('c1')).status, 'CONVERSATION_BUSY', 'a turn runs'), t.eq((t.forget('s1')).status, 'CONVERSATION_BUSY', 'the call goes on'), t.eq((t.forget('c9')).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((t.forget('c1', who => 'u2')).status, 'FORBIDDEN'), t.eq((t.forget('c1', role => 'viewer')).status, 'FORBIDDEN'), t.eq((t.forget('c1', account => 'other')).status, 'CONVERSATION_NOT_FOUND');
SELECT t.eq(t.turns(), :'before');
SELECT t.end('c1', 't1', 'a'), t.action('a1', 'requested', 30, session => 'c1');
SELECT t.eq((t.forget('c1')).status, 'CONVERSATION_BUSY', 'an action is carried out');
UPDATE lifeos.action SET lease_until = NULL;
SELECT t.eq((t.forget('c1', command => 'x')).status, 'OK'), t.eq((t.forget('c1', command => 'x')).body ->> 'more', 'false', 'the first answer');
SELECT t.begin('c2', 't1', chat => true), t.end('c2', 't1', 'a'), t.eq((t.forget('c2', command => 'x')).status, 'OK', 'the hash is the writer''s');
SELECT t.eq((api.conversation_delete('acc', 'u1', 'member', 'x', 'c2', '\x99')).status, 'IDEMPOTENCY_CONFLICT');

--- of a call that is over the words go, and the rest of the call stays
SELECT t.create('s1', role => 'member'), t.begin('s1', 't1', 'sekret'), t.add('s1', 't1', 0, 'sekret too'), t.end('s1', 't1', 'sekret too', proposals => '[{"kind":"mode","activate":true,"mode":"cv"}]');
SELECT t.transcript('s1', 'x', 'final', 'u9', 'sekret said'), t.state('s1', 'ended');
SELECT t.eq((t.forget('s1')).body ->> 'more', 'false');
SELECT t.eq((SELECT string_agg(DISTINCT e.type, ' ' ORDER BY e.type) FROM lifeos.event e WHERE e.payload IS NULL), 'transcript.delta transcript.final'),
       t.eq((SELECT count(*) FROM lifeos.event e WHERE e.payload::text LIKE '%sekret%'), 0), t.eq((SELECT count(*) FROM lifeos.message), 0), t.eq(t.chains(), 'whole'),
       t.eq(t.session('s1', 'status'), 'ended'), t.eq((api.conversation_get('acc', 'u1', 'member', 's1', NULL, NULL)).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((t.begin('s1', 't1')).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.replay('s1', 100, NULL, NULL)).status, 'OK'), t.eq((t.forget('s1')).status, 'CONVERSATION_NOT_FOUND');

--- a long conversation is forgotten in rounds; from the first on it is gone
SELECT t.begin('c1', 't1', chat => true), t.end('c1', 't1', 'a');
INSERT INTO lifeos.message SELECT 'acc', 'c1', i, 'm', 't1', 'user', 'complete', NULL, 'x', 1 FROM generate_series(3, 4500) i;
SELECT t.eq((t.forget('c1')).body ->> 'more', 'true'), t.eq((t.begin('c1', 't2', chat => true)).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.forget('c1')).body ->> 'more', 'true');
SELECT t.eq((t.forget('c1')).body ->> 'more', 'false');
SELECT t.eq((SELECT count(*) FROM lifeos.message), 0), t.eq((t.forget('c1')).status, 'CONVERSATION_NOT_FOUND');

--- events of a long chat are forgotten in rounds, each from where the last one ended
SELECT t.begin('c1', 't1', chat => true), t.end('c1', 't1', 'a');
SELECT t.eq(lib.conversation_mute(c, 3), 3) FROM lifeos.conversation c;
SELECT t.eq((SELECT string_agg(e.sequence::text, ' ' ORDER BY e.sequence) FROM lifeos.event e WHERE e.payload IS NULL), '1 2 3');
UPDATE lifeos.conversation SET erased_to = 3;
SELECT t.ok(NOT lib.conversation_forget(c, 6)) FROM lifeos.conversation c;
SELECT t.eq((SELECT count(*) FROM lifeos.event e WHERE e.payload IS NOT NULL), 0);

--- erasing a session's events takes their words out of messages, answers and actions too
SELECT t.create('s1'), t.begin('s1', 't1', 'sekret one'), t.end('s1', 't1', 'sekret answer', proposals => '[{"kind":"confirm","message":"sekret?"}]'), t.begin('s1', 't2', 'two'), t.end('s1', 't2', 'b');
SELECT t.eq((t.erase('s1', 1, 8)).status, 'OK'), t.eq(t.says('s1'), 'u:complete:two | a:complete:b');
SELECT t.eq((SELECT count(*) FROM lifeos.turn o WHERE o.answer IS NOT NULL), 1), t.eq((SELECT count(*) FROM lifeos.action_version v WHERE v.summary IS NOT NULL), 0), t.eq(t.chains(), 'whole');
SELECT t.eq((t.begin('s1', 't1', 'sekret one')).body ->> 'state' || coalesce((t.begin('s1', 't1', 'sekret one')).body ->> 'answer', '-'), 'done-', 'it is known still');
SELECT t.eq(g.body #>> '{messages,0,content}' || (g.body ->> 'hasMore'), 'twofalse') FROM api.conversation_get('acc', 'u1', 'owner', 's1', NULL, NULL) g;
SELECT t.begin('c1', 't1', chat => true), t.eq((t.erase('c1')).status, 'OK', 'of a chat as well'), t.eq(t.says('c1'), 'u:complete:hello', 'but not under a turn that runs');

--- a call's conversation and its drafts are its user's, whoever speaks in it first
SELECT t.create('s1', role => 'member');
SELECT t.begin('s1', 't1', who => 'boss', role => 'owner'), t.end('s1', 't1', 'a', proposals => '[{"kind":"deliverable","deliverable":"cv","data":{"name":"A"}}]');
SELECT t.eq((SELECT c.user_id FROM lifeos.conversation c), 'u1'), t.eq((SELECT d.user_id FROM lifeos.deliverable d), 'u1');
SELECT t.eq((api.conversation_list('acc', 'u1', 'member', NULL, NULL)).body #>> '{conversations,0,conversationId}', 's1');

--- whatever numbers were spelled in it, a chat is forgotten: actions, their events, what the model put in
SELECT t.begin('c1', 't1', chat => true), t.end('c1', 't1', 'a', proposals => '[{"kind":"mode","activate":true,"mode":"cv","uiEvent":{"type":"mode.activate","payload":{"mode":"cv","context":{"n":1e999999}}}}]');
SELECT t.ask('a1', 'cv.generate', '{"data":{"n":-1e999999}}', session => 'c1');
UPDATE lifeos.action SET lease_until = NULL;
SELECT t.eq(r.status || (r.body ->> 'more'), 'OKfalse') FROM api.conversation_delete('acc', 'u1', 'member', 'd1', 'c1', '\x01') r;
SELECT t.eq((SELECT count(*) FROM lifeos.event e WHERE e.payload IS NOT NULL), 0), t.eq((SELECT count(*) FROM lifeos.action_version v WHERE v.arguments IS NOT NULL), 0);
