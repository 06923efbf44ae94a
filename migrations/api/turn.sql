-- turn.sql - what every step of an AI turn does: its events, its two messages, how it ends without an answer.
--
-- Whoever changes a turn holds its conversation's stream: there is one order of turns, their words and their events.
-- What a turn does is told in the conversation's stream, under ids derived from it: told twice, it is there once.

-- What becomes of proposals: sequences of their events, and what a chat's client is told, {type,payload} each;
-- and the outreach that was drafted.
CREATE TYPE lib.proposed AS (sequences bigint[], ui text[], outreach text, outreach_version bigint);

-- An event of this turn; what: which of its kind.
CREATE FUNCTION lib.turn_tell(c lifeos.conversation, t lifeos.turn, type text, what text, payload text, ts bigint)
RETURNS bigint LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        SELECT lib.emit(c.account_id, c.conversation_id,
                        lib.event_id(c.id_salt, c.conversation_id, type, lib.ns(t.turn_id) || what), type, payload,
                        'session', t.actor_id, ts, t.received_at)
$$;

-- Whose turn it is now.
CREATE FUNCTION lib.turn_owner(c lifeos.conversation, t lifeos.turn, owner text, reason text, ts bigint) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        SELECT lib.turn_tell(c, t, 'call.turn.owner_changed', reason,
                             lib.object('{callId,owner,reason,turnId}',
                                        ARRAY[lib.js(c.conversation_id), lib.js(owner), lib.js(reason),
                                              lib.js(t.turn_id)])::text, ts)
$$;

-- Names of what a turn makes, the same whenever they are asked for.
CREATE FUNCTION lib.turn_name(c lifeos.conversation, turn_id text, prefix text) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT prefix || '_' || left(encode(lib.hash(encode(c.id_salt, 'hex'), c.conversation_id, turn_id, prefix), 'hex'),
                                     CASE WHEN starts_with(prefix, 'utt_') THEN 16 ELSE 32 END)
$$;

-- What one event can hold of a text: all of it, or so much that it stays readable as one, and then it says so. The
-- message keeps the rest.
CREATE FUNCTION lib.turn_words(words text, cut boolean, utterance_id text, speaker text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        over boolean := octet_length(lib.js(words)) > 100000;
BEGIN
        RETURN '{' || CASE WHEN cut THEN '"cut":true,' ELSE '' END || '"endMs":0,"speaker":' || lib.js(speaker)
               || ',"startMs":0,"text":' || lib.js(CASE WHEN over THEN left(words, 16384) ELSE words END)
               || CASE WHEN over THEN ',"shortened":true' ELSE '' END || ',"utteranceId":' || lib.js(utterance_id) || '}';
END $$;

-- A final of the user's or the agent's; NULL and nothing if there is no word in it.
CREATE FUNCTION lib.turn_say(c lifeos.conversation, t lifeos.turn, speaker text, words text, cut boolean, ts bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        utterance text := lib.turn_name(c, t.turn_id, 'utt_' || speaker);
BEGIN
        IF words !~ '\S' THEN
                RETURN NULL;
        END IF;
        RETURN lib.emit_said(c.account_id, c.conversation_id,
                             lib.event_id(c.id_salt, c.conversation_id, 'transcript.final', lib.ns(t.turn_id) || speaker),
                             'transcript.final', utterance, lib.turn_words(words, cut, utterance, speaker),
                             t.actor_id, ts, t.received_at);
END $$;

-- The next message of the conversation; the ordinal it got.
CREATE FUNCTION lib.message_add(c lifeos.conversation, t lifeos.turn, role text, state text, speaker text, content text)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        ordinal bigint;
        at bigint := lib.now_ms();
BEGIN
        UPDATE lifeos.conversation o SET messages = o.messages + 1, updated_at = at
        WHERE o.account_id = c.account_id AND o.conversation_id = c.conversation_id
        RETURNING o.messages INTO STRICT ordinal;
        INSERT INTO lifeos.message (account_id, conversation_id, ordinal, message_id, turn_id, role, state, speaker, content,
                                    created_at)
        VALUES (c.account_id, c.conversation_id, ordinal, lib.turn_name(c, t.turn_id, 'msg_' || role), t.turn_id, role,
                state, speaker, content, at);
        RETURN ordinal;
END $$;

-- The agent's message as it stays. An answer without a word leaves none.
CREATE FUNCTION lib.turn_message(c lifeos.conversation, t lifeos.turn, state text, speaker text, words text)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        IF t.agent_ordinal IS NOT NULL THEN
                UPDATE lifeos.message m SET state = turn_message.state, speaker = turn_message.speaker,
                       content = coalesce(words, '')
                WHERE m.account_id = t.account_id AND m.conversation_id = t.conversation_id
                      AND m.ordinal = t.agent_ordinal;
                RETURN t.agent_ordinal;
        ELSIF words ~ '\S' THEN
                RETURN lib.message_add(c, t, 'assistant', state, speaker, words);
        END IF;
        RETURN NULL;
END $$;

-- What is stored of the answer.
CREATE FUNCTION lib.turn_stored(t lifeos.turn) RETURNS text LANGUAGE sql VOLATILE AS $$
        SELECT coalesce((SELECT m.content FROM lifeos.message m
                         WHERE m.account_id = t.account_id AND m.conversation_id = t.conversation_id
                               AND m.ordinal = t.agent_ordinal), '')
$$;

-- Ends a turn that did not complete: what was said is kept and marked, the rest is an error or a stop. words: all that
-- was said; NULL: what is stored.
CREATE FUNCTION lib.turn_close(c lifeos.conversation, t lifeos.turn, code text, why text, words text, speaker text)
RETURNS lifeos.turn LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        at bigint := lib.now_ms();
        who text := coalesce(speaker, t.persona);
        said text := coalesce(nullif(words, ''), lib.turn_stored(t));
BEGIN
        t.agent_ordinal := lib.turn_message(c, t, 'cut', who, said);
        t.sequences := t.sequences || lib.turn_say(c, t, 'agent', said, true, at);
        IF code = 'TURN_CANCELLED' THEN
                t.sequences := t.sequences || lib.turn_owner(c, t, 'user', 'stopped', at);
        ELSE
                t.sequences := t.sequences || lib.turn_tell(c, t, 'call.error', '',
                        lib.object('{callId,code,message,retryable}',
                                   ARRAY[lib.js(c.conversation_id), lib.js(code), lib.js(coalesce(why, code)),
                                         lib.retryable(code)::text])::text, at);
        END IF;
        t.sequences := array_remove(t.sequences, NULL);
        t.status := CASE code WHEN 'TURN_CANCELLED' THEN 'cancelled' ELSE 'failed' END;
        t.code := code;
        t.message := why;
        t.ended_at := at;
        t.answer := lib.object('{turnId,conversationId,text,events}', ARRAY[lib.js(t.turn_id), lib.js(c.conversation_id),
                lib.object('{content,speaker}', ARRAY[lib.js(said), lib.js(who)])::text,
                lib.event_published(c.account_id, c.conversation_id, t.sequences)::text]);
        PERFORM lib.meter_turn(c, t, t.sequences[cardinality(t.sequences)], '{}');
        RETURN lib.turn_put(t);
END $$;

-- Its row, ended.
CREATE FUNCTION lib.turn_put(t lifeos.turn) RETURNS lifeos.turn
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
        UPDATE lifeos.turn o SET status = t.status, code = t.code, message = t.message, ended_at = t.ended_at,
               answer = t.answer, sequences = t.sequences, agent_ordinal = t.agent_ordinal, response_id = t.response_id,
               model = t.model, input_tokens = t.input_tokens, output_tokens = t.output_tokens
        WHERE o.account_id = t.account_id AND o.conversation_id = t.conversation_id AND o.turn_id = t.turn_id;
        RETURN t;
END $$;

-- Nobody runs it any more. Stopped before that, it is stopped.
CREATE FUNCTION lib.turn_lost(c lifeos.conversation, t lifeos.turn) RETURNS lifeos.turn
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        SELECT lib.turn_close(c, t, CASE WHEN t.stop_at IS NULL THEN 'TURN_INTERRUPTED' ELSE 'TURN_CANCELLED' END,
                              CASE WHEN t.stop_at IS NULL THEN 'the turn was interrupted' ELSE 'the turn was stopped' END,
                              NULL, NULL)
$$;

CREATE FUNCTION lib.conversation_of(account_id text, conversation_id text) RETURNS lifeos.conversation
LANGUAGE sql VOLATILE AS
$$ SELECT c FROM lifeos.conversation c WHERE c.account_id = $1 AND c.conversation_id = $2 $$;

-- The turn of this message. Two steps, each by a whole key: a plan made while the tables were young would walk all
-- turns of the conversation.
CREATE FUNCTION lib.turn_of(account_id text, conversation_id text, ordinal bigint) RETURNS lifeos.turn
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        whose text;
        t lifeos.turn;
BEGIN
        SELECT m.turn_id INTO whose FROM lifeos.message m
        WHERE m.account_id = account_id AND m.conversation_id = conversation_id AND m.ordinal = ordinal;
        SELECT * INTO t FROM lifeos.turn o
        WHERE o.account_id = account_id AND o.conversation_id = conversation_id AND o.turn_id = whose;
        RETURN t;
END $$;

-- The turn that runs; all NULL: none does. It is the newest message's, or none is.
CREATE FUNCTION lib.turn_running(c lifeos.conversation) RETURNS lifeos.turn
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        t lifeos.turn := lib.turn_of(c.account_id, c.conversation_id, c.messages);
BEGIN
        RETURN CASE t.status WHEN 'running' THEN t END;
END $$;

-- Waits for the conversation, and finds the turn as it is then. All NULL: there is none.
CREATE FUNCTION lib.turn_lock(account_id text, conversation_id text, turn_id text) RETURNS lifeos.turn
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
        t lifeos.turn;
BEGIN
        PERFORM lib.stream_lock(account_id, conversation_id);
        SELECT * INTO t FROM lifeos.turn o
        WHERE o.account_id = account_id AND o.conversation_id = conversation_id AND o.turn_id = turn_id;
        RETURN t;
END $$;

-- Ends a running turn whose lease is over. False: it is not one. The caller tells its listeners.
CREATE FUNCTION lib.turn_interrupt(account_id text, conversation_id text, turn_id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        t lifeos.turn := lib.turn_lock(account_id, conversation_id, turn_id);
BEGIN
        IF t.status = 'running' AND t.lease_until < lib.now() THEN
                PERFORM lib.turn_lost(lib.conversation_of(account_id, conversation_id), t);
                RETURN true;
        END IF;
        RETURN false;
END $$;

-- A reply about a turn; told: its stream has something new.
CREATE FUNCTION lib.turn_reply(account_id text, conversation_id text, status text, message text, body json, told boolean)
RETURNS api.reply LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
        SELECT (status, message, body, account_id, conversation_id,
                CASE WHEN told THEN lib.stream_head(account_id, conversation_id) END)::api.reply
$$;
