-- event_append.sql - many events of many requests in one call: the hot path.
--
-- Arrays all the way: one statement each for permission, locks, digests, insert and answer; only the hash chain and
-- the rare duplicates are walked one by one. Everything is decided before the first write. Event i is the i-th of all
-- arrays events_*, events_op[i] + 1 its request, e_pair[i] its (request, session), s_*[p_place[..]] its locked
-- stream.

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
CREATE FUNCTION lib.append_dedupe(p_account text[], e_pair integer[], events_op integer[], events_event_id text[],
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
        FROM (SELECT i, min(i) OVER (PARTITION BY p_account[e_pair[i]], events_event_id[i]) AS leader,
                     e.content_hash AS content
              FROM generate_series(1, cardinality(events_op)) i
              LEFT JOIN lifeos.event e ON e.account_id = p_account[e_pair[i]] AND e.event_id = events_event_id[i]) x;
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

-- The streams the batch wants, in order of first appearance, one per (request, session): may it append to them, and
-- which of the streams to be locked is it?
CREATE FUNCTION lib.append_streams(account_id text[], actor_id text[], actor_role text[], events_op integer[],
                                   events_session_id text[], OUT first integer[], OUT op integer[],
                                           OUT session text[],
                                   OUT account text[], OUT status text[], OUT place integer[], OUT fields text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        SELECT array_agg(r.first ORDER BY r.first), array_agg(r.op ORDER BY r.first),
               array_agg(r.session_id ORDER BY r.first), array_agg(r.account_id ORDER BY r.first),
               array_agg(r.status ORDER BY r.first), array_agg(r.place ORDER BY r.first),
               array_agg(lib.stream_fields(r.account_id, r.session_id) ORDER BY r.first)
        INTO first, op, session, account, status, place, fields
        FROM (SELECT p.*, dense_rank() OVER (PARTITION BY p.status = 'OK'
                                             ORDER BY p.account_id, p.session_id COLLATE "C")::integer AS place
              FROM (SELECT w.first, w.op, w.session_id, s.account_id,
                           CASE s.n WHEN 0 THEN 'SESSION_NOT_FOUND'
                                    WHEN 1 THEN lib.access(actor_role[w.op + 1], actor_id[w.op + 1], s.user_id,
                                                           'append')
                                    ELSE 'SESSION_AMBIGUOUS' END AS status
                    FROM (SELECT min(i) AS first, events_op[i] AS op, events_session_id[i] AS session_id
                          FROM generate_series(1, cardinality(events_op)) i GROUP BY 2, 3) w
                    CROSS JOIN LATERAL (
                          SELECT count(*) AS n, min(u.account_id) AS account_id, min(u.user_id) AS user_id
                          FROM (SELECT s.account_id, s.user_id FROM lifeos.stream s
                                WHERE s.account_id = account_id[w.op + 1] AND s.stream_id = w.session_id
                                      AND s.kind = 'session'
                                UNION ALL
                                SELECT s.account_id, s.user_id FROM lifeos.stream s
                                WHERE account_id[w.op + 1] = '*' AND actor_role[w.op + 1] IN ('ingest', 'operator')
                                      AND s.stream_id = w.session_id AND s.kind = 'session') u) s) p) r;
END $$;

-- Locked in one order everywhere, so that two batches never wait for each other in a circle.
CREATE FUNCTION lib.append_lock(p_account text[], p_session text[], p_status text[], OUT account text[],
                                OUT session text[], OUT head bigint[], OUT hash bytea[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        SELECT array_agg(l.account_id), array_agg(l.stream_id), array_agg(l.head), array_agg(l.head_hash)
        INTO account, session, head, hash
        FROM (SELECT s.account_id, s.stream_id, s.head, s.head_hash
              FROM (SELECT DISTINCT p_account[k] AS account_id, p_session[k] AS session_id
                    FROM generate_series(1, cardinality(p_status)) k WHERE p_status[k] = 'OK') w
              JOIN lifeos.stream s ON s.account_id = w.account_id AND s.stream_id = w.session_id
              ORDER BY s.account_id, s.stream_id FOR NO KEY UPDATE OF s) l;
END $$;

-- For each event the number of its (request, session). Almost always a request is about one session.
CREATE FUNCTION lib.append_pairs(p_op integer[], p_session text[], events_op integer[], events_session_id text[])
RETURNS integer[] LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        pair integer[] := '{}';
        at integer := 1;        -- the pair of the event before
        high integer := 1;      -- pairs seen so far: they are numbered by first appearance
BEGIN
        IF cardinality(p_op) = 1 THEN
                RETURN array_fill(1, ARRAY[cardinality(events_op)]);
        ELSIF cardinality(p_op) = p_op[cardinality(p_op)] + 1 THEN -- as many as requests: one each
                SELECT array_agg(events_op[i] + 1) INTO pair FROM generate_series(1, cardinality(events_op)) i;
                RETURN pair;
        END IF;
        FOR i IN 1 .. cardinality(events_op) LOOP
                IF p_op[at] <> events_op[i] OR p_session[at] <> events_session_id[i] THEN
                        at := high + 1;
                        IF p_op[at] IS NULL OR p_op[at] <> events_op[i] OR p_session[at] <> events_session_id[i] THEN
                                at := 1;
                                WHILE p_op[at] <> events_op[i] OR p_session[at] <> events_session_id[i] LOOP
                                        at := at + 1;
                                END LOOP;
                        END IF;
                        high := greatest(high, at);
                END IF;
                pair[i] := at;
        END LOOP;
        RETURN pair;
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
        p_first integer[]; p_op integer[]; p_session text[]; p_account text[]; p_status text[]; p_place integer[];
        s_account text[]; s_session text[]; s_head bigint[]; s_hash bytea[];
        e_pair integer[]; e_place integer[]; e_new boolean[]; e_seq bigint[]; e_hash bytea[];
        content bytea[]; commitment bytea[]; salt bytea[]; body bytea[];
        op_first integer[] := array_fill(NULL::integer, ARRAY[cardinality(account_id)]);
        op_status text[] := array_fill(NULL::text, ARRAY[cardinality(account_id)]);
        op_culprit integer[] := op_first;
        p_fields text[]; op_fields text[] := '{}';
        recorded bigint;
        plain boolean := true;  -- nothing refused, nothing repeated
        transcripts bigint;
        o integer;
        part record;
BEGIN
        IF n = 0 THEN
                RETURN;
        END IF;
        part := lib.append_streams(account_id, actor_id, actor_role, events_op, events_session_id);
        p_first := part.first;
        p_op := part.op;
        p_session := part.session;
        p_account := part.account;
        p_status := part.status;
        p_place := part.place;
        p_fields := part.fields;
        FOR k IN 1 .. cardinality(p_first) LOOP
                o := p_op[k] + 1;
                op_first[o] := coalesce(op_first[o], p_first[k]);
                IF p_status[k] <> 'OK' THEN
                        plain := false;
                        op_culprit[o] := coalesce(op_culprit[o], p_first[k]);
                        op_status[o] := coalesce(op_status[o], p_status[k]);
                END IF;
        END LOOP;
        part := lib.append_lock(p_account, p_session, p_status);
        s_account := part.account;
        s_session := part.session;
        s_head := part.head;
        s_hash := part.hash;
        recorded := lib.now();
        e_pair := lib.append_pairs(p_op, p_session, events_op, events_session_id);
        FOR k IN 1 .. cardinality(origin) LOOP
                op_fields[k] := lib.source_fields(origin[k], actor_id[k], received[k], recorded);
        END LOOP;

        SELECT array_agg(d.content), array_agg(d.commitment), array_agg(d.salt), array_agg(d.fields || d.commitment),
               array_agg(d.place), count(*) FILTER (WHERE d.transcript)
        INTO content, commitment, salt, body, e_place, transcripts
        FROM (SELECT lib.content_hash(events_session_id[b.i], events_type[b.i],
                                      CASE WHEN events_ts_given[b.i] THEN events_ts[b.i] END, b.payload) AS content,
                     sha256(b.salt || b.payload) AS commitment, b.salt,
                     convert_to(lib.event_fields(p_fields[b.pair], events_event_id[b.i], events_type[b.i],
                                                 events_ts[b.i], op_fields[b.o]), 'UTF8') AS fields,
                     p_place[b.pair] AS place, starts_with(events_type[b.i], 'transcript.') AS transcript
              FROM (SELECT i, events_op[i] + 1 AS o, e_pair[i] AS pair, convert_to(events_payload[i],
                      'UTF8') AS payload, uuid_send(gen_random_uuid()) AS salt
                    FROM generate_series(1, n) i OFFSET 0) b OFFSET 0) d;

        IF plain THEN
                SELECT count(*) = n AND count(e.event_id) = 0 INTO plain
                FROM (SELECT p_account[e_pair[i]] AS account_id, events_event_id[i] AS event_id
                      FROM generate_series(1, n) i GROUP BY 1, 2) g
                LEFT JOIN lifeos.event e ON e.account_id = g.account_id AND e.event_id = g.event_id;
        END IF;
        IF NOT plain THEN
                part := lib.append_dedupe(p_account, e_pair, events_op, events_event_id, content, op_status,
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

        INSERT INTO lifeos.event (sequence, ts, received_at, recorded_at, account_id, session_id, event_id, type,
                                  origin, actor_id, content_hash, commitment, hash, salt, payload)
        SELECT e_seq[i], events_ts[i], received[events_op[i] + 1], recorded, p_account[e_pair[i]],
                events_session_id[i],
               events_event_id[i], events_type[i], origin[events_op[i] + 1], actor_id[events_op[i] + 1], content[i],
               commitment[i], e_hash[i], salt[i], events_payload[i]::json
        FROM generate_series(1, n) i WHERE plain OR e_new[i];
        IF transcripts > 0 THEN
                INSERT INTO lifeos.transcript_segment (sequence, ts, recorded_at, start_ms, end_ms, final, account_id,
                                                       session_id, utterance_id, event_id, speaker, content)
                SELECT e_seq[i], events_ts[i], recorded, lib.uint(u."startMs"), lib.uint(u."endMs"),
                       events_type[i] = 'transcript.final', p_account[e_pair[i]], events_session_id[i],
                               u."utteranceId", events_event_id[i], u.speaker, u.text
                FROM generate_series(1, n) i
                CROSS JOIN json_to_record(events_payload[i]::json)
                           AS u("utteranceId" text, speaker text, text text, "startMs" text, "endMs" text)
                WHERE (plain OR e_new[i]) AND starts_with(events_type[i], 'transcript.') AND u."utteranceId" ~ '\S';
        END IF;
        UPDATE lifeos.stream s SET head = s_head[k], head_hash = s_hash[k]
        FROM generate_series(1, cardinality(s_head)) k
        WHERE s.account_id = s_account[k] AND s.stream_id = s_session[k] AND s.head <> s_head[k];

        IF plain THEN
                RETURN QUERY
                SELECT events_op[i]::bigint, (i - op_first[events_op[i] + 1])::bigint, 'OK', p_account[e_pair[i]],
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
                                         AND e.account_id = p_account[e_pair[i]] AND e.event_id = events_event_id[i]
                WHERE op_status[events_op[i] + 1] IS NULL OR op_culprit[events_op[i] + 1] = i
                ORDER BY i;
        END IF;
END $$;
