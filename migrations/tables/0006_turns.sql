-- 0006_turns.sql - conversations and the AI's turns in them, actions and who confirmed them, deliverables, voices.
--
-- A conversation has a stream: a call's is the session's own, a chat's is its own. conversation_id is the stream's id.

ALTER TABLE lifeos.stream DROP CONSTRAINT stream_kind_check, DROP CONSTRAINT stream_check;
ALTER TABLE lifeos.stream
        ADD CONSTRAINT stream_kind_check CHECK (kind IN ('session', 'account', 'conversation')),
        ADD CONSTRAINT stream_check CHECK ((kind = 'account') = (user_id IS NULL));

ALTER TABLE lifeos.account
        ADD COLUMN ai_tokens_per_day bigint NOT NULL DEFAULT 0,
        ADD COLUMN delivery_url text;
COMMENT ON COLUMN lifeos.account.ai_tokens_per_day IS 'what its turns may use a day (UTC); 0: what the appliance allows';
COMMENT ON COLUMN lifeos.account.delivery_url IS 'where confirmed messages are handed to';

-- Consumers follow chats as they follow calls.
ALTER TABLE lifeos.checkpoint DROP CONSTRAINT checkpoint_account_id_session_id_fkey,
        ADD FOREIGN KEY (account_id, session_id) REFERENCES lifeos.stream (account_id, stream_id);

CREATE TABLE lifeos.conversation (
        account_id      text COLLATE "C" NOT NULL,
        conversation_id text COLLATE "C" NOT NULL,
        kind            text COLLATE "C" NOT NULL CHECK (kind IN ('call', 'chat')),
        user_id         text COLLATE "C" NOT NULL,
        persona         text COLLATE "C" NOT NULL,
        id_salt         bytea NOT NULL,
        messages        bigint NOT NULL DEFAULT 0,
        tokens          bigint NOT NULL DEFAULT 0,
        created_at      bigint NOT NULL,
        updated_at      bigint NOT NULL,
        deleted_at      bigint,
        erased_to       bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (account_id, conversation_id),
        FOREIGN KEY (account_id, conversation_id) REFERENCES lifeos.stream (account_id, stream_id)
) WITH (fillfactor = 70);
CREATE INDEX conversation_by_user ON lifeos.conversation (account_id, user_id, updated_at, conversation_id)
        WHERE deleted_at IS NULL;
CREATE INDEX conversation_by_age ON lifeos.conversation (account_id, updated_at, conversation_id) WHERE deleted_at IS NULL;
COMMENT ON COLUMN lifeos.conversation.id_salt IS 'makes our own event ids ones that no client can store first';
COMMENT ON COLUMN lifeos.conversation.messages IS 'the newest message''s ordinal';
COMMENT ON COLUMN lifeos.conversation.erased_to IS 'a deleted one: its events are forgotten up to this sequence';
COMMENT ON COLUMN lifeos.conversation.tokens IS 'what its turns and actions have used';

CREATE TABLE lifeos.message (
        account_id      text COLLATE "C" NOT NULL,
        conversation_id text COLLATE "C" NOT NULL,
        ordinal         bigint NOT NULL,
        message_id      text COLLATE "C" NOT NULL,
        turn_id         text COLLATE "C" NOT NULL,
        role            text COLLATE "C" NOT NULL CHECK (role IN ('user', 'assistant')),
        state           text COLLATE "C" NOT NULL CHECK (state IN ('complete', 'arriving', 'cut')),
        speaker         text COLLATE "C",
        content         text NOT NULL,
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, conversation_id, ordinal),
        FOREIGN KEY (account_id, conversation_id) REFERENCES lifeos.conversation
);
COMMENT ON COLUMN lifeos.message.state IS 'cut: the answer broke off, or was stopped; what is there was said';

CREATE TABLE lifeos.turn (
        account_id      text COLLATE "C" NOT NULL,
        conversation_id text COLLATE "C" NOT NULL,
        turn_id         text COLLATE "C" NOT NULL,
        actor_id        text COLLATE "C" NOT NULL,
        status          text COLLATE "C" NOT NULL
                CHECK (status IN ('running', 'completed', 'incomplete', 'failed', 'cancelled')),
        content_hash    bytea NOT NULL,
        runner          text COLLATE "C" NOT NULL,
        attempt         bigint NOT NULL DEFAULT 1,
        lease_until     bigint NOT NULL,
        stop_at         bigint,
        persona         text COLLATE "C" NOT NULL,
        sequences       bigint[] NOT NULL,
        user_ordinal    bigint NOT NULL,
        agent_ordinal   bigint,
        stored          bigint NOT NULL DEFAULT 0,
        capture_at      bigint,
        received_at     bigint NOT NULL,
        began_at        bigint NOT NULL,
        ended_at        bigint,
        code            text COLLATE "C",
        message         text,
        answer          json,
        response_id     text,
        model           text,
        input_tokens    bigint NOT NULL DEFAULT 0,
        output_tokens   bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (account_id, conversation_id, turn_id),
        FOREIGN KEY (account_id, conversation_id) REFERENCES lifeos.conversation,
        CHECK ((status = 'running') = (ended_at IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX turn_running ON lifeos.turn (account_id, conversation_id) WHERE status = 'running';
CREATE INDEX turn_due ON lifeos.turn (lease_until) WHERE status = 'running';
COMMENT ON COLUMN lifeos.turn.content_hash IS 'of what was said: tells a repeat from another turn';
COMMENT ON COLUMN lifeos.turn.runner IS 'the process that runs it; no other may end it before lease_until';
COMMENT ON COLUMN lifeos.turn.stop_at IS 'when somebody pressed stop';
COMMENT ON COLUMN lifeos.turn.sequences IS 'of the events its answer shows';
COMMENT ON COLUMN lifeos.turn.stored IS 'bytes of the answer that are durable';
COMMENT ON COLUMN lifeos.turn.answer IS 'what its client was told, for those who ask again';

-- What a tenant's turns and actions have used, a row a day (UTC, counted from 1970).
CREATE TABLE lifeos.ai_day (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        day             bigint NOT NULL,
        tokens          bigint NOT NULL,
        PRIMARY KEY (account_id, day)
) WITH (fillfactor = 50);

-- A tenant's rules; the policy's own are in lib.action_types(). The stricter one counts.
CREATE TABLE lifeos.action_rule (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        action_type     text COLLATE "C" NOT NULL,
        rule            text COLLATE "C" NOT NULL CHECK (rule IN ('confirm', 'refuse')),
        PRIMARY KEY (account_id, action_type)
);

CREATE TABLE lifeos.action (
        account_id      text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        action_id       text COLLATE "C" NOT NULL,
        action_type     text COLLATE "C" NOT NULL,
        status          text COLLATE "C" NOT NULL CHECK (status IN ('requested', 'proposed', 'requires_confirmation',
                                'confirmed', 'declined', 'expired', 'executed', 'failed')),
        version         bigint NOT NULL,
        asked_by        text COLLATE "C" NOT NULL CHECK (asked_by IN ('human', 'model')),
        actor_id        text COLLATE "C" NOT NULL,
        turn_id         text COLLATE "C",
        risk_tier       text COLLATE "C" NOT NULL,
        rule            text COLLATE "C" NOT NULL CHECK (rule IN ('allow', 'confirm', 'refuse')),
        policy_version  text COLLATE "C" NOT NULL,
        request_hash    bytea NOT NULL,
        metadata        json NOT NULL,
        runner          text COLLATE "C",
        lease_until     bigint,
        created_at      bigint NOT NULL,
        updated_at      bigint NOT NULL,
        decided_at      bigint,
        decided_by      text COLLATE "C",
        ended_at        bigint,
        code            text COLLATE "C",
        message         text,
        result_ref      text COLLATE "C",
        sequences       bigint[] NOT NULL DEFAULT '{}',
        deliverable_id  text COLLATE "C",
        deliverable_version bigint,
        PRIMARY KEY (account_id, session_id, action_id),
        FOREIGN KEY (account_id, session_id) REFERENCES lifeos.stream (account_id, stream_id)
) WITH (fillfactor = 70);
CREATE INDEX action_by_id ON lifeos.action (account_id, action_id);
CREATE INDEX action_by_age ON lifeos.action (account_id, session_id, created_at, action_id);
CREATE INDEX action_due ON lifeos.action (lease_until) WHERE lease_until IS NOT NULL;
COMMENT ON COLUMN lifeos.action.session_id IS 'the call''s, or the chat''s conversation';
COMMENT ON COLUMN lifeos.action.request_hash IS 'of what was asked for: tells a repeat from another action';
COMMENT ON COLUMN lifeos.action.sequences IS 'of the events its answer shows';
COMMENT ON COLUMN lifeos.action.deliverable_version IS 'what its runner was shown; of an executed action, what it made';
COMMENT ON COLUMN lifeos.action.lease_until IS 'set while it is to be carried out; after it, whoever did is taken for dead';

-- What exactly would be done. Only its words can be forgotten.
CREATE TABLE lifeos.action_version (
        account_id      text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        action_id       text COLLATE "C" NOT NULL,
        version         bigint NOT NULL,
        summary         text,
        arguments       json,
        content_hash    bytea NOT NULL,
        author_kind     text COLLATE "C" NOT NULL CHECK (author_kind IN ('human', 'model')),
        author_id       text COLLATE "C" NOT NULL,
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, session_id, action_id, version),
        FOREIGN KEY (account_id, session_id, action_id) REFERENCES lifeos.action
);

-- A permission to do one thing once. The token itself is not kept here.
CREATE TABLE lifeos.confirmation (
        account_id      text COLLATE "C" NOT NULL,
        token_hash      bytea NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        action_id       text COLLATE "C" NOT NULL,
        version         bigint NOT NULL,
        binding         bytea NOT NULL,
        policy_version  text COLLATE "C" NOT NULL,
        issued_at       bigint NOT NULL,
        expires_at      bigint NOT NULL,
        state           text COLLATE "C" NOT NULL DEFAULT 'open'
                CHECK (state IN ('open', 'used', 'void', 'expired', 'declined')),
        closed_at       bigint,
        closed_by       text COLLATE "C",
        PRIMARY KEY (account_id, token_hash),
        FOREIGN KEY (account_id, session_id, action_id) REFERENCES lifeos.action
);
CREATE UNIQUE INDEX confirmation_open ON lifeos.confirmation (account_id, session_id, action_id) WHERE state = 'open';
CREATE INDEX confirmation_due ON lifeos.confirmation (expires_at) WHERE state = 'open';
COMMENT ON COLUMN lifeos.confirmation.binding IS
        'hash of action id, type, exact arguments, target, expiry and policy version: what the human saw is what runs';

-- What customers' webhooks are to be told, written by whoever decides it, in the same transaction.
CREATE TABLE lifeos.outbox (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        outbox_id       text COLLATE "C" NOT NULL,
        topic           text COLLATE "C" NOT NULL,
        url             text NOT NULL,
        payload         json NOT NULL,
        payload_hash    bytea NOT NULL,
        session_id      text COLLATE "C",
        action_id       text COLLATE "C",
        status          text COLLATE "C" NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'delivered', 'dead')),
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, outbox_id)
);
CREATE INDEX outbox_queued ON lifeos.outbox (account_id, created_at) WHERE status = 'queued';
CREATE UNIQUE INDEX outbox_of_action ON lifeos.outbox (account_id, session_id, action_id) WHERE action_id IS NOT NULL;

CREATE TABLE lifeos.deliverable (
        account_id      text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        deliverable_id  text COLLATE "C" NOT NULL,
        kind            text COLLATE "C" NOT NULL CHECK (kind IN ('cv', 'interview', 'outreach')),
        user_id         text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C",
        latest          bigint NOT NULL,
        created_at      bigint NOT NULL,
        updated_at      bigint NOT NULL,
        PRIMARY KEY (account_id, deliverable_id)
) WITH (fillfactor = 70);
CREATE INDEX deliverable_by_user ON lifeos.deliverable (account_id, user_id, updated_at, deliverable_id);
CREATE INDEX deliverable_by_age ON lifeos.deliverable (account_id, updated_at, deliverable_id);
CREATE INDEX deliverable_by_session ON lifeos.deliverable (account_id, session_id) WHERE session_id IS NOT NULL;

CREATE TABLE lifeos.deliverable_version (
        account_id      text COLLATE "C" NOT NULL,
        deliverable_id  text COLLATE "C" NOT NULL,
        version         bigint NOT NULL,
        title           text,
        markdown        text,
        data            json,
        content_hash    bytea NOT NULL,
        author_kind     text COLLATE "C" NOT NULL CHECK (author_kind IN ('human', 'model')),
        author_id       text COLLATE "C" NOT NULL,
        model           text,
        config          json,
        session_id      text COLLATE "C",
        turn_id         text COLLATE "C",
        action_id       text COLLATE "C",
        created_at      bigint NOT NULL,
        PRIMARY KEY (account_id, deliverable_id, version),
        FOREIGN KEY (account_id, deliverable_id) REFERENCES lifeos.deliverable
);
COMMENT ON COLUMN lifeos.deliverable_version.config IS 'what made it: agent, instructions'' version, limits; NULL for a human';

CREATE TABLE lifeos.voice_approval (
        account_id              text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        policy_approval_id      text COLLATE "C" NOT NULL,
        persona                 text COLLATE "C" NOT NULL,
        voice_profile_id        text COLLATE "C" NOT NULL,
        grounds                 text NOT NULL,
        approved_by             text COLLATE "C" NOT NULL,
        approved_at             bigint NOT NULL,
        expires_at              bigint,
        revoked_at              bigint,
        revoked_by              text COLLATE "C",
        PRIMARY KEY (account_id, policy_approval_id)
);

-- Are the columns named gone, and all others as they were? Compared as JSON text, never as jsonb: that cannot hold every
-- number a client may spell, and what it cannot hold could never be forgotten.
CREATE FUNCTION lifeos.only_forgets(before json, after json, forgotten text[]) RETURNS boolean LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
        SELECT bool_and(n.value::text = CASE WHEN n.key = ANY (forgotten) THEN 'null' ELSE o.value::text END)
        FROM json_each(before) o JOIN json_each(after) n ON n.key = o.key
$$;
CREATE OR REPLACE FUNCTION lifeos.append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'event' THEN
                IF lifeos.only_forgets(row_to_json(OLD), row_to_json(NEW), '{payload,salt}') THEN
                        RETURN NEW;
                END IF;
        END IF;
        RAISE EXCEPTION 'lifeos.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- Append-only but for the columns named: those may be forgotten (set to NULL), all else stays as it is.
CREATE FUNCTION lifeos.forget_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF TG_OP = 'UPDATE' THEN
                IF lifeos.only_forgets(row_to_json(OLD), row_to_json(NEW), TG_ARGV) THEN
                        RETURN NEW;
                END IF;
        END IF;
        RAISE EXCEPTION 'lifeos.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER forget_only BEFORE UPDATE OR DELETE ON lifeos.action_version
        FOR EACH ROW EXECUTE FUNCTION lifeos.forget_only('summary', 'arguments');
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON lifeos.action_version
        FOR EACH STATEMENT EXECUTE FUNCTION lifeos.append_only();
CREATE TRIGGER forget_only BEFORE UPDATE OR DELETE ON lifeos.deliverable_version
        FOR EACH ROW EXECUTE FUNCTION lifeos.forget_only('title', 'markdown', 'data');
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON lifeos.deliverable_version
        FOR EACH STATEMENT EXECUTE FUNCTION lifeos.append_only();
