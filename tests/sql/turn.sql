--- a turn's words are stored and told before it runs, in the contract's order
SELECT t.create('s1');
SELECT t.eq(b.status, 'OK'), t.eq(b.head, 4), t.eq(b.session_id, 's1'), t.eq(b.body ->> 'state', 'run'), t.eq(b.body ->> 'attempt', '1'),
       t.eq(b.body ->> 'history', '[]'), t.eq(b.body ->> 'outcomes', '[]'), t.eq(b.body ->> 'stored', '0'), t.eq(b.body ->> 'tokensLeft', NULL),
       t.eq(b.body #>> '{voice,persona}' || (b.body #>> '{voice,synthesisAllowed}'), 'bothtrue'), t.eq(b.body ->> 'persona', 'both'), t.eq(b.body ->> 'conversationId', 's1'), t.eq(b.body ->> 'turnId', 't1')
FROM t.begin('s1', 't1', 'hello there') b;
SELECT t.eq(t.types('s1'), 'call.started call.turn.owner_changed transcript.final call.turn.owner_changed');
SELECT t.eq(t.payload('s1', 'call.turn.owner_changed'), '{"callId":"s1","owner":"agent","reason":"assistant_processing","turnId":"t1"}'),
       t.ok(t.payload('s1', 'transcript.final') ~ '^{"endMs":0,"speaker":"user","startMs":0,"text":"hello there","utteranceId":"utt_user_[0-9a-f]{16}"}$');
SELECT t.eq(t.says('s1'), 'u:complete:hello there'), t.eq(t.texts('s1'), 'hello there'), t.eq(t.turn('t1'), 'running 1'), t.eq(t.chains(), 'whole');

--- an answer is told as it arrives, ends as one final, and is one message
SELECT t.create('s1'), t.begin('s1', 't1', 'hi');
SELECT t.eq(a.body::text, '{"ok":true,"stop":false}'), t.eq(a.head, 5) FROM t.add('s1', 't1', 0, 'Hällo') a;
SELECT t.eq(t.says('s1'), 'u:complete:hi | a:arriving:Hällo'), t.eq((t.add('s1', 't1', 6, ' du')).head, 6);
SELECT t.ok(t.payload('s1', 'transcript.delta') ~ '^{"offset":6,"speaker":"agent","text":" du","utteranceId":"utt_agent_[0-9a-f]{16}"}$');
SELECT t.eq(t.texts('s1'), 'hi', 'a delta is no snapshot');
SELECT t.eq(e.status, 'OK'), t.eq(e.head, 11), t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final call.turn.timing'),
       t.eq(e.body ->> 'speaker' || (e.body ->> 'incomplete'), 'marianafalse'), t.eq(e.body ->> 'text', '{"content":"Hällo du","speaker":"mariana"}'),
       t.eq((SELECT string_agg(x ->> 'sequence', ' ') FROM json_array_elements(e.body -> 'events') x), '2 3 4 7 8'),
       t.eq((SELECT string_agg(k, ',') FROM json_object_keys(e.body) k), 'ok,sessionId,conversationId,turnId,messageId,speaker,text,incomplete,events')
FROM t.end('s1', 't1', 'Hällo du', speaker => 'mariana') e;
SELECT t.eq(t.says('s1'), 'u:complete:hi | a:complete:Hällo du'), t.eq(t.texts('s1'), 'hi Hällo du'), t.eq(t.state_of('s1'), 'hi Hällo du true'),
       t.eq(t.turn('t1'), 'completed 1'), t.eq(t.chains(), 'whole');
SELECT t.eq(t.payload('s1', 'call.turn.timing'), '{"callId":"s1","captureToBackendMs":10,"orchestratorMs":20,"playbackStartMs":30,"sloBreached":false,'
        '"thresholdMs":2500,"totalMs":2400,"turnId":"t1"}');
SELECT t.eq(m.message_id, o.answer ->> 'messageId') FROM lifeos.turn o JOIN lifeos.message m ON m.turn_id = o.turn_id AND m.role = 'assistant';

--- the deltas of an utterance and its final carry one id, and every event of an answer reads as the stream has it
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'abc');
SELECT t.end('s1', 't1', 'abc');
SELECT t.eq((SELECT count(*) FROM lifeos.turn o, json_array_elements(o.answer -> 'events') x
             JOIN api.event_read('acc', 'u1', 'owner', 's1', 0, 100) r ON r.sequence = (x ->> 'sequence')::bigint AND r.event = x::text), 5);
SELECT t.eq(t.payload('s1', 'transcript.delta')::json ->> 'utteranceId', t.payload('s1', 'transcript.final')::json ->> 'utteranceId');

--- a late turn is told as such
SELECT t.create('s1'), t.begin('s1', 't1'), t.end('s1', 't1', 'x', total => 2501);
SELECT t.eq(t.payload('s1', 'call.turn.timing')::json ->> 'sloBreached', 'true');

--- an incomplete answer is kept, marked, and proposes nothing
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(e.status || (e.body ->> 'incomplete'), 'OKtrue'), t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final call.turn.timing')
FROM t.end('s1', 't1', 'so far', 'incomplete', '[{"kind":"mode","activate":true,"mode":"cv"}]') e;
SELECT t.eq(t.says('s1'), 'u:complete:hello | a:cut:so far'), t.eq(t.payload('s1', 'transcript.final')::json ->> 'cut', 'true'), t.eq(t.turn('t1'), 'incomplete 1');

--- an answer of tags alone says nothing and leaves no message
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed call.turn.timing orchestration.action.requested')
FROM t.end('s1', 't1', '', proposals => '[{"kind":"mode","activate":true,"mode":"cv"}]') e;
SELECT t.eq(t.says('s1'), 'u:complete:hello'), t.eq(t.texts('s1'), 'hello');

--- a failed turn keeps what was said, marks it as cut, and says why
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'I was');
SELECT t.eq(e.status, 'AI_TIMEOUT'), t.eq(e.message, 'too slow'), t.eq(e.head, 10), t.eq(e.body ->> 'text', '{"content":"I was","speaker":"both"}'),
       t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final call.error'),
       t.eq((SELECT string_agg(k, ',') FROM json_object_keys(e.body) k), 'turnId,conversationId,text,events')
FROM t.end('s1', 't1', NULL, 'failed', '[{"kind":"mode","activate":true,"mode":"cv"}]', 'AI_TIMEOUT', 'too slow') e;
SELECT t.eq(t.says('s1'), 'u:complete:hello | a:cut:I was'), t.eq(t.turn('t1'), 'failed AI_TIMEOUT 1'),
       t.eq(t.payload('s1', 'call.error'), '{"callId":"s1","code":"AI_TIMEOUT","message":"too slow","retryable":true}'),
       t.eq(t.payload('s1', 'transcript.final')::json ->> 'cut', 'true'), t.eq(t.chains(), 'whole');
SELECT t.eq((t.begin('s1', 't2')).body ->> 'history', '[{"role":"user","content":"hello"},{"role":"assistant","content":"I was","cut":true}]');

--- a turn that failed before a word leaves only its error, and the next one begins
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(e.status, 'AI_FAILED'), t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed call.error') FROM t.end('s1', 't1', NULL, 'failed') e;
SELECT t.eq(t.says('s1'), 'u:complete:hello'), t.eq((t.begin('s1', 't2')).body ->> 'state', 'run');

--- codes say whether to try again as the table of statuses does
SELECT t.eq(string_agg(code || lib.retryable(code), ' '), 'AI_NOT_CONFIGUREDfalse AI_TLS_FAILEDfalse AI_REFUSEDfalse AI_TIMEOUTtrue AI_EMPTYtrue TURN_CANCELLEDfalse TURN_INTERRUPTEDtrue TURN_BUDGET_SPENTfalse')
FROM unnest('{AI_NOT_CONFIGURED,AI_TLS_FAILED,AI_REFUSED,AI_TIMEOUT,AI_EMPTY,TURN_CANCELLED,TURN_INTERRUPTED,TURN_BUDGET_SPENT}'::text[]) code;

--- a cancelled turn gives the word back to the user
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'well');
SELECT t.eq(e.status, 'TURN_CANCELLED'), t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final call.turn.owner_changed')
FROM t.end('s1', 't1', NULL, 'cancelled', code => 'TURN_CANCELLED') e;
SELECT t.eq(t.payload('s1', 'call.turn.owner_changed'), '{"callId":"s1","owner":"user","reason":"stopped","turnId":"t1"}'), t.eq(t.turn('t1'), 'cancelled TURN_CANCELLED 1');

--- words that had not been stored when it ended are kept too
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'one'), t.end('s1', 't1', 'one two', 'failed');
SELECT t.eq(t.says('s1'), 'u:complete:hello | a:cut:one two');

--- a turn that ended is asked for again: the same answer, nothing new, however it ended
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'abc');
SELECT (t.end('s1', 't1', 'abc', tokens => 7)).body AS answer \gset
SELECT t.turns() AS before \gset
SELECT t.eq((t.end('s1', 't1', 'other', tokens => 7)).body::text, :'answer'), t.eq((t.end('s1', 't1', NULL, 'failed', runner => 'run2')).status, 'OK');
SELECT t.eq(b.body ->> 'state' || (b.body ->> 'status'), 'doneOK'), t.eq(b.body ->> 'answer', :'answer') FROM t.begin('s1', 't1', runner => 'run2') b;
SELECT t.eq((t.begin('s1', 't1', 'other')).status, 'IDEMPOTENCY_CONFLICT'), t.eq((t.begin('s1', 't1', persona => 'mariana')).status, 'IDEMPOTENCY_CONFLICT'),
       t.eq((t.begin('s1', 't1', who => 'boss', role => 'owner')).status, 'IDEMPOTENCY_CONFLICT');
SELECT t.eq(t.turns(), :'before');
SELECT t.begin('s1', 't2'), t.end('s1', 't2', NULL, 'failed', code => 'AI_EMPTY', message => 'why');
SELECT t.eq(e.status || e.message || (e.body ->> 'turnId'), 'AI_EMPTYwhyt2') FROM t.end('s1', 't2', 'late') e;
SELECT t.eq(b.body ->> 'status' || (b.body ->> 'message') || (b.body #>> '{answer,turnId}'), 'AI_EMPTYwhyt2') FROM t.begin('s1', 't2') b;

--- the same turn after the call has ended still has its answer; a new one is refused
SELECT t.create('s1'), t.begin('s1', 't1'), t.end('s1', 't1', 'abc'), t.state('s1', 'ended');
SELECT t.turns() AS before \gset
SELECT t.eq((t.begin('s1', 't1')).body ->> 'state', 'done'), t.eq((t.begin('s1', 't2')).status, 'INVALID_TRANSITION');
SELECT t.eq(t.turns(), :'before');

--- a call that ends under a turn does not take the turn's answer away
SELECT t.create('s1'), t.begin('s1', 't1'), t.state('s1', 'ended');
SELECT t.eq((t.add('s1', 't1', 0, 'a')).status || (t.end('s1', 't1', 'ab')).status, 'OKOK'), t.eq(t.says('s1'), 'u:complete:hello | a:complete:ab');

--- its own runner asks again and goes on, as often as it likes
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(b.body ->> 'state' || (b.body ->> 'attempt') || (b.body ->> 'stored'), 'run10') FROM t.begin('s1', 't1') b;
SELECT t.add('s1', 't1', 0, 'ab');
SELECT t.eq(b.body ->> 'state' || (b.body ->> 'attempt') || (b.body ->> 'stored'), 'run12') FROM t.begin('s1', 't1') b;
SELECT t.eq(t.types('s1'), 'call.started call.turn.owner_changed transcript.final call.turn.owner_changed transcript.delta');

--- while the lease holds another runner waits, for the same turn and for the next
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.turns() AS before \gset
SELECT t.eq(b.body::text, '{"ok":true,"state":"wait","turnId":"t1","conversationId":"s1","running":"t1","stopped":false}') FROM t.begin('s1', 't1', runner => 'run2', replace => true) b;
SELECT t.eq(b.body::text, '{"ok":true,"state":"wait","turnId":"t2","conversationId":"s1","running":"t1","stopped":false}') FROM t.begin('s1', 't2', 'next') b;
SELECT t.eq(t.turns(), :'before');
SELECT t.eq((t.end('s1', 't1', 'a')).status || (t.begin('s1', 't2', 'next')).status, 'OKOK'), t.eq(t.turn('t2'), 'running 1');

--- a turn nobody runs any more is taken over if nothing of it was stored: no new words, no new events
SELECT t.create('s1'), t.begin('s1', 't1'), t.lose('t1');
SELECT t.eq(b.body ->> 'state' || (b.body ->> 'attempt') || (b.body ->> 'history'), 'run2[]') FROM t.begin('s1', 't1', runner => 'run2') b;
SELECT t.eq(t.types('s1'), 'call.started call.turn.owner_changed transcript.final call.turn.owner_changed'), t.eq(t.says('s1'), 'u:complete:hello');
SELECT t.eq((t.add('s1', 't1', 0, 'x')).status, 'TURN_INTERRUPTED'), t.eq((t.end('s1', 't1', 'x')).status, 'TURN_INTERRUPTED', 'who lost it stores nothing'),
       t.eq((t.add('s1', 't1', 0, 'y', 'run2')).status || (t.end('s1', 't1', 'y', runner => 'run2')).status, 'OKOK'), t.eq(t.says('s1'), 'u:complete:hello | a:complete:y');

--- a turn nobody runs any more is over if something of it was said: it is not said twice
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'half'), t.lose('t1');
SELECT t.eq(b.body ->> 'state' || (b.body ->> 'status') || (b.body #>> '{answer,text,content}'), 'doneTURN_INTERRUPTEDhalf') FROM t.begin('s1', 't1', runner => 'run2') b;
SELECT t.eq(t.types('s1'), 'call.started call.turn.owner_changed transcript.final call.turn.owner_changed transcript.delta transcript.final call.error');
SELECT t.eq(t.says('s1'), 'u:complete:hello | a:cut:half'), t.eq((t.end('s1', 't1', 'half more')).status, 'TURN_INTERRUPTED'), t.eq(t.says('s1'), 'u:complete:hello | a:cut:half'),
       t.eq(t.payload('s1', 'call.error')::json ->> 'retryable', 'true');

--- a runner that was slow but not replaced goes on
SELECT t.create('s1'), t.begin('s1', 't1'), t.lose('t1');
SELECT t.eq((t.add('s1', 't1', 0, 'x')).status, 'OK');
SELECT t.ok(o.lease_until > lib.now() + 29000000) FROM lifeos.turn o;
SELECT t.lose('t1'), t.eq((t.end('s1', 't1', 'xy')).status, 'OK');

--- a turn nobody runs any more does not hold up the next one
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'half'), t.lose('t1');
SELECT t.eq(b.body ->> 'state', 'run'), t.eq(b.body ->> 'history', '[{"role":"user","content":"hello"},{"role":"assistant","content":"half","cut":true}]')
FROM t.begin('s1', 't2', 'next') b;
SELECT t.eq(t.turn('t1'), 'failed TURN_INTERRUPTED 1'), t.eq(t.turn('t2'), 'running 1'), t.eq(t.chains(), 'whole');

--- the sweep ends a turn whose lease is over, and no other
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'half');
SELECT t.ok(NOT lib.turn_interrupt('acc', 's1', 't1')), t.ok(NOT lib.turn_interrupt('acc', 's1', 'nope')), t.ok(NOT lib.turn_interrupt('acc', 'nope', 't1'));
SELECT t.lose('t1'), t.ok(lib.turn_interrupt('acc', 's1', 't1')), t.ok(NOT lib.turn_interrupt('acc', 's1', 't1'));
SELECT t.eq(t.turn('t1'), 'failed TURN_INTERRUPTED 1'), t.eq(t.says('s1'), 'u:complete:hello | a:cut:half');

--- pieces are stored once each, whatever is repeated, overlaps or is missing
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'abc');
SELECT t.eq((t.add('s1', 't1', 0, 'abc')).head, NULL), t.eq((t.add('s1', 't1', 1, 'b')).status, 'OK'), t.eq((t.add('s1', 't1', 1, 'bcd')).head, 6);
SELECT t.eq(t.payload('s1', 'transcript.delta')::json ->> 'text' || (t.payload('s1', 'transcript.delta')::json ->> 'offset'), 'd3');
SELECT t.turns() AS before \gset
SELECT t.eq((t.add('s1', 't1', 5, 'x')).status, 'INVALID_REQUEST'), t.eq((t.add('s1', 't1', 0, 'abc', 'run2')).status, 'TURN_INTERRUPTED'),
       t.eq((t.add('s1', 't9', 0, 'x')).status, 'TURN_INTERRUPTED'), t.eq((t.add('s9', 't1', 0, 'x')).status, 'TURN_INTERRUPTED'),
       t.eq((t.add('s1', 't1', 0, 'x', account => 'other')).status, 'TURN_INTERRUPTED');
SELECT t.eq(t.turns(), :'before'), t.eq(t.says('s1'), 'u:complete:hello | a:arriving:abcd');
SELECT t.add('s1', 't1', 4, 'ä');
SELECT t.eq((t.add('s1', 't1', 5, 'ä')).status, 'INVALID_REQUEST', 'in the middle of a character'), t.eq(t.says('s1'), 'u:complete:hello | a:arriving:abcdä');

--- a sign of life renews the lease and says nothing
SELECT t.create('s1'), t.begin('s1', 't1'), t.lose('t1');
SELECT t.eq(a.status || (a.body ->> 'stop'), 'OKfalse'), t.eq(a.head, NULL) FROM t.add('s1', 't1', 0, NULL) a;
SELECT t.ok(o.lease_until > lib.now()) FROM lifeos.turn o;

--- an answer of 64 KiB arrives whole, in events that a reader takes, and not a byte more
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq((t.add('s1', 't1', 0, repeat(E'\x01', 30000))).head, 6), t.eq((t.add('s1', 't1', 30000, repeat('"', 30000))).head, 8),
       t.eq((t.add('s1', 't1', 60000, repeat('ä', 2768))).head, 9), t.eq((t.add('s1', 't1', 65536, 'x')).status, 'INVALID_REQUEST');
SELECT t.eq((SELECT string_agg(e.payload ->> 'offset', ' ' ORDER BY e.sequence) FROM lifeos.event e WHERE e.type = 'transcript.delta'), '0 16384 30000 46384 60000');
SELECT t.eq(e.status, 'OK'), t.eq(octet_length(e.body #>> '{text,content}'), 65536) FROM t.end('s1', 't1', repeat(E'\x01', 30000) || repeat('"', 30000) || repeat('ä', 2768)) e;
SELECT t.ok(max(octet_length(e.event)) <= 131072), t.eq(t.payload('s1', 'transcript.final')::json ->> 'shortened', 'true'), t.eq(t.chains(), 'whole')
FROM api.event_read('acc', 'u1', 'owner', 's1', 0, 100) e;
SELECT t.eq(octet_length(m.content), 65536) FROM lifeos.message m WHERE m.role = 'assistant';

--- the longest words of a user fit into their event
SELECT t.create('s1'), t.begin('s1', 't1', repeat(E'\x01', 16384));
SELECT t.ok(max(octet_length(e.event)) <= 131072), t.eq(t.payload('s1', 'transcript.final')::json ->> 'shortened', NULL) FROM api.event_read('acc', 'u1', 'owner', 's1', 0, 100) e;

--- history is what was said before, the newest so many, and not over 1 MiB
SELECT t.create('s1');
SELECT t.begin('s1', 't' || i, 'q' || i), t.end('s1', 't' || i, 'a' || i) FROM generate_series(1, 4) i;
SELECT t.eq((SELECT string_agg(x ->> 'content', ' ') FROM json_array_elements(b.body -> 'history') x), 'a3 q4 a4') FROM t.begin('s1', 't5', history => 3) b;
SELECT t.end('s1', 't5', 'a5'), t.eq((t.begin('s1', 't6', history => 0)).body ->> 'history', '[]'), t.end('s1', 't6', 'a6');
UPDATE lifeos.message SET content = repeat('x', 65000);
SELECT t.eq(json_array_length(b.body -> 'history'), 12) FROM t.begin('s1', 't7') b;
UPDATE lifeos.message SET content = repeat(E'\x01', 65000) WHERE ordinal <= 12;
SELECT t.ok(octet_length((t.begin('s1', 't7')).body ->> 'history') BETWEEN 390000 AND 1100000);

--- outcomes are of actions decided since the turn before began, in their order
SELECT t.create('s1'), t.begin('s1', 't1'), t.end('s1', 't1', 'a'), t.action('old', 'executed'), t.action('a1', 'declined'), t.action('a2', 'executed'), t.action('a3', 'proposed');
INSERT INTO lifeos.action_version SELECT 'acc', 's1', i, 1, 'sum ' || i, '{}', '', 'model', 'm', 1 FROM unnest('{old,a1,a2,a3}'::text[]) i;
UPDATE lifeos.action SET updated_at = CASE action_id WHEN 'old' THEN 1 WHEN 'a1' THEN lib.now() + 1 ELSE lib.now() + 2 END;
SELECT t.eq(b.body ->> 'outcomes', '[{"actionId":"a1","actionType":"cv.edit","status":"declined","summary":"sum a1"},'
        '{"actionId":"a2","actionType":"cv.edit","status":"executed","summary":"sum a2"}]') FROM t.begin('s1', 't2') b;
UPDATE lifeos.action SET updated_at = 2;
SELECT t.end('s1', 't2', 'b'), t.eq((t.begin('s1', 't3')).body ->> 'outcomes', '[]', 'told once');

--- who may: owner and admin everywhere in their account, a member in his own, nobody else
SELECT t.create('s1', who => 'u1', role => 'member'), t.key('k', 'acc', 'ingest'), t.key('op', 'acc', 'operator'), t.key('all', '*', 'ingest');
SELECT t.turns() AS before \gset
SELECT t.eq((t.begin('s1', 'x', who => 'u2')).status, 'FORBIDDEN'), t.eq((t.begin('s1', 'x', role => 'viewer')).status, 'FORBIDDEN'),
       t.eq((t.begin('s1', 'x', who => 'k', role => 'ingest')).status, 'FORBIDDEN'), t.eq((t.begin('s1', 'x', who => 'op', role => 'operator')).status, 'FORBIDDEN'),
       t.eq((t.begin('s1', 'x', who => 'all', role => 'ingest', account => '*')).status, 'FORBIDDEN'),
       t.eq((t.begin('c9', 'x', chat => true, who => 'all', role => 'ingest', account => '*')).status, 'FORBIDDEN'),
       t.eq((t.begin('s1', 'x', account => 'other')).status, 'SESSION_NOT_FOUND'), t.eq((t.begin('s9', 'x')).status, 'SESSION_NOT_FOUND'),
       t.eq((t.begin('@account', 'x')).status, 'SESSION_NOT_FOUND'), t.eq((t.begin('c9', 'x', chat => true, role => 'viewer')).status, 'FORBIDDEN'),
       t.eq((t.begin('c9', 'x', chat => true, who => 'k', role => 'ingest')).status, 'FORBIDDEN'), t.eq((t.begin('s1', 'x', chat => true)).status, 'CONVERSATION_NOT_FOUND'),
       t.eq((t.stop('s1', who => 'u2')).status, 'FORBIDDEN'), t.eq((t.stop('s1', role => 'viewer')).status, 'FORBIDDEN'), t.eq((t.stop('s1', account => 'other')).status, 'CONVERSATION_NOT_FOUND');
SELECT t.eq(t.turns(), :'before');
SELECT t.eq((t.begin('s1', 't1', who => 'boss', role => 'admin')).status, 'OK'), t.end('s1', 't1', 'a'), t.eq((t.begin('s1', 't2', who => 'boss', role => 'owner')).status, 'OK');
SELECT t.eq(c.user_id, 'u1') FROM lifeos.call_session c;

--- a suspended account has no turns; what runs may end
SELECT t.create('s1'), t.begin('s1', 't1'), api.account_set('x1', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x00');
SELECT t.eq((t.begin('s1', 't2')).status, 'ACCOUNT_SUSPENDED'), t.eq((t.begin('c1', 't2', chat => true)).status, 'ACCOUNT_SUSPENDED'), t.eq((t.stop('s1')).status, 'ACCOUNT_SUSPENDED'),
       t.eq((t.end('s1', 't1', 'abc')).status, 'OK');

--- a conversation's budget: turns begin until it is used up, failed ones cost too, and no more begin after that
SELECT t.create('s1');
SELECT t.eq((t.begin('s1', 't1', tokens => 100)).body ->> 'tokensLeft', '100'), t.end('s1', 't1', 'a', tokens => 99);
SELECT t.eq((t.begin('s1', 't2', tokens => 100)).body ->> 'tokensLeft', '1'), t.end('s1', 't2', 'a', tokens => 50);
SELECT t.turns() AS before \gset
SELECT t.eq((t.begin('s1', 't3', tokens => 100)).status, 'TURN_BUDGET_SPENT'), t.eq((t.begin('s1', 't3', tokens => 149)).status, 'TURN_BUDGET_SPENT');
SELECT t.eq(t.turns(), :'before');
SELECT t.eq((t.begin('s1', 't2', tokens => 100)).body ->> 'state', 'done', 'what was answered stays answered');
SELECT t.eq((t.begin('s1', 't3', tokens => 150)).body ->> 'tokensLeft', '1'), t.eq(c.tokens, 149) FROM lifeos.conversation c;
SELECT t.end('s1', 't3', NULL, 'failed', tokens => 10), t.eq((t.begin('s1', 't4')).body ->> 'tokensLeft', NULL, 'no limit');
SELECT t.eq(c.tokens, 159, 'failures cost too') FROM lifeos.conversation c;

--- a tenant's day: all its conversations together, its own limit before the appliance's, and a new day is new
SELECT t.create('s1'), t.begin('s1', 't1', per_day => 100), t.end('s1', 't1', 'a', tokens => 60);
SELECT t.eq((t.begin('c1', 't1', chat => true, per_day => 100, tokens => 1000)).body ->> 'tokensLeft', '40'), t.end('c1', 't1', 'a', tokens => 40);
SELECT t.eq((t.begin('s1', 't2', per_day => 100)).status, 'TURN_BUDGET_SPENT'), t.eq((t.begin('c9', 't2', chat => true, per_day => 100)).status, 'TURN_BUDGET_SPENT'),
       t.eq((t.begin('c9', 't1', chat => true, per_day => 100, account => 'other')).body ->> 'tokensLeft', '100', 'another tenant');
SELECT t.eq((SELECT count(*) FROM lifeos.stream s WHERE s.account_id = 'acc' AND s.stream_id = 'c9'), 0);
UPDATE lifeos.account SET ai_tokens_per_day = 130;
SELECT t.eq((t.begin('s1', 't2', per_day => 100)).body ->> 'tokensLeft', '30'), t.end('s1', 't2', 'a');
UPDATE lifeos.account SET ai_tokens_per_day = 90;
SELECT t.eq((t.begin('s1', 't3', per_day => 100000)).status, 'TURN_BUDGET_SPENT'), t.eq((t.begin('s1', 't3')).status, 'TURN_BUDGET_SPENT');
UPDATE lifeos.ai_day SET day = day - 1;
SELECT t.eq((t.begin('s1', 't3', per_day => 100000)).body ->> 'tokensLeft', '90');

--- actions of a call that had no turn are paid for too
SELECT t.create('s1'), lib.ai_spend('acc', 's1', 5), lib.ai_spend('acc', 's1', 6), lib.ai_spend('acc', 's1', 0);
SELECT t.eq(lib.ai_budget('acc', 's1', 20, 15), 4), t.eq(lib.ai_budget('acc', 's1', 20, 0), 9), t.eq(lib.ai_budget('acc', 's1', 0, 0), NULL), t.eq(lib.ai_budget('acc', 's1', 5, 0), 0);

--- a gateway that lies about tokens breaks neither its turn nor those after it
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq((api.turn_end('acc', 's1', 't1', 'run1', 'completed', NULL, NULL, 'a', 'both', NULL, NULL, NULL, 9223372036854775807, 9223372036854775807, 1, 1, 1, 1, 9)).status, 'OK');
SELECT t.begin('s1', 't2');
SELECT t.eq((api.turn_end('acc', 's1', 't2', 'run1', 'completed', NULL, NULL, 'a', 'both', NULL, NULL, NULL, 9223372036854775807, 1, 1, 1, 1, 1, 9)).status, 'OK'),
       t.ok((SELECT c.tokens FROM lifeos.conversation c) < 10000000000), t.ok((SELECT d.tokens FROM lifeos.ai_day d) < 10000000000);

--- a chat that somebody else makes after it was looked for is his: it is looked for again once it is held
SELECT t.begin('c1', 't1', 'private', chat => true, who => 'u1'), t.end('c1', 't1', 'secret');
CREATE SEQUENCE t.looks;
ALTER FUNCTION lib.turn_may(lib.turn_ask) RENAME TO turn_may_then;
CREATE FUNCTION lib.turn_may(a lib.turn_ask) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT CASE nextval('t.looks') WHEN 1 THEN 'new' ELSE lib.turn_may_then(a) END $$;
SELECT t.eq(b.status, 'FORBIDDEN'), t.eq(b.body::text, NULL) FROM t.begin('c1', 't2', 'mine', chat => true, who => 'u2') b;
SELECT t.eq(t.says('c1'), 'u:complete:private | a:complete:secret');
