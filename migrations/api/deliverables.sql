-- deliverables.sql - what people do with deliverables: make one, write its next version, list, read and compare them.
--
-- Owners and admins have all of the account's, members their own; viewers read. Services have none. A change locks the
-- deliverable's session before the deliverable, as turns and actions do, and the account's own stream last.

-- Of a version, all but its content. bytes: of the content.
CREATE FUNCTION lib.deliverable_version_json(v lifeos.deliverable_version) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                v.version AS "version", v.title AS "title", encode(v.content_hash, 'hex') AS "contentHash",
                lib.deliverable_bytes(v.markdown, v.data) AS "bytes",
                (SELECT row_to_json(a) FROM (SELECT v.author_kind AS kind, v.author_id AS id) a) AS "author",
                v.model AS "model", v.config AS "config", v.session_id AS "sessionId", v.turn_id AS "turnId",
                v.action_id AS "actionId", lib.ms(v.created_at) AS "createdAtMs") j
$$;

-- version: the one that is shown, already spelled as JSON.
CREATE FUNCTION lib.deliverable_json(d lifeos.deliverable, version json) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                d.deliverable_id AS "deliverableId", d.kind AS "kind", d.user_id AS "userId",
                d.session_id AS "sessionId", d.latest AS "latestVersion", lib.ms(d.created_at) AS "createdAtMs",
                lib.ms(d.updated_at) AS "updatedAtMs", version AS "version") j
$$;

-- The deliverable this person means, and may he? Its row is locked by nobody here.
CREATE FUNCTION lib.deliverable_see(account_id text, actor_id text, actor_role text, deliverable_id text, wants text,
                                    OUT status text, OUT user_id text, OUT session_id text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        status := CASE WHEN actor_role IN ('ingest', 'operator') THEN 'FORBIDDEN'
                       ELSE lib.actor_check(account_id, actor_id, actor_role) END;
        IF status <> 'OK' THEN
                RETURN;
        END IF;
        SELECT d.user_id, d.session_id INTO user_id, session_id FROM lifeos.deliverable d
        WHERE d.account_id = account_id AND d.deliverable_id = deliverable_id;
        status := CASE WHEN user_id IS NULL THEN 'DELIVERABLE_NOT_FOUND'
                       ELSE lib.access(actor_role, actor_id, user_id, wants) END;
END $$;

-- The answer to a change, kept as the command's receipt: without the content, of which there is one copy.
CREATE FUNCTION lib.deliverable_done(d lifeos.deliverable, v lifeos.deliverable_version, actor_id text,
                                     command_id text, command_hash bytea, op text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN lib.receipt_put(d.account_id, actor_id, command_id, command_hash, op, d.session_id, NULL,
                               lib.object('{ok,deliverable}', ARRAY['true', lib.deliverable_json(d,
                                          lib.deliverable_version_json(v))::text]));
END $$;

-- Who wrote which version: on the session's stream, or on the account's own.
CREATE FUNCTION lib.deliverable_audit(d lifeos.deliverable, v lifeos.deliverable_version, actor_role text, op text)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        PERFORM lib.audit(d.account_id, coalesce(d.session_id, '@account'), v.author_id, actor_role, op, 'OK',
                          lib.object('{deliverableId,kind,version,contentHash}',
                                     ARRAY[lib.js(d.deliverable_id), lib.js(d.kind), v.version::text,
                                           lib.js(encode(v.content_hash, 'hex'))]));
END $$;

-- Somebody has this id already. The same author with the same content in the same session is told what became of it.
CREATE FUNCTION lib.deliverable_again(d lifeos.deliverable, session_id text, hash bytea, actor_id text,
                                      command_id text, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        v lifeos.deliverable_version;
BEGIN
        SELECT * INTO STRICT v FROM lifeos.deliverable_version x
        WHERE x.account_id = d.account_id AND x.deliverable_id = d.deliverable_id AND x.version = 1;
        IF (v.author_kind, v.author_id, v.content_hash) <> ('human', actor_id, hash)
           OR d.session_id IS DISTINCT FROM session_id THEN
                RETURN lib.refuse('DELIVERABLE_EXISTS');
        END IF;
        RETURN lib.deliverable_done(d, v, actor_id, command_id, command_hash, 'deliverable_create');
END $$;

CREATE FUNCTION lib.deliverable_why(status text) RETURNS api.reply LANGUAGE sql IMMUTABLE AS $$
        SELECT lib.refuse(status, CASE status WHEN 'INVALID_REQUEST' THEN 'markdown or data is required' END)
$$;

-- A session's deliverable is its user's, whoever of his account writes it.
CREATE FUNCTION api.deliverable_create(account_id text, actor_id text, actor_role text, command_id text,
                                       deliverable_id text, kind text, session_id text, title text, markdown text,
                                       data json, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        d lifeos.deliverable;
        v lifeos.deliverable_version;
        may text := lib.actor_check(account_id, actor_id, actor_role);
        reply api.reply;
BEGIN
        IF actor_role NOT IN ('owner', 'admin', 'member') THEN
                RETURN lib.refuse('FORBIDDEN');
        ELSIF may = 'OK' AND session_id IS NOT NULL THEN
                may := (lib.session_see(account_id, actor_id, actor_role, session_id, 'write',
                                        '{session,conversation}')).status;
        END IF;
        reply := lib.command_begin(may, account_id, actor_id, session_id, command_id, command_hash,
                                   'deliverable_create');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        may := lib.deliverable_refused(markdown, data);
        IF may IS NOT NULL THEN
                RETURN lib.deliverable_why(may);
        END IF;
        SELECT * INTO d FROM lifeos.deliverable x WHERE x.account_id = account_id
               AND x.deliverable_id = deliverable_id FOR NO KEY UPDATE;
        IF FOUND THEN
                RETURN lib.deliverable_again(d, session_id, lib.deliverable_hash(kind, title, markdown, data),
                                             actor_id, command_id, command_hash);
        END IF;
        d.account_id := account_id;
        d.deliverable_id := coalesce(deliverable_id, lib.new_id('dlv'));
        d.kind := kind;
        d.session_id := session_id;
        d.user_id := actor_id;
        IF session_id IS NOT NULL THEN
                SELECT s.user_id INTO STRICT d.user_id FROM lifeos.stream s
                WHERE s.account_id = account_id AND s.stream_id = session_id;
        END IF;
        v.title := title;
        v.markdown := markdown;
        v.data := data;
        v.author_kind := 'human';
        v.author_id := actor_id;
        v.session_id := session_id;
        v := lib.deliverable_add(d, v);
        SELECT * INTO STRICT d FROM lifeos.deliverable x
        WHERE x.account_id = account_id AND x.deliverable_id = d.deliverable_id;
        PERFORM lib.deliverable_audit(d, v, actor_role, 'deliverable_create');
        RETURN lib.deliverable_done(d, v, actor_id, command_id, command_hash, 'deliverable_create');
END $$;

-- The next version, if base_version is the latest. It is, for him who wrote just this on it before and was not told.
CREATE FUNCTION api.deliverable_put(account_id text, actor_id text, actor_role text, command_id text,
                                    deliverable_id text, base_version bigint, title text, markdown text, data json,
                                    command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.deliverable_see(account_id, actor_id, actor_role, deliverable_id, 'write');
        d lifeos.deliverable;
        v lifeos.deliverable_version;
        stored record;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        PERFORM lib.stream_lock(account_id, see.session_id);
        SELECT * INTO STRICT d FROM lifeos.deliverable x WHERE x.account_id = account_id
               AND x.deliverable_id = deliverable_id FOR NO KEY UPDATE;
        -- Not earlier: a writer that was killed may have done it while we waited.
        reply := lib.receipt_find(account_id, actor_id, command_id, command_hash, 'deliverable_put');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        SELECT * INTO v FROM lifeos.deliverable_version x WHERE x.account_id = account_id
               AND x.deliverable_id = deliverable_id AND x.version = base_version + 1
               AND (x.author_kind, x.author_id) = ('human', actor_id)
               AND x.content_hash = lib.deliverable_hash(d.kind, title, markdown, data);
        IF FOUND THEN
                RETURN lib.deliverable_done(d, v, actor_id, command_id, command_hash, 'deliverable_put');
        END IF;
        stored := lib.deliverable_store(account_id, d.user_id, deliverable_id, base_version, d.kind, title, markdown,
                                        data, 'human', actor_id, NULL, NULL, d.session_id, NULL, NULL);
        IF stored.status <> 'OK' THEN
                RETURN lib.deliverable_why(stored.status);
        END IF;
        SELECT * INTO STRICT d FROM lifeos.deliverable x
        WHERE x.account_id = account_id AND x.deliverable_id = deliverable_id;
        SELECT * INTO STRICT v FROM lifeos.deliverable_version x WHERE x.account_id = account_id
               AND x.deliverable_id = deliverable_id AND x.version = stored.version;
        PERFORM lib.deliverable_audit(d, v, actor_role, 'deliverable_put');
        RETURN lib.deliverable_done(d, v, actor_id, command_id, command_hash, 'deliverable_put');
END $$;

-- The latest changed first, as session_list.
CREATE FUNCTION api.deliverable_list(account_id text, actor_id text, actor_role text, kind text, session_id text,
                                     "limit" bigint, cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
        lim bigint := coalesce("limit", 20);
        mark text[] := regexp_match(cursor, '^(\d{1,18})~(.{1,100})$');
        at bigint := coalesce(mark[1]::bigint, 9223372036854775807);
        after_id text := coalesce(mark[2], '');
        mine text := CASE WHEN actor_role = 'member' THEN actor_id END;
        rows text;
        n bigint;
        last_cursor text;
        may text := lib.actor_check(account_id, actor_id, actor_role);
        reply api.reply;
BEGIN
        IF actor_role NOT IN ('owner', 'admin', 'member', 'viewer') THEN
                RETURN lib.refuse('FORBIDDEN');
        ELSIF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF cursor IS NOT NULL AND mark IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        SELECT count(*), string_agg(x.body, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim),
               max(x.mark) FILTER (WHERE x.k = lim)
        INTO n, rows, last_cursor
        FROM (SELECT row_number() OVER (ORDER BY d.updated_at DESC, d.deliverable_id DESC) AS k,
                     lib.deliverable_json(d, lib.deliverable_version_json(v))::text AS body,
                     d.updated_at || '~' || d.deliverable_id AS mark
              FROM (SELECT * FROM lifeos.deliverable y
                    WHERE y.account_id = account_id AND (mine IS NULL OR y.user_id = mine)
                          AND (kind IS NULL OR y.kind = kind) AND (session_id IS NULL OR y.session_id = session_id)
                          AND (y.updated_at, y.deliverable_id) < (at, after_id)
                    ORDER BY y.updated_at DESC, y.deliverable_id DESC LIMIT lim + 1) d
              JOIN lifeos.deliverable_version v ON v.account_id = d.account_id
                   AND v.deliverable_id = d.deliverable_id AND v.version = d.latest) x;
        reply.status := 'OK';
        reply.body := lib.object('{ok,deliverables,page}', ARRAY['true', '[' || coalesce(rows, '') || ']',
                lib.object('{limit,returned,nextCursor,hasMore}', ARRAY[lim::text, least(n, lim)::text,
                           lib.js(CASE WHEN n > lim THEN last_cursor END), (n > lim)::text])::text]);
        RETURN reply;
END $$;

CREATE FUNCTION api.deliverable_get(account_id text, actor_id text, actor_role text, deliverable_id text,
                                    version bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.deliverable_see(account_id, actor_id, actor_role, deliverable_id, 'read');
        d lifeos.deliverable;
        v lifeos.deliverable_version;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        SELECT * INTO STRICT d FROM lifeos.deliverable x
        WHERE x.account_id = account_id AND x.deliverable_id = deliverable_id;
        SELECT * INTO v FROM lifeos.deliverable_version x WHERE x.account_id = account_id
               AND x.deliverable_id = deliverable_id AND x.version = coalesce(version, d.latest);
        IF NOT FOUND THEN
                RETURN lib.refuse('DELIVERABLE_NOT_FOUND');
        END IF;
        reply.status := 'OK';
        reply.body := lib.object('{ok,deliverable,markdown,data}', ARRAY['true',
                lib.deliverable_json(d, lib.deliverable_version_json(v))::text, lib.js(v.markdown),
                coalesce(v.data::text, 'null')]);
        RETURN reply;
END $$;

-- The newest first; before_version is where the last page ended.
CREATE FUNCTION api.deliverable_versions(account_id text, actor_id text, actor_role text, deliverable_id text,
                                         "limit" bigint, before_version bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.deliverable_see(account_id, actor_id, actor_role, deliverable_id, 'read');
        lim bigint := coalesce("limit", 100);
        n bigint;
        last bigint;
        rows text;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        SELECT count(*), string_agg(x.body, ',' ORDER BY x.version DESC) FILTER (WHERE x.k <= lim),
               min(x.version) FILTER (WHERE x.k <= lim)
        INTO n, rows, last
        FROM (SELECT v.version, row_number() OVER (ORDER BY v.version DESC) AS k,
                     lib.deliverable_version_json(v)::text AS body
              FROM (SELECT * FROM lifeos.deliverable_version y
                    WHERE y.account_id = account_id AND y.deliverable_id = deliverable_id
                          AND (before_version IS NULL OR y.version < before_version)
                    ORDER BY y.version DESC LIMIT lim + 1) v) x;
        reply.status := 'OK';
        reply.body := lib.object('{ok,deliverableId,versions,nextBeforeVersion,hasMore}', ARRAY['true',
                lib.js(deliverable_id), '[' || coalesce(rows, '') || ']',
                CASE WHEN n > lim THEN last::text ELSE 'null' END, (n > lim)::text]);
        RETURN reply;
END $$;

CREATE FUNCTION lib.deliverable_side(account_id text, deliverable_id text, version bigint) RETURNS json
LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                v.version AS "version", encode(v.content_hash, 'hex') AS "contentHash", v.markdown AS "markdown"
                FROM lifeos.deliverable_version v
                WHERE v.account_id = $1 AND v.deliverable_id = $2 AND v.version = $3) j
$$;

CREATE FUNCTION api.deliverable_diff(account_id text, actor_id text, actor_role text, deliverable_id text,
                                     from_version bigint, to_version bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.deliverable_see(account_id, actor_id, actor_role, deliverable_id, 'read');
        one json;
        other json;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        one := lib.deliverable_side(account_id, deliverable_id, from_version);
        other := lib.deliverable_side(account_id, deliverable_id, coalesce(to_version,
                (SELECT d.latest FROM lifeos.deliverable d
                 WHERE d.account_id = account_id AND d.deliverable_id = deliverable_id)));
        IF one IS NULL OR other IS NULL THEN
                RETURN lib.refuse('DELIVERABLE_NOT_FOUND');
        END IF;
        reply.status := 'OK';
        reply.body := lib.object('{ok,deliverableId,from,to}', ARRAY['true', lib.js(deliverable_id), one::text,
                                                                     other::text]);
        RETURN reply;
END $$;
