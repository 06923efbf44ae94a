-- action_read.sql - actions as clients see them: one with its versions, or a session's.

-- Never with a token: whoever may see one finds it in its event.
CREATE FUNCTION lib.action_json(a lifeos.action) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN (SELECT row_to_json(j) FROM (SELECT
                a.action_id AS "actionId", a.session_id AS "sessionId", a.action_type AS "actionType",
                a.status AS "status", a.version AS "version", v.summary AS "summary", a.asked_by AS "askedBy",
                a.actor_id AS "actorId", a.turn_id AS "turnId", a.risk_tier AS "riskTier", a.rule AS "rule",
                a.policy_version AS "policyVersion", a.metadata AS "metadata", lib.ms(a.created_at) AS "createdAtMs",
                lib.ms(a.updated_at) AS "updatedAtMs", lib.ms(a.decided_at) AS "decidedAtMs",
                a.decided_by AS "decidedBy", lib.ms(a.ended_at) AS "endedAtMs", a.code AS "code",
                a.message AS "message", a.result_ref AS "resultRef",
                CASE WHEN a.status = 'executed' THEN a.deliverable_id END AS "deliverableId",
                CASE WHEN a.status = 'executed' THEN a.deliverable_version END AS "deliverableVersion"
                FROM lifeos.action_version v WHERE v.account_id = a.account_id AND v.session_id = a.session_id
                     AND v.action_id = a.action_id AND v.version = a.version) j);
END $$;

-- What only one action's reader is shown: exactly what is, or was, to be done; who said what when.
CREATE FUNCTION lib.action_detail(a lifeos.action) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN lib.object('{arguments,versions,confirmation,delivery}', ARRAY[
                (SELECT coalesce(v.arguments::text, 'null') FROM lifeos.action_version v
                 WHERE v.account_id = a.account_id AND v.session_id = a.session_id AND v.action_id = a.action_id
                       AND v.version = a.version),
                (SELECT array_to_json(array_agg(x ORDER BY x.version DESC))::text FROM (
                        SELECT v.version, v.summary, v.author_kind AS "authorKind", v.author_id AS "authorId",
                               encode(v.content_hash, 'hex') AS "contentHash", lib.ms(v.created_at) AS "createdAtMs"
                        FROM lifeos.action_version v WHERE v.account_id = a.account_id
                             AND v.session_id = a.session_id AND v.action_id = a.action_id) x),
                coalesce((SELECT row_to_json(x)::text FROM (
                        SELECT c.state, c.version, lib.ms(c.issued_at) AS "issuedAtMs",
                               lib.ms(c.expires_at) AS "expiresAtMs", lib.ms(c.closed_at) AS "closedAtMs",
                               c.closed_by AS "closedBy"
                        FROM lifeos.confirmation c WHERE c.account_id = a.account_id AND c.session_id = a.session_id
                             AND c.action_id = a.action_id ORDER BY c.issued_at DESC, c.version DESC LIMIT 1) x),
                        'null'),
                coalesce((SELECT row_to_json(x)::text FROM (SELECT o.outbox_id AS "outboxId", o.status
                        FROM lifeos.outbox o WHERE o.account_id = a.account_id AND o.session_id = a.session_id
                             AND o.action_id = a.action_id) x), 'null')]);
END $$;

CREATE FUNCTION lib.action_reader(account_id text, actor_id text, actor_role text, session_id text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        see record := lib.conversation_see(account_id, actor_id, actor_role, session_id, 'read');
BEGIN
        RETURN CASE WHEN see.status = 'CONVERSATION_NOT_FOUND' THEN 'SESSION_NOT_FOUND'
                    WHEN actor_role NOT IN ('owner', 'admin', 'member', 'viewer') THEN 'FORBIDDEN'
                    ELSE see.status END;
END $$;

CREATE FUNCTION api.action_get(account_id text, actor_id text, actor_role text, session_id text, action_id text)
RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply;
        a lifeos.action;
BEGIN
        reply.status := lib.action_reader(account_id, actor_id, actor_role, session_id);
        IF reply.status <> 'OK' THEN
                RETURN reply;
        END IF;
        SELECT * INTO a FROM lifeos.action x
        WHERE x.account_id = account_id AND x.session_id = session_id AND x.action_id = action_id;
        IF NOT FOUND THEN
                RETURN lib.refuse('ACTION_NOT_FOUND');
        END IF;
        reply.body := lib.object('{ok,action}', ARRAY['true',
                                 left(lib.action_json(a)::text, -1) || ',' || substr(lib.action_detail(a)::text, 2)]);
        RETURN reply;
END $$;

-- Newest first; cursor is where the last page ended.
CREATE FUNCTION api.action_list(account_id text, actor_id text, actor_role text, session_id text, "limit" bigint,
                                cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
        lim bigint := coalesce("limit", 20);
        mark text[] := regexp_match(cursor, '^(\d{1,18})~(.{1,100})$');
        at bigint := coalesce(mark[1]::bigint, 9223372036854775807);
        after_id text := coalesce(mark[2], '');
        rows_text text;
        n bigint;
        last_cursor text;
        reply api.reply;
BEGIN
        reply.status := lib.action_reader(account_id, actor_id, actor_role, session_id);
        IF reply.status <> 'OK' THEN
                RETURN reply;
        ELSIF cursor IS NOT NULL AND mark IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        -- One more than asked for tells whether there is a next page.
        SELECT count(*), string_agg(x.body, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim),
               max(x.mark) FILTER (WHERE x.k = lim)
        INTO n, rows_text, last_cursor
        FROM (SELECT row_number() OVER (ORDER BY a.created_at DESC, a.action_id DESC) AS k,
                     lib.action_json(a)::text AS body, a.created_at || '~' || a.action_id AS mark
              FROM (SELECT * FROM lifeos.action c WHERE c.account_id = account_id AND c.session_id = session_id
                    AND (c.created_at, c.action_id) < (at, after_id)
                    ORDER BY c.created_at DESC, c.action_id DESC LIMIT lim + 1) a) x;
        reply.body := lib.object('{ok,actions,page}', ARRAY['true', '[' || coalesce(rows_text, '') || ']',
                lib.object('{limit,returned,nextCursor,hasMore}', ARRAY[lim::text, least(n, lim)::text,
                           lib.js(CASE WHEN n > lim THEN last_cursor END), (n > lim)::text])::text]);
        RETURN reply;
END $$;
