-- usage.sql - what an event used, and what it costs, in the event's own transaction.
--
-- Locks come in one order: the stream, which the caller holds, what he needs else (the day's tokens, a deliverable, the
-- account's own stream), and at the very end rated_total, by the names of the meters. Nothing is refused here: what has
-- no price is kept as a dead letter and rated when it has one.

-- The minor units of an ISO 4217 currency have this many digits; NULL: we do not know it.
CREATE FUNCTION lib.currency_exponent(currency text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE
                WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND',
                                  'VUV', 'XAF', 'XOF', 'XPF') THEN 0
                WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
                WHEN currency IN ('AED', 'ARS', 'AUD', 'BDT', 'BGN', 'BRL', 'CAD', 'CHF', 'CNY', 'COP', 'CZK', 'DKK', 'EGP',
                                  'EUR', 'GBP', 'GEL', 'HKD', 'HUF', 'IDR', 'ILS', 'INR', 'KES', 'KZT', 'LKR', 'MAD', 'MXN',
                                  'MYR', 'NGN', 'NOK', 'NZD', 'PEN', 'PHP', 'PKR', 'PLN', 'QAR', 'RON', 'RSD', 'SAR', 'SEK',
                                  'SGD', 'THB', 'TRY', 'TWD', 'TZS', 'UAH', 'USD', 'UYU', 'ZAR') THEN 2
        END
$$;

-- The meters, and what each counts.
CREATE FUNCTION lib.meters() RETURNS TABLE (meter_id text, unit text) LANGUAGE sql IMMUTABLE AS $$
        VALUES ('call.duration.seconds', 'seconds'),
               ('call.participant.seconds', 'seconds'),
               ('ai.turn.count', 'count'),
               ('ai.input.tokens', 'count'),
               ('ai.output.tokens', 'count'),
               ('orchestration.action.executed.count', 'count'),
               ('deliverable.version.count', 'count')
$$;

-- The book that holds for a tenant at a time: his own if he has one that has begun, else the appliance's.
CREATE FUNCTION lib.price_find(account_id text, meter_id text, at bigint, OUT book text, OUT version bigint,
                               OUT currency text, OUT minor bigint, OUT per bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        SELECT b.account_id, b.version, b.currency INTO book, version, currency FROM lifeos.price_book b
        WHERE b.account_id IN (account_id, '*') AND b.valid_from <= at
        ORDER BY b.account_id = '*', b.valid_from DESC, b.version DESC LIMIT 1;
        SELECT p.minor, p.per INTO minor, per FROM lifeos.price p
        WHERE p.account_id = book AND p.version = version AND p.meter_id = meter_id;
END $$;

-- The money of one usage record, into the ledger. False: it has no price yet.
CREATE FUNCTION lib.rate(r lifeos.usage_record) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        price record := lib.price_find(r.account_id, r.meter_id, r.source_ts);
        before numeric;
        amount bigint;
BEGIN
        IF price.minor IS NULL THEN
                RETURN false;
        END IF;
        INSERT INTO lifeos.rated_total AS t (account_id, book, version, meter_id, quantity)
        VALUES (r.account_id, price.book, price.version, r.meter_id, r.quantity)
        ON CONFLICT ON CONSTRAINT rated_total_pkey DO UPDATE SET quantity = t.quantity + r.quantity
        RETURNING t.quantity - r.quantity INTO before;
        amount := trunc((before + r.quantity) * price.minor / price.per) - trunc(before * price.minor / price.per);
        INSERT INTO lifeos.ledger_entry (account_id, entry_id, billable_key, kind, debit, credit, currency, amount, meter_id,
                                         session_id, usage_record_id, book, version, detail, created_at)
        VALUES (r.account_id, lib.new_id('led'), 'usage:' || r.usage_record_id, 'usage', 'customer',
                'revenue:' || r.meter_id, price.currency, amount, r.meter_id, r.session_id, r.usage_record_id, price.book,
                price.version, lib.object('{quantity,minor,per}', ARRAY[r.quantity::text, price.minor::text,
                                                                        price.per::text]), lib.now());
        RETURN true;
END $$;

CREATE FUNCTION lib.dead_letter(account_id text, session_id text, event_type text, event_id text, code text, message text,
                                payload json) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        id text := lib.new_id('dlq');
BEGIN
        INSERT INTO lifeos.dead_letter (account_id, dead_letter_id, session_id, event_type, event_id, code, message, payload,
                                        created_at)
        VALUES (account_id, id, session_id, event_type, event_id, code, message, payload, lib.now());
        RETURN id;
END $$;

CREATE FUNCTION lib.usage_id(account_id text, session_id text, meter_id text, unit text, event_id text) RETURNS text
LANGUAGE sql STABLE AS
$$ SELECT 'mrec_' || left(encode(lib.hash(account_id, session_id, meter_id, unit, event_id), 'hex'), 24) $$;

-- What the event `source` of a session used. The caller holds the stream. Once per event and meter.
CREATE FUNCTION lib.meter(account_id text, session_id text, id_salt bytea, meter_id text, quantity bigint, outcome text,
                          source lifeos.event, metadata json) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        r lifeos.usage_record;
        unit text := (SELECT m.unit FROM lib.meters() m WHERE m.meter_id = meter_id);
BEGIN
        INSERT INTO lifeos.usage_record (account_id, usage_record_id, session_id, meter_id, unit, quantity, outcome,
                                         source_event_id, source_sequence, source_ts, metadata, created_at)
        VALUES (account_id, lib.usage_id(account_id, session_id, meter_id, unit, source.event_id), session_id, meter_id,
                unit, quantity, outcome, source.event_id, source.sequence, source.ts, metadata, lib.now())
        ON CONFLICT DO NOTHING RETURNING * INTO r;
        IF r.usage_record_id IS NULL THEN
                RETURN;
        END IF;
        PERFORM lib.emit(account_id, session_id,
                         lib.event_id(id_salt, session_id, 'billing.usage.recorded', r.usage_record_id),
                         'billing.usage.recorded', lib.usage_payload(r)::text, 'billing', 'metering', source.ts,
                         source.received_at);
        IF NOT lib.rate(r) THEN
                PERFORM lib.dead_letter(account_id, session_id, 'billing.usage.recorded', r.usage_record_id, 'NO_PRICE',
                                        'no price book has a price for this meter; set one and redrive', lib.usage_payload(r));
        END IF;
END $$;

-- Canonical: keys in the order of their bytes.
CREATE FUNCTION lib.usage_payload(r lifeos.usage_record) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT lib.object(ARRAY['accountId'] || CASE WHEN r.unit = 'seconds' THEN ARRAY['billableSeconds'] ELSE '{}' END
                          || ARRAY['meterId', 'outcome', 'quantity', 'sourceEventId', 'unit', 'usageRecordId'],
                          ARRAY[lib.js(r.account_id)] || CASE WHEN r.unit = 'seconds' THEN ARRAY[r.quantity::text] ELSE '{}' END
                          || ARRAY[lib.js(r.meter_id), lib.js(r.outcome), r.quantity::text, lib.js(r.source_event_id),
                                   lib.js(r.unit), lib.js(r.usage_record_id)])
$$;

-- A call is over, said its event number `sequence`: whole seconds from connected to ended, rounded down once at the end;
-- and the same of everybody who was in the room, each rounded down.
CREATE FUNCTION lib.meter_call(s lifeos.call_session, sequence bigint, ended bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        source lifeos.event;
        seconds bigint := greatest(coalesce((ended - s.started_at) / 1000000, 0), 0);
        present bigint;
        quiet text := CASE WHEN s.started_at IS NULL THEN 'failed' ELSE 'zero' END;
BEGIN
        SELECT * INTO STRICT source FROM lifeos.event e
        WHERE e.account_id = s.account_id AND e.session_id = s.session_id AND e.sequence = sequence;
        PERFORM lib.meter(s.account_id, s.session_id, s.id_salt, 'call.duration.seconds', seconds,
                          CASE WHEN seconds > 0 THEN 'used' ELSE quiet END, source, '{"source":"call.ended"}');
        SELECT coalesce(sum(greatest((least(coalesce(p.left_at, ended), ended) - p.joined_at) / 1000000, 0)), 0) INTO present
        FROM lifeos.provider_participant p
        WHERE p.account_id = s.account_id AND p.session_id = s.session_id AND p.joined_at IS NOT NULL;
        PERFORM lib.meter(s.account_id, s.session_id, s.id_salt, 'call.participant.seconds', present,
                          CASE WHEN present > 0 THEN 'used' ELSE quiet END, source, '{"source":"call.ended"}');
END $$;

CREATE FUNCTION lib.event_at(account_id text, session_id text, sequence bigint) RETURNS lifeos.event
LANGUAGE sql VOLATILE AS
$$ SELECT e FROM lifeos.event e WHERE e.account_id = $1 AND e.session_id = $2 AND e.sequence = $3 $$;

-- What the AI was asked for, as its gateway counted; a question that failed has used its tokens too.
CREATE FUNCTION lib.meter_tokens(source lifeos.event, id_salt bytea, input bigint, output bigint, failed boolean,
                                 metadata json) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        nothing text := CASE WHEN failed THEN 'failed' ELSE 'zero' END;
BEGIN
        PERFORM lib.meter(source.account_id, source.session_id, id_salt, 'ai.input.tokens', input,
                          CASE WHEN input > 0 THEN 'used' ELSE nothing END, source, metadata);
        PERFORM lib.meter(source.account_id, source.session_id, id_salt, 'ai.output.tokens', output,
                          CASE WHEN output > 0 THEN 'used' ELSE nothing END, source, metadata);
END $$;

-- A turn that is over, said its event number `sequence`; drafts: the numbers of those that may tell of what it wrote.
CREATE FUNCTION lib.meter_turn(c lifeos.conversation, t lifeos.turn, sequence bigint, drafts bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        source lifeos.event := lib.event_at(c.account_id, c.conversation_id, sequence);
        failed boolean := t.status NOT IN ('completed', 'incomplete');
        about json := lib.object('{source,turnId,status}', ARRAY[lib.js(source.type), lib.js(t.turn_id),
                                                                  lib.js(t.status)]);
        draft lifeos.event;
        n bigint;
BEGIN
        PERFORM lib.meter_tokens(source, c.id_salt, coalesce(t.input_tokens, 0), coalesce(t.output_tokens, 0), failed,
                                 about);
        PERFORM lib.meter(c.account_id, c.conversation_id, c.id_salt, 'ai.turn.count',
                          CASE WHEN failed THEN 0 ELSE 1 END, CASE WHEN failed THEN 'failed' ELSE 'used' END, source,
                          about);
        FOREACH n IN ARRAY drafts LOOP -- each by its whole key: a stream may be long
                draft := lib.event_at(c.account_id, c.conversation_id, n);
                CONTINUE WHEN draft.type <> 'action.proposed'
                              OR draft.payload -> 'deliverable' ->> 'deliverableId' IS NULL;
                PERFORM lib.meter(c.account_id, c.conversation_id, c.id_salt, 'deliverable.version.count', 1, 'used',
                                  draft, about);
        END LOOP;
END $$;

-- An action that is over: what the AI used for it, what it wrote, and that it was carried out. Its last event says so.
CREATE FUNCTION lib.meter_action(a lifeos.action, asked_ai boolean, input bigint, output bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        source lifeos.event := lib.event_at(a.account_id, a.session_id, a.sequences[cardinality(a.sequences)]);
        salt bytea := lib.action_salt(a.account_id, a.session_id);
        about json := lib.object('{source,actionId,actionType,riskTier}', ARRAY[lib.js(source.type),
                                 lib.js(a.action_id), lib.js(a.action_type), lib.js(a.risk_tier)]);
BEGIN
        IF asked_ai THEN
                PERFORM lib.meter_tokens(source, salt, coalesce(input, 0), coalesce(output, 0), a.status <> 'executed',
                                         about);
        END IF;
        IF a.status <> 'executed' THEN
                RETURN;
        END IF;
        IF asked_ai AND a.deliverable_version IS NOT NULL THEN
                PERFORM lib.meter(a.account_id, a.session_id, salt, 'deliverable.version.count', 1, 'used', source,
                                  about);
        END IF;
        PERFORM lib.meter(a.account_id, a.session_id, salt, 'orchestration.action.executed.count', 1, 'used', source,
                          about);
END $$;

-- How the execution told by this event was metered, in the words of its answer.
CREATE FUNCTION lib.action_metering(a lifeos.action, event_id text) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        usage text := lib.usage_id(a.account_id, a.session_id, 'orchestration.action.executed.count', 'count', event_id);
BEGIN
        IF NOT EXISTS (SELECT FROM lifeos.usage_record r WHERE r.account_id = a.account_id
                       AND r.usage_record_id = usage) THEN
                RETURN NULL; -- executed before anything was metered
        END IF;
        RETURN lib.object('{ok,usageDeduped,billingDeduped,billingPublished,deadLetterId,usageRecordId,billingEventId}',
                ARRAY['true', 'false', 'false', 'true',
                      lib.js((SELECT d.dead_letter_id FROM lifeos.dead_letter d
                              WHERE d.account_id = a.account_id AND d.event_id = usage AND d.status = 'open')),
                      lib.js(usage),
                      lib.js((SELECT e.entry_id FROM lifeos.ledger_entry e
                              WHERE e.account_id = a.account_id AND e.usage_record_id = usage))]);
END $$;

-- For the figures; they count no further than they must.
CREATE FUNCTION lib.dead_letters_open(at_most bigint) RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT count(*) FROM (SELECT FROM lifeos.dead_letter d WHERE d.status = 'open' LIMIT at_most) x $$;

CREATE FUNCTION lib.usage_unsigned(at_most bigint) RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT count(*) FROM (SELECT FROM lifeos.usage_record r WHERE r.signature IS NULL LIMIT at_most) x $$;
