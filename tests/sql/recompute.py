#!/usr/bin/env python3
"""recompute - what every account owes, once more: from events, LiveKit's webhooks, turns and price books alone.

  recompute.py CONNINFO    prints {account: {currency: {ledger account: minor units}}} and what has no price, as JSON

Shares nothing with migrations/: it never reads a usage record or the ledger, knows the rules from docs/BILLING.md, and
calculates in Python's integers. Where it and the ledger disagree, one of the two is wrong.
"""
import collections
import datetime
import json
import pathlib
import shutil
import subprocess
import sys

SECOND = 1_000_000


def psql():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"), key=lambda p: int(p.parts[4]))
    return str(found[-1]) if found else shutil.which("psql")


def rows(conninfo, sql):
    done = subprocess.run([psql(), conninfo, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", f"SELECT to_json(x) FROM ({sql}) x"],
                          capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def micros(text):
    """A time as events spell it."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - epoch) // datetime.timedelta(microseconds=1)


def present(said, ended):
    """Seconds of all who were in the call's rooms until it ended, each rounded down. said: webhooks in the order they came."""
    joined, left = {}, {}
    for w in said:
        who = (w["room"], w.get("part"))
        if w["event"] == "participant_joined":
            joined[who] = joined.get(who) or w["joined"] or w["at"]
        elif w["event"] in ("participant_left", "participant_connection_aborted"):
            joined[who] = joined.get(who) or w["joined"]
            left.setdefault(who, w["at"])
        elif w["event"] == "room_finished":
            for who in joined:
                if who[0] == w["room"]:
                    left.setdefault(who, w["at"])
    return sum(max(0, min(left.get(who, ended), ended) - at) // SECOND for who, at in joined.items() if at is not None)


class Usage:
    """What was used: (account, time, meter) and how much; nothing used is no money, but needs a price all the same."""

    def __init__(self, conninfo):
        self.used = []
        self.adjusted = []
        self.webhooks = collections.defaultdict(list)
        for r in rows(conninfo, "SELECT account_id, session_id, received_at, detail FROM lifeos.provider_receipt "
                                "WHERE result <> 'ignored' AND detail ->> 'event' IS NOT NULL ORDER BY received_at"):
            self.webhooks[r["detail"]["session"]].append((r["received_at"], r["detail"]))
        self.turns = {(t["account_id"], t["conversation_id"], t["last"]): t for t in rows(
            conninfo, "SELECT t.*, CASE WHEN status IN ('completed', 'incomplete') THEN turn_id "
                      "ELSE sequences[cardinality(sequences)]::text END AS last FROM lifeos.turn t WHERE status <> 'running'")}
        stream = collections.defaultdict(list)
        for e in rows(conninfo, "SELECT account_id, session_id, sequence, type, ts, received_at, payload FROM lifeos.event "
                                "ORDER BY account_id, session_id, sequence"):
            stream[e["account_id"], e["session_id"]].append(e)
        for events in stream.values():
            self.read(events)

    def add(self, e, meter, quantity):
        self.used.append((e["account_id"], e["ts"], meter, quantity))

    def read(self, events):
        started = None
        for e in events:
            payload = e["payload"]
            if e["type"] == "call.connected" and started is None:
                started = micros(payload["connectedAt"])
            elif e["type"] in ("call.ended", "call.terminal_failure"):
                self.call(e, started, micros(payload["endedAt" if e["type"] == "call.ended" else "failedAt"]))
            elif e["type"] == "action.executed":
                self.add(e, "orchestration.action.executed.count", 1)
            elif e["type"] == "action.proposed" and payload.get("deliverable", {}).get("deliverableId"):
                self.add(e, "deliverable.version.count", 1)
            elif e["type"] == "billing.adjustment.created":
                self.adjusted.append((e["account_id"], payload["currency"], payload["meterId"], payload["amountMinor"]))
            key = payload.get("turnId") if e["type"] == "call.turn.timing" else str(e["sequence"])
            turn = self.turns.pop((e["account_id"], e["session_id"], key), None)
            if turn:
                self.add(e, "ai.turn.count", 1 if turn["status"] in ("completed", "incomplete") else 0)
                self.add(e, "ai.input.tokens", turn["input_tokens"])
                self.add(e, "ai.output.tokens", turn["output_tokens"])

    def call(self, e, started, ended):
        said = [w for at, w in self.webhooks[e["session_id"]] if at <= e["received_at"]]
        self.add(e, "call.duration.seconds", max(0, ended - started) // SECOND if started is not None else 0)
        self.add(e, "call.participant.seconds", present(said, ended))


def price_of(books, account, at):
    """The account's own book that has begun last, else the appliance's."""
    for whose in (account, "*"):
        begun = [b for b in books if b["account_id"] == whose and b["valid_from"] <= at]
        if begun:
            return max(begun, key=lambda b: (b["valid_from"], b["version"]))
    return None


def main():
    conninfo = sys.argv[1]
    books = rows(conninfo, "SELECT b.*, (SELECT json_object_agg(p.meter_id, json_build_array(p.minor, p.per)) FROM lifeos.price p "
                           "WHERE p.account_id = b.account_id AND p.version = b.version) AS prices FROM lifeos.price_book b")
    usage = Usage(conninfo)
    total, unpriced = collections.Counter(), collections.Counter()
    for account, at, meter, quantity in usage.used:
        book = price_of(books, account, at)
        if book and meter in (book["prices"] or {}):
            total[account, book["account_id"], book["version"], book["currency"], meter, *book["prices"][meter]] += quantity
        else:
            unpriced[meter] += 1
    owed = collections.Counter()
    for (account, _, _, currency, meter, minor, per), quantity in total.items():
        amount = quantity * minor // per
        owed[account, currency, "customer"] += amount
        owed[account, currency, f"revenue:{meter}"] -= amount
    for account, currency, meter, amount in usage.adjusted:
        owed[account, currency, "customer"] += amount
        owed[account, currency, f"revenue:{meter}"] -= amount
    print(json.dumps({"owed": sorted([*k, v] for k, v in owed.items()), "unpriced": dict(sorted(unpriced.items())),
                      "records": len(usage.used)}))


main()
