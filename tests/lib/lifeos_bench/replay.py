"""replay - a long session read back: by pages, as one stream, and the end of it by who comes back."""
import concurrent.futures
import http.client
import json
import re
import statistics
import subprocess
import time

from . import load, sides
from .load import say

WRITERS, ARRAY, PAGE, BEHIND, WANTED_MS, SHOWN = 8, 1000, 500, 5, 10, 100000
# What PostgreSQL alone reads of the same rows, in the same order, with all that an event shows.
ROWS = """COPY (SELECT sequence, ts, received_at, recorded_at, session_id, event_id, type, origin, payload FROM lifeos.event
  WHERE session_id = '{}' ORDER BY account_id, session_id, sequence) TO STDOUT"""


def connection(side):
    return http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)


def fill(side, session, n):
    """Appends n events over several connections; the stream's head afterwards."""
    body = ("[" + ",".join([sides.event(session).replace(load.MARK, "t=" + 24 * "0")] * ARRAY) + "]").encode()
    headers = {"authorization": f"Bearer {side.ingest}", "content-type": "application/json"}
    left = iter(range(n // ARRAY))

    def one():
        c, head = connection(side), 0
        for i in left:
            c.request("POST", "/v1/realtime/events", body, headers)
            answer = c.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise SystemExit(f"append: {text[:200]}")
            head = max(head, int(re.findall(rb'"sequence":(\d+)', text[-2000:])[-1]))
            if (i + 1) * ARRAY % SHOWN == 0:
                say(f"  stored {(i + 1) * ARRAY} events")
        return head

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        return max(pool.map(lambda _: one(), range(WRITERS)))


def pages(side, session, more=""):
    """Events a second read page by page over one connection, and how many."""
    c, after, n, began = connection(side), 0, 0, time.monotonic()
    while True:
        c.request("GET", f"/v1/realtime/sessions/{session}/events?afterSequence={after}&limit={PAGE}{more}",
                  headers={"authorization": f"Bearer {side.token}"})
        text = c.getresponse().read()
        some = text.count(b'{"eventId":')
        if (n + some) // SHOWN > n // SHOWN:
            say(f"  read {n + some} events by pages")
        n += some
        after = int(re.findall(rb'"nextCursor":(\d+)', text)[-1])
        if b'"hasMore":false' in text:
            return n / (time.monotonic() - began), n


def follow(side, session, after, until):
    """Seconds from asking for the stream to having event `until`, and how many came."""
    c, began, n, tail = connection(side), time.monotonic(), 0, b""
    c.request("GET", f"/v1/realtime/sessions/{session}/events?afterSequence={after}",
              headers={"authorization": f"Bearer {side.token}", "accept": "text/event-stream"})
    r, last = c.getresponse(), f"\nid: {until}\n".encode()
    while last not in tail:
        some = r.read1(1 << 18)
        if not some:
            raise SystemExit("the stream ended")
        both = tail[-24:] + some
        some = both.count(b"\nid: ") - tail[-24:].count(b"\nid: ")
        if (n + some) // SHOWN > n // SHOWN:
            say(f"  read {n + some} events as a stream")
        n += some
        tail = both
    took = time.monotonic() - began
    c.close()
    return took, n


def come_back(side, session, head, times):
    """Milliseconds: the whole request and what the appliance says of its query; then the same as a stream."""
    c, wall, query, live = connection(side), [], [], []
    for _ in range(times):
        began = time.monotonic()
        c.request("GET", f"/v1/realtime/sessions/{session}/events?afterSequence={head - BEHIND}&diagnostics=true",
                  headers={"authorization": f"Bearer {side.token}"})
        answer = json.loads(c.getresponse().read())
        wall.append((time.monotonic() - began) * 1000)
        query.append(answer["diagnostics"]["totalQueryMs"])
        if len(answer["events"]) != BEHIND:
            raise SystemExit("resume: not the events behind the cursor")
        live.append(follow(side, session, head - BEHIND, head)[0] * 1000)
    return {k: {"p50": statistics.median(v), "p99": sorted(v)[int(0.99 * (len(v) - 1))]} for k, v in
            (("request_ms", wall), ("query_ms", query), ("stream_ms", live))}


def alone(side, session):
    began = time.monotonic()
    out = subprocess.run(["psql", side.env["LIFEOS_PG"], "-XqAtc", ROWS.format(session)], stdout=subprocess.PIPE, check=True).stdout
    return out.count(b"\n") / (time.monotonic() - began)


def measure(bench):
    side = bench.ours
    session = side.channels(1)[0]
    say(f"replay: storing {bench.events} events in one session")
    began = time.monotonic()
    head = fill(side, session, bench.events)
    got = {"events": head, "stored_per_second": bench.events / (time.monotonic() - began), "rounds": []}
    for i in range(bench.rounds):
        paged, n = pages(side, session)
        bare, _ = pages(side, session, "&snapshotLimit=1")
        took, streamed = follow(side, session, 0, head)
        if (n, streamed) != (head, head):
            raise SystemExit(f"replay: {n} and {streamed} of {head} events")
        got["rounds"].append({"pages": paged, "pages without transcript": bare, "stream": head / took, "postgres": alone(side, session)})
        say("  round %d of %d: " % (i + 1, bench.rounds) + ", ".join(f"{k} {v:.0f} events/s" for k, v in got["rounds"][-1].items()))
    got["resume"] = come_back(side, session, head, 20 if bench.quick else 200)
    return got


def table(got):
    def median(of):
        return statistics.median(map(of, got["rounds"]))

    say(f"\n{got['events']} events of one session: stored at {got['stored_per_second']:.0f}/s; read in events/s and beside COPY of the same rows")
    for k in ("pages", "pages without transcript", "stream"):
        say(f"  {k:<24} {median(lambda r: r[k]):>9.0f}   ratio {median(lambda r: r[k] / r['postgres']):.2f}")
    say(f"coming back at head - {BEHIND}, milliseconds (wanted below {WANTED_MS})")
    for k, v in got["resume"].items():
        say(f"  {k:<10} p50 {v['p50']:.2f}  p99 {v['p99']:.2f}")
