-- nodes.sql - several appliances on one database: who is there, and which streams moved on. Never called in a lane's
-- transaction: a NOTIFY takes a lock that all who notify share, and a commit must not wait for it.

CREATE TYPE api.node_count AS (status text, nodes bigint);
CREATE TYPE api.node_head AS (status text, account_id text, session_id text, head bigint);

-- A sign of life; returns how many appliances gave one in the last 15 seconds, this one included. One that was not
-- seen for a day is forgotten.
CREATE FUNCTION api.node_beat(node_id text) RETURNS SETOF api.node_count
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        now bigint := lib.now();
BEGIN
        INSERT INTO lifeos.node AS n VALUES (node_id, now)
        ON CONFLICT ON CONSTRAINT node_pkey DO UPDATE SET seen_at = excluded.seen_at;
        DELETE FROM lifeos.node d USING (
                SELECT n.node_id FROM lifeos.node n WHERE n.seen_at < now - 86400000000
                LIMIT 1000 FOR UPDATE SKIP LOCKED) o
        WHERE d.node_id = o.node_id;
        RETURN QUERY SELECT 'OK', count(*) FROM lifeos.node n WHERE n.seen_at > now - 15000000;
END $$;

-- One NOTIFY for each payload. Who listens, and whether anybody does, is nobody's promise: everyone polls as well.
CREATE FUNCTION api.node_notify(notice_payload text[]) RETURNS SETOF api.node_count
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        PERFORM pg_notify('lifeos_heads', p.text) FROM unnest(notice_payload) p(text);
        RETURN QUERY SELECT 'OK', cardinality(notice_payload)::bigint;
END $$;

-- Those of these streams that are further than the head that is given with each; CURSOR_AHEAD: those that are not as
-- far, or not there. What was told had been committed, so that means a database that was restored to an earlier moment.
CREATE FUNCTION api.heads_moved(stream_account_id text[], stream_session_id text[], stream_head bigint[])
        RETURNS SETOF api.node_head
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
BEGIN
        RETURN QUERY
        SELECT CASE WHEN s.head > q.head THEN 'OK' ELSE 'CURSOR_AHEAD' END, q.account_id, q.session_id,
                coalesce(s.head, 0)
        FROM unnest(stream_account_id, stream_session_id, stream_head) q(account_id, session_id, head)
        LEFT JOIN lifeos.stream s ON s.account_id = q.account_id AND s.stream_id = q.session_id
        WHERE s.head IS DISTINCT FROM q.head;
END $$;
