--- a chat begins with its first turn: a stream of its own, its messages, and an answer in the chat's shape
SELECT t.eq(b.status, 'OK'), t.eq(b.head, 3), t.eq(b.body ->> 'conversationId' || (b.body ->> 'state'), 'c1run') FROM t.begin('c1', 't1', 'hi', chat => true) b;
SELECT t.eq(s.kind || s.user_id, 'conversationu1'), t.eq(c.kind || c.user_id || c.persona || c.messages, 'chatu1both1') FROM lifeos.stream s JOIN lifeos.conversation c ON c.conversation_id = s.stream_id;
SELECT t.eq(t.types('c1'), 'call.turn.owner_changed transcript.final call.turn.owner_changed'), t.eq(t.payload('c1', 'call.turn.owner_changed')::json ->> 'callId', 'c1');
SELECT t.eq(e.head, 8), t.eq(regexp_replace(e.body::text, 'msg_assistant_[0-9a-f]{32}', 'M'), '{"ok":true,"conversationId":"c1","turnId":"t1","messageId":"M","contract":"v1.0",'
        '"speaker":"mariana","text":"hello","incomplete":false,"legacy":{"speaker":"mariana","text":"hello"},"usage":{"inputTokens":7,"outputTokens":0}}')
FROM t.end('c1', 't1', 'hello', speaker => 'mariana', tokens => 7) e;
SELECT t.eq(t.types('c1'), 'call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final call.turn.timing');
SELECT t.eq((t.begin('c1', 't2', 'more', chat => true, persona => 'antonio')).body ->> 'history', '[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}]');
SELECT t.eq(c.persona || c.messages, 'antonio3') FROM lifeos.conversation c;
SELECT t.eq(t.chains(), 'whole');

--- a failed chat turn answers with its status, what was said and its events
SELECT t.begin('c1', 't1', chat => true), t.add('c1', 't1', 0, 'some');
SELECT t.eq(e.status, 'AI_CUT_OFF'), t.eq(e.body #>> '{text,content}', 'some'), t.eq(json_array_length(e.body -> 'events'), 5) FROM t.end('c1', 't1', NULL, 'failed', code => 'AI_CUT_OFF') e;

--- a chat is followed, replayed, listed and kept account of like a call
SELECT t.begin('c1', 't1', chat => true), t.end('c1', 't1', 'hello'), t.key('k', 'acc', 'ingest'), t.key('all', '*', 'ingest');
SELECT t.eq(o.status, 'OK'), t.eq(o.head, 8), t.eq(o.body::text, '{"ok":true,"accountId":"acc","sessionId":"c1","latestSequence":8,"status":"active","checkpoint":null}')
FROM api.stream_open('acc', 'u1', 'member', 'c1', NULL) o;
SELECT t.eq((SELECT count(*) FROM api.event_read('acc', 'u1', 'member', 'c1', 0, 100) WHERE status = 'OK'), 8), t.eq((SELECT count(*) FROM api.event_read('*', 'all', 'ingest', 'c1', 0, 100) WHERE status = 'OK'), 8);
SELECT t.eq(k.status, 'OK'), t.eq(k.body #>> '{checkpoint,watermarkSequence}' || (k.body ->> 'latestSequence') || coalesce(k.body #>> '{sessionAck,sequence}', '-'), '38-') FROM t.checkpoint('c1', 'w', 3, role => 'member') k;
SELECT t.eq((api.stream_open('acc', 'u1', 'member', 'c1', 'w')).body ->> 'checkpoint', '3'), t.eq((t.checkpoint('c1', 'w', 9)).status, 'CURSOR_AHEAD');
SELECT t.eq(b ->> 'sessionId' || json_array_length(b -> 'events') || json_array_length(b -> 'transcriptState') || (b ->> 'hasMore') || (b ->> 'resume'),
        'c182false{"reconnectWindowMs":null,"resumeValidUntilMs":null,"lastAckSequence":null,"latestSequence":8}') FROM (SELECT (t.replay('c1', 100, NULL, true)).body AS b OFFSET 0) x;
SELECT t.eq(t.texts('c1'), 'hello hello'), t.eq((api.event_read('acc', 'u2', 'member', 'c1', 0, 100)).status, 'FORBIDDEN'), t.eq((api.event_read('acc', 'v', 'viewer', 'c1', 0, 1)).status, 'OK'),
       t.eq((api.event_read('other', 'u1', 'owner', 'c1', 0, 100)).status, 'SESSION_NOT_FOUND'), t.eq((api.stream_open('acc', 'k', 'ingest', 'c1', NULL)).status, 'OK');

--- what is about calls does not know a chat, and never fails over it
SELECT t.begin('c1', 't1', chat => true), t.key('op', 'acc', 'operator');
SELECT t.turns() AS before \gset
SELECT t.eq((api.session_get('acc', 'u1', 'owner', 'c1')).status, 'SESSION_NOT_FOUND'), t.eq((t.state('c1', 'ended')).status, 'SESSION_NOT_FOUND'),
       t.eq((t.reconnect('c1', 'token')).status, 'SESSION_NOT_FOUND'), t.eq((api.token_grant('acc', 'u1', 'owner', 'x', 'c1', NULL, 300, 'wss://x', NULL, '\x00')).status, 'SESSION_NOT_FOUND'),
       t.eq((t.compact('c1', 1)).status, 'SESSION_NOT_FOUND'), t.eq((t.create('c1', role => 'member')).status, 'SESSION_EXISTS'), t.eq(t.sweep('c1'), 'SESSION_NOT_FOUND'),
       t.eq((t.begin('c1', 't2')).status, 'SESSION_NOT_FOUND', 'a turn of a call'), t.eq((t.stop('c1', call => true)).status, 'SESSION_NOT_FOUND'),
       t.eq((api.presence('{"here":[["acc","c1","u1"]],"left":[["acc","c1","u1"]]}')).status, 'OK'),
       t.eq((api.session_list('acc', 'u1', 'owner', NULL, NULL, NULL)).body ->> 'sessions', '[]');
SELECT t.eq(t.turns(), :'before');

--- nobody but turns writes into a chat
SELECT t.begin('c1', 't1', chat => true), t.key('k', 'acc', 'ingest'), t.create('s1');
SELECT t.turns() AS before \gset
SELECT t.eq((t.append('c1', '{e1}')).status, 'SESSION_NOT_FOUND'), t.eq((t.append('c1', '{e1,e2}')).status, 'SESSION_NOT_FOUND'), t.eq((t.append('c1', '{e1}', who => 'k', role => 'ingest')).status, 'SESSION_NOT_FOUND'),
       t.eq((t.append('c1', '{e1}', who => 'all', account => '*', role => 'ingest')).status, 'SESSION_NOT_FOUND'), t.eq((t.append('c1', '{e1}', role => 'member')).status, 'SESSION_NOT_FOUND');
SELECT t.eq(t.turns(), :'before');

--- a delta that a service reports is an event, and no snapshot
SELECT t.create('s1');
SELECT t.eq((t.append('s1', '{e1}', '{"{\"offset\":0,\"speaker\":\"agent\",\"text\":\"x\",\"utteranceId\":\"u1\"}"}', type => 'transcript.delta')).status, 'OK'),
       t.eq((SELECT count(*) FROM t.append('s1', '{e2,e3}', ARRAY['{"utteranceId":"u1"}', '{"utteranceId":"u1"}'], type => 'transcript.delta')), 2);
SELECT t.eq((SELECT count(*) FROM lifeos.transcript_segment), 0), t.eq((t.snapshots('s1')).body ->> 'count', '0');

--- a conversation's id is its account's own: what another account calls so is another
SELECT t.create('x1', account => 'other'), t.begin('c1', 't1', account => 'other', chat => true);
SELECT t.eq((t.begin('x1', 't1', chat => true)).status, 'OK'), t.eq((t.begin('c1', 't1', chat => true)).status, 'OK'), t.end('x1', 't1', 'mine'), t.eq(t.says('x1'), 'u:complete:hello | a:complete:mine');
SELECT t.eq((SELECT s.head FROM lifeos.stream s WHERE s.account_id = 'other' AND s.stream_id = 'x1'), 1), t.eq((t.add('c1', 't1', 0, 'a', account => 'other')).status, 'OK');
SELECT t.eq(t.says('c1'), 'u:complete:hello');

--- in one account a call and a chat cannot have one id
SELECT t.create('s1'), t.begin('c1', 't1', chat => true);
SELECT t.turns() AS before \gset
SELECT t.eq((t.begin('s1', 't1', chat => true)).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.begin('c1', 't2')).status, 'SESSION_NOT_FOUND'), t.eq((t.create('c1')).status, 'SESSION_EXISTS');
SELECT t.eq(t.turns(), :'before');

--- a chat is its user's: another member neither goes on with it nor reads it, an owner does
SELECT t.begin('c1', 't1', chat => true), t.end('c1', 't1', 'a');
SELECT t.eq((t.begin('c1', 't2', chat => true, who => 'u2')).status, 'FORBIDDEN'), t.eq((t.begin('c1', 't1', chat => true, who => 'u2')).status, 'FORBIDDEN'),
       t.eq((t.begin('c1', 't2', chat => true, who => 'boss', role => 'owner')).status, 'OK');
SELECT t.eq(c.user_id, 'u1') FROM lifeos.conversation c;

--- a first turn makes a tenant nobody set up
SELECT t.eq((SELECT count(*) FROM lifeos.account a WHERE a.account_id = 'fresh'), 0), t.eq((t.begin('c1', 't1', chat => true, account => 'fresh')).status, 'OK');
SELECT t.eq((SELECT a.status FROM lifeos.account a WHERE a.account_id = 'fresh'), 'active'), t.eq(t.chains(), 'whole');

--- stop marks the running turn, whose runner hears of it with its next words and ends it
SELECT t.create('s1'), t.begin('s1', 't1'), t.add('s1', 't1', 0, 'I');
SELECT t.eq(s.status || s.body::text || s.account_id || s.session_id, 'OK{"ok":true,"turnId":"t1","stopped":true,"conversationId":"s1","sessionId":"s1"}accs1') FROM t.stop('s1', call => true) s;
SELECT t.eq((t.add('s1', 't1', 1, ' go')).body ->> 'stop', 'true'), t.eq((t.add('s1', 't1', 4, NULL)).body ->> 'stop', 'true'), t.eq(t.turn('t1'), 'running 1');
SELECT t.eq((t.end('s1', 't1', 'I go on', 'cancelled', code => 'TURN_CANCELLED')).status, 'TURN_CANCELLED'), t.eq(t.says('s1'), 'u:complete:hello | a:cut:I go on');
SELECT t.eq((SELECT string_agg(a.actor_id || a.detail, ' ') FROM lifeos.audit a WHERE a.action = 'turn_stop'), 'u1{"turnId":"t1"}'), t.eq(t.chains(), 'whole');

--- a turn that was stopped does not complete: nothing that it proposes comes about
SELECT t.begin('c1', 't1', chat => true), t.stop('c1');
SELECT t.eq(e.status, 'TURN_CANCELLED'), t.eq(e.body #>> '{text,content}', 'all of it')
FROM t.end('c1', 't1', 'all of it', proposals => '[{"kind":"action","actionType":"cv.edit","arguments":{"instructions":"x"},"summary":"s"}]') e;
SELECT t.eq((SELECT count(*) FROM lifeos.action), 0), t.eq(t.turn('t1'), 'cancelled TURN_CANCELLED 1');

--- stop names its turn or takes whichever runs; what does not run is not stopped
SELECT t.begin('c1', 't1', chat => true), t.end('c1', 't1', 'a'), t.begin('c2', 't2', chat => true);
SELECT t.turns() AS before \gset
SELECT t.eq((t.stop('c9')).status, 'CONVERSATION_NOT_FOUND'), t.eq((t.stop('s9', call => true)).status, 'SESSION_NOT_FOUND'), t.eq((t.stop(NULL)).status, 'INVALID_REQUEST');
SELECT t.eq(t.turns(), :'before');
SELECT t.eq((t.stop('c1')).body::text, '{"ok":true,"turnId":null,"stopped":false,"conversationId":"c1"}'), t.eq((t.stop('c1', 't1')).body::text, '{"ok":true,"turnId":"t1","stopped":false,"conversationId":"c1"}'),
       t.eq((t.stop('c2', 't9')).body ->> 'stopped', 'false'), t.eq((t.stop('c2', 't2')).body ->> 'stopped', 'true');
SELECT t.eq((SELECT count(*) FROM lifeos.audit a WHERE a.action = 'turn_stop'), 1);

--- the same stop again has its first answer, also when another turn runs by then
SELECT t.begin('c1', 't1', chat => true), t.stop('c1', command => 'x'), t.end('c1', 't1', 'a', 'cancelled'), t.begin('c1', 't2', chat => true);
SELECT t.eq((t.stop('c1', command => 'x')).body::text, '{"ok":true,"turnId":"t1","stopped":true,"conversationId":"c1"}');
SELECT t.eq((t.add('c1', 't2', 0, 'a')).body ->> 'stop', 'false');

--- who replaces a turn has it stopped, waits for its end, and then runs
SELECT t.begin('c1', 't1', chat => true), t.add('c1', 't1', 0, 'long');
SELECT t.eq(b.body::text, '{"ok":true,"state":"wait","turnId":"t2","conversationId":"c1","running":"t1","stopped":true}'), t.eq(b.account_id || b.session_id, 'accc1')
FROM t.begin('c1', 't2', 'no', chat => true, replace => true) b;
SELECT t.eq((t.begin('c1', 't2', 'no', chat => true, replace => true)).body ->> 'state', 'wait'), t.eq((t.add('c1', 't1', 4, NULL)).body ->> 'stop', 'true');
SELECT t.end('c1', 't1', 'long', 'cancelled'), t.eq((t.begin('c1', 't2', 'no', chat => true, replace => true)).body ->> 'state', 'run'), t.eq(t.turn('t1'), 'cancelled TURN_CANCELLED 1');

--- a stopped turn that nobody runs any more is stopped, not interrupted, and not taken over
SELECT t.begin('c1', 't1', chat => true), t.stop('c1'), t.lose('t1');
SELECT t.eq(b.body ->> 'state' || (b.body ->> 'status'), 'doneTURN_CANCELLED') FROM t.begin('c1', 't1', chat => true, runner => 'run2') b;
SELECT t.begin('c1', 't2', chat => true), t.stop('c1'), t.lose('t2'), t.ok(lib.turn_interrupt('acc', 'c1', 't2'));
SELECT t.eq(t.turn('t2'), 'cancelled TURN_CANCELLED 1');

--- a turn finds its rows by index, whatever the length of its conversation
SELECT t.create('s1');
SELECT t.begin('s1', 't' || i, 'q' || i), t.end('s1', 't' || i, 'a' || i) FROM generate_series(1, 300) i;
CREATE FUNCTION pg_temp.reads() RETURNS bigint LANGUAGE sql AS $$
        SELECT sum(seq_scan) * 1000000 + sum(coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables
        WHERE relname IN ('turn', 'message', 'conversation', 'event', 'stream', 'action', 'action_version', 'ai_day', 'account', 'transcript_segment') $$;
SELECT pg_temp.reads() AS r0 \gset
SELECT t.begin('s1', 'tx', history => 10, per_day => 1000000);
SELECT pg_temp.reads() AS r1 \gset
SELECT t.add('s1', 'tx', 0, 'abc');
SELECT pg_temp.reads() AS r2 \gset
SELECT t.end('s1', 'tx', 'abc', tokens => 5);
SELECT pg_temp.reads() AS r3 \gset
SELECT api.conversation_get('acc', 'u1', 'member', 's1', 10, 300), api.conversation_list('acc', 'u1', 'member', 10, NULL);
SELECT pg_temp.reads() AS r4 \gset
SELECT t.stop('s1');
SELECT pg_temp.reads() AS r5 \gset
SELECT t.ok(:r1 - :r0 BETWEEN 1 AND 90, 'begin'), t.ok(:r2 - :r1 BETWEEN 1 AND 40, 'text'), t.ok(:r3 - :r2 BETWEEN 1 AND 70, 'end'), t.ok(:r4 - :r3 BETWEEN 1 AND 60, 'read'),
       t.ok(:r5 - :r4 BETWEEN 1 AND 30, 'stop');
