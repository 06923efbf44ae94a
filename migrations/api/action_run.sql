-- action_run.sql - actions that the AI carries out: taken by a process for a while, ended with a deliverable or without.

-- The newest messages of a conversation, the oldest of them first; not over 512 KiB of them.
CREATE FUNCTION lib.action_history(account_id text, session_id text) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT '[' || coalesce(string_agg(m.entry, ',' ORDER BY m.ordinal), '') || ']'
        FROM (SELECT w.entry, w.ordinal, sum(octet_length(w.entry)) OVER (ORDER BY w.ordinal DESC) AS size
              FROM (SELECT x.ordinal, lib.canonical('{role,content}', ARRAY[to_json(x.role)::text,
                           to_json(x.content)::text]) AS entry
                    FROM lifeos.message x
                    WHERE x.account_id = $1 AND x.conversation_id = $2 AND x.state <> 'arriving' AND x.content <> ''
                    ORDER BY x.ordinal DESC LIMIT 30) w) m
        WHERE m.size <= 524288
$$;

-- The version it starts from. A runner that asks again, as it does to stay alive, is shown what it was shown: its result
-- must not follow a version it never saw.
CREATE FUNCTION lib.action_shown(a lifeos.action, runner text, actor_id text, actor_role text)
RETURNS lifeos.deliverable_version LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        v lifeos.deliverable_version;
BEGIN
        IF a.runner = action_shown.runner THEN
                SELECT * INTO v FROM lifeos.deliverable_version x WHERE x.account_id = a.account_id
                       AND x.deliverable_id = a.deliverable_id AND x.version = a.deliverable_version;
                RETURN v;
        END IF;
        RETURN lib.action_deliverable(a.account_id, a.session_id,
                                      (lib.action_policy(a.account_id, a.action_type)).kind,
                                      (lib.action_version(a)).arguments, actor_id, actor_role);
END $$;

-- What whoever carries it out must know; v: the deliverable's version it starts from, if it has one.
CREATE FUNCTION lib.action_task(a lifeos.action, v lifeos.deliverable_version, tokens bigint) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        w lifeos.action_version := lib.action_version(a);
BEGIN
        RETURN lib.object('{ok,state,actionId,actionType,kind,arguments,summary,version,deliverable,history,'
                          'sessionId,conversationId,tokensLeft}', ARRAY['true', '"run"', lib.js(a.action_id),
                lib.js(a.action_type), lib.js((lib.action_policy(a.account_id, a.action_type)).kind),
                coalesce(w.arguments::text, 'null'), lib.js(w.summary), w.version::text,
                CASE WHEN v.version IS NULL THEN 'null'
                     ELSE lib.object('{deliverableId,version,title,markdown,data}', ARRAY[lib.js(v.deliverable_id),
                                     v.version::text, lib.js(v.title), lib.js(v.markdown),
                                     coalesce(v.data::text, 'null')])::text END,
                lib.action_history(a.account_id, a.session_id), lib.js(a.session_id), lib.js(a.session_id),
                coalesce(tokens::text, 'null')]);
END $$;

-- Its outcome, for a process that would carry out what is over already.
CREATE FUNCTION lib.action_over(a lifeos.action) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        reply api.reply := lib.action_answer(a);
BEGIN
        reply.body := lib.object('{ok,state,status,message,answer}', ARRAY['true', '"done"', lib.js(reply.status),
                                 lib.js(reply.message), reply.body::text]);
        reply.status := 'OK';
        reply.message := NULL;
        RETURN reply;
END $$;

CREATE FUNCTION api.action_begin(account_id text, actor_id text, actor_role text, session_id text, action_id text,
                                 runner text, lease_ms bigint, session_tokens bigint, account_tokens bigint)
RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        see record := lib.conversation_see(account_id, actor_id, actor_role, session_id, 'write');
        policy record;
        a lifeos.action;
        v lifeos.deliverable_version;
        tokens bigint;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(CASE see.status WHEN 'CONVERSATION_NOT_FOUND' THEN 'SESSION_NOT_FOUND'
                                  ELSE see.status END);
        END IF;
        PERFORM lib.stream_lock(account_id, session_id);
        a := lib.action_find(account_id, session_id, action_id);
        policy := lib.action_policy(account_id, a.action_type);
        tokens := lib.ai_budget(account_id, session_id, session_tokens, account_tokens);
        IF a.action_id IS NULL THEN
                RETURN lib.refuse('ACTION_NOT_FOUND');
        ELSIF a.ended_at IS NOT NULL THEN
                RETURN lib.action_over(a);
        ELSIF a.lease_until IS NULL THEN
                RETURN lib.refuse('ACTION_STATE');
        ELSIF a.runner <> action_begin.runner AND a.lease_until > lib.now() THEN
                reply := lib.refuse('OK');
                reply.body := '{"ok":true,"state":"wait"}';
                RETURN reply;
        ELSIF policy.rule = 'refuse' THEN
                a := lib.action_give_up(a, 'failed', 'ACTION_REFUSED', 'your tenant does not allow it any more',
                                        actor_id);
                PERFORM lib.action_save(a);
                PERFORM lib.action_audit(a, actor_id, actor_role, 'action_begin', 'ACTION_REFUSED');
                RETURN lib.action_over(a);
        ELSIF tokens <= 0 THEN
                RETURN lib.refuse('TURN_BUDGET_SPENT');
        END IF;
        v := lib.action_shown(a, runner, actor_id, actor_role);
        a.runner := runner;
        a.lease_until := lib.now() + lease_ms * 1000;
        a.deliverable_id := v.deliverable_id;
        a.deliverable_version := v.version;
        PERFORM lib.action_save(a);
        reply.status := 'OK';
        reply.body := lib.action_task(a, v, tokens);
        RETURN reply;
END $$;

-- The result as the next version of what its runner was shown, or as a new deliverable of the session's user. The
-- action with where it is now, or why it failed: somebody may have stored another version meanwhile.
CREATE FUNCTION lib.action_store(a lifeos.action, title text, markdown text, data json, model text, config json,
                                 duration_ms bigint) RETURNS lifeos.action
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        owner text := coalesce((SELECT d.user_id FROM lifeos.deliverable d WHERE d.account_id = a.account_id
                                AND d.deliverable_id = a.deliverable_id),
                               (SELECT s.user_id FROM lifeos.stream s WHERE s.account_id = a.account_id
                                AND s.stream_id = a.session_id));
        stored record;
BEGIN
        stored := lib.deliverable_store(a.account_id, owner, a.deliverable_id, a.deliverable_version,
                (lib.action_policy(a.account_id, a.action_type)).kind, title, markdown, data, 'model',
                coalesce(model, 'assistant'), model, config, a.session_id, NULL, a.action_id);
        IF stored.status <> 'OK' THEN
                RETURN lib.action_give_up(a, 'failed', stored.status, 'its result could not be stored', a.actor_id);
        END IF;
        a.deliverable_id := stored.id;
        a.deliverable_version := stored.version;
        RETURN lib.action_succeed(a, a.actor_id, duration_ms);
END $$;

CREATE FUNCTION api.action_end(account_id text, session_id text, action_id text, runner text, outcome text, code text,
                               message text, title text, markdown text, data json, response_id text, model text,
                               config json, input_tokens bigint, output_tokens bigint, duration_ms bigint)
RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        a lifeos.action;
        reply api.reply;
BEGIN
        PERFORM lib.stream_lock(account_id, session_id);
        a := lib.action_find(account_id, session_id, action_id);
        IF a.action_id IS NULL THEN
                RETURN lib.refuse('ACTION_NOT_FOUND');
        ELSIF a.runner IS DISTINCT FROM action_end.runner OR (a.lease_until IS NULL AND a.ended_at IS NULL) THEN
                RETURN lib.refuse('ACTION_STATE', 'somebody else carries it out');
        ELSIF a.ended_at IS NOT NULL THEN
                RETURN lib.action_answer(a);
        END IF;
        PERFORM lib.ai_spend(account_id, session_id, lib.tokens_sum(input_tokens, output_tokens));
        IF outcome = 'completed' THEN
                a := lib.action_store(a, title, markdown, data, model, config, duration_ms);
        ELSE
                a := lib.action_give_up(a, 'failed', coalesce(code, 'ACTION_EXECUTION_FAILED'),
                                        coalesce(message, 'it could not be carried out'), a.actor_id);
        END IF;
        PERFORM lib.action_save(a);
        PERFORM lib.meter_action(a, true, input_tokens, output_tokens);
        reply := lib.action_answer(a);
        PERFORM lib.action_audit(a, a.actor_id, 'system', 'action_end', reply.status,
                '{result,model,responseId,inputTokens,outputTokens}', ARRAY[(reply.body -> 'result')::text,
                        to_json(model)::text, to_json(response_id)::text, input_tokens::text, output_tokens::text]);
        RETURN reply;
END $$;
