-- session_read.sql - a call session as clients see it; finding it, reading it, listing them.

-- One compact JSON object from keys and values already spelled as JSON.
CREATE FUNCTION lib.object(keys text[], vals text[]) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT ('{' || coalesce(string_agg(to_json(m.k)::text || ':' || m.v, ',' ORDER BY m.n), '') || '}')::json
        FROM unnest(keys, vals) WITH ORDINALITY m(k, v, n)
$$;

-- Metadata: the first 50 members that are a string, a number, true or false.
CREATE FUNCTION lib.meta(given json) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT coalesce(lib.object(array_agg(m.key ORDER BY m.n), array_agg(m.value::text ORDER BY m.n)), '{}')
        FROM (SELECT e.key, e.value, e.n FROM json_each(given) WITH ORDINALITY e(key, value, n)
              WHERE json_typeof(e.value) IN ('string', 'number', 'boolean') ORDER BY e.n LIMIT 50) m
$$;

-- b's members over a's, a's order first; at most 50.
CREATE FUNCTION lib.merge(a json, b json) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT coalesce(lib.object(array_agg(m.key ORDER BY m.n), array_agg(m.value ORDER BY m.n)), '{}')
        FROM (SELECT e.key, coalesce(b -> e.key, e.value)::text AS value, e.n
              FROM json_each(a) WITH ORDINALITY e(key, value, n)
              UNION ALL
              SELECT e.key, e.value::text, 1000 + e.n FROM json_each(b) WITH ORDINALITY e(key, value, n)
              WHERE a -> e.key IS NULL
              ORDER BY 3 LIMIT 50) m
$$;

CREATE FUNCTION lib.session_json(s lifeos.call_session, resume_token text DEFAULT NULL) RETURNS json
LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                s.session_id AS "sessionId", s.user_id AS "userId", s.status AS "status",
                s.correlation_id AS "correlationId", resume_token AS "resumeToken",
                s.reconnect_window_ms AS "reconnectWindowMs", lib.ms(s.resume_valid_until) AS "resumeValidUntilMs",
                s.last_ack_sequence AS "lastAckSequence", lib.time_text(s.last_ack_ts) AS "lastAckTimestamp",
                s.last_ack_event_id AS "lastAckEventId", s.provider AS "provider",
                s.provider_room_id AS "providerRoomId", s.provider_participant_id AS "providerParticipantId",
                s.provider_call_id AS "providerCallId",
                CASE WHEN s.livekit IS NULL THEN s.metadata
                     ELSE lib.merge(s.metadata, lib.object('{livekit}', ARRAY[s.livekit::text])) END AS "metadata",
                s.last_error AS "lastError", lib.ms(s.created_at) AS "createdAtMs",
                        lib.ms(s.updated_at) AS "updatedAtMs",
                lib.ms(s.started_at) AS "startedAtMs", lib.ms(s.ended_at) AS "endedAtMs",
                        lib.ms(s.failed_at) AS "failedAtMs",
                s.end_reason AS "endReason", s.transport_state AS "transportState",
                s.retry_count AS "retryCount") j
$$;

-- The session this actor means, and may he? account "*" (service keys only) looks in all accounts. kinds: of streams
-- that will do; what is about the stream alone takes a chat's too.
CREATE FUNCTION lib.session_see(account_id text, actor_id text, actor_role text, session_id text, wants text,
                                kinds text[] DEFAULT '{session}', OUT status text, OUT account text,
                                OUT head bigint, OUT kind text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        found_in text[];
        st lifeos.stream;
BEGIN
        account := account_id;
        IF account_id = '*' AND actor_role IN ('ingest', 'operator') THEN
                SELECT array_agg(x.account_id) INTO found_in
                FROM (SELECT s.account_id FROM lifeos.stream s
                      WHERE s.stream_id = session_id AND s.kind = ANY (kinds) LIMIT 2) x;
                IF cardinality(found_in) > 1 THEN
                        status := 'SESSION_AMBIGUOUS';
                        RETURN;
                END IF;
                account := found_in[1];
        END IF;
        SELECT * INTO st FROM lifeos.stream s
        WHERE s.account_id = account AND s.stream_id = session_id AND s.kind = ANY (kinds);
        IF NOT FOUND THEN
                status := 'SESSION_NOT_FOUND';
                RETURN;
        END IF;
        head := st.head;
        kind := st.kind;
        status := lib.access(actor_role, actor_id, st.user_id, wants);
        IF st.kind = 'conversation' AND status = 'OK' THEN
                PERFORM 1 FROM lifeos.conversation c
                WHERE c.account_id = account AND c.conversation_id = session_id AND c.deleted_at IS NULL;
                IF NOT FOUND THEN
                        status := 'CONVERSATION_NOT_FOUND';
                END IF;
        END IF;
END $$;

CREATE FUNCTION api.session_get(account_id text, actor_id text, actor_role text, session_id text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'read');
        s lifeos.call_session;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = see.account
                AND c.session_id = session_id;
        reply.status := 'OK';
        reply.body := lib.object('{ok,session}', ARRAY['true', lib.session_json(s)::text]);
        RETURN reply;
END $$;

-- Newest first. People of small role list their own, the others their account's; cursor is where the last page ended.
CREATE FUNCTION api.session_list(account_id text, actor_id text, actor_role text, "limit" bigint, status text,
                                 cursor text)
RETURNS api.reply LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
        lim bigint := coalesce("limit", 20);
        mark text[] := regexp_match(cursor, '^(\d{1,18})~(.{1,100})$');
        at bigint := coalesce(mark[1]::bigint, 9223372036854775807);
        after_id text := coalesce(mark[2], '');
        everywhere boolean := account_id = '*' AND actor_role = 'operator';
        mine text := CASE WHEN actor_role = 'member' THEN actor_id END;
        found_ids text;
        n bigint;
        last_cursor text;
        may text;
        reply api.reply;
BEGIN
        IF actor_role NOT IN ('owner', 'admin', 'member', 'viewer', 'operator') THEN
                RETURN lib.refuse('FORBIDDEN');
        END IF;
        may := lib.actor_check(account_id, actor_id, actor_role);
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        END IF;
        IF cursor IS NOT NULL AND mark IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        -- One more than asked for tells whether there is a next page.
        SELECT count(*), string_agg(x.body, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim),
               max(x.mark) FILTER (WHERE x.k = lim)
        INTO n, found_ids, last_cursor
        FROM (SELECT row_number() OVER (ORDER BY c.created_at DESC, c.session_id DESC) AS k,
                     lib.session_json(c)::text AS body, c.created_at || '~' || c.session_id AS mark
              FROM (SELECT * FROM lifeos.call_session c
                    WHERE (everywhere OR c.account_id = account_id) AND (mine IS NULL OR c.user_id = mine)
                          AND (status IS NULL OR c.status = status) AND (c.created_at, c.session_id) < (at, after_id)
                    ORDER BY c.created_at DESC, c.session_id DESC LIMIT lim + 1) c) x;
        reply.status := 'OK';
        reply.body := lib.object('{ok,sessions,page}', ARRAY['true', '[' || coalesce(found_ids, '') || ']',
                lib.object('{limit,returned,nextCursor,hasMore}', ARRAY[lim::text, least(n, lim)::text,
                           lib.js(CASE WHEN n > lim THEN last_cursor END), (n > lim)::text])::text]);
        RETURN reply;
END $$;
