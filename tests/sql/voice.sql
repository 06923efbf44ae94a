-- voice.sql - a cloned voice speaks only with its user's consent and an approval of the account that is in force.

--- the voice that is nobody's needs nothing
SELECT t.create('s1');
SELECT t.eq(r.body -> 'voiceConfig' ->> 'voiceProfileId', 'voice.default.both'), t.eq(r.body -> 'voiceConfig' ->> 'synthesisAllowed', 'true'), t.eq(r.body -> 'session' -> 'metadata' ->> 'voicePersona', 'both'),
       t.eq((SELECT string_agg(k || ':' || (r.body -> 'events' -> k ->> 'type'), ' ') FROM json_object_keys(r.body -> 'events') k), 'safetyApproved:safety.approved voiceConfigured:call.voice.config.updated')
FROM t.voice('BOTH') r;
SELECT t.eq(t.payload('s1', 'call.voice.config.updated'), '{"callId":"s1","clonedVoice":false,"label":"Balanced Core","persona":"both","policyId":"policy.default.allow","synthesisAllowed":true,"voiceProfileId":"voice.default.both"}');
SELECT t.eq((t.voice('nobody')).message, 'persona must be one of antonio, mariana, both');

--- a cloned voice is blocked without consent, and without an approval that is its own, of this account and in force
SELECT t.create('s1'), t.create('s2', account => 'other');
SELECT t.approve('antonio') AS good, t.approve('mariana') AS hers, t.approve('antonio', account => 'other') AS theirs, t.approve('antonio') AS gone, t.approve('antonio') AS late \gset
SELECT t.eq((api.voice_revoke('acc', 'u1', 'owner', t.command(), :'gone', '\x01')).status, 'OK');
UPDATE lifeos.voice_approval SET expires_at = lib.now() - 1 WHERE policy_approval_id = :'late';
SELECT t.eq(r.status, 'VOICE_POLICY_BLOCKED', x.approval), t.eq(r.body ->> 'blocked', 'true'), t.eq(r.body -> 'event' ->> 'type', 'safety.blocked'), t.ok(r.head > 1)
FROM (VALUES (true, NULL), (false, :'good'), (NULL, :'good'), (true, 'made_up'), (true, :'hers'), (true, :'theirs'), (true, :'gone'), (true, :'late')) x(consent, approval), LATERAL t.voice('antonio', x.consent, x.approval) r;
SELECT t.eq(lib.voice_state('acc', 's1') ->> 'persona', 'both', 'nothing changed'), t.eq((SELECT count(*) FROM lifeos.audit a WHERE a.outcome = 'VOICE_POLICY_BLOCKED'), 8);
SELECT t.eq(t.payload('s1', 'safety.blocked')::json ->> 'reason', 'explicit_voice_clone_consent_and_policy_approval_required');
SELECT t.eq(r.status, 'OK'), t.eq(r.body -> 'voiceConfig' ->> 'voiceProfileId', 'voice.clone.antonio'), t.eq(r.body -> 'voiceConfig' ->> 'synthesisAllowed', 'true') FROM t.voice('Antonio', true, :'good') r;
SELECT t.eq(lib.voice_state('acc', 's1') ->> 'policyApprovalId', :'good'), t.eq(t.chains(), 'whole');

--- an approval that is taken back, or runs out, silences the voice from the next turn on
SELECT t.create('s1');
SELECT t.approve('antonio') AS a, t.approve('antonio') AS b \gset
SELECT t.voice('antonio', true, :'a');
SELECT t.eq(lib.voice_state('acc', 's1') ->> 'synthesisAllowed', 'true');
SELECT t.eq((api.voice_revoke('acc', 'boss', 'admin', t.command(), :'a', '\x01')).body -> 'approval' ->> 'inForce', 'false'), t.eq(lib.voice_state('acc', 's1') ->> 'synthesisAllowed', 'false'), t.eq(lib.voice_state('acc', 's1') ->> 'clonedVoiceConsent', 'true');
SELECT t.voice('antonio', true, :'b');
UPDATE lifeos.voice_approval SET expires_at = lib.now() - 1;
SELECT t.eq(lib.voice_state('acc', 's1') ->> 'synthesisAllowed', 'false');

--- what a client writes into its session's metadata lets no voice speak
SELECT t.create('s1', metadata => '{"voicePersona":"antonio","clonedVoiceConsent":true,"voicePolicyApprovalId":"x"}');
SELECT t.eq(lib.voice_state('acc', 's1') ->> 'synthesisAllowed', 'false'), t.eq(lib.voice_state('acc', 'none') ->> 'voiceProfileId', 'voice.default.both');
SELECT t.create('s2', metadata => (SELECT ('{' || string_agg('"k' || i || '":' || i, ',') || '}')::json FROM generate_series(1, 50) i)), t.voice('both', session => 's2');
SELECT t.eq(t.session('s2', 'metadata')::json ->> 'voicePersona', 'both', 'ours is kept where there is no room');

--- owners and admins approve and take back; members see what they may name; strangers see nothing
SELECT t.create('s1');
SELECT t.eq((api.voice_approve('acc', w, r, t.command(), 'antonio', 'signed', NULL, '\x01')).status, want, w) FROM (VALUES ('boss', 'admin', 'OK'), ('u1', 'owner', 'OK'), ('u1', 'member', 'FORBIDDEN'), ('v', 'viewer', 'FORBIDDEN')) x(w, r, want);
SELECT t.eq((api.voice_approve('acc', 'k', 'operator', 'x', 'antonio', 'signed', NULL, '\x01')).status, 'FORBIDDEN') FROM t.key('k', 'acc', 'operator');
SELECT t.eq((api.voice_approve('acc', 'u1', 'owner', 'x', 'antonio', 'signed', 1000, '\x01')).status, 'INVALID_REQUEST', 'over already'), t.eq((api.voice_approve('acc', 'u1', 'owner', 'x', 'antonio', ' ', NULL, '\x01')).status, 'INVALID_REQUEST');
SELECT a.policy_approval_id AS id FROM lifeos.voice_approval a LIMIT 1 \gset
SELECT t.eq((api.voice_revoke('acc', 'u1', 'member', 'x', :'id', '\x01')).status, 'FORBIDDEN'), t.eq((api.voice_revoke('other', 'u1', 'owner', 'x', :'id', '\x01')).status, 'APPROVAL_NOT_FOUND');
SELECT t.eq(json_array_length((api.voice_approvals('acc', 'm', 'member', NULL)).body -> 'approvals'), 2::bigint), t.eq(json_array_length((api.voice_approvals('other', 'u1', 'owner', NULL)).body -> 'approvals'), 0::bigint);
SELECT t.eq((api.voice_approve('acc', 'u1', 'owner', 'same', 'antonio', 'signed', NULL, '\x01')).body::text, (api.voice_approve('acc', 'u1', 'owner', 'same', 'antonio', 'signed', NULL, '\x01')).body::text);
SELECT t.eq(t.audits('voice_approve'), 'OK OK OK');

--- nobody chooses the voice of a call that is not his, is over, or of a suspended account
SELECT t.create('s1'), t.create('s2'), t.state('s2', 'ended');
SELECT t.eq((t.voice('both', who => 'u2', role => 'member')).status, 'FORBIDDEN'), t.eq((t.voice('both', who => 'v', role => 'viewer')).status, 'FORBIDDEN'), t.eq((t.voice('both', session => 's2')).status, 'SESSION_ENDED'), t.eq((t.voice('both', account => 'other')).status, 'SESSION_NOT_FOUND');
SELECT api.account_set('x', 'acc', 'suspended', NULL, NULL, NULL, NULL, NULL, '\x01');
SELECT t.eq((t.voice('both')).status, 'ACCOUNT_SUSPENDED');
