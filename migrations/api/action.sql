-- action.sql - what all that happens to actions is made of: the policy's word, arguments, events, proposals.

-- One compact JSON object, its members in the order of their names; those without a value are left out.
CREATE FUNCTION lib.canonical(keys text[], vals text[]) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT '{' || coalesce(string_agg(to_json(m.k)::text || ':' || m.v, ',' ORDER BY m.k COLLATE "C"), '') || '}'
        FROM unnest(keys, vals) m(k, v) WHERE m.v IS NOT NULL
$$;

-- What the policy says of this type for this tenant: the stricter of the two rules. rule is NULL: no such type.
CREATE FUNCTION lib.action_policy(account_id text, action_type text, OUT tier text, OUT rule text, OUT does text,
                                  OUT kind text, OUT seconds bigint) LANGUAGE sql STABLE AS $$
        SELECT t.tier, CASE WHEN 'refuse' IN (t.rule, r.rule) THEN 'refuse'
                            WHEN 'confirm' IN (t.rule, r.rule) THEN 'confirm' ELSE t.rule END, t.does, t.kind, t.seconds
        FROM (SELECT $2) given(action_type)
        LEFT JOIN lib.action_types() t ON t.action_type = given.action_type
        LEFT JOIN lifeos.action_rule r ON r.account_id = $1 AND r.action_type = t.action_type
$$;

-- Where it would go to: as much a part of what is confirmed as the words.
CREATE FUNCTION lib.action_target(account_id text, action_type text) RETURNS text LANGUAGE sql VOLATILE AS $$
        SELECT a.delivery_url FROM lifeos.account a, lib.action_types() t
        WHERE a.account_id = $1 AND t.action_type = $2 AND t.does = 'send'
$$;

-- What is wrong with the arguments, by name and never by value; NULL: nothing.
CREATE FUNCTION lib.action_fault(action_type text, arguments json) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        m record;
        name text;
BEGIN
        IF json_typeof(arguments) <> 'object' THEN
                RETURN 'payload: an object is needed';
        END IF;
        FOR m IN SELECT e.key, e.value, r.kind, r.max FROM json_each(arguments) e
                 LEFT JOIN lib.action_arguments() r ON r.action_type = action_type AND r.name = e.key LOOP
                name := CASE WHEN m.key ~ '^[A-Za-z0-9_.-]{1,64}$' THEN m.key ELSE 'an argument' END;
                IF m.kind IS NULL THEN
                        RETURN name || ': not an argument of this type';
                ELSIF json_typeof(m.value) = 'null' THEN
                        CONTINUE;
                ELSIF m.kind = 'text' AND (json_typeof(m.value) <> 'string' OR m.value #>> '{}' !~ '\S') THEN
                        RETURN name || ': a text that is not blank is needed';
                ELSIF m.kind = 'object' AND json_typeof(m.value) <> 'object' THEN
                        RETURN name || ': an object is needed';
                ELSIF m.kind = 'count' AND (m.value::text !~ '^[1-9]\d{0,14}$' OR m.value::text::bigint > m.max) THEN
                        RETURN name || ': an integer from 1 to ' || m.max || ' is needed';
                ELSIF m.kind <> 'count' AND octet_length(m.value #>> '{}') > m.max THEN
                        RETURN name || ': at most ' || m.max || ' bytes';
                END IF;
        END LOOP;
        RETURN (SELECT min(r.name) || ': needed' FROM lib.action_arguments() r WHERE r.action_type = action_type
                AND r.required AND coalesce(json_typeof(arguments -> r.name), 'null') = 'null');
END $$;

-- The words of an outreach, as the member of the message that carries them; value NULL: there are none.
CREATE FUNCTION lib.outreach_words(data json, markdown text, OUT key text, OUT value text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        key := 'message';
        IF json_typeof(data -> 'messages') = 'array' AND json_array_length(data -> 'messages') > 0 THEN
                key := 'messages';
                value := data ->> 'messages';
        ELSIF (data -> 'message')::text !~ '^(null|""|\{\}|\[\])$' THEN
                value := (data -> 'message')::text;
        ELSIF coalesce(data ->> 'body', data ->> 'text') ~ '\S' THEN
                value := data::text;
        ELSIF markdown ~ '\S' THEN
                value := lib.js(markdown);
        END IF;
END $$;

-- The deliverable the arguments name, in the version they name or its latest, if whoever acts may see it: it is his,
-- its account is his to run, or it was made in this session. role NULL: the model, for the session's user.
CREATE FUNCTION lib.action_deliverable(account_id text, session_id text, kind text, arguments json, actor_id text,
                                       actor_role text) RETURNS lifeos.deliverable_version
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        d lifeos.deliverable;
        v lifeos.deliverable_version;
BEGIN
        SELECT * INTO d FROM lifeos.deliverable x WHERE x.account_id = account_id
               AND x.deliverable_id = arguments ->> 'deliverableId' AND x.kind = kind;
        IF NOT FOUND OR NOT (lib.access(coalesce(actor_role, 'member'), actor_id, d.user_id, 'read') = 'OK'
                             OR coalesce(d.session_id = session_id, false)) THEN
                RETURN NULL;
        END IF;
        SELECT * INTO v FROM lifeos.deliverable_version x WHERE x.account_id = account_id
               AND x.deliverable_id = d.deliverable_id
               AND x.version = coalesce((arguments ->> 'version')::bigint, d.latest);
        RETURN v;
END $$;

-- What exactly would be done, as text: this is what is hashed, confirmed and carried out. What is sent is put together
-- here and now, so that nobody can change it behind the back of whoever confirms it.
CREATE FUNCTION lib.action_resolve(account_id text, session_id text, action_id text, action_type text, given json,
                                   actor_id text, actor_role text, OUT status text, OUT message text,
                                   OUT arguments text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        policy record := lib.action_policy(account_id, action_type);
        v lifeos.deliverable_version;
        words record;
BEGIN
        message := lib.action_fault(action_type, given);
        status := CASE WHEN message IS NULL THEN 'OK' ELSE 'ACTION_INVALID' END;
        arguments := given::text;
        IF status = 'OK' AND given ->> 'deliverableId' IS NOT NULL THEN
                v := lib.action_deliverable(account_id, session_id, policy.kind, given, actor_id, actor_role);
                status := CASE WHEN v.version IS NULL THEN 'DELIVERABLE_NOT_FOUND' ELSE 'OK' END;
        END IF;
        IF status <> 'OK' OR policy.does <> 'send' THEN
                RETURN;
        END IF;
        words := lib.outreach_words(coalesce(given -> 'data', v.data),
                                    CASE WHEN given ->> 'data' IS NULL THEN v.markdown END);
        IF words.value IS NULL THEN
                status := 'ACTION_INVALID';
                message := 'data: no message in it, nor in a deliverable';
        ELSIF lib.action_target(account_id, action_type) IS NULL THEN
                status := 'DELIVERY_NOT_CONFIGURED';
        END IF;
        arguments := lib.canonical(ARRAY['actionId', 'deliverableId', words.key, 'recipient', 'requestedBy',
                'sessionId', 'version'], ARRAY[to_json(action_id)::text, to_json(v.deliverable_id)::text, words.value,
                to_json(coalesce(given ->> 'recipient', coalesce(given -> 'data', v.data) ->> 'recipient'))::text,
                to_json(actor_id)::text, to_json(session_id)::text, v.version::text]);
END $$;

CREATE FUNCTION lib.action_salt(account_id text, session_id text) RETURNS bytea LANGUAGE sql VOLATILE AS $$
        SELECT coalesce((SELECT c.id_salt FROM lifeos.call_session c WHERE c.account_id = $1 AND c.session_id = $2),
                        (SELECT c.id_salt FROM lifeos.conversation c WHERE c.account_id = $1
                         AND c.conversation_id = $2))
$$;

-- One event of an action; the caller holds the stream. Returns its sequence.
CREATE FUNCTION lib.action_emit(a lifeos.action, actor_id text, type text, keys text[], vals text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := lib.now_ms();
        cause text := a.action_id || '/' || lib.stream_head(a.account_id, a.session_id);
BEGIN
        RETURN lib.emit(a.account_id, a.session_id,
                        lib.event_id(lib.action_salt(a.account_id, a.session_id), a.session_id, type, cause), type,
                        lib.canonical('{actionId}' || keys, lib.js(a.action_id) || vals), 'session', actor_id, at, at);
END $$;

-- Audited on the action's stream: who decided what about which version of it, and what became of it.
CREATE FUNCTION lib.action_audit(a lifeos.action, actor_id text, actor_role text, what text, outcome text,
                                 keys text[] DEFAULT '{}', vals text[] DEFAULT '{}') RETURNS void
LANGUAGE sql VOLATILE AS $$
        SELECT lib.audit(a.account_id, a.session_id, actor_id, actor_role, what, outcome,
                         lib.canonical('{actionId,actionType,status,version,policyVersion}'::text[] || keys,
                                       ARRAY[lib.js(a.action_id), lib.js(a.action_type), lib.js(a.status),
                                             a.version::text, lib.js(lib.policy_version())] || vals)::json)
$$;

-- The version that counts, and what it says is to be done.
CREATE FUNCTION lib.action_version(a lifeos.action) RETURNS lifeos.action_version LANGUAGE sql VOLATILE AS $$
        SELECT v FROM lifeos.action_version v WHERE v.account_id = a.account_id AND v.session_id = a.session_id
               AND v.action_id = a.action_id AND v.version = a.version
$$;

-- Its words were erased: nobody can say any more what would be done.
CREATE FUNCTION lib.action_forgotten(a lifeos.action) RETURNS boolean LANGUAGE sql VOLATILE AS
$$ SELECT (lib.action_version(a)).arguments IS NULL $$;

CREATE FUNCTION lib.action_version_put(a lifeos.action, summary text, arguments text, author_id text) RETURNS void
LANGUAGE sql VOLATILE AS $$
        INSERT INTO lifeos.action_version (account_id, session_id, action_id, version, summary, arguments,
                                           content_hash, author_kind, author_id, created_at)
        VALUES (a.account_id, a.session_id, a.action_id, a.version, $2, $3::json, lib.hash(a.action_type, $3, $2),
                CASE WHEN a.version = 1 THEN a.asked_by ELSE 'human' END, $4, lib.now_ms())
$$;

-- A new action with its first version; the caller holds the stream and has seen that the id is free.
CREATE FUNCTION lib.action_put(a lifeos.action, summary text, arguments text) RETURNS lifeos.action
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        a.version := 1;
        a.policy_version := lib.policy_version();
        a.metadata := coalesce(a.metadata, '{}');
        a.created_at := lib.now_ms();
        a.updated_at := a.created_at;
        a.sequences := '{}';
        INSERT INTO lifeos.action VALUES (a.*);
        PERFORM lib.action_version_put(a, summary, arguments, a.actor_id);
        RETURN a;
END $$;

-- The row as the caller has changed it.
CREATE FUNCTION lib.action_save(a lifeos.action) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        UPDATE lifeos.action x SET status = a.status, version = a.version, rule = a.rule,
               policy_version = a.policy_version, request_hash = a.request_hash, runner = a.runner,
               lease_until = a.lease_until, updated_at = lib.now_ms(), decided_at = a.decided_at,
               decided_by = a.decided_by, ended_at = a.ended_at, code = a.code, message = a.message,
               result_ref = a.result_ref, sequences = a.sequences, deliverable_id = a.deliverable_id,
               deliverable_version = a.deliverable_version
        WHERE x.account_id = a.account_id AND x.session_id = a.session_id AND x.action_id = a.action_id;
END $$;

-- What the model wants done becomes an action that waits for a human. refused: why not, and nothing is written.
CREATE FUNCTION lib.action_propose(account_id text, session_id text, id_salt bytea, actor_id text, turn_id text,
                                   ordinal integer, action_type text, summary text, arguments json, wanted_id text,
                                   ui_event json, OUT action_id text, OUT sequences bigint[], OUT token text,
                                   OUT expires_at bigint, OUT refused text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        policy record := lib.action_policy(account_id, action_type);
        a lifeos.action;
        exact record;
        issued record;
BEGIN
        action_id := 'act_' || left(encode(lib.hash(encode(id_salt, 'hex'), turn_id, ordinal::text), 'hex'), 32);
        IF wanted_id ~ '^[A-Za-z0-9_.:-]{1,100}$' AND NOT EXISTS (SELECT FROM lifeos.action x
                WHERE x.account_id = account_id AND x.session_id = session_id AND x.action_id = wanted_id) THEN
                action_id := wanted_id;
        END IF;
        exact := lib.action_resolve(account_id, session_id, action_id, action_type, coalesce(arguments, '{}'),
                                    actor_id, NULL);
        refused := CASE WHEN policy.rule IS NULL THEN 'UNSUPPORTED_ACTION_TYPE'
                        WHEN policy.rule = 'refuse' THEN 'ACTION_REFUSED'
                        -- The answer asks it anyhow; who says yes hears that nothing can be sent.
                        WHEN exact.status NOT IN ('OK', 'DELIVERY_NOT_CONFIGURED') THEN exact.status END;
        IF refused IS NOT NULL THEN
                action_id := NULL;
                RETURN;
        END IF;
        summary := left(coalesce(nullif(btrim(summary), ''), action_type), 1000);
        a.account_id := account_id;
        a.session_id := session_id;
        a.action_id := action_id;
        a.action_type := action_type;
        a.status := 'proposed';
        a.asked_by := 'model';
        a.actor_id := actor_id;
        a.turn_id := turn_id;
        a.risk_tier := policy.tier;
        a.rule := policy.rule;
        a.request_hash := lib.hash(action_type, coalesce(arguments, '{}')::text);
        a := lib.action_put(a, summary, exact.arguments);
        a.sequences := ARRAY[lib.action_emit(a, actor_id, 'action.proposed', '{actionType,riskTier,summary,turnId}',
                ARRAY[lib.js(action_type), lib.js(policy.tier), lib.js(summary), lib.js(turn_id)])];
        IF policy.rule = 'confirm' THEN
                a.status := 'requires_confirmation';
                issued := lib.confirmation_issue(a, actor_id, summary, ui_event);
                a.sequences := a.sequences || issued.sequence;
                token := issued.token;
                expires_at := issued.expires_at;
        END IF;
        PERFORM lib.action_save(a);
        PERFORM lib.action_audit(a, actor_id, 'model', 'action_propose', 'OK');
        sequences := a.sequences;
END $$;
