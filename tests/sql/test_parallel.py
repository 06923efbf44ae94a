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


def overlapping(c, first, second):
    """What both say: the second begins while the first has not committed, and has to wait for it."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(c.psql, f"BEGIN; {first}; SELECT t.until_waited_for(); COMMIT;", db="parallel")
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        late = pool.submit(c.psql, second, db="parallel")
        return slow.result().split("\n")[0], late.result()


def test_one_token_twice(c):
    """two resumes with one token at the same moment: one change, one event, and the same next token for both"""
    c.create_db("parallel", template="lifeos")
    token = c.psql("SELECT t.token(t.create('s1'))", db="parallel")
    resume = f"SELECT t.token(t.reconnect('s1', '{token}'))"
    a, b = overlapping(c, resume, resume)
    assert a == b and a.startswith("resume_") and a != token, (a, b)
    a, b = overlapping(c, f"SELECT t.token(t.reconnect('s1', '{a}', command => 'k'))", f"SELECT t.token(t.reconnect('s1', '{a}', command => 'k'))")
    assert a == b and a.startswith("resume_"), (a, b)
    assert c.psql("SELECT t.types('s1')", db="parallel") == "call.started call.reconnecting call.reconnecting"
    assert c.psql("SELECT t.chains()", db="parallel") == "whole"


def test_checkpoints_overtaken(c):
    """a checkpoint that was sent early and arrives late never takes a consumer back, nor a session's ack"""
    c.create_db("parallel", template="lifeos")
    c.psql("SELECT t.create('s1'), t.append('s1', '{a,b,c,d}')", db="parallel")
    reason = "SELECT (t.checkpoint('s1', 'c', {})).body -> 'ackUpdate' ->> 'reason'"
    for new, old in ((3, 2), (5, 4)):   # the first pair also meets where there is no row yet
        said = overlapping(c, reason.format(new), reason.format(old))
        assert said == ("advanced_sequence", "stale_sequence_ignored"), said
    said = overlapping(c, reason.format(5), reason.format(5))
    assert said == ("equal_sequence_idempotent", "equal_sequence_idempotent"), said
    assert c.psql("SELECT t.session('s1', 'lastAckSequence'), (SELECT sequence FROM lifeos.checkpoint)", db="parallel") == "5|5"


def test_consumers_counted(c):
    """two that would be the hundredth consumer at the same moment: one is"""
    c.create_db("parallel", template="lifeos")
    c.psql("SELECT t.create('s1'); SELECT t.checkpoint('s1', 'c' || i, 1) FROM generate_series(1, 99) i", db="parallel")
    said = overlapping(c, "SELECT (t.checkpoint('s1', 'x', 1)).status", "SELECT (t.checkpoint('s1', 'y', 1)).status")
    assert said == ("OK", "TOO_MANY_CONSUMERS"), said


def test_presence_waits_for_nobody(c):
    """who is there is written where nobody else writes at that moment, and the rest is left for the next time"""
    c.create_db("parallel", template="lifeos")
    c.psql("SELECT t.create('s1'), t.create('s2'); SELECT t.unseen('s1', 60000), t.unseen('s2', 60000)", db="parallel")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(c.psql, "BEGIN; UPDATE lifeos.call_session SET last_error = 'x' WHERE session_id = 's1'; SELECT pg_sleep(1); COMMIT;",
                           db="parallel")
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        here = """SELECT (api.presence('{"here":[["acc","s1","u1"],["acc","s2","u1"]],"left":[["acc","s1","u1"]]}')).status"""
        assert c.psql(f"SET lock_timeout = 1; {here}", db="parallel") == "OK"
        assert c.psql("SELECT t.window('s1') < 61000, t.window('s2') > 150000", db="parallel") == "t|t"
        slow.result()
    c.psql(here, db="parallel")
    assert c.psql("SELECT t.window('s1') > 110000", db="parallel") == "t"


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
