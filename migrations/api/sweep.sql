-- sweep.sql - no call outlives its deadline: unanswered, silent, too long, or lost by its provider for too long.
--
-- due_at is the earliest moment at which a call could need something; NULL when it is over. Whatever changes a call's
-- state sets it to now and leaves it to the sweep, which alone knows the operator's deadlines, to say when. A sweep
-- that comes before due_at changes nothing: that is what makes it harmless to sweep twice, or from two nodes at once.

-- The operator's deadlines, in microseconds, and how often a lost client is asked to come back.
CREATE TYPE lib.sweep_rules AS (unanswered bigint, silence bigint, longest bigint, retries bigint, base bigint,
                                cap bigint);

-- When a lost call that was asked n times is asked again, or given up if that was often enough: after waits that
-- double, up to the cap.
CREATE FUNCTION lib.sweep_retry_at(s lifeos.call_session, r lib.sweep_rules, n bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
        SELECT coalesce(s.disconnected_at, s.updated_at)
               + sum(least(r.base * (1::bigint << i), r.cap))::bigint
        FROM generate_series(0, n::integer) i
$$;

-- The last sign of life of anybody in it. Its own events of a lost line are none: those calls are not asked. While a
-- client is there, seen_at is written rarely, and its window is stretched until it is written again (api.presence).
CREATE FUNCTION lib.sweep_heard(s lifeos.call_session) RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT greatest(s.seen_at, s.resume_valid_until - s.reconnect_window_ms * 1000, s.updated_at,
                        (SELECT e.recorded_at FROM lifeos.event e
                         WHERE e.account_id = s.account_id AND e.session_id = s.session_id
                         ORDER BY e.sequence DESC LIMIT 1),
                        (SELECT max(p.recorded_at) FROM lifeos.provider_receipt p
                         WHERE p.account_id = s.account_id AND p.session_id = s.session_id))
$$;

-- The next moment of this call and what is due then: retry, or the reason it ends for.
CREATE FUNCTION lib.sweep_next(s lifeos.call_session, r lib.sweep_rules, OUT at bigint, OUT what text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        -- No call was answered before it was made, whatever the provider's clock says.
        longest bigint := greatest(s.started_at, s.created_at) + r.longest;
BEGIN
        IF s.status = 'created' THEN
                at := s.created_at + r.unanswered;
                what := 'timeout';
        ELSIF s.status = 'active' AND s.transport_state = 'degraded' THEN
                at := greatest(lib.sweep_retry_at(s, r, least(s.retry_count, r.retries)), s.due_at);
                what := CASE WHEN s.retry_count < r.retries THEN 'retry' ELSE 'ended_with_provider_disconnect' END;
        ELSIF s.status = 'active' THEN
                at := lib.sweep_heard(s) + r.silence;
                what := 'timeout';
        END IF;
        IF s.status = 'active' AND longest <= at THEN
                at := longest;
                what := 'timeout';
        END IF;
END $$;

-- The client is asked once more. Not twice within the first wait, however late the sweep is.
CREATE FUNCTION lib.sweep_retry(s lifeos.call_session, r lib.sweep_rules, now bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := now / 1000 * 1000;
BEGIN
        s.retry_count := s.retry_count + 1;
        s.due_at := now + least(r.base, r.cap);
        UPDATE lifeos.call_session c SET retry_count = s.retry_count, updated_at = now,
               due_at = (lib.sweep_next(s, r)).at
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
        PERFORM lib.emit(s.account_id, s.session_id,
                         lib.event_id(s.id_salt, s.session_id, 'call.reconnecting',
                                      'sweep ' || s.reconnect_attempts || ' ' || s.retry_count),
                         'call.reconnecting', lib.reconnecting(s, at, 'provider_retry'), 'session', 'sweep', at, at);
END $$;

CREATE FUNCTION lib.sweep_audit(was lifeos.call_session, what text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        s lifeos.call_session;
BEGIN
        SELECT * INTO STRICT s FROM lifeos.call_session c
        WHERE c.account_id = was.account_id AND c.session_id = was.session_id;
        PERFORM lib.audit(s.account_id, s.session_id, 'sweep', 'system', 'session_sweep', 'OK',
                          lib.object('{what,from,to,transportFrom,transportTo,retryCount}',
                                     ARRAY[lib.js(what), lib.js(was.status), lib.js(s.status),
                                           lib.js(was.transport_state), lib.js(s.transport_state),
                                           s.retry_count::text]));
END $$;

CREATE FUNCTION lib.sweep_one(s lifeos.call_session, r lib.sweep_rules) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        now bigint := lib.now();
        next record;
        at bigint;
BEGIN
        IF s.due_at > now OR (s.due_at IS NULL AND s.status IN ('ended', 'failed')) THEN
                RETURN 'kept';
        END IF;
        next := lib.sweep_next(s, r);
        IF next.at IS NULL OR next.at > now THEN
                UPDATE lifeos.call_session c SET due_at = next.at
                WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
                RETURN 'kept';
        END IF;
        IF next.what = 'retry' THEN
                PERFORM lib.sweep_retry(s, r, now);
        ELSE    -- at its deadline, however late we are
                at := next.at / 1000 * 1000;
                PERFORM lib.session_end(s, at, next.what, 'sweep', 'session', 'sweep', at, now);
        END IF;
        PERFORM lib.sweep_audit(s, next.what);
        RETURN CASE next.what WHEN 'retry' THEN 'retried' ELSE 'ended' END;
END $$;

CREATE FUNCTION api.session_sweep(account_id text, session_id text, unanswered_ms bigint, silence_ms bigint,
                                  longest_ms bigint, retries bigint, retry_base_ms bigint, retry_cap_ms bigint)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        s lifeos.call_session;
        r lib.sweep_rules;
        reply api.reply;
BEGIN
        PERFORM lib.stream_lock(account_id, session_id);
        -- The row too: a sign of life is written without the stream.
        SELECT * INTO s FROM lifeos.call_session c WHERE c.account_id = account_id AND c.session_id = session_id
        FOR NO KEY UPDATE;
        IF NOT FOUND THEN
                RETURN lib.refuse('SESSION_NOT_FOUND');
        END IF;
        reply.status := 'OK';
        r := (unanswered_ms * 1000, silence_ms * 1000, longest_ms * 1000, retries, retry_base_ms * 1000,
              retry_cap_ms * 1000);
        reply.body := lib.object('{ok,result}', ARRAY['true', lib.js(lib.sweep_one(s, r))]);
        reply.account_id := account_id;
        reply.session_id := session_id;
        -- Also when nothing was done: whoever died before answering may have died before telling the listeners.
        reply.head := lib.stream_head(account_id, session_id);
        RETURN reply;
END $$;

-- The calls that need a look, the longest due first.
CREATE FUNCTION api.sweep_due("limit" bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply;
BEGIN
        reply.status := 'OK';
        SELECT lib.object('{ok,due,more}', ARRAY['true', '[' || coalesce(string_agg(
                       lib.object('{accountId,sessionId}', ARRAY[lib.js(d.account_id), lib.js(d.session_id)])::text,
                       ',' ORDER BY d.n) FILTER (WHERE d.n <= "limit"), '') || ']', (count(*) > "limit")::text])
        INTO reply.body
        FROM (SELECT c.account_id, c.session_id, row_number() OVER (ORDER BY c.due_at) AS n
              FROM lifeos.call_session c WHERE c.due_at <= lib.now() ORDER BY c.due_at LIMIT "limit" + 1) d;
        RETURN reply;
END $$;
