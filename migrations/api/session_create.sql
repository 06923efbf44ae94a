-- session_create.sql - a call session comes into being, once, however often it is asked for.

-- Derived, so that the same command gets the same token again although we keep only its hash.
CREATE FUNCTION lib.resume_token(command_id text, salt bytea) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT 'resume_' || encode(lib.hash('resume', command_id, encode(salt, 'hex')), 'hex') $$;

-- A stored answer has no token in it: resumeToken is null there, before anything a client could have written.
CREATE FUNCTION lib.with_token(body json, token text) RETURNS json LANGUAGE sql STABLE AS
$$ SELECT regexp_replace(body::text, '"resumeToken":null', '"resumeToken":"' || token || '"')::json $$;

CREATE FUNCTION lib.participant(account_id text, session_id text, user_id text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT 'lk_part_' || left(encode(lib.hash(account_id, session_id, user_id), 'hex'), 16) $$;

-- May this session have that room? A name that looks like ours must be its own; one that somebody has is taken,
-- unless it was the room of a call of the same account that is over.
CREATE FUNCTION lib.room_free(room_name text, account_id text, session_id text) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
        SELECT NOT EXISTS (SELECT 1 FROM lifeos.provider_room r
                           LEFT JOIN lifeos.call_session c ON c.account_id = r.account_id
                                   AND c.session_id = r.session_id
                           WHERE r.room_name = $1 AND r.account_id IS NOT NULL
                                 AND (r.account_id, r.session_id) <> ($2, $3)
                                 AND NOT (r.account_id = $2 AND c.status IN ('ended', 'failed')))
$$;
CREATE FUNCTION lib.room_check(room_name text, account_id text, session_id text) RETURNS text
LANGUAGE sql VOLATILE AS $$
        SELECT CASE WHEN starts_with(room_name, 'lk_room_') AND room_name <> 'lk_room_' || session_id
                         THEN 'providerRoomId: names that begin with lk_room_ are the appliance''s'
                    WHEN NOT lib.room_free(room_name, account_id, session_id) THEN 'providerRoomId is in use' END
$$;

-- Ties the room to the session and applies what LiveKit had told of it before. The room's row serialises this with
-- the webhooks that look for it.
CREATE FUNCTION lib.room_bind(room_name text, account_id text, session_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        r lifeos.provider_room;
BEGIN
        INSERT INTO lifeos.provider_room (room_name, account_id, session_id, created_at)
        VALUES (room_name, account_id, session_id, lib.now()) ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT r FROM lifeos.provider_room p WHERE p.room_name = room_name FOR UPDATE;
        IF NOT lib.room_free(room_name, account_id, session_id) THEN
                -- Somebody was faster; tried again, this ends as a refusal.
                RAISE EXCEPTION 'room taken meanwhile' USING ERRCODE = 'serialization_failure';
        END IF;
        UPDATE lifeos.provider_room p SET account_id = account_id, session_id = session_id
        WHERE p.room_name = room_name AND (p.account_id, p.session_id) IS DISTINCT FROM (account_id, session_id);
        PERFORM lib.provider_unpark(room_name, account_id, session_id);
END $$;

-- The same user asks for the same session again without the first command's id: it is his, and so is a fresh token.
CREATE FUNCTION lib.session_again(s lifeos.call_session, actor_role text, command_id text, command_hash bytea)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        salt bytea := lib.random16();
        token text := lib.resume_token(command_id, salt);
        reply api.reply;
BEGIN
        IF s.status IN ('created', 'active') THEN
                UPDATE lifeos.call_session c SET resume_salt = salt, resume_hash = sha256(convert_to(token, 'UTF8')),
                       resume_previous = NULL, updated_at = lib.now()
                WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
                PERFORM lib.session_seen(s.account_id, s.session_id, s.user_id, lib.now_ms());
                SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = s.account_id
                        AND c.session_id = s.session_id;
                PERFORM lib.audit(s.account_id, s.session_id, s.user_id, actor_role, 'session_create', 'OK',
                                  '{"repeated":true}');
        ELSE
                token := NULL;
        END IF;
        reply := lib.receipt_put(s.account_id, s.user_id, command_id, command_hash, 'session_create', s.session_id,
                                 NULL, lib.object('{ok,session}', ARRAY['true', lib.session_json(s)::text]));
        IF token IS NOT NULL THEN
                reply.body := lib.with_token(reply.body, token);
        END IF;
        RETURN reply;
END $$;

-- Writes the session, its stream and its first event.
CREATE FUNCTION lib.session_insert(s lifeos.call_session, actor_role text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        INSERT INTO lifeos.account (account_id, created_at, updated_at) VALUES (s.account_id, s.created_at,
                                                                                s.created_at)
        ON CONFLICT DO NOTHING;
        INSERT INTO lifeos.stream (account_id, stream_id, kind, user_id)
        VALUES (s.account_id, s.session_id, 'session', s.user_id);
        INSERT INTO lifeos.call_session VALUES (s.*);
        PERFORM lib.emit(s.account_id, s.session_id, lib.event_id(s.id_salt, s.session_id, 'call.started', ''),
                         'call.started', '{"callId":' || lib.js(s.session_id)
                                 || ',"channel":"voice","direction":"outbound"'
                                         || ',"provider":' || lib.js(s.provider) || '}',
                         'session', s.user_id, s.created_at, s.created_at);
        PERFORM lib.audit(s.account_id, s.session_id, s.user_id, actor_role, 'session_create', 'OK', '{}');
        IF s.provider = 'livekit' THEN
                PERFORM lib.room_bind(s.provider_room_id, s.account_id, s.session_id);
        END IF;
END $$;

CREATE FUNCTION api.session_create(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                                   correlation_id text, provider text, reconnect_window_ms bigint,
                                           provider_room_id text,
                                   provider_participant_id text, provider_call_id text, metadata json,
                                           command_hash bytea)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        s lifeos.call_session;
        reply api.reply := lib.receipt_find(account_id, actor_id, command_id, command_hash, 'session_create');
        asked bytea := lib.hash(actor_id, session_id, correlation_id, provider, reconnect_window_ms::text,
                                provider_room_id, provider_participant_id, provider_call_id, metadata::text);
        at bigint := lib.now_ms();
        token text;
        why text;
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN lib.session_create_again(reply, command_id);
        END IF;
        IF account_id = '*' OR actor_role NOT IN ('owner', 'admin', 'member') THEN
                RETURN lib.refuse('FORBIDDEN');
        END IF;
        PERFORM 1 FROM lifeos.account a WHERE a.account_id = account_id AND a.status = 'suspended';
        IF FOUND THEN
                RETURN lib.refuse('ACCOUNT_SUSPENDED');
        END IF;
        IF session_id IS NOT NULL AND lib.stream_lock(account_id, session_id) THEN
                SELECT * INTO s FROM lifeos.call_session c
                WHERE c.account_id = account_id AND c.session_id = session_id;
                IF NOT FOUND OR s.user_id <> actor_id OR s.create_hash <> asked THEN
                        RETURN lib.refuse('SESSION_EXISTS');
                END IF;
                RETURN lib.session_again(s, actor_role, command_id, command_hash);
        END IF;
        s.account_id := account_id;
        s.session_id := coalesce(session_id, lib.new_id('sess'));
        s.user_id := actor_id;
        s.status := 'created';
        s.transport_state := 'healthy';
        s.correlation_id := coalesce(correlation_id, lib.new_id('corr'));
        s.create_hash := asked;
        s.id_salt := lib.random16();
        s.resume_salt := lib.random16();
        token := lib.resume_token(command_id, s.resume_salt);
        s.resume_hash := sha256(convert_to(token, 'UTF8'));
        s.reconnect_window_ms := coalesce(reconnect_window_ms, 120000);
        s.resume_valid_until := at + s.reconnect_window_ms * 1000;
        s.reconnect_attempts := 0;
        s.provider := coalesce(provider, 'livekit');
        s.provider_room_id := provider_room_id;
        s.provider_participant_id := provider_participant_id;
        s.provider_call_id := provider_call_id;
        s.metadata := lib.meta(coalesce(metadata, '{}'));
        s.created_at := at;
        s.updated_at := at;
        s.seen_at := at;
        s.retry_count := 0;
        s.due_at := at;
        IF s.provider = 'livekit' THEN
                s.provider_participant_id := coalesce(s.provider_participant_id,
                                                      lib.participant(account_id, s.session_id, actor_id));
                IF s.provider_room_id IS NULL THEN
                        s.provider_room_id := lib.room_default(account_id, s.session_id);
                END IF;
                why := CASE WHEN provider_room_id IS NOT NULL
                            THEN lib.room_check(provider_room_id, account_id, s.session_id) END;
                IF why IS NOT NULL THEN
                        RETURN lib.refuse('LIVEKIT_FIELD_REFUSED', why);
                END IF;
        END IF;
        PERFORM lib.session_insert(s, actor_role);
        -- What LiveKit had parked may have moved it already.
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = s.account_id
                AND c.session_id = s.session_id;
        reply := lib.receipt_put(s.account_id, s.user_id, command_id, command_hash, 'session_create', s.session_id,
                                 lib.stream_head(s.account_id, s.session_id),
                                 lib.object('{ok,session}', ARRAY['true', lib.session_json(s)::text]));
        reply.body := lib.with_token(reply.body, token);
        RETURN reply;
END $$;

-- The first answer once more, with the token that still is this session's.
CREATE FUNCTION lib.session_create_again(reply api.reply, command_id text) RETURNS api.reply
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        s lifeos.call_session;
        token text;
BEGIN
        IF reply.status = 'OK' THEN
                SELECT * INTO STRICT s FROM lifeos.call_session c
                WHERE c.account_id = reply.account_id AND c.session_id = reply.session_id;
                token := lib.resume_token(command_id, s.resume_salt);
                IF sha256(convert_to(token, 'UTF8')) = s.resume_hash THEN
                        reply.body := lib.with_token(reply.body, token);
                END IF;
        END IF;
        RETURN reply;
END $$;

CREATE FUNCTION lib.stream_head(account_id text, stream_id text) RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT s.head FROM lifeos.stream s WHERE s.account_id = $1 AND s.stream_id = $2 $$;

-- lk_room_<session>; where another account has a session of that id, a name nobody can guess.
CREATE FUNCTION lib.room_default(account_id text, session_id text) RETURNS text LANGUAGE sql VOLATILE AS $$
        SELECT 'lk_room_' || session_id
               || CASE WHEN lib.room_free('lk_room_' || session_id, account_id, session_id) THEN ''
                       ELSE '_' || encode(lib.random16(), 'hex') END
$$;
