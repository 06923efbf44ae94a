-- voice.sql - whose voice a call is answered in; a cloned one needs its user's consent and an approval in force.

CREATE FUNCTION lib.voices() RETURNS TABLE (persona text, voice_profile_id text, label text, cloned boolean)
LANGUAGE sql IMMUTABLE AS $$
        VALUES ('both', 'voice.default.both', 'Balanced Core', false),
               ('antonio', 'voice.clone.antonio', 'Antonio Clone', true),
               ('mariana', 'voice.clone.mariana', 'Mariana Clone', true)
$$;

CREATE FUNCTION lib.voice_in_force(a lifeos.voice_approval) RETURNS boolean LANGUAGE sql VOLATILE AS
$$ SELECT a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > lib.now()) $$;

-- Is this approval of this account good for this voice, now?
CREATE FUNCTION lib.voice_approved(account_id text, persona text, approval_id text) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
        SELECT EXISTS (SELECT FROM lifeos.voice_approval a WHERE a.account_id = $1 AND a.policy_approval_id = $3
                       AND a.persona = $2 AND lib.voice_in_force(a))
$$;

-- The voice of a session as it is now: an approval that was taken back silences it. A chat, or a call that was not
-- asked about it, has the voice that is nobody's.
CREATE FUNCTION lib.voice_state(account_id text, session_id text) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        meta json := (SELECT c.metadata FROM lifeos.call_session c
                      WHERE c.account_id = voice_state.account_id AND c.session_id = voice_state.session_id);
        consent boolean := coalesce(meta ->> 'clonedVoiceConsent' = 'true', false);
        approval text := nullif(meta ->> 'voicePolicyApprovalId', '');
BEGIN
        RETURN (SELECT lib.object('{persona,voiceProfileId,label,clonedVoice,clonedVoiceConsent,policyApprovalId,'
                                  'synthesisAllowed}', ARRAY[lib.js(v.persona), lib.js(v.voice_profile_id),
                        lib.js(v.label), v.cloned::text, consent::text, lib.js(approval),
                        (NOT v.cloned OR (consent AND lib.voice_approved(account_id, v.persona, approval)))::text])
                FROM lib.voices() v
                WHERE v.persona = coalesce((SELECT x.persona FROM lib.voices() x
                                            WHERE x.persona = meta ->> 'voicePersona'), 'both'));
END $$;

CREATE FUNCTION lib.voice_emit(s lifeos.call_session, actor_id text, type text, keys text[], vals text[])
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := lib.now_ms();
        cause text := 'voice/' || lib.stream_head(s.account_id, s.session_id);
BEGIN
        RETURN lib.emit(s.account_id, s.session_id, lib.event_id(s.id_salt, s.session_id, type, cause), type,
                        lib.canonical(keys, vals), 'session', actor_id, at, at);
END $$;

CREATE FUNCTION lib.voice_safety(s lifeos.call_session, actor_id text, action_id text, cloned boolean,
                                 approved boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN lib.voice_emit(s, actor_id, CASE WHEN approved THEN 'safety.approved' ELSE 'safety.blocked' END,
                '{actionId,actionType,decision,policyId,reason,riskTier}', ARRAY[lib.js(action_id),
                        '"voice.config.update"', CASE WHEN approved THEN '"approved"' ELSE '"blocked"' END,
                        CASE WHEN cloned THEN '"policy.voice.clone.explicit-consent"'
                             ELSE '"policy.default.allow"' END,
                        CASE WHEN NOT cloned THEN '"policy_pass_non_sensitive_action"'
                             WHEN approved THEN '"explicit_voice_clone_consent_and_policy_approval_received"'
                             ELSE '"explicit_voice_clone_consent_and_policy_approval_required"' END,
                        CASE WHEN cloned THEN '"high-risk-external-send"' ELSE '"low-risk-write"' END]);
END $$;

-- What the session keeps of it, before all that its client keeps there: that is cut, this is not.
CREATE FUNCTION lib.voice_keep(s lifeos.call_session, persona text, approval text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        ours json := lib.object('{voicePersona,clonedVoiceConsent,voicePolicyApprovalId}',
                                ARRAY[lib.js(persona), (approval <> '')::text, lib.js(approval)]);
        rest json := (SELECT lib.object(array_agg(e.key ORDER BY e.n), array_agg(e.value::text ORDER BY e.n))
                      FROM json_each(s.metadata) WITH ORDINALITY e(key, value, n) WHERE ours -> e.key IS NULL);
BEGIN
        UPDATE lifeos.call_session c SET metadata = lib.merge(ours, rest), updated_at = lib.now()
        WHERE c.account_id = s.account_id AND c.session_id = s.session_id;
END $$;

-- The voice as it was asked for, and allowed.
CREATE FUNCTION lib.voice_apply(s lifeos.call_session, persona text, approval text, cloned boolean, action_id text,
                                actor_id text) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        sequences bigint[] := ARRAY[lib.voice_safety(s, actor_id, action_id, cloned, true)];
        voice json;
        events json;
BEGIN
        PERFORM lib.voice_keep(s, persona, CASE WHEN cloned THEN approval ELSE '' END);
        voice := lib.voice_state(s.account_id, s.session_id);
        sequences := sequences || lib.voice_emit(s, actor_id, 'call.voice.config.updated',
                '{callId,clonedVoice,label,persona,policyId,synthesisAllowed,voiceProfileId}', ARRAY[
                        lib.js(s.session_id), cloned::text, (voice -> 'label')::text, lib.js(persona),
                        CASE WHEN cloned THEN '"policy.voice.clone.explicit-consent"'
                             ELSE '"policy.default.allow"' END,
                        voice ->> 'synthesisAllowed', (voice -> 'voiceProfileId')::text]);
        events := lib.event_published(s.account_id, s.session_id, sequences);
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = s.account_id
               AND c.session_id = s.session_id;
        RETURN lib.object('{ok,session,voiceConfig,events}', ARRAY['true', lib.session_json(s)::text, voice::text,
                lib.object('{safetyApproved,voiceConfigured}', ARRAY[(events -> 0)::text, (events -> 1)::text])
                ::text]);
END $$;

CREATE FUNCTION api.voice_set(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                              persona text, user_consent boolean, policy_approval_id text, action_id text,
                              command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        see record := lib.session_admit(account_id, actor_id, actor_role, session_id, 'write');
        wanted text := lower(btrim(persona));
        cloned boolean := (SELECT v.cloned FROM lib.voices() v WHERE v.persona = wanted);
        allowed boolean := NOT cloned OR (coalesce(user_consent, false)
                                          AND lib.voice_approved(account_id, wanted, policy_approval_id));
        s lifeos.call_session;
        blocked bigint;
        body json;
        reply api.reply := lib.command_begin(see.status, account_id, actor_id, session_id, command_id, command_hash,
                                             'voice_set');
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        SELECT * INTO STRICT s FROM lifeos.call_session c WHERE c.account_id = account_id AND c.session_id = session_id;
        IF cloned IS NULL THEN
                RETURN lib.refuse('INVALID_REQUEST', 'persona must be one of antonio, mariana, both');
        ELSIF s.status NOT IN ('created', 'active') THEN
                RETURN lib.refuse('SESSION_ENDED');
        END IF;
        action_id := coalesce(action_id, 'voice-config-' || left(encode(lib.hash(session_id, command_id), 'hex'), 16));
        IF allowed THEN
                body := lib.voice_apply(s, wanted, policy_approval_id, cloned, action_id, actor_id);
        ELSE
                blocked := lib.voice_safety(s, actor_id, action_id, cloned, false);
                body := lib.object('{blocked,event}', ARRAY['true', (lib.event_published(account_id, session_id,
                                   ARRAY[blocked]) -> 0)::text]);
        END IF;
        PERFORM lib.audit(account_id, session_id, actor_id, actor_role, 'voice_set',
                CASE WHEN allowed THEN 'OK' ELSE 'VOICE_POLICY_BLOCKED' END,
                lib.canonical('{actionId,persona,userConsent,policyApprovalId}', ARRAY[lib.js(action_id),
                        lib.js(wanted), coalesce(user_consent, false)::text, to_json(policy_approval_id)::text])::json);
        IF allowed THEN
                RETURN lib.receipt_put(account_id, actor_id, command_id, command_hash, 'voice_set', session_id,
                                       lib.stream_head(account_id, session_id), body);
        END IF;
        RETURN ('VOICE_POLICY_BLOCKED', NULL, body, account_id, session_id,
                lib.stream_head(account_id, session_id))::api.reply;
END $$;

-- ---- approvals ----

CREATE FUNCTION lib.approval_json(a lifeos.voice_approval) RETURNS json LANGUAGE sql VOLATILE AS $$
        SELECT row_to_json(j) FROM (SELECT
                a.policy_approval_id AS "policyApprovalId", a.persona AS "persona",
                a.voice_profile_id AS "voiceProfileId", a.grounds AS "grounds", a.approved_by AS "approvedBy",
                lib.ms(a.approved_at) AS "approvedAtMs", lib.ms(a.expires_at) AS "expiresAtMs",
                lib.ms(a.revoked_at) AS "revokedAtMs", a.revoked_by AS "revokedBy",
                lib.voice_in_force(a) AS "inForce") j
$$;

-- How a change of the account's approvals begins: for its owner and admins. NULL: go on.
CREATE FUNCTION lib.approval_enter(account_id text, actor_id text, actor_role text, command_id text,
                                   command_hash bytea, op text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        may text := lib.actor_check(account_id, actor_id, actor_role);
BEGIN
        IF may <> 'OK' THEN
                RETURN lib.refuse(may);
        ELSIF account_id = '*' OR actor_role NOT IN ('owner', 'admin') THEN
                RETURN lib.refuse('FORBIDDEN');
        END IF;
        PERFORM lib.stream_lock(account_id, '@account');
        RETURN lib.receipt_find(account_id, actor_id, command_id, command_hash, op);
END $$;

CREATE FUNCTION lib.approval_leave(a lifeos.voice_approval, actor_id text, actor_role text, command_id text,
                                   command_hash bytea, op text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        PERFORM lib.audit(a.account_id, '@account', actor_id, actor_role, op, 'OK', lib.approval_json(a));
        RETURN lib.receipt_put(a.account_id, actor_id, command_id, command_hash, op, NULL, NULL,
                               lib.object('{ok,approval}', ARRAY['true', lib.approval_json(a)::text]));
END $$;

CREATE FUNCTION api.voice_approve(account_id text, actor_id text, actor_role text, command_id text, persona text,
                                  grounds text, expires_at_ms bigint, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply := lib.approval_enter(account_id, actor_id, actor_role, command_id, command_hash,
                                              'voice_approve');
        at bigint := lib.now_ms();
        a lifeos.voice_approval;
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        ELSIF expires_at_ms * 1000 <= at THEN
                RETURN lib.refuse('INVALID_REQUEST', 'expiresAtMs is over');
        ELSIF grounds !~ '\S' THEN
                RETURN lib.refuse('INVALID_REQUEST', 'grounds: a text that is not blank is needed');
        END IF;
        INSERT INTO lifeos.account (account_id, created_at, updated_at) VALUES (account_id, at, at)
        ON CONFLICT DO NOTHING;
        INSERT INTO lifeos.voice_approval (account_id, policy_approval_id, persona, voice_profile_id, grounds,
                                           approved_by, approved_at, expires_at)
        VALUES (account_id, lib.new_id('approval'), persona, (SELECT v.voice_profile_id FROM lib.voices() v
                WHERE v.persona = persona), grounds, actor_id, at, expires_at_ms * 1000) RETURNING * INTO a;
        RETURN lib.approval_leave(a, actor_id, actor_role, command_id, command_hash, 'voice_approve');
END $$;

CREATE FUNCTION api.voice_revoke(account_id text, actor_id text, actor_role text, command_id text,
                                 policy_approval_id text, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        reply api.reply := lib.approval_enter(account_id, actor_id, actor_role, command_id, command_hash,
                                              'voice_revoke');
        a lifeos.voice_approval;
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        UPDATE lifeos.voice_approval x SET revoked_by = CASE WHEN x.revoked_at IS NULL THEN actor_id
                ELSE x.revoked_by END, revoked_at = coalesce(x.revoked_at, lib.now_ms())
        WHERE x.account_id = account_id AND x.policy_approval_id = policy_approval_id RETURNING * INTO a;
        IF NOT FOUND THEN
                RETURN lib.refuse('APPROVAL_NOT_FOUND');
        END IF;
        RETURN lib.approval_leave(a, actor_id, actor_role, command_id, command_hash, 'voice_revoke');
END $$;

-- Newest first; whoever is to use one must find it.
CREATE FUNCTION api.voice_approvals(account_id text, actor_id text, actor_role text, "limit" bigint) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        may text := lib.actor_check(account_id, actor_id, actor_role);
        reply api.reply;
BEGIN
        IF may <> 'OK' OR actor_role NOT IN ('owner', 'admin', 'member', 'viewer') THEN
                RETURN lib.refuse(CASE may WHEN 'OK' THEN 'FORBIDDEN' ELSE may END);
        END IF;
        reply.status := 'OK';
        SELECT lib.object('{ok,approvals}', ARRAY['true', '[' || coalesce(string_agg(lib.approval_json(a)::text, ','
                          ORDER BY a.approved_at DESC, a.policy_approval_id DESC), '') || ']'])
        INTO reply.body
        FROM (SELECT * FROM lifeos.voice_approval x WHERE x.account_id = account_id
              ORDER BY x.approved_at DESC, x.policy_approval_id DESC LIMIT coalesce("limit", 100)) a;
        RETURN reply;
END $$;
