-- 05_policy.sql - what the assistant and its users may have done, and who has to say yes.
--
-- Generated from policy/actions.def and common/status.def; do not edit.

CREATE FUNCTION lib.action_types()
RETURNS TABLE (action_type text, tier text, rule text, does text, kind text, seconds bigint)
LANGUAGE sql IMMUTABLE AS $$
        VALUES
                ('cv.generate', 'low-risk-write', 'allow', 'generate', 'cv', 300::bigint),
                ('cv.edit', 'low-risk-write', 'allow', 'generate', 'cv', 300),
                ('interview.generate', 'low-risk-write', 'allow', 'generate', 'interview', 300),
                ('interview.practice', 'low-risk-write', 'allow', 'generate', 'interview', 300),
                ('outreach.generate', 'low-risk-write', 'allow', 'generate', 'outreach', 300),
                ('outreach.edit', 'low-risk-write', 'allow', 'generate', 'outreach', 300),
                ('outreach.requestSend', 'high-risk-external-send', 'confirm', 'send', 'outreach', 300),
                ('assistant.confirm', 'high-risk-external-send', 'confirm', 'note', NULL, 300)
$$;

CREATE FUNCTION lib.action_arguments()
RETURNS TABLE (action_type text, name text, kind text, required boolean, max bigint)
LANGUAGE sql IMMUTABLE AS $$
        VALUES
                ('cv.generate', 'instructions', 'text', false, 8192::bigint),
                ('cv.generate', 'data', 'object', false, 131072),
                ('cv.generate', 'deliverableId', 'text', false, 100),
                ('cv.generate', 'deliverableType', 'text', false, 64),
                ('cv.edit', 'deliverableId', 'text', false, 100),
                ('cv.edit', 'instructions', 'text', false, 8192),
                ('cv.edit', 'data', 'object', false, 131072),
                ('cv.edit', 'deliverableType', 'text', false, 64),
                ('interview.generate', 'role', 'text', false, 256),
                ('interview.generate', 'company', 'text', false, 256),
                ('interview.generate', 'instructions', 'text', false, 8192),
                ('interview.generate', 'data', 'object', false, 131072),
                ('interview.generate', 'deliverableId', 'text', false, 100),
                ('interview.generate', 'deliverableType', 'text', false, 64),
                ('interview.practice', 'deliverableId', 'text', false, 100),
                ('interview.practice', 'instructions', 'text', false, 8192),
                ('interview.practice', 'data', 'object', false, 131072),
                ('interview.practice', 'deliverableType', 'text', false, 64),
                ('outreach.generate', 'recipient', 'text', false, 1024),
                ('outreach.generate', 'instructions', 'text', false, 8192),
                ('outreach.generate', 'data', 'object', false, 131072),
                ('outreach.generate', 'deliverableId', 'text', false, 100),
                ('outreach.generate', 'deliverableType', 'text', false, 64),
                ('outreach.edit', 'deliverableId', 'text', false, 100),
                ('outreach.edit', 'instructions', 'text', false, 8192),
                ('outreach.edit', 'data', 'object', false, 131072),
                ('outreach.edit', 'deliverableType', 'text', false, 64),
                ('outreach.requestSend', 'data', 'object', false, 131072),
                ('outreach.requestSend', 'deliverableId', 'text', false, 100),
                ('outreach.requestSend', 'version', 'count', false, 1000000000),
                ('outreach.requestSend', 'recipient', 'text', false, 1024),
                ('outreach.requestSend', 'deliverableType', 'text', false, 64),
                ('assistant.confirm', 'message', 'text', true, 4096),
                ('assistant.confirm', 'data', 'object', false, 131072)
$$;

-- Another policy has another name: what was confirmed under the old one is asked again.
CREATE FUNCTION lib.policy_version() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'policy_8c0a06215a11d6ca' $$;

-- Would trying again help? As every answer says it.
CREATE FUNCTION lib.retryable(code text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
        SELECT code = ANY ('{
                REQUEST_TIMEOUT,
                RATE_LIMITED,
                LIVEKIT_UNAVAILABLE,
                BUSY,
                WRITER_UNAVAILABLE,
                WEBHOOK_UNAVAILABLE,
                DATABASE_UNAVAILABLE,
                NOT_READY,
                INTERNAL,
                TOO_MANY_STREAMS,
                OPENCLAW_UNAVAILABLE,
                AI_UNREACHABLE,
                AI_RATE_LIMITED,
                AI_FAILED,
                AI_CUT_OFF,
                AI_GARBLED,
                AI_TIMEOUT,
                AI_TOO_MUCH,
                AI_EMPTY,
                AI_RESTING,
                TURN_BUSY,
                TURN_QUEUE_FULL,
                TURN_INTERRUPTED,
                CONVERSATION_BUSY,
                ACTION_EXECUTION_FAILED}'::text[])
$$;
