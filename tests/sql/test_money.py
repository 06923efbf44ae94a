"""Random calls, whoever tells of them and in whatever order: the ledger is what an independent program computes."""
import concurrent.futures
import json
import pathlib
import random
import subprocess
import sys

from test_parallel import overlapping

DB = "parallel"
SEED = 20251121
BASE = 1763711000  # seconds; what calls happen around
METERS = ("call.duration.seconds", "call.participant.seconds", "ai.turn.count", "ai.input.tokens", "ai.output.tokens",
          "orchestration.action.executed.count", "deliverable.version.count")


def quoted(value):
    return "'" + (value if isinstance(value, str) else json.dumps(value)).replace("'", "''") + "'"


def webhook(n, session, event, at, part=None, joined=None, reason=None, room="RM_1"):
    """One of LiveKit's, kept as it was told: at and joined are seconds."""
    told = {"session": session, "event": event, "room": room, "part": part, "at": (BASE + at) * 1000000,
            "joined": None if joined is None else (BASE + joined) * 1000000}
    null = lambda v: "NULL" if v is None else quoted(str(v))
    return (f"SELECT api.provider_event('EV_{n}', '{event}', '\\x00', 'key', lib.now(), {(BASE + at) * 1000}, 'lk_room_{session}', "
            f"'{room}', {null(part)}, 'identity', NULL, {null(None if joined is None else (BASE + joined) * 1000)}, {null(reason)}, {quoted(told)});")


def call_of(rng, session):
    """What happens around one call, in order: people come and go, turns are taken, it ends somehow."""
    account = rng.choice(("acc", "own"))
    length, steps, n = rng.choice((0, 1, 7, 59, 60, 61, 3599)), [], [0]

    def hook(*args, **more):
        n[0] += 1
        steps.append(webhook(f"{session}_{n[0]}", session, *args, **more))
    steps.append(f"SELECT t.create('{session}', account => '{account}');")
    people = rng.randint(0, 3)
    for p in range(people):
        joined = rng.randint(0, 20)
        hook("participant_joined", joined + 1, part=f"PA_{session}_{p}", joined=joined if rng.random() < .9 else None)
    for i in range(rng.randint(0, 3)):
        turn = f"t{i}"
        steps.append(f"SELECT t.begin('{session}', '{turn}', account => '{account}');")
        how = rng.choice(("completed", "completed", "incomplete", "failed"))
        draft = """'[{"kind":"deliverable","deliverable":"cv","markdown":"# CV"}]'""" if rng.random() < .3 else "NULL"
        steps.append(f"SELECT t.end('{session}', '{turn}', 'words', '{how}', {draft}, tokens => {rng.randint(0, 5000)}, account => '{account}');")
    if rng.random() < .4:
        where = f"session => '{session}', account => '{account}'"
        steps.append("SELECT t.confirm('a1', t.open(t.ask('a1', 'assistant.confirm', '{\"message\":\"yes?\"}', " + where + ")), " + where + ");")
    for p in range(people):
        if rng.random() < .8:
            hook("participant_left", length, part=f"PA_{session}_{p}", joined=rng.choice((None, 3)),
                 reason=rng.choice(("CLIENT_INITIATED", "CONNECTION_TIMEOUT", "DUPLICATE_IDENTITY")))
    if rng.random() < .6:
        hook("room_finished", length + rng.randint(0, 30))
    if rng.random() < .7:
        steps.append(f"SELECT t.state('{session}', '{rng.choice(('ended', 'ended', 'failed'))}', account => '{account}');")
    for a in range(rng.choice((0, 0, 1, 2))):
        minor = rng.choice(("-1.01", "0.5", "12", "-3", "0"))
        steps.append(f"SELECT t.adjust('{session}', 'adj_{session}_{a}', '{minor}', '{rng.choice(('EUR', 'USD'))}', account => '{account}');")
    return steps


def disturbed(rng, steps):
    """The same, some webhooks told twice, some late, some before their turn; the call is created first or, rarely, late."""
    out = []
    for step in steps:
        hooked = "provider_event" in step
        if hooked and rng.random() < .3:
            out.insert(rng.randint(max(0, len(out) - 3), len(out)), step)
        else:
            out.append(step)
        if hooked and rng.random() < .25:
            out.append(step)
    out.extend(s for s in steps if "provider_event" in s and rng.random() < .15)
    return out


def stream_of(seed, first, calls):
    """Many calls at once, each in its own order, mixed."""
    rng = random.Random(seed)
    waiting = [disturbed(rng, call_of(rng, f"c{first + i}")) for i in range(calls)]
    out = []
    while waiting:
        steps = rng.choice(waiting[:5])
        out.append(steps.pop(0))
        if not steps:
            waiting.remove(steps)
    return "\n".join(out)


def book(account, currency, rng, valid_from, leave_out=()):
    prices = {m: {"minor": rng.randint(0, 40), "per": rng.choice((1, 60, 1000, 7))} for m in METERS if m not in leave_out}
    return f"SELECT t.prices('{account}', '{currency}', {quoted(prices)}, {valid_from});"


def recomputed(c):
    done = subprocess.run([sys.executable, str(pathlib.Path(__file__).with_name("recompute.py")), c.conninfo(db=DB)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def agreed(c):
    want = recomputed(c)
    owed = json.loads(c.psql("SELECT coalesce(json_agg(json_build_array(p.account_id, p.currency, p.ledger_account, p.total) "
                             "ORDER BY p.account_id, p.currency, p.ledger_account), '[]') FROM (SELECT account_id, currency, "
                             "ledger_account, sum(amount) AS total FROM lifeos.ledger_posting GROUP BY 1, 2, 3) p", db=DB))
    parked = json.loads(c.psql("SELECT coalesce(json_object_agg(meter_id, n ORDER BY meter_id), '{}') FROM (SELECT payload ->> 'meterId' AS meter_id, "
                               "count(*) AS n FROM lifeos.dead_letter WHERE status = 'open' GROUP BY 1) d", db=DB))
    assert want["owed"] == owed, [x for x in zip(want["owed"], owed) if x[0] != x[1]]
    assert want["unpriced"] == parked, (want["unpriced"], parked)
    assert want["records"] == int(c.psql("SELECT count(*) FROM lifeos.usage_record", db=DB))
    assert c.psql("SELECT t.books() || t.chains()", db=DB) == "evenwhole"
    return want


def test_recomputed(c):
    """random calls, webhooks twice, late and reordered, prices that change, adjustments: the ledger is what another program computes"""
    rng = random.Random(SEED)
    c.create_db(DB, template="lifeos")
    half = (BASE + 30) * 1000
    c.psql(book("*", "EUR", rng, 1, ("ai.turn.count",)) + book("*", "EUR", rng, half) + book("own", "USD", rng, half - 25000), db=DB)
    for round_number in range(2):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(c.psql, stream_of(SEED + round_number * 10 + k, (round_number * 10 + k) * 100, 12), db=DB) for k in range(3)]:
                done.result()
        want = agreed(c)
        c.psql(book("*", "EUR", rng, "lib.ms(lib.now())") + book("own", "JPY", rng, "lib.ms(lib.now())", ("ai.input.tokens",)), db=DB)
    assert want["records"] > 200 and want["unpriced"] and len(want["owed"]) > 10, want
    assert int(c.psql("SELECT count(*) FROM lifeos.usage_record WHERE meter_id = 'orchestration.action.executed.count'", db=DB)) > 5


def test_redriven_once(c):
    """one dead letter sent on its way by two at once, while the same meter is being rated: booked once, and the total is exact"""
    c.create_db(DB, template="lifeos")
    c.psql("SELECT t.call('s1', 59)", db=DB)
    c.psql(f"SELECT t.prices('*', 'EUR', {quoted({m: {'minor': 1, 'per': 60} for m in METERS})})", db=DB)
    dead = c.psql("SELECT dead_letter_id FROM lifeos.dead_letter WHERE payload ->> 'meterId' = 'call.duration.seconds'", db=DB)
    redrive = f"SELECT (t.dead('{dead}', 'redrive')).status"
    assert overlapping(c, redrive, redrive) == ("OK", "OK")
    assert c.psql("SELECT count(*) FROM lifeos.ledger_entry", db=DB) == "1"
    dead = c.psql("SELECT dead_letter_id FROM lifeos.dead_letter WHERE status = 'open'", db=DB)
    assert overlapping(c, f"SELECT (t.dead('{dead}', 'redrive')).status", "SELECT t.call('s2', 3)")[0] == "OK"
    agreed(c)
