-- 0001_spine.sql - accounts, streams and their events: what everything else is a projection of.
--
-- Every time in this schema is a bigint: microseconds since 1970-01-01 UTC, as on the wire. Every key begins with the
-- account and compares by bytes (COLLATE "C"). Statements in migrations/tables are never edited once released.

CREATE TABLE lifeos.account (
        account_id      text COLLATE "C" PRIMARY KEY,
        status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
        livekit_agents  text[] NOT NULL DEFAULT '{}',
        created_at      bigint NOT NULL,
        updated_at      bigint NOT NULL
);
COMMENT ON TABLE lifeos.account IS 'Tenants. Made by the operator, or by the first call of a tenant nobody set up.';

-- The row is the lock: whoever appends to the stream, or changes what it tells about, holds it until COMMIT. That is
-- what makes sequence order commit order. Audit entries are chained per stream as well and share the lock.
CREATE TABLE lifeos.stream (
        account_id      text COLLATE "C" NOT NULL,
        stream_id       text COLLATE "C" NOT NULL,
        kind            text COLLATE "C" NOT NULL CHECK (kind IN ('session', 'account')),
        user_id         text COLLATE "C",
        head            bigint NOT NULL DEFAULT 0,
        audit_head      bigint NOT NULL DEFAULT 0,
        head_hash       bytea NOT NULL DEFAULT sha256(''),
        audit_hash      bytea NOT NULL DEFAULT sha256(''),
        PRIMARY KEY (account_id, stream_id),
        CHECK ((kind = 'session') = (user_id IS NOT NULL))
) WITH (fillfactor = 50);
-- Service keys of the whole appliance name a session without its account.
CREATE INDEX stream_by_id ON lifeos.stream (stream_id);
COMMENT ON COLUMN lifeos.stream.stream_id IS 'a session id, or @account, which no session id can be';
COMMENT ON COLUMN lifeos.stream.user_id IS 'whose session it is';
COMMENT ON COLUMN lifeos.stream.head_hash IS 'hash of event number head; of nothing while there is none';

-- No foreign keys: the appending function holds the stream's row, and a check per event costs more than the insert.
CREATE TABLE lifeos.event (
        sequence        bigint NOT NULL,
        ts              bigint NOT NULL,
        received_at     bigint NOT NULL,
        recorded_at     bigint NOT NULL,
        account_id      text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        event_id        text COLLATE "C" NOT NULL,
        type            text COLLATE "C" NOT NULL,
        origin          text COLLATE "C" NOT NULL,
        actor_id        text COLLATE "C" NOT NULL,
        content_hash    bytea NOT NULL,
        commitment      bytea NOT NULL,
        hash            bytea NOT NULL,
        salt            bytea,
        payload         json,
        PRIMARY KEY (account_id, session_id, sequence),
        UNIQUE (account_id, event_id),
        CHECK ((payload IS NULL) = (salt IS NULL))
);
COMMENT ON COLUMN lifeos.event.ts IS 'when its emitter says it happened';
COMMENT ON COLUMN lifeos.event.content_hash IS 'of session, type, payload, given ts: tells a repeat from a conflict';
COMMENT ON COLUMN lifeos.event.commitment IS 'sha256(salt, payload): the chain holds after both are erased';
COMMENT ON COLUMN lifeos.event.hash IS 'sha256(hash of the one before, all else that stays): see lib.event_fields';

CREATE TABLE lifeos.audit (
        sequence        bigint NOT NULL,
        recorded_at     bigint NOT NULL,
        account_id      text COLLATE "C" NOT NULL,
        stream_id       text COLLATE "C" NOT NULL,
        actor_id        text COLLATE "C" NOT NULL,
        actor_role      text COLLATE "C" NOT NULL,
        action          text COLLATE "C" NOT NULL,
        outcome         text COLLATE "C" NOT NULL,
        detail          json NOT NULL,
        hash            bytea NOT NULL,
        PRIMARY KEY (account_id, stream_id, sequence)
);
CREATE INDEX audit_by_time ON lifeos.audit (account_id, recorded_at);
COMMENT ON TABLE lifeos.audit IS 'Who changed what, written in the transaction of the change. Chained per stream.';

-- What a state change answered, for those who ask again. Read by its key and emptied by its age.
CREATE TABLE lifeos.command_receipt (
        account_id      text COLLATE "C" NOT NULL,
        actor_id        text COLLATE "C" NOT NULL,
        command_key     bytea NOT NULL,
        command_hash    bytea NOT NULL,
        op              text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C",
        body            json NOT NULL,
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, actor_id, command_key)
);
CREATE INDEX command_receipt_by_age ON lifeos.command_receipt (created_at);
COMMENT ON COLUMN lifeos.command_receipt.command_key IS
        'sha256 of the command id: the id itself derives resume tokens and is not kept';

-- Append-only also for the owner: an event may lose its payload and salt, together and for good; nothing else
-- changes.
CREATE FUNCTION lifeos.append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'event' THEN
                IF NEW.payload IS NULL AND NEW.salt IS NULL
                   AND to_jsonb(NEW) - 'payload' - 'salt' = to_jsonb(OLD) - 'payload' - 'salt' THEN
                        RETURN NEW;
                END IF;
        END IF;
        RAISE EXCEPTION 'lifeos.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON lifeos.event
        FOR EACH ROW EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON lifeos.event
        FOR EACH STATEMENT EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON lifeos.audit
        FOR EACH ROW EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON lifeos.audit
        FOR EACH STATEMENT EXECUTE FUNCTION lifeos.append_only();
