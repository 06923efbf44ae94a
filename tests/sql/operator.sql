--- a key opens what it was made for; unknown, revoked and expired keys all look the same
SELECT t.eq((api.key_create('c1', 'k1', decode(repeat('ab', 32), 'hex'), 'acc', 'ingest', 'desk', NULL, '\x01')).body -> 'key' ->> 'keyId', 'k1');
SELECT t.eq((api.key_create('c2', 'k2', decode(repeat('cd', 32), 'hex'), '*', 'operator', NULL, 1000, '\x01')).status, 'OK');
SELECT t.eq((api.key_check('k1', decode(repeat('ab', 32), 'hex'))).body::text, '{"ok":true,"keyId":"k1","accountId":"acc","scope":"ingest"}');
SELECT t.eq((api.key_check('k1', decode(repeat('ac', 32), 'hex'))).status, 'AUTH_INVALID', 'wrong secret');
SELECT t.eq((api.key_check('k9', decode(repeat('ab', 32), 'hex'))).status, 'AUTH_INVALID', 'unknown');
SELECT t.eq((api.key_check('k2', decode(repeat('cd', 32), 'hex'))).status, 'AUTH_INVALID', 'expired');
SELECT t.eq((api.key_revoke('c3', 'k1', '\x01')).status, 'OK');
SELECT t.eq((api.key_check('k1', decode(repeat('ab', 32), 'hex'))).status, 'AUTH_INVALID', 'revoked');
SELECT t.eq((api.key_revoke('c4', 'k1', '\x01')).status, 'OK', 'revoking again');
SELECT t.eq((api.key_revoke('c5', 'k9', '\x01')).status, 'KEY_NOT_FOUND');
SELECT t.eq((api.key_create('c6', 'k1', decode(repeat('ab', 32), 'hex'), 'acc', 'ingest', NULL, NULL, '\x01')).status, 'KEY_EXISTS');

--- a key's secret, or its hash, is in no answer and no audit entry
SELECT api.key_create('c1', 'k1', decode(repeat('ab', 32), 'hex'), 'acc', 'ingest', 'desk', NULL, '\x01');
SELECT t.ok((api.key_list(NULL)).body::text !~ 'abab');
SELECT t.eq((SELECT count(*) FROM lifeos.audit a WHERE a.detail::text ~ 'abab'), 0);
SELECT t.eq((SELECT count(*) FROM lifeos.command_receipt a WHERE a.body::text ~ 'abab'), 0);

--- keys are listed by account
SELECT api.key_create('c' || i, 'k' || i, decode(repeat('ab', 32), 'hex'), CASE WHEN i < 3 THEN 'acc' ELSE '*' END, 'ingest', NULL, NULL, '\x01') FROM generate_series(1, 3) i;
SELECT t.eq(json_array_length((api.key_list('acc')).body -> 'keys'), 2::bigint), t.eq(json_array_length((api.key_list(NULL)).body -> 'keys'), 3::bigint);

--- a repeated operator command is done once
SELECT t.eq((api.key_create('c1', 'k1', decode(repeat('ab', 32), 'hex'), 'acc', 'ingest', 'desk', NULL, '\x01')).body::text,
            (api.key_create('c1', 'k1', decode(repeat('ab', 32), 'hex'), 'acc', 'ingest', 'desk', NULL, '\x01')).body::text);
SELECT t.eq((api.key_create('c1', 'k2', decode(repeat('ab', 32), 'hex'), 'acc', 'ingest', 'desk', NULL, '\x02')).status, 'IDEMPOTENCY_CONFLICT');
SELECT t.eq((SELECT count(*) FROM lifeos.audit), 1);

--- an account is changed field by field
SELECT t.eq((api.account_set('c1', 'acc', NULL, ' b, a ,,b', NULL, NULL, NULL, NULL, '\x01')).body -> 'account' ->> 'livekitAgents', '["a","b"]');
SELECT t.eq(b ->> 'status' || (b ->> 'livekitAgents'), 'suspended["a","b"]') FROM (SELECT (api.account_set('c2', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x01')).body -> 'account' AS b OFFSET 0) x;
SELECT t.eq(b ->> 'status' || (b ->> 'livekitAgents'), 'active[]') FROM (SELECT (api.account_set('c3', 'acc', 'active', '', NULL, NULL, NULL, NULL, '\x01')).body -> 'account' AS b OFFSET 0) x;
SELECT t.eq((api.account_set('c4', '*', 'active', NULL, NULL, NULL, NULL, NULL, '\x01')).status, 'INVALID_REQUEST');
SELECT t.eq((SELECT string_agg(a.action, ' ') FROM lifeos.audit a WHERE a.stream_id = '@account'), 'account_set account_set account_set');
SELECT t.eq(t.chains(), 'whole');

--- a token is granted to the caller under his own identity, with what LiveKit is to know
SELECT t.create('s1');
SELECT t.eq(g.status, 'OK'), t.eq(g.body ->> 'room', 'lk_room_s1'), t.eq(g.body ->> 'identity', t.session('s1', 'providerParticipantId')),
       t.eq(g.body ->> 'name', 'Ana'), t.eq((g.body ->> 'metadata')::json ->> 'role', 'caller'),
       t.eq((SELECT string_agg(k, ',') FROM json_object_keys((g.body ->> 'metadata')::json) k), 'sessionId,userId,correlationId,role')
FROM api.token_grant('acc', 'u1', 'member', 'g1', 's1', 'Ana', 300, 'wss://lk', NULL, '\x01') g;
SELECT t.eq(t.session('s1', 'metadata')::json -> 'livekit' ->> 'wsUrl', 'wss://lk');
SELECT t.eq(t.session('s1', 'providerCallId'), 'lk_room_s1:' || t.session('s1', 'providerParticipantId'));
SELECT t.eq(t.types('s1'), 'call.started', 'no event');

--- whoever joins beside the caller has another identity, so that neither throws the other out
SELECT t.create('s1');
SELECT t.ok((api.token_grant('acc', 'boss', 'admin', 'g1', 's1', NULL, 300, NULL, NULL, '\x01')).body ->> 'identity' <> t.session('s1', 'providerParticipantId'));

--- no token for strangers, small roles, ended calls, other providers and agents that were not allowed
SELECT t.create('s1'), t.create('s2'), t.state('s2', 'ended'), t.create('s3', provider => 'twilio'), api.account_set('c1', 'acc', NULL, 'screener', NULL, NULL, NULL, NULL, '\x01');
CREATE FUNCTION pg_temp.grant_as(account text, who text, role text, session text, agent text) RETURNS text LANGUAGE sql AS $$
        SELECT (api.token_grant(account, who, role, t.command(), session, NULL, 300, NULL, agent, '\x01')).status $$;
SELECT t.eq(pg_temp.grant_as(a, w, r, s, g), want, format('%s %s %s %s %s', a, w, r, s, g)) FROM (VALUES
        ('acc', 'u1', 'member', 's1', NULL, 'OK'), ('acc', 'u1', 'member', 's1', 'screener', 'OK'), ('acc', 'u1', 'member', 's1', 'spy', 'LIVEKIT_FIELD_REFUSED'),
        ('acc', 'u2', 'member', 's1', NULL, 'FORBIDDEN'), ('acc', 'u1', 'viewer', 's1', NULL, 'FORBIDDEN'), ('acc', 'k', 'ingest', 's1', NULL, 'FORBIDDEN'),
        ('other', 'u1', 'owner', 's1', NULL, 'SESSION_NOT_FOUND'), ('acc', 'u1', 'owner', 's2', NULL, 'SESSION_ENDED'),
        ('acc', 'u1', 'owner', 's3', NULL, 'PROVIDER_CORRELATION_MISMATCH')) v(a, w, r, s, g, want);

--- upkeep removes what is old enough, in bounded steps, and nothing else
SELECT t.create('s' || i) FROM generate_series(1, 5) i;
SELECT t.hook('E1', 'room_started', 'r1'), t.hook('E2', 'room_started', 'r2');
SELECT t.eq(api.maintain(), 0);
UPDATE lifeos.command_receipt SET created_at = created_at - 73 * 3600000000::bigint WHERE session_id < 's4';
UPDATE lifeos.provider_parked SET parked_at = parked_at - 25 * 3600000000::bigint WHERE room_name = 'r1';
SELECT t.eq(api.maintain(2), 3), t.eq(api.maintain(2), 1), t.eq(api.maintain(2), 0);
SELECT t.eq((SELECT string_agg(result, ' ' ORDER BY provider_event_id) FROM lifeos.provider_receipt), 'expired parked');
SELECT t.eq((SELECT count(*) FROM lifeos.command_receipt), 2);
SELECT t.eq(t.hook('E1', 'room_started', 'r1'), 'duplicate', 'an expired webhook is still known');

--- refused before the first write: nothing is left behind, whichever function refuses
SELECT t.create('s1'), t.state('s1', 'active', call_id => 'c'), t.create('gone'), t.state('gone', 'ended'), t.append('s1', '{a}');
SELECT t.fingerprint() AS before \gset
SELECT t.eq(status, want, what) FROM (VALUES
        ((t.create('s1', metadata => '{"x":1}')).status, 'SESSION_EXISTS', 'create'), ((t.create('z', role => 'viewer')).status, 'FORBIDDEN', 'create'),
        ((t.create('z', room => 'lk_room_other')).status, 'LIVEKIT_FIELD_REFUSED', 'create'), ((t.state('gone', 'active')).status, 'INVALID_TRANSITION', 'state'),
        ((t.state('nope', 'active')).status, 'SESSION_NOT_FOUND', 'state'), ((t.state('s1', 'active', call_id => 'd')).status, 'PROVIDER_CORRELATION_MISMATCH', 'state'),
        ((SELECT a.status FROM t.append('s1', '{n,a}', '{"{}","{\"y\":1}"}') a), 'EVENT_ID_CONFLICT', 'append'),
        ((api.token_grant('acc', 'u1', 'owner', 'g', 'gone', NULL, 300, NULL, NULL, '\x01')).status, 'SESSION_ENDED', 'grant'),
        ((api.key_revoke('g', 'nope', '\x01')).status, 'KEY_NOT_FOUND', 'revoke')) v(status, want, what);
SELECT t.eq(t.fingerprint(), :'before');
