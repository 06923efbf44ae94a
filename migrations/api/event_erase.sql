-- event_erase.sql - the words go, the record stays: payloads and salts of a session's events, for good.
--
-- This is the one thing that changes an event, and what was said is said nowhere else afterwards. Its place, type, times, emitter and hashes remain, so the chain still
-- verifies, gaps cannot be made, and a repeat of an erased event is still known for one.

-- The oldest max_rows of these that still have a payload. types: how theirs begin. last: where it stopped.
CREATE FUNCTION lib.payload_erase(account_id text, session_id text, since bigint, till bigint, max_rows bigint,
                                  types text DEFAULT '', OUT erased bigint, OUT last bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
BEGIN
        WITH gone AS (
                UPDATE lifeos.event e SET payload = NULL, salt = NULL
                FROM (SELECT o.sequence FROM lifeos.event o
                      WHERE o.account_id = account_id AND o.session_id = session_id AND o.sequence >= since
                            AND o.sequence <= till AND o.payload IS NOT NULL
                            AND starts_with(o.type, types)
                      ORDER BY o.sequence LIMIT max_rows) old
                WHERE e.account_id = account_id AND e.session_id = session_id AND e.sequence = old.sequence
                RETURNING e.sequence)
        SELECT count(*), max(g.sequence) INTO erased, last FROM gone g;
END $$;

-- The same words where they stand besides: messages and answers of the turns those events are of, and what their actions
-- were about. Deliverables are their owners' and stay.
CREATE FUNCTION lib.said_erase(account_id text, session_id text, since bigint, till bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
BEGIN
        WITH told AS (
                UPDATE lifeos.turn t SET answer = NULL, message = NULL
                WHERE t.account_id = account_id AND t.conversation_id = session_id AND t.status <> 'running'
                      AND EXISTS (SELECT FROM unnest(t.sequences) q WHERE q BETWEEN since AND till)
                RETURNING t.user_ordinal, t.agent_ordinal)
        DELETE FROM lifeos.message m
        WHERE m.account_id = account_id AND m.conversation_id = session_id
              AND m.ordinal = ANY (ARRAY(SELECT w.user_ordinal FROM told w UNION ALL SELECT w.agent_ordinal FROM told w));
        WITH told AS (
                UPDATE lifeos.action a SET message = NULL, metadata = '{}'
                WHERE a.account_id = account_id AND a.session_id = session_id AND a.lease_until IS NULL
                      AND EXISTS (SELECT FROM unnest(a.sequences) q WHERE q BETWEEN since AND till)
                RETURNING a.action_id)
        UPDATE lifeos.action_version v SET summary = NULL, arguments = NULL
        WHERE v.account_id = account_id AND v.session_id = session_id
              AND v.action_id = ANY (ARRAY(SELECT w.action_id FROM told w))
              AND (v.summary IS NOT NULL OR v.arguments IS NOT NULL);
END $$;

CREATE FUNCTION api.event_erase(command_id text, account_id text, session_id text, from_sequence bigint,
                                to_sequence bigint, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        max_rows CONSTANT bigint := 2000;
        st lifeos.stream;
        since bigint := coalesce(from_sequence, 1);
        till bigint;
        done record;
        more boolean;
        body json;
        reply api.reply;
BEGIN
        SELECT * INTO st FROM lifeos.stream s
        WHERE s.account_id = account_id AND s.stream_id = session_id AND s.kind <> 'account' FOR NO KEY UPDATE;
        IF NOT FOUND THEN
                RETURN lib.refuse('SESSION_NOT_FOUND');
        END IF;
        -- Not earlier: a writer that was killed may have done it while we waited.
        reply := lib.receipt_find('*', 'operator', command_id, command_hash, 'event_erase');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        till := least(coalesce(to_sequence, st.head), st.head);
        done := lib.payload_erase(account_id, session_id, since, till, max_rows);
        more := done.erased = max_rows AND done.last < till;
        PERFORM lib.said_erase(account_id, session_id, since, CASE WHEN more THEN done.last ELSE till END);
        body := lib.object('{ok,accountId,sessionId,fromSequence,toSequence,erasedCount,more,nextSequence}',
                           ARRAY['true', lib.js(account_id), lib.js(session_id), since::text, till::text,
                                 done.erased::text, more::text, CASE WHEN more THEN done.last + 1 ELSE till + 1 END::text]);
        PERFORM lib.audit(account_id, session_id, 'operator', 'operator', 'event_erase', 'OK', body);
        RETURN lib.receipt_put('*', 'operator', command_id, command_hash, 'event_erase', NULL, NULL, body);
END $$;
