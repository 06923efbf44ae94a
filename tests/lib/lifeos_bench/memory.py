"""memory - what an idle listener costs those who hold it, and the kernel; ours beside nchan."""
import time

from . import load
from .load import say

CHANNELS = 100
WANTED = 8192


def settled(pids):
    """Resident bytes when they do not change any more."""
    last, same = -1, 0
    while same < 5:
        now = sum(map(load.rss, pids))
        last, same = now, same + 1 if now == last else 0
        time.sleep(0.05)
    return last


def once(bench, side, how, n):
    """Bytes a listener, in user space and in the kernel; the load tool's ends of the connections are in the latter."""
    side.fresh()
    ids = side.channels(CHANNELS)
    rss, kernel = settled(side.pids()), load.kernel()
    run = load.Listen(bench.tool, side, how, [(n // CHANNELS, i) for i in ids])
    got = {"user": (settled(side.pids()) - rss) / n, "kernel": (load.kernel() - kernel) / n}
    run.end()
    say(f"  {side.name:<5} {how:<6} {n:>6} idle listeners: {got['user']:>7.0f} bytes each in user space, {got['kernel']:>7.0f} in the kernel")
    return got


def measure(bench):
    rows = []
    for how in bench.ways:
        for n in (bench.listeners, 5 * bench.listeners):
            got = {s.name: once(bench, s, how, n) for s in (bench.ours, bench.nchan)}
            rows.append({"transport": how, "listeners": n, **got, "ratio": got["ours"]["user"] / max(1, got["nchan"]["user"])})
    return rows


def table(rows):
    say(f"\nbytes an idle listener (ours wanted below {WANTED} in user space)")
    say(f"{'':<6} {'listeners':>9} | {'ours':>7} {'nchan':>7} {'ratio':>6} | {'ours, kernel':>12} {'nchan, kernel':>13}")
    for r in rows:
        say(f"{r['transport']:<6} {r['listeners']:>9} | {r['ours']['user']:>7.0f} {r['nchan']['user']:>7.0f} {r['ratio']:>6.2f} | "
            f"{r['ours']['kernel']:>12.0f} {r['nchan']['kernel']:>13.0f}")
