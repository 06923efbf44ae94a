-- 0004_statistics.sql - what the tables look like to the planner before autovacuum has seen them.
--
-- Without statistics a young table's indexes that begin with the account all cost the same, and a plan made then (and
-- kept) may read a whole account to find one row. So each table is filled once, looked at, and emptied: twenty
-- accounts, the same ids in all of them, several rows for each. Real statistics replace these by and by.

DO $$ BEGIN
        IF EXISTS (SELECT FROM lifeos.account) THEN
                RAISE EXCEPTION 'this file is for empty tables only';
        END IF;
END $$;

INSERT INTO lifeos.account (account_id, created_at, updated_at) SELECT 'a' || i, i, i FROM generate_series(1, 20) i;
INSERT INTO lifeos.stream (account_id, stream_id, kind, user_id)
        SELECT 'a' || a, 's' || s, 'session', 'u' || s % 4 FROM generate_series(1, 20) a, generate_series(1, 20) s;
INSERT INTO lifeos.call_session (account_id, session_id, user_id, status, transport_state, correlation_id,
                                 create_hash,
                                 id_salt, resume_salt, resume_hash, reconnect_window_ms, provider, metadata,
                                         created_at, updated_at)
        SELECT s.account_id, s.stream_id, s.user_id, 'ended', 'terminated', 'corr', sha256(''), '', '', sha256(''), 1,
               'livekit', '{}', row_number() OVER (), 1
        FROM lifeos.stream s;
INSERT INTO lifeos.event (sequence, ts, received_at, recorded_at, account_id, session_id, event_id, type, origin,
                          actor_id, content_hash, commitment, hash, salt, payload)
        SELECT n, n, n, n, s.account_id, s.stream_id, 'evt_' || s.stream_id || '_' || n, 'transcript.partial',
                'owner', s.user_id, sha256(''), sha256(''), sha256(''), sha256(''), '{}'
        FROM lifeos.stream s, generate_series(1, 10) n;
INSERT INTO lifeos.transcript_segment (sequence, final, account_id, session_id, utterance_id)
        SELECT e.sequence, e.sequence % 2 = 0, e.account_id, e.session_id, 'utt_' || e.sequence / 2 FROM lifeos.event e;
INSERT INTO lifeos.audit (sequence, recorded_at, account_id, stream_id, actor_id, actor_role, action, outcome, detail,
                          hash)
        SELECT e.sequence, row_number() OVER (), e.account_id, e.session_id, e.actor_id, 'owner', 'session_create',
                'OK', '{}', e.hash
        FROM lifeos.event e;
INSERT INTO lifeos.command_receipt (account_id, actor_id, command_key, command_hash, op, session_id, body, created_at)
        SELECT e.account_id, e.actor_id, sha256(convert_to(e.event_id, 'UTF8')), sha256(''), 'session_create',
                e.session_id, '{}', row_number() OVER ()
        FROM lifeos.event e;
INSERT INTO lifeos.provider_participant (account_id, session_id, room_sid, participant_sid, kind)
        SELECT s.account_id, s.stream_id, 'RM_' || r, 'PA_' || p, 'STANDARD'
        FROM lifeos.stream s, generate_series(1, 2) r, generate_series(1, 3) p;
INSERT INTO lifeos.provider_room (room_name, account_id, session_id, created_at)
        SELECT 'lk_room_' || s.account_id || s.stream_id, s.account_id, s.stream_id, row_number() OVER ()
        FROM lifeos.stream s;
INSERT INTO lifeos.provider_receipt (provider_event_id, event, result, body_hash, api_key, account_id, session_id,
                                     room_name, provider_at, received_at, recorded_at, detail)
        SELECT 'EV_' || s.account_id || s.stream_id, 'room_started', 'applied', sha256(''), 'key', s.account_id,
                s.stream_id, 'lk_room_' || s.account_id || s.stream_id, 1, 1, row_number() OVER (), '{}'
        FROM lifeos.stream s;
INSERT INTO lifeos.api_key (key_id, account_id, scope, secret_hash, created_at)
        SELECT 'key' || i, 'a' || i % 20, 'ingest', sha256(''), i FROM generate_series(1, 100) i;

ANALYZE lifeos.account, lifeos.stream, lifeos.call_session, lifeos.event, lifeos.transcript_segment, lifeos.audit,
        lifeos.command_receipt, lifeos.provider_participant, lifeos.provider_room, lifeos.provider_receipt,
                lifeos.api_key;

ALTER TABLE lifeos.event DISABLE TRIGGER append_only_all;
ALTER TABLE lifeos.audit DISABLE TRIGGER append_only_all;
TRUNCATE lifeos.account, lifeos.stream, lifeos.call_session, lifeos.event, lifeos.transcript_segment, lifeos.audit,
         lifeos.command_receipt, lifeos.provider_participant, lifeos.provider_room, lifeos.provider_receipt,
                 lifeos.api_key;
ALTER TABLE lifeos.event ENABLE TRIGGER append_only_all;
ALTER TABLE lifeos.audit ENABLE TRIGGER append_only_all;
