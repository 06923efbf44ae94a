-- 00_base.sql - the two code schemas, made anew each time: lib (ours) and api (what the writer may call).
--
-- Rules of every function in here, kept by tests/sql/lint: pinned search_path, schema-qualified names, no SQL put
-- together from text, no EXCEPTION blocks, event and audit are only inserted into (event_erase takes payloads away).
-- A refusal is returned before the first write; after it a function only raises, with the SQLSTATE of
-- common/status.def. A refusal that is itself on record, and has a body, is committed like any answer.
-- Plans are generic and by index, whatever the statistics of a young table say: the tables grow, the plans stay.

DROP SCHEMA IF EXISTS api CASCADE;
DROP SCHEMA IF EXISTS lib CASCADE;
CREATE SCHEMA lib;
CREATE SCHEMA api;

-- How a JSON op ended. status: OK or a name of common/status.def; message: for the client, may be NULL; body: the
-- whole answer, or what a refusal tells besides its status; head not NULL: the stream (account_id, session_id) has
-- events up to head now.
CREATE TYPE api.reply AS (status text, message text, body json, account_id text, session_id text, head bigint);

CREATE FUNCTION lib.refuse(status text, message text DEFAULT NULL) RETURNS api.reply
LANGUAGE sql IMMUTABLE AS $$ SELECT (status, message, NULL, NULL, NULL, NULL)::api.reply $$;

-- One field, so that no two lists of fields read the same: 5:hello, and - for NULL.
CREATE FUNCTION lib.ns(v text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT coalesce(octet_length(v)::text || ':' || v || ',', '-,') $$;

CREATE FUNCTION lib.hash(VARIADIC fields text[]) RETURNS bytea LANGUAGE sql STABLE AS
$$ SELECT sha256(convert_to(string_agg(lib.ns(f.v), '' ORDER BY f.n), 'UTF8'))
   FROM unnest(fields) WITH ORDINALITY f(v, n) $$;

-- 16 bytes from the system's generator, of which 122 bits are random.
CREATE FUNCTION lib.random16() RETURNS bytea LANGUAGE sql VOLATILE AS $$ SELECT uuid_send(gen_random_uuid()) $$;

CREATE FUNCTION lib.now() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

-- The same in whole milliseconds, which is what clients are shown of a session.
CREATE FUNCTION lib.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT lib.now() / 1000 * 1000 $$;

-- prefix_ and 32 hex digits of which 12 are the time, like text_new_id() in C.
CREATE FUNCTION lib.new_id(prefix text) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT prefix || '_' || lpad(to_hex(lib.now() / 1000), 12, '0') || right(encode(lib.random16(), 'hex'), 20) $$;

CREATE FUNCTION lib.ms(micros bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT micros / 1000 $$;

-- RFC 3339 like text_time_put() in C: milliseconds, or microseconds where they matter.
CREATE FUNCTION lib.time_text(micros bigint) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT to_char(('1970-01-01'::date + (micros / 86400000000)::integer)
                       + (micros % 86400000000) * '1 microsecond'::interval,
                       CASE WHEN micros % 1000 = 0 THEN 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                            ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END)
$$;

-- And back, like text_time(): NULL unless it is one, from 1970 to 9999.
CREATE FUNCTION lib.time_parse(v text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        m text[] := regexp_match(v, '^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?'
                                 || '(?:[Zz]|([+-])(\d\d):(\d\d))$');
        days integer;
        secs bigint;
        zone integer := 0;
BEGIN
        IF m IS NULL OR m[1]::integer < 1970 OR NOT m[2]::integer BETWEEN 1 AND 12 OR m[3]::integer < 1
           OR m[4]::integer > 23 OR m[5]::integer > 59 OR m[6]::integer > 60
           OR coalesce(m[9]::integer, 0) > 23 OR coalesce(m[10]::integer, 0) > 59 THEN
                RETURN NULL;
        END IF;
        IF m[3]::integer > extract(day FROM make_date(m[1]::integer, m[2]::integer, 1) + '1 month - 1 day'::interval)
                THEN
                RETURN NULL;
        END IF;
        days := make_date(m[1]::integer, m[2]::integer, m[3]::integer) - '1970-01-01'::date;
        IF m[8] IS NOT NULL THEN
                zone := (m[9]::integer * 60 + m[10]::integer) * 60 * (m[8] || '1')::integer;
        END IF;
        secs := days::bigint * 86400 + m[4]::integer * 3600 + m[5]::integer * 60 + m[6]::integer - zone;
        IF secs < 0 OR secs > 253402300799 THEN
                RETURN NULL;
        END IF;
        RETURN secs * 1000000 + rpad(left(coalesce(m[7], '0'), 6), 6, '0')::bigint;
END $$;

-- A member of an object as JSON text, or null.
CREATE FUNCTION lib.js(v text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT coalesce(to_json(v)::text, 'null') $$;

-- What may this role do with a session of this user, inside the account? wants: read, write (change its state) or
-- append (report events). OK or FORBIDDEN.
CREATE FUNCTION lib.access(role text, actor text, owner text, wants text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE
                WHEN role IN ('owner', 'admin') THEN 'OK'
                WHEN role = 'member' AND actor = owner THEN 'OK'
                WHEN role = 'viewer' AND wants = 'read' THEN 'OK'
                WHEN role IN ('ingest', 'operator') AND wants IN ('read', 'append') THEN 'OK'
                ELSE 'FORBIDDEN'
        END
$$;

CREATE FUNCTION api.schema_hash() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS
$$ SELECT m.sha256 FROM lifeos.schema_migration m WHERE m.name = 'schema' $$;

-- A JSON integer as text, from 0 to 2^53 - 1; anything else is NULL.
CREATE FUNCTION lib.uint(v text) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN v ~ '^\d{1,15}$' THEN v::bigint END $$;
