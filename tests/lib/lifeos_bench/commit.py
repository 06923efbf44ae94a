"""commit - how long after its commit an event is with its listeners, at 5000 committed events a second."""
import statistics

from . import load
from .load import say

SESSIONS, RATE, ARRAY, WRITERS, WANTED_MS = 100, 5000, 10, 16, 10
KEYS = ("record_p50_ms", "record_p99_ms", "accept_p50_ms", "accept_p99_ms", "send_p50_ms", "send_p99_ms", "events", "cpu_us")


def once(bench, side, how, each):
    """Ours takes small arrays over 16 connections; nchan has none, so it gets single messages over 100."""
    ids = side.channels(SESSIONS)
    arrays = [[ids[(w * ARRAY + i) % SESSIONS] for i in range(ARRAY)] for w in range(WRITERS)] if side.name == "ours" else [[i] for i in ids]
    run = load.Listen(bench.tool, side, how, [(each, i) for i in ids], [(1, side.publish(*a)) for a in arrays],
                      reach=each, rate=RATE, window=10 * RATE, seconds=bench.seconds, record=int(side.name == "ours"))
    before = load.cpu(side.pids())
    got = run.publish()
    got["cpu_us"] = load.spent(before) * 1e6 / max(1, got["deliveries"])
    got["events"] = got["published"] / bench.seconds
    if side.name != "ours":
        got["record_p50_ms"] = got["record_p99_ms"] = None
    say(f"  {side.name:<5} {how:<6} {got['events']:.0f} events/s to {each} listeners each: "
        + ", ".join(f"{k.replace('_', ' ')} {got[k]:.2f}" for k in KEYS if got[k] is not None and k.endswith("_ms")))
    return got


def measure(bench):
    rows = []
    for how in bench.ways:
        for each in (10,) if bench.quick else (1, 10):
            rounds = []
            for i in range(bench.rounds):
                say(f"{how}: {RATE} events/s, {each} listeners each, round {i + 1} of {bench.rounds}")
                rounds.append({s.name: once(bench, s, how, each) for s in (bench.ours, bench.nchan)})
            rows.append({"transport": how, "listeners_each": each,
                         **{s: {k: statistics.median(r[s][k] for r in rounds) if rounds[0][s][k] is not None else None for k in KEYS}
                            for s in ("ours", "nchan")}})
    return rows


def table(rows):
    say(f"\nmilliseconds to a listener at {RATE} events/s (from the commit, that is recordedAt, wanted p99 below {WANTED_MS})")
    say(f"{'':<6} {'each':>4} {'':<5}" + "".join(f" | {k.replace('_', ' '):>13}" for k in KEYS))
    for r in rows:
        for s in ("ours", "nchan"):
            say(f"{r['transport']:<6} {r['listeners_each']:>4} {s:<5}"
                + "".join(f" | {'' if r[s][k] is None else load.cell(r[s][k]):>13}" for k in KEYS))
