--- a call's seconds are one usage record, one event and one ledger entry, each naming the other, all in the call's end
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":2,"per":60},"call.participant.seconds":{"minor":0,"per":1}}');
SELECT t.call('s1', 125);
SELECT t.eq((SELECT string_agg(r.meter_id || ' ' || r.quantity || ' ' || r.outcome || ' ' || r.source_event_id, ';' ORDER BY r.meter_id)
             FROM lifeos.usage_record r), (SELECT 'call.duration.seconds 125 used ' || e.event_id || ';call.participant.seconds 123 used ' || e.event_id
             FROM lifeos.event e WHERE e.type = 'call.ended'));
SELECT t.eq((SELECT string_agg(e.type, ' ' ORDER BY e.sequence) FROM lifeos.event e WHERE e.sequence > 2), 'call.ended billing.usage.recorded billing.usage.recorded');
SELECT t.eq(e.payload ->> 'billableSeconds' || (e.payload ->> 'unit') || (e.payload ->> 'quantity') || (e.payload ->> 'meterId'), '125seconds125call.duration.seconds')
FROM lifeos.event e WHERE e.type = 'billing.usage.recorded' ORDER BY e.sequence LIMIT 1;
SELECT t.eq(string_agg(l.debit || ' ' || l.credit || ' ' || l.currency || l.amount || ' ' || l.book || l.version, ';' ORDER BY l.meter_id),
            'customer revenue:call.duration.seconds EUR4 *1;customer revenue:call.participant.seconds EUR0 *1') FROM lifeos.ledger_entry l;
SELECT t.eq(t.books(), 'even'), t.eq(t.chains(), 'whole');
SELECT t.eq((SELECT count(*) FROM lifeos.dead_letter), 0);

--- a call that ends twice, or whose end is told by everybody, is billed once
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1},"call.participant.seconds":{"minor":1,"per":1}}');
SELECT t.call('s1', 60);
SELECT t.hook('E8', 'participant_left', 'lk_room_s1', part => 'PA_1', at => 99), t.hook('E9', 'room_finished', 'lk_room_s1', at => 100), t.state('s1', 'ended'), t.sweep('s1');
SELECT t.eq((SELECT count(*) FROM lifeos.usage_record), 2), t.eq((SELECT count(*) FROM lifeos.ledger_entry), 2), t.eq(t.books(), 'even');

--- calls too short to count and calls nobody answered are recorded as that, and cost nothing
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1},"call.participant.seconds":{"minor":1,"per":1}}');
SELECT t.create('s1'), t.state('s1', 'ended'), t.create('s2'), t.state('s2', 'active'), t.state('s2', 'ended'), t.create('s3'), t.state('s3', 'failed');
SELECT t.eq(string_agg(r.session_id || r.outcome || r.quantity, ' ' ORDER BY r.session_id), 's1failed0 s2zero0 s3failed0')
FROM lifeos.usage_record r WHERE r.meter_id = 'call.duration.seconds';
SELECT t.eq((SELECT sum(l.amount)::bigint FROM lifeos.ledger_entry l), 0), t.eq((SELECT count(*) FROM lifeos.ledger_entry), 6);

--- rounding is over all usage of a tenant at a price, whatever the order: never more than one minor unit from exact
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":60},"call.participant.seconds":{"minor":0,"per":1}}');
SELECT t.call('s' || i, 25 + i) FROM generate_series(1, 20) i;
SELECT t.eq((SELECT sum(l.amount)::bigint FROM lifeos.ledger_entry l), (SELECT sum(r.quantity)::bigint / 60 FROM lifeos.usage_record r WHERE r.meter_id = 'call.duration.seconds'));
SELECT t.eq(t.books(), 'even');

--- a price changes for what is used from then on; what was billed stays; a tenant's own book comes before the appliance's
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1},"call.participant.seconds":{"minor":0,"per":1}}', 1);
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":7,"per":1},"call.participant.seconds":{"minor":0,"per":1}}', 1763711030000);
SELECT t.call('early', 10), t.call('late', 50);
SELECT t.prices('acc', 'JPY', '{"call.duration.seconds":{"minor":9,"per":1},"call.participant.seconds":{"minor":0,"per":1}}', 1);
SELECT t.call('own', 10);
SELECT t.eq(string_agg(l.session_id || l.currency || l.amount || l.book || l.version, ' ' ORDER BY l.session_id), 'earlyEUR10*1 lateEUR350*2 ownJPY90acc1')
FROM lifeos.ledger_entry l WHERE l.meter_id = 'call.duration.seconds';
SELECT t.eq(t.books(), 'even');

--- what has no price is a dead letter, not free: redriven when it has one, or resolved with a reason
SELECT t.call('s1', 60);
SELECT t.eq((SELECT count(*) FROM lifeos.ledger_entry), 0), t.eq((SELECT count(*) FROM lifeos.dead_letter d WHERE d.code = 'NO_PRICE' AND d.status = 'open'), 2);
SELECT d.dead_letter_id AS d1, d.event_id AS r1 FROM lifeos.dead_letter d JOIN lifeos.usage_record r ON r.usage_record_id = d.event_id WHERE r.meter_id = 'call.duration.seconds' \gset
SELECT d.dead_letter_id AS d2 FROM lifeos.dead_letter d WHERE d.dead_letter_id <> :'d1' \gset
SELECT t.eq((t.dead(:'d1', 'redrive')).status, 'DEAD_LETTER_STUCK');
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1}}', 1);
SELECT t.eq((t.dead(:'d1', 'redrive', who => 'k1', role => 'ingest')).status, 'FORBIDDEN');
SELECT t.eq((t.dead(:'d1', 'redrive', account => 'other')).status, 'FORBIDDEN');
SELECT t.eq((t.dead(:'d1', 'redrive')).status, 'OK'), t.eq((t.dead(:'d1', 'redrive')).status, 'OK'), t.eq((t.dead(:'d1', 'resolve', 'x')).status, 'BILLING_CONFLICT');
SELECT t.eq((SELECT string_agg(l.usage_record_id || l.amount, ' ') FROM lifeos.ledger_entry l), :'r1' || '60');
SELECT t.eq((t.dead(:'d2', 'resolve')).status, 'INVALID_REQUEST'), t.eq((t.dead(:'d2', 'resolve', 'a gift')).body -> 'deadLetter' ->> 'status', 'resolved');
SELECT t.eq((SELECT count(*) FROM lifeos.dead_letter d WHERE d.status = 'open'), 0), t.eq(t.books(), 'even'), t.eq(t.chains(), 'whole');
SELECT t.eq((t.dead('dlq_none', 'redrive')).status, 'DEAD_LETTER_NOT_FOUND');

--- an adjustment is exact in its currency, once, linked, and told in the session's stream
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1},"call.participant.seconds":{"minor":0,"per":1}}', 1);
SELECT t.call('s1', 60);
SELECT l.entry_id AS e1 FROM lifeos.ledger_entry l WHERE l.meter_id = 'call.duration.seconds' \gset
SELECT t.eq(r.status || (r.body ->> 'published') || (r.body ->> 'deduped') || (r.body -> 'adjustment' ->> 'amountMinor'), 'OKtruefalse-101')
FROM t.adjust('s1', 'a1', '-1.01', corrects => :'e1') r;
SELECT t.eq(r.status || (r.body ->> 'deduped'), 'OKtrue') FROM t.adjust('s1', 'a1', '-1.01', corrects => :'e1') r;
SELECT t.eq((t.adjust('s1', 'a1', '-1.02', corrects => :'e1')).status, 'BILLING_CONFLICT');
SELECT t.eq((t.adjust('s1', 'a2', v)).status, 'INVALID_REQUEST', v) FROM unnest(ARRAY['1.005', '"1"', '1e2', 'null', '99999999999999999', 'true']) v;
SELECT t.eq((t.adjust('s1', 'a3', '1', currency => c)).status, 'INVALID_REQUEST', c) FROM unnest('{ABC,eur,EU1}'::text[]) c;
SELECT t.eq((t.adjust('s1', 'a4', '3', currency => 'JPY')).status, 'OK'), t.eq((t.adjust('s1', 'a5', '0.5', currency => 'JPY')).status, 'INVALID_REQUEST');
SELECT t.eq((t.adjust('s1', 'a6', '1', corrects => 'led_none')).status, 'INVALID_REQUEST');
SELECT t.eq((t.adjust('s1', 'a7', '1', role => 'owner')).status, 'FORBIDDEN'), t.eq((t.adjust('s1', 'a7', '1', role => 'ingest')).status, 'FORBIDDEN');
SELECT t.eq((t.adjust('s1', 'a7', '1', account => 'other')).status, 'SESSION_NOT_FOUND'), t.eq((t.adjust('none', 'a7', '1')).status, 'SESSION_NOT_FOUND');
SELECT t.eq(e.payload ->> 'amount' || (e.payload ->> 'amountMinor') || (e.payload ->> 'currency'), '-1.01-101EUR') FROM lifeos.event e WHERE e.type = 'billing.adjustment.created' ORDER BY e.sequence LIMIT 1;
SELECT t.eq((SELECT l.debit || l.credit || l.amount || (l.corrects = :'e1') FROM lifeos.ledger_entry l WHERE l.billable_key = 'adjustment:a1'), 'revenue:call.duration.secondscustomer101true');
SELECT t.eq(t.books(), 'even'), t.eq(t.chains(), 'whole');

--- where the tenant wants two, an adjustment waits for another operator than its author
SELECT t.create('s1');
UPDATE lifeos.account SET adjustments_need_two = true;
SELECT t.eq(r.body ->> 'published' || (r.body -> 'adjustment' ->> 'status'), 'falsewaiting') FROM t.adjust('s1', 'a1', '5') r;
SELECT t.eq((SELECT count(*) FROM lifeos.ledger_entry), 0);
SELECT t.eq((t.second('a1', 'approve', 'k1')).status, 'SECOND_PERSON_REQUIRED'), t.eq((t.second('a1', 'approve', 'u2', 'owner')).status, 'FORBIDDEN');
SELECT t.eq((t.second('a1', 'approve', 'k2')).status, 'OK'), t.eq((t.second('a1', 'approve', 'k2')).status, 'OK'), t.eq((t.second('a1', 'refuse', 'k2')).status, 'BILLING_CONFLICT');
SELECT t.eq((SELECT count(*) FROM lifeos.ledger_entry), 1);
SELECT t.adjust('s1', 'a2', '5'), t.eq((t.second('a2', 'refuse', 'k2')).body -> 'adjustment' ->> 'status', 'refused'), t.eq((t.second('a3', 'refuse', 'k2')).status, 'ADJUSTMENT_NOT_FOUND');
SELECT t.eq((SELECT count(*) FROM lifeos.ledger_entry), 1), t.eq(t.books(), 'even');

--- reads: records, billing events, summary, ledger and links, page by page, complete, and only for whom they are
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1},"call.participant.seconds":{"minor":1,"per":1}}', 1);
SELECT t.call('s' || i, 10 * i) FROM generate_series(1, 3) i;
SELECT t.eq(r.body ->> 'count', '2'), t.eq(r.body -> 'totalsByMeter' ->> 'call.duration.seconds', '20') FROM api.usage_records('acc', 'u1', 'member', 's2', NULL, NULL, NULL) r;
SELECT t.eq((api.usage_records('acc', 'u2', 'member', 's2', NULL, NULL, NULL)).status, 'FORBIDDEN'), t.eq((api.usage_records('other', 'u1', 'owner', 's2', NULL, NULL, NULL)).status, 'SESSION_NOT_FOUND');
SELECT t.eq(r.body ->> 'count', '1'), t.eq(r.body -> 'events' -> 0 ->> 'eventType', 'billing.usage.recorded'), r.body -> 'page' ->> 'nextCursor' AS next
FROM api.billing_events('acc', 'u1', 'owner', 's2', 1, NULL, NULL) r \gset
SELECT t.eq(r.body ->> 'count', '1'), t.eq(r.body -> 'page' ->> 'hasMore', 'false') FROM api.billing_events('acc', 'u1', 'owner', 's2', 1, NULL, :'next') r;
SELECT t.eq((api.billing_events('acc', 'u1', 'owner', 's2', 1, NULL, 'nonsense')).status, 'INVALID_REQUEST');
SELECT t.eq(r.body -> 'summary' -> 0 ->> 'totalQuantity', '60'), t.eq(r.body ->> 'recordsCount', '2') FROM api.usage_summary('acc', 'u1', 'owner', 'acc', 2, NULL, NULL, NULL) r;
SELECT t.eq((api.usage_summary('acc', 'u1', role, 'acc', 2, NULL, NULL, NULL)).status, want, role) FROM unnest('{viewer,member,admin}'::text[], '{OK,FORBIDDEN,OK}'::text[]) x(role, want);
SELECT t.eq((api.usage_summary('acc', 'u1', 'owner', 'other', 2, NULL, NULL, NULL)).status, 'ACCOUNT_NOT_FOUND');
SELECT t.eq(json_array_length(r.body -> 'traceLinks'), 4), t.eq((SELECT count(*) FROM json_array_elements(r.body -> 'traceLinks') l WHERE l ->> 'usageRecordFound' = 'true' AND l ->> 'sourceEventFound' = 'true'), 4)
FROM api.traceability('acc', 'u1', 'owner', 'acc', 4, NULL) r;
SELECT t.eq(r.body ->> 'count', '6'), t.eq((SELECT sum((b ->> 'amountMinor')::bigint)::bigint FROM json_array_elements(r.body -> 'balances') b), 0)
FROM api.ledger_list('acc', 'u1', 'owner', 'acc', NULL, NULL, NULL, NULL) r;
SELECT t.eq(r.body ->> 'count', '0') FROM api.dead_letters('acc', 'u1', 'owner', 'acc', NULL, NULL, NULL, NULL) r;

--- nobody changes what was metered or booked, the owner of the tables included; a record is signed once
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1},"call.participant.seconds":{"minor":1,"per":1}}', 1);
SELECT t.call('s1', 10);
SELECT t.refused('UPDATE lifeos.ledger_entry SET amount = amount + 1'), t.refused('DELETE FROM lifeos.ledger_entry'), t.refused('TRUNCATE lifeos.ledger_entry'),
       t.refused('UPDATE lifeos.usage_record SET quantity = 1'), t.refused('DELETE FROM lifeos.usage_record'), t.refused('UPDATE lifeos.price SET minor = 1'),
       t.refused('UPDATE lifeos.usage_record SET quantity = 1, key_id = ''k'', signature = ''s'', signature_ed25519 = ''e'', signed_at = 1');
UPDATE lifeos.usage_record SET key_id = 'k', signature = 's', signature_ed25519 = 'e', signed_at = 1;
SELECT t.refused('UPDATE lifeos.usage_record SET signature = ''t''');

--- what is not signed is found, spelled as the contract signs it, and signed once, by whoever comes first
SELECT t.call('s1', 10);
SELECT t.eq(u.canonical, 'acc|s1|call.duration.seconds|seconds|10|' || r.source_event_id || '|' || r.source_sequence || '|2025-11-21T07:43:30.000Z')
FROM api.usage_unsigned(500) u JOIN lifeos.usage_record r USING (usage_record_id) WHERE r.meter_id = 'call.duration.seconds';
SELECT t.eq((SELECT count(*) FROM api.usage_unsigned(1)), 1);
SELECT array_agg(u.account_id) AS a, array_agg(u.usage_record_id) AS i, array_agg(repeat('a', 64)) AS s, array_agg(repeat('b', 86)) AS e FROM api.usage_unsigned(500) u \gset
SELECT t.eq((api.usage_sign('k1', 'pub', :'a', :'i', :'s', :'e')).status, 'OK');
SELECT t.eq((SELECT count(*) FROM api.usage_unsigned(500)), 0);
SELECT t.eq((api.usage_sign('k2', 'bup', :'a', :'i', :'e', :'s')).status, 'OK'), t.eq((api.usage_sign('k1', 'bup', :'a', :'i', :'e', :'s')).status, 'BILLING_CONFLICT');
SELECT t.eq((SELECT string_agg(DISTINCT r.key_id || r.signature, ' ') FROM lifeos.usage_record r), 'k1' || repeat('a', 64));
SELECT t.eq(string_agg(k ->> 'keyId' || (k ->> 'publicKey') || (k -> 'jwk' ->> 'x'), ' '), 'k1pubpub k2bupbup') FROM json_array_elements((api.billing_keys('acc', 'u1', 'viewer')).body -> 'keys') k;

--- a turn is one count and its tokens, a failed one its tokens alone; a draft is a version
SELECT t.prices('*', 'EUR', '{"ai.turn.count":{"minor":100,"per":1},"ai.input.tokens":{"minor":1,"per":1000},"ai.output.tokens":{"minor":1,"per":1},"deliverable.version.count":{"minor":5,"per":1}}');
SELECT t.create('s1'), t.begin('s1', 't1'), t.end('s1', 't1', 'words', tokens => 2500, proposals => '[{"kind":"deliverable","deliverable":"cv","markdown":"# A"},{"kind":"deliverable","deliverable":"cv","markdown":"# B"}]');
SELECT t.begin('s1', 't2'), t.end('s1', 't2', NULL, 'failed', code => 'AI_TIMEOUT', tokens => 700), t.begin('s1', 't3'), t.stop('s1'), t.end('s1', 't3', 'some', 'incomplete', tokens => 1);
SELECT t.eq(string_agg(r.meter_id || ' ' || r.quantity || ' ' || r.outcome || ' ' || e.type || ' ' || l.amount, ';' ORDER BY r.source_sequence, r.meter_id),
        'deliverable.version.count 1 used action.proposed 5;deliverable.version.count 1 used action.proposed 5;'
        'ai.input.tokens 2500 used call.turn.timing 2;ai.output.tokens 0 zero call.turn.timing 0;ai.turn.count 1 used call.turn.timing 100;'
        'ai.input.tokens 700 used call.error 1;ai.output.tokens 0 failed call.error 0;ai.turn.count 0 failed call.error 0;'
        'ai.input.tokens 1 used call.turn.owner_changed 0;ai.output.tokens 0 failed call.turn.owner_changed 0;ai.turn.count 0 failed call.turn.owner_changed 0')
FROM lifeos.usage_record r JOIN lifeos.event e ON e.event_id = r.source_event_id JOIN lifeos.ledger_entry l USING (usage_record_id);
SELECT t.eq((SELECT count(*) FROM lifeos.dead_letter), 0), t.eq(t.books(), 'even'), t.eq(t.chains(), 'whole');
SELECT t.end('s1', 't1', 'words', tokens => 2500), t.end('s1', 't2', NULL, 'failed'), t.eq((SELECT count(*) FROM lifeos.usage_record), 11, 'an end told again is metered once');

--- an action that was carried out says how it was metered; what the AI made for one is a version, and its tokens count also in vain
SELECT t.desk();
SELECT t.open(t.ask('a1')) AS k \gset
SELECT t.eq((SELECT count(*) FROM lifeos.usage_record), 0);
SELECT (t.confirm('a1', :'k')).body -> 'metering' AS m \gset
SELECT t.eq(:'m'::json ->> 'ok' || (:'m'::json ->> 'usageDeduped') || (:'m'::json ->> 'billingPublished') || coalesce(:'m'::json ->> 'billingEventId', '-'), 'truefalsetrue-'),
       t.eq(:'m'::json ->> 'deadLetterId', d.dead_letter_id), t.eq(:'m'::json ->> 'usageRecordId', d.event_id) FROM lifeos.dead_letter d;
SELECT t.prices('*', 'EUR', '{"orchestration.action.executed.count":{"minor":3,"per":1},"ai.input.tokens":{"minor":1,"per":1},"ai.output.tokens":{"minor":1,"per":1},"deliverable.version.count":{"minor":5,"per":1}}');
SELECT t.ask('a2', 'cv.generate', '{}'), t.begin_action('a2'), t.ask('a3', 'cv.generate', '{}'), t.begin_action('a3');
SELECT e.body -> 'metering' AS m FROM t.end_action('a2') e \gset
SELECT t.eq(:'m'::json ->> 'billingEventId', l.entry_id), t.eq(l.amount, 3) FROM lifeos.ledger_entry l WHERE l.usage_record_id = :'m'::json ->> 'usageRecordId';
SELECT t.end_action('a3', outcome => 'failed', code => 'AI_TIMEOUT');
SELECT t.eq(string_agg(r.metadata ->> 'actionId' || ' ' || r.meter_id || ' ' || r.outcome, ';' ORDER BY r.source_sequence, r.meter_id) FILTER (WHERE r.metadata ->> 'actionId' <> 'a1'),
        'a2 ai.input.tokens used;a2 ai.output.tokens used;a2 deliverable.version.count used;a2 orchestration.action.executed.count used;a3 ai.input.tokens used;a3 ai.output.tokens used')
FROM lifeos.usage_record r;
SELECT t.eq(t.books(), 'even'), t.eq(t.chains(), 'whole');

--- the file of a ledger is for the same people, refuses what is too much, and holds no formula
SELECT t.prices('*', 'EUR', '{"call.duration.seconds":{"minor":1,"per":1},"call.participant.seconds":{"minor":1,"per":1}}');
SELECT t.call('s1', 60);
SELECT t.eq(c.body ->> 'rows', '2'), t.eq(array_length(string_to_array(c.body ->> 'csv', E'\r\n'), 1), 4) FROM api.ledger_csv('acc', 'u1', 'owner', 'acc', NULL, NULL) c;
SELECT t.eq((api.ledger_csv('acc', 'u1', 'member', 'acc', NULL, NULL)).status, 'FORBIDDEN'), t.eq((api.ledger_csv('other', 'u1', 'owner', 'acc', NULL, NULL)).status, 'ACCOUNT_NOT_FOUND');
SELECT t.eq(lib.csv_field(f), want, f) FROM (VALUES ('=1', '''=1'), ('-1', '''-1'), ('+1', '''+1'), ('@a', '''@a'), (E'\t=1', E'''\t=1'), (' =1', ''' =1'), ('a,b', '"a,b"'), ('a"b', '"a""b"'),
        (E'a\nb', E'"a\nb"'), ('a', 'a'), (NULL, '')) x(f, want);
INSERT INTO lifeos.ledger_entry SELECT 'acc', 'x' || i, 'x' || i, 'adjustment', 'customer', 'revenue:x', 'EUR', 1, 'x', 's1', NULL, NULL, NULL, NULL, '{}', 1 FROM generate_series(1, 9998) i;
SELECT t.eq((api.ledger_csv('acc', 'u1', 'owner', 'acc', NULL, NULL)).body ->> 'rows', '10000');
INSERT INTO lifeos.ledger_entry SELECT 'acc', 'y', 'y', 'adjustment', 'customer', 'revenue:x', 'EUR', 1, 'x', 's1', NULL, NULL, NULL, NULL, '{}', 1;
SELECT t.eq((api.ledger_csv('acc', 'u1', 'owner', 'acc', NULL, NULL)).status, 'EXPORT_TOO_LARGE'), t.eq((api.ledger_csv('acc', 'u1', 'owner', 'acc', 1, NULL)).body ->> 'rows', '2');
