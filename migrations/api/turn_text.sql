-- turn_text.sql - the answer as it arrives: durable piece by piece, and told as it grows.

-- Tells what was added, in pieces that an event can hold.
CREATE FUNCTION lib.turn_delta(c lifeos.conversation, t lifeos.turn, added text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        piece_chars CONSTANT integer := 16384;
        at bigint := lib.now_ms();
        place bigint := t.stored;
        piece text;
BEGIN
        FOR i IN 0 .. (length(added) - 1) / piece_chars LOOP
                piece := substr(added, i * piece_chars + 1, piece_chars);
                PERFORM lib.turn_tell(c, t, 'transcript.delta', place::text,
                                      lib.object('{offset,speaker,text,utteranceId}',
                                                 ARRAY[place::text, '"agent"', lib.js(piece),
                                                       lib.js(lib.turn_name(c, t.turn_id, 'utt_agent'))])::text, at);
                place := place + octet_length(piece);
        END LOOP;
END $$;

-- What of these bytes is new, behind the stored ones; '' if nothing is. NULL: they cannot follow them.
CREATE FUNCTION lib.turn_added(stored bigint, "offset" bigint, bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        skip bigint := stored - "offset";
BEGIN
        IF skip < 0 OR "offset" + octet_length(bytes) > 65536 THEN
                RETURN NULL;
        ELSIF skip >= octet_length(bytes) THEN
                RETURN '';
        ELSIF get_byte(bytes, skip::integer) & 192 = 128 THEN
                RETURN NULL; -- in the middle of a character
        END IF;
        RETURN convert_from(substr(bytes, skip::integer + 1), 'UTF8');
END $$;

CREATE FUNCTION api.turn_text(account_id text, session_id text, turn_id text, runner text, lease_ms bigint,
                              "offset" bigint, text text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        t lifeos.turn := lib.turn_lock(account_id, session_id, turn_id);
        c lifeos.conversation;
        added text := '';
BEGIN
        IF t.status IS DISTINCT FROM 'running' OR t.runner <> runner THEN
                RETURN lib.refuse('TURN_INTERRUPTED');
        END IF;
        IF text IS NOT NULL THEN
                added := lib.turn_added(t.stored, "offset", convert_to(text, 'UTF8'));
        END IF;
        IF added IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'the text does not follow the ' || t.stored || ' bytes that are stored, '
                                                     || 'or is over 64 KiB with them');
        END IF;
        IF added <> '' THEN
                c := lib.conversation_of(account_id, session_id);
                IF t.agent_ordinal IS NULL THEN
                        t.agent_ordinal := lib.message_add(c, t, 'assistant', 'arriving', t.persona, added);
                ELSE
                        UPDATE lifeos.message m SET content = m.content || added
                        WHERE m.account_id = account_id AND m.conversation_id = session_id AND m.ordinal = t.agent_ordinal;
                END IF;
                PERFORM lib.turn_delta(c, t, added);
        END IF;
        UPDATE lifeos.turn o SET lease_until = lib.now() + lease_ms * 1000, agent_ordinal = t.agent_ordinal,
               stored = t.stored + octet_length(added)
        WHERE o.account_id = account_id AND o.conversation_id = session_id AND o.turn_id = turn_id;
        RETURN lib.turn_reply(account_id, session_id, 'OK', NULL,
                              lib.object('{ok,stop}', ARRAY['true', (t.stop_at IS NOT NULL)::text]), added <> '');
END $$;
