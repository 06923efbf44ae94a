"""fan - one event to many listeners: how late, how many a second, at what cost; ours beside nchan."""
import statistics

from . import load
from .load import say

# name | what it is like: (channels, share of the listeners each has, events a second, window)
SHAPES = [
    ("one session, paced", (1, 1.0, 50, 1000000)),
    ("one session, 1 under way", (1, 1.0, 0, 1)),
    ("one session, 8 under way", (1, 1.0, 0, 8)),
    ("100 sessions, paced", (100, 0.01, 500, 1000000)),
    ("100 sessions, 8 under way", (100, 0.01, 0, 8)),
]
COLUMNS = ("accept_p50_ms", "accept_p99_ms", "send_p50_ms", "send_p99_ms", "per_second", "cpu_us")


def once(bench, side, how, shape, seconds):
    """One load on one side."""
    channels, share, rate, window = shape
    ids = side.channels(channels)
    each = max(1, round(bench.listeners * share))
    writers = 8 if channels == 1 and window != 1 else 1
    run = load.Listen(bench.tool, side, how, [(each, i) for i in ids], [(writers, side.publish(i)) for i in ids],
                      reach=each, rate=rate, window=window, seconds=seconds)
    before, stored = load.cpu(side.pids()), load.cpu(side.behind())
    got = run.publish()
    n = max(1, got["deliveries"])
    got["per_second"] = got["deliveries"] / got["seconds"]
    got["cpu_us"] = load.spent(before) * 1e6 / n
    got["behind_us"] = load.spent(stored) * 1e6 / n
    say(f"  {side.name:<5} {how:<6} {got['deliveries']:>8} deliveries, {got['per_second']:>8.0f}/s, from accepted p50 {got['accept_p50_ms']:.2f} "
        f"p99 {got['accept_p99_ms']:.2f} ms, {got['cpu_us']:.1f} us of processor each")
    return got


def measure(bench):
    """Every shape over every transport, rounds alternating; rows of medians and ratios."""
    rows = []
    for how in bench.ways:
        for name, shape in [(n, s) for n, s in SHAPES if bench.only in n]:
            rounds = []
            for i in range(bench.rounds):
                say(f"{how}: {name}, round {i + 1} of {bench.rounds}")
                sides = (bench.ours, bench.nchan) if i % 2 == 0 else (bench.nchan, bench.ours)
                rounds.append({s.name: once(bench, s, how, shape, bench.seconds) for s in sides})
            rows.append({"transport": how, "shape": name, **{c: compare(rounds, c) for c in COLUMNS},
                         "behind_us": statistics.median(r["ours"]["behind_us"] for r in rounds)})
    return rows


def compare(rounds, column):
    def median(of):
        return statistics.median(map(of, rounds))

    return {"ours": median(lambda r: r["ours"][column]), "nchan": median(lambda r: r["nchan"][column]),
            "ratio": median(lambda r: r["ours"][column] / max(r["nchan"][column], 0.001))}


def table(rows):
    say(f"\n{'':<32}" + "".join(f" | {c.replace('_', ' '):>21}" for c in COLUMNS))
    say(f"{'':<32}" + "".join(f" | {'ours':>6} {'nchan':>7} {'ratio':>6}" for _ in COLUMNS))
    for r in rows:
        cells = "".join(f" | {load.cell(r[c]['ours']):>6} {load.cell(r[c]['nchan']):>7} {r[c]['ratio']:>6.2f}" for c in COLUMNS)
        say(f"{r['transport']:<6} {r['shape']:<25}{cells}")
