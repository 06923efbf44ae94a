-- conversation_open.sql - conversations as turns and actions find them; what the AI may still use; what it has caused.
--
-- A conversation is a call's, and then its stream is the session's, or a chat's. Its row is made by its first turn; a
-- call is one for its actions without any.

-- The conversation this actor means, and may he? people and services alike; the writing is for people.
CREATE FUNCTION lib.conversation_see(account_id text, actor_id text, actor_role text, conversation_id text, wants text,
                                     OUT status text, OUT kind text, OUT user_id text, OUT id_salt bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        gone boolean;
BEGIN
        status := lib.actor_check(account_id, actor_id, actor_role);
        IF status <> 'OK' THEN
                RETURN;
        END IF;
        SELECT CASE s.kind WHEN 'session' THEN 'call' ELSE 'chat' END, s.user_id, coalesce(k.id_salt, c.id_salt),
               s.kind = 'conversation' AND c.deleted_at IS NOT NULL
        INTO kind, user_id, id_salt, gone
        FROM lifeos.stream s
        LEFT JOIN lifeos.conversation c ON c.account_id = s.account_id AND c.conversation_id = s.stream_id
        LEFT JOIN lifeos.call_session k ON k.account_id = s.account_id AND k.session_id = s.stream_id
        WHERE s.account_id = account_id AND s.stream_id = conversation_id AND s.kind <> 'account';
        IF NOT FOUND THEN
                status := 'CONVERSATION_NOT_FOUND';
                RETURN;
        END IF;
        status := lib.access(actor_role, actor_id, user_id, wants);
        IF status = 'OK' AND gone THEN
                status := 'CONVERSATION_NOT_FOUND';
        END IF;
END $$;

-- The conversation, made if it is new; its stream is held from here. It is its stream's user's, whoever speaks first. Somebody who makes it at the same moment makes one
-- of the two fail, and be repeated.
CREATE FUNCTION lib.conversation_open(account_id text, conversation_id text, kind text, user_id text, persona text)
RETURNS lifeos.conversation LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        c lifeos.conversation;
        at bigint := lib.now_ms();
BEGIN
        IF NOT lib.stream_lock(account_id, conversation_id) THEN
                INSERT INTO lifeos.account (account_id, created_at, updated_at) VALUES (account_id, at, at)
                ON CONFLICT DO NOTHING;
                INSERT INTO lifeos.stream (account_id, stream_id, kind, user_id)
                VALUES (account_id, conversation_id, 'conversation', user_id);
        END IF;
        SELECT * INTO c FROM lifeos.conversation o
        WHERE o.account_id = account_id AND o.conversation_id = conversation_id;
        IF FOUND THEN
                RETURN c;
        END IF;
        INSERT INTO lifeos.conversation AS o (account_id, conversation_id, kind, user_id, persona, id_salt, created_at,
                                              updated_at)
        VALUES (account_id, conversation_id, kind,
                (SELECT s.user_id FROM lifeos.stream s WHERE s.account_id = account_id AND s.stream_id = conversation_id),
                persona,
                coalesce((SELECT k.id_salt FROM lifeos.call_session k
                          WHERE k.account_id = account_id AND k.session_id = conversation_id), lib.random16()), at, at)
        RETURNING * INTO STRICT c;
        RETURN c;
END $$;

-- The day ai_day counts by.
CREATE FUNCTION lib.ai_today() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT lib.now() / 86400000000 $$;

-- Tokens that may still be used: of the conversation's and of the tenant's day, whichever is less; never below 0. NULL:
-- as many as one likes. 0 as a limit is none; the tenant's own goes before the appliance's.
CREATE FUNCTION lib.ai_budget(account_id text, conversation_id text, session_tokens bigint, account_tokens bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        per_day bigint;
        used_today bigint;
        used bigint;
BEGIN
        SELECT a.ai_tokens_per_day INTO per_day FROM lifeos.account a WHERE a.account_id = account_id;
        SELECT d.tokens INTO used_today FROM lifeos.ai_day d WHERE d.account_id = account_id AND d.day = lib.ai_today();
        SELECT c.tokens INTO used FROM lifeos.conversation c
        WHERE c.account_id = account_id AND c.conversation_id = conversation_id;
        per_day := coalesce(nullif(per_day, 0), account_tokens);
        -- least() passes over what is NULL.
        RETURN greatest(least(nullif(session_tokens, 0) - coalesce(used, 0), nullif(per_day, 0) - coalesce(used_today, 0)),
                        CASE WHEN session_tokens > 0 OR per_day > 0 THEN 0 END);
END $$;

-- Of one answer. A gateway may say anything; what it says must not make the sums overflow, now or later.
CREATE FUNCTION lib.tokens_sum(input_tokens bigint, output_tokens bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT least($1, 1000000000) + least($2, 1000000000) $$;

-- What was used, on both accounts. The caller holds the stream.
CREATE FUNCTION lib.ai_spend(account_id text, conversation_id text, tokens bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        st lifeos.stream;
BEGIN
        IF tokens = 0 THEN
                RETURN;
        END IF;
        UPDATE lifeos.conversation c SET tokens = c.tokens + tokens
        WHERE c.account_id = account_id AND c.conversation_id = conversation_id;
        IF NOT FOUND THEN
                SELECT * INTO STRICT st FROM lifeos.stream s
                WHERE s.account_id = account_id AND s.stream_id = conversation_id;
                PERFORM lib.conversation_open(account_id, conversation_id, 'call', st.user_id, 'both');
                UPDATE lifeos.conversation c SET tokens = c.tokens + tokens
                WHERE c.account_id = account_id AND c.conversation_id = conversation_id;
        END IF;
        INSERT INTO lifeos.ai_day AS d (account_id, day, tokens) VALUES (account_id, lib.ai_today(), tokens)
        ON CONFLICT ON CONSTRAINT ai_day_pkey DO UPDATE SET tokens = d.tokens + tokens;
END $$;

-- These events as clients read them, in this order; a number may be NULL and then is nothing.
CREATE FUNCTION lib.event_published(account_id text, session_id text, sequences bigint[]) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$
#variable_conflict use_variable
DECLARE
        list text;
BEGIN
        SELECT string_agg(lib.event_json(e.event_id, e.sequence, e.session_id, e.ts, e.type, e.payload::text, e.origin,
                                         e.received_at, e.recorded_at), ',' ORDER BY w.n)
        INTO list
        FROM unnest(sequences) WITH ORDINALITY w(sequence, n)
        CROSS JOIN LATERAL (SELECT * FROM lifeos.event v WHERE v.account_id = account_id AND v.session_id = session_id
                            AND v.sequence = w.sequence OFFSET 0) e;
        RETURN ('[' || coalesce(list, '') || ']')::json;
END $$;

-- lib.emit() for an event of a transcript that is a snapshot of its utterance.
CREATE FUNCTION lib.emit_said(account_id text, session_id text, event_id text, type text, utterance_id text,
                              payload text, actor_id text, ts bigint, received_at bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        at bigint := lib.emit(account_id, session_id, event_id, type, payload, 'session', actor_id, ts, received_at);
BEGIN
        INSERT INTO lifeos.transcript_segment (sequence, final, account_id, session_id, utterance_id)
        VALUES (at, type = 'transcript.final', account_id, session_id, utterance_id);
        RETURN at;
END $$;
