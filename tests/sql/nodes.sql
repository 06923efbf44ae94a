--- appliances count each other by signs of life of the last 15 seconds; those not seen for a day are forgotten
SELECT t.eq((SELECT count(*) FROM lifeos.node), 0::bigint);
SELECT t.eq((SELECT b.status || b.nodes FROM api.node_beat('one') b), 'OK1');
SELECT t.eq((SELECT b.nodes FROM api.node_beat('one') b), 1::bigint);
SELECT t.eq((SELECT b.nodes FROM api.node_beat('two') b), 2::bigint);
UPDATE lifeos.node SET seen_at = seen_at - 16000000 WHERE node_id = 'one';
SELECT t.eq((SELECT b.nodes FROM api.node_beat('two') b), 1::bigint);
SELECT t.eq((SELECT count(*) FROM lifeos.node), 2::bigint, 'gone, not forgotten');
UPDATE lifeos.node SET seen_at = seen_at - 86400000000 WHERE node_id = 'one';
SELECT t.eq((SELECT b.nodes FROM api.node_beat('two') b), 1::bigint);
SELECT t.eq((SELECT string_agg(n.node_id, ' ') FROM lifeos.node n), 'two');
SELECT t.eq((SELECT b.nodes FROM api.node_beat('one') b), 2::bigint, 'and may come back');

--- of the streams that are asked about, those that moved on are named with their heads, and no others
INSERT INTO lifeos.account VALUES ('a', 'active', '{}', 0, 0), ('b', 'active', '{}', 0, 0);
INSERT INTO lifeos.stream (account_id, stream_id, kind, user_id, head)
VALUES ('a', 's1', 'session', 'u', 5), ('a', 's2', 'session', 'u', 5), ('b', 's1', 'session', 'u', 7), ('b', 's3', 'session', 'u', 9);
SELECT t.eq((SELECT string_agg(m.status || ' ' || m.account_id || ' ' || m.session_id || ' ' || m.head, ',' ORDER BY m.account_id, m.session_id)
             FROM api.heads_moved('{a,a,b,c}', '{s1,s2,s1,s1}', '{4,5,0,0}') m),
            'OK a s1 5,OK b s1 7,CURSOR_AHEAD c s1 0');
SELECT t.eq((SELECT m.status || m.head FROM api.heads_moved('{a}', '{s1}', '{6}') m), 'CURSOR_AHEAD5', 'restored, told before');
SELECT t.eq((SELECT count(*) FROM api.heads_moved('{}', '{}', '{}')), 0::bigint);

--- notices go out as they are, one each, and nobody needs to listen
SELECT t.eq((SELECT n.status || n.nodes FROM api.node_notify('{one,"two\nlines"}') n), 'OK2');
SELECT t.eq((SELECT n.nodes FROM api.node_notify('{}') n), 0::bigint);
SELECT t.eq((SELECT n.nodes FROM api.node_notify(ARRAY[repeat('x', 7999)]) n), 1::bigint, 'the longest');
