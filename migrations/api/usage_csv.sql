-- usage_csv.sql - the ledger as a file for people and their spreadsheets.

-- One field, RFC 4180. What a spreadsheet would take for a formula gets an apostrophe in front: ids come from clients.
CREATE FUNCTION lib.csv_field(given text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN f ~ '[",\r\n]' OR f ~ '^\s|\s$' THEN '"' || replace(f, '"', '""') || '"' ELSE f END
        FROM (SELECT CASE WHEN given ~ '^\s*[=+@\t\r\n-]' THEN '''' || given ELSE coalesce(given, '') END AS f) x
$$;

CREATE FUNCTION lib.csv_line(given text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT string_agg(lib.csv_field(f), ',' ORDER BY n) || E'\r\n' FROM unnest(given) WITH ORDINALITY g(f, n)
$$;

CREATE FUNCTION lib.ledger_csv_line(e lifeos.ledger_entry) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT lib.csv_line(ARRAY[lib.time_text(e.created_at), e.entry_id, e.kind, e.debit, e.credit, e.currency,
                e.amount::text, round(e.amount / 10::numeric ^ lib.currency_exponent(e.currency),
                                      lib.currency_exponent(e.currency))::text,
                e.meter_id, e.detail ->> 'quantity', e.session_id, e.usage_record_id, e.book, e.version::text, e.corrects,
                e.detail ->> 'reason'])
$$;

CREATE FUNCTION api.ledger_csv(account_id text, actor_id text, actor_role text, of_account text, from_ms bigint,
                               to_ms bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        most CONSTANT bigint := 10000;
        may text := lib.billing_see(account_id, actor_id, actor_role, of_account);
        n bigint;
        body text;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        END IF;
        SELECT count(*), string_agg(lib.ledger_csv_line(x.e), '' ORDER BY (x.e).created_at, (x.e).entry_id) INTO n, body
        FROM (SELECT e FROM lifeos.ledger_entry e
              WHERE e.account_id = of_account AND e.created_at >= coalesce(from_ms, 0) * 1000
                    AND e.created_at < coalesce(to_ms * 1000, 9223372036854775807)
              ORDER BY e.created_at, e.entry_id LIMIT most + 1) x;
        body := lib.js(lib.csv_line('{createdAt,entryId,kind,debit,credit,currency,amountMinor,amount,meterId,quantity,'
                                    'sessionId,usageRecordId,priceBook,priceVersion,corrects,reason}')
                       || coalesce(body, ''));
        IF n > most OR octet_length(body) > lib.page_bytes() THEN
                RETURN lib.refuse('EXPORT_TOO_LARGE');
        END IF;
        reply.body := lib.object('{ok,rows,csv}', ARRAY['true', n::text, body]);
        RETURN reply;
END $$;
