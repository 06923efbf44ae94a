-- usage_read.sql - usage, billing events, dead letters and the ledger, page by page; every link complete.

-- May he read this account's money? People of the account but members, who see their own sessions' only; operators.
CREATE FUNCTION lib.billing_see(account_id text, actor_id text, actor_role text, of_account text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        may text;
BEGIN
        may := lib.actor_check(account_id, actor_id, actor_role);
        IF may <> 'OK' THEN
                RETURN may;
        ELSIF account_id <> of_account AND NOT (account_id = '*' AND actor_role = 'operator') THEN
                RETURN 'ACCOUNT_NOT_FOUND';
        ELSIF actor_role NOT IN ('owner', 'admin', 'viewer', 'operator') THEN
                RETURN 'FORBIDDEN';
        END IF;
        RETURN 'OK';
END $$;

-- Where a page ended, as created_at~id. NULLs: from the start; at -1: that is no cursor of ours.
CREATE FUNCTION lib.cursor_read(cursor text, OUT at bigint, OUT id text) LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        mark text[] := regexp_match(cursor, '^(\d{1,18})~(.{1,200})$');
BEGIN
        at := CASE WHEN cursor IS NULL THEN 0 ELSE coalesce(mark[1]::bigint, -1) END;
        id := coalesce(mark[2], '');
END $$;

CREATE FUNCTION lib.page_json(lim bigint, n bigint, last_cursor text) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT lib.object('{limit,returned,nextCursor,hasMore}', ARRAY[lim::text, least(n, lim)::text,
                          lib.js(CASE WHEN n > lim THEN last_cursor END), (n > lim)::text])
$$;

CREATE FUNCTION lib.usage_json(r lifeos.usage_record) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                r.usage_record_id AS "recordId", r.account_id AS "accountId", r.session_id AS "sessionId",
                r.meter_id AS "meterId", r.unit AS "unit", r.quantity AS "quantity", r.outcome AS "outcome",
                r.source_event_id AS "sourceEventId", r.source_sequence AS "sourceSequence",
                lib.time_text(r.source_ts) AS "sourceTimestamp", r.signature AS "signature",
                CASE WHEN r.signature IS NOT NULL THEN 'hs256.v1' END AS "signatureVersion", r.key_id AS "keyId",
                r.signature_ed25519 AS "signatureEd25519", r.metadata AS "metadata", lib.ms(r.created_at) AS "createdAtMs") j
$$;

CREATE FUNCTION lib.ledger_json(e lifeos.ledger_entry) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                e.entry_id AS "entryId", e.billable_key AS "billableKey", e.kind AS "kind", e.debit AS "debit",
                e.credit AS "credit", e.currency AS "currency", e.amount AS "amountMinor", e.meter_id AS "meterId",
                e.session_id AS "sessionId", e.usage_record_id AS "usageRecordId", e.book AS "priceBook",
                e.version AS "priceVersion", e.corrects AS "corrects", e.detail AS "detail",
                lib.ms(e.created_at) AS "createdAtMs") j
$$;

-- The ledger entry as the contract's billing event. What is given back is negative.
CREATE FUNCTION lib.billing_json(e lifeos.ledger_entry) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                e.entry_id AS "billingEventId", e.usage_record_id AS "usageRecordId", e.account_id AS "accountId",
                e.session_id AS "sessionId",
                CASE e.kind WHEN 'usage' THEN 'billing.usage.recorded' ELSE 'billing.adjustment.created' END AS "eventType",
                e.meter_id AS "meterId",
                CASE e.kind WHEN 'usage' THEN (SELECT m.unit FROM lib.meters() m WHERE m.meter_id = e.meter_id)
                     ELSE 'currency_minor' END AS "unit",
                CASE WHEN e.kind = 'usage' THEN (e.detail ->> 'quantity')::bigint
                     WHEN e.debit = 'customer' THEN e.amount ELSE -e.amount END AS "quantity",
                lib.ledger_json(e) AS "payload", lib.ms(e.created_at) AS "createdAtMs") j
$$;

CREATE FUNCTION lib.dead_json(d lifeos.dead_letter) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                d.dead_letter_id AS "deadLetterId", d.account_id AS "accountId", d.session_id AS "sessionId",
                d.event_type AS "eventType", d.event_id AS "eventId", d.code AS "code", d.message AS "message",
                d.payload AS "payload", d.status AS "status", d.reason AS "reason", d.decided_by AS "decidedBy",
                lib.ms(d.decided_at) AS "decidedAtMs", lib.ms(d.created_at) AS "createdAtMs") j
$$;

CREATE FUNCTION api.usage_records(account_id text, actor_id text, actor_role text, session_id text, "limit" bigint,
                                  meter_id text, cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_see(account_id, actor_id, actor_role, session_id, 'read');
        lim bigint := coalesce("limit", 500);
        mark record := lib.cursor_read(cursor);
        page record;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        ELSIF mark.at < 0 THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        SELECT count(*) AS n, string_agg(lib.usage_json(x.r)::text, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim) AS body,
               max((x.r).created_at || '~' || (x.r).usage_record_id) FILTER (WHERE x.k = lim) AS last
        INTO page
        FROM (SELECT r, row_number() OVER (ORDER BY r.created_at, r.usage_record_id) AS k FROM lifeos.usage_record r
              WHERE r.account_id = see.account AND r.session_id = session_id
                    AND (meter_id IS NULL OR r.meter_id = meter_id)
                    AND (r.created_at, r.usage_record_id) > (mark.at, mark.id)
              ORDER BY r.created_at, r.usage_record_id LIMIT lim + 1) x;
        reply.body := lib.object('{ok,sessionId,count,records,totalsByMeter,page}', ARRAY['true', lib.js(session_id),
                least(page.n, lim)::text, '[' || coalesce(page.body, '') || ']',
                (SELECT coalesce(lib.object(array_agg(t.meter_id ORDER BY t.meter_id),
                                            array_agg(t.total::text ORDER BY t.meter_id)), '{}')::text
                 FROM (SELECT r.meter_id, sum(r.quantity) AS total FROM lifeos.usage_record r
                       WHERE r.account_id = see.account AND r.session_id = session_id GROUP BY r.meter_id) t),
                lib.page_json(lim, page.n, page.last)::text]);
        RETURN reply;
END $$;

CREATE FUNCTION api.billing_events(account_id text, actor_id text, actor_role text, session_id text, "limit" bigint,
                                   event_type text, cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_see(account_id, actor_id, actor_role, session_id, 'read');
        lim bigint := coalesce("limit", 500);
        mark record := lib.cursor_read(cursor);
        page record;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF see.status <> 'OK' THEN
                RETURN lib.refuse(see.status);
        ELSIF mark.at < 0 THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        SELECT count(*) AS n, string_agg(lib.billing_json(x.e)::text, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim) AS body,
               max((x.e).created_at || '~' || (x.e).entry_id) FILTER (WHERE x.k = lim) AS last
        INTO page
        FROM (SELECT e, row_number() OVER (ORDER BY e.created_at, e.entry_id) AS k FROM lifeos.ledger_entry e
              WHERE e.account_id = see.account AND e.session_id = session_id
                    AND (event_type IS NULL OR (e.kind = 'usage') = (event_type = 'billing.usage.recorded'))
                    AND (event_type IS NULL OR event_type IN ('billing.usage.recorded', 'billing.adjustment.created'))
                    AND (e.created_at, e.entry_id) > (mark.at, mark.id)
              ORDER BY e.created_at, e.entry_id LIMIT lim + 1) x;
        reply.body := lib.object('{ok,sessionId,count,events,page}', ARRAY['true', lib.js(session_id),
                least(page.n, lim)::text, '[' || coalesce(page.body, '') || ']',
                lib.page_json(lim, page.n, page.last)::text]);
        RETURN reply;
END $$;

-- What is signed, as the predecessor of this product spelled it: fields with | between them, an absent one empty.
CREATE FUNCTION lib.usage_canonical(r lifeos.usage_record) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT concat_ws('|', r.account_id, r.session_id, r.meter_id, r.unit, r.quantity, r.source_event_id,
                         r.source_sequence, lib.time_text(r.source_ts))
$$;

CREATE FUNCTION api.usage_unsigned("limit" bigint)
RETURNS TABLE (status text, account_id text, usage_record_id text, canonical text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT 'OK', r.account_id, r.usage_record_id, lib.usage_canonical(r) FROM lifeos.usage_record r
        WHERE r.signature IS NULL ORDER BY r.created_at LIMIT "limit"
$$;

-- One name is one key. The same name with another key is a mistake of the operator's, and nothing is signed with it.
CREATE FUNCTION api.usage_sign(key_id text, public_key text, records_account_id text[], records_usage_record_id text[],
                               records_signature text[], records_ed25519 text[]) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply := lib.refuse('OK');
BEGIN
        INSERT INTO lifeos.billing_key AS k (key_id, public_key, first_used_at) VALUES (key_id, public_key, lib.now())
        ON CONFLICT DO NOTHING;
        IF public_key <> (SELECT k.public_key FROM lifeos.billing_key k WHERE k.key_id = key_id) THEN
                RETURN lib.refuse('BILLING_CONFLICT');
        END IF;
        UPDATE lifeos.usage_record r SET key_id = key_id, signature = n.signature, signature_ed25519 = n.ed25519,
               signed_at = lib.now()
        FROM (SELECT o.account_id, o.usage_record_id, s.signature, s.ed25519
              FROM unnest(records_account_id, records_usage_record_id, records_signature, records_ed25519)
                      s(account_id, usage_record_id, signature, ed25519)
              JOIN lifeos.usage_record o ON o.account_id = s.account_id AND o.usage_record_id = s.usage_record_id
              WHERE o.signature IS NULL FOR NO KEY UPDATE OF o SKIP LOCKED) n
        WHERE r.account_id = n.account_id AND r.usage_record_id = n.usage_record_id AND r.signature IS NULL;
        reply.body := '{"ok":true}';
        RETURN reply;
END $$;

-- What anybody needs to check a record's Ed25519 signature.
CREATE FUNCTION api.billing_keys(account_id text, actor_id text, actor_role text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        may text := lib.actor_check(account_id, actor_id, actor_role);
        reply api.reply := lib.refuse('OK');
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        END IF;
        SELECT lib.object('{ok,keys}', ARRAY['true', coalesce(json_agg(json_build_object(
                'keyId', k.key_id, 'algorithm', 'Ed25519', 'publicKey', k.public_key,
                'jwk', json_build_object('kty', 'OKP', 'crv', 'Ed25519', 'kid', k.key_id, 'x', k.public_key),
                'firstUsedAtMs', lib.ms(k.first_used_at)) ORDER BY k.first_used_at, k.key_id), '[]')::text])
        INTO reply.body FROM lifeos.billing_key k;
        RETURN reply;
END $$;
