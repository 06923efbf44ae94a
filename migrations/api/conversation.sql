-- conversation.sql - conversations as their people see them: listed, read, forgotten.

CREATE FUNCTION lib.conversation_json(c lifeos.conversation) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN lib.object('{conversationId,kind,userId,persona,messages,createdAtMs,updatedAtMs}',
                          ARRAY[lib.js(c.conversation_id), lib.js(c.kind), lib.js(c.user_id), lib.js(c.persona),
                                c.messages::text, lib.ms(c.created_at)::text, lib.ms(c.updated_at)::text]);
END $$;

-- Newest first. Members list their own, the others their account's; cursor is where the last page ended.
CREATE FUNCTION api.conversation_list(account_id text, actor_id text, actor_role text, "limit" bigint, cursor text)
RETURNS api.reply LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        lim bigint := coalesce("limit", 20);
        mark text[] := regexp_match(cursor, '^(\d{1,18})~(.{1,100})$');
        at bigint := coalesce(mark[1]::bigint, 9223372036854775807);
        after_id text := coalesce(mark[2], '');
        mine text := CASE WHEN actor_role = 'member' THEN actor_id END;
        may text := CASE WHEN actor_role IN ('owner', 'admin', 'member', 'viewer')
                         THEN lib.actor_check(account_id, actor_id, actor_role) ELSE 'FORBIDDEN' END;
        page record;
        reply api.reply;
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF cursor IS NOT NULL AND mark IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        -- One more than asked for tells whether there is a next page.
        SELECT count(*) AS n, string_agg(x.body, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim) AS list,
               max(x.mark) FILTER (WHERE x.k = lim) AS last INTO page
        FROM (SELECT row_number() OVER (ORDER BY c.updated_at DESC, c.conversation_id DESC) AS k,
                     lib.conversation_json(c)::text AS body, c.updated_at || '~' || c.conversation_id AS mark
              FROM (SELECT * FROM lifeos.conversation c
                    WHERE c.account_id = account_id AND (mine IS NULL OR c.user_id = mine) AND c.deleted_at IS NULL
                          AND c.messages > 0 AND (c.updated_at, c.conversation_id) < (at, after_id)
                    ORDER BY c.updated_at DESC, c.conversation_id DESC LIMIT lim + 1) c) x;
        reply.status := 'OK';
        reply.body := lib.object('{ok,conversations,page}', ARRAY['true', '[' || coalesce(page.list, '') || ']',
                lib.object('{limit,returned,nextCursor,hasMore}', ARRAY[lim::text, least(page.n, lim)::text,
                           lib.js(CASE WHEN page.n > lim THEN page.last END), (page.n > lim)::text])::text]);
        RETURN reply;
END $$;

-- Its messages behind an ordinal: as many as lim, and as fit into one answer.
CREATE FUNCTION lib.message_page(account_id text, conversation_id text, after bigint, lim bigint, OUT list text,
                                 OUT n bigint, OUT last bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        SELECT coalesce(string_agg(x.body, ',' ORDER BY x.ordinal), ''), count(*), coalesce(max(x.ordinal), after)
        INTO list, n, last
        FROM (SELECT w.*, sum(octet_length(w.body) + 1) OVER (ORDER BY w.ordinal) AS size
              FROM (SELECT m.ordinal, lib.object('{ordinal,messageId,turnId,role,speaker,state,content,createdAtMs}',
                                                 ARRAY[m.ordinal::text, lib.js(m.message_id), lib.js(m.turn_id),
                                                       lib.js(m.role), lib.js(m.speaker), lib.js(m.state),
                                                       lib.js(m.content), lib.ms(m.created_at)::text])::text AS body
                    FROM lifeos.message m
                    WHERE m.account_id = account_id AND m.conversation_id = conversation_id AND m.ordinal > after
                    ORDER BY m.ordinal LIMIT lim) w) x
        WHERE x.size <= lib.page_bytes();
END $$;

CREATE FUNCTION api.conversation_get(account_id text, actor_id text, actor_role text, conversation_id text,
                                     "limit" bigint, after_ordinal bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.conversation_see(account_id, actor_id, actor_role, conversation_id, 'read');
        lim bigint := coalesce("limit", 100);
        c lifeos.conversation;
        page record;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        SELECT * INTO c FROM lifeos.conversation o WHERE o.account_id = account_id
               AND o.conversation_id = conversation_id AND o.deleted_at IS NULL;
        IF NOT FOUND THEN
                RETURN lib.refuse('CONVERSATION_NOT_FOUND');
        END IF;
        page := lib.message_page(account_id, conversation_id, coalesce(after_ordinal, 0), lim);
        reply.status := 'OK';
        reply.body := lib.object('{ok,conversation,messages,nextCursor,hasMore}',
                                 ARRAY['true', lib.conversation_json(c)::text, '[' || page.list || ']', page.last::text,
                                       EXISTS (SELECT FROM lifeos.message m WHERE m.account_id = account_id
                                               AND m.conversation_id = conversation_id AND m.ordinal > page.last)::text]);
        RETURN reply;
END $$;

-- May it be forgotten now? NULL: yes. Nothing may be under way that would write into it again.
CREATE FUNCTION lib.conversation_busy(c lifeos.conversation) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        PERFORM 1 FROM lifeos.call_session s WHERE s.account_id = c.account_id AND s.session_id = c.conversation_id
                AND s.status IN ('created', 'active');
        IF FOUND OR (lib.turn_running(c)).turn_id IS NOT NULL
                 OR EXISTS (SELECT FROM lifeos.action a WHERE a.account_id = c.account_id
                                   AND a.session_id = c.conversation_id AND a.lease_until IS NOT NULL) THEN
                RETURN 'CONVERSATION_BUSY';
        END IF;
        RETURN NULL;
END $$;

-- What its events say, from where the last round ended: everything of a chat, the transcript of a call. Returns how far
-- it is now.
CREATE FUNCTION lib.conversation_mute(c lifeos.conversation, max_rows bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        till bigint := least(lib.stream_head(c.account_id, c.conversation_id), c.erased_to + max_rows);
BEGIN
        PERFORM lib.payload_erase(c.account_id, c.conversation_id, c.erased_to + 1, till, max_rows,
                                  CASE c.kind WHEN 'call' THEN 'transcript.' ELSE '' END);
        RETURN till;
END $$;

-- The oldest messages, and what their turns answered with them. Returns whether there are more.
CREATE FUNCTION lib.messages_forget(c lifeos.conversation, max_rows bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        gone bigint;
BEGIN
        WITH gone AS (
                DELETE FROM lifeos.message m
                WHERE m.account_id = c.account_id AND m.conversation_id = c.conversation_id
                      AND m.ordinal = ANY (ARRAY(
                              SELECT o.ordinal FROM lifeos.message o
                              WHERE o.account_id = c.account_id AND o.conversation_id = c.conversation_id
                              ORDER BY o.ordinal LIMIT max_rows))
                RETURNING m.turn_id),
        answered AS (
                UPDATE lifeos.turn t SET answer = NULL, message = NULL
                WHERE t.account_id = c.account_id AND t.conversation_id = c.conversation_id
                      AND t.turn_id = ANY (ARRAY(SELECT DISTINCT g.turn_id FROM gone g)))
        SELECT count(*) INTO gone FROM gone g;
        RETURN gone = max_rows;
END $$;

-- What a chat's actions were about; whoever still holds a token for one holds nothing. Returns whether there are more.
CREATE FUNCTION lib.actions_forget(c lifeos.conversation, max_rows bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        gone bigint;
BEGIN
        IF c.kind <> 'chat' THEN
                RETURN false;
        END IF;
        UPDATE lifeos.confirmation f SET state = 'void', closed_at = lib.now_ms()
        WHERE f.account_id = c.account_id AND f.session_id = c.conversation_id AND f.state = 'open';
        UPDATE lifeos.action a SET message = NULL, metadata = '{}'
        WHERE a.account_id = c.account_id AND a.session_id = c.conversation_id AND c.deleted_at IS NULL;
        UPDATE lifeos.action_version v SET summary = NULL, arguments = NULL
        WHERE v.account_id = c.account_id AND v.session_id = c.conversation_id
              AND v.action_id = ANY (ARRAY(
                      SELECT DISTINCT o.action_id FROM lifeos.action_version o
                      WHERE o.account_id = c.account_id AND o.session_id = c.conversation_id
                            AND (o.summary IS NOT NULL OR o.arguments IS NOT NULL)
                      ORDER BY o.action_id LIMIT max_rows))
              AND (v.summary IS NOT NULL OR v.arguments IS NOT NULL);
        GET DIAGNOSTICS gone = ROW_COUNT;
        RETURN gone >= max_rows;
END $$;

-- From the first round on it is gone for everybody; further rounds, each a command of its own, take away the rest.
CREATE FUNCTION lib.conversation_forget(c lifeos.conversation, max_rows bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
        till bigint := lib.conversation_mute(c, max_rows);
        more boolean := till < lib.stream_head(c.account_id, c.conversation_id);
BEGIN
        more := lib.messages_forget(c, max_rows) OR more;
        more := lib.actions_forget(c, max_rows) OR more;
        UPDATE lifeos.conversation o SET deleted_at = coalesce(o.deleted_at, lib.now_ms()),
               erased_to = CASE WHEN more THEN till ELSE 9223372036854775807 END
        WHERE o.account_id = c.account_id AND o.conversation_id = c.conversation_id;
        RETURN more;
END $$;

CREATE FUNCTION api.conversation_delete(account_id text, actor_id text, actor_role text, command_id text,
                                        conversation_id text, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.conversation_see(account_id, actor_id, actor_role, conversation_id, 'write');
        c lifeos.conversation;
        more boolean;
        reply api.reply;
BEGIN
        -- A deleted one may have something left to forget: who may do that is what its stream says.
        reply := lib.command_begin(CASE WHEN see.status = 'CONVERSATION_NOT_FOUND' AND see.kind IS NOT NULL THEN 'OK'
                                        ELSE see.status END,
                                   account_id, actor_id, conversation_id, command_id, command_hash,
                                   'conversation_delete');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        c := lib.conversation_of(account_id, conversation_id);
        IF c.conversation_id IS NULL OR c.erased_to = 9223372036854775807 THEN
                RETURN lib.refuse('CONVERSATION_NOT_FOUND');
        ELSIF c.deleted_at IS NULL AND lib.conversation_busy(c) IS NOT NULL THEN
                RETURN lib.refuse('CONVERSATION_BUSY');
        END IF;
        more := lib.conversation_forget(c, 2000);
        PERFORM lib.audit(account_id, conversation_id, actor_id, actor_role, 'conversation_delete', 'OK',
                          lib.object('{more}', ARRAY[more::text]));
        RETURN lib.receipt_put(account_id, actor_id, command_id, command_hash, 'conversation_delete', conversation_id,
                               NULL, lib.object('{ok,conversationId,more}',
                                                ARRAY['true', lib.js(conversation_id), more::text]));
END $$;
