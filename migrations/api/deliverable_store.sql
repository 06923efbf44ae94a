-- deliverable_store.sql - a version of a deliverable, once written never changed, and which one is the latest.
--
-- Whoever stores holds the deliverable's row until COMMIT: of two that build on one version, the second is told so.
-- Locks are taken in one order everywhere: the session's stream, the deliverable, the account's own stream.

-- Title, words and data of one version as everybody can compute it again: hex SHA-256 over kind, title, Markdown and
-- the data's text, each with its length before it.
CREATE FUNCTION lib.deliverable_hash(kind text, title text, markdown text, data json) RETURNS bytea
LANGUAGE sql STABLE AS $$ SELECT lib.hash(kind, title, markdown, data::text) $$;

CREATE FUNCTION lib.deliverable_bytes(markdown text, data json) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT coalesce(octet_length(markdown), 0)::bigint + coalesce(octet_length(data::text), 0) $$;

-- What no version may be: without content, or over 1 MiB; spelled as JSON, 1.5 MiB, so that two of them fit into one
-- answer. NULL: it may.
CREATE FUNCTION lib.deliverable_refused(markdown text, data json) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT CASE WHEN markdown IS NULL AND data IS NULL THEN 'INVALID_REQUEST'
                    WHEN lib.deliverable_bytes(markdown, data) > 1048576
                         OR lib.deliverable_bytes(to_json(markdown)::text, data) > 1572864 THEN 'BODY_TOO_LARGE' END
$$;

-- Version 1 of a new deliverable, or the next of d. The caller holds the deliverable and has refused what is to be
-- refused.
CREATE FUNCTION lib.deliverable_add(d lifeos.deliverable, v lifeos.deliverable_version)
RETURNS lifeos.deliverable_version LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        at bigint := lib.now_ms();
BEGIN
        v.account_id := d.account_id;
        v.deliverable_id := d.deliverable_id;
        v.version := coalesce(d.latest, 0) + 1;
        v.content_hash := lib.deliverable_hash(d.kind, v.title, v.markdown, v.data);
        v.created_at := at;
        IF v.version = 1 THEN
                INSERT INTO lifeos.account (account_id, created_at, updated_at) VALUES (d.account_id, at, at)
                ON CONFLICT DO NOTHING;
                INSERT INTO lifeos.deliverable (account_id, deliverable_id, kind, user_id, session_id, latest,
                                                created_at, updated_at)
                VALUES (d.account_id, d.deliverable_id, d.kind, d.user_id, d.session_id, 1, at, at);
        ELSE
                UPDATE lifeos.deliverable x SET latest = v.version, updated_at = at
                WHERE x.account_id = d.account_id AND x.deliverable_id = d.deliverable_id;
        END IF;
        INSERT INTO lifeos.deliverable_version VALUES (v.*);
        RETURN v;
END $$;

-- A version of deliverable_id, or of a new deliverable of user_id if that is NULL. base_version: what it was made from;
-- NULL: whatever is the latest. One of another kind or of another user is not found: an id may come from a model. The
-- audit is the caller's. Nothing is written unless the status is OK.
CREATE FUNCTION lib.deliverable_store(account_id text, user_id text, deliverable_id text, base_version bigint,
                                      kind text, title text, markdown text, data json, author_kind text,
                                      author_id text, model text, config json, session_id text, turn_id text,
                                      action_id text, OUT status text, OUT id text, OUT version bigint,
                                      OUT content_hash text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        d lifeos.deliverable;
        v lifeos.deliverable_version;
BEGIN
        status := lib.deliverable_refused(markdown, data);
        IF status IS NOT NULL THEN
                RETURN;
        END IF;
        IF deliverable_id IS NOT NULL THEN
                SELECT * INTO d FROM lifeos.deliverable x WHERE x.account_id = account_id
                       AND x.deliverable_id = deliverable_id FOR NO KEY UPDATE;
                status := CASE WHEN NOT FOUND OR d.kind <> kind OR d.user_id <> user_id THEN 'DELIVERABLE_NOT_FOUND'
                               WHEN base_version <> d.latest THEN 'DELIVERABLE_CONFLICT' END;
                IF status IS NOT NULL THEN
                        RETURN;
                END IF;
        ELSE
                d.account_id := account_id;
                d.deliverable_id := lib.new_id('dlv');
                d.kind := kind;
                d.user_id := user_id;
                d.session_id := session_id;
        END IF;
        v.title := title;
        v.markdown := markdown;
        v.data := data;
        v.author_kind := author_kind;
        v.author_id := author_id;
        v.model := model;
        v.config := config;
        v.session_id := session_id;
        v.turn_id := turn_id;
        v.action_id := action_id;
        v := lib.deliverable_add(d, v);
        status := 'OK';
        id := d.deliverable_id;
        version := v.version;
        content_hash := encode(v.content_hash, 'hex');
END $$;
