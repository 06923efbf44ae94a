-- checkpoint.sql - how far a consumer is. It has everything up to a sequence, and never less than it once had.

-- The session's own ack, which follows its own user. ts and event id are those of the event unless they are given.
CREATE FUNCTION lib.session_ack(account_id text, session_id text, sequence bigint, ts bigint DEFAULT NULL,
                                event_id text DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        UPDATE lifeos.call_session c SET last_ack_sequence = $3, updated_at = lib.now_ms(),
               last_ack_ts = coalesce($4, (SELECT e.ts FROM lifeos.event e
                       WHERE e.account_id = $1 AND e.session_id = $2 AND e.sequence = $3)),
               last_ack_event_id = coalesce($5, (SELECT e.event_id FROM lifeos.event e
                       WHERE e.account_id = $1 AND e.session_id = $2 AND e.sequence = $3))
        WHERE c.account_id = $1 AND c.session_id = $2 AND (c.last_ack_sequence < $3 OR c.last_ack_sequence IS NULL
                                                           AND $3 IS NOT NULL)
$$;

-- Whose consumers this actor names: his own, so that nobody moves or uses up another's; services share theirs.
CREATE FUNCTION lib.consumer_owner(actor_id text, actor_role text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN actor_role IN ('ingest', 'operator') THEN '' ELSE actor_id END $$;

-- The consumer's row, locked until COMMIT: whoever else tells of this consumer waits. NULL: there is none, and the
-- stream is held, so that nobody makes one.
CREATE FUNCTION lib.checkpoint_lock(account_id text, session_id text, owner text, consumer_id text) RETURNS lifeos.checkpoint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        k lifeos.checkpoint;
BEGIN
        FOR i IN 1 .. 2 LOOP
                SELECT * INTO k FROM lifeos.checkpoint c WHERE c.account_id = account_id
                        AND c.session_id = session_id AND c.owner = owner AND c.consumer_id = consumer_id FOR NO KEY UPDATE;
                EXIT WHEN FOUND OR i = 2;
                PERFORM lib.stream_lock(account_id, session_id);
        END LOOP;
        RETURN k;
END $$;

-- Stores what is given unless it is old. `was` is the row before; all NULL if there was none.
CREATE FUNCTION lib.checkpoint_put(was lifeos.checkpoint, put lifeos.checkpoint) RETURNS lifeos.checkpoint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        e lifeos.event;
BEGIN
        IF put.sequence <= was.sequence THEN
                RETURN was;
        END IF;
        SELECT * INTO e FROM lifeos.event v WHERE v.account_id = put.account_id AND v.session_id = put.session_id
                AND v.sequence = put.sequence;
        put.ts := coalesce(put.ts, e.ts);
        put.event_id := coalesce(put.event_id, e.event_id);
        INSERT INTO lifeos.checkpoint AS c VALUES (put.*)
        ON CONFLICT ON CONSTRAINT checkpoint_pkey DO UPDATE SET sequence = put.sequence, ts = put.ts,
                event_id = put.event_id, updated_at = put.updated_at WHERE c.sequence < put.sequence;
        RETURN put;
END $$;

CREATE FUNCTION lib.checkpoint_body(k lifeos.checkpoint, reason text, s lifeos.call_session, head bigint) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        stale boolean := reason = 'stale_sequence_ignored';
BEGIN
        RETURN lib.object('{ok,checkpoint,ackUpdate,sessionAck,latestSequence}', ARRAY['true',
                lib.object('{sessionId,consumerId,watermarkTs,watermarkTimestamp,watermarkEventId,watermarkSequence,'
                           'updatedAtMs}',
                           ARRAY[lib.js(k.session_id), lib.js(k.consumer_id), lib.js(lib.time_text(k.ts)),
                                 lib.js(lib.time_text(k.ts)), lib.js(k.event_id), k.sequence::text,
                                 lib.ms(k.updated_at)::text])::text,
                lib.object('{attempted,applied,ignored,reason}',
                           ARRAY['true', (NOT stale)::text, stale::text, lib.js(reason)])::text,
                lib.object('{sequence,timestamp,eventId}',
                           ARRAY[coalesce(s.last_ack_sequence::text, 'null'), lib.js(lib.time_text(s.last_ack_ts)),
                                 lib.js(s.last_ack_event_id)])::text, head::text]);
END $$;

-- What is wrong with the marks that were given; NULL: nothing. The sequence is what counts.
CREATE FUNCTION lib.checkpoint_flaw(put lifeos.checkpoint, ts text, field text) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT CASE WHEN ts IS NOT NULL AND put.ts IS NULL THEN field || ' is not an RFC 3339 date and time'
                    WHEN put.sequence IS NULL AND put.event_id IS NULL
                            THEN 'watermarkSequence is missing; so is watermarkEventId'
                    WHEN put.sequence IS NULL THEN 'watermarkEventId: this session has no such event' END
$$;

CREATE FUNCTION api.checkpoint(account_id text, actor_id text, actor_role text, session_id text, consumer_id text,
                               watermark_ts text, watermark_timestamp text, watermark_event_id text,
                               watermark_sequence bigint)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'read', '{session,conversation}');
        person boolean := actor_role NOT IN ('ingest', 'operator');
        given text := coalesce(watermark_timestamp, watermark_ts);
        put lifeos.checkpoint;
        asked bigint;
        was lifeos.checkpoint;
        s lifeos.call_session;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        put := (see.account, session_id, lib.consumer_owner(actor_id, actor_role), consumer_id, watermark_sequence, lib.time_parse(given), watermark_event_id,
                lib.now_ms());
        IF put.sequence IS NULL THEN
                SELECT e.sequence INTO put.sequence FROM lifeos.event e WHERE e.account_id = see.account
                        AND e.event_id = watermark_event_id AND e.session_id = session_id;
        END IF;
        reply.message := lib.checkpoint_flaw(put, given, CASE WHEN watermark_timestamp IS NULL THEN 'watermarkTs'
                                                              ELSE 'watermarkTimestamp' END);
        IF reply.message IS NOT NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', reply.message);
        ELSIF put.sequence > lib.stream_head(see.account, session_id) THEN
                RETURN lib.refuse('CURSOR_AHEAD');
        END IF;
        asked := put.sequence;
        was := lib.checkpoint_lock(see.account, session_id, put.owner, consumer_id);
        IF was.sequence IS NULL AND (SELECT count(*) FROM lifeos.checkpoint c WHERE c.account_id = see.account
                                     AND c.session_id = session_id AND c.owner = put.owner) >= 100 THEN
                RETURN lib.refuse('TOO_MANY_CONSUMERS');
        END IF;
        put := lib.checkpoint_put(was, put);
        IF person THEN
                PERFORM lib.session_seen(see.account, session_id, actor_id, lib.now_ms());
        END IF;
        SELECT * INTO s FROM lifeos.call_session c WHERE c.account_id = see.account AND c.session_id = session_id;
        IF person AND s.user_id = actor_id THEN
                PERFORM lib.session_ack(see.account, session_id, put.sequence, put.ts, put.event_id);
                SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = see.account
                        AND c.session_id = session_id;
        END IF;
        reply.status := 'OK';
        reply.body := lib.checkpoint_body(put, CASE
                WHEN asked < was.sequence THEN 'stale_sequence_ignored'
                WHEN asked = was.sequence THEN 'equal_sequence_idempotent' ELSE 'advanced_sequence' END, s,
                lib.stream_head(see.account, session_id));
        RETURN reply;
END $$;
