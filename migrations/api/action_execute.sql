-- action_execute.sql - an action from the asking to its outcome: what the policy says, what is done, what is answered.

CREATE FUNCTION lib.action_find(account_id text, session_id text, action_id text) RETURNS lifeos.action
LANGUAGE sql VOLATILE AS $$
        SELECT a FROM lifeos.action a WHERE a.account_id = $1 AND a.session_id = $2 AND a.action_id = $3
$$;

-- How all that is done to a session's actions begins: lib.command_begin() for calls and chats.
CREATE FUNCTION lib.action_enter(account_id text, actor_id text, actor_role text, session_id text, command_id text,
                                 command_hash bytea, op text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        see record := lib.conversation_see(account_id, actor_id, actor_role, session_id, 'write');
BEGIN
        RETURN lib.command_begin(CASE see.status WHEN 'CONVERSATION_NOT_FOUND' THEN 'SESSION_NOT_FOUND'
                                 ELSE see.status END, account_id, actor_id, session_id, command_id, command_hash, op);
END $$;

-- What the policy decided about it, in the words of the event and of the answer.
CREATE FUNCTION lib.action_verdict(a lifeos.action, OUT policy_id text, OUT reason text, OUT decision text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        decision := CASE WHEN a.code = 'ACTION_REFUSED' OR a.status IN ('requires_confirmation', 'declined', 'expired')
                              OR (a.rule = 'confirm' AND a.status = 'failed' AND a.decided_by IS NULL)
                         THEN 'blocked' ELSE 'approved' END;
        IF a.code = 'ACTION_REFUSED' THEN
                policy_id := 'policy.action.refused';
                reason := 'action_type_refused_by_policy';
        ELSIF a.rule = 'allow' THEN
                policy_id := 'policy.default.allow';
                reason := 'policy_pass_non_sensitive_action';
        ELSE
                policy_id := 'policy.external-send.confirmation';
                reason := 'explicit_user_confirmation_' || CASE decision WHEN 'blocked' THEN 'required'
                                                                         ELSE 'received' END;
        END IF;
END $$;

CREATE FUNCTION lib.action_safety(a lifeos.action, actor_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        verdict record := lib.action_verdict(a);
BEGIN
        RETURN lib.action_emit(a, actor_id, 'safety.' || verdict.decision,
                '{actionType,auditMetadata,decision,policyId,reason,riskTier}', ARRAY[lib.js(a.action_type),
                        lib.canonical('{decisionTimestampMs,metadata,userId}', ARRAY[lib.ms(lib.now())::text,
                                a.metadata::text, lib.js(actor_id)]),
                        lib.js(verdict.decision), lib.js(verdict.policy_id), lib.js(verdict.reason),
                        lib.js(a.risk_tier)]);
END $$;

-- ---- how it ends ----

-- Executed. What it made, or where it went, is in the row and the outbox already.
CREATE FUNCTION lib.action_succeed(a lifeos.action, actor_id text, duration_ms bigint) RETURNS lifeos.action
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        a.status := 'executed';
        a.ended_at := lib.now_ms();
        a.lease_until := NULL;
        a.result_ref := 'result_' || left(encode(lib.hash(a.account_id, a.session_id, a.action_id, a.version::text),
                                                 'hex'), 18);
        a.sequences := a.sequences || lib.action_emit(a, actor_id, 'action.executed',
                '{deliverableId,durationMs,resultRef,version}', ARRAY[to_json(a.deliverable_id)::text,
                        duration_ms::text, lib.js(a.result_ref), a.deliverable_version::text]);
        RETURN a;
END $$;

-- Over without having been executed: failed, declined or expired. Its confirmation, if one is open, goes with it.
CREATE FUNCTION lib.action_give_up(a lifeos.action, "to" text, code text, message text, actor_id text)
RETURNS lifeos.action LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        PERFORM lib.confirmation_close(a, CASE "to" WHEN 'failed' THEN 'void' ELSE "to" END, actor_id);
        a.status := "to";
        a.ended_at := lib.now_ms();
        a.lease_until := NULL;
        a.code := code;
        a.message := message;
        IF "to" <> 'failed' THEN
                a.decided_at := a.ended_at;
                a.decided_by := actor_id;
        END IF;
        a.sequences := a.sequences || lib.action_emit(a, actor_id, 'action.failed', '{code,message,retryable}',
                ARRAY[lib.js(code), lib.js(message), lib.retryable(code)::text]);
        RETURN a;
END $$;

-- ---- what is done ----

-- Exactly what was hashed goes out, and who confirmed it.
CREATE FUNCTION lib.action_send(a lifeos.action, actor_id text, confirmed boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        exact text := (lib.action_version(a)).arguments::text;
BEGIN
        IF confirmed THEN
                exact := left(exact, -1) || ',"confirmedBy":' || lib.js(actor_id) || '}';
        END IF;
        INSERT INTO lifeos.outbox (account_id, outbox_id, topic, url, payload, payload_hash, session_id, action_id,
                                   created_at)
        VALUES (a.account_id, lib.new_id('out'), a.action_type, lib.action_target(a.account_id, a.action_type),
                exact::json, sha256(convert_to(exact, 'UTF8')), a.session_id, a.action_id, lib.now_ms());
END $$;

-- The policy's word on an action somebody has just asked for, or confirmed; and then what it lets happen.
CREATE FUNCTION lib.action_gate(a lifeos.action, actor_id text, confirmed boolean) RETURNS lifeos.action
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        policy record := lib.action_policy(a.account_id, a.action_type);
BEGIN
        a.policy_version := lib.policy_version();
        IF policy.rule = 'refuse' THEN
                a.code := 'ACTION_REFUSED';
                a.sequences := a.sequences || lib.action_safety(a, actor_id);
                RETURN lib.action_give_up(a, 'failed', 'ACTION_REFUSED', 'your tenant does not allow it', actor_id);
        ELSIF policy.rule = 'confirm' AND NOT confirmed THEN
                a.rule := 'confirm';
                a.status := 'requires_confirmation';
                a.sequences := a.sequences || lib.action_safety(a, actor_id);
                a.sequences := a.sequences || (lib.confirmation_issue(a, actor_id, (lib.action_version(a)).summary,
                                                                      NULL)).sequence;
                RETURN a;
        ELSIF confirmed THEN
                a.status := 'confirmed';
                a.decided_at := lib.now_ms();
                a.decided_by := actor_id;
        ELSE
                a.rule := policy.rule;
                a.status := 'requested';
        END IF;
        a.sequences := a.sequences || lib.action_safety(a, actor_id);
        IF policy.does = 'generate' THEN
                a.lease_until := lib.now_ms();
                RETURN a;
        ELSIF policy.does = 'send' THEN
                PERFORM lib.action_send(a, actor_id, confirmed);
        END IF;
        a := lib.action_succeed(a, actor_id, 0);
        PERFORM lib.meter_action(a, false, 0, 0);
        RETURN a;
END $$;

-- ---- what is answered ----

-- The events of an action's answer by what they tell.
CREATE FUNCTION lib.action_events(a lifeos.action) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN (SELECT lib.object(array_agg(CASE WHEN e.type IN ('orchestration.action.requested', 'action.proposed')
                                                 THEN 'requested'
                                                 WHEN e.type = 'action.requires_confirmation' THEN 'confirmation'
                                                 WHEN starts_with(e.type, 'action.') THEN substr(e.type, 8)
                                                 ELSE 'safety' END ORDER BY e.n),
                                  array_agg(e.event::text ORDER BY e.n))
                FROM (SELECT p.event, p.event ->> 'type' AS type, p.n
                      FROM json_array_elements(lib.event_published(a.account_id, a.session_id, a.sequences))
                           WITH ORDINALITY p(event, n)) e);
END $$;

-- What became of an action, however often it is asked. Its outcome's status; head is how far the stream is.
CREATE FUNCTION lib.action_answer(a lifeos.action) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        reply api.reply;
        verdict record := lib.action_verdict(a);
        events json := lib.action_events(a);
        keys text[] := '{blocked,actionId,actionType,decision,events}';
        vals text[] := ARRAY[(a.status = 'requires_confirmation')::text, lib.js(a.action_id), lib.js(a.action_type),
                lib.canonical('{actionId,decision,policyId,reason}', ARRAY[lib.js(a.action_id),
                        lib.js(verdict.decision), lib.js(verdict.policy_id), lib.js(verdict.reason)]), events::text];
        outbox text := (SELECT o.outbox_id FROM lifeos.outbox o WHERE o.account_id = a.account_id
                        AND o.session_id = a.session_id AND o.action_id = a.action_id);
BEGIN
        reply.account_id := a.account_id;
        reply.session_id := a.session_id;
        reply.head := lib.stream_head(a.account_id, a.session_id);
        reply.message := a.message;
        IF a.status = 'executed' THEN
                reply.status := 'OK';
                keys := '{ok,result,metering,ack}' || keys;
                vals := ARRAY['true', lib.canonical('{ok,resultRef,actionType,deliverableId,version,outboxId}', ARRAY[
                        'true', lib.js(a.result_ref), lib.js(a.action_type), to_json(a.deliverable_id)::text,
                        a.deliverable_version::text, to_json(outbox)::text]),
                        coalesce(lib.action_metering(a, events -> 'executed' ->> 'eventId')::text, 'null'),
                        lib.object('{status,outcomeRef}', ARRAY['"executed"', lib.js(a.result_ref)])::text] || vals;
        ELSIF a.status IN ('requested', 'confirmed') THEN
                reply.status := 'OK';
                keys := '{ok,pending,status}' || keys;
                vals := ARRAY['true', 'true', lib.js(a.status)] || vals;
        ELSIF a.status = 'requires_confirmation' THEN
                reply.status := 'SAFETY_BLOCKED';
                keys := '{confirmationToken,expiresAt,version}' || keys;
                vals := ARRAY[events -> 'confirmation' -> 'payload' ->> 'confirmationToken',
                              events -> 'confirmation' -> 'payload' ->> 'expiresAt', a.version::text] || vals;
                vals[1] := lib.js(vals[1]);
        ELSE
                reply.status := CASE a.status WHEN 'failed' THEN a.code WHEN 'expired' THEN 'CONFIRMATION_EXPIRED'
                                ELSE 'ACTION_STATE' END;
                keys := '{ack}' || keys;
                vals := lib.object('{status,outcomeRef}', ARRAY['"failed"', lib.js(events -> 'failed' ->> 'eventId')])
                        ::text || vals;
        END IF;
        reply.body := lib.object(keys, vals);
        RETURN reply;
END $$;

-- Keeps what became of it, audits it, and answers; a good end is kept for who asks again with the same command.
CREATE FUNCTION lib.action_leave(a lifeos.action, actor_id text, actor_role text, command_id text, command_hash bytea,
                                 op text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        reply api.reply;
BEGIN
        PERFORM lib.action_save(a);
        reply := lib.action_answer(a);
        PERFORM lib.action_audit(a, actor_id, actor_role, op, reply.status, '{decidedBy,resultRef,result}', ARRAY[
                to_json(a.decided_by)::text, to_json(a.result_ref)::text, (reply.body -> 'result')::text]);
        IF reply.status <> 'OK' THEN
                RETURN reply;
        END IF;
        RETURN lib.receipt_put(a.account_id, actor_id, command_id, command_hash, op, a.session_id, reply.head,
                               reply.body);
END $$;

-- ---- asking for it ----

-- A human asks for what nobody has asked for yet.
CREATE FUNCTION lib.action_ask(account_id text, session_id text, action_id text, action_type text, actor_id text,
                               summary text, payload json, metadata json, exact text) RETURNS lifeos.action
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        policy record := lib.action_policy(account_id, action_type);
        a lifeos.action;
BEGIN
        a.account_id := account_id;
        a.session_id := session_id;
        a.action_id := action_id;
        a.action_type := action_type;
        a.status := 'requested';
        a.asked_by := 'human';
        a.actor_id := actor_id;
        a.risk_tier := policy.tier;
        a.rule := policy.rule;
        a.request_hash := lib.hash(action_type, payload::text);
        a.metadata := lib.meta(coalesce(metadata, '{}'));
        RETURN lib.action_put(a, coalesce(summary, action_type), exact);
END $$;

CREATE FUNCTION lib.action_requested(a lifeos.action, actor_id text) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
        SELECT lib.action_emit(a, actor_id, 'orchestration.action.requested', '{actionType,metadata,riskTier,summary}',
                               ARRAY[lib.js(a.action_type), a.metadata::text, lib.js(a.risk_tier),
                                     lib.js((lib.action_version(a)).summary)])
$$;

CREATE FUNCTION api.action_execute(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                                   action_id text, action_type text, summary text, risk_tier text,
                                   user_confirmation boolean, confirmation_token text, payload json, metadata json,
                                   conversation_id text, call_timestamp json, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        reply api.reply := lib.action_enter(account_id, actor_id, actor_role, session_id, command_id, command_hash,
                                            'action_execute');
        a lifeos.action;
        exact record;
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        a := lib.action_find(account_id, session_id, action_id);
        IF a.action_id IS NULL AND (lib.action_policy(account_id, action_type)).rule IS NULL THEN
                RETURN lib.refuse('UNSUPPORTED_ACTION_TYPE');
        ELSIF a.action_id IS NULL AND confirmation_token IS NOT NULL THEN
                RETURN lib.refuse('CONFIRMATION_INVALID');
        ELSIF a.action_id IS NULL THEN
                payload := coalesce(payload, '{}');
                exact := lib.action_resolve(account_id, session_id, action_id, action_type, payload, actor_id,
                                            actor_role);
                IF exact.status <> 'OK' THEN
                        RETURN lib.refuse(exact.status, exact.message);
                END IF;
                a := lib.action_ask(account_id, session_id, action_id, action_type, actor_id, summary, payload,
                                    metadata, exact.arguments);
        ELSIF a.action_type <> action_type
              OR (payload IS NOT NULL AND a.request_hash <> lib.hash(action_type, payload::text)) THEN
                RETURN lib.refuse('ACTION_CONFLICT');
        ELSIF a.status = 'requires_confirmation' AND confirmation_token IS NOT NULL THEN
                RETURN lib.action_redeem(a, confirmation_token, actor_id, actor_role, command_id, command_hash,
                                         'action_execute');
        ELSIF a.status = 'requires_confirmation' THEN
                RETURN lib.action_remind(a, actor_id, actor_role);
        ELSIF a.status <> 'proposed' THEN
                RETURN lib.action_answer(a);
        ELSIF lib.action_forgotten(a) THEN
                RETURN lib.refuse('ACTION_STATE');
        END IF;
        a.sequences := ARRAY[lib.action_requested(a, actor_id)];
        a := lib.action_gate(a, actor_id, false);
        RETURN lib.action_leave(a, actor_id, actor_role, command_id, command_hash, 'action_execute');
END $$;
