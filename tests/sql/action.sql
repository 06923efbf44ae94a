-- action.sql - what the model proposes and people ask for: the policy's word, one confirmation for one thing, one outcome.

--- what is allowed is to be done at once, and told: requested, approved; the same again finds it so
SELECT t.desk();
SELECT t.eq(r.status, 'OK'), t.eq(r.body ->> 'pending', 'true'), t.eq(r.body -> 'decision' ->> 'policyId', 'policy.default.allow'),
       t.eq((SELECT string_agg(k, ' ') FROM json_object_keys(r.body -> 'events') k), 'requested safety')
FROM t.ask('a1', 'cv.generate', '{"instructions":"short"}') r;
SELECT t.eq(t.types('s1'), 'call.started orchestration.action.requested safety.approved');
SELECT t.eq(t.payload('s1', 'orchestration.action.requested'), '{"actionId":"a1","actionType":"cv.generate","metadata":{"source":"ui"},"riskTier":"low-risk-write","summary":"cv.generate"}');
SELECT t.eq(r.body ->> 'pending', 'true') FROM t.ask('a1', 'cv.generate', '{"instructions":"short"}') r;
SELECT t.eq(t.types('s1'), 'call.started orchestration.action.requested safety.approved', 'nothing new is told');
SELECT t.eq(t.audits('action_execute'), 'OK');

--- what needs a confirmation is blocked, with a token that is in its event and its answer and nowhere else
SELECT t.desk();
SELECT r.body -> 'confirmationToken' #>> '{}' AS token, r.body AS body, r.status AS status FROM t.ask('a1') r \gset
SELECT t.eq(:'status', 'SAFETY_BLOCKED'), t.ok(:'token' ~ '^confirm_[A-Za-z0-9_-]{43}$'), t.eq(:'body'::json ->> 'blocked', 'true');
SELECT t.eq((:'body'::json -> 'decision')::text, '{"actionId":"a1","decision":"blocked","policyId":"policy.external-send.confirmation","reason":"explicit_user_confirmation_required"}');
SELECT t.eq((SELECT string_agg(k, ' ') FROM json_object_keys(:'body'::json -> 'events') k), 'requested safety confirmation');
SELECT t.eq(t.types('s1'), 'call.started orchestration.action.requested safety.blocked action.requires_confirmation');
SELECT t.eq(t.payload('s1', 'action.requires_confirmation')::json ->> 'confirmationToken', :'token');
SELECT t.eq((SELECT count(*) FROM (SELECT a::text AS r FROM lifeos.action a UNION ALL SELECT c::text FROM lifeos.confirmation c
        UNION ALL SELECT c::text FROM lifeos.command_receipt c UNION ALL SELECT d.detail::text FROM lifeos.audit d) x WHERE x.r LIKE '%' || substr(:'token', 9) || '%'), 0);
SELECT t.eq(t.outbox(), ''), t.eq(t.audits('action_execute'), 'SAFETY_BLOCKED');

--- a repeat before the confirmation finds the same token and tells nothing; of what was forgotten nothing is confirmed
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq(t.open(t.ask('a1')), :'token'), t.eq(t.open(t.ask('a1', payload => NULL)), :'token'), t.eq(t.fingerprint(), :'before');
SELECT api.event_erase(t.command(), 'acc', 's1', 4, 4, '\x01');
SELECT t.eq((t.confirm('a1', :'token')).status, 'ACTION_STATE', 'what it confirmed is forgotten'), t.eq((t.ask('a1')).status, 'ACTION_STATE'), t.eq(t.outbox(), '');

--- with the token it is sent, once: exactly what was hashed, and who confirmed it; a repeat finds the outcome
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token \gset
SELECT r.body AS first, r.status AS status FROM t.ask('a1', token => :'token') r \gset
SELECT t.eq(:'status', 'OK'), t.eq(:'first'::json -> 'ack' ->> 'status', 'executed'), t.ok(:'first'::json -> 'result' ->> 'resultRef' ~ '^result_[0-9a-f]{18}$'),
       t.eq(:'first'::json -> 'ack' ->> 'outcomeRef', :'first'::json -> 'result' ->> 'resultRef'), t.eq(:'first'::json -> 'metering' ->> 'usageRecordId', (SELECT r.usage_record_id FROM lifeos.usage_record r WHERE r.quantity = 1 AND r.meter_id = 'orchestration.action.executed.count')),
       t.eq((SELECT string_agg(k, ' ') FROM json_object_keys(:'first'::json -> 'events') k), 'requested safety executed'),
       t.eq(:'first'::json -> 'decision' ->> 'reason', 'explicit_user_confirmation_received');
SELECT t.eq(t.outbox(), '{"actionId":"a1","messages":["hello"],"recipient":"Bob","requestedBy":"u1","sessionId":"s1","confirmedBy":"u1"}');
SELECT t.eq(t.sent_right(), 'right');
SELECT t.eq((t.ask('a1', token => :'token')).body::text, :'first'), t.eq((t.ask('a1')).body::text, :'first');
SELECT t.eq((SELECT count(*) FROM lifeos.outbox), 1), t.eq((SELECT o.url || ' ' || o.status || ' ' || o.topic FROM lifeos.outbox o), 'https://hooks.example/out queued outreach.requestSend');
SELECT t.eq((api.action_get('acc', 'u1', 'owner', 's1', 'a1')).body -> 'action' -> 'delivery' ->> 'status', 'queued');
SELECT t.eq((SELECT a.detail ->> 'decidedBy' FROM lifeos.audit a WHERE a.detail ->> 'status' = 'executed'), 'u1'), t.eq(t.chains(), 'whole');

--- the boolean alone confirms nothing, the caller's risk tier neither
SELECT t.desk();
SELECT t.eq((api.action_execute('acc', 'u1', 'owner', 'c', 's1', 'a1', 'outreach.requestSend', 's', 'read-only', true, NULL, t.letter(), NULL, NULL, NULL, '\x01')).status, 'SAFETY_BLOCKED');
SELECT t.eq((SELECT risk_tier FROM lifeos.action), 'high-risk-external-send'), t.eq(t.outbox(), '');

--- the same action id with other content is another action, and is refused; an edit is how to change one
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.ask('a1', payload => '{"data":{"messages":["bye"]}}')).status, 'ACTION_CONFLICT'), t.eq((t.ask('a1', 'cv.edit', '{}')).status, 'ACTION_CONFLICT'),
       t.eq((t.ask('a1', payload => '{"data":{"messages":["bye"]}}', token => :'token')).status, 'ACTION_CONFLICT');
SELECT t.eq(t.fingerprint(), :'before');

--- action_confirm with the token does it, and its command again gets the same answer; another command finds it done
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token \gset
SELECT r.body AS first FROM t.confirm('a1', :'token', command => 'c1') r \gset
SELECT t.eq(:'first'::json -> 'ack' ->> 'status', 'executed'), t.eq((t.confirm('a1', :'token', command => 'c1')).body::text, :'first');
SELECT t.eq((t.confirm('a1', :'token', command => 'c2')).status, 'ACTION_STATE', 'replayed');
SELECT t.eq((SELECT count(*) FROM lifeos.outbox), 1), t.eq(t.audits('action_confirm'), 'OK ACTION_STATE'), t.eq(t.sent_right(), 'right');
SELECT t.eq((t.confirm('none', :'token')).status, 'ACTION_NOT_FOUND');

--- nobody confirms but people of the account who may write: no stranger, viewer, other member, service key
SELECT t.desk(), t.key('k', 'acc', 'operator'), t.key('i', 'acc', 'ingest'), t.key('w', '*', 'operator');
SELECT t.open(t.ask('a1')) AS token \gset
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.confirm('a1', :'token', who => w, account => a, role => r)).status, want, w || r),
       t.eq((t.ask('a1', token => :'token', who => w, account => a, role => r)).status, want, w || r)
FROM (VALUES ('u1', 'other', 'owner', 'SESSION_NOT_FOUND'), ('v', 'acc', 'viewer', 'FORBIDDEN'), ('u2', 'acc', 'member', 'FORBIDDEN'),
             ('k', 'acc', 'operator', 'FORBIDDEN'), ('i', 'acc', 'ingest', 'FORBIDDEN'), ('w', '*', 'operator', 'SESSION_NOT_FOUND'), ('u1', 'acc', 'nonsense', 'FORBIDDEN')) x(w, a, r, want);
SELECT t.eq(t.fingerprint(), :'before'), t.eq(t.outbox(), '');
SELECT t.eq((t.confirm('a1', :'token', who => 'boss', role => 'admin')).status, 'OK', 'an admin may'), t.eq((t.outbox()::json) ->> 'confirmedBy', 'boss');

--- the owner of a session confirms in it also as a member
SELECT t.desk();
SELECT t.open(t.ask('a1', role => 'member')) AS token \gset
SELECT t.eq((t.confirm('a1', :'token', role => 'member')).status, 'OK');

--- a token opens its own action only: not another's, not another session's, nothing that is guessed
SELECT t.desk(), t.create('s2');
SELECT t.open(t.ask('a1')) AS token, t.open(t.ask('a2')) AS other, t.open(t.ask('a1', session => 's2')) AS elsewhere \gset
SELECT t.eq((t.confirm('a1', x)).status, 'CONFIRMATION_INVALID') FROM unnest(ARRAY[:'other', :'elsewhere', 'confirm_x', :'token' || 'x']) x;
SELECT t.eq((t.ask('a9', token => :'token')).status, 'CONFIRMATION_INVALID', 'nor what was never asked for'), t.eq(t.is('a9'), NULL);
SELECT t.eq(t.outbox(), ''), t.eq(t.audits('action_confirm'), 'CONFIRMATION_INVALID CONFIRMATION_INVALID CONFIRMATION_INVALID CONFIRMATION_INVALID');
SELECT t.eq((t.confirm('a1', :'token')).status, 'OK'), t.eq((t.confirm('a1', :'elsewhere', session => 's2')).status, 'OK');
SELECT t.eq((SELECT count(*) FROM lifeos.outbox), 2);

--- an edit makes a new version with a token of its own; the one before confirms nothing any more
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS one \gset
SELECT r.status AS status, t.open(r) AS two FROM t.edit('a1', 1, '{"data":{"messages":["bye"]},"recipient":"Bob"}', command => 'e') r \gset
SELECT t.eq(:'status', 'OK'), t.ok(:'two' <> :'one'), t.eq((t.confirm('a1', :'one')).status, 'CONFIRMATION_INVALID');
SELECT t.eq(t.open(t.edit('a1', 1, '{"data":{"messages":["bye"]},"recipient":"Bob"}', command => 'e')), :'two', 'the command again');
SELECT t.eq((SELECT count(*) FROM lifeos.command_receipt c WHERE c.body::text LIKE '%' || substr(:'two', 9) || '%'), 0, 'kept without it');
SELECT t.eq((t.edit('a1', 1, '{"data":{"messages":["x"]}}')).message, 'baseVersion: the action is at version 2');
SELECT t.eq((t.ask('a1', token => :'two')).status, 'ACTION_CONFLICT', 'the first words with the second''s token');
SELECT t.eq((t.confirm('a1', :'two')).status, 'OK'), t.eq(t.outbox()::json ->> 'messages', '["bye"]'), t.eq(t.sent_right(), 'right');
SELECT t.eq((t.edit('a1', 2, t.letter())).status, 'ACTION_STATE', 'what is done is done');
SELECT t.eq((SELECT string_agg(x ->> 'version' || (x ->> 'authorKind'), ' ') FROM json_array_elements((api.action_get('acc', 'u1', 'owner', 's1', 'a1')).body -> 'action' -> 'versions') x), '2human 1human');

--- a confirmation that comes too late ends the action; nobody gets it back
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token \gset
SELECT t.wait('a1', 301);
SELECT t.eq((t.confirm('a1', :'token')).status, 'CONFIRMATION_EXPIRED'), t.eq(t.is('a1'), 'expired CONFIRMATION_EXPIRED'), t.eq(t.outbox(), '');
SELECT t.eq((t.confirm('a1', :'token')).status, 'CONFIRMATION_EXPIRED'), t.eq((t.ask('a1')).status, 'CONFIRMATION_EXPIRED'), t.eq((t.ask('a1', token => :'token')).status, 'CONFIRMATION_EXPIRED');
SELECT t.eq(t.payload('s1', 'action.failed')::json ->> 'code', 'CONFIRMATION_EXPIRED'), t.eq((SELECT state FROM lifeos.confirmation), 'expired'), t.eq(t.chains(), 'whole');

--- asked for again after its time, an action is over as well, and so it is for the sweep
SELECT t.desk(), t.ask('a1'), t.ask('a2');
SELECT t.wait('a1', 301), t.wait('a2', 301);
SELECT t.eq((t.ask('a1')).status, 'CONFIRMATION_EXPIRED'), t.eq(t.expire('confirmation', 'a1'), 'kept'), t.eq(t.expire('confirmation', 'a2'), 'expired');
SELECT t.eq(r.status, 'CONFIRMATION_EXPIRED'), t.ok(r.body -> 'ack' ->> 'outcomeRef' LIKE 'evt_%') FROM t.ask('a2') r;

--- a rule that became stricter between asking and confirming counts; so does a policy that changed
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token, t.open(t.ask('a2')) AS other \gset
SELECT t.eq(t.set(rules => 'outreach.requestSend=refuse'), 'OK');
SELECT t.eq(r.status, 'ACTION_REFUSED'), t.eq(r.body -> 'decision' ->> 'decision', 'blocked') FROM t.confirm('a1', :'token') r;
SELECT t.eq(t.is('a1'), 'failed ACTION_REFUSED'), t.eq(t.set(rules => ''), 'OK'), t.eq((t.confirm('a1', :'token')).status, 'ACTION_STATE');
CREATE OR REPLACE FUNCTION lib.policy_version() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'policy_stricter' $$;
SELECT t.eq((t.confirm('a2', :'other')).status, 'CONFIRMATION_INVALID');
SELECT t.open(t.ask('a2')) AS fresh \gset
SELECT t.ok(:'fresh' <> :'other'), t.eq((t.confirm('a2', :'fresh')).status, 'OK');
SELECT t.eq((SELECT count(*) FROM lifeos.outbox), 1);

--- where it goes is part of what is confirmed: another address needs another confirmation, none at all ends it
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token, t.open(t.ask('a2')) AS other \gset
SELECT t.set('https://elsewhere.example/');
SELECT t.eq((t.confirm('a1', :'token')).status, 'CONFIRMATION_INVALID'), t.eq(t.outbox(), '');
SELECT t.open(t.ask('a1')) AS fresh \gset
SELECT t.eq((t.confirm('a1', :'fresh')).status, 'OK');
SELECT t.eq((SELECT url FROM lifeos.outbox), 'https://elsewhere.example/');
SELECT t.set('');
SELECT t.fingerprint() AS before \gset
SELECT t.eq((t.ask('a3')).status, 'DELIVERY_NOT_CONFIGURED', 'before the first write'), t.eq(t.fingerprint(), :'before');
SELECT t.eq((t.confirm('a2', :'other')).status, 'DELIVERY_NOT_CONFIGURED'), t.eq(t.is('a2'), 'failed DELIVERY_NOT_CONFIGURED'), t.eq(t.sent_right(), 'right');

--- a tenant's rules only make it stricter: what is allowed can need a confirmation, or be refused
SELECT t.desk(), t.set(rules => 'cv.edit=confirm, cv.generate=refuse');
SELECT t.eq((t.ask('a1', 'cv.edit', '{}')).status, 'SAFETY_BLOCKED'), t.eq((t.ask('a2', 'cv.generate', '{}')).status, 'ACTION_REFUSED');
SELECT t.eq(r.status, 'ACTION_REFUSED'), t.eq(r.body ->> 'blocked', 'false'), t.eq(r.body -> 'decision' ->> 'policyId', 'policy.action.refused') FROM t.ask('a2', 'cv.generate', '{}') r;
SELECT t.eq(t.payload('s1', 'safety.blocked')::json ->> 'policyId', 'policy.action.refused'), t.eq(t.audits('action_execute'), 'SAFETY_BLOCKED ACTION_REFUSED');
SELECT t.open(t.ask('a1', 'cv.edit', '{}')) AS token \gset
SELECT t.eq((t.confirm('a1', :'token')).body ->> 'pending', 'true'), t.eq(t.is('a1'), 'confirmed');
SELECT t.eq((api.account_set('x', 'acc', NULL, NULL, NULL, NULL, x, NULL, '\x01')).status, 'INVALID_REQUEST', x) FROM unnest('{cv.edit=allow,cv.fly=confirm,cv.edit,"cv.edit=confirm,cv.edit=refuse"}'::text[]) x;

--- arguments are held against the type's rules; what is wrong is named, never shown
SELECT t.desk();
SELECT t.fingerprint() AS before \gset
SELECT t.eq(r.status || ' ' || coalesce(r.message, ''), want) FROM (VALUES
        ('cv.fly', '{}', 'UNSUPPORTED_ACTION_TYPE '), ('cv.edit', '{"secret":1}', 'ACTION_INVALID secret: not an argument of this type'),
        ('cv.edit', '{"a b\"c":1}', 'ACTION_INVALID an argument: not an argument of this type'), ('cv.edit', '{"instructions":7}', 'ACTION_INVALID instructions: a text that is not blank is needed'),
        ('cv.edit', '{"instructions":" "}', 'ACTION_INVALID instructions: a text that is not blank is needed'), ('cv.edit', '{"data":[]}', 'ACTION_INVALID data: an object is needed'),
        ('cv.edit', '[]', 'ACTION_INVALID payload: an object is needed'), ('assistant.confirm', '{}', 'ACTION_INVALID message: needed'),
        ('outreach.requestSend', '{"version":0}', 'ACTION_INVALID version: an integer from 1 to 1000000000 is needed'), ('outreach.requestSend', '{}', 'ACTION_INVALID data: no message in it, nor in a deliverable'),
        ('outreach.requestSend', '{"data":{"messages":[]}}', 'ACTION_INVALID data: no message in it, nor in a deliverable'), ('cv.edit', '{"deliverableId":"none"}', 'DELIVERABLE_NOT_FOUND '),
        ('cv.edit', format('{"instructions":"%s"}', repeat('x', 8193)), 'ACTION_INVALID instructions: at most 8192 bytes')) v(type, payload, want), LATERAL t.ask('a1', v.type, v.payload::json) r;
SELECT t.eq(t.fingerprint(), :'before'), t.eq((t.ask('a1', 'cv.edit', '{"instructions":null}')).status, 'OK', 'null is left out');

--- what is sent is the deliverable's version at the time of asking, whatever becomes of it later
SELECT t.desk();
SELECT api.deliverable_create('acc', 'u1', 'owner', 'd1', 'draft', 'outreach', NULL, NULL, NULL, '{"messages":["one"]}', '\x01');
SELECT t.open(t.ask('a1', payload => '{"deliverableId":"draft"}')) AS token \gset
SELECT api.deliverable_put('acc', 'u1', 'owner', 'd2', 'draft', 1, NULL, NULL, '{"messages":["two"]}', '\x01');
SELECT t.eq((t.confirm('a1', :'token')).status, 'OK');
SELECT t.eq(t.outbox(), '{"actionId":"a1","deliverableId":"draft","messages":["one"],"requestedBy":"u1","sessionId":"s1","version":1,"confirmedBy":"u1"}');
SELECT t.eq((t.ask('a2', payload => '{"deliverableId":"draft","version":9}')).status, 'DELIVERABLE_NOT_FOUND');
SELECT api.deliverable_create('acc', 'u2', 'member', 'd3', 'hers', 'outreach', NULL, NULL, 'dear', NULL, '\x01'), t.create('s2', who => 'u3');
SELECT t.eq((t.ask('a3', payload => '{"deliverableId":"hers"}', session => 's2', who => 'u3', role => 'member')).status, 'DELIVERABLE_NOT_FOUND', 'another member''s');
SELECT t.eq((t.ask('a4', payload => '{"deliverableId":"hers"}')).status, 'SAFETY_BLOCKED', 'his account to run');

--- the model proposes: an action that waits, under an id of its own that nobody else can take
SELECT t.desk();
SELECT t.ok(t.propose(0, 'cv.edit', '{"instructions":"x"}') ~ '^act_[0-9a-f]{32}$'), t.eq(t.propose(1, 'cv.edit', '{}', 'mine'), 'mine');
SELECT t.ok(t.propose(2, 'cv.edit', '{}', 'mine') LIKE 'act_%', 'taken'), t.ok(t.propose(3, 'cv.edit', '{}', 'no good') LIKE 'act_%');
SELECT t.fingerprint() AS before \gset
SELECT t.eq(t.propose(4, 'cv.fly', '{}'), 'UNSUPPORTED_ACTION_TYPE'), t.eq(t.propose(5, 'cv.edit', '{"x":1}'), 'ACTION_INVALID'), t.eq(t.propose(6, 'cv.edit', '[]'), 'ACTION_INVALID');
SELECT t.eq(t.fingerprint(), :'before'), t.eq(t.is('mine'), 'proposed');
SELECT t.eq(r.body ->> 'pending', 'true'), t.eq((SELECT string_agg(k, ' ') FROM json_object_keys(r.body -> 'events') k), 'requested safety') FROM t.ask('mine', 'cv.edit', '{}') r;
SELECT t.eq((SELECT a.actor_role || a.outcome FROM lifeos.audit a WHERE a.action = 'action_propose' LIMIT 1), 'modelOK');

--- what the model proposes to send waits for a human with a token; no proposal does anything
SELECT t.desk();
SELECT t.eq(t.propose(0, 'outreach.requestSend', t.letter(), 'p1'), 'p1'), t.eq(t.is('p1'), 'requires_confirmation');
SELECT p ->> 'confirmationToken' AS token, p -> 'uiEvent' -> 'payload' ->> 'message' AS said, p -> 'uiEvent' ->> 'type' AS type FROM (SELECT t.payload('s1', 'action.requires_confirmation')::json AS p) x \gset
SELECT t.eq(:'type' || ':' || :'said', 'confirm.required:a summary'), t.eq(t.types('s1'), 'call.started action.proposed action.requires_confirmation'), t.eq(t.outbox(), '');
SELECT t.eq((t.confirm('p1', :'token')).status, 'OK'), t.eq(t.outbox()::json ->> 'confirmedBy', 'u1'), t.eq(t.sent_right(), 'right');

--- a no declines: whoever may write ends it, a viewer's is noted, and none ever confirms
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS token, t.open(t.ask('a2')) AS other \gset
SELECT t.eq(r.body::json -> 'event' -> 'payload' ->> 'decision', 'cancelled'), t.eq(r.body -> 'event' ->> 'type', 'action.audit'), t.eq(t.is('a1'), 'requires_confirmation') FROM t.decide('a1', 'cancelled', who => 'v', role => 'viewer') r;
SELECT t.eq((t.decide('a1', 'confirmed')).status, 'OK'), t.eq(t.is('a1'), 'requires_confirmation', 'it confirms nothing');
SELECT t.eq((t.decide('a1', 'timed_out')).status, 'OK'), t.eq((t.decide('a2', 'declined', session => 's1')).status, 'OK');
SELECT t.eq(t.is('a1') || t.is('a2'), 'declined CONFIRMATION_DECLINEDdeclined CONFIRMATION_DECLINED'), t.eq((t.confirm('a1', :'token')).status, 'ACTION_STATE'), t.eq((t.ask('a2', token => :'other')).status, 'ACTION_STATE');
SELECT t.eq((SELECT string_agg(state, ' ') FROM lifeos.confirmation), 'declined declined'), t.eq(t.outbox(), ''), t.eq(t.audits('action_decide'), 'OK OK OK OK');

--- a decision about what nobody knows is kept as words in the account's own audit, with who said them
SELECT t.desk(), t.create('s2'), t.ask('a1'), t.ask('a1', session => 's2');
SELECT t.eq((t.decide('nothing', 'confirmed', at => '"2026-11-21T10:00:00Z"')).body -> 'event' -> 'payload' ->> 'callTimestamp', '1795255200000');
SELECT t.eq((t.decide('a1', 'cancelled')).status, 'OK', 'two have that id'), t.eq((SELECT string_agg(DISTINCT status, ' ') FROM lifeos.action), 'requires_confirmation');
SELECT t.eq((SELECT string_agg(a.actor_id || a.outcome, ' ') FROM lifeos.audit a WHERE a.stream_id = '@account' AND a.action = 'action_decide'), 'u1UNKNOWN_ACTION u1UNKNOWN_ACTION');
SELECT t.eq((t.decide('a1', 'cancelled', session => 'nope')).status, 'SESSION_NOT_FOUND'), t.eq((t.decide('a1', 'cancelled', who => 'u2', role => 'member', session => 's2')).status, 'FORBIDDEN');
SELECT t.eq((t.decide('a1', 'cancelled', who => 'k', role => 'ingest')).status, 'FORBIDDEN') FROM t.key('k', 'acc', 'ingest');
SELECT t.eq((t.decide('x', 'cancelled', account => 'new')).status, 'OK'), t.eq(t.chains(), 'whole');

--- a draft is made by whoever takes it: its deliverable, its event and its outcome come together
SELECT t.desk(), t.ask('a1', 'cv.generate', '{"instructions":"x"}', command => 'c1');
SELECT t.eq(r.body ->> 'state' || (r.body ->> 'kind') || (r.body -> 'arguments')::text, 'runcv{"instructions":"x"}') FROM t.begin_action('a1') r;
SELECT t.eq((t.begin_action('a1', 'r2')).body ->> 'state', 'wait'), t.eq((t.begin_action('a1')).body ->> 'state', 'run', 'its own runner'), t.eq((t.end_action('a1', 'r2')).status, 'ACTION_STATE');
SELECT r.body AS first FROM t.end_action('a1') r \gset
SELECT t.eq(:'first'::json -> 'ack' ->> 'status', 'executed'), t.eq(:'first'::json -> 'result' ->> 'version', '1'), t.ok(:'first'::json -> 'result' ->> 'deliverableId' LIKE 'dlv_%');
SELECT t.eq((SELECT v.author_kind || v.model || (v.config ->> 'agent') || v.action_id FROM lifeos.deliverable_version v), 'modelmodel-1recruitera1'), t.eq((SELECT d.user_id FROM lifeos.deliverable d), 'u1');
SELECT t.eq((t.end_action('a1')).body::text, :'first', 'ended again'), t.eq((t.ask('a1', 'cv.generate', '{"instructions":"x"}')).body::text, :'first');
SELECT t.eq(r.body ->> 'state' || (r.body ->> 'status'), 'doneOK'), t.eq((r.body -> 'answer')::text, :'first') FROM t.begin_action('a1', 'r9') r;
SELECT t.eq((SELECT count(*) FROM lifeos.deliverable_version), 1), t.eq((SELECT tokens FROM lifeos.ai_day), 150), t.eq(t.payload('s1', 'action.executed')::json ->> 'durationMs', '1200');
SELECT t.eq(t.audits('action_end'), 'OK'), t.eq(t.chains(), 'whole');

--- a runner that was taken for dead stores nothing; the next one takes over
SELECT t.desk(), t.ask('a1', 'cv.generate', '{}'), t.begin_action('a1', 'r1', 1000);
UPDATE lifeos.action SET lease_until = lib.now() - 1;
SELECT t.eq((t.begin_action('a1', 'r2')).body ->> 'state', 'run'), t.eq((t.end_action('a1', 'r1')).status, 'ACTION_STATE'), t.eq((SELECT count(*) FROM lifeos.deliverable), 0);
SELECT t.eq((t.end_action('a1', 'r2')).status, 'OK');
SELECT t.eq((SELECT count(*) FROM lifeos.deliverable), 1);

--- what failed says why, and stays failed; its tokens are spent
SELECT t.desk(), t.ask('a1', 'cv.generate', '{}'), t.begin_action('a1');
SELECT t.eq(r.status, 'AI_TIMEOUT'), t.eq(r.body -> 'ack' ->> 'status', 'failed'), t.eq(r.body -> 'ack' ->> 'outcomeRef', r.body -> 'events' -> 'failed' ->> 'eventId') FROM t.end_action('a1', outcome => 'failed', code => 'AI_TIMEOUT') r;
SELECT t.eq(t.payload('s1', 'action.failed'), '{"actionId":"a1","code":"AI_TIMEOUT","message":"why","retryable":true}'), t.eq((t.ask('a1', 'cv.generate', '{}')).status, 'AI_TIMEOUT'), t.eq((t.end_action('a1')).status, 'AI_TIMEOUT');
SELECT t.eq((SELECT tokens FROM lifeos.ai_day), 150), t.eq((SELECT count(*) FROM lifeos.deliverable), 0);

--- a draft made from a version that is not the latest any more is not stored over it
SELECT t.desk();
SELECT api.deliverable_create('acc', 'u1', 'owner', 'd1', 'cv1', 'cv', NULL, NULL, '# one', NULL, '\x01'), t.ask('a1', 'cv.edit', '{"deliverableId":"cv1"}'), t.ask('a2', 'cv.edit', '{"deliverableId":"cv1"}');
SELECT t.eq((t.begin_action('a1')).body -> 'deliverable' ->> 'markdown', '# one');
SELECT t.eq((t.begin_action('a2')).body -> 'deliverable' ->> 'version', '1');
SELECT t.eq((t.end_action('a1')).body -> 'result' ->> 'version', '2');
SELECT t.eq((t.end_action('a2')).status, 'DELIVERABLE_CONFLICT'), t.eq(t.is('a2'), 'failed DELIVERABLE_CONFLICT');
SELECT t.eq((SELECT latest FROM lifeos.deliverable), 2);

--- nothing is begun for strangers, viewers, suspended accounts, without budget, or before it was allowed
SELECT t.desk(), t.ask('a1', 'cv.generate', '{}'), t.ask('a2');
SELECT t.eq((t.begin_action('a1', who => 'v', role => 'viewer')).status, 'FORBIDDEN'), t.eq((t.begin_action('a1', who => 'u2', role => 'member')).status, 'FORBIDDEN'), t.eq((t.begin_action('a2')).status, 'ACTION_STATE');
SELECT t.eq((t.begin_action('nope')).status, 'ACTION_NOT_FOUND'), t.eq((t.begin_action('a1', tokens => 10)).body ->> 'tokensLeft', '10');
SELECT lib.ai_spend('acc', 's1', 10);
SELECT t.eq((t.begin_action('a1', tokens => 10)).status, 'TURN_BUDGET_SPENT'), t.set(rules => 'cv.generate=refuse');
SELECT t.eq(r.body ->> 'state' || (r.body ->> 'status'), 'doneACTION_REFUSED'), t.eq(t.is('a1'), 'failed ACTION_REFUSED') FROM t.begin_action('a1') r;
SELECT api.account_set('x', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x01');
SELECT t.eq((t.begin_action('a1')).status, 'ACCOUNT_SUSPENDED'), t.eq((t.ask('a5')).status, 'ACCOUNT_SUSPENDED'), t.eq((t.decide('a2', 'cancelled')).status, 'ACCOUNT_SUSPENDED');

--- actions are listed newest first, page by page, for those who may see the session
SELECT t.desk(), t.ask('a' || i, 'cv.edit', '{}') FROM generate_series(1, 5) i;
UPDATE lifeos.action SET created_at = 1763711111000000 WHERE action_id IN ('a2', 'a3');
WITH RECURSIVE page(ids, cursor, n) AS (
        SELECT (SELECT string_agg(x ->> 'actionId', ' ') FROM json_array_elements(l.body -> 'actions') x), l.body -> 'page' ->> 'nextCursor', 1
        FROM api.action_list('acc', 'u1', 'owner', 's1', 2, NULL) l
        UNION ALL
        SELECT p.ids || ' ' || (SELECT string_agg(x ->> 'actionId', ' ') FROM json_array_elements(l.body -> 'actions') x), l.body -> 'page' ->> 'nextCursor', p.n + 1
        FROM page p CROSS JOIN LATERAL api.action_list('acc', 'u1', 'owner', 's1', 2, p.cursor) l WHERE p.cursor IS NOT NULL)
SELECT t.eq((SELECT ids FROM page ORDER BY n DESC LIMIT 1), 'a5 a4 a1 a3 a2');
SELECT t.eq((api.action_list('acc', w, r, 's1', 2, NULL)).status, want, w || r) FROM (VALUES ('v', 'viewer', 'OK'), ('u2', 'member', 'FORBIDDEN')) x(w, r, want);
SELECT t.eq((api.action_list('other', 'u1', 'owner', 's1', 2, NULL)).status, 'SESSION_NOT_FOUND'), t.eq((api.action_get('acc', 'u1', 'owner', 's1', 'x')).status, 'ACTION_NOT_FOUND'), t.eq((api.action_list('acc', 'u1', 'owner', 's1', 2, 'x')).status, 'INVALID_REQUEST');
SELECT t.eq((api.action_get('acc', 'k', 'ingest', 's1', 'a1')).status, 'FORBIDDEN') FROM t.key('k', 'acc', 'ingest');

--- an account is told apart by where it delivers, what it may use and what it refuses
SELECT t.eq(b ->> 'deliveryUrl' || (b ->> 'aiTokensPerDay') || (b ->> 'actionRules'), 'https://a.example/x5000{"cv.edit":"confirm","outreach.edit":"refuse"}')
FROM (SELECT (api.account_set('c1', 'acc', NULL, NULL, 5000, 'https://a.example/x', 'outreach.edit=refuse, cv.edit=confirm', NULL, '\x01')).body -> 'account' AS b OFFSET 0) x;
SELECT t.eq(b ->> 'deliveryUrl' || (b ->> 'aiTokensPerDay') || (b ->> 'actionRules'), 'https://a.example/x5000{"cv.edit":"refuse"}', 'only what is given changes')
FROM (SELECT (api.account_set('c2', 'acc', NULL, NULL, NULL, NULL, 'cv.edit=refuse', NULL, '\x01')).body -> 'account' AS b OFFSET 0) x;
SELECT t.eq(b ->> 'aiTokensPerDay' || (b ->> 'actionRules') || (b -> 'deliveryUrl')::text, '0{}null') FROM (SELECT (api.account_set('c3', 'acc', NULL, NULL, 0, '', '', NULL, '\x01')).body -> 'account' AS b OFFSET 0) x;
SELECT t.eq((api.account_set('c4', 'acc', NULL, NULL, NULL, x, NULL, NULL, '\x01')).status, 'INVALID_REQUEST', x)
FROM unnest('{http://a.example/,ftp://x,https://,"https://u:p@a.example/",http://127.0.0.1.evil.example/,http://127.0.0.1@evil/,https://a b,javascript:1}'::text[]) x;
SELECT t.eq((api.account_set('c5', 'acc', NULL, NULL, NULL, x, NULL, NULL, '\x01')).status, 'OK', x) FROM unnest('{http://127.0.0.1:8080/x,http://[::1]:1/,http://localhost/?a=b,https://a.example:8443/p?q#f}'::text[]) x LIMIT 1;

--- what its runner was shown is what its result follows: a sign of life shows nothing newer, and overwrites nobody's edit
SELECT t.desk(), t.deliverable('d1', 'one', session => 's1', role => 'owner'), t.ask('a1', 'cv.edit', '{"deliverableId":"d1"}');
SELECT t.eq((t.begin_action('a1')).body #>> '{deliverable,markdown}', 'one'), t.eq((t.put('d1', 1, 'mine', role => 'owner')).status, 'OK');
SELECT t.eq(b.body #>> '{deliverable,markdown}', 'one', 'asked again by the same runner') FROM t.begin_action('a1') b;
SELECT t.eq((t.end_action('a1')).status, 'DELIVERABLE_CONFLICT'), t.eq((SELECT d.latest FROM lifeos.deliverable d), 2);
SELECT t.ask('a3', 'cv.generate', '{}'), t.begin_action('a3');
SELECT t.eq((t.begin_action('a3')).body ->> 'deliverable', NULL), t.eq((t.end_action('a3')).status, 'OK');
SELECT t.eq((SELECT count(*) FROM lifeos.deliverable), 2);

--- of a runner whose time was over the next one is shown what is the latest then
SELECT t.desk(), t.deliverable('d1', 'one', session => 's1', role => 'owner'), t.ask('a1', 'cv.edit', '{"deliverableId":"d1"}'), t.begin_action('a1', 'r1', 1000);
UPDATE lifeos.action SET lease_until = lib.now() - 1;
SELECT t.put('d1', 1, 'mine', role => 'owner');
SELECT t.eq((t.begin_action('a1', 'r2')).body #>> '{deliverable,markdown}', 'mine'), t.eq((t.end_action('a1', 'r2')).status, 'OK');

--- whatever numbers its payload spells, an action can be forgotten
SELECT t.desk(), t.ask('a1', 'cv.generate', '{"data":{"n":1e999999}}');
UPDATE lifeos.action SET lease_until = NULL;
SELECT t.eq((api.event_erase(t.command(), 'acc', 's1', NULL, NULL, '\x01')).status, 'OK');
SELECT t.eq((SELECT count(*) FROM lifeos.action_version v WHERE v.arguments IS NOT NULL), 0);

--- what an action is told of the conversation is bounded
SELECT t.create('s1'), t.ask('a1', 'cv.generate', '{}');
SELECT t.begin('s1', 't' || i, 'q'), t.end('s1', 't' || i, repeat(chr(1), 60000) || i) FROM generate_series(1, 12) i;
SELECT t.ok(octet_length(b.body::text) < 1200000, octet_length(b.body::text)::text), t.ok(json_array_length(b.body -> 'history') BETWEEN 2 AND 24),
       t.ok(b.body -> 'history' -> -1 ->> 'content' LIKE '%12', 'the newest are there') FROM t.begin_action('a1') b;
