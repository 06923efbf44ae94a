"""Several writers at once, and some of them dying."""
import concurrent.futures
import random
import threading
import time

EVENTS = 40     # per worker and round
WORKERS = 4


def append(worker, i):
    """One call of two requests; every other worker names the two sessions the other way around."""
    first, second = ("p1", "p2") if worker % 2 else ("p2", "p1")
    return ("SELECT op, status FROM api.event_append('{acc,acc}','{u1,u1}','{owner,owner}','{owner,owner}','{1,1}','{0,1}',"
            f"'{{{first},{second}}}','{{w{worker}-{i}-a,w{worker}-{i}-b}}','{{call.error,call.error}}','{{t,t}}','{{1,1}}',"
            """'{"{}","{}"}');\n""")


def run_worker(c, worker, enough=lambda: True):
    """Repeats what was not answered, as the writer does, until everything was; and all of it until it is enough."""
    left = list(range(EVENTS))
    for _ in range(500):
        r = c.try_psql("".join(append(worker, i) for i in left), user="lifeos-writer", db="parallel")
        assert "deadlock" not in r.stderr, r.stderr
        done = r.stdout.split()
        assert all(x.endswith("|OK") for x in done), r.stdout
        left = left[len(done) // 2:]
        if not left and enough():
            return
        left = left or list(range(EVENTS))
        time.sleep(0.02)
    raise AssertionError(f"worker {worker} did not get through: {r.stderr}")


def fresh(c):
    c.create_db("parallel", template="lifeos")
    c.psql("SELECT t.create('p1'), t.create('p2')", db="parallel")


def check(c):
    """Every event once, no number missing, both chains whole."""
    assert c.psql("SELECT t.chains()", db="parallel") == "whole"
    got = c.psql("SELECT session_id, count(*), max(sequence), count(DISTINCT event_id) FROM lifeos.event GROUP BY 1 ORDER BY 1",
                 db="parallel")
    n = WORKERS * EVENTS + 1
    assert got == f"p1|{n}|{n}|{n}\np2|{n}|{n}|{n}", got


def test_gapless(c):
    """four connections, two streams, locked in one order: no gap, no deadlock"""
    fresh(c)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda w: run_worker(c, w), range(WORKERS)))
    check(c)


def test_gapless_under_kills(c):
    """connections that are cut in the middle and repeat what was not answered: still every event once, without a gap"""
    fresh(c)
    over = threading.Event()
    cut = []

    def killer():
        rng = random.Random(1)
        while not over.is_set():
            pids = c.psql("SELECT pid FROM pg_stat_activity WHERE usename = 'lifeos-writer'", db="postgres").split()
            if pids:
                c.psql(f"SELECT pg_terminate_backend({rng.choice(pids)})", db="postgres")
                cut.append(1)
            over.wait(0.15)

    t = threading.Thread(target=killer)
    t.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda w: run_worker(c, w, lambda: len(cut) >= 3), range(WORKERS)))
    finally:
        over.set()
        t.join()
    assert cut, "nothing was cut"
    check(c)


def test_crash(c):
    """kill -9 of PostgreSQL in the middle: what was answered is there, and what was not goes through when repeated"""
    fresh(c)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        work = [pool.submit(run_worker, c, w) for w in range(WORKERS)]
        for _ in range(200):
            if int(c.psql("SELECT count(*) FROM lifeos.event", db="parallel")) > 20:
                break
            time.sleep(0.01)
        c.crash()
        for w in work:
            w.result()
    check(c)


def test_rooms(c):
    """a webhook and the session it looks for, at the same moment: applied or found parked, never lost"""
    c.create_db("parallel", template="lifeos")

    def hook(i):
        return c.psql(f"SELECT t.hook('E{i}', 'participant_joined', 'lk_room_r{i}', part => 'PA_1', joined => 1)", db="parallel")

    def create(i):
        return c.psql(f"SELECT (t.create('r{i}')).status", db="parallel")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for i in range(15):
            a, b = pool.submit(hook, i), pool.submit(create, i)
            assert a.result() in ("parked", "applied") and b.result() == "OK"
    assert c.psql("SELECT string_agg(DISTINCT status, ' ') FROM lifeos.call_session", db="parallel") == "active"
    assert c.psql("SELECT count(*) FROM lifeos.provider_parked", db="parallel") == "0"
    assert c.psql("SELECT t.chains()", db="parallel") == "whole"


def test_room_waits(c):
    """a session that is being created holds its room's webhooks up until it is there, and the other way around"""
    c.create_db("parallel", template="lifeos")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(c.psql, "BEGIN; SELECT (t.create('w1')).status; SELECT pg_sleep(0.5); COMMIT;", db="parallel")
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        assert c.psql("SELECT t.hook('E1', 'participant_joined', 'lk_room_w1', part => 'PA_1', joined => 1)", db="parallel") == "applied"
        slow.result()
        slow = pool.submit(c.psql, "BEGIN; SELECT t.hook('E2', 'participant_joined', 'lk_room_w2', part => 'PA_1', joined => 1);"
                                   "SELECT pg_sleep(0.5); COMMIT;", db="parallel")
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        assert c.psql("SELECT (t.create('w2')).body -> 'session' ->> 'status'", db="parallel") == "active"
        slow.result()


def wait_for(c, query):
    for _ in range(500):
        if c.psql(query, db="postgres") != "0":
            return
        time.sleep(0.01)
    raise AssertionError(f"never: {query}")


def test_same_command_on_two_nodes(c):
    """two nodes running one command at once: one does it, the other fails to be repeated, and then gets the same answer"""
    c.create_db("parallel", template="lifeos")
    sql = "SELECT (t.create('s1', command => 'c')).body"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(c.psql, f"BEGIN; {sql}; SELECT pg_sleep(0.4); COMMIT;", db="parallel")
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        second = c.try_psql(f"\\set VERBOSITY verbose\n{sql};", db="parallel")
        assert second.returncode != 0 and "23505" in second.stderr, second
        assert slow.result().split("\n")[0] == c.psql(f"{sql};", db="parallel")
    assert c.psql("SELECT count(*) FROM lifeos.event", db="parallel") == "1"


def test_two_sweeps(c):
    """two nodes sweeping one call at once: its client is asked once, and it ends once"""
    c.create_db("parallel", template="lifeos")
    sweep = "SELECT t.sweep('s1', retries => 1)"
    results = []
    c.psql("SELECT t.lost('s1')", db="parallel")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            c.psql("SELECT t.age('s1', 5)", db="parallel")
            slow = pool.submit(c.psql, f"BEGIN; {sweep}; SELECT pg_sleep(0.4); COMMIT;", db="parallel")
            wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
            results.append((slow, c.psql(sweep, db="parallel")))
    assert [(a.result().strip(), b) for a, b in results] == [("retried", "kept"), ("ended", "kept")], results
    assert c.psql("SELECT t.types('s1')", db="parallel") == ("call.started call.connected call.reconnecting call.reconnecting"
                                                            " call.ended")
    assert c.psql("SELECT t.chains()", db="parallel") == "whole"


def test_swept_and_back(c):
    """a client that comes back while the sweep gives its call up: whoever is first decides, and nothing is told twice"""
    c.create_db("parallel", template="lifeos")
    c.psql("SELECT t.lost('s1'), t.age('s1', 5)", db="parallel")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(c.psql, "BEGIN; SELECT t.live('s1', 'participant_joined', 'PA_2'); SELECT pg_sleep(0.4); COMMIT;",
                           db="parallel")
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        assert c.psql("SELECT t.sweep('s1', retries => 0)", db="parallel") == "kept"
        slow.result()
    assert c.psql("SELECT t.session('s1', 'transportState')", db="parallel") == "healthy"
