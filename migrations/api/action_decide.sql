-- action_decide.sql - what somebody decided at his screen, for the record.

-- Which action is meant: that of the session, or, of an id alone, the account's only one.
CREATE FUNCTION lib.action_meant(account_id text, session_id text, action_id text) RETURNS lifeos.action
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        found_in text[];
BEGIN
        IF session_id IS NULL THEN
                SELECT array_agg(x.session_id) INTO found_in FROM (SELECT a.session_id FROM lifeos.action a
                        WHERE a.account_id = account_id AND a.action_id = action_id LIMIT 2) x;
                session_id := CASE WHEN cardinality(found_in) = 1 THEN found_in[1] END;
        END IF;
        RETURN lib.action_find(account_id, session_id, action_id);
END $$;

-- A number of milliseconds or a date; anything else is now.
CREATE FUNCTION lib.time_given(given json) RETURNS bigint LANGUAGE sql VOLATILE AS $$
        SELECT lib.ms(coalesce(CASE json_typeof(given) WHEN 'number' THEN lib.uint(given::text) * 1000
                                                       WHEN 'string' THEN lib.time_parse(given #>> '{}') END, lib.now()))
$$;

-- The record. Details may be anybody's words and cannot be taken out of an audit entry: it has their hash.
CREATE FUNCTION lib.decision_audit(a lifeos.action, account_id text, actor_id text, actor_role text, record json,
                                   conversation_id text, details json) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        keys text[] := '{record,conversationId,detailsHash}';
        vals text[] := ARRAY[record::text, to_json(conversation_id)::text, to_json(encode(sha256(convert_to(
                details::text, 'UTF8')), 'hex'))::text];
BEGIN
        IF a.action_id IS NULL THEN
                PERFORM lib.audit(account_id, '@account', actor_id, actor_role, 'action_decide', 'UNKNOWN_ACTION',
                                  lib.canonical(keys, vals)::json);
        ELSE
                PERFORM lib.action_audit(a, actor_id, actor_role, 'action_decide', 'OK', keys, vals);
        END IF;
END $$;

CREATE FUNCTION api.action_decide(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                                  action_id text, action text, decision text, result text, risk_tier text,
                                  conversation_id text, call_timestamp json, details json, command_hash bytea)
RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        a lifeos.action := lib.action_meant(account_id, session_id, action_id);
        stream text := coalesce(session_id, a.session_id);
        may text := lib.actor_check(account_id, actor_id, actor_role);
        see record;
        record json;
        reply api.reply;
BEGIN
        IF actor_role NOT IN ('owner', 'admin', 'member', 'viewer') THEN
                may := 'FORBIDDEN';
        ELSIF stream IS NOT NULL AND may = 'OK' THEN
                may := lib.action_reader(account_id, actor_id, actor_role, stream);
        END IF;
        reply := lib.command_begin(may, account_id, actor_id, stream, command_id, command_hash, 'action_decide');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        a := lib.action_find(account_id, stream, action_id); -- as it is now that we hold its stream
        record := lib.object('{actionId,action,callTimestamp,decision,result,riskTier,decisionTimestamp}', ARRAY[
                lib.js(action_id), lib.js(coalesce(nullif(action, ''), 'unknown')),
                lib.time_given(call_timestamp)::text, lib.js(coalesce(nullif(decision, ''), 'cancelled')),
                lib.js(coalesce(nullif(result, ''), 'cancelled')),
                lib.js(coalesce(nullif(risk_tier, ''), 'high-risk-external-send')), lib.ms(lib.now())::text]);
        IF a.status = 'requires_confirmation' AND record ->> 'decision' IN ('cancelled', 'declined', 'timed_out') THEN
                see := lib.conversation_see(account_id, actor_id, actor_role, stream, 'write');
                IF see.status = 'OK' THEN
                        a := lib.action_give_up(a, 'declined', 'CONFIRMATION_DECLINED',
                                                'a human said no: ' || (record ->> 'decision'), actor_id);
                        PERFORM lib.action_save(a);
                END IF;
        END IF;
        PERFORM lib.decision_audit(a, account_id, actor_id, actor_role, record, conversation_id, details);
        RETURN lib.receipt_put(account_id, actor_id, command_id, command_hash, 'action_decide', a.session_id,
                               lib.stream_head(account_id, a.session_id),
                               lib.object('{ok,event}', ARRAY['true', lib.object('{v,type,payload}', ARRAY['"1.0"',
                                          '"action.audit"', record::text])::text]));
END $$;
