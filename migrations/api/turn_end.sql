-- turn_end.sql - how a turn ended, once: its answer stays, with every event, for those who ask again.

-- The user chose a cloned voice that nobody approved: the words are there, the voice is not.
CREATE FUNCTION lib.turn_voice_block(c lifeos.conversation, t lifeos.turn) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF c.kind = 'chat' OR (lib.voice_state(c.account_id, c.conversation_id) ->> 'synthesisAllowed')::boolean THEN
                RETURN NULL;
        END IF;
        RETURN lib.turn_tell(c, t, 'safety.blocked', 'voice',
                             lib.object('{actionId,actionType,decision,policyId,reason,riskTier}',
                                        ARRAY[lib.js(t.turn_id), '"voice.synthesis"', '"blocked"',
                                              '"policy.voice.clone.explicit-consent"',
                                              '"cloned_voice_synthesis_blocked_until_approved"',
                                              '"high-risk-external-send"'])::text, lib.now_ms());
END $$;

-- How long what took. times: capture to backend, orchestrator, playback start, total, threshold.
CREATE FUNCTION lib.turn_timing(c lifeos.conversation, t lifeos.turn, times bigint[]) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        SELECT lib.turn_tell(c, t, 'call.turn.timing', '',
                             lib.object('{callId,captureToBackendMs,orchestratorMs,playbackStartMs,sloBreached,thresholdMs,'
                                        'totalMs,turnId}',
                                        ARRAY[lib.js(c.conversation_id), times[1]::text, times[2]::text, times[3]::text,
                                              (times[4] > times[5])::text, times[5]::text, times[4]::text,
                                              lib.js(t.turn_id)])::text, lib.now_ms())
$$;

-- What a call's client is told of a completed turn.
CREATE FUNCTION lib.turn_call_answer(c lifeos.conversation, t lifeos.turn, words text, speaker text) RETURNS json
LANGUAGE sql VOLATILE AS $$
        SELECT lib.object('{ok,sessionId,conversationId,turnId,messageId,speaker,text,incomplete,events}',
                          ARRAY['true', lib.js(c.conversation_id), lib.js(c.conversation_id), lib.js(t.turn_id),
                                lib.js(lib.turn_name(c, t.turn_id, 'msg_assistant')), lib.js(speaker),
                                lib.object('{content,speaker}', ARRAY[lib.js(words), lib.js(speaker)])::text,
                                (t.status = 'incomplete')::text,
                                lib.event_published(c.account_id, c.conversation_id, t.sequences)::text])
$$;

-- And a chat's.
CREATE FUNCTION lib.turn_chat_answer(c lifeos.conversation, t lifeos.turn, words text, speaker text, ui text[])
RETURNS json LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        keys text[] := '{ok,conversationId,turnId,messageId,contract,speaker,text,incomplete}';
        vals text[] := ARRAY['true', lib.js(c.conversation_id), lib.js(t.turn_id),
                lib.js(lib.turn_name(c, t.turn_id, 'msg_assistant')), '"v1.0"', lib.js(speaker), lib.js(words),
                (t.status = 'incomplete')::text];
BEGIN
        IF cardinality(ui) > 0 THEN
                keys := keys || 'events'::text;
                vals := vals || ('[' || array_to_string(ui, ',') || ']');
        END IF;
        RETURN lib.object(keys || '{legacy,usage}', vals || ARRAY[
                lib.object('{speaker,text}', ARRAY[lib.js(speaker), lib.js(words)])::text,
                lib.object('{inputTokens,outputTokens}', ARRAY[t.input_tokens::text, t.output_tokens::text])::text]);
END $$;

-- An answer: the agent's words, what it proposes, how long it took. The client reads the proposals last.
CREATE FUNCTION lib.turn_complete(c lifeos.conversation, t lifeos.turn, words text, speaker text, proposals json,
                                  times bigint[]) RETURNS lifeos.turn
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := lib.now_ms();
        cut boolean := t.status = 'incomplete';
        said text := coalesce(words, lib.turn_stored(t));
        who text := coalesce(speaker, t.persona);
        heard bigint;
        timed bigint;
        wanted lib.proposed;
BEGIN
        t.agent_ordinal := lib.turn_message(c, t, CASE WHEN cut THEN 'cut' ELSE 'complete' END, who, said);
        heard := lib.turn_say(c, t, 'agent', said, cut, at);
        wanted := lib.turn_propose(c, t, proposals);
        timed := lib.turn_timing(c, t, times);
        t.sequences := array_remove(t.sequences || heard || timed || lib.turn_voice_block(c, t), NULL)
                       || wanted.sequences;
        t.ended_at := lib.now_ms();
        t.answer := CASE c.kind WHEN 'call' THEN lib.turn_call_answer(c, t, said, who)
                                ELSE lib.turn_chat_answer(c, t, said, who, wanted.ui) END;
        PERFORM lib.meter_turn(c, t, timed, wanted.sequences);
        RETURN lib.turn_put(t);
END $$;

-- The answer of a turn that is over: a completed one's body, or its status with what there is.
CREATE FUNCTION lib.turn_answer(t lifeos.turn) RETURNS api.reply LANGUAGE sql VOLATILE AS $$
        SELECT lib.turn_reply(t.account_id, t.conversation_id, coalesce(t.code, 'OK'), t.message, t.answer, true)
$$;

CREATE FUNCTION api.turn_end(account_id text, session_id text, turn_id text, runner text, outcome text, code text,
                             message text, text text, speaker text, proposals json, response_id text, model text,
                             input_tokens bigint, output_tokens bigint, capture_to_backend_ms bigint,
                             orchestrator_ms bigint, playback_start_ms bigint, total_ms bigint, threshold_ms bigint)
RETURNS api.reply LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
        t lifeos.turn := lib.turn_lock(account_id, session_id, turn_id);
        c lifeos.conversation := lib.conversation_of(account_id, session_id);
BEGIN
        IF t.status IS NULL OR c.deleted_at IS NOT NULL THEN
                RETURN lib.refuse('CONVERSATION_NOT_FOUND');
        ELSIF t.status <> 'running' THEN
                RETURN lib.turn_answer(t);
        ELSIF t.runner <> runner THEN
                RETURN lib.refuse('TURN_INTERRUPTED');
        END IF;
        t.response_id := response_id;
        t.model := model;
        t.input_tokens := input_tokens;
        t.output_tokens := output_tokens;
        PERFORM lib.ai_spend(account_id, session_id, lib.tokens_sum(input_tokens, output_tokens));
        IF t.stop_at IS NOT NULL OR outcome = 'cancelled' THEN
                -- Who was told that it is stopped is not told something else afterwards.
                t := lib.turn_close(c, t, 'TURN_CANCELLED', coalesce(message, 'the turn was stopped'), text, speaker);
        ELSIF outcome = 'failed' THEN
                t := lib.turn_close(c, t, coalesce(code, 'AI_FAILED'), coalesce(message, 'the turn failed'), text, speaker);
        ELSE
                t.status := outcome;
                t := lib.turn_complete(c, t, text, speaker, CASE outcome WHEN 'completed' THEN proposals END,
                                       ARRAY[capture_to_backend_ms, orchestrator_ms, playback_start_ms, total_ms,
                                             threshold_ms]);
        END IF;
        RETURN lib.turn_answer(t);
END $$;
