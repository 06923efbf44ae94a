-- event_append.sql - many events of many requests in one call: the hot path.
--
-- Arrays all the way: one statement each for locks, digests, insert and answer; only runs, hash chains and the rare
-- duplicates are walked one by one. Everything is decided before the first write. Event i is the i-th of all arrays
-- events_*, events_op[i] + 1 its request; a run is what stands together of one request for one session: e_run[i] is
-- the run of event i, and place[run] its stream's number among those that are locked (s_*).

CREATE TYPE api.event_out AS (op bigint, "row" bigint, status text, account_id text, sequence bigint, deduped boolean,
                              ts bigint, received bigint, recorded bigint, origin text);

-- What a repeat must repeat, but for the payload, which follows.
CREATE FUNCTION lib.content_fields(session_id text, type text, given_ts bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
        SELECT octet_length(session_id)::text || ':' || session_id || ',' || octet_length(type)::text || ':' || type
                || ','
               || coalesce(given_ts::text, '-') || ','
$$;

CREATE FUNCTION lib.content_hash(session_id text, type text, given_ts bigint, payload bytea) RETURNS bytea
LANGUAGE sql STABLE AS
$$ SELECT sha256(convert_to(lib.content_fields(session_id, type, given_ts), 'UTF8') || payload) $$;

-- Does this event say all that its utterance is so far? Then there is a segment for it; a delta has only a piece.
CREATE FUNCTION lib.is_snapshot(type text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT type IN ('transcript.partial', 'transcript.final') $$;

-- What the chain says of an event besides its number and its payload's commitment, in two parts: of its stream and of
-- itself. Every text with its length before it, nothing in it ever NULL.
CREATE FUNCTION lib.stream_fields(account_id text, session_id text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT octet_length(account_id)::text || ':' || account_id || ',' || octet_length(session_id)::text || ':'
                || session_id || ','
$$;
CREATE FUNCTION lib.event_fields(stream_fields text, event_id text, type text, ts bigint, source_fields text)
        RETURNS text
LANGUAGE sql IMMUTABLE AS $$
        SELECT stream_fields || octet_length(event_id)::text || ':' || event_id || ',' || octet_length(type)::text
                || ':'
               || type || ',' || ts::text || ',' || source_fields
$$;
CREATE FUNCTION lib.source_fields(origin text, actor_id text, received_at bigint, recorded_at bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
        SELECT octet_length(origin)::text || ':' || origin || ',' || octet_length(actor_id)::text || ':' || actor_id
                || ','
               || received_at::text || ',' || recorded_at::text || ','
$$;

-- The link: previous hash, 32 bytes; sequence, 8 bytes; fields; commitment, 32 bytes.
CREATE FUNCTION lib.event_link(previous bytea, sequence bigint, body bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT sha256(previous || int8send(sequence) || body) $$;

-- Who repeats whom, in (op, row) order. An event id that was stored, or taken by an earlier accepted event of the
-- batch, is a repeat if the content is the same; else its whole request is refused, and what it had taken is free
-- again.
CREATE FUNCTION lib.append_dedupe(r_account text[], e_run integer[], events_op integer[], events_event_id text[],
                                  content bytea[], INOUT op_status text[], INOUT op_culprit integer[],
                                          OUT e_new boolean[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        leader integer[];       -- the first event with the same id
        known bytea[];          -- of a leader: the content its id stands for
        taken integer[] := '{}';
        o integer;
        current integer := 0;
        c integer;
BEGIN
        SELECT array_agg(x.leader ORDER BY x.i), array_agg(x.content ORDER BY x.i) INTO leader, known
        FROM (SELECT i, min(i) OVER (PARTITION BY r_account[e_run[i]], events_event_id[i]) AS leader,
                     e.content_hash AS content
              FROM generate_series(1, cardinality(events_op)) i
              LEFT JOIN lifeos.event e ON e.account_id = r_account[e_run[i]] AND e.event_id = events_event_id[i]) x;
        e_new := array_fill(false, ARRAY[cardinality(events_op)]);
        FOR i IN 1 .. cardinality(events_op) LOOP
                o := events_op[i] + 1;
                IF o <> current THEN
                        current := o;
                        taken := '{}';
                END IF;
                IF op_status[o] IS NOT NULL THEN
                        CONTINUE;
                END IF;
                IF known[leader[i]] IS NULL THEN
                        known[leader[i]] := content[i];
                        e_new[i] := true;
                        taken := taken || i;
                ELSIF known[leader[i]] <> content[i] THEN
                        op_status[o] := 'EVENT_ID_CONFLICT';
                        op_culprit[o] := i;
                        FOREACH c IN ARRAY taken LOOP
                                e_new[c] := false;
                                known[leader[c]] := NULL;
                        END LOOP;
                END IF;
        END LOOP;
END $$;

CREATE FUNCTION lib.append_runs(events_op integer[], events_session_id text[], OUT op integer[], OUT session text[],
                                OUT first integer[], OUT e_run integer[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        runs integer := 0;
        o integer;
        s text;
BEGIN
        op := '{}';
        session := '{}';
        first := '{}';
        e_run := '{}';
        FOR i IN 1 .. cardinality(events_op) LOOP
                IF runs = 0 OR events_op[i] <> o OR events_session_id[i] <> s THEN
                        o := events_op[i];
                        s := events_session_id[i];
                        runs := runs + 1;
                        op[runs] := o;
                        session[runs] := s;
                        first[runs] := i;
                END IF;
                e_run[i] := runs;
        END LOOP;
END $$;

-- For service keys of the whole appliance: in which account is the session of this run?
CREATE FUNCTION lib.append_anywhere(actor_role text[], op integer[], session text[], INOUT account text[],
                                    INOUT status text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        found_in text[];
BEGIN
        FOR r IN 1 .. cardinality(op) LOOP
                IF account[r] = '*' AND actor_role[op[r] + 1] IN ('ingest', 'operator') THEN
                        SELECT array_agg(x.account_id) INTO found_in
                        FROM (SELECT s.account_id FROM lifeos.stream s
                              WHERE s.stream_id = session[r] AND s.kind = 'session' LIMIT 2) x;
                        account[r] := found_in[1];
                        IF cardinality(found_in) > 1 THEN
                                status[r] := 'SESSION_AMBIGUOUS';
                        END IF;
                END IF;
        END LOOP;
END $$;

-- Locks the streams in one order everywhere, so that two batches never wait for each other in a circle, and tells for
-- each run whether its request may append there. account and status come as far as they are known.
CREATE FUNCTION lib.append_lock(actor_id text[], actor_role text[], op integer[], session text[], account text[],
                                INOUT status text[], OUT place integer[], OUT fields text[], OUT s_account text[],
                                OUT s_session text[], OUT s_head bigint[], OUT s_hash bytea[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        st record;
        k integer := 0;
        r integer;
BEGIN
        s_account := '{}';
        s_session := '{}';
        s_head := '{}';
        s_hash := '{}';
        fields := '{}';
        place := '{}';
        FOR st IN
                SELECT s.account_id, s.stream_id, s.user_id, s.head, s.head_hash, w.runs
                FROM (SELECT account[i] AS account_id, session[i] AS session_id, array_agg(i) AS runs
                      FROM generate_series(1, cardinality(op)) i GROUP BY 1, 2) w
                JOIN lifeos.stream s ON s.account_id = w.account_id AND s.stream_id = w.session_id
                        AND s.kind = 'session'
                ORDER BY s.account_id, s.stream_id FOR NO KEY UPDATE OF s
        LOOP
                k := k + 1;
                s_account[k] := st.account_id;
                s_session[k] := st.stream_id;
                s_head[k] := st.head;
                s_hash[k] := st.head_hash;
                FOREACH r IN ARRAY st.runs LOOP
                        place[r] := k;
                        fields[r] := lib.stream_fields(st.account_id, st.stream_id);
                        status[r] := coalesce(status[r], lib.access(actor_role[op[r] + 1], actor_id[op[r] + 1],
                                                                    st.user_id, 'append'));
                END LOOP;
        END LOOP;
        FOR r IN 1 .. cardinality(op) LOOP
                status[r] := coalesce(status[r], 'SESSION_NOT_FOUND');
        END LOOP;
END $$;

-- The hash chains, one link per new event. Sequences are taken here and nowhere else.
CREATE FUNCTION lib.append_chain(e_place integer[], e_new boolean[], body bytea[], INOUT head bigint[],
                                 INOUT hash bytea[], OUT e_seq bigint[], OUT e_hash bytea[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        place integer;
        current integer := 0;
        q bigint;
        h bytea;
BEGIN
        e_seq := '{}';
        e_hash := '{}';
        FOR i IN 1 .. cardinality(e_place) LOOP
                IF e_new IS NULL OR e_new[i] THEN
                        place := e_place[i];
                        IF place <> current THEN
                                IF current > 0 THEN
                                        head[current] := q;
                                        hash[current] := h;
                                END IF;
                                current := place;
                                q := head[place];
                                h := hash[place];
                        END IF;
                        q := q + 1;
                        h := sha256(h || int8send(q) || body[i]);
                        e_seq[i] := q;
                        e_hash[i] := h;
                END IF;
        END LOOP;
        IF current > 0 THEN
                head[current] := q;
                hash[current] := h;
        END IF;
END $$;

-- The usual case of a quiet line: one event, a session that is there, an id that is new. NULL for everything else, with
-- nothing written: the general way decides, and says why. A statement costs more than what it does, so there are two:
-- the one that waits for the lock, and the one that sees what was committed meanwhile.
CREATE FUNCTION lib.append_one(p_account text, p_actor text, p_role text, p_origin text, p_received bigint,
                               p_session text, p_event_id text, p_type text, p_given_ts bigint, p_ts bigint,
                               p_payload text) RETURNS api.event_out
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        st record;
        recorded bigint;
BEGIN
        IF p_account <> '*' THEN
                SELECT s.account_id, s.head + 1 AS sequence, s.head_hash INTO st FROM lifeos.stream s
                WHERE s.account_id = p_account AND s.stream_id = p_session AND s.kind = 'session'
                  AND lib.access(p_role, p_actor, s.user_id, 'append') = 'OK' FOR NO KEY UPDATE;
        ELSIF p_role IN ('ingest', 'operator') THEN
                SELECT s.account_id, s.head + 1 AS sequence, s.head_hash INTO st FROM lifeos.stream s
                WHERE s.stream_id = p_session AND s.kind = 'session'
                  AND NOT EXISTS (SELECT FROM lifeos.stream o
                                  WHERE o.stream_id = p_session AND o.kind = 'session' AND o.account_id <> s.account_id)
                FOR NO KEY UPDATE;
        ELSE
                RETURN NULL;
        END IF;
        IF NOT FOUND THEN
                RETURN NULL;
        END IF;
        WITH made AS (
                INSERT INTO lifeos.event (sequence, ts, received_at, recorded_at, account_id, session_id, event_id, type,
                                          origin, actor_id, content_hash, commitment, hash, salt, payload)
                SELECT st.sequence, p_ts, p_received, c.recorded, st.account_id, p_session, p_event_id, p_type,
                       p_origin, p_actor, lib.content_hash(p_session, p_type, p_given_ts, c.bytes), c.commitment,
                       lib.event_link(st.head_hash, st.sequence, convert_to(lib.event_fields(
                               lib.stream_fields(st.account_id, p_session), p_event_id, p_type, p_ts,
                               lib.source_fields(p_origin, p_actor, p_received, c.recorded)), 'UTF8') || c.commitment),
                       c.salt, p_payload::json
                FROM (SELECT b.*, sha256(b.salt || b.bytes) AS commitment
                      FROM (SELECT lib.now() AS recorded, convert_to(p_payload, 'UTF8') AS bytes,
                                   uuid_send(gen_random_uuid()) AS salt OFFSET 0) b OFFSET 0) c
                WHERE NOT EXISTS (SELECT FROM lifeos.event e
                                  WHERE e.account_id = st.account_id AND e.event_id = p_event_id)
                RETURNING recorded_at, hash
        ), told AS (
                INSERT INTO lifeos.transcript_segment (sequence, final, account_id, session_id, utterance_id)
                SELECT st.sequence, p_type = 'transcript.final', st.account_id, p_session, u.id
                FROM (SELECT CASE WHEN lib.is_snapshot(p_type) THEN p_payload::json ->> 'utteranceId' END AS id
                      FROM made OFFSET 0) u
                WHERE u.id ~ '\S'
        )
        UPDATE lifeos.stream s SET head = st.sequence, head_hash = m.hash FROM made m
        WHERE s.account_id = st.account_id AND s.stream_id = p_session RETURNING m.recorded_at INTO recorded;
        IF NOT FOUND THEN
                RETURN NULL;
        END IF;
        RETURN (0, 0, 'OK', st.account_id, st.sequence, false, p_ts, p_received, recorded, p_origin)::api.event_out;
END $$;

CREATE FUNCTION api.event_append(account_id text[], actor_id text[], actor_role text[], origin text[],
                                 received bigint[],
                                 events_op integer[], events_session_id text[], events_event_id text[],
                                 events_type text[], events_ts_given boolean[], events_ts bigint[],
                                         events_payload text[])
RETURNS SETOF api.event_out
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
DECLARE
        n integer := cardinality(events_op);
        r_op integer[]; r_session text[]; r_first integer[]; r_account text[] := '{}'; r_status text[] := '{}';
        r_place integer[]; r_fields text[];
        e_run integer[]; e_place integer[]; e_new boolean[]; e_seq bigint[]; e_hash bytea[];
        s_account text[]; s_session text[]; s_head bigint[]; s_hash bytea[];
        content bytea[]; commitment bytea[]; salt bytea[]; body bytea[];
        op_first integer[] := array_fill(NULL::integer, ARRAY[cardinality(account_id)]);
        op_status text[] := array_fill(NULL::text, ARRAY[cardinality(account_id)]);
        op_culprit integer[] := op_first;
        op_fields text[] := '{}';
        recorded bigint;
        plain boolean := true;  -- nothing refused, nothing repeated
        o integer;
        part record;
        one api.event_out;
BEGIN
        IF n = 0 THEN
                RETURN;
        END IF;
        IF n = 1 THEN
                one := lib.append_one(account_id[1], actor_id[1], actor_role[1], origin[1], received[1],
                                      events_session_id[1], events_event_id[1], events_type[1],
                                      CASE WHEN events_ts_given[1] THEN events_ts[1] END, events_ts[1],
                                      events_payload[1]);
                IF one.status = 'OK' THEN
                        RETURN NEXT one;
                        RETURN;
                END IF;
        END IF;
        part := lib.append_runs(events_op, events_session_id);
        r_op := part.op;
        r_session := part.session;
        r_first := part.first;
        e_run := part.e_run;
        FOR r IN 1 .. cardinality(r_op) LOOP
                r_account[r] := account_id[r_op[r] + 1];
        END LOOP;
        IF '*' = ANY (account_id) THEN
                part := lib.append_anywhere(actor_role, r_op, r_session, r_account, r_status);
                r_account := part.account;
                r_status := part.status;
        END IF;
        part := lib.append_lock(actor_id, actor_role, r_op, r_session, r_account, r_status);
        r_status := part.status;
        r_place := part.place;
        r_fields := part.fields;
        s_account := part.s_account;
        s_session := part.s_session;
        s_head := part.s_head;
        s_hash := part.s_hash;
        recorded := lib.now();
        FOR r IN 1 .. cardinality(r_op) LOOP
                o := r_op[r] + 1;
                op_first[o] := coalesce(op_first[o], r_first[r]);
                IF r_status[r] <> 'OK' THEN
                        plain := false;
                        op_culprit[o] := coalesce(op_culprit[o], r_first[r]);
                        op_status[o] := coalesce(op_status[o], r_status[r]);
                END IF;
        END LOOP;
        FOR k IN 1 .. cardinality(origin) LOOP
                op_fields[k] := lib.source_fields(origin[k], actor_id[k], received[k], recorded);
        END LOOP;

        SELECT array_agg(d.content), array_agg(d.commitment), array_agg(d.salt), array_agg(d.fields || d.commitment),
               array_agg(d.place)
        INTO content, commitment, salt, body, e_place
        FROM (SELECT lib.content_hash(events_session_id[b.i], events_type[b.i],
                                      CASE WHEN events_ts_given[b.i] THEN events_ts[b.i] END, b.payload) AS content,
                     sha256(b.salt || b.payload) AS commitment, b.salt,
                     convert_to(lib.event_fields(r_fields[b.run], events_event_id[b.i], events_type[b.i],
                                                 events_ts[b.i], op_fields[b.o]), 'UTF8') AS fields,
                     r_place[b.run] AS place
              FROM (SELECT i, events_op[i] + 1 AS o, e_run[i] AS run, convert_to(events_payload[i],
                      'UTF8') AS payload, uuid_send(gen_random_uuid()) AS salt
                    FROM generate_series(1, n) i OFFSET 0) b OFFSET 0) d;

        IF plain THEN
                SELECT count(*) = n AND count(e.event_id) = 0 INTO plain
                FROM (SELECT r_account[e_run[i]] AS account_id, events_event_id[i] AS event_id
                      FROM generate_series(1, n) i GROUP BY 1, 2) g
                LEFT JOIN lifeos.event e ON e.account_id = g.account_id AND e.event_id = g.event_id;
        END IF;
        IF NOT plain THEN
                part := lib.append_dedupe(r_account, e_run, events_op, events_event_id, content, op_status,
                                          op_culprit);
                op_status := part.op_status;
                op_culprit := part.op_culprit;
                e_new := part.e_new;
        END IF;
        part := lib.append_chain(e_place, e_new, body, s_head, s_hash);
        s_head := part.head;
        s_hash := part.hash;
        e_seq := part.e_seq;
        e_hash := part.e_hash;

        WITH made AS (
                INSERT INTO lifeos.event AS e (sequence, ts, received_at, recorded_at, account_id, session_id, event_id,
                                               type, origin, actor_id, content_hash, commitment, hash, salt, payload)
                SELECT e_seq[i], events_ts[i], received[b.o], recorded, r_account[e_run[i]], events_session_id[i],
                       events_event_id[i], events_type[i], origin[b.o], actor_id[b.o], content[i], commitment[i],
                       e_hash[i], salt[i], events_payload[i]::json
                FROM (SELECT i, events_op[i] + 1 AS o FROM generate_series(1, n) i WHERE plain OR e_new[i] OFFSET 0) b
                RETURNING e.sequence, e.type, e.account_id, e.session_id,
                          CASE WHEN lib.is_snapshot(e.type) THEN e.payload ->> 'utteranceId' END AS utterance
        )
        INSERT INTO lifeos.transcript_segment (sequence, final, account_id, session_id, utterance_id)
        SELECT m.sequence, m.type = 'transcript.final', m.account_id, m.session_id, m.utterance
        FROM made m WHERE m.utterance ~ '\S';
        UPDATE lifeos.stream s SET head = s_head[k], head_hash = s_hash[k]
        FROM generate_series(1, cardinality(s_head)) k
        WHERE s.account_id = s_account[k] AND s.stream_id = s_session[k] AND s.head <> s_head[k];

        IF plain THEN
                RETURN QUERY
                SELECT events_op[i]::bigint, (i - op_first[events_op[i] + 1])::bigint, 'OK', r_account[e_run[i]],
                        e_seq[i], false, events_ts[i], received[events_op[i] + 1], recorded, origin[events_op[i] + 1]
                FROM generate_series(1, n) i;
        ELSE
                RETURN QUERY
                SELECT events_op[i]::bigint, (i - op_first[events_op[i] + 1])::bigint,
                       coalesce(op_status[events_op[i] + 1], 'OK'), e.account_id, e.sequence,
                       CASE WHEN e.sequence IS NOT NULL THEN NOT e_new[i] END,
                       e.ts, e.received_at, e.recorded_at, e.origin
                FROM generate_series(1, n) i
                LEFT JOIN lifeos.event e ON op_status[events_op[i] + 1] IS NULL
                                         AND e.account_id = r_account[e_run[i]] AND e.event_id = events_event_id[i]
                WHERE op_status[events_op[i] + 1] IS NULL OR op_culprit[events_op[i] + 1] = i
                ORDER BY i;
        END IF;
END $$;
