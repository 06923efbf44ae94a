--- what the model proposes becomes events in its order, questions last, and none of it is done
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final call.turn.timing '
        'orchestration.action.requested action.proposed action.proposed action.proposed action.requires_confirmation'), t.eq(e.head, 15)
FROM t.end('s1', 't1', 'Here.', proposals => '[{"kind":"confirm","actionId":"ask1","message":"Shall I?","uiEvent":{"type":"confirm.required","payload":{"message":"Shall I?"}}},'
        '{"kind":"mode","activate":true,"mode":"cv","uiEvent":{"type":"mode.activate","payload":{"mode":"cv","context":{}}}},{"kind":"speaker","speaker":"antonio"},'
        '{"kind":"deliverable","deliverable":"cv","title":"My CV","data":{"name":"N"},"uiEvent":{"type":"deliverable.cv","payload":{"type":"cv","data":{"name":"N"}}}},'
        '{"kind":"action","actionType":"cv.edit","arguments":{"instructions":"shorter"},"summary":"shorten it"}]') e;
SELECT t.eq(t.types('s1'), 'call.started call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final orchestration.action.requested action.proposed '
        'action.proposed action.proposed action.requires_confirmation call.turn.timing', 'in the contract''s order on the stream');
SELECT t.eq((SELECT string_agg(a.action_type || ':' || a.status, ' ' ORDER BY a.action_type) FROM lifeos.action a), 'assistant.confirm:requires_confirmation cv.edit:proposed'),
       t.eq((SELECT a.turn_id || a.action_id FROM lifeos.action a WHERE a.action_type = 'assistant.confirm'), 't1ask1'), t.eq(t.chains(), 'whole');
SELECT t.eq(p ->> 'actionType' || (p ->> 'uiEvent'), 'mode.activate.cv{"type":"mode.activate","payload":{"mode":"cv","context":{}}}') FROM t.payload('s1', 'orchestration.action.requested') x, LATERAL (SELECT x::json AS p) y;
SELECT t.eq(e.payload ->> 'actionType' || (e.payload ->> 'summary'), 'deliverable.cv.generatedMy CV'), t.eq(e.payload #>> '{deliverable,data,name}', 'N'), t.eq(e.payload #>> '{deliverable,version}', '1'),
       t.eq(e.payload #>> '{deliverable,deliverableId}', d.deliverable_id), t.eq(d.user_id || d.session_id || v.author_kind || v.author_id || v.model || v.turn_id || (v.data ->> 'name'), 'u1s1modelmodel-1model-1t1N')
FROM lifeos.event e, lifeos.deliverable d JOIN lifeos.deliverable_version v ON v.deliverable_id = d.deliverable_id WHERE e.payload ->> 'actionType' LIKE 'deliverable%';

--- a question beside a drafted message is about sending exactly that message, wherever it stands in the answer
SELECT t.create('s1'), t.begin('s1', 't1');
UPDATE lifeos.account SET delivery_url = 'https://example.org/hook';
SELECT t.end('s1', 't1', 'Draft.', proposals => '[{"kind":"confirm","message":"Send it?"},{"kind":"deliverable","deliverable":"outreach","data":{"messages":["Dear A"]}}]');
SELECT t.eq(a.action_type || a.status, 'outreach.requestSendrequires_confirmation'), t.ok(v.arguments::text LIKE '%Dear A%' AND v.arguments ->> 'deliverableId' = d.deliverable_id)
FROM lifeos.action a JOIN lifeos.action_version v ON v.action_id = a.action_id, lifeos.deliverable d;
SELECT t.eq((SELECT count(*) FROM lifeos.outbox), 0, 'nothing is sent');

--- what makes no sense is left out, on record, and the turn is answered
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(e.status, 'OK'), t.eq((SELECT count(*) FROM json_array_elements(e.body -> 'events') x WHERE x ->> 'type' = 'safety.blocked'
        AND x #>> '{payload,policyId}' = 'policy.proposal.invalid' AND x #>> '{payload,decision}' = 'blocked'), 12), t.eq(json_array_length(e.body -> 'events'), 17)
FROM t.end('s1', 't1', 'x', proposals => '[1,null,"x",[],{},{"kind":"nope"},{"kind":"mode","mode":"a b"},{"kind":"mode"},{"kind":"deliverable","deliverable":"spy","data":{}},'
        '{"kind":"deliverable","deliverable":"cv"},{"kind":"action","actionType":"rm.rf","arguments":{}},{"kind":"action","actionType":"cv.edit","arguments":{"path":"/etc"}},{"kind":"speaker"}]') e;
SELECT t.eq((SELECT count(*) FROM lifeos.action), 0), t.eq((SELECT count(*) FROM lifeos.deliverable), 0), t.eq(t.chains(), 'whole');
SELECT t.eq(t.payload('s1', 'safety.blocked'), '{"actionType":"cv.edit","decision":"blocked","policyId":"policy.proposal.invalid","reason":"ACTION_INVALID","turnId":"t1"}');

--- proposals that are no list are none, and those over the limit are left out with one word about it
SELECT t.create('s1'), t.begin('s1', 't1'), t.eq(json_array_length((t.end('s1', 't1', 'x', proposals => '{"kind":"mode"}')).body -> 'events'), 5);
SELECT t.begin('s1', 't2');
SELECT t.eq(json_array_length(e.body -> 'events'), 38), t.eq(e.body #>> '{events,37,payload,reason}', 'too many proposals')
FROM t.end('s1', 't2', 'x', proposals => ('[' || rtrim(repeat('{"kind":"mode","mode":"a"},', 50), ',') || ']')::json) e;

--- large drafts are stored whole and told by their id; every event can be read
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(e.status, 'OK'), t.eq(e.body #>> '{events,5,payload,deliverable,omitted}', 'true'), t.eq(e.body #>> '{events,6,payload,policyId}', 'policy.proposal.invalid')
FROM t.end('s1', 't1', 'x', proposals => ('[{"kind":"deliverable","deliverable":"cv","data":{"a":"' || repeat('x', 500000) || '"},"uiEvent":{"type":"deliverable.cv","payload":{"type":"cv","data":{"a":"'
        || repeat('x', 500000) || '"}}}},{"kind":"mode","mode":"cv","uiEvent":{"type":"mode.activate","payload":{"context":"' || repeat('x', 70000) || '"}}}]')::json) e;
SELECT t.ok(max(octet_length(r.event)) <= 131072) FROM api.event_read('acc', 'u1', 'owner', 's1', 0, 100) r;
SELECT t.eq(octet_length(v.data ->> 'a'), 500000) FROM lifeos.deliverable_version v;

--- a chat is told of what was proposed as the screen takes it, each thing once
SELECT t.begin('c1', 't1', chat => true);
SELECT t.eq((SELECT string_agg(x ->> 'type', ' ') FROM json_array_elements(e.body -> 'events') x), 'speaker.change mode.activate deliverable.interview confirm.required'),
       t.eq(e.body #>> '{events,0,payload}', '{"speaker":"antonio"}'), t.eq(e.body #>> '{events,1,payload}', '{"mode":"cv","context":{}}'),
       t.eq(e.body #>> '{events,2,payload,version}', '1'), t.eq(e.body #>> '{events,2,payload,data,tips}', 't'), t.ok(e.body #>> '{events,2,payload,deliverableId}' LIKE 'dlv_%'),
       t.ok(e.body #>> '{events,3,payload,confirmationToken}' ~ '^confirm_[A-Za-z0-9_-]{43}$'), t.eq(e.body #>> '{events,3,payload,message}', 'Shall I?'),
       t.eq((SELECT string_agg(k, ',' ORDER BY k) FROM json_object_keys(e.body #> '{events,3,payload}') k), 'actionId,confirmationToken,details,expiresAt,message,riskTier,startedAt,timeout')
FROM t.end('c1', 't1', 'Here.', proposals => '[{"kind":"speaker","speaker":"antonio"},{"kind":"mode","activate":true,"mode":"cv","uiEvent":{"type":"mode.activate","payload":{"mode":"cv","context":{}}}},'
        '{"kind":"deliverable","deliverable":"interview","data":{"tips":"t"},"uiEvent":{"type":"deliverable.interview","payload":{"type":"interview","data":{"tips":"t"}}}},'
        '{"kind":"confirm","message":"Shall I?"}]') e;

--- a mode that is closed is told as closed
SELECT t.create('s1'), t.begin('s1', 't1'), t.end('s1', 't1', 'x', proposals => '[{"kind":"mode","activate":false,"mode":"cv"}]');
SELECT t.eq(t.payload('s1', 'orchestration.action.requested')::json ->> 'actionType', 'mode.deactivate.cv');

--- a tenant's own stricter rule holds for what the model proposes
SELECT t.create('s1'), t.begin('s1', 't1');
INSERT INTO lifeos.action_rule VALUES ('acc', 'cv.edit', 'refuse'), ('acc', 'cv.generate', 'confirm');
SELECT t.eq(e.body #>> '{events,5,payload,reason}', 'ACTION_REFUSED'), t.eq(e.body #>> '{events,7,type}', 'action.requires_confirmation')
FROM t.end('s1', 't1', 'x', proposals => '[{"kind":"action","actionType":"cv.edit","arguments":{},"summary":"s"},{"kind":"action","actionType":"cv.generate","arguments":{},"summary":"s"}]') e;

--- a cloned voice nobody approved is silent, and the answer says so
SELECT t.create('s1', metadata => '{"voicePersona":"antonio","clonedVoiceConsent":true,"voicePolicyApprovalId":"va_1"}'), t.begin('s1', 't1');
SELECT t.eq(t.told(e), 'call.turn.owner_changed transcript.final call.turn.owner_changed transcript.final call.turn.timing safety.blocked orchestration.action.requested'),
       t.eq(e.body #>> '{events,5,payload}', '{"actionId":"t1","actionType":"voice.synthesis","decision":"blocked","policyId":"policy.voice.clone.explicit-consent",'
        '"reason":"cloned_voice_synthesis_blocked_until_approved","riskTier":"high-risk-external-send"}') FROM t.end('s1', 't1', 'x', proposals => '[{"kind":"mode","mode":"cv"}]') e;
INSERT INTO lifeos.voice_approval VALUES ('acc', 'va_1', 'antonio', 'voice.clone.antonio', 'g', 'boss', 1, NULL, NULL, NULL);
SELECT t.begin('s1', 't2');
SELECT t.eq(json_array_length((t.end('s1', 't2', 'x')).body -> 'events'), 5);

--- a question that brings more along than an event can hold is asked without it
SELECT t.create('s1'), t.begin('s1', 't1');
SELECT t.eq(e.status, 'OK') FROM t.end('s1', 't1', 'a', proposals => ('[{"kind":"confirm","actionId":"q1","message":"Shall I?","uiEvent":{"type":"confirm.required","payload":{"message":"Shall I?","x":"'
        || repeat('x', 300000) || '"}}}]')::json) e;
SELECT t.eq(t.is('q1'), 'requires_confirmation'), t.eq(t.payload('s1', 'action.requires_confirmation')::json #>> '{uiEvent,payload,message}', 'Shall I?'),
       t.ok((SELECT max(octet_length(e.payload::text)) FROM lifeos.event e) < 100000);
