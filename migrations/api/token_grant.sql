-- token_grant.sql - may this actor join this session's room, and as whom? What was handed out is kept with the
-- session.

CREATE FUNCTION lib.token_body(s lifeos.call_session, actor_id text, identity text, name text, agents text[])
        RETURNS json
LANGUAGE sql STABLE AS $$
        SELECT lib.object('{ok,room,identity,name,metadata,agents,session}', ARRAY['true', lib.js(s.provider_room_id),
                lib.js(identity), lib.js(name),
                lib.js(lib.object('{sessionId,userId,correlationId,role}', ARRAY[lib.js(s.session_id),
                        lib.js(actor_id), lib.js(s.correlation_id), '"caller"'])::text),
                array_to_json(agents)::text, lib.session_json(s)::text])
$$;

CREATE FUNCTION api.token_grant(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                                participant_name text, ttl_seconds bigint, livekit_url text, agent_name text,
                                command_hash bytea)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        s lifeos.call_session;
        a lifeos.account;
        see record;
        identity text;
        name text := coalesce(participant_name, actor_id);
        at bigint := lib.now_ms();
        reply api.reply;
BEGIN
        see := lib.session_see(account_id, actor_id, actor_role, session_id, 'write');
        reply := lib.command_begin(see.status, account_id, actor_id, session_id, command_id, command_hash,
                                   'token_grant');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id
                AND c.session_id = session_id;
        SELECT * INTO STRICT a FROM lifeos.account c WHERE c.account_id = account_id;
        IF s.status IN ('ended', 'failed') THEN
                RETURN lib.refuse('SESSION_ENDED');
        ELSIF a.status = 'suspended' THEN
                RETURN lib.refuse('ACCOUNT_SUSPENDED');
        ELSIF s.provider <> 'livekit' THEN
                RETURN lib.refuse('PROVIDER_CORRELATION_MISMATCH', 'the session''s provider is not livekit');
        ELSIF agent_name IS NOT NULL AND NOT agent_name = ANY (a.livekit_agents) THEN
                RETURN lib.refuse('LIVEKIT_FIELD_REFUSED',
                                  'this agent is not among those the operator allows this account');
        END IF;
        -- Whoever joins beside the caller is somebody else to LiveKit too; else each would throw the other out.
        s := lib.session_provider(s, NULL, NULL, NULL,
                                  coalesce(s.provider_call_id, s.provider_room_id || ':'
                                           || s.provider_participant_id));
        identity := CASE WHEN actor_id = s.user_id THEN s.provider_participant_id
                         ELSE lib.participant(account_id, session_id, actor_id) END;
        PERFORM lib.session_seen(account_id, session_id, actor_id, at);
        UPDATE lifeos.call_session c SET provider_room_id = s.provider_room_id,
               provider_participant_id = s.provider_participant_id, provider_call_id = s.provider_call_id,
               livekit = lib.object('{wsUrl,roomName,participantIdentity,participantName,tokenIssuedAtMs,'
                                    'tokenTtlSeconds}',
                                    ARRAY[lib.js(livekit_url), lib.js(s.provider_room_id), lib.js(identity),
                                          lib.js(name), lib.ms(at)::text, ttl_seconds::text]), updated_at = at
        WHERE c.account_id = account_id AND c.session_id = session_id RETURNING * INTO STRICT s;
        PERFORM lib.audit(account_id, session_id, actor_id, actor_role, 'token_grant', 'OK',
                          lib.object('{identity,ttlSeconds,agent}', ARRAY[lib.js(identity), ttl_seconds::text,
                                                                          lib.js(agent_name)]));
        RETURN lib.receipt_put(account_id, actor_id, command_id, command_hash, 'token_grant', session_id, NULL,
                               lib.token_body(s, actor_id, identity, name, a.livekit_agents));
END $$;
