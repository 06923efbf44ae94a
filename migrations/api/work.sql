-- work.sql - what is overdue besides calls: turns and actions whose runner is gone, confirmations nobody gave.
--
-- Everything is decided again under the stream's lock: whoever comes early, late or twice changes nothing.

-- An action whose runner was not heard of for this long after its lease is taken for dead, in microseconds.
CREATE FUNCTION lib.work_grace() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 60000000::bigint $$;

-- It will not be done any more; its listeners are told why. The caller holds the stream.
CREATE FUNCTION lib.work_give_up(a lifeos.action) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        PERFORM lib.action_save(a);
        PERFORM lib.action_audit(a, 'sweep', 'system', 'work_expire', 'OK', '{code}', ARRAY[lib.js(a.code)]);
END $$;

CREATE FUNCTION lib.work_action(account_id text, session_id text, action_id text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        a lifeos.action := lib.action_find(account_id, session_id, action_id);
BEGIN
        IF a.lease_until IS NULL OR a.lease_until > lib.now() - lib.work_grace() THEN
                RETURN 'kept';
        END IF;
        PERFORM lib.work_give_up(lib.action_give_up(a, 'failed', 'ACTION_EXECUTION_FAILED',
                                                    'nobody finished it in time', 'sweep'));
        RETURN 'expired';
END $$;

-- id is the action's: of its confirmations one at most is open.
CREATE FUNCTION lib.work_confirmation(account_id text, session_id text, action_id text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        a lifeos.action := lib.action_find(account_id, session_id, action_id);
        c lifeos.confirmation;
BEGIN
        SELECT * INTO c FROM lifeos.confirmation x WHERE x.account_id = account_id AND x.session_id = session_id
               AND x.action_id = action_id AND x.state = 'open' AND x.expires_at <= lib.now();
        IF NOT FOUND THEN
                RETURN 'kept';
        ELSIF a.status = 'requires_confirmation' AND a.version = c.version THEN
                PERFORM lib.work_give_up(lib.action_lapse(a, 'sweep'));
        ELSE
                PERFORM lib.confirmation_close(a, 'expired', 'sweep');
                PERFORM lib.action_audit(a, 'sweep', 'system', 'work_expire', 'OK', '{confirmationOf}',
                                         ARRAY[c.version::text]);
        END IF;
        RETURN 'expired';
END $$;

CREATE FUNCTION api.work_expire(account_id text, session_id text, kind text, id text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        result text;
        reply api.reply;
BEGIN
        IF NOT lib.stream_lock(account_id, session_id) THEN
                RETURN lib.refuse('SESSION_NOT_FOUND');
        END IF;
        result := CASE kind WHEN 'turn' THEN CASE WHEN lib.turn_interrupt(account_id, session_id, id) THEN 'expired'
                                                  ELSE 'kept' END
                            WHEN 'action' THEN lib.work_action(account_id, session_id, id)
                            ELSE lib.work_confirmation(account_id, session_id, id) END;
        reply.status := 'OK';
        reply.body := lib.object('{ok,result}', ARRAY['true', lib.js(result)]);
        reply.account_id := account_id;
        reply.session_id := session_id;
        -- Also when nothing was done: whoever died before answering may have died before telling the listeners.
        reply.head := lib.stream_head(account_id, session_id);
        RETURN reply;
END $$;

-- What needs a look, the longest due first; of each kind by its own index.
CREATE FUNCTION api.work_due("limit" bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        now bigint := lib.now();
        gone bigint := now - lib.work_grace();
        reply api.reply;
BEGIN
        reply.status := 'OK';
        SELECT lib.object('{ok,due,more}', ARRAY['true', '[' || coalesce(string_agg(
                       lib.object('{accountId,sessionId,kind,id}', ARRAY[lib.js(d.account_id), lib.js(d.session_id),
                                  lib.js(d.kind), lib.js(d.id)])::text,
                       ',' ORDER BY d.n) FILTER (WHERE d.n <= "limit"), '') || ']', (count(*) > "limit")::text])
        INTO reply.body
        FROM (SELECT w.*, row_number() OVER (ORDER BY w.at) AS n
              FROM ((SELECT t.account_id, t.conversation_id AS session_id, 'turn' AS kind, t.turn_id AS id,
                            t.lease_until AS at
                     FROM lifeos.turn t WHERE t.status = 'running' AND t.lease_until < now
                     ORDER BY t.lease_until LIMIT "limit" + 1)
                    UNION ALL
                    (SELECT a.account_id, a.session_id, 'action', a.action_id, a.lease_until
                     FROM lifeos.action a WHERE a.lease_until IS NOT NULL AND a.lease_until <= gone
                     ORDER BY a.lease_until LIMIT "limit" + 1)
                    UNION ALL
                    (SELECT c.account_id, c.session_id, 'confirmation', c.action_id, c.expires_at
                     FROM lifeos.confirmation c WHERE c.state = 'open' AND c.expires_at <= now
                     ORDER BY c.expires_at LIMIT "limit" + 1)) w
              ORDER BY w.at LIMIT "limit" + 1) d;
        RETURN reply;
END $$;

-- Messages to customers' webhooks that wait, counted up to max_rows.
CREATE FUNCTION lib.outbox_waiting(max_rows bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT count(*) FROM (SELECT FROM lifeos.outbox o WHERE o.status = 'queued' LIMIT max_rows) q
$$;
