-- usage_account.sql - an account's usage, its ledger, what each entry comes from, and its dead letters.

CREATE FUNCTION api.usage_summary(account_id text, actor_id text, actor_role text, of_account text, "limit" bigint,
                                  from_ms bigint, to_ms bigint, cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        may text := lib.billing_see(account_id, actor_id, actor_role, of_account);
        lim bigint := coalesce("limit", 1000);
        since bigint := coalesce(from_ms, 0) * 1000;
        till bigint := coalesce(to_ms * 1000, 9223372036854775807);
        mark record := lib.cursor_read(cursor);
        page record;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF mark.at < 0 THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        SELECT count(*) AS n, string_agg(lib.usage_json(x.r)::text, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim) AS body,
               max((x.r).created_at || '~' || (x.r).usage_record_id) FILTER (WHERE x.k = lim) AS last
        INTO page
        FROM (SELECT r, row_number() OVER (ORDER BY r.created_at, r.usage_record_id) AS k FROM lifeos.usage_record r
              WHERE r.account_id = of_account AND r.created_at >= since AND r.created_at < till
                    AND (r.created_at, r.usage_record_id) > (mark.at, mark.id)
              ORDER BY r.created_at, r.usage_record_id LIMIT lim + 1) x;
        reply.body := lib.object('{ok,accountId,recordsCount,summary,records,page}', ARRAY['true', lib.js(of_account),
                least(page.n, lim)::text,
                (SELECT coalesce(json_agg(json_build_object('meterId', s.meter_id, 'unit', s.unit, 'totalQuantity', s.total,
                                                            'recordsCount', s.n) ORDER BY s.meter_id, s.unit), '[]')::text
                 FROM (SELECT r.meter_id, r.unit, sum(r.quantity) AS total, count(*) AS n FROM lifeos.usage_record r
                       WHERE r.account_id = of_account AND r.created_at >= since AND r.created_at < till
                       GROUP BY r.meter_id, r.unit) s),
                '[' || coalesce(page.body, '') || ']', lib.page_json(lim, page.n, page.last)::text]);
        RETURN reply;
END $$;

-- What the books say now, by ledger account and currency. The customer's side is what he owes; all sides sum to zero.
CREATE FUNCTION lib.balances(of_account text) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT coalesce(json_agg(json_build_object('ledgerAccount', p.ledger_account, 'currency', p.currency,
                                                   'amountMinor', p.total) ORDER BY p.currency, p.ledger_account), '[]')
        FROM (SELECT l.ledger_account, l.currency, sum(l.amount) AS total FROM lifeos.ledger_posting l
              WHERE l.account_id = of_account GROUP BY l.ledger_account, l.currency) p
$$;

CREATE FUNCTION api.ledger_list(account_id text, actor_id text, actor_role text, of_account text, "limit" bigint,
                                from_ms bigint, to_ms bigint, cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        may text := lib.billing_see(account_id, actor_id, actor_role, of_account);
        lim bigint := coalesce("limit", 500);
        mark record := lib.cursor_read(cursor);
        page record;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF mark.at < 0 THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        SELECT count(*) AS n, string_agg(lib.ledger_json(x.e)::text, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim) AS body,
               max((x.e).created_at || '~' || (x.e).entry_id) FILTER (WHERE x.k = lim) AS last
        INTO page
        FROM (SELECT e, row_number() OVER (ORDER BY e.created_at, e.entry_id) AS k FROM lifeos.ledger_entry e
              WHERE e.account_id = of_account AND e.created_at >= coalesce(from_ms, 0) * 1000
                    AND e.created_at < coalesce(to_ms * 1000, 9223372036854775807)
                    AND (e.created_at, e.entry_id) > (mark.at, mark.id)
              ORDER BY e.created_at, e.entry_id LIMIT lim + 1) x;
        reply.body := lib.object('{ok,accountId,count,entries,balances,page}', ARRAY['true', lib.js(of_account),
                least(page.n, lim)::text, '[' || coalesce(page.body, '') || ']', lib.balances(of_account)::text,
                lib.page_json(lim, page.n, page.last)::text]);
        RETURN reply;
END $$;

-- Every billing event of the page with the usage record it comes from, and that with the event it was measured from.
CREATE FUNCTION api.traceability(account_id text, actor_id text, actor_role text, of_account text, "limit" bigint,
                                 cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        may text := lib.billing_see(account_id, actor_id, actor_role, of_account);
        lim bigint := coalesce("limit", 100);
        mark record := lib.cursor_read(cursor);
        page record;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF mark.at < 0 THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        SELECT count(*) AS n, max((x.e).created_at || '~' || (x.e).entry_id) FILTER (WHERE x.k = lim) AS last,
               string_agg(lib.billing_json(x.e)::text, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim) AS events,
               string_agg(lib.usage_json(x.r)::text, ',' ORDER BY x.k)
                       FILTER (WHERE x.k <= lim AND (x.r).usage_record_id IS NOT NULL) AS records,
               string_agg(lib.object('{billingEventId,usageRecordId,meterId,unit,quantity,usageRecordFound,sourceEventId,'
                                     'sourceEventFound}',
                       ARRAY[lib.js((x.e).entry_id), lib.js((x.r).usage_record_id), lib.js((x.r).meter_id),
                             lib.js((x.r).unit), (x.r).quantity::text, 'true', lib.js((x.r).source_event_id),
                             x.traced::text])::text, ',' ORDER BY x.k)
                       FILTER (WHERE x.k <= lim AND (x.r).usage_record_id IS NOT NULL) AS links
        INTO page
        FROM (SELECT l.e, r, v.event_id IS NOT NULL AS traced,
                     row_number() OVER (ORDER BY (l.e).created_at, (l.e).entry_id) AS k
              FROM (SELECT e FROM lifeos.ledger_entry e WHERE e.account_id = of_account
                           AND (e.created_at, e.entry_id) > (mark.at, mark.id)
                    ORDER BY e.created_at, e.entry_id LIMIT lim + 1) l
              LEFT JOIN lifeos.usage_record r ON r.account_id = (l.e).account_id
                      AND r.usage_record_id = (l.e).usage_record_id
              LEFT JOIN lifeos.event v ON v.account_id = r.account_id AND v.event_id = r.source_event_id) x;
        reply.body := lib.object('{ok,accountId,usageRecords,billingEvents,reconciliationRuns,traceLinks,page}',
                ARRAY['true', lib.js(of_account), '[' || coalesce(page.records, '') || ']',
                      '[' || coalesce(page.events, '') || ']', '[]', '[' || coalesce(page.links, '') || ']',
                      lib.page_json(lim, page.n, page.last)::text]);
        RETURN reply;
END $$;

-- Of one session, or of a whole account.
CREATE FUNCTION api.dead_letters(account_id text, actor_id text, actor_role text, of_account text, session_id text,
                                 status text, "limit" bigint, cursor text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record;
        account text := of_account;
        may text;
        lim bigint := coalesce("limit", 500);
        mark record := lib.cursor_read(cursor);
        page record;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF of_account IS NULL THEN
                see := lib.session_see(account_id, actor_id, actor_role, session_id, 'read');
                may := see.status;
                account := see.account;
        ELSE
                may := lib.billing_see(account_id, actor_id, actor_role, of_account);
        END IF;
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF mark.at < 0 THEN
                RETURN lib.refuse('INVALID_REQUEST', 'cursor is not one of ours');
        END IF;
        SELECT count(*) AS n, string_agg(lib.dead_json(x.d)::text, ',' ORDER BY x.k) FILTER (WHERE x.k <= lim) AS body,
               max((x.d).created_at || '~' || (x.d).dead_letter_id) FILTER (WHERE x.k = lim) AS last
        INTO page
        FROM (SELECT d, row_number() OVER (ORDER BY d.created_at, d.dead_letter_id) AS k FROM lifeos.dead_letter d
              WHERE d.account_id = account AND (session_id IS NULL OR d.session_id = session_id)
                    AND (status IS NULL OR d.status = status) AND (d.created_at, d.dead_letter_id) > (mark.at, mark.id)
              ORDER BY d.created_at, d.dead_letter_id LIMIT lim + 1) x;
        reply.body := lib.object(CASE WHEN of_account IS NULL THEN '{ok,sessionId,count,deadLetters,page}'
                                      ELSE '{ok,accountId,count,deadLetters,page}' END::text[],
                ARRAY['true', lib.js(coalesce(of_account, session_id)), least(page.n, lim)::text,
                      '[' || coalesce(page.body, '') || ']', lib.page_json(lim, page.n, page.last)::text]);
        RETURN reply;
END $$;
