"""One side effect or none, and never another one: whoever confirms, edits, declines, repeats or dies at the same moment."""
import concurrent.futures
import random

from test_parallel import overlapping, wait_for

DB = "parallel"


def fresh(c, actions=("a1",)):
    """A call whose account delivers, and in it actions that wait; their tokens."""
    c.create_db(DB, template="lifeos")
    c.psql("SELECT t.desk()", db=DB)
    return [c.psql(f"SELECT t.open(t.ask('{a}'))", db=DB) for a in actions]


def confirm(token, action="a1", command=None):
    """command: where numbers may be given out again, because PostgreSQL died before it wrote them down"""
    return f"SELECT (t.confirm('{action}', '{token}', command => " + (f"'{command}'" if command else "NULL") + ")).status"


def sent(c):
    """How many messages there are, after having seen that each is exactly what was confirmed."""
    right = c.psql("SELECT t.sent_right() || ' ' || t.chains()", db=DB)
    assert right == "right whole", right
    return int(c.psql("SELECT count(*) FROM lifeos.outbox", db=DB))


def test_double_confirm(c):
    """two confirm one action at the same moment: it is done once, and the second is told that it is done"""
    token, = fresh(c)
    assert overlapping(c, confirm(token), confirm(token)) == ("OK", "ACTION_STATE")
    assert sent(c) == 1


def test_confirm_both_ways(c):
    """confirmed and executed with the token at the same moment: once, and both learn of the one outcome"""
    token, = fresh(c)
    ref = "SELECT (t.ask('a1', token => '{0}')).body -> 'result' ->> 'resultRef'".format(token)
    a, b = overlapping(c, ref, ref)
    assert a == b and a.startswith("result_") and sent(c) == 1
    token = c.psql("SELECT t.open(t.ask('a2'))", db=DB)
    assert overlapping(c, f"SELECT (t.ask('a2', token => '{token}')).status", confirm(token, "a2")) == ("OK", "ACTION_STATE")
    assert sent(c) == 2


def test_asked_twice(c):
    """one action asked for twice at the same moment: there is one, with one token"""
    fresh(c, ())
    a, b = overlapping(c, "SELECT t.open(t.ask('a1'))", "SELECT t.open(t.ask('a1'))")
    assert a == b and a.startswith("confirm_")
    assert overlapping(c, "SELECT (t.ask('a2')).status", """SELECT (t.ask('a2', payload => '{"data":{"messages":["x"]}}')).status"""
                       ) == ("SAFETY_BLOCKED", "ACTION_CONFLICT")
    assert c.psql("SELECT count(*) FROM lifeos.action", db=DB) == "2" and sent(c) == 0


def test_confirm_and_edit(c):
    """confirmed while it is edited: the first of the two counts, and what is sent is what its confirmer saw"""
    one, two = fresh(c, ("a1", "a2"))
    edit = """SELECT (t.edit('{}', 1, '{{"data":{{"messages":["other"]}}}}')).status"""
    assert overlapping(c, edit.format("a1"), confirm(one)) == ("OK", "CONFIRMATION_INVALID")
    assert sent(c) == 0
    assert overlapping(c, confirm(two, "a2"), edit.format("a2")) == ("OK", "ACTION_STATE")
    assert sent(c) == 1 and '"hello"' in c.psql("SELECT t.outbox()", db=DB)


def test_confirm_and_decline(c):
    """confirmed while somebody else declines: the first of the two counts"""
    one, two = fresh(c, ("a1", "a2"))
    decline = "SELECT (t.decide('{}', 'cancelled', who => 'boss', role => 'admin')).status"
    assert overlapping(c, decline.format("a1"), confirm(one)) == ("OK", "ACTION_STATE") and sent(c) == 0
    assert overlapping(c, confirm(two, "a2"), decline.format("a2")) == ("OK", "OK") and sent(c) == 1
    assert c.psql("SELECT t.is('a1') || ' ' || t.is('a2')", db=DB) == "declined CONFIRMATION_DECLINED executed"


def test_confirm_and_expire(c):
    """confirmed while the sweep looks at it: what ran out is over, what was confirmed is kept"""
    one, two = fresh(c, ("a1", "a2"))
    c.psql("SELECT t.wait('a1', 301)", db=DB)
    assert overlapping(c, "SELECT t.expire('confirmation', 'a1')", confirm(one)) == ("expired", "CONFIRMATION_EXPIRED") and sent(c) == 0
    assert overlapping(c, confirm(two, "a2"), "SELECT t.expire('confirmation', 'a2')") == ("OK", "kept") and sent(c) == 1


def test_address_changes(c):
    """the operator changes the address, or forbids it, while it is confirmed: it goes where the confirmer saw it go, or nowhere"""
    one, two, three = fresh(c, ("a1", "a2", "a3"))
    elsewhere = "SELECT t.set('https://elsewhere.example/')"
    assert overlapping(c, confirm(one), elsewhere) == ("OK", "OK") and sent(c) == 1
    assert c.psql("SELECT url FROM lifeos.outbox", db=DB) == "https://hooks.example/out"
    assert c.psql(confirm(two, "a2"), db=DB) == "CONFIRMATION_INVALID"
    token = c.psql("SELECT t.open(t.ask('a2'))", db=DB)
    assert overlapping(c, "SELECT t.set('https://third.example/')", confirm(token, "a2")) == ("OK", "CONFIRMATION_INVALID")
    assert overlapping(c, "SELECT t.set('https://hooks.example/out', 'outreach.requestSend=refuse')", confirm(three, "a3")) == ("OK", "ACTION_REFUSED")
    assert sent(c) == 1


def cut(c, token, how):
    """A confirmation that was done and not committed, when its connection, or everything, dies."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(c.try_psql, f"BEGIN; {confirm(token, command='cut')}; SELECT pg_sleep(60); COMMIT;", db=DB)
        wait_for(c, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        how()
        died = slow.result()
        assert died.returncode != 0, f"it committed: {died}"
    left = (sent(c), c.psql("SELECT t.is('a1')", db=DB))
    assert left == (0, "requires_confirmation"), left
    again = (c.psql(confirm(token, command="again"), db=DB), sent(c))
    assert again == ("OK", 1), again


def test_cut_while_confirming(c):
    """whoever confirms dies before it is committed: nothing was done, and the same token does it"""
    token, = fresh(c)
    cut(c, token, lambda: c.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", db="postgres"))


def test_crash_while_confirming(c):
    """kill -9 of PostgreSQL between a confirmation and its commit: nothing was done, and the same token does it"""
    token, = fresh(c)
    cut(c, token, c.crash)
    c.crash()
    after = (sent(c), c.psql(confirm(token, command="after"), db=DB))
    assert after == (1, "ACTION_STATE"), after


def test_two_runners(c):
    """two processes take one draft at the same moment: one makes it; who lost it stores nothing"""
    fresh(c, ())
    c.psql("SELECT t.ask('a1', 'cv.generate', '{}')", db=DB)
    take = "SELECT (t.begin_action('a1', '{}')).body ->> 'state'"
    assert overlapping(c, take.format("r1"), take.format("r2")) == ("run", "wait")
    c.psql("UPDATE lifeos.action SET lease_until = 1", db=DB)
    end = "SELECT (t.end_action('a1', '{}')).status"
    assert overlapping(c, take.format("r2"), end.format("r1")) == ("run", "ACTION_STATE")
    c.psql("UPDATE lifeos.action SET lease_until = 1", db=DB)
    assert overlapping(c, end.format("r2"), take.format("r3")) == ("OK", "done")
    assert overlapping(c, end.format("r2"), "SELECT t.expire('action', 'a1')") == ("OK", "kept")
    assert c.psql("SELECT count(*) FROM lifeos.deliverable_version", db=DB) == "1"


DO = ("SELECT (t.ask('{a}')).status", "SELECT (t.ask('{a}', payload => NULL, token => t.any_token('{a}'))).status",
      "SELECT (t.confirm('{a}', t.any_token('{a}'))).status", "SELECT (t.confirm('{a}', t.any_token('{b}'))).status",
      "SELECT (t.edit('{a}', (SELECT version FROM lifeos.action WHERE action_id = '{a}'), '{{\"data\":{{\"message\":\"{n}\"}}}}')).status",
      "SELECT (t.decide('{a}', 'cancelled')).status", "SELECT t.wait('{a}', 301)", "SELECT t.expire('confirmation', '{a}')",
      "SELECT t.set('https://{b}.example/')", "SELECT t.set('', '')", "SELECT t.set('https://x.example/', 'outreach.requestSend=refuse')",
      "SELECT t.set(rules => '')")
OFTEN = (6, 6, 6, 2, 4, 1, 1, 1, 1, 1, 1, 3)


def test_any_order(c):
    """four people and the sweep doing anything in any order: at most one message of an action, just if it was executed, just as confirmed"""
    fresh(c, ())
    c.psql("CREATE FUNCTION t.any_token(id text) RETURNS text LANGUAGE sql AS $$ SELECT coalesce((SELECT e.payload ->> 'confirmationToken' "
           "FROM lifeos.event e WHERE e.type = 'action.requires_confirmation' AND e.payload ->> 'actionId' = id "
           "ORDER BY e.sequence DESC OFFSET (random() * 1.2)::integer LIMIT 1), 'confirm_none') $$", db=DB)

    def work(seed):
        rng = random.Random(seed)
        ids = [f"p{n}" for n in range(16)]
        lines = []
        for n in range(160):
            near = n // 12
            a, b = rng.choice(ids[near:near + 3]), rng.choice(ids[near:near + 3])
            lines.append(rng.choices(DO, OFTEN)[0].format(a=a, b=b, n=f"{seed}-{n}"))
        return c.psql(";\n".join(lines), db=DB).split("\n")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = [s for w in pool.map(work, range(4)) for s in w]
    n = sent(c)
    assert 0 < n == int(c.psql("SELECT count(*) FROM lifeos.action WHERE status = 'executed'", db=DB)), n
    for word in ("SAFETY_BLOCKED", "CONFIRMATION_INVALID", "ACTION_STATE", "OK"):
        assert word in said, f"{word} never happened"
    assert int(c.psql("SELECT count(*) FROM lifeos.confirmation WHERE state = 'used'", db=DB)) == n
    assert c.psql("SELECT count(*) FROM lifeos.confirmation c JOIN lifeos.action a USING (account_id, session_id, action_id) "
                  "WHERE c.state = 'open' AND a.status <> 'requires_confirmation'", db=DB) == "0"
