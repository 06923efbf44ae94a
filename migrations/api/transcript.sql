-- transcript.sql - what was said: snapshots page by page, the state of every utterance, forgetting the superseded.
--
-- A segment says which event tells of which utterance; the words are read from the event. All of it goes by the
-- segments' and the events' primary keys: account, session, sequence.

-- What an answer may hold, in bytes of JSON, with room for what stands around it in a frame of 4 MiB.
CREATE FUNCTION lib.page_bytes() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 4128768::bigint $$;

-- What of that the states of utterances may take.
CREATE FUNCTION lib.state_bytes() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 2097152::bigint $$;

-- A transcript event as the state of its utterance. If its payload is erased, its words are null. One expression over
-- columns, so that it is folded into the query that calls it: called for each row, it would be most of the time.
CREATE FUNCTION lib.snapshot_json(account_id text, session_id text, event_id text, sequence bigint, ts text, type text,
                                  payload json, recorded_at bigint, utterance_id text) RETURNS text
LANGUAGE sql STABLE AS $$
        SELECT '{"snapshotId":"snap_' || left(encode(sha256(convert_to(
                        lib.ns(account_id) || lib.ns(session_id) || lib.ns(event_id) || lib.ns(sequence::text), 'UTF8')),
                                                     'hex'), 24)
               || '","sessionId":"' || session_id || '","utteranceId":' || to_json(utterance_id)::text
               || ',"eventId":"' || event_id || '","sequence":' || sequence || ',"timestamp":"' || ts || '","ts":"' || ts
               || '","type":"' || type || '","speaker":' || coalesce((payload -> 'speaker')::text, 'null')
               || ',"text":' || coalesce((payload -> 'text')::text, 'null')
               || ',"startMs":' || coalesce((payload -> 'startMs')::text, 'null')
               || ',"endMs":' || coalesce((payload -> 'endMs')::text, 'null')
               || ',"payload":' || coalesce(payload::text, 'null') || ',"createdAtMs":' || lib.ms(recorded_at) || '}'
$$;

-- The state of each utterance among the newest n segments (NULL: among all), by first appearance: a final beats any
-- partial, the later of two beats the earlier. What does not fit into so many bytes is left out, the longest unheard
-- of first; complete says that nothing was left out, of the segments and of the states.
CREATE FUNCTION lib.transcript_state(account_id text, session_id text, n bigint,
                                     bytes bigint DEFAULT lib.state_bytes(),
                                     OUT state text, OUT read bigint, OUT complete boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        u record;
        oldest bigint := 0;
        room bigint := bytes;
        states text[] := '{}';
        began bigint[] := '{}';
BEGIN
        read := 0;
        complete := true;
        FOR u IN
                SELECT k.began, k.read, k.oldest, j.state
                FROM (SELECT w.utterance_id, coalesce(max(w.sequence) FILTER (WHERE w.final), max(w.sequence)) AS sequence,
                             min(coalesce(w.began, w.sequence)) AS began, sum(count(*)) OVER () AS read,
                             min(min(w.sequence)) OVER () AS oldest
                      FROM (SELECT t.utterance_id, t.sequence, t.final, t.began FROM lifeos.transcript_segment t
                            WHERE t.account_id = account_id AND t.session_id = session_id
                            ORDER BY t.sequence DESC LIMIT n) w
                      GROUP BY w.utterance_id ORDER BY 2 DESC OFFSET 0) k
                CROSS JOIN LATERAL (
                        SELECT lib.snapshot_json(x.account_id, x.session_id, x.event_id, x.sequence, x.at, x.type, x.payload,
                                                 x.recorded_at, k.utterance_id) AS state
                        FROM (SELECT e.*, lib.time_text(e.ts) AS at FROM lifeos.event e
                              WHERE e.account_id = account_id AND e.session_id = session_id AND e.sequence = k.sequence
                              OFFSET 0) x OFFSET 0) j
                ORDER BY k.sequence DESC
        LOOP
                read := u.read;
                oldest := u.oldest;
                room := room - octet_length(u.state) - 1;
                complete := room >= 0 OR cardinality(states) = 0; -- the newest is always told
                EXIT WHEN NOT complete;
                states := states || u.state;
                began := began || u.began;
        END LOOP;
        complete := complete AND (n IS NULL OR NOT EXISTS (
                SELECT FROM lifeos.transcript_segment t
                WHERE t.account_id = account_id AND t.session_id = session_id AND t.sequence < oldest));
        SELECT '[' || coalesce(string_agg(s.state, ',' ORDER BY s.began), '') || ']' INTO state
        FROM unnest(states, began) s(state, began);
END $$;

-- Of all snapshots of a session: the contract's {count,minSequence,maxSequence}.
CREATE FUNCTION lib.transcript_count(account_id text, session_id text) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        c record;
BEGIN
        SELECT count(*) AS n, min(t.sequence) AS first, max(t.sequence) AS last INTO c FROM lifeos.transcript_segment t
        WHERE t.account_id = account_id AND t.session_id = session_id;
        RETURN lib.object('{count,minSequence,maxSequence}', ARRAY[c.n::text, coalesce(c.first::text, 'null'),
                                                                   coalesce(c.last::text, 'null')]);
END $$;

CREATE FUNCTION lib.transcript_stats(account_id text, session_id text) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        c record;
BEGIN
        SELECT count(*) AS n, min(t.sequence) AS first, max(t.sequence) AS last, min(x.ts) AS since, max(x.ts) AS till,
               coalesce(sum(x.bytes), 0) AS bytes INTO c
        FROM lifeos.transcript_segment t
        CROSS JOIN LATERAL (SELECT e.ts, octet_length(e.payload::text) AS bytes FROM lifeos.event e
                            WHERE e.account_id = account_id AND e.session_id = session_id AND e.sequence = t.sequence
                            OFFSET 0) x
        WHERE t.account_id = account_id AND t.session_id = session_id;
        RETURN lib.object('{count,minSequence,maxSequence,minTimestamp,maxTimestamp,payloadBytes}',
                          ARRAY[c.n::text, coalesce(c.first::text, 'null'), coalesce(c.last::text, 'null'),
                                lib.js(lib.time_text(c.since)), lib.js(lib.time_text(c.till)), c.bytes::text]);
END $$;

-- Ascending from after; as many as lim, and as fit.
CREATE FUNCTION lib.transcript_page(account_id text, session_id text, after bigint, utterance_id text, lim bigint,
                                    OUT snapshots text[], OUT last bigint, OUT has_more boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        found record;
        room bigint := lib.page_bytes();
BEGIN
        snapshots := '{}';
        has_more := false;
        FOR found IN
                SELECT k.sequence, j.snapshot
                FROM (SELECT t.sequence, t.utterance_id FROM lifeos.transcript_segment t
                      WHERE t.account_id = account_id AND t.session_id = session_id AND t.sequence > after
                            AND (utterance_id IS NULL OR t.utterance_id = utterance_id)
                      ORDER BY t.sequence LIMIT lim + 1) k
                CROSS JOIN LATERAL (
                        SELECT lib.snapshot_json(x.account_id, x.session_id, x.event_id, x.sequence, x.at, x.type, x.payload,
                                                 x.recorded_at, k.utterance_id) AS snapshot
                        FROM (SELECT e.*, lib.time_text(e.ts) AS at FROM lifeos.event e
                              WHERE e.account_id = account_id AND e.session_id = session_id AND e.sequence = k.sequence
                              OFFSET 0) x OFFSET 0) j
                ORDER BY k.sequence
        LOOP
                room := room - octet_length(found.snapshot) - 1;
                has_more := cardinality(snapshots) = lim OR room < 0;
                EXIT WHEN has_more;
                snapshots := snapshots || found.snapshot;
                last := found.sequence;
        END LOOP;
END $$;

CREATE FUNCTION api.transcript_list(account_id text, actor_id text, actor_role text, session_id text, "limit" bigint,
                                    after_sequence bigint, utterance_id text, include_stats boolean) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'read', '{session,conversation}');
        after bigint := coalesce(after_sequence, 0);
        t0 bigint := lib.now();
        page record;
        keys text[] := '{ok,sessionId,count,snapshots,nextCursor,hasMore,retention}';
        vals text[];
        reply api.reply;
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        END IF;
        page := lib.transcript_page(see.account, session_id, after, utterance_id, coalesce("limit", 200));
        vals := ARRAY['true', lib.js(session_id), cardinality(page.snapshots)::text,
                      '[' || array_to_string(page.snapshots, ',') || ']', coalesce(page.last, after)::text,
                      page.has_more::text, '{"keepLastDefault":2000}'];
        IF include_stats THEN
                keys := keys || '{stats,diagnostics}';
                vals := vals || lib.transcript_stats(see.account, session_id)::text;
                vals := vals || lib.object('{queryMs}', ARRAY[round((lib.now() - t0) / 1000.0, 3)::text])::text;
        END IF;
        reply.status := 'OK';
        reply.body := lib.object(keys, vals);
        RETURN reply;
END $$;

-- Deletes what tells no utterance's state and is not among the newest keep, the oldest first, at most max_rows.
CREATE FUNCTION lib.transcript_forget(account_id text, session_id text, keep bigint, max_rows bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        kept_from bigint;
        gone bigint;
BEGIN
        SELECT t.sequence INTO kept_from FROM lifeos.transcript_segment t
        WHERE t.account_id = account_id AND t.session_id = session_id ORDER BY t.sequence DESC OFFSET keep - 1 LIMIT 1;
        WITH utterance AS MATERIALIZED (
                SELECT t.utterance_id, coalesce(max(t.sequence) FILTER (WHERE t.final), max(t.sequence)) AS state,
                       min(coalesce(t.began, t.sequence)) AS began
                FROM lifeos.transcript_segment t WHERE t.account_id = account_id AND t.session_id = session_id
                GROUP BY t.utterance_id),
        old AS MATERIALIZED (
                SELECT t.sequence, u.state, u.began FROM lifeos.transcript_segment t
                JOIN utterance u ON u.utterance_id = t.utterance_id
                WHERE t.account_id = account_id AND t.session_id = session_id AND t.sequence < kept_from
                      AND t.sequence <> u.state
                ORDER BY t.sequence LIMIT max_rows),
        carried AS (
                UPDATE lifeos.transcript_segment t SET began = o.began
                FROM (SELECT DISTINCT old.state, old.began FROM old) o
                WHERE t.account_id = account_id AND t.session_id = session_id AND t.sequence = o.state
                      AND o.began < t.sequence)
        DELETE FROM lifeos.transcript_segment t USING old
        WHERE t.account_id = account_id AND t.session_id = session_id AND t.sequence = old.sequence;
        GET DIAGNOSTICS gone = ROW_COUNT;
        RETURN gone;
END $$;

CREATE FUNCTION api.transcript_compact(account_id text, actor_id text, actor_role text, command_id text,
                                       session_id text, keep_last bigint, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        max_rows CONSTANT bigint := 20000;
        keep bigint := coalesce(keep_last, 2000);
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'write');
        before json;
        gone bigint;
        done text[];
        reply api.reply;
BEGIN
        reply := lib.command_begin(see.status, account_id, actor_id, session_id, command_id, command_hash,
                                   'transcript_compact');
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        before := lib.transcript_count(account_id, session_id);
        gone := lib.transcript_forget(account_id, session_id, keep, max_rows);
        done := ARRAY[keep::text, gone::text, (gone = max_rows)::text];
        PERFORM lib.audit(account_id, session_id, actor_id, actor_role, 'transcript_compact', 'OK',
                          lib.object('{keepLast,deletedCount,more}', done));
        RETURN lib.receipt_put(account_id, actor_id, command_id, command_hash, 'transcript_compact', session_id, NULL,
                               lib.object('{ok,sessionId,keepLast,deletedCount,more,before,after}',
                                          ARRAY['true', lib.js(session_id)] || done
                                          || ARRAY[before, lib.transcript_count(account_id, session_id)]::text[]));
END $$;
