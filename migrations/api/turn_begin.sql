-- turn_begin.sql - the user's words become durable, and one process runs what they ask for.

-- What was asked for, as one thing: whoever the words of api.turn_begin() are handed to gets all of them.
CREATE TYPE lib.turn_ask AS (account_id text, actor_id text, actor_role text, conversation_id text, chat boolean,
                             turn_id text, words text, persona text, capture_at bigint, received_at bigint, runner text,
                             lease bigint, history bigint, session_tokens bigint, account_tokens bigint, replace boolean);

CREATE FUNCTION lib.turn_hash(a lib.turn_ask) RETURNS bytea LANGUAGE sql STABLE AS
$$ SELECT lib.hash(a.actor_id, a.words, a.persona) $$;

-- OK, new (a chat that is not there yet), or why not.
CREATE FUNCTION lib.turn_may(a lib.turn_ask) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        see record := lib.conversation_see(a.account_id, a.actor_id, a.actor_role, a.conversation_id, 'write');
        there boolean;
BEGIN
        IF a.account_id = '*' OR a.actor_role NOT IN ('owner', 'admin', 'member', 'viewer') THEN
                RETURN 'FORBIDDEN';
        ELSIF see.status NOT IN ('OK', 'FORBIDDEN', 'CONVERSATION_NOT_FOUND') THEN
                RETURN see.status;
        ELSIF see.kind IS NULL AND a.chat THEN
                RETURN CASE a.actor_role WHEN 'viewer' THEN 'FORBIDDEN' ELSE 'new' END;
        ELSIF see.kind IS DISTINCT FROM (CASE WHEN a.chat THEN 'chat' ELSE 'call' END) THEN
                RETURN CASE WHEN a.chat THEN 'CONVERSATION_NOT_FOUND' ELSE 'SESSION_NOT_FOUND' END;
        END IF;
        RETURN see.status;
END $$;

-- Can the conversation be gone on with? The caller holds its stream.
CREATE FUNCTION lib.turn_live(a lib.turn_ask, c lifeos.conversation) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF c.deleted_at IS NOT NULL THEN
                RETURN 'CONVERSATION_NOT_FOUND';
        ELSIF NOT a.chat THEN
                PERFORM 1 FROM lifeos.call_session s WHERE s.account_id = a.account_id
                        AND s.session_id = a.conversation_id AND s.status IN ('created', 'active');
                RETURN CASE WHEN FOUND THEN 'OK' ELSE 'INVALID_TRANSITION' END;
        END IF;
        RETURN 'OK';
END $$;

-- What was said before this turn, oldest first: so many messages, and not over 1 MiB of them.
CREATE FUNCTION lib.turn_history(t lifeos.turn, n bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
        list text;
BEGIN
        SELECT string_agg(x.entry, ',' ORDER BY x.ordinal) INTO list
        FROM (SELECT w.*, sum(octet_length(w.entry)) OVER (ORDER BY w.ordinal DESC) AS size
              FROM (SELECT m.ordinal, m.content <> '' AS spoken, '{"role":"' || m.role || '","content":' || to_json(m.content)::text
                           || CASE WHEN m.state = 'complete' THEN '}' ELSE ',"cut":true}' END AS entry
                    FROM lifeos.message m
                    WHERE m.account_id = t.account_id AND m.conversation_id = t.conversation_id
                          AND m.ordinal < t.user_ordinal
                    ORDER BY m.ordinal DESC LIMIT n) w) x
        WHERE x.size <= 1048576 AND x.spoken;
        RETURN '[' || coalesce(list, '') || ']';
END $$;

-- What became of actions since the turn before this one began: of the newest 50.
CREATE FUNCTION lib.turn_outcomes(t lifeos.turn) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
        since bigint;
        list text;
BEGIN
        since := (lib.turn_of(t.account_id, t.conversation_id, t.user_ordinal - 1)).began_at;
        SELECT string_agg(lib.object('{actionId,actionType,status,summary}',
                                     ARRAY[lib.js(x.action_id), lib.js(x.action_type), lib.js(x.status),
                                           lib.js((SELECT v.summary FROM lifeos.action_version v
                                                   WHERE v.account_id = x.account_id AND v.session_id = x.session_id
                                                         AND v.action_id = x.action_id AND v.version = x.version))])::text,
                          ',' ORDER BY x.updated_at, x.action_id) INTO list
        FROM (SELECT * FROM lifeos.action a
              WHERE a.account_id = t.account_id AND a.session_id = t.conversation_id
              ORDER BY a.created_at DESC, a.action_id DESC LIMIT 50) x
        WHERE x.updated_at >= coalesce(since, 0)
              AND x.status IN ('confirmed', 'declined', 'expired', 'executed', 'failed');
        RETURN '[' || coalesce(list, '') || ']';
END $$;

-- This process runs it.
CREATE FUNCTION lib.turn_run(a lib.turn_ask, c lifeos.conversation, t lifeos.turn, told boolean) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN lib.turn_reply(t.account_id, t.conversation_id, 'OK', NULL, lib.object(
                '{ok,state,turnId,conversationId,messageId,attempt,persona,history,outcomes,stored,tokensLeft,voice}',
                ARRAY['true', '"run"', lib.js(t.turn_id), lib.js(t.conversation_id),
                      lib.js(lib.turn_name(c, t.turn_id, 'msg_assistant')), t.attempt::text, lib.js(t.persona),
                      lib.turn_history(t, a.history), lib.turn_outcomes(t), t.stored::text,
                      coalesce(lib.ai_budget(t.account_id, t.conversation_id, a.session_tokens,
                                             a.account_tokens)::text, 'null'),
                      CASE c.kind WHEN 'call' THEN lib.voice_state(c.account_id, c.conversation_id)::text ELSE 'null' END]),
                told);
END $$;

-- Another turn runs; whoever replaces it has it stopped, and waits until it is.
CREATE FUNCTION lib.turn_wait(a lib.turn_ask, running lifeos.turn) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        stopped boolean := coalesce(a.replace, false) AND running.turn_id <> a.turn_id;
BEGIN
        IF stopped AND running.stop_at IS NULL THEN
                UPDATE lifeos.turn o SET stop_at = lib.now()
                WHERE o.account_id = a.account_id AND o.conversation_id = a.conversation_id
                      AND o.turn_id = running.turn_id;
        END IF;
        RETURN lib.turn_reply(a.account_id, a.conversation_id, 'OK', NULL,
                              lib.object('{ok,state,turnId,conversationId,running,stopped}',
                                         ARRAY['true', '"wait"', lib.js(a.turn_id), lib.js(a.conversation_id),
                                               lib.js(running.turn_id), stopped::text]), false);
END $$;

CREATE FUNCTION lib.turn_done(t lifeos.turn) RETURNS api.reply
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        SELECT lib.turn_reply(t.account_id, t.conversation_id, 'OK', NULL,
                              lib.object('{ok,state,turnId,conversationId,status,message,answer}',
                                         ARRAY['true', '"done"', lib.js(t.turn_id), lib.js(t.conversation_id),
                                               lib.js(coalesce(t.code, 'OK')), lib.js(t.message),
                                               coalesce(t.answer::text, 'null')]), true)
$$;

-- This turn is known: it goes on, is taken over, is waited for, or is over.
CREATE FUNCTION lib.turn_again(a lib.turn_ask, c lifeos.conversation, t lifeos.turn) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := lib.now();
BEGIN
        IF t.content_hash <> lib.turn_hash(a) THEN
                RETURN lib.refuse('IDEMPOTENCY_CONFLICT');
        ELSIF t.status <> 'running' THEN
                RETURN lib.turn_done(t);
        ELSIF t.runner <> a.runner AND t.lease_until >= at THEN
                RETURN lib.turn_wait(a, t);
        ELSIF t.runner <> a.runner AND (t.stored > 0 OR t.stop_at IS NOT NULL OR lib.turn_live(a, c) <> 'OK') THEN
                RETURN lib.turn_done(lib.turn_lost(c, t));
        END IF;
        UPDATE lifeos.turn o SET runner = a.runner, lease_until = at + a.lease,
               attempt = o.attempt + (o.runner <> a.runner)::integer
        WHERE o.account_id = t.account_id AND o.conversation_id = t.conversation_id AND o.turn_id = t.turn_id
        RETURNING * INTO STRICT t;
        RETURN lib.turn_run(a, c, t, true);
END $$;

-- The words, stored and told; from here it runs.
CREATE FUNCTION lib.turn_new(a lib.turn_ask) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        c lifeos.conversation := lib.conversation_open(a.account_id, a.conversation_id,
                                                       CASE WHEN a.chat THEN 'chat' ELSE 'call' END, a.actor_id, a.persona);
        t lifeos.turn;
        at bigint := lib.now();
BEGIN
        t.account_id := a.account_id;
        t.conversation_id := a.conversation_id;
        t.turn_id := a.turn_id;
        t.actor_id := a.actor_id;
        t.status := 'running';
        t.content_hash := lib.turn_hash(a);
        t.runner := a.runner;
        t.attempt := 1;
        t.lease_until := at + a.lease;
        t.persona := a.persona;
        t.stored := 0;
        t.capture_at := a.capture_at;
        t.received_at := a.received_at;
        t.began_at := at;
        t.input_tokens := 0;
        t.output_tokens := 0;
        t.user_ordinal := lib.message_add(c, t, 'user', 'complete', NULL, a.words);
        UPDATE lifeos.conversation o SET persona = a.persona
        WHERE o.account_id = c.account_id AND o.conversation_id = c.conversation_id AND o.persona <> a.persona;
        t.sequences := array_remove(ARRAY[
                lib.turn_owner(c, t, 'user', 'user_turn_started', a.received_at),
                lib.turn_say(c, t, 'user', a.words, false, a.received_at),
                lib.turn_owner(c, t, 'agent', 'assistant_processing', lib.now_ms())], NULL);
        INSERT INTO lifeos.turn VALUES (t.*);
        RETURN lib.turn_run(a, c, t, true);
END $$;

CREATE FUNCTION api.turn_begin(account_id text, actor_id text, actor_role text, session_id text, chat boolean,
                               turn_id text, text text, persona text, capture_at_ms bigint, received bigint,
                               runner text, lease_ms bigint, history bigint, session_tokens bigint,
                               account_tokens bigint, replace boolean) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        a lib.turn_ask := (account_id, actor_id, actor_role, session_id, coalesce(chat, false), turn_id, text, persona,
                           capture_at_ms * 1000, received, runner, lease_ms * 1000, history, session_tokens,
                           account_tokens, replace);
        may text := lib.turn_may(a);
        c lifeos.conversation;
        t lifeos.turn;
BEGIN
        IF may NOT IN ('OK', 'new') THEN
                RETURN lib.refuse(may);
        END IF;
        t := lib.turn_lock(account_id, session_id, turn_id);
        IF may = 'new' THEN -- somebody else's, made since then?
                may := lib.turn_may(a);
        END IF;
        IF may NOT IN ('OK', 'new') THEN
                RETURN lib.refuse(may);
        END IF;
        c := lib.conversation_of(account_id, session_id);
        IF t.status IS NOT NULL AND c.deleted_at IS NULL THEN
                RETURN lib.turn_again(a, c, t);
        END IF;
        may := lib.turn_live(a, c);
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF lib.ai_budget(account_id, session_id, session_tokens, account_tokens) = 0 THEN
                RETURN lib.refuse('TURN_BUDGET_SPENT');
        END IF;
        t := lib.turn_running(c);
        IF t.lease_until >= lib.now() THEN
                RETURN lib.turn_wait(a, t);
        ELSIF t.status IS NOT NULL THEN
                PERFORM lib.turn_lost(c, t);
        END IF;
        RETURN lib.turn_new(a);
END $$;
