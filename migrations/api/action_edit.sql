-- action_edit.sql - other arguments for an action that nobody has carried out yet.

-- How often an action may be changed: its versions are kept.
CREATE FUNCTION lib.action_versions_max() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 100 $$;

-- The answer, with the token that is open now: kept answers have none.
CREATE FUNCTION lib.action_edited(reply api.reply, a lifeos.action) RETURNS api.reply
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        events json := lib.action_events(a);
BEGIN
        IF a.status = 'requires_confirmation' THEN
                reply.body := lib.merge(reply.body, lib.object('{confirmationToken,expiresAt,events}', ARRAY[
                        lib.js(events -> 'confirmation' -> 'payload' ->> 'confirmationToken'),
                        coalesce(events -> 'confirmation' -> 'payload' ->> 'expiresAt', 'null'), events::text]));
        END IF;
        RETURN reply;
END $$;

CREATE FUNCTION api.action_edit(account_id text, actor_id text, actor_role text, command_id text, session_id text,
                                action_id text, base_version bigint, payload json, summary text, command_hash bytea)
RETURNS api.reply
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        reply api.reply := lib.action_enter(account_id, actor_id, actor_role, session_id, command_id, command_hash,
                                            'action_edit');
        a lifeos.action;
        exact record;
BEGIN
        a := lib.action_find(account_id, session_id, action_id);
        IF reply.status = 'OK' THEN
                RETURN lib.action_edited(reply, a);
        ELSIF reply.status IS NOT NULL THEN
                RETURN reply;
        END IF;
        exact := lib.action_resolve(account_id, session_id, action_id, a.action_type, payload, actor_id, actor_role);
        IF a.action_id IS NULL THEN
                RETURN lib.refuse('ACTION_NOT_FOUND');
        ELSIF a.status NOT IN ('proposed', 'requires_confirmation') OR a.version >= lib.action_versions_max() THEN
                RETURN lib.refuse('ACTION_STATE');
        ELSIF a.version <> base_version THEN
                RETURN lib.refuse('ACTION_STATE', 'baseVersion: the action is at version ' || a.version);
        ELSIF exact.status <> 'OK' THEN
                RETURN lib.refuse(exact.status, exact.message);
        END IF;
        a.version := a.version + 1;
        a.request_hash := lib.hash(a.action_type, payload::text);
        summary := coalesce(summary, (SELECT v.summary FROM lifeos.action_version v WHERE v.account_id = a.account_id
                AND v.session_id = a.session_id AND v.action_id = a.action_id AND v.version = base_version));
        PERFORM lib.action_version_put(a, summary, exact.arguments, actor_id);
        IF a.status = 'requires_confirmation' THEN
                a.sequences := trim_array(a.sequences, 1)
                        || (lib.confirmation_issue(a, actor_id, summary, NULL)).sequence;
        END IF;
        PERFORM lib.action_save(a);
        PERFORM lib.action_audit(a, actor_id, actor_role, 'action_edit', 'OK');
        a := lib.action_find(account_id, session_id, action_id);
        reply := lib.receipt_put(account_id, actor_id, command_id, command_hash, 'action_edit', session_id,
                                 lib.stream_head(account_id, session_id),
                                 lib.object('{ok,action}', ARRAY['true', lib.action_json(a)::text]));
        RETURN lib.action_edited(reply, a);
END $$;
