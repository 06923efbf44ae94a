-- usage_price.sql - what usage costs: versions of price books, set by the operator.

-- The next version of a book: {"meter":{"minor":n,"per":n},...}.
CREATE FUNCTION api.price_set(command_id text, account_id text, currency text, valid_from_ms bigint, prices json,
                              command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply := lib.receipt_find('*', 'operator', command_id, command_hash, 'price_set');
        at bigint := lib.now();
        bad text;
        number bigint;
        body json;
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        ELSIF lib.currency_exponent(currency) IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'currency is not one we know');
        END IF;
        SELECT min(p.key) INTO bad FROM json_each(prices) p LEFT JOIN lib.meters() m ON m.meter_id = p.key
        WHERE m.meter_id IS NULL OR json_typeof(p.value) <> 'object' OR lib.uint(p.value ->> 'minor') IS NULL
              OR coalesce(lib.uint(p.value ->> 'per'), 0) = 0;
        IF bad IS NOT NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'prices: each is of a meter we know, as {"minor":n,"per":n}');
        END IF;
        IF account_id <> '*' THEN
                INSERT INTO lifeos.account (account_id, created_at, updated_at) VALUES (account_id, at, at)
                ON CONFLICT DO NOTHING;
        END IF;
        SELECT coalesce(max(b.version), 0) + 1 INTO number FROM lifeos.price_book b WHERE b.account_id = account_id;
        INSERT INTO lifeos.price_book (account_id, version, currency, valid_from, created_at)
        VALUES (account_id, number, currency, coalesce(valid_from_ms * 1000, at), at);
        INSERT INTO lifeos.price (account_id, version, meter_id, minor, per)
        SELECT account_id, number, p.key, lib.uint(p.value ->> 'minor'), lib.uint(p.value ->> 'per') FROM json_each(prices) p;
        body := lib.object('{accountId,version,currency,validFromMs,prices}', ARRAY[lib.js(account_id), number::text,
                lib.js(currency), coalesce(valid_from_ms, lib.ms(at))::text, prices::text]);
        PERFORM lib.audit(account_id, '@account', 'operator', 'operator', 'price_set', 'OK', body);
        RETURN lib.receipt_put('*', 'operator', command_id, command_hash, 'price_set', NULL, NULL,
                               lib.object('{ok,priceBook}', ARRAY['true', body::text]));
END $$;

CREATE FUNCTION api.price_list(account_id text) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply := lib.refuse('OK');
BEGIN
        SELECT lib.object('{ok,priceBooks}', ARRAY['true', coalesce(json_agg(json_build_object('accountId', b.account_id,
                'version', b.version, 'currency', b.currency, 'validFromMs', lib.ms(b.valid_from), 'prices',
                (SELECT json_object_agg(p.meter_id, json_build_object('minor', p.minor, 'per', p.per) ORDER BY p.meter_id)
                 FROM lifeos.price p WHERE p.account_id = b.account_id AND p.version = b.version))
                ORDER BY b.account_id, b.version), '[]')::text])
        INTO reply.body FROM lifeos.price_book b WHERE account_id IS NULL OR b.account_id IN (account_id, '*');
        RETURN reply;
END $$;
