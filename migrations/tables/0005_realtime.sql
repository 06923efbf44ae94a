-- 0005_realtime.sql - coming back: how far each consumer is, tokens that change hands, deadlines of calls, nodes.

ALTER TABLE lifeos.call_session
        ADD COLUMN resume_previous bytea,
        ADD COLUMN seen_at bigint NOT NULL DEFAULT 0,
        ADD COLUMN disconnected_at bigint,
        ADD COLUMN retry_count bigint NOT NULL DEFAULT 0,
        ADD COLUMN due_at bigint;
COMMENT ON COLUMN lifeos.call_session.resume_previous IS
        'sha256 of the token the present one was given for: shown again, it gets the same answer again';
COMMENT ON COLUMN lifeos.call_session.seen_at IS 'last sign of life of its client, not of the provider';
COMMENT ON COLUMN lifeos.call_session.disconnected_at IS 'since when the provider''s line is lost; NULL: it holds';
COMMENT ON COLUMN lifeos.call_session.retry_count IS 'how often the client was asked to come back since then';
COMMENT ON COLUMN lifeos.call_session.due_at IS 'when the sweep has to look at it again; NULL: it is over';
-- Until now nobody noted who is there: the clients of calls that go on have their whole time from here.
UPDATE lifeos.call_session c SET due_at = c.updated_at, seen_at = greatest(c.updated_at, n.at),
       resume_valid_until = greatest(c.resume_valid_until, n.at + c.reconnect_window_ms * 1000)
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at OFFSET 0) n
WHERE c.status IN ('created', 'active');
CREATE INDEX call_session_due ON lifeos.call_session (due_at) WHERE due_at IS NOT NULL;

-- How far a consumer is: it has everything up to sequence. Never falls, never passes the stream's head. Everybody
-- names his own consumers; services ('') share theirs, since their keys change.
CREATE TABLE lifeos.checkpoint (
        account_id      text COLLATE "C" NOT NULL,
        session_id      text COLLATE "C" NOT NULL,
        owner           text COLLATE "C" NOT NULL,
        consumer_id     text COLLATE "C" NOT NULL,
        sequence        bigint NOT NULL,
        ts              bigint,
        event_id        text COLLATE "C",
        updated_at      bigint NOT NULL,
        PRIMARY KEY (account_id, session_id, owner, consumer_id),
        FOREIGN KEY (account_id, session_id) REFERENCES lifeos.call_session
) WITH (fillfactor = 70);

-- Appliances that share this database. One that is not seen any more has left.
CREATE TABLE lifeos.node (
        node_id         text COLLATE "C" PRIMARY KEY,
        seen_at         bigint NOT NULL
);

-- Segments that are compacted away leave where their utterance began with the one that tells its state.
ALTER TABLE lifeos.transcript_segment ADD COLUMN began bigint;
COMMENT ON COLUMN lifeos.transcript_segment.began IS
        'the first sequence of its utterance, if the segments before this one were compacted away; else NULL';
