"""Deliverables and overdue work when several want the same at once."""
import concurrent.futures

from test_parallel import overlapping, wait_for

DB = "parallel"


def fresh(c, sql=""):
    c.create_db(DB, template="lifeos")
    c.psql(f"SELECT t.create('s1', 'u1'); SELECT t.deliverable('d1'), t.deliverable('d2', session => 's1'); {sql}", db=DB)


def put(id, base, text, **more):
    rest = "".join(f", {k} => '{v}'" for k, v in more.items())
    return f"SELECT coalesce(r.body #>> '{{deliverable,version,version}}', r.status) FROM t.put('{id}', {base}, '{text}'{rest}) r"


def whole(c, expected):
    assert c.psql("SELECT t.chains()", db=DB) == "whole"
    got = c.psql("SELECT string_agg(v.version || v.markdown, ' ' ORDER BY v.version) FROM lifeos.deliverable_version v "
                 "WHERE v.deliverable_id = 'd1'", db=DB)
    assert got == expected, got
    assert c.psql("SELECT count(*) FROM lifeos.deliverable d WHERE d.latest <> (SELECT max(v.version) FROM "
                  "lifeos.deliverable_version v WHERE v.deliverable_id = d.deliverable_id)", db=DB) == "0"


def test_two_puts(c):
    """two puts on one base at once: exactly one wins, the other is told of the conflict; with or without a session"""
    fresh(c)
    for id in ("d1", "d2"):
        said = overlapping(c, put(id, 1, "one"), put(id, 1, "two"))
        assert said == ("2", "DELIVERABLE_CONFLICT"), said
    whole(c, "1md 2one")


def test_same_put_twice(c):
    """the same put at once, from two nodes or from two commands of one author: one version, one answer"""
    fresh(c)
    said = overlapping(c, put("d1", 1, "one", command="k"), put("d1", 1, "one", command="k"))
    assert said == ("2", "2"), said
    said = overlapping(c, put("d1", 2, "two"), put("d1", 2, "two"))
    assert said == ("3", "3"), said
    whole(c, "1md 2one 3two")


def test_many_puts(c):
    """many writers that read and put again until they are through: every version once, none lost"""
    fresh(c)
    writers, each = 4, 8

    def write(w):
        for i in range(each):
            for _ in range(200):
                base = c.psql("SELECT latest FROM lifeos.deliverable WHERE deliverable_id = 'd1'", db=DB)
                if c.psql(put("d1", base, f"w{w}-{i}"), db=DB) != "DELIVERABLE_CONFLICT":
                    break
            else:
                raise AssertionError("never through")

    with concurrent.futures.ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    got = c.psql("SELECT count(*), max(version), count(DISTINCT markdown) FROM lifeos.deliverable_version WHERE deliverable_id = 'd1'",
                 db=DB)
    n = writers * each + 1
    assert got == f"{n}|{n}|{n}", got
    assert c.psql("SELECT t.chains()", db=DB) == "whole"


def test_same_id_twice(c):
    """two creates of one id at once: one is there, the other fails to be repeated, and is then told so"""
    c.create_db(DB, template="lifeos")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(c.psql, "BEGIN; SELECT (t.deliverable('d1', 'one')).status; SELECT pg_sleep(0.4); COMMIT;", db=DB)
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        late = c.try_psql("\\set VERBOSITY verbose\nSELECT (t.deliverable('d1', 'two')).status;", db=DB)
        assert late.returncode != 0 and "23505" in late.stderr, late
        assert slow.result().split("\n")[0] == "OK"
    assert c.psql("SELECT (t.deliverable('d1', 'two')).status", db=DB) == "DELIVERABLE_EXISTS"
    whole(c, "1one")


def test_model_and_human(c):
    """the model's version and a human's on one base at once: whoever is second builds on the first, or is told"""
    fresh(c)
    model = ("SELECT coalesce(version::text, status) FROM lib.deliverable_store('acc', 'u1', 'd1', {}, 'cv', NULL, 'model', NULL, 'model', "
             "'openclaw', 'm', '{{}}', NULL, 't1', NULL)")
    said = overlapping(c, put("d1", 1, "human"), model.format("NULL"))
    assert said == ("2", "3"), said
    said = overlapping(c, put("d1", 3, "human"), model.format(3))
    assert said == ("4", "DELIVERABLE_CONFLICT"), said
    whole(c, "1md 2human 3model 4human")


def test_two_expiries(c):
    """two nodes that expire one thing at once: it ends once, with one event"""
    fresh(c, "SELECT t.action('a1', 'requires_confirmation', expires => -1), t.action('a2', 'confirmed', lease => -70)")
    for kind, id in (("confirmation", "a1"), ("action", "a2")):
        said = overlapping(c, f"SELECT t.expire('{kind}', '{id}')", f"SELECT t.expire('{kind}', '{id}')")
        assert said == ("expired", "kept"), said
    assert c.psql("SELECT t.types('s1')", db=DB) == "call.started action.failed action.failed"
    assert c.psql("SELECT t.work_due()", db=DB) == ""
    assert c.psql("SELECT t.chains()", db=DB) == "whole"


def test_owner_role(c):
    """the owner of the tables cannot change a version either, nor the writer anything but through functions"""
    fresh(c)
    for sql in ("UPDATE lifeos.deliverable_version SET markdown = 'x'", "DELETE FROM lifeos.deliverable_version",
                "TRUNCATE lifeos.deliverable_version"):
        r = c.try_psql(sql, user="lifeos-migrate", db=DB)
        assert "is append-only" in r.stderr, (sql, r)
    for table in ("deliverable", "deliverable_version"):
        r = c.try_psql(f"SELECT 1 FROM lifeos.{table}", user="lifeos-writer", db=DB)
        assert "permission denied" in r.stderr, r
    r = c.try_psql("UPDATE lifeos.deliverable_version SET markdown = NULL, title = NULL, data = NULL", user="lifeos-migrate", db=DB)
    assert r.returncode == 0, r
