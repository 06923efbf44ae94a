-- 10_write.sql - what every state change does: one event on its stream, one audit entry, one receipt.

-- Event ids of our own: once per session and purpose, and not computable by a client, who lacks the salt.
CREATE FUNCTION lib.event_id(salt bytea, session_id text, type text, cause text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT 'evt_' || left(encode(lib.hash(encode(salt, 'hex'), session_id, type, cause), 'hex'), 32) $$;

-- Waits for the stream and keeps it until COMMIT. False: there is none.
CREATE FUNCTION lib.stream_lock(account_id text, stream_id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
        PERFORM 1 FROM lifeos.stream s WHERE s.account_id = account_id AND s.stream_id = stream_id FOR NO KEY UPDATE;
        RETURN FOUND;
END $$;

-- Appends one event of our own; the caller holds the stream. payload is canonical JSON. Returns the sequence.
CREATE FUNCTION lib.emit(account_id text, session_id text, event_id text, type text, payload text, origin text,
                         actor_id text, ts bigint, received_at bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        st lifeos.stream;
        bytes bytea := convert_to(payload, 'UTF8');
        salt bytea := lib.random16();
        commitment bytea := sha256(salt || bytes);
        recorded bigint := lib.now();
        fields text;
        h bytea;
BEGIN
        SELECT * INTO STRICT st FROM lifeos.stream s
        WHERE s.account_id = account_id AND s.stream_id = session_id FOR NO KEY UPDATE;
        fields := lib.event_fields(lib.stream_fields(account_id, session_id), event_id, type, ts,
                                   lib.source_fields(origin, actor_id, received_at, recorded));
        h := lib.event_link(st.head_hash, st.head + 1, convert_to(fields, 'UTF8') || commitment);
        INSERT INTO lifeos.event (sequence, ts, received_at, recorded_at, account_id, session_id, event_id, type,
                                  origin, actor_id, content_hash, commitment, hash, salt, payload)
        VALUES (st.head + 1, ts, received_at, recorded, account_id, session_id, event_id, type, origin, actor_id,
                lib.content_hash(session_id, type, ts, bytes), commitment, h, salt, payload::json);
        UPDATE lifeos.stream s SET head = st.head + 1, head_hash = h
        WHERE s.account_id = account_id AND s.stream_id = session_id;
        RETURN st.head + 1;
END $$;

-- Who did what to a session (or, under @account, to the account), in the same transaction.
CREATE FUNCTION lib.audit(account_id text, stream_id text, actor_id text, actor_role text, action text, outcome text,
                          detail json) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        st lifeos.stream;
        recorded bigint := lib.now();
        h bytea;
BEGIN
        IF stream_id = '@account' THEN
                INSERT INTO lifeos.stream (account_id, stream_id, kind) VALUES (account_id, stream_id, 'account')
                ON CONFLICT DO NOTHING;
        END IF;
        SELECT * INTO STRICT st FROM lifeos.stream s
        WHERE s.account_id = account_id AND s.stream_id = stream_id FOR NO KEY UPDATE;
        h := lib.audit_link(st.audit_hash, st.audit_head + 1, recorded, account_id, stream_id, actor_id, actor_role,
                            action, outcome, detail);
        INSERT INTO lifeos.audit (sequence, recorded_at, account_id, stream_id, actor_id, actor_role, action, outcome,
                                  detail, hash)
        VALUES (st.audit_head + 1, recorded, account_id, stream_id, actor_id, actor_role, action, outcome, detail, h);
        UPDATE lifeos.stream s SET audit_head = st.audit_head + 1, audit_hash = h
        WHERE s.account_id = account_id AND s.stream_id = stream_id;
END $$;

CREATE FUNCTION lib.audit_link(previous bytea, sequence bigint, recorded_at bigint, account_id text, stream_id text,
                               actor_id text, actor_role text, action text, outcome text, detail json) RETURNS bytea
LANGUAGE sql STABLE AS $$
        SELECT sha256(previous || int8send(sequence) || int8send(recorded_at)
                      || lib.hash(account_id, stream_id, actor_id, actor_role, action, outcome, detail::text))
$$;

-- The first answer to this command, if there was one. status NULL: there was none, go on.
CREATE FUNCTION lib.receipt_find(account_id text, actor_id text, command_id text, command_hash bytea, op text)
RETURNS api.reply LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        r lifeos.command_receipt;
        reply api.reply;
BEGIN
        SELECT * INTO r FROM lifeos.command_receipt c WHERE c.account_id = account_id AND c.actor_id = actor_id
               AND c.command_key = sha256(convert_to(command_id, 'UTF8'));
        IF NOT FOUND THEN
                RETURN NULL;
        END IF;
        IF r.op <> op OR r.command_hash <> command_hash THEN
                RETURN lib.refuse('IDEMPOTENCY_CONFLICT');
        END IF;
        reply.status := 'OK';
        reply.body := r.body;
        reply.account_id := r.account_id;
        reply.session_id := r.session_id;
        -- Whoever died before answering may have died before telling the listeners.
        SELECT s.head INTO reply.head FROM lifeos.stream s
        WHERE s.account_id = r.account_id AND s.stream_id = r.session_id;
        RETURN reply;
END $$;

-- How every change of a session begins: may he, then wait for the stream, then was it done already. may: what
-- lib.session_see() or lib.session_admit() said. A status ends the function with this reply; NULL: go on.
CREATE FUNCTION lib.command_begin(may text, account_id text, actor_id text, session_id text, command_id text,
                                  command_hash bytea, op text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        END IF;
        PERFORM lib.stream_lock(account_id, session_id);
        -- Not earlier: a writer that was killed may have done it while we waited.
        RETURN lib.receipt_find(account_id, actor_id, command_id, command_hash, op);
END $$;

-- Keeps the answer and returns it. Two nodes running one command at once meet here: the second one fails and is
-- repeated, and then finds this.
CREATE FUNCTION lib.receipt_put(account_id text, actor_id text, command_id text, command_hash bytea, op text,
                                session_id text, head bigint, body json) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply;
BEGIN
        INSERT INTO lifeos.command_receipt (account_id, actor_id, command_key, command_hash, op, session_id, body,
                                            created_at)
        VALUES (account_id, actor_id, sha256(convert_to(command_id, 'UTF8')), command_hash, op, session_id, body,
                lib.now());
        reply.status := 'OK';
        reply.body := body;
        reply.account_id := account_id;
        reply.session_id := session_id;
        reply.head := head;
        RETURN reply;
END $$;
