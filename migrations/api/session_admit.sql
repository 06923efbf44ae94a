-- session_admit.sql - may this actor still listen? What a live stream asks again and again.

-- A person's account may have been suspended, a service's key revoked or outlived, since the caller was
-- authenticated.
CREATE FUNCTION lib.actor_check(account_id text, actor_id text, actor_role text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        k lifeos.api_key;
BEGIN
        IF actor_role IN ('ingest', 'operator') THEN
                SELECT * INTO k FROM lifeos.api_key a WHERE a.key_id = actor_id AND a.account_id = account_id
                        AND a.scope = actor_role;
                RETURN CASE WHEN k.key_id IS NULL OR k.revoked_at IS NOT NULL THEN 'AUTH_INVALID'
                            WHEN k.expires_at <= lib.now() THEN 'AUTH_EXPIRED' ELSE 'OK' END;
        END IF;
        PERFORM 1 FROM lifeos.account a WHERE a.account_id = account_id AND a.status = 'suspended';
        RETURN CASE WHEN FOUND THEN 'ACCOUNT_SUSPENDED' ELSE 'OK' END;
END $$;

-- lib.session_see() for those whose right to see may have ended meanwhile.
CREATE FUNCTION lib.session_admit(account_id text, actor_id text, actor_role text, session_id text, wants text,
                                  kinds text[] DEFAULT '{session}', OUT status text, OUT account text,
                                  OUT head bigint, OUT kind text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        status := lib.actor_check(account_id, actor_id, actor_role);
        IF status = 'OK' THEN
                SELECT see.status, see.account, see.head, see.kind INTO status, account, head, kind
                FROM lib.session_see(account_id, actor_id, actor_role, session_id, wants, kinds) see;
        END IF;
END $$;

-- A sign of life of the session's own client: from here it has its whole window to come back. It never shrinks.
CREATE FUNCTION lib.session_seen(account_id text, session_id text, actor_id text, at bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        UPDATE lifeos.call_session c SET seen_at = greatest(c.seen_at, $4),
               resume_valid_until = greatest(c.resume_valid_until, $4 + c.reconnect_window_ms * 1000)
        WHERE c.account_id = $1 AND c.session_id = $2 AND c.user_id = $3 AND c.status IN ('created', 'active')
$$;
