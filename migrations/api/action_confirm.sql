-- action_confirm.sql - permissions to do one thing once: issued, shown again, redeemed, taken back.

-- What a human is asked to agree to. Whatever of it changes, his token fits no more.
CREATE FUNCTION lib.confirmation_binding(a lifeos.action, expires_at bigint) RETURNS bytea LANGUAGE sql VOLATILE AS $$
        SELECT lib.hash(a.account_id, a.session_id, a.action_id, a.action_type, (lib.action_version(a)).arguments::text,
                        lib.action_target(a.account_id, a.action_type), $2::text, lib.policy_version(), a.version::text)
$$;

CREATE FUNCTION lib.token_hash(token text) RETURNS bytea LANGUAGE sql STABLE AS
$$ SELECT sha256(convert_to(token, 'UTF8')) $$;

-- Ends the action's open confirmation, if it has one.
CREATE FUNCTION lib.confirmation_close(a lifeos.action, "to" text, actor_id text) RETURNS void LANGUAGE sql VOLATILE AS $$
        UPDATE lifeos.confirmation c SET state = $2, closed_at = lib.now_ms(), closed_by = $3
        WHERE c.account_id = a.account_id AND c.session_id = a.session_id AND c.action_id = a.action_id
              AND c.state = 'open'
$$;

-- What the screen asks: the caller's own words under what only we may say.
CREATE FUNCTION lib.confirmation_ui(a lifeos.action, reason text, token text, at bigint, expires_at bigint,
                                    ui_event json) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        given json := ui_event -> 'payload';
        exact json := (lib.action_version(a)).arguments;
        details text := lib.canonical('{action,callTimestamp,deliverableId,version}', ARRAY[
                to_json(a.action_type)::text, lib.ms(at)::text, (exact -> 'deliverableId')::text,
                (exact -> 'version')::text]);
        keys text[] := '{actionId,confirmationToken,details,expiresAt,riskTier,startedAt,timeout}';
        vals text[] := ARRAY[lib.js(a.action_id), lib.js(token), details, lib.ms(expires_at)::text,
                lib.js(a.risk_tier), lib.ms(at)::text, lib.ms(expires_at - at)::text];
BEGIN
        IF json_typeof(given) = 'object' THEN
                keys := keys || ARRAY(SELECT e.key FROM json_each(given) e WHERE e.key <> ALL (keys) ORDER BY e.key);
                vals := vals || ARRAY(SELECT e.value::text FROM json_each(given) e
                                      WHERE e.key <> ALL (keys[1:7]) ORDER BY e.key);
        END IF;
        IF 'message' <> ALL (keys) THEN
                keys := keys || '{message}'::text[];
                vals := vals || lib.js(reason);
        END IF;
        RETURN lib.canonical('{payload,type}', ARRAY[lib.canonical(keys, vals), '"confirm.required"']);
END $$;

-- A token for the action as it stands; those before it are void. Only its event has it in clear.
CREATE FUNCTION lib.confirmation_issue(a lifeos.action, actor_id text, reason text, ui_event json, OUT token text,
                                       OUT expires_at bigint, OUT sequence bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        at bigint := lib.now_ms();
BEGIN
        PERFORM lib.confirmation_close(a, 'void', actor_id);
        token := 'confirm_' || rtrim(translate(encode(lib.random16() || lib.random16(), 'base64'), '+/', '-_'), '=');
        expires_at := at + (lib.action_policy(a.account_id, a.action_type)).seconds * 1000000;
        INSERT INTO lifeos.confirmation (account_id, token_hash, session_id, action_id, version, binding,
                                         policy_version, issued_at, expires_at)
        VALUES (a.account_id, lib.token_hash(token), a.session_id, a.action_id, a.version,
                lib.confirmation_binding(a, expires_at), lib.policy_version(), at, expires_at);
        sequence := lib.action_emit(a, actor_id, 'action.requires_confirmation',
                '{actionType,confirmationToken,expiresAt,reason,riskTier,uiEvent,version}', ARRAY[
                        lib.js(a.action_type), lib.js(token), lib.ms(expires_at)::text, lib.js(reason),
                        lib.js(a.risk_tier), lib.confirmation_ui(a, reason, token, at, expires_at, ui_event),
                        a.version::text]);
END $$;
