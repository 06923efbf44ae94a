-- usage_adjust.sql - money given back or asked for by an operator: with a reason, and where the tenant's rule wants it, a
-- second operator.

-- An amount in major units, as JSON spells it, in minor units; NULL: not a number, or finer than the currency.
CREATE FUNCTION lib.minor(amount json, currency text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        exact numeric;
BEGIN
        IF json_typeof(amount) <> 'number' OR octet_length(amount::text) > 40 OR amount::text ~ '[eE]' THEN
                RETURN NULL;
        END IF;
        exact := amount::text::numeric * 10::numeric ^ lib.currency_exponent(currency);
        RETURN CASE WHEN exact = trunc(exact) AND abs(exact) <= 9007199254740991 THEN exact::bigint END;
END $$;

CREATE FUNCTION lib.adjustment_json(a lifeos.adjustment) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT row_to_json(j) FROM (SELECT
                a.adjustment_id AS "adjustmentId", a.account_id AS "accountId", a.session_id AS "sessionId",
                a.meter_id AS "meterId", a.currency AS "currency", a.minor AS "amountMinor", a.reason AS "reason",
                a.corrects AS "corrects", a.metadata AS "metadata", a.status AS "status", a.created_by AS "createdBy",
                a.decided_by AS "decidedBy", a.entry_id AS "billingEventId", lib.ms(a.created_at) AS "createdAtMs",
                lib.ms(a.decided_at) AS "decidedAtMs") j
$$;

-- Into the ledger and the session's stream; the caller holds the stream and the adjustment is waiting.
CREATE FUNCTION lib.adjustment_book(a lifeos.adjustment, decided_by text) RETURNS lifeos.adjustment
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        entry text := lib.new_id('led');
        salt bytea := (SELECT c.id_salt FROM lifeos.call_session c
                       WHERE c.account_id = a.account_id AND c.session_id = a.session_id);
        exponent integer := lib.currency_exponent(a.currency);
        at bigint := lib.now();
BEGIN
        INSERT INTO lifeos.ledger_entry (account_id, entry_id, billable_key, kind, debit, credit, currency, amount, meter_id,
                                         session_id, corrects, detail, created_at)
        VALUES (a.account_id, entry, 'adjustment:' || a.adjustment_id, 'adjustment',
                CASE WHEN a.minor >= 0 THEN 'customer' ELSE 'revenue:' || a.meter_id END,
                CASE WHEN a.minor >= 0 THEN 'revenue:' || a.meter_id ELSE 'customer' END, a.currency, abs(a.minor), a.meter_id,
                a.session_id, a.corrects, lib.object('{adjustmentId,reason}', ARRAY[lib.js(a.adjustment_id), lib.js(a.reason)]),
                at);
        UPDATE lifeos.adjustment j SET status = 'booked', decided_by = decided_by, decided_at = at, entry_id = entry
        WHERE j.account_id = a.account_id AND j.adjustment_id = a.adjustment_id RETURNING * INTO a;
        PERFORM lib.emit(a.account_id, a.session_id,
                         lib.event_id(salt, a.session_id, 'billing.adjustment.created', a.adjustment_id),
                         'billing.adjustment.created',
                         lib.object('{accountId,adjustmentId,amount,amountMinor,currency,meterId,reason,sessionId}',
                                    ARRAY[lib.js(a.account_id), lib.js(a.adjustment_id),
                                          round(a.minor / 10::numeric ^ exponent, exponent)::text, a.minor::text,
                                          lib.js(a.currency), lib.js(a.meter_id), lib.js(a.reason),
                                          lib.js(a.session_id)])::text,
                         'billing', decided_by, at, at);
        RETURN a;
END $$;

CREATE FUNCTION lib.adjustment_body(a lifeos.adjustment, deduped boolean) RETURNS json LANGUAGE sql STABLE AS $$
        SELECT lib.object('{ok,accountId,sessionId,adjustmentId,billingEventId,published,deduped,deadLetterId,adjustment}',
                          ARRAY['true', lib.js(a.account_id), lib.js(a.session_id), lib.js(a.adjustment_id),
                                lib.js(a.entry_id), (a.status = 'booked')::text, deduped::text, 'null',
                                lib.adjustment_json(a)::text])
$$;

-- The same id again finds the first; with anything else about it, BILLING_CONFLICT.
CREATE FUNCTION api.adjustment_create(account_id text, actor_id text, actor_role text, command_id text, of_account text,
                                      session_id text, adjustment_id text, meter_id text, amount json, currency text,
                                      reason text, corrects text, metadata json, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        account text := coalesce(of_account, account_id);
        id text := coalesce(adjustment_id, 'adj_' || left(encode(lib.hash(actor_id, command_id), 'hex'), 32));
        hash bytea := lib.hash(session_id, meter_id, amount::text, currency, reason, corrects);
        minor bigint := lib.minor(amount, currency);
        a lifeos.adjustment;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF actor_role <> 'operator' THEN
                RETURN lib.refuse('FORBIDDEN');
        ELSIF account_id NOT IN ('*', account) OR NOT lib.stream_lock(account, session_id) THEN
                RETURN lib.refuse('SESSION_NOT_FOUND');
        END IF;
        SELECT * INTO a FROM lifeos.adjustment j WHERE j.account_id = account AND j.adjustment_id = id;
        IF FOUND THEN
                IF a.content_hash <> hash THEN
                        RETURN lib.refuse('BILLING_CONFLICT');
                END IF;
                reply.body := lib.adjustment_body(a, true);
                RETURN reply;
        ELSIF minor IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'amount must be a number with no more decimals than its currency has');
        ELSIF NOT EXISTS (SELECT FROM lib.meters() m WHERE m.meter_id = meter_id) THEN
                RETURN lib.refuse('INVALID_REQUEST', 'meterId is not one of ours');
        ELSIF corrects IS NOT NULL AND NOT EXISTS (SELECT FROM lifeos.ledger_entry e WHERE e.account_id = account
                                                           AND e.entry_id = corrects AND e.session_id = session_id) THEN
                RETURN lib.refuse('INVALID_REQUEST', 'corrects is not an entry of this session');
        ELSIF NOT EXISTS (SELECT FROM lifeos.call_session c WHERE c.account_id = account AND c.session_id = session_id) THEN
                RETURN lib.refuse('SESSION_NOT_FOUND');
        END IF;
        INSERT INTO lifeos.adjustment (account_id, adjustment_id, session_id, meter_id, currency, minor, reason, metadata,
                                       corrects, status, content_hash, created_by, created_at)
        VALUES (account, id, session_id, meter_id, currency, minor, reason, lib.meta(coalesce(metadata, '{}')), corrects,
                'waiting', hash, actor_id, lib.now()) RETURNING * INTO a;
        IF NOT (SELECT c.adjustments_need_two FROM lifeos.account c WHERE c.account_id = account) THEN
                a := lib.adjustment_book(a, actor_id);
        END IF;
        PERFORM lib.audit(account, session_id, actor_id, actor_role, 'adjustment_create', upper(a.status),
                          lib.adjustment_json(a));
        reply.body := lib.adjustment_body(a, false);
        reply.account_id := account;
        reply.session_id := session_id;
        reply.head := lib.stream_head(account, session_id);
        RETURN reply;
END $$;

-- The second operator, who is not the first.
CREATE FUNCTION api.adjustment_decide(account_id text, actor_id text, actor_role text, command_id text, of_account text,
                                      adjustment_id text, decision text, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        a lifeos.adjustment;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF actor_role <> 'operator' OR account_id NOT IN ('*', of_account) THEN
                RETURN lib.refuse('FORBIDDEN');
        END IF;
        SELECT * INTO a FROM lifeos.adjustment j WHERE j.account_id = of_account AND j.adjustment_id = adjustment_id;
        IF NOT FOUND THEN
                RETURN lib.refuse('ADJUSTMENT_NOT_FOUND');
        END IF;
        PERFORM lib.stream_lock(of_account, a.session_id);
        SELECT * INTO STRICT a FROM lifeos.adjustment j WHERE j.account_id = of_account AND j.adjustment_id = adjustment_id;
        IF a.status <> 'waiting' THEN
                IF (a.status = 'booked') <> (decision = 'approve') THEN
                        RETURN lib.refuse('BILLING_CONFLICT', 'the adjustment was decided otherwise');
                END IF;
                reply.body := lib.adjustment_body(a, true);
                RETURN reply;
        ELSIF actor_id = a.created_by THEN
                RETURN lib.refuse('SECOND_PERSON_REQUIRED');
        ELSIF decision = 'approve' THEN
                a := lib.adjustment_book(a, actor_id);
        ELSE
                UPDATE lifeos.adjustment j SET status = 'refused', decided_by = actor_id, decided_at = lib.now()
                WHERE j.account_id = of_account AND j.adjustment_id = adjustment_id RETURNING * INTO a;
        END IF;
        PERFORM lib.audit(of_account, a.session_id, actor_id, actor_role, 'adjustment_decide', upper(a.status),
                          lib.adjustment_json(a));
        reply.body := lib.adjustment_body(a, false);
        reply.account_id := of_account;
        reply.session_id := a.session_id;
        reply.head := lib.stream_head(of_account, a.session_id);
        RETURN reply;
END $$;

-- Resolved: set aside with a reason. Redriven: sent on its way again; it stays open if that does not work yet.
CREATE FUNCTION api.dead_letter_decide(account_id text, actor_id text, actor_role text, command_id text, of_account text,
                                       dead_letter_id text, decision text, reason text, command_hash bytea)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        d lifeos.dead_letter;
        r lifeos.usage_record;
        reply api.reply := lib.refuse('OK');
BEGIN
        IF actor_role <> 'operator' OR account_id NOT IN ('*', of_account) THEN
                RETURN lib.refuse('FORBIDDEN');
        END IF;
        SELECT * INTO d FROM lifeos.dead_letter l WHERE l.account_id = of_account AND l.dead_letter_id = dead_letter_id
        FOR NO KEY UPDATE;
        IF NOT FOUND THEN
                RETURN lib.refuse('DEAD_LETTER_NOT_FOUND');
        ELSIF d.status <> 'open' THEN
                IF (d.status = 'resolved') <> (decision = 'resolve') THEN
                        RETURN lib.refuse('BILLING_CONFLICT', 'the dead letter was decided otherwise');
                END IF;
                reply.body := lib.object('{ok,deadLetter}', ARRAY['true', lib.dead_json(d)::text]);
                RETURN reply;
        ELSIF decision = 'resolve' AND reason IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'reason is required');
        END IF;
        IF decision = 'redrive' AND d.code = 'NO_PRICE' THEN
                SELECT * INTO STRICT r FROM lifeos.usage_record u
                WHERE u.account_id = of_account AND u.usage_record_id = d.event_id;
                IF (SELECT p.minor FROM lib.price_find(of_account, r.meter_id, r.source_ts) p) IS NULL THEN
                        RETURN lib.refuse('DEAD_LETTER_STUCK');
                END IF;
        ELSIF decision = 'redrive' THEN
                RETURN lib.refuse('DEAD_LETTER_STUCK');
        END IF;
        UPDATE lifeos.dead_letter l SET status = CASE decision WHEN 'redrive' THEN 'redriven' ELSE 'resolved' END,
               reason = reason, decided_by = actor_id, decided_at = lib.now()
        WHERE l.account_id = of_account AND l.dead_letter_id = dead_letter_id RETURNING * INTO d;
        PERFORM lib.audit(of_account, '@account', actor_id, actor_role, 'dead_letter_decide', upper(d.status),
                          lib.dead_json(d));
        IF r.usage_record_id IS NOT NULL THEN
                PERFORM lib.rate(r); -- last of all: see usage.sql about locks
        END IF;
        reply.body := lib.object('{ok,deadLetter}', ARRAY['true', lib.dead_json(d)::text]);
        RETURN reply;
END $$;
