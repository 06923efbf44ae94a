-- turn_propose.sql - what the model wants done, from a completed answer: events, drafts, actions that wait for a human.
--
-- It comes from a model and is trusted with nothing: what makes no sense is left out, on record, and the turn goes on.
-- What it says of the user interface is told as it is, with our ids in it.

-- An object's members with these for those of the same names.
CREATE FUNCTION lib.with_members(given json, keys text[], vals text[]) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        k text[] := '{}';
        v text[] := '{}';
BEGIN
        IF json_typeof(given) = 'object' THEN
                SELECT coalesce(array_agg(e.key ORDER BY e.n), '{}'), coalesce(array_agg(e.value::text ORDER BY e.n), '{}')
                INTO k, v FROM json_each(given) WITH ORDINALITY e(key, value, n) WHERE e.key <> ALL (keys);
        END IF;
        RETURN lib.object(k || keys, v || vals);
END $$;

-- Left out, and on record.
CREATE FUNCTION lib.propose_blocked(c lifeos.conversation, t lifeos.turn, n integer, what text, reason text)
RETURNS bigint LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        SELECT lib.turn_tell(c, t, 'safety.blocked', 'proposal ' || n,
                             lib.object('{actionType,decision,policyId,reason,turnId}',
                                        ARRAY[lib.js(left(coalesce(what, 'unknown'), 64)), '"blocked"',
                                              '"policy.proposal.invalid"', lib.js(reason), lib.js(t.turn_id)])::text,
                             lib.now_ms())
$$;

-- A screen to open or close. Nothing is done by it, so there is nothing to confirm.
CREATE FUNCTION lib.propose_mode(c lifeos.conversation, t lifeos.turn, n integer, p json, INOUT done lib.proposed)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        on_off text := CASE WHEN p ->> 'activate' = 'false' THEN 'mode.deactivate' ELSE 'mode.activate' END;
        ui json := coalesce(p -> 'uiEvent', 'null');
BEGIN
        IF p ->> 'mode' !~ '^[A-Za-z0-9_.-]{1,40}$' OR p ->> 'mode' IS NULL OR octet_length(ui::text) > 65536 THEN
                done.sequences := done.sequences || lib.propose_blocked(c, t, n, on_off, 'no such mode');
                RETURN;
        END IF;
        done.sequences := done.sequences || lib.turn_tell(c, t, 'orchestration.action.requested', 'proposal ' || n,
                lib.object('{actionId,actionType,riskTier,summary,turnId,uiEvent}',
                           ARRAY[lib.js(lib.turn_name(c, t.turn_id, 'act_' || n)),
                                 lib.js(on_off || '.' || (p ->> 'mode')), '"read-only"', lib.js(on_off || ' ' || (p ->> 'mode')),
                                 lib.js(t.turn_id), ui::text])::text, lib.now_ms());
        IF json_typeof(ui) = 'object' THEN
                done.ui := done.ui || ui::text;
        END IF;
END $$;

-- A draft the answer brought along: stored as the model's, told with its id. A large one is told without its words.
CREATE FUNCTION lib.propose_deliverable(c lifeos.conversation, t lifeos.turn, n integer, p json,
                                        INOUT done lib.proposed)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        what text := p ->> 'deliverable';
        given json := p -> 'uiEvent' -> 'payload';
        kept record;
        ours text[];
        told json;
BEGIN
        IF what NOT IN ('cv', 'interview', 'outreach') OR what IS NULL THEN
                done.sequences := done.sequences || lib.propose_blocked(c, t, n, 'deliverable', 'no such kind');
                RETURN;
        END IF;
        kept := lib.deliverable_store(c.account_id, c.user_id, NULL, NULL, what, left(nullif(p ->> 'title', ''), 64),
                                      nullif(p ->> 'markdown', ''), CASE json_typeof(p -> 'data') WHEN 'object' THEN p -> 'data' END,
                                      'model', coalesce(t.model, 'assistant'), t.model, NULL, c.conversation_id, t.turn_id,
                                      NULL);
        IF kept.status <> 'OK' THEN
                done.sequences := done.sequences
                                  || lib.propose_blocked(c, t, n, 'deliverable.' || what || '.generated', kept.status);
                RETURN;
        END IF;
        ours := ARRAY[lib.js(kept.id), kept.version::text];
        done.ui := done.ui || lib.object('{type,payload}', ARRAY[lib.js('deliverable.' || what),
                lib.with_members(given, '{deliverableId,version}', ours)::text])::text;
        told := CASE WHEN octet_length(given::text) <= 65536 THEN given ELSE '{"omitted":true}' END;
        done.sequences := done.sequences || lib.turn_tell(c, t, 'action.proposed', 'proposal ' || n,
                lib.object('{actionId,actionType,deliverable,summary,turnId}',
                           ARRAY[lib.js(lib.turn_name(c, t.turn_id, 'act_' || n)),
                                 lib.js('deliverable.' || what || '.generated'),
                                 lib.with_members(told, '{deliverableId,version}', ours)::text,
                                 lib.js(coalesce(left(nullif(p ->> 'title', ''), 64), what)),
                                 lib.js(t.turn_id)])::text, lib.now_ms());
        IF what = 'outreach' THEN
                done.outreach := kept.id;
                done.outreach_version := kept.version;
        END IF;
END $$;

-- Something that is done only if a human says so, or asks for it himself.
CREATE FUNCTION lib.propose_action(c lifeos.conversation, t lifeos.turn, n integer, action_type text, summary text,
                                   arguments json, wanted_id text, ui json, INOUT done lib.proposed)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        made record := lib.action_propose(c.account_id, c.conversation_id, c.id_salt, t.actor_id, t.turn_id, n,
                                          action_type, summary, arguments, wanted_id, ui);
        asked json;
BEGIN
        IF made.refused IS NOT NULL THEN
                done.sequences := done.sequences || lib.propose_blocked(c, t, n, action_type, made.refused);
                RETURN;
        END IF;
        done.sequences := done.sequences || made.sequences;
        IF made.token IS NOT NULL THEN
                SELECT e.payload -> 'uiEvent' INTO asked FROM lifeos.event e
                WHERE e.account_id = c.account_id AND e.session_id = c.conversation_id
                      AND e.sequence = made.sequences[cardinality(made.sequences)];
                done.ui := done.ui || asked::text;
        END IF;
END $$;

-- The question the answer asks, bound to a real action: to send the message that was just drafted, or to agree.
CREATE FUNCTION lib.propose_confirm(c lifeos.conversation, t lifeos.turn, n integer, p json, INOUT done lib.proposed)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        question text := left(p ->> 'message', 1000);
BEGIN
        IF done.outreach IS NULL THEN
                done := lib.propose_action(c, t, n, 'assistant.confirm', question,
                                           lib.object('{message}', ARRAY[lib.js(question)]), p ->> 'actionId',
                                           p -> 'uiEvent', done);
        ELSE
                done := lib.propose_action(c, t, n, 'outreach.requestSend', question,
                                           lib.object('{deliverableId,version}', ARRAY[lib.js(done.outreach),
                                                      done.outreach_version::text]), p ->> 'actionId', p -> 'uiEvent',
                                           done);
        END IF;
END $$;

CREATE FUNCTION lib.propose_one(c lifeos.conversation, t lifeos.turn, n integer, p json, done lib.proposed)
RETURNS lib.proposed LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF json_typeof(p) <> 'object' THEN
                p := '{}';
        END IF;
        CASE p ->> 'kind'
                WHEN 'mode' THEN done := lib.propose_mode(c, t, n, p, done);
                WHEN 'deliverable' THEN done := lib.propose_deliverable(c, t, n, p, done);
                WHEN 'confirm' THEN done := lib.propose_confirm(c, t, n, p, done);
                WHEN 'action' THEN done := lib.propose_action(c, t, n, p ->> 'actionType', p ->> 'summary',
                                                              coalesce(p -> 'arguments', '{}'), NULL, NULL, done);
                WHEN 'speaker' THEN
                        IF p ->> 'speaker' IS NOT NULL THEN
                                done.ui := done.ui || lib.object('{type,payload}', ARRAY['"speaker.change"',
                                        lib.object('{speaker}', ARRAY[lib.js(left(p ->> 'speaker', 64))])::text])::text;
                        END IF;
                ELSE done.sequences := done.sequences || lib.propose_blocked(c, t, n, p ->> 'kind', 'no such proposal');
        END CASE;
        RETURN done;
END $$;

-- All of them, in their order but for questions, which come last: they may be about what was drafted beside them.
CREATE FUNCTION lib.turn_propose(c lifeos.conversation, t lifeos.turn, proposals json) RETURNS lib.proposed
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        most CONSTANT integer := 32;
        done lib.proposed := ('{}', '{}', NULL, NULL);
        p record;
BEGIN
        IF json_typeof(proposals) IS DISTINCT FROM 'array' THEN
                RETURN done;
        END IF;
        FOR p IN SELECT e.value, e.n::integer AS n FROM json_array_elements(proposals) WITH ORDINALITY e(value, n)
                 WHERE e.n <= most
                 ORDER BY json_typeof(e.value) = 'object' AND coalesce(e.value ->> 'kind' = 'confirm', false), e.n LOOP
                done := lib.propose_one(c, t, p.n, p.value, done);
        END LOOP;
        IF json_array_length(proposals) > most THEN
                done.sequences := done.sequences || lib.propose_blocked(c, t, most + 1, NULL, 'too many proposals');
        END IF;
        RETURN done;
END $$;
