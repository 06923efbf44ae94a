-- work.sql - what nobody finishes comes to its end, with an event and an entry in the audit, once and not too early.

--- a confirmation that nobody gave expires with its action: action.failed, audited; once
DO $$
BEGIN
        PERFORM t.create('s1');
        PERFORM t.action('a1', 'requires_confirmation', expires => -1);
        PERFORM t.eq(t.work_due(), 'confirmation:a1');
        PERFORM t.eq(t.expire('confirmation', 'a1'), 'expired');
        PERFORM t.eq(t.is('a1'), 'expired CONFIRMATION_EXPIRED');
        PERFORM t.eq((SELECT c.state || ' ' || c.closed_by FROM lifeos.confirmation c), 'expired sweep');
        PERFORM t.eq(t.payload('s1', 'action.failed'),
                     '{"actionId":"a1","code":"CONFIRMATION_EXPIRED","message":"nobody confirmed it in time","retryable":false}');
        PERFORM t.eq((SELECT string_agg(a.actor_id || ' ' || a.detail::text, ';') FROM lifeos.audit a WHERE a.action = 'work_expire'),
                     'sweep {"actionId":"a1","actionType":"cv.edit","code":"CONFIRMATION_EXPIRED","policyVersion":"' || lib.policy_version() || '","status":"expired","version":1}');
        PERFORM t.eq((SELECT a.ended_at IS NOT NULL FROM lifeos.action a)::text, 'true');
        PERFORM t.eq(t.work_due(), '');
        PERFORM t.eq(t.expire('confirmation', 'a1'), 'kept');
        PERFORM t.eq(t.types('s1'), 'call.started action.failed');
        PERFORM t.eq(t.chains(), 'whole');
END $$;

--- a confirmation whose time is not over, or that somebody gave, is kept
DO $$
BEGIN
        PERFORM t.create('s1');
        PERFORM t.action('a1', 'requires_confirmation', expires => 5);
        PERFORM t.action('a2', 'executed', expires => -5);
        UPDATE lifeos.confirmation c SET state = 'used' WHERE c.action_id = 'a2';
        PERFORM t.eq(t.work_due(), '');
        PERFORM t.eq(t.expire('confirmation', x), 'kept', x) FROM unnest('{a1,a2,none}'::text[]) x;
        PERFORM t.eq(t.is('a1') || ' ' || t.is('a2'), 'requires_confirmation executed');
        PERFORM t.eq(t.types('s1'), 'call.started');
        PERFORM t.eq((api.work_expire('acc', 'none', 'action', 'a1')).status, 'SESSION_NOT_FOUND');
END $$;

--- a confirmation of a version that was edited since, or of an action that ended, closes alone
DO $$
BEGIN
        PERFORM t.create('s1');
        PERFORM t.action('a1', 'requires_confirmation', expires => -1, confirms => 2);
        PERFORM t.action('a2', 'executed', expires => -1);
        PERFORM t.eq(t.expire('confirmation', 'a1') || t.expire('confirmation', 'a2'), 'expiredexpired');
        PERFORM t.eq(t.is('a1') || ' ' || t.is('a2'), 'requires_confirmation executed');
        PERFORM t.eq((SELECT string_agg(c.state, ' ') FROM lifeos.confirmation c), 'expired expired');
        PERFORM t.eq((SELECT count(*) FROM lifeos.audit a WHERE a.action = 'work_expire'), 2);
        PERFORM t.eq(t.types('s1'), 'call.started');
        PERFORM t.eq(t.work_due(), '');
END $$;

--- an action that nobody finished fails a minute after its lease, not before
DO $$
BEGIN
        PERFORM t.create('s1');
        PERFORM t.action('a1', 'confirmed', lease => -50);
        PERFORM t.eq(t.work_due(), '');
        PERFORM t.eq(t.expire('action', 'a1'), 'kept');
        UPDATE lifeos.action a SET lease_until = lib.now() - 61000000;
        PERFORM t.eq(t.work_due(), 'action:a1');
        PERFORM t.eq(t.expire('action', 'a1'), 'expired');
        PERFORM t.eq(t.is('a1'), 'failed ACTION_EXECUTION_FAILED');
        PERFORM t.eq(t.payload('s1', 'action.failed'),
                     '{"actionId":"a1","code":"ACTION_EXECUTION_FAILED","message":"nobody finished it in time","retryable":true}');
        PERFORM t.eq(t.work_due(), '');
        PERFORM t.eq(t.expire('action', 'a1'), 'kept');
        PERFORM t.eq(t.types('s1'), 'call.started action.failed');
        PERFORM t.action('a2', 'confirmed');
        PERFORM t.eq(t.expire('action', 'a2') || t.expire('action', 'none'), 'keptkept', 'one without a lease');
END $$;

--- in a chat the event goes to the conversation's own stream
DO $$
BEGIN
        INSERT INTO lifeos.account (account_id, created_at, updated_at) VALUES ('acc', 1, 1);
        INSERT INTO lifeos.stream (account_id, stream_id, kind, user_id) VALUES ('acc', 'conv_1', 'conversation', 'u1');
        INSERT INTO lifeos.conversation (account_id, conversation_id, kind, user_id, persona, id_salt, created_at, updated_at)
        VALUES ('acc', 'conv_1', 'chat', 'u1', 'both', '\x01', 1, 1);
        PERFORM t.action('a1', 'requires_confirmation', expires => -1, session => 'conv_1');
        PERFORM t.eq(t.expire('confirmation', 'a1', 'conv_1'), 'expired');
        PERFORM t.eq((SELECT string_agg(e.session_id || ' ' || e.type, ';') FROM lifeos.event e), 'conv_1 action.failed');
        PERFORM t.eq((api.work_expire('acc', 'conv_1', 'confirmation', 'a1')).head, 1, 'listeners are told');
END $$;

--- the longest due come first, as many as asked for, and more says there are others
DO $$
BEGIN
        PERFORM t.create('s1');
        PERFORM t.action('a1', 'confirmed', lease => -70);
        PERFORM t.action('a2', 'requires_confirmation', expires => -90);
        PERFORM t.action('a3', 'confirmed', lease => -100);
        PERFORM t.action('a4', 'requires_confirmation', expires => -10);
        PERFORM t.eq(t.work_due(), 'action:a3 confirmation:a2 action:a1 confirmation:a4');
        PERFORM t.eq(t.work_due(2), 'action:a3 confirmation:a2 more');
        PERFORM t.eq(t.work_due(4), 'action:a3 confirmation:a2 action:a1 confirmation:a4');
        PERFORM t.eq((api.work_due(1)).body::text,
                     '{"ok":true,"due":[{"accountId":"acc","sessionId":"s1","kind":"action","id":"a3"}],"more":true}');
END $$;

--- messages to customers' webhooks that wait are counted
DO $$
BEGIN
        INSERT INTO lifeos.account (account_id, created_at, updated_at) VALUES ('acc', 1, 1);
        INSERT INTO lifeos.outbox (account_id, outbox_id, topic, url, payload, payload_hash, status, created_at)
        SELECT 'acc', 'o' || i, 't', 'u', '{}', '', CASE WHEN i < 3 THEN 'queued' ELSE 'delivered' END, 1 FROM generate_series(1, 4) i;
        PERFORM t.eq((api.health(NULL)).body ->> 'outboxWaiting', '2');
END $$;
