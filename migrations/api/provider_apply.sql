-- provider_apply.sql - what one LiveKit webhook means for a call session.
--
-- Keyed by sids, never by identity; any order is taken: LiveKit retries, drops, and restarts. Times are the
-- payload's. The caller holds the session's stream. p is the webhook in the form it is parked in.

-- People: whoever is not an agent or a recorder. LiveKit leaves STANDARD out.
CREATE FUNCTION lib.is_caller(kind text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT upper(coalesce(nullif(kind, ''), 'STANDARD')) IN ('STANDARD', 'SIP') $$;

CREATE FUNCTION lib.provider_emit(s lifeos.call_session, p lifeos.provider_parked, type text, payload text)
        RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        PERFORM lib.emit(s.account_id, s.session_id, lib.event_id(s.id_salt, s.session_id, type, p.provider_event_id),
                         type, payload, 'livekit', 'livekit', p.provider_at, p.received_at);
END $$;

-- What is known of this connection after this webhook. An earlier answer is kept: news may come in any order.
CREATE FUNCTION lib.provider_participant_put(s lifeos.call_session, p lifeos.provider_parked)
RETURNS lifeos.provider_participant LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        left_now boolean := p.event <> 'participant_joined';
        r lifeos.provider_participant;
BEGIN
        INSERT INTO lifeos.provider_participant AS k (account_id, session_id, room_sid, participant_sid, identity,
                                                      kind, joined_at, left_at, disconnect_reason)
        VALUES (s.account_id, s.session_id, coalesce(p.room_sid, s.room_sid, ''), p.participant_sid,
                p.participant_identity, upper(coalesce(nullif(p.participant_kind, ''), 'STANDARD')),
                coalesce(p.joined_at, CASE WHEN NOT left_now THEN p.provider_at END),
                CASE WHEN left_now THEN p.provider_at END, CASE WHEN left_now THEN p.disconnect_reason END)
        ON CONFLICT (account_id, session_id, room_sid, participant_sid) DO UPDATE SET
                identity = coalesce(k.identity, EXCLUDED.identity),
                joined_at = coalesce(k.joined_at, EXCLUDED.joined_at),
                left_at = coalesce(k.left_at, EXCLUDED.left_at),
                disconnect_reason = coalesce(k.disconnect_reason, EXCLUDED.disconnect_reason)
        RETURNING * INTO r;
        RETURN r;
END $$;

-- What a client is told while the line is lost: how often it was asked to come back so far, this time included.
CREATE FUNCTION lib.reconnecting(s lifeos.call_session, at bigint, reason text) RETURNS text
LANGUAGE sql STABLE AS $$
        SELECT '{"at":' || lib.js(lib.time_text(at)) || ',"attempt":' || s.retry_count + 1 || ',"callId":'
               || lib.js(s.session_id) || ',"reason":' || lib.js(reason) || '}'
$$;

-- The line to the provider is lost; the reconnect window opens. A line that is lost already stays lost since then. The
-- provider's clock may be ahead of ours, but what we have heard of has happened.
CREATE FUNCTION lib.provider_lost(s lifeos.call_session, p lifeos.provider_parked, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := least(p.provider_at, lib.now());
BEGIN
        IF s.transport_state <> 'healthy' THEN
                RETURN;
        END IF;
        UPDATE lifeos.call_session c SET transport_state = 'degraded', disconnected_at = at,
               reconnect_attempts = c.reconnect_attempts + 1, updated_at = lib.now(), due_at = lib.now(),
               resume_valid_until = greatest(c.resume_valid_until, at + c.reconnect_window_ms * 1000)
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id RETURNING * INTO s;
        PERFORM lib.provider_emit(s, p, 'call.reconnecting',
                                  lib.reconnecting(s, at, coalesce(reason, 'UNKNOWN_REASON')));
END $$;

-- Somebody came back; the call goes on, and its listeners are told what they missed.
CREATE FUNCTION lib.provider_back(s lifeos.call_session, p lifeos.provider_parked, joined_at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        gap bigint := greatest(joined_at - coalesce(s.disconnected_at, joined_at), 0);
BEGIN
        UPDATE lifeos.call_session c SET transport_state = 'healthy', disconnected_at = NULL, retry_count = 0,
               updated_at = lib.now(), due_at = lib.now()
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        PERFORM lib.provider_emit(s, p, 'call.connected',
                '{"attempts":' || s.retry_count + 1 || ',"callId":' || lib.js(s.session_id) || ',"connectedAt":'
                || lib.js(lib.time_text(joined_at)) || ',"gapMs":' || lib.ms(gap) || ',"providerSessionId":'
                || lib.js(s.room_sid) || ',"resumed":true}');
END $$;

CREATE FUNCTION lib.provider_active(s lifeos.call_session, p lifeos.provider_parked, at bigint)
        RETURNS lifeos.call_session
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        UPDATE lifeos.call_session c SET provider_call_id = coalesce(c.provider_call_id, c.room_sid)
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        PERFORM lib.session_start(s, at, s.room_sid, p.provider_event_id, 'livekit', 'livekit', p.provider_at,
                                  p.received_at);
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = s.account_id
                AND c.session_id = s.session_id;
        RETURN s;
END $$;

-- Somebody is gone. Only the last person's leaving says something about the call; being replaced by one's own second
-- connection says nothing, and when the room is being closed its end will tell.
CREATE FUNCTION lib.provider_gone(s lifeos.call_session, p lifeos.provider_parked, k lifeos.provider_participant)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF k.disconnect_reason IN ('DUPLICATE_IDENTITY', 'ROOM_DELETED', 'ROOM_CLOSED', 'PARTICIPANT_REMOVED') THEN
                RETURN;
        END IF;
        PERFORM 1 FROM lifeos.provider_participant o
        WHERE o.account_id = s.account_id AND o.session_id = s.session_id AND o.room_sid = k.room_sid
              AND o.left_at IS NULL AND lib.is_caller(o.kind);
        IF FOUND THEN
                RETURN;
        ELSIF k.disconnect_reason = 'CLIENT_INITIATED' THEN
                PERFORM lib.session_end(s, k.left_at, 'user_hangup', p.provider_event_id, 'livekit', 'livekit',
                                        p.provider_at, p.received_at);
        ELSE
                PERFORM lib.provider_lost(s, p, k.disconnect_reason);
        END IF;
END $$;

CREATE FUNCTION lib.provider_joined(s lifeos.call_session, p lifeos.provider_parked) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        k lifeos.provider_participant := lib.provider_participant_put(s, p);
BEGIN
        IF NOT lib.is_caller(k.kind) THEN
                RETURN;
        ELSIF s.status = 'created' THEN
                s := lib.provider_active(s, p, k.joined_at);
                IF k.left_at IS NOT NULL THEN -- its leaving came first
                        PERFORM lib.provider_gone(s, p, k);
                END IF;
        ELSIF s.transport_state = 'degraded' AND k.left_at IS NULL THEN
                PERFORM lib.provider_back(s, p, k.joined_at);
        END IF;
END $$;

-- Leaving without having been announced still tells when it joined.
CREATE FUNCTION lib.provider_left(s lifeos.call_session, p lifeos.provider_parked) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        k lifeos.provider_participant := lib.provider_participant_put(s, p);
BEGIN
        IF lib.is_caller(k.kind) THEN
                IF s.status = 'created' AND k.joined_at IS NOT NULL THEN
                        s := lib.provider_active(s, p, k.joined_at);
                END IF;
                IF s.status = 'active' THEN
                        PERFORM lib.provider_gone(s, p, k);
                END IF;
        END IF;
END $$;

CREATE FUNCTION lib.provider_finished(s lifeos.call_session, p lifeos.provider_parked) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        UPDATE lifeos.provider_participant k SET left_at = p.provider_at, disconnect_reason = 'ROOM_FINISHED'
        WHERE k.account_id = s.account_id AND k.session_id = s.session_id AND k.room_sid = s.room_sid
                AND k.left_at IS NULL;
        PERFORM lib.session_end(s, p.provider_at, CASE WHEN s.status = 'created' THEN 'timeout'
                                                       WHEN s.transport_state = 'degraded'
                                                               THEN 'ended_with_provider_disconnect'
                                                       ELSE 'completed' END,
                                p.provider_event_id, 'livekit', 'livekit', p.provider_at, p.received_at);
END $$;

-- The webhook's room is the session's room from now on. Another sid under the same name: LiveKit lost the first room.
CREATE FUNCTION lib.provider_room_is(s lifeos.call_session, p lifeos.provider_parked) RETURNS lifeos.call_session
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        UPDATE lifeos.call_session c SET room_sid = p.room_sid, room_sid_at = p.provider_at
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        IF s.room_sid IS NOT NULL AND s.status = 'active' THEN
                UPDATE lifeos.provider_participant k SET left_at = p.provider_at, disconnect_reason = 'ROOM_LOST'
                WHERE k.account_id = s.account_id AND k.session_id = s.session_id AND k.room_sid = s.room_sid
                      AND k.left_at IS NULL;
                PERFORM lib.provider_lost(s, p, 'ROOM_RESTARTED');
        END IF;
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = s.account_id
                AND c.session_id = s.session_id;
        RETURN s;
END $$;

CREATE FUNCTION lib.provider_connecting(s lifeos.call_session, p lifeos.provider_parked) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        id text := lib.event_id(s.id_salt, s.session_id, 'call.connecting', '');
BEGIN
        PERFORM 1 FROM lifeos.event e WHERE e.account_id = s.account_id AND e.event_id = id;
        IF s.status = 'created' AND NOT FOUND THEN
                PERFORM lib.emit(s.account_id, s.session_id, id, 'call.connecting',
                                 '{"callId":' || lib.js(s.session_id) || ',"provider":' || lib.js(s.provider) || '}',
                                 'livekit', 'livekit', p.provider_at, p.received_at);
        END IF;
END $$;

-- applied or ignored.
CREATE FUNCTION lib.provider_apply(p lifeos.provider_parked, account_id text, session_id text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        was lifeos.call_session;
        s lifeos.call_session;
BEGIN
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id
                AND c.session_id = session_id;
        was := s;
        IF s.status IN ('ended', 'failed') OR (starts_with(p.event, 'participant_') AND p.participant_sid IS NULL)
                THEN
                RETURN 'ignored';
        END IF;
        IF p.room_sid IS NOT NULL AND p.room_sid IS DISTINCT FROM s.room_sid THEN
                IF s.room_sid IS NULL OR (p.event IN ('room_started', 'participant_joined')
                                          AND p.provider_at >= s.room_sid_at) THEN
                        s := lib.provider_room_is(s, p);
                ELSE    -- late news of a room that is gone
                        RETURN 'ignored';
                END IF;
        END IF;
        CASE p.event
                WHEN 'room_started' THEN PERFORM lib.provider_connecting(s, p);
                WHEN 'participant_joined' THEN PERFORM lib.provider_joined(s, p);
                WHEN 'participant_left' THEN PERFORM lib.provider_left(s, p);
                WHEN 'room_finished' THEN PERFORM lib.provider_finished(s, p);
                WHEN 'participant_connection_aborted' THEN
                        PERFORM lib.provider_participant_put(s, p);
                        PERFORM lib.provider_emit(s, p, 'call.error', '{"callId":' || lib.js(s.session_id)
                                || ',"code":"PARTICIPANT_CONNECTION_ABORTED","message":'
                                        || lib.js('a participant did not get connected: '
                                || coalesce(p.disconnect_reason, 'UNKNOWN_REASON')) || ',"retryable":true}');
                ELSE
                        -- Whose track is new is in the room, should the news of his coming back be lost.
                        IF p.event <> 'track_published' OR p.participant_sid IS NULL
                           OR s.transport_state <> 'degraded' THEN
                                RETURN 'ignored';
                        END IF;
                        p.event := 'participant_joined';
                        PERFORM lib.provider_joined(s, p);
        END CASE;
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id
                AND c.session_id = session_id;
        IF (s.status, s.transport_state) <> (was.status, was.transport_state) THEN
                PERFORM lib.audit(account_id, session_id, 'livekit', 'provider', p.event, 'OK',
                        lib.object('{from,to,transportFrom,transportTo}', ARRAY[lib.js(was.status), lib.js(s.status),
                                   lib.js(was.transport_state), lib.js(s.transport_state)]));
        END IF;
        RETURN 'applied';
END $$;
