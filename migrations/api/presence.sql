-- presence.sql - whose clients are there: the frontends tell who listens to a session of his own, and who has left.

-- The entries of one list of `seen`, [account, session, actor] each. What is not one reads as NULLs and finds
-- nothing: the list is a frontend's word, and a word that makes no sense must not cost the others theirs.
CREATE FUNCTION lib.presence_rows(seen json, list text)
RETURNS TABLE (account_id text, session_id text, actor_id text) LANGUAGE sql STABLE AS $$
        SELECT e.value ->> 0, e.value ->> 1, e.value ->> 2
        FROM json_array_elements(CASE WHEN json_typeof(seen -> list) = 'array' THEN seen -> list ELSE '[]' END) e
$$;

-- Bounded by the field's 64 KiB. Nobody is waited for: a row that is held is in use, and will be told of again. While
-- a client is there its window is stretched over the time until its row is due again, so that few writes do.
CREATE FUNCTION api.presence(seen json) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$
DECLARE
        at bigint := lib.now_ms();
        reply api.reply := lib.refuse('OK');
BEGIN
        UPDATE lifeos.call_session c SET seen_at = at,
               resume_valid_until = greatest(c.resume_valid_until, at + c.reconnect_window_ms * 1250 + 10000000)
        FROM (SELECT k.account_id, k.session_id FROM lib.presence_rows(seen, 'here') p
              JOIN lifeos.call_session k ON k.account_id = p.account_id AND k.session_id = p.session_id
                      AND k.user_id = p.actor_id
              WHERE k.status IN ('created', 'active') AND k.seen_at < at - k.reconnect_window_ms * 250
              FOR NO KEY UPDATE OF k SKIP LOCKED) k
        WHERE c.account_id = k.account_id AND c.session_id = k.session_id;
        UPDATE lifeos.call_session c SET seen_at = at, resume_valid_until = at + c.reconnect_window_ms * 1000
        FROM (SELECT k.account_id, k.session_id FROM lib.presence_rows(seen, 'left') p
              JOIN lifeos.call_session k ON k.account_id = p.account_id AND k.session_id = p.session_id
                      AND k.user_id = p.actor_id
              WHERE k.status IN ('created', 'active')
              FOR NO KEY UPDATE OF k SKIP LOCKED) k
        WHERE c.account_id = k.account_id AND c.session_id = k.session_id;
        reply.body := '{"ok":true}';
        RETURN reply;
END $$;
