-- turn_stop.sql - somebody pressed stop: whoever runs the turn hears of it, and ends it.

-- Marks it; the writer tells all who might run it.
CREATE FUNCTION lib.turn_mark(account_id text, actor_id text, actor_role text, conversation_id text, turn_id text)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        UPDATE lifeos.turn o SET stop_at = coalesce(o.stop_at, lib.now())
        WHERE o.account_id = account_id AND o.conversation_id = conversation_id AND o.turn_id = turn_id;
        PERFORM lib.audit(account_id, conversation_id, actor_id, actor_role, 'turn_stop', 'OK',
                          lib.object('{turnId}', ARRAY[lib.js(turn_id)]));
END $$;

CREATE FUNCTION api.turn_stop(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                              conversation_id text, turn_id text, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        which text := coalesce(session_id, conversation_id);
        see record := lib.conversation_see(account_id, actor_id, actor_role, which, 'write');
        t lifeos.turn;
        stopped boolean;
        reply api.reply;
BEGIN
        IF which IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'conversationId is missing');
        ELSIF session_id IS NOT NULL AND (see.kind = 'chat' OR see.status = 'CONVERSATION_NOT_FOUND') THEN
                RETURN lib.refuse('SESSION_NOT_FOUND');
        END IF;
        reply := lib.command_begin(see.status, account_id, actor_id, which, command_id, command_hash, 'turn_stop');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        t := lib.turn_running(lib.conversation_of(account_id, which));
        stopped := t.turn_id = coalesce(turn_id, t.turn_id);
        IF stopped THEN
                PERFORM lib.turn_mark(account_id, actor_id, actor_role, which, t.turn_id);
        END IF;
        RETURN lib.receipt_put(account_id, actor_id, command_id, command_hash, 'turn_stop', which, NULL,
                               lib.object('{ok,turnId,stopped,conversationId}'::text[]
                                          || CASE see.kind WHEN 'call' THEN '{sessionId}'::text[] END,
                                          ARRAY['true', lib.js(coalesce(turn_id, t.turn_id)),
                                                coalesce(stopped, false)::text, lib.js(which)]
                                          || CASE see.kind WHEN 'call' THEN ARRAY[lib.js(which)] END));
END $$;
