-- event_read.sql - reading a stream back: pages for live streams, replay for clients, and proof that nothing changed.

CREATE TYPE api.event_row AS (status text, sequence bigint, event text);

-- What clients read, byte for byte what event_json() in C writes. An erased payload is null.
CREATE FUNCTION lib.event_json(event_id text, sequence bigint, session_id text, ts bigint, type text, payload text,
                               origin text, received_at bigint, recorded_at bigint) RETURNS text
LANGUAGE sql STABLE AS $$
        SELECT format('{"eventId":"%s","sequence":%s,"sessionId":"%s","ts":"%s","timestamp":"%4$s","type":"%s",'
                      '"payload":%s,"schemaVersion":"1.0","origin":"%s","receivedAt":"%s","recordedAt":"%s"}',
                      event_id, sequence, session_id, lib.time_text(ts), type, coalesce(payload, 'null'), origin,
                      lib.time_text(received_at), lib.time_text(recorded_at))
$$;
CREATE FUNCTION api.event_json(event_id text, sequence bigint, session_id text, ts bigint, type text, payload text,
                               origin text, received_at bigint, recorded_at bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT lib.event_json(event_id, sequence, session_id, ts, type, payload, origin, received_at, recorded_at) $$;

CREATE FUNCTION api.event_read(account_id text, actor_id text, actor_role text, session_id text,
                               after_sequence bigint, "limit" bigint) RETURNS SETOF api.event_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'read', '{session,conversation}');
        lim bigint := coalesce("limit", 500);
BEGIN
        IF see.status <> 'OK' THEN
                RETURN NEXT (see.status, NULL, NULL)::api.event_row;
                RETURN;
        END IF;
        RETURN QUERY
        SELECT 'OK', e.sequence, lib.event_json(e.event_id, e.sequence, e.session_id, e.ts, e.type, e.payload::text,
                                                e.origin, e.received_at, e.recorded_at)
        FROM lifeos.event e
        WHERE e.account_id = see.account AND e.session_id = session_id AND e.sequence > after_sequence
        ORDER BY e.sequence LIMIT lim;
END $$;

-- May this actor listen? Then: to which stream, how far it is, and how far this consumer was.
CREATE FUNCTION api.stream_open(account_id text, actor_id text, actor_role text, session_id text, consumer_id text)
RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'read', '{session,conversation}');
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        reply.status := 'OK';
        reply.account_id := see.account;
        reply.session_id := session_id;
        reply.head := see.head;
        SELECT lib.object('{ok,accountId,sessionId,latestSequence,status,checkpoint}',
                          ARRAY['true', lib.js(see.account), lib.js(session_id), see.head::text,
                                lib.js(coalesce(c.status, 'active')), -- a chat is never over
                                coalesce(lib.consumer_at(see.account, session_id, lib.consumer_owner(actor_id, actor_role), consumer_id)::text, 'null')])
        INTO STRICT reply.body
        FROM (SELECT 1) one
        LEFT JOIN lifeos.call_session c ON c.account_id = see.account AND c.session_id = session_id;
        RETURN reply;
END $$;

-- Where this consumer said it is; NULL: it never did.
CREATE FUNCTION lib.consumer_at(account_id text, session_id text, owner text, consumer_id text) RETURNS bigint
LANGUAGE sql STABLE AS $$
        SELECT c.sequence FROM lifeos.checkpoint c
        WHERE c.account_id = $1 AND c.session_id = $2 AND c.owner = $3 AND c.consumer_id = $4
$$;

-- One page by sequence. A timestamp only filters, and only when no sequence is given. Together with the `taken` bytes
-- that the answer has already it stays under a frame's 4 MiB, but there is always one event.
CREATE FUNCTION lib.event_page(account_id text, session_id text, after_sequence bigint, after_ts bigint,
                               after_event_id text, n bigint, taken bigint, OUT events text, OUT read bigint,
                               OUT last bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        SELECT '[' || coalesce(string_agg(lib.event_json(x.event_id, x.sequence, x.session_id, x.ts, x.type,
                                                         x.payload::text, x.origin, x.received_at, x.recorded_at),
                                          ',' ORDER BY x.sequence), '') || ']', count(*), max(x.sequence)
        INTO events, read, last
        FROM (SELECT e.*, sum(coalesce(octet_length(e.payload::text), 0) + 800) OVER (ORDER BY e.sequence
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
              FROM lifeos.event e
              WHERE e.account_id = account_id AND e.session_id = session_id AND e.sequence > after_sequence
                    AND (after_ts IS NULL OR e.ts > after_ts OR (e.ts = after_ts AND e.event_id > after_event_id))
              ORDER BY e.sequence LIMIT n) x
        WHERE x.before IS NULL OR x.before < 4000000 - taken;
END $$;

CREATE FUNCTION api.event_replay(account_id text, actor_id text, actor_role text, session_id text,
                                 after_sequence bigint,
                                 after_ts text, after_timestamp text, after_event_id text, "limit" bigint,
                                 snapshot_limit bigint, diagnostics boolean, consumer_id text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'read', '{session,conversation}');
        lim bigint := coalesce("limit", 100);
        snaps bigint := snapshot_limit; -- NULL: of all of them
        room bigint := lib.state_bytes();
        given text := CASE WHEN after_sequence IS NULL THEN coalesce(after_timestamp, after_ts) END;
        mark bigint := lib.time_parse(given);
        start bigint := after_sequence;
        s lifeos.call_session;
        page record;
        transcript record;
        t0 bigint := lib.now();
        t1 bigint;
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        IF given IS NOT NULL AND mark IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', CASE WHEN after_timestamp IS NULL THEN 'afterTs'
                                  ELSE 'afterTimestamp' END
                                                     || ' is not an RFC 3339 date and time');
        END IF;
        SELECT * INTO s FROM lifeos.call_session c WHERE c.account_id = see.account AND c.session_id = session_id;
        s.session_id := session_id;
        IF start IS NULL AND given IS NULL THEN
                start := lib.consumer_at(see.account, session_id, lib.consumer_owner(actor_id, actor_role), consumer_id);
        END IF;
        -- Who goes on from somewhere was told the rest before: he is not made to wait for it again.
        IF snaps IS NULL AND (start > 0 OR given IS NOT NULL) THEN
                snaps := 2000;
                room := 131072;
        END IF;
        transcript := lib.transcript_state(see.account, session_id, snaps, room);
        t1 := lib.now();
        page := lib.event_page(see.account, session_id, coalesce(start, 0), mark, after_event_id, lim,
                               octet_length(transcript.state));
        reply.status := 'OK';
        reply.body := lib.replay_body(s, see.head, page, transcript, given, after_event_id, start,
                CASE WHEN diagnostics THEN lib.object(
                        '{eventsQueryMs,snapshotsQueryMs,totalQueryMs,snapshotLimit,snapshotRowsRead,eventsRowsRead}',
                        ARRAY[round((lib.now() - t1) / 1000.0, 3), round((t1 - t0) / 1000.0, 3),
                              round((lib.now() - t0) / 1000.0, 3), coalesce(snaps::text, 'null'), transcript.read, page.read]::text[]) END);
        RETURN reply;
END $$;

-- With nothing found by a timestamp the client is up to date, and goes on from the head. Of a chat, s has its id only.
CREATE FUNCTION lib.replay_body(s lifeos.call_session, head bigint, page record, transcript record, given text,
                                after_event_id text, after_sequence bigint, diagnostics json) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        next_cursor bigint := coalesce(page.last, after_sequence, CASE WHEN given IS NOT NULL THEN head END, 0);
        keys text[] := '{ok,sessionId,resume,watermark,events,nextCursor,hasMore,transcriptState,'
                       'transcriptComplete,transcriptSnapshotsCount}';
        vals text[] := ARRAY['true', lib.js(s.session_id),
                lib.object('{reconnectWindowMs,resumeValidUntilMs,lastAckSequence,latestSequence}',
                           ARRAY[coalesce(s.reconnect_window_ms::text, 'null'), coalesce(lib.ms(s.resume_valid_until)::text, 'null'),
                                 coalesce(s.last_ack_sequence::text, 'null'), head::text])::text,
                lib.object('{timestamp,eventId,sequence}',
                           ARRAY[lib.js(given), lib.js(CASE WHEN given IS NOT NULL THEN after_event_id END),
                                 coalesce(after_sequence::text, 'null')])::text,
                page.events, next_cursor::text, (head > next_cursor)::text, transcript.state,
                transcript.complete::text, transcript.read::text];
BEGIN
        IF diagnostics IS NOT NULL THEN
                keys := keys || 'diagnostics'::text;
                vals := vals || diagnostics::text;
        END IF;
        RETURN lib.object(keys, vals);
END $$;

-- Recomputes the chain of a stream: how many events hold, and the first that does not (NULL: all do). An erased
-- payload holds by its commitment.
CREATE FUNCTION api.event_verify(account_id text, session_id text, OUT verified bigint, OUT broken_at bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        e lifeos.event;
        h bytea := sha256('');
BEGIN
        verified := 0;
        FOR e IN SELECT * FROM lifeos.event v WHERE v.account_id = account_id AND v.session_id = session_id
                ORDER BY v.sequence LOOP
                h := lib.event_link(h, verified + 1, convert_to(
                        lib.event_fields(lib.stream_fields(e.account_id, e.session_id), e.event_id, e.type, e.ts,
                                         lib.source_fields(e.origin, e.actor_id, e.received_at, e.recorded_at)),
                                                 'UTF8')
                        || e.commitment);
                IF e.sequence <> verified + 1 OR e.hash <> h
                   OR e.payload IS NOT NULL AND e.commitment <> sha256(e.salt || convert_to(e.payload::text, 'UTF8'))
                           THEN
                        broken_at := verified + 1;
                        RETURN;
                END IF;
                verified := verified + 1;
        END LOOP;
        PERFORM 1 FROM lifeos.stream s WHERE s.account_id = account_id AND s.stream_id = session_id
                AND s.head = verified AND s.head_hash = h;
        IF NOT FOUND THEN
                broken_at := verified + 1;
        END IF;
END $$;

-- The same for a stream's audit entries.
CREATE FUNCTION api.audit_verify(account_id text, stream_id text, OUT verified bigint, OUT broken_at bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        a lifeos.audit;
        h bytea := sha256('');
BEGIN
        verified := 0;
        FOR a IN SELECT * FROM lifeos.audit v WHERE v.account_id = account_id AND v.stream_id = stream_id
                ORDER BY v.sequence LOOP
                h := lib.audit_link(h, verified + 1, a.recorded_at, a.account_id, a.stream_id, a.actor_id,
                                    a.actor_role, a.action, a.outcome, a.detail);
                IF a.sequence <> verified + 1 OR a.hash <> h THEN
                        broken_at := verified + 1;
                        RETURN;
                END IF;
                verified := verified + 1;
        END LOOP;
        PERFORM 1 FROM lifeos.stream s WHERE s.account_id = account_id AND s.stream_id = stream_id
                AND s.audit_head = verified AND s.audit_hash = h;
        IF NOT FOUND THEN
                broken_at := verified + 1;
        END IF;
END $$;
