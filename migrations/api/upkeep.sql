-- upkeep.sql - is the database well, and what is kept for how long.

CREATE FUNCTION api.health(deep boolean) RETURNS api.reply
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        reply api.reply;
BEGIN
        reply.status := 'OK';
        reply.body := lib.object('{ok,database,parkedWebhooks,outboxWaiting,deadLettersOpen,usageUnsigned}',
                                 ARRAY['true', '"ok"', lib.parked_count(1000000)::text,
                                       lib.outbox_waiting(1000000)::text, lib.dead_letters_open(1000000)::text,
                                       lib.usage_unsigned(1000000)::text]);
        RETURN reply;
END $$;

-- Removes what has outlived its purpose, at most max_rows of each kind a call: receipts after 72 hours, webhook
-- receipts after 30 days, webhooks that found no session after 24 hours. Returns how many rows went; call again while
-- it is full.
CREATE FUNCTION api.maintain(max_rows bigint DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
        now bigint := lib.now();
        hour bigint := 3600000000;
        gone bigint := 0;
        n bigint;
BEGIN
        DELETE FROM lifeos.command_receipt d USING (
                SELECT c.account_id, c.actor_id, c.command_key FROM lifeos.command_receipt c
                WHERE c.created_at < now - 72 * hour ORDER BY c.created_at LIMIT max_rows FOR UPDATE SKIP LOCKED) o
        WHERE (d.account_id, d.actor_id, d.command_key) = (o.account_id, o.actor_id, o.command_key);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
        WITH expired AS (
                DELETE FROM lifeos.provider_parked d USING (
                        SELECT p.provider_event_id FROM lifeos.provider_parked p WHERE p.parked_at < now - 24 * hour
                        ORDER BY p.parked_at LIMIT max_rows FOR UPDATE SKIP LOCKED) o
                WHERE d.provider_event_id = o.provider_event_id RETURNING d.provider_event_id)
        UPDATE lifeos.provider_receipt r SET result = 'expired' FROM expired e
        WHERE r.provider_event_id = e.provider_event_id;
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
        DELETE FROM lifeos.provider_receipt d USING (
                SELECT r.provider_event_id FROM lifeos.provider_receipt r WHERE r.recorded_at < now - 30 * 24 * hour
                ORDER BY r.recorded_at LIMIT max_rows FOR UPDATE SKIP LOCKED) o
        WHERE d.provider_event_id = o.provider_event_id;
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
        DELETE FROM lifeos.provider_room d USING (
                SELECT r.room_name FROM lifeos.provider_room r
                WHERE r.account_id IS NULL AND r.created_at < now - 25 * hour
                      AND NOT EXISTS (SELECT 1 FROM lifeos.provider_parked p WHERE p.room_name = r.room_name)
                ORDER BY r.created_at LIMIT max_rows FOR UPDATE SKIP LOCKED) o
        WHERE d.room_name = o.room_name;
        GET DIAGNOSTICS n = ROW_COUNT;
        RETURN gone + n;
END $$;
