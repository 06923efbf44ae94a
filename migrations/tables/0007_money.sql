-- 0007_money.sql - what was used, what it costs, and where the money stands: usage records, price books, the ledger.
--
-- Append-only throughout; a mistake is answered by another entry that names it. Money is an integer of the currency's
-- minor unit. Every ledger entry has both its sides, so the books are even by construction.

ALTER TABLE lifeos.account ADD COLUMN adjustments_need_two boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN lifeos.account.adjustments_need_two IS 'an adjustment waits for a second operator';

CREATE TABLE lifeos.usage_record (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        usage_record_id text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        meter_id        text COLLATE "C" NOT NULL,
        unit            text COLLATE "C" NOT NULL CHECK (unit IN ('seconds', 'count')),
        quantity        bigint NOT NULL CHECK (quantity >= 0),
        outcome         text COLLATE "C" NOT NULL CHECK (outcome IN ('used', 'zero', 'failed')),
        source_event_id text COLLATE "C" NOT NULL,
        source_sequence bigint NOT NULL,
        source_ts       bigint NOT NULL,
        metadata        json NOT NULL,
        created_at      bigint NOT NULL,
        key_id          text COLLATE "C",
        signature       text COLLATE "C",
        signature_ed25519 text COLLATE "C",
        signed_at       bigint,
        PRIMARY KEY (account_id, usage_record_id),
        UNIQUE (account_id, session_id, meter_id, unit, source_event_id),
        CHECK ((outcome = 'used') = (quantity > 0)),
        CHECK ((signature IS NULL) = (key_id IS NULL) AND (signature IS NULL) = (signed_at IS NULL)
               AND (signature IS NULL) = (signature_ed25519 IS NULL))
);
CREATE INDEX usage_by_time ON lifeos.usage_record (account_id, created_at, usage_record_id);
CREATE INDEX usage_unsigned ON lifeos.usage_record (created_at) WHERE signature IS NULL;
COMMENT ON TABLE lifeos.usage_record IS
        'What an event used, written in the event''s transaction. Signed by the writer as soon as it is committed.';
COMMENT ON COLUMN lifeos.usage_record.outcome IS 'zero: a call too short to count; failed: one that was never answered';

-- Public halves of the keys that have signed, for ever: a record can be checked as long as it is there.
CREATE TABLE lifeos.billing_key (
        key_id          text COLLATE "C" PRIMARY KEY,
        public_key      text COLLATE "C" NOT NULL,
        first_used_at   bigint NOT NULL
);

-- Prices: versions of the appliance's own book ('*') and of tenants'. A version is never changed, only followed.
CREATE TABLE lifeos.price_book (
        account_id      text COLLATE "C" NOT NULL,
        version         bigint NOT NULL,
        currency        text COLLATE "C" NOT NULL,
        valid_from      bigint NOT NULL,
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, version)
);
COMMENT ON COLUMN lifeos.price_book.account_id IS 'a tenant, or * for all that have none of their own';

CREATE TABLE lifeos.price (
        account_id      text COLLATE "C" NOT NULL,
        version         bigint NOT NULL,
        meter_id        text COLLATE "C" NOT NULL,
        minor           bigint NOT NULL CHECK (minor >= 0),
        per             bigint NOT NULL CHECK (per > 0),
        PRIMARY KEY (account_id, version, meter_id),
        FOREIGN KEY (account_id, version) REFERENCES lifeos.price_book
);
COMMENT ON TABLE lifeos.price IS 'minor units of the currency for each `per` units of the meter';

-- So far, of one tenant at one price: usage is rounded down over the whole of it, not record by record, so the order
-- of records changes no total and no bill is more than one minor unit from exact.
CREATE TABLE lifeos.rated_total (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        book            text COLLATE "C" NOT NULL,
        version         bigint NOT NULL,
        meter_id        text COLLATE "C" NOT NULL,
        quantity        bigint NOT NULL,
        PRIMARY KEY (account_id, book, version, meter_id),
        FOREIGN KEY (book, version, meter_id) REFERENCES lifeos.price
) WITH (fillfactor = 50);

CREATE TABLE lifeos.ledger_entry (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        entry_id        text COLLATE "C" NOT NULL,
        billable_key    text COLLATE "C" NOT NULL,
        kind            text COLLATE "C" NOT NULL CHECK (kind IN ('usage', 'adjustment')),
        debit           text COLLATE "C" NOT NULL,
        credit          text COLLATE "C" NOT NULL,
        currency        text COLLATE "C" NOT NULL,
        amount          bigint NOT NULL CHECK (amount >= 0),
        meter_id        text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        usage_record_id text COLLATE "C",
        book            text COLLATE "C",
        version         bigint,
        corrects        text COLLATE "C",
        detail          json NOT NULL,
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, entry_id),
        UNIQUE (account_id, billable_key),
        FOREIGN KEY (account_id, usage_record_id) REFERENCES lifeos.usage_record,
        FOREIGN KEY (account_id, corrects) REFERENCES lifeos.ledger_entry (account_id, entry_id),
        CHECK (debit <> credit),
        CHECK ((kind = 'usage') = (usage_record_id IS NOT NULL AND book IS NOT NULL AND version IS NOT NULL))
);
CREATE INDEX ledger_by_time ON lifeos.ledger_entry (account_id, created_at, entry_id);
CREATE INDEX ledger_by_session ON lifeos.ledger_entry (account_id, session_id);
CREATE INDEX ledger_of_usage ON lifeos.ledger_entry (account_id, usage_record_id) WHERE usage_record_id IS NOT NULL;
COMMENT ON COLUMN lifeos.ledger_entry.billable_key IS 'what it is for: no two entries are for the same';
COMMENT ON COLUMN lifeos.ledger_entry.debit IS 'who owes: customer, or revenue:<meter> where money is given back';

-- The two sides as rows: their sum is zero for every account, entry and currency.
CREATE VIEW lifeos.ledger_posting AS
        SELECT account_id, entry_id, currency, debit AS ledger_account, amount FROM lifeos.ledger_entry
        UNION ALL
        SELECT account_id, entry_id, currency, credit, -amount FROM lifeos.ledger_entry;

-- What could not go its way, kept until somebody decides: it is sent on its way again, or resolved with a reason.
CREATE TABLE lifeos.dead_letter (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        dead_letter_id  text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C",
        event_type      text COLLATE "C" NOT NULL,
        event_id        text COLLATE "C",
        code            text COLLATE "C" NOT NULL,
        message         text NOT NULL,
        payload         json NOT NULL,
        status          text COLLATE "C" NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'redriven', 'resolved')),
        reason          text,
        decided_by      text COLLATE "C",
        decided_at      bigint,
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, dead_letter_id),
        CHECK ((status = 'open') = (decided_at IS NULL))
);
CREATE INDEX dead_letter_by_time ON lifeos.dead_letter (account_id, created_at, dead_letter_id);
CREATE INDEX dead_letter_of ON lifeos.dead_letter (account_id, event_id);
CREATE INDEX dead_letter_open ON lifeos.dead_letter (created_at) WHERE status = 'open';

CREATE TABLE lifeos.adjustment (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        adjustment_id   text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        meter_id        text COLLATE "C" NOT NULL,
        currency        text COLLATE "C" NOT NULL,
        minor           bigint NOT NULL,
        reason          text NOT NULL,
        metadata        json NOT NULL,
        corrects        text COLLATE "C",
        status          text COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'booked', 'refused')),
        content_hash    bytea NOT NULL,
        created_by      text COLLATE "C" NOT NULL,
        created_at      bigint NOT NULL,
        decided_by      text COLLATE "C",
        decided_at      bigint,
        entry_id        text COLLATE "C",
        PRIMARY KEY (account_id, adjustment_id)
);
COMMENT ON COLUMN lifeos.adjustment.minor IS 'minor units; negative: given back to the customer';

CREATE FUNCTION lifeos.sign_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF TG_OP = 'UPDATE' AND OLD.signature IS NULL AND NEW.signature IS NOT NULL
           AND to_jsonb(NEW) - ARRAY['key_id', 'signature', 'signature_ed25519', 'signed_at']
               = to_jsonb(OLD) - ARRAY['key_id', 'signature', 'signature_ed25519', 'signed_at'] THEN
                RETURN NEW;
        END IF;
        RAISE EXCEPTION 'lifeos.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER sign_only BEFORE UPDATE OR DELETE ON lifeos.usage_record
        FOR EACH ROW EXECUTE FUNCTION lifeos.sign_only();
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON lifeos.usage_record
        FOR EACH STATEMENT EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON lifeos.ledger_entry
        FOR EACH ROW EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON lifeos.ledger_entry
        FOR EACH STATEMENT EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON lifeos.billing_key
        FOR EACH ROW EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON lifeos.price_book
        FOR EACH ROW EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON lifeos.price
        FOR EACH ROW EXECUTE FUNCTION lifeos.append_only();
