-- operator.sql - what lifeosctl does: accounts and API keys. The account of a reply is the one whose access changed.

-- Service keys. Unknown, revoked and expired look the same from outside.
CREATE FUNCTION api.key_check(key_id text, secret_hash bytea) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        k lifeos.api_key;
        reply api.reply;
BEGIN
        SELECT * INTO k FROM lifeos.api_key a WHERE a.key_id = key_id AND a.secret_hash = secret_hash
               AND a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > lib.now());
        IF NOT FOUND THEN
                RETURN lib.refuse('AUTH_INVALID');
        END IF;
        reply.status := 'OK';
        reply.body := lib.object('{ok,keyId,accountId,scope}',
                                 ARRAY['true', lib.js(k.key_id), lib.js(k.account_id), lib.js(k.scope)]);
        RETURN reply;
END $$;

CREATE FUNCTION lib.key_json(k lifeos.api_key) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                k.key_id AS "keyId", k.account_id AS "accountId", k.scope AS "scope", k.label AS "label",
                lib.ms(k.created_at) AS "createdAtMs", lib.ms(k.expires_at) AS "expiresAtMs",
                lib.ms(k.revoked_at) AS "revokedAtMs") j
$$;

CREATE FUNCTION api.key_create(command_id text, key_id text, secret_hash bytea, account_id text, scope text,
                               label text, expires_at_ms bigint, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        k lifeos.api_key;
        reply api.reply := lib.receipt_find('*', 'operator', command_id, command_hash, 'key_create');
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        PERFORM 1 FROM lifeos.api_key a WHERE a.key_id = key_id;
        IF FOUND THEN
                RETURN lib.refuse('KEY_EXISTS');
        END IF;
        INSERT INTO lifeos.api_key (key_id, account_id, scope, label, secret_hash, created_at, expires_at)
        VALUES (key_id, account_id, scope, label, secret_hash, lib.now(), expires_at_ms * 1000) RETURNING * INTO k;
        PERFORM lib.audit(account_id, '@account', 'operator', 'operator', 'key_create', 'OK', lib.key_json(k));
        RETURN lib.receipt_put('*', 'operator', command_id, command_hash, 'key_create', NULL, NULL,
                               lib.object('{ok,key}', ARRAY['true', lib.key_json(k)::text]));
END $$;

CREATE FUNCTION api.key_list(account_id text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply;
BEGIN
        reply.status := 'OK';
        SELECT lib.object('{ok,keys}', ARRAY['true', '[' || coalesce(string_agg(lib.key_json(k)::text, ','
                                                     ORDER BY k.account_id, k.created_at, k.key_id), '') || ']'])
        INTO reply.body FROM lifeos.api_key k WHERE account_id IS NULL OR k.account_id = account_id;
        RETURN reply;
END $$;

CREATE FUNCTION api.key_revoke(command_id text, key_id text, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        k lifeos.api_key;
        reply api.reply := lib.receipt_find('*', 'operator', command_id, command_hash, 'key_revoke');
BEGIN
        IF reply.status IS NOT NULL THEN
                SELECT a.account_id INTO reply.account_id FROM lifeos.api_key a WHERE a.key_id = key_id;
                RETURN reply;
        END IF;
        UPDATE lifeos.api_key a SET revoked_at = coalesce(a.revoked_at, lib.now()) WHERE a.key_id = key_id RETURNING *
                INTO k;
        IF NOT FOUND THEN
                RETURN lib.refuse('KEY_NOT_FOUND');
        END IF;
        PERFORM lib.audit(k.account_id, '@account', 'operator', 'operator', 'key_revoke', 'OK', lib.key_json(k));
        reply := lib.receipt_put('*', 'operator', command_id, command_hash, 'key_revoke', NULL, NULL,
                                 lib.object('{ok,key}', ARRAY['true', lib.key_json(k)::text]));
        reply.account_id := k.account_id;
        RETURN reply;
END $$;

-- Comma separated names, trimmed; the empty text is none.
CREATE FUNCTION lib.names(given text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
        SELECT coalesce(array_agg(DISTINCT btrim(n) ORDER BY btrim(n)) FILTER (WHERE btrim(n) <> ''), '{}')
        FROM unnest(string_to_array(given, ',')) n
$$;

-- What is wrong with where an account's messages would go; NULL: nothing. Plain HTTP goes to this machine only.
CREATE FUNCTION lib.delivery_fault(url text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT 'deliveryUrl: https://..., or http:// to 127.0.0.1, [::1] or localhost'
        WHERE url !~ '^https://[A-Za-z0-9.-]+(:\d{1,5})?([/?][!-~]*)?$'
              AND url !~ '^http://(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?([/?][!-~]*)?$'
$$;

-- type=rule, comma separated, as rows; a row without a type or rule that is known is wrong.
CREATE FUNCTION lib.action_rules(given text) RETURNS TABLE (action_type text, rule text, wrong boolean)
LANGUAGE sql IMMUTABLE AS $$
        SELECT n.pair[1], n.pair[2], n.pair IS NULL OR n.pair[1] NOT IN (SELECT t.action_type FROM lib.action_types() t)
               OR count(*) OVER (PARTITION BY n.pair[1]) > 1
        FROM (SELECT regexp_match(r, '^\s*([A-Za-z.]+)\s*=\s*(confirm|refuse)\s*$') AS pair
              FROM unnest(string_to_array(given, ',')) r WHERE btrim(r) <> '') n
$$;

-- Replaces the tenant's rules by the given ones; the caller holds the account's row.
CREATE FUNCTION lib.action_rules_put(account_id text, given text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        IF given IS NOT NULL THEN
                DELETE FROM lifeos.action_rule r WHERE r.account_id = account_id;
                INSERT INTO lifeos.action_rule (account_id, action_type, rule)
                SELECT account_id, r.action_type, r.rule FROM lib.action_rules(given) r;
        END IF;
END $$;

CREATE FUNCTION lib.account_json(a lifeos.account) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN lib.object('{accountId,status,livekitAgents,aiTokensPerDay,deliveryUrl,actionRules,'
                          'adjustmentsNeedTwo,createdAtMs,updatedAtMs}', ARRAY[lib.js(a.account_id), lib.js(a.status),
                array_to_json(a.livekit_agents)::text, a.ai_tokens_per_day::text, lib.js(a.delivery_url),
                (SELECT lib.object(array_agg(r.action_type ORDER BY r.action_type),
                                   array_agg(lib.js(r.rule) ORDER BY r.action_type))::text
                 FROM lifeos.action_rule r WHERE r.account_id = a.account_id),
                a.adjustments_need_two::text, lib.ms(a.created_at)::text, lib.ms(a.updated_at)::text]);
END $$;

CREATE FUNCTION lib.account_put(account_id text, status text, livekit_agents text, ai_tokens_per_day bigint,
                                delivery_url text, adjustments_need_two boolean) RETURNS lifeos.account
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        a lifeos.account;
        at bigint := lib.now();
BEGIN
        INSERT INTO lifeos.account AS c (account_id, status, livekit_agents, ai_tokens_per_day, delivery_url,
                                         adjustments_need_two, created_at, updated_at)
        VALUES (account_id, coalesce(status, 'active'), lib.names(coalesce(livekit_agents, '')),
                coalesce(ai_tokens_per_day, 0), nullif(delivery_url, ''), coalesce(adjustments_need_two, false), at, at)
        ON CONFLICT ON CONSTRAINT account_pkey DO UPDATE SET status = coalesce(status, c.status), updated_at = at,
                livekit_agents = CASE WHEN livekit_agents IS NULL THEN c.livekit_agents
                        ELSE lib.names(livekit_agents) END,
                ai_tokens_per_day = coalesce(ai_tokens_per_day, c.ai_tokens_per_day),
                adjustments_need_two = coalesce(adjustments_need_two, c.adjustments_need_two),
                delivery_url = CASE WHEN delivery_url IS NULL THEN c.delivery_url ELSE nullif(delivery_url, '') END
        RETURNING * INTO a;
        RETURN a;
END $$;

CREATE FUNCTION api.account_set(command_id text, account_id text, status text, livekit_agents text,
                                ai_tokens_per_day bigint, delivery_url text, action_rules text,
                                adjustments_need_two boolean, command_hash bytea)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        a lifeos.account;
        body json;
        reply api.reply := lib.receipt_find('*', 'operator', command_id, command_hash, 'account_set');
BEGIN
        IF reply.status IS NOT NULL THEN
                reply.account_id := account_id;
                RETURN reply;
        ELSIF account_id = '*' THEN
                RETURN lib.refuse('INVALID_REQUEST', 'accountId: * is not an account');
        ELSIF delivery_url <> '' AND lib.delivery_fault(delivery_url) IS NOT NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', lib.delivery_fault(delivery_url));
        ELSIF (SELECT bool_or(r.wrong) FROM lib.action_rules(action_rules) r) THEN
                RETURN lib.refuse('INVALID_REQUEST', 'actionRules: type=confirm or type=refuse, comma separated, each '
                                                     || 'type once; known are '
                                                     || (SELECT string_agg(t.action_type, ' ') FROM lib.action_types() t));
        END IF;
        a := lib.account_put(account_id, status, livekit_agents, ai_tokens_per_day, delivery_url, adjustments_need_two);
        PERFORM lib.action_rules_put(account_id, action_rules);
        body := lib.account_json(a);
        PERFORM lib.audit(account_id, '@account', 'operator', 'operator', 'account_set', 'OK', body);
        reply := lib.receipt_put('*', 'operator', command_id, command_hash, 'account_set', NULL, NULL,
                                 lib.object('{ok,account}', ARRAY['true', body::text]));
        reply.account_id := account_id;
        RETURN reply;
END $$;
