"""The planner reads one row to find one row, however young the tables are."""

LOOKUPS = {
    "event by id": ("text, text", "SELECT 1 FROM lifeos.event e WHERE e.account_id = $1 AND e.event_id = $2",
                    "event_account_id_event_id_key"),
    "events of a stream": ("text, text", "SELECT 1 FROM lifeos.event e WHERE e.account_id = $1 AND e.session_id = $2 "
                                         "AND e.sequence > 1 ORDER BY e.sequence LIMIT 10", "event_pkey"),
    "many events by id": ("text[], text[]",
                          "SELECT count(e.event_id) FROM (SELECT $1[i] AS a, $2[i] AS b FROM generate_series(1, 500) i "
                          "GROUP BY 1, 2) g LEFT JOIN lifeos.event e ON e.account_id = g.a AND e.event_id = g.b",
                          "event_account_id_event_id_key"),
    "session": ("text, text", "SELECT 1 FROM lifeos.call_session c WHERE c.account_id = $1 AND c.session_id = $2",
                "call_session_pkey"),
    "stream": ("text, text", "SELECT 1 FROM lifeos.stream s WHERE s.account_id = $1 AND s.stream_id = $2", "stream_pkey"),
    "many streams by id": ("text[], text[]", "SELECT 1 FROM unnest($1, $2) q(a, s) JOIN lifeos.stream s ON s.account_id = q.a "
                                             "AND s.stream_id = q.s AND s.head > 1", "stream_pkey"),
    "receipt": ("text, text", "SELECT 1 FROM lifeos.command_receipt r WHERE r.account_id = $1 AND r.actor_id = 'x' "
                              "AND r.command_key = sha256($2::bytea)", "command_receipt_pkey"),
    "newest segments": ("text, text", "SELECT 1 FROM lifeos.transcript_segment t WHERE t.account_id = $1 AND "
                                      "t.session_id = $2 ORDER BY t.sequence DESC LIMIT 10", "transcript_segment_pkey"),
    "segments of a page": ("text, text", "SELECT 1 FROM lifeos.transcript_segment t WHERE t.account_id = $1 AND "
                                         "t.session_id = $2 AND t.sequence > 1 AND ('x' IS NULL OR t.utterance_id = 'x') "
                                         "ORDER BY t.sequence LIMIT 10", "transcript_segment_pkey"),
    "utterances of a session": ("text, text", "SELECT t.utterance_id, max(t.sequence) FROM lifeos.transcript_segment t WHERE "
                                              "t.account_id = $1 AND t.session_id = $2 GROUP BY t.utterance_id",
                                "transcript_segment_pkey"),
    "consumers": ("text, text", "SELECT count(*) FROM lifeos.checkpoint c WHERE c.account_id = $1 AND c.session_id = $2 "
                                "AND c.owner = 'u'", "checkpoint_pkey"),
    "overdue turns": ("bigint, bigint", "SELECT 1 FROM lifeos.turn t WHERE t.status = 'running' AND t.lease_until < $1 "
                                        "ORDER BY t.lease_until LIMIT $2", "turn_due"),
    "overdue actions": ("bigint, bigint", "SELECT 1 FROM lifeos.action a WHERE a.lease_until IS NOT NULL AND "
                                          "a.lease_until <= $1 ORDER BY a.lease_until LIMIT $2", "action_due"),
    "overdue confirmations": ("bigint, bigint", "SELECT 1 FROM lifeos.confirmation c WHERE c.state = 'open' AND "
                                                "c.expires_at <= $1 ORDER BY c.expires_at LIMIT $2", "confirmation_due"),
    "a deliverable's versions": ("text, text", "SELECT 1 FROM lifeos.deliverable_version v WHERE v.account_id = $1 AND "
                                               "v.deliverable_id = $2 AND v.version < 9 ORDER BY v.version DESC LIMIT 10",
                                 "deliverable_version_pkey"),
    "deliverables of an account": ("text, text", "SELECT 1 FROM lifeos.deliverable d WHERE d.account_id = $1 AND "
                                                 "(d.updated_at, d.deliverable_id) < (9, $2) ORDER BY d.updated_at DESC, "
                                                 "d.deliverable_id DESC LIMIT 10", "deliverable_by_age"),
}
SETTINGS = ("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; "
            "SET enable_mergejoin = off;")


def check(c, size):
    for name, (types, sql, index) in LOOKUPS.items():
        values = ", ".join("'{x}'" if "[]" in t else "'1'" for t in types.split(", "))
        plan = c.psql(f"{SETTINGS} PREPARE p({types}) AS {sql}; EXPLAIN EXECUTE p({values})", db="plans")
        assert f" {index} " in plan or f"on {index} " in plan, f"{name} with {size} events:\n{plan}"


def test_young_tables(c):
    """the lookups of the hot path go by their own index while the tables grow from nothing, before any ANALYZE"""
    c.create_db("plans")
    assert c.migrate(db="plans").returncode == 0
    c.psql("ALTER SYSTEM SET autovacuum = off", db="postgres")
    c.psql("SELECT pg_reload_conf()", db="postgres")
    try:
        check(c, 0)
        c.psql("INSERT INTO lifeos.account VALUES ('a', 'active', '{}', 0, 0);"
               "INSERT INTO lifeos.stream (account_id, stream_id, kind, user_id) VALUES ('a', 's', 'session', 'u')", db="plans")
        for size in (1, 50, 100, 200, 400, 800, 2000):
            c.psql("SELECT api.event_append('{a}', '{u}', '{owner}', '{owner}', '{1}', array_fill(0, ARRAY[n]), "
                   "array_fill('s'::text, ARRAY[n]), ARRAY(SELECT 'e' || i FROM generate_series(1, n) i), "
                   "array_fill('call.error'::text, ARRAY[n]), array_fill(true, ARRAY[n]), array_fill(1::bigint, ARRAY[n]), "
                   f"array_fill('{{}}'::text, ARRAY[n])) FROM (SELECT {size} AS n) x", db="plans")
            check(c, size)
    finally:
        c.psql("ALTER SYSTEM RESET autovacuum", db="postgres")
        c.psql("SELECT pg_reload_conf()", db="postgres")
