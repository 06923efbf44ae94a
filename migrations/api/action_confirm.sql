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
        -- Of more than an event can hold nothing is shown.
        given json := CASE WHEN octet_length(ui_event::text) <= 32768 THEN ui_event -> 'payload' END;
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

-- May this token be redeemed for the action as it stands, now? OK, or why not.
CREATE FUNCTION lib.confirmation_check(a lifeos.action, token text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        c lifeos.confirmation;
        policy record := lib.action_policy(a.account_id, a.action_type);
BEGIN
        SELECT * INTO c FROM lifeos.confirmation x
        WHERE x.account_id = a.account_id AND x.token_hash = lib.token_hash(token) AND x.session_id = a.session_id
              AND x.action_id = a.action_id;
        RETURN CASE
                WHEN c.token_hash IS NULL THEN 'CONFIRMATION_INVALID'
                WHEN a.status = 'expired' THEN 'CONFIRMATION_EXPIRED'
                WHEN a.status <> 'requires_confirmation' OR lib.action_forgotten(a) THEN 'ACTION_STATE'
                WHEN c.state <> 'open' OR c.version <> a.version THEN 'CONFIRMATION_INVALID'
                WHEN c.expires_at <= lib.now() THEN 'CONFIRMATION_EXPIRED'
                WHEN policy.rule = 'refuse' THEN 'ACTION_REFUSED'
                WHEN policy.does = 'send' AND lib.action_target(a.account_id, a.action_type) IS NULL
                        THEN 'DELIVERY_NOT_CONFIGURED'
                WHEN c.binding <> lib.confirmation_binding(a, c.expires_at) THEN 'CONFIRMATION_INVALID'
                ELSE 'OK' END;
END $$;

-- The action is done, or over, or as it was and the token is refused; each of them is audited.
CREATE FUNCTION lib.action_redeem(a lifeos.action, token text, actor_id text, actor_role text, command_id text,
                                  command_hash bytea, op text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        status text;
        reply api.reply;
BEGIN
        -- From here to COMMIT neither the address nor the tenant's rules change: what is checked is what is done.
        PERFORM 1 FROM lifeos.account c WHERE c.account_id = a.account_id FOR SHARE;
        status := lib.confirmation_check(a, token);
        IF status = 'OK' THEN
                PERFORM lib.confirmation_close(a, 'used', actor_id);
                a.sequences := a.sequences[1:1];
                a := lib.action_gate(a, actor_id, true);
        ELSIF status = 'CONFIRMATION_EXPIRED' AND a.status = 'requires_confirmation' THEN
                a := lib.action_lapse(a, actor_id);
        ELSIF status IN ('ACTION_REFUSED', 'DELIVERY_NOT_CONFIGURED') THEN
                a := lib.action_give_up(a, 'failed', status, 'when it was confirmed, it was not possible any more',
                                        actor_id);
        ELSE
                PERFORM lib.action_audit(a, actor_id, actor_role, op, status);
                reply := lib.refuse(status);
                RETURN reply;
        END IF;
        RETURN lib.action_leave(a, actor_id, actor_role, command_id, command_hash, op);
END $$;

-- Nobody confirmed it in time.
CREATE FUNCTION lib.action_lapse(a lifeos.action, actor_id text) RETURNS lifeos.action
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        RETURN lib.action_give_up(a, 'expired', 'CONFIRMATION_EXPIRED', 'nobody confirmed it in time', actor_id);
END $$;

-- Asked for again while it waits: the same token, if it would still do; else a fresh one in its place.
CREATE FUNCTION lib.action_remind(a lifeos.action, actor_id text, actor_role text) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        status text := lib.confirmation_check(a, lib.action_events(a) -> 'confirmation' -> 'payload'
                                                 ->> 'confirmationToken');
BEGIN
        IF status = 'OK' THEN
                RETURN lib.action_answer(a);
        ELSIF status = 'CONFIRMATION_EXPIRED' THEN
                a := lib.action_lapse(a, actor_id);
        ELSIF status = 'DELIVERY_NOT_CONFIGURED' OR lib.action_forgotten(a) THEN
                RETURN lib.refuse(CASE WHEN lib.action_forgotten(a) THEN 'ACTION_STATE' ELSE status END);
        ELSIF status = 'ACTION_REFUSED' THEN
                a := lib.action_gate(a, actor_id, false);
        ELSE
                a.sequences := trim_array(a.sequences, 1)
                        || (lib.confirmation_issue(a, actor_id, (lib.action_version(a)).summary, NULL)).sequence;
        END IF;
        -- Never a good end: no command to keep it for.
        RETURN lib.action_leave(a, actor_id, actor_role, NULL, NULL, 'action_execute');
END $$;

CREATE FUNCTION api.action_confirm(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                                   action_id text, confirmation_token text, command_hash bytea) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        reply api.reply := lib.action_enter(account_id, actor_id, actor_role, session_id, command_id, command_hash,
                                            'action_confirm');
        a lifeos.action;
BEGIN
        IF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        a := lib.action_find(account_id, session_id, action_id);
        IF a.action_id IS NULL THEN
                RETURN lib.refuse('ACTION_NOT_FOUND');
        END IF;
        RETURN lib.action_redeem(a, confirmation_token, actor_id, actor_role, command_id, command_hash,
                                 'action_confirm');
END $$;
