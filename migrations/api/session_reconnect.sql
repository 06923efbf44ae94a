-- session_reconnect.sql - the client is back: its token changes hands, and it gets what it missed.

-- The token that follows this one. Derived, so that a lost answer can be asked for again; only who has the one before
-- can derive it, and we keep none of them.
CREATE FUNCTION lib.resume_next(token text, salt bytea) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT 'resume_' || encode(lib.hash('resume_next', token, encode(salt, 'hex')), 'hex') $$;

-- The answer, from what is stored now. The token is null unless it still is the session's.
CREATE FUNCTION lib.reconnect_body(account_id text, session_id text, from_sequence bigint, n bigint, token text)
RETURNS json LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        s lifeos.call_session;
        head bigint := lib.stream_head(account_id, session_id);
        -- The newest words; all of them are the replay's business, which holds up no commit.
        transcript record := lib.transcript_state(account_id, session_id, 500);
        page record := lib.event_page(account_id, session_id, from_sequence, NULL, NULL, n,
                                      octet_length(transcript.state));
        upto bigint := coalesce(page.last, from_sequence);
        live boolean;
BEGIN
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id
                AND c.session_id = session_id;
        live := s.status IN ('created', 'active');
        IF NOT live OR sha256(convert_to(token, 'UTF8')) <> s.resume_hash THEN
                token := NULL;
        END IF;
        RETURN lib.object('{ok,session,live,replay}', ARRAY['true', lib.session_json(s, token)::text, live::text,
                lib.object('{fromSequence,latestSequence,events,nextCursor,hasMore,transcriptState}',
                           ARRAY[from_sequence::text, head::text, page.events, upto::text, (head > upto)::text,
                                 transcript.state])::text]);
END $$;

-- What this token is to this session: new may be changed for the next, again was changed already, over needs no
-- change, or a refusal.
-- Everything is compared by its hash: how long it takes tells nothing of the token.
CREATE FUNCTION lib.reconnect_check(s lifeos.call_session, token text, ack bigint, head bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        shown bytea := sha256(convert_to(token, 'UTF8'));
        is_present boolean := shown = s.resume_hash;
        is_previous boolean := coalesce(shown = s.resume_previous, false);
BEGIN
        RETURN CASE WHEN NOT (is_present OR is_previous) THEN 'INVALID_RESUME_TOKEN'
                    WHEN s.status IN ('created', 'active') AND s.resume_valid_until < lib.now()
                            THEN 'RECONNECT_WINDOW_EXPIRED'
                    WHEN ack > head THEN 'CURSOR_AHEAD'
                    WHEN s.status IN ('ended', 'failed') THEN 'over'
                    WHEN is_previous THEN 'again' ELSE 'new' END;
END $$;

-- Too late, on record: once, however often it is tried, until something else happens to the session.
CREATE FUNCTION lib.reconnect_late(s lifeos.call_session, actor_role text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        PERFORM 1 FROM lifeos.stream st
        JOIN lifeos.audit a ON a.account_id = st.account_id AND a.stream_id = st.stream_id
                AND a.sequence = st.audit_head
        WHERE st.account_id = s.account_id AND st.stream_id = s.session_id AND a.action = 'session_reconnect'
              AND a.outcome = 'RECONNECT_WINDOW_EXPIRED';
        IF NOT FOUND THEN
                PERFORM lib.audit(s.account_id, s.session_id, s.user_id, actor_role, 'session_reconnect',
                                  'RECONNECT_WINDOW_EXPIRED',
                                  lib.object('{validUntil}', ARRAY[lib.js(lib.time_text(s.resume_valid_until))]));
        END IF;
END $$;

CREATE FUNCTION lib.reconnect_write(s lifeos.call_session, actor_role text, token text, at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        attempt bigint := s.reconnect_attempts + 1;
        next_token text := lib.resume_next(token, s.resume_salt);
BEGIN
        UPDATE lifeos.call_session c SET resume_previous = s.resume_hash, reconnect_attempts = attempt,
               resume_hash = sha256(convert_to(next_token, 'UTF8')), updated_at = at
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        PERFORM lib.emit(s.account_id, s.session_id,
                         lib.event_id(s.id_salt, s.session_id, 'call.reconnecting', 'resume:' || attempt),
                         'call.reconnecting', '{"at":' || lib.js(lib.time_text(at)) || ',"attempt":' || attempt
                                 || ',"callId":' || lib.js(s.session_id) || ',"reason":"resume_requested"}',
                         'session', s.user_id, at, at);
        PERFORM lib.audit(s.account_id, s.session_id, s.user_id, actor_role, 'session_reconnect', 'OK',
                          lib.object('{attempt}', ARRAY[attempt::text]));
END $$;

CREATE FUNCTION api.session_reconnect(account_id text, actor_id text, actor_role text, command_id text,
                                      session_id text, resume_token text, last_ack_sequence bigint, "limit" bigint,
                                      command_hash bytea)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        s lifeos.call_session;
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'write');
        lim bigint := coalesce("limit", 100);
        at bigint := lib.now_ms();
        next_token text;
        start bigint;
        what text;
        reply api.reply;
BEGIN
        reply := lib.command_begin(see.status, account_id, actor_id, session_id, command_id, command_hash,
                                   'session_reconnect');
        IF reply.status <> 'OK' THEN
                RETURN reply;
        END IF;
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id
                AND c.session_id = session_id FOR NO KEY UPDATE;
        next_token := lib.resume_next(resume_token, s.resume_salt);
        IF reply.status = 'OK' THEN
                reply.body := lib.reconnect_body(account_id, session_id, (reply.body ->> 'fromSequence')::bigint, lim,
                                                 next_token);
                RETURN reply;
        ELSIF s.user_id <> actor_id THEN
                RETURN lib.refuse('FORBIDDEN');
        END IF;
        what := lib.reconnect_check(s, resume_token, last_ack_sequence, lib.stream_head(account_id, session_id));
        start := coalesce(last_ack_sequence, s.last_ack_sequence, 0);
        IF what = 'RECONNECT_WINDOW_EXPIRED' THEN
                PERFORM lib.reconnect_late(s, actor_role);
        ELSIF what = 'new' THEN
                PERFORM lib.reconnect_write(s, actor_role, resume_token, at);
        END IF;
        IF what IN ('new', 'again') THEN
                PERFORM lib.session_seen(account_id, session_id, actor_id, at);
                PERFORM lib.session_ack(account_id, session_id, last_ack_sequence);
        ELSIF what <> 'over' THEN
                RETURN lib.refuse(what);
        END IF;
        reply := lib.refuse('OK');
        IF what = 'new' THEN
                -- Without the token and without the pages: told again, they are read again.
                reply := lib.receipt_put(account_id, actor_id, command_id, command_hash, 'session_reconnect',
                                         session_id, lib.stream_head(account_id, session_id),
                                         lib.object('{fromSequence}', ARRAY[start::text]));
        END IF;
        reply.body := lib.reconnect_body(account_id, session_id, start, lim, next_token);
        RETURN reply;
END $$;
