-- session_state.sql - a call session through its life: created, active, then ended or failed, each once.

-- Active. cause: what the event's id is derived from besides the session; '' for a client's request.
CREATE FUNCTION lib.session_start(s lifeos.call_session, at bigint, provider_session_id text, cause text, origin text,
                                  actor_id text, ts bigint, received_at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        UPDATE lifeos.call_session c SET status = 'active', started_at = at, transport_state = 'healthy',
                updated_at = lib.now(), due_at = lib.now()
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        PERFORM lib.emit(s.account_id, s.session_id, lib.event_id(s.id_salt, s.session_id, 'call.connected', cause),
                         'call.connected', '{"callId":' || lib.js(s.session_id) || ',"connectedAt":'
                                 || lib.js(lib.time_text(at))
                                           || ',"providerSessionId":' || lib.js(provider_session_id) || '}',
                         origin, actor_id, ts, received_at);
END $$;

CREATE FUNCTION lib.session_end(s lifeos.call_session, at bigint, reason text, cause text, origin text, actor_id text,
                                ts bigint, received_at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        ended bigint := greatest(at, s.started_at);
        seconds bigint := coalesce((ended - s.started_at) / 1000000, 0);
        sequence bigint;
BEGIN
        UPDATE lifeos.call_session c SET status = 'ended', end_reason = reason, ended_at = ended,
               transport_state = 'terminated', resume_valid_until = NULL, due_at = NULL,
               updated_at = lib.now()
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        sequence := lib.emit(s.account_id, s.session_id, lib.event_id(s.id_salt, s.session_id, 'call.ended', cause),
                         'call.ended',
                         '{"callId":' || lib.js(s.session_id) || ',"durationSeconds":' || seconds || ',"endReason":'
                         || lib.js(reason) || ',"endedAt":' || lib.js(lib.time_text(ended)) || '}',
                         origin, actor_id, ts, received_at);
        PERFORM lib.meter_call(s, sequence, ended);
END $$;

CREATE FUNCTION lib.session_fail(s lifeos.call_session, at bigint, why text, actor_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        sequence bigint;
BEGIN
        UPDATE lifeos.call_session c SET status = 'failed', failed_at = at, last_error = why,
               transport_state = 'terminated', resume_valid_until = NULL, due_at = NULL,
               updated_at = lib.now()
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        PERFORM lib.emit(s.account_id, s.session_id, lib.event_id(s.id_salt, s.session_id, 'call.error', ''),
                         'call.error',
                         '{"callId":' || lib.js(s.session_id) || ',"code":"CALL_SESSION_FAILED","message":'
                                 || lib.js(why)
                         || ',"retryable":false}', 'session', actor_id, at, at);
        sequence := lib.emit(s.account_id, s.session_id, lib.event_id(s.id_salt, s.session_id, 'call.terminal_failure',
                                                                  ''), 'call.terminal_failure',
                         '{"callId":' || lib.js(s.session_id) || ',"code":"CALL_SESSION_IRRECOVERABLE","failedAt":'
                         || lib.js(lib.time_text(at)) || ',"message":' || lib.js(why) || '}', 'session', actor_id, at,
                                 at);
        PERFORM lib.meter_call(s, sequence, at);
END $$;

-- The provider's ids as they will be once the call is active; what was not given gets our own names.
CREATE FUNCTION lib.session_provider(s lifeos.call_session, provider text, room text, participant text, call_id text)
RETURNS lifeos.call_session LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        s.provider := coalesce(provider, s.provider);
        s.provider_room_id := coalesce(room, s.provider_room_id);
        s.provider_participant_id := coalesce(participant, s.provider_participant_id);
        s.provider_call_id := coalesce(call_id, s.provider_call_id);
        IF s.provider = 'livekit' THEN
                s.provider_room_id := coalesce(s.provider_room_id, lib.room_default(s.account_id, s.session_id));
                s.provider_participant_id := coalesce(s.provider_participant_id,
                                                      lib.participant(s.account_id, s.session_id, s.user_id));
                s.provider_call_id := coalesce(s.provider_call_id, 'lk_call_' || left(encode(lib.random16(), 'hex'),
                        16));
        END IF;
        RETURN s;
END $$;

-- The refusal of this request, or OK; REPEAT if it is fulfilled already. `to` has the provider's ids it would get.
CREATE FUNCTION lib.session_state_check(s lifeos.call_session, "to" lifeos.call_session, status text, provider text,
                                        room text, participant text, call_id text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        why text;
BEGIN
        IF status = s.status AND status = 'active'
           AND (provider <> s.provider OR room <> s.provider_room_id OR participant <> s.provider_participant_id
                OR call_id <> s.provider_call_id) THEN
                RETURN lib.refuse('PROVIDER_CORRELATION_MISMATCH');
        ELSIF status = s.status THEN
                RETURN lib.refuse('REPEAT');
        ELSIF NOT ((s.status = 'created' AND status IN ('active', 'ended', 'failed'))
                   OR (s.status = 'active' AND status IN ('ended', 'failed'))) THEN
                RETURN lib.refuse('INVALID_TRANSITION', 'Invalid transition from ' || s.status || ' to ' || status);
        ELSIF status <> 'active' THEN
                RETURN lib.refuse('OK');
        ELSIF "to".provider_room_id IS NULL OR "to".provider_participant_id IS NULL OR "to".provider_call_id IS NULL
                THEN
                RETURN lib.refuse('INVALID_REQUEST',
                                  'active transition requires providerRoomId, providerParticipantId, '
                                                     || 'and providerCallId');
        ELSIF "to".provider = 'livekit' AND room IS NOT NULL AND room IS DISTINCT FROM s.provider_room_id THEN
                why := lib.room_check(room, s.account_id, s.session_id);
                RETURN lib.refuse(CASE WHEN why IS NULL THEN 'OK' ELSE 'LIVEKIT_FIELD_REFUSED' END, why);
        END IF;
        RETURN lib.refuse('OK');
END $$;

CREATE FUNCTION lib.session_state_write(s lifeos.call_session, "to" lifeos.call_session, status text, metadata json,
                                        error text, actor_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := lib.now_ms();
BEGIN
        IF metadata IS NOT NULL THEN
                UPDATE lifeos.call_session c SET metadata = lib.merge(s.metadata,
                                                                      lib.meta(session_state_write.metadata))
                WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        END IF;
        IF status = 'active' THEN
                UPDATE lifeos.call_session c SET provider = "to".provider, provider_room_id = "to".provider_room_id,
                       provider_participant_id = "to".provider_participant_id,
                               provider_call_id = "to".provider_call_id,
                       resume_valid_until = coalesce(s.resume_valid_until, at + s.reconnect_window_ms * 1000)
                WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
                PERFORM lib.session_start("to", at, "to".provider_call_id, '', 'session', actor_id, at, at);
                IF "to".provider = 'livekit' THEN
                        PERFORM lib.room_bind("to".provider_room_id, s.account_id, s.session_id);
                END IF;
        ELSIF status = 'ended' THEN
                PERFORM lib.session_end(s, at, 'completed', '', 'session', actor_id, at, at);
        ELSE
                PERFORM lib.session_fail(s, at, coalesce(error, s.last_error, 'call session failed'), actor_id);
        END IF;
END $$;

CREATE FUNCTION api.session_state(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                                  status text, provider text, provider_room_id text, provider_participant_id text,
                                  provider_call_id text, metadata json, error text, command_hash bytea)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        s lifeos.call_session;
        wanted lifeos.call_session;
        see record;
        reply api.reply;
BEGIN
        see := lib.session_see(account_id, actor_id, actor_role, session_id, 'write');
        reply := lib.command_begin(see.status, account_id, actor_id, session_id, command_id, command_hash,
                                   'session_state');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id
                AND c.session_id = session_id;
        wanted := lib.session_provider(s, provider, provider_room_id, provider_participant_id, provider_call_id);
        reply := lib.session_state_check(s, wanted, status, provider, provider_room_id, provider_participant_id,
                                         provider_call_id);
        IF reply.status = 'REPEAT' THEN
                reply := lib.refuse('OK');
                reply.body := lib.session_state_body(s, true);
                RETURN reply;
        ELSIF reply.status <> 'OK' THEN
                RETURN reply;
        END IF;
        PERFORM lib.session_state_write(s, wanted, status, metadata, error, actor_id);
        PERFORM lib.session_seen(account_id, session_id, actor_id, lib.now_ms());
        PERFORM lib.audit(account_id, session_id, actor_id, actor_role, 'session_state', 'OK',
                          lib.object('{from,to}', ARRAY[lib.js(s.status), lib.js(status)]));
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id
                AND c.session_id = session_id;
        RETURN lib.receipt_put(account_id, actor_id, command_id, command_hash, 'session_state', session_id,
                               lib.stream_head(account_id, session_id), lib.session_state_body(s, false));
END $$;

CREATE FUNCTION lib.session_state_body(s lifeos.call_session, repeated boolean) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT lib.object('{ok,idempotentReplay,session,providerAuth}',
                          ARRAY['true', repeated::text, lib.session_json(s)::text, 'null'])
$$;
