-- provider_event.sql - a LiveKit webhook, exactly once: receipt, state and events in one transaction.

-- What was parked for a room is applied in the order it came.
CREATE FUNCTION lib.provider_unpark(room_name text, account_id text, session_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        p lifeos.provider_parked;
        result text;
BEGIN
        FOR p IN SELECT * FROM lifeos.provider_parked k WHERE k.room_name = room_name ORDER BY k.arrival LOOP
                result := lib.provider_apply(p, account_id, session_id);
                UPDATE lifeos.provider_receipt r SET result = result, account_id = account_id, session_id = session_id
                WHERE r.provider_event_id = p.provider_event_id;
                DELETE FROM lifeos.provider_parked k WHERE k.provider_event_id = p.provider_event_id;
        END LOOP;
END $$;

-- How many webhooks may wait for a session; the writer sets it on its connections from webhooks_parked_max.
CREATE FUNCTION lib.parked_max() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('lifeos.webhooks_parked_max', true), '')::bigint, 10000) $$;

-- The session of a room, or NULLs: then the room's row is ours until COMMIT, and a session that is being created for
-- it waits for us, or we waited for it.
CREATE FUNCTION lib.provider_find(room_name text, may_park boolean, OUT account text, OUT session text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        SELECT r.account_id, r.session_id INTO account, session FROM lifeos.provider_room r
                WHERE r.room_name = room_name;
        IF account IS NULL AND may_park THEN
                INSERT INTO lifeos.provider_room (room_name, created_at) VALUES (room_name, lib.now())
                        ON CONFLICT DO NOTHING;
                SELECT r.account_id, r.session_id INTO account, session FROM lifeos.provider_room r
                WHERE r.room_name = room_name FOR UPDATE;
        END IF;
END $$;

CREATE FUNCTION api.provider_event(provider_event_id text, event text, body_hash bytea, api_key text, received bigint,
                                   created_at_ms bigint, room_name text, room_sid text, participant_sid text,
                                   participant_identity text, participant_kind text, joined_at_ms bigint,
                                   disconnect_reason text, detail json) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        p lifeos.provider_parked;
        parks boolean := room_name IS NOT NULL AND event IN ('room_started', 'room_finished', 'participant_joined',
                                                             'participant_left', 'participant_connection_aborted');
        its record;
        result text := 'ignored';
        reply api.reply;
BEGIN
        reply.status := 'OK';
        SELECT r.account_id, r.session_id INTO reply.account_id, reply.session_id
        FROM lifeos.provider_receipt r WHERE r.provider_event_id = provider_event_id;
        IF FOUND THEN
                reply.body := '{"ok":true,"result":"duplicate"}';
                -- Whoever died before answering may have died before telling the listeners.
                reply.head := lib.stream_head(reply.account_id, reply.session_id);
                RETURN reply;
        END IF;
        PERFORM 1 FROM lifeos.provider_room r WHERE r.room_name = room_name AND r.account_id IS NOT NULL;
        IF parks AND NOT FOUND AND lib.parked_count(lib.parked_max()) >= lib.parked_max() THEN
                RETURN lib.refuse('BUSY', 'too many webhooks wait for their session');
        END IF;
        p.provider_event_id := provider_event_id;
        p.event := event;
        p.received_at := received;
        p.provider_at := created_at_ms * 1000;
        p.room_name := room_name;
        p.room_sid := room_sid;
        p.participant_sid := participant_sid;
        p.participant_identity := participant_identity;
        p.participant_kind := participant_kind;
        p.joined_at := nullif(joined_at_ms, 0) * 1000;
        p.disconnect_reason := disconnect_reason;
        its := lib.provider_find(room_name, parks);
        IF its.session IS NOT NULL THEN
                PERFORM lib.stream_lock(its.account, its.session);
                result := lib.provider_apply(p, its.account, its.session);
                reply.account_id := its.account;
                reply.session_id := its.session;
                reply.head := lib.stream_head(its.account, its.session);
        ELSIF parks THEN
                result := 'parked';
                INSERT INTO lifeos.provider_parked (provider_event_id, parked_at, event, received_at, provider_at,
                                                    room_name,
                        room_sid, participant_sid, participant_identity, participant_kind, joined_at,
                                disconnect_reason)
                VALUES (p.provider_event_id, lib.now(), p.event, p.received_at, p.provider_at, p.room_name,
                        p.room_sid,
                        p.participant_sid, p.participant_identity, p.participant_kind, p.joined_at,
                                p.disconnect_reason);
        END IF;
        INSERT INTO lifeos.provider_receipt (provider_event_id, event, result, body_hash, api_key, account_id,
                                             session_id,
                                             room_name, room_sid, provider_at, received_at, recorded_at, detail)
        VALUES (provider_event_id, event, result, body_hash, api_key, its.account, its.session, room_name, room_sid,
                p.provider_at, received, lib.now(), detail);
        reply.body := lib.object('{ok,result}', ARRAY['true', lib.js(result)]);
        RETURN reply;
END $$;

-- Counts no further than it must.
CREATE FUNCTION lib.parked_count(at_most bigint) RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT count(*) FROM (SELECT 1 FROM lifeos.provider_parked LIMIT at_most) p $$;
