-- 0002_calls.sql - call sessions and what their events amount to; LiveKit's rooms, participants and webhooks.

CREATE TABLE lifeos.call_session (
        account_id              text COLLATE "C" NOT NULL REFERENCES lifeos.account,
        session_id              text COLLATE "C" NOT NULL,
        user_id                 text COLLATE "C" NOT NULL,
        status                  text COLLATE "C" NOT NULL CHECK (status IN ('created', 'active', 'ended', 'failed')),
        end_reason              text COLLATE "C" CHECK (end_reason IN ('completed', 'user_hangup', 'timeout',
                                        'agent_handover', 'ended_with_provider_disconnect')),
        transport_state         text COLLATE "C" NOT NULL CHECK (transport_state IN ('healthy', 'degraded',
                'terminated')), correlation_id          text NOT NULL,
        create_hash             bytea NOT NULL,
        id_salt                 bytea NOT NULL,
        resume_salt             bytea NOT NULL,
        resume_hash             bytea NOT NULL,
        reconnect_window_ms     bigint NOT NULL,
        resume_valid_until      bigint,
        reconnect_attempts      bigint NOT NULL DEFAULT 0,
        last_ack_sequence       bigint,
        last_ack_ts             bigint,
        last_ack_event_id       text,
        provider                text COLLATE "C" NOT NULL,
        provider_room_id        text COLLATE "C",
        provider_participant_id text COLLATE "C",
        provider_call_id        text COLLATE "C",
        room_sid                text COLLATE "C",
        room_sid_at             bigint,
        metadata                json NOT NULL,
        livekit                 json,
        last_error              text,
        created_at              bigint NOT NULL,
        updated_at              bigint NOT NULL,
        started_at              bigint,
        ended_at                bigint,
        failed_at               bigint,
        PRIMARY KEY (account_id, session_id),
        FOREIGN KEY (account_id, session_id) REFERENCES lifeos.stream (account_id, stream_id)
) WITH (fillfactor = 80);
CREATE INDEX call_session_by_age ON lifeos.call_session (account_id, created_at, session_id);
CREATE INDEX call_session_by_user ON lifeos.call_session (account_id, user_id, created_at, session_id);
COMMENT ON COLUMN lifeos.call_session.create_hash IS 'of what was asked for: tells a repeat from another session';
COMMENT ON COLUMN lifeos.call_session.id_salt IS 'makes our own event ids ones that no client can store first';
COMMENT ON COLUMN lifeos.call_session.resume_hash IS 'sha256 of the resume token; the token itself is not kept';
COMMENT ON COLUMN lifeos.call_session.room_sid_at IS 'when LiveKit first told of this room sid: older news is stale';

CREATE TABLE lifeos.transcript_segment (
        sequence        bigint NOT NULL,
        final           boolean NOT NULL,
        account_id      text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        utterance_id    text COLLATE "C" NOT NULL,
        PRIMARY KEY (account_id, session_id, sequence)
);
COMMENT ON TABLE lifeos.transcript_segment IS
        'Which transcript event tells of which utterance. The words stay in the event: one copy to erase.';

-- Which session a room belongs to: the row is the lock between a webhook and the session it is looking for. Rooms are
-- LiveKit's names, one namespace for the whole appliance; no account leads this key.
CREATE TABLE lifeos.provider_room (
        room_name       text COLLATE "C" PRIMARY KEY,
        account_id      text COLLATE "C",
        session_id      text COLLATE "C",
        created_at      bigint NOT NULL,
        CHECK ((account_id IS NULL) = (session_id IS NULL))
);
CREATE INDEX provider_room_unbound ON lifeos.provider_room (created_at) WHERE account_id IS NULL;

-- A connection of a participant. Keyed by LiveKit's sids: an identity returns under a new participant sid.
CREATE TABLE lifeos.provider_participant (
        account_id              text COLLATE "C" NOT NULL,
        session_id              text COLLATE "C" NOT NULL,
        room_sid                text COLLATE "C" NOT NULL,
        participant_sid         text COLLATE "C" NOT NULL,
        identity                text,
        kind                    text NOT NULL,
        joined_at               bigint,
        left_at                 bigint,
        disconnect_reason       text,
        PRIMARY KEY (account_id, session_id, room_sid, participant_sid),
        FOREIGN KEY (account_id, session_id) REFERENCES lifeos.call_session
);

CREATE TABLE lifeos.provider_receipt (
        provider_event_id       text COLLATE "C" PRIMARY KEY,
        event                   text NOT NULL,
        result                  text NOT NULL CHECK (result IN ('applied', 'ignored', 'parked', 'expired')),
        body_hash               bytea NOT NULL,
        api_key                 text NOT NULL,
        account_id              text COLLATE "C",
        session_id              text COLLATE "C",
        room_name               text COLLATE "C",
        room_sid                text COLLATE "C",
        provider_at             bigint NOT NULL,
        received_at             bigint NOT NULL,
        recorded_at             bigint NOT NULL,
        detail                  json NOT NULL
);
CREATE INDEX provider_receipt_by_age ON lifeos.provider_receipt (recorded_at);
CREATE INDEX provider_receipt_by_session ON lifeos.provider_receipt (account_id, session_id);
COMMENT ON TABLE lifeos.provider_receipt IS 'Every LiveKit webhook, once; made in the transaction that applies it.';

-- Webhooks whose room has no session yet, with what it takes to apply them later, in the order they came.
CREATE TABLE lifeos.provider_parked (
        provider_event_id       text COLLATE "C" PRIMARY KEY,
        arrival                 bigint GENERATED ALWAYS AS IDENTITY,
        parked_at               bigint NOT NULL,
        event                   text NOT NULL,
        received_at             bigint NOT NULL,
        provider_at             bigint NOT NULL,
        room_name               text COLLATE "C" NOT NULL,
        room_sid                text,
        participant_sid         text,
        participant_identity    text,
        participant_kind        text,
        joined_at               bigint,
        disconnect_reason       text
);
CREATE INDEX provider_parked_by_room ON lifeos.provider_parked (room_name, arrival);
CREATE INDEX provider_parked_by_age ON lifeos.provider_parked (parked_at);
