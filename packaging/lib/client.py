"""client - the gateway as a frontend, an ingest agent and LiveKit see it; standard library only."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
import urllib.parse


class Refused(Exception):
    def __init__(self, status, code, text, body=None):
        super().__init__(f"{status} {code}: {text}")
        self.status, self.code, self.body = status, code, body or {}


def until(what, fn, seconds=20):
    """Waits for a condition; the time is a bound, not a guess."""
    end = time.monotonic() + seconds
    while not (got := fn()):
        if time.monotonic() > end:
            sys.exit(f"demo: {what() if callable(what) else what}: did not happen within {seconds} s")
        time.sleep(0.02)
    return got


class Gateway:
    def __init__(self, url, user, env):
        self.url, self.user, self.env = urllib.parse.urlsplit(url), user, env
        self.said = ""  # the last answer as it came
        command = shlex.split(env["LIFEOS_TOKEN_CMD"]) + ["--user", user]
        self.token = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    @classmethod
    def from_environment(cls, user):
        return cls(os.environ["LIFEOS_URL"], user, os.environ)

    def stranger(self):
        return Gateway(self.url.geturl(), f"stranger-{os.urandom(3).hex()}", self.env)

    def connect(self, timeout=20):
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        c = self.connect()
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            text = r.read().decode()
        finally:
            c.close()
        answer = json.loads(text) if text.startswith("{") else {}
        self.said = text
        if r.status >= 300:
            raise Refused(r.status, answer.get("code", "?"), answer.get("message", text), answer)
        return answer

    def bearer(self, token, more=None):
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(more or {})}

    def get(self, path):
        return self.request("GET", path, headers=self.bearer(self.token))

    def post(self, path, body, key=None):
        return self.request("POST", path, json.dumps(body), self.bearer(self.token, {"Idempotency-Key": key} if key else None))

    def ready(self):
        try:
            answer = self.request("GET", "/health/ready")
        except (Refused, OSError, http.client.HTTPException):
            return None
        return list(answer.get("checks", {}))

    def assistant(self):
        return self.request("GET", "/health/ready")["checks"].get("openclaw")

    def ingest(self, events):
        return self.request("POST", "/v1/realtime/events", json.dumps(events), self.bearer(self.env["LIFEOS_INGEST_TOKEN"]))

    def try_ingest(self, events):
        """As a client is told to: the same events again until they are acknowledged."""
        try:
            return self.ingest(events)
        except (OSError, http.client.HTTPException):
            return None
        except Refused as e:
            if e.status != 503:
                raise
            return None

    def replay(self, session):
        return self.get(f"/v1/realtime/sessions/{session}/events?afterSequence=0&limit=500")["events"]

    def latest(self, session):
        return self.replay(session)[-1]["sequence"]

    def status(self, session):
        return self.get(f"/v1/call/sessions/{session}")["session"]["status"]

    def webhook(self, body, authorization):
        return self.request("POST", "/v1/providers/livekit/webhook", body,
                            {"Authorization": authorization, "Content-Type": "application/webhook+json"})

    def command(self, name, *words):
        """One of the environment's commands; False also where there is none."""
        command = self.env.get(name)
        return bool(command) and subprocess.run(shlex.split(command) + [*words], check=False).returncode == 0

    def ctl(self, *words):
        """lifeosctl, as the operator runs it."""
        command = self.env.get("LIFEOS_CTL_CMD")
        return bool(command) and subprocess.run(shlex.split(command) + list(words), check=False, stdout=subprocess.DEVNULL,
                                                stderr=subprocess.DEVNULL).returncode == 0

    def kill(self, daemon):
        return self.command("LIFEOS_KILL_CMD", daemon)

    def sweep(self):
        """What the timer does every ten seconds, now."""
        return self.command("LIFEOS_SWEEP_CMD")


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def livekit_event(name, room, gateway, **participant):
    """A webhook as LiveKit sends it: the body, and a JWT over its hash."""
    key, secret = gateway.env["LIFEOS_LIVEKIT_API_KEY"], gateway.env["LIFEOS_LIVEKIT_API_SECRET"]
    now = int(time.time())
    event = {"event": name, "id": f"EV_{os.urandom(8).hex()}", "createdAt": str(now), "room": {"sid": "RM_demo", "name": room}}
    if name.startswith("participant"):
        event["participant"] = {"sid": "PA_demo", "identity": "ana", "state": "ACTIVE", "joinedAt": str(now), **participant}
    body = json.dumps(event).encode()
    claims = {"iss": key, "iat": now, "nbf": now, "exp": now + 300,
              "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    signed = b".".join(b64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return body, (signed + b"." + b64url(mac)).decode()


class Socket:
    """A WebSocket (RFC 6455) as far as a demonstration needs one: short text messages of ours, whole ones of theirs."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.line = socket.create_connection((gateway.url.hostname, gateway.url.port), timeout=20)
        self.file = self.line.makefile("rb")
        self.line.sendall((f"GET /v1/realtime/ws HTTP/1.1\r\nHost: {gateway.url.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
                           f"Sec-WebSocket-Protocol: lifeos.v1, bearer.{gateway.token}\r\n\r\n").encode())
        head = b"".join(iter(self.file.readline, b"\r\n"))
        if b" 101 " not in head.split(b"\r\n")[0]:
            sys.exit(f"demo: no WebSocket: {head.decode()}")

    def say(self, **message):
        data, mask = json.dumps(message).encode(), os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        self.line.sendall(b"\x81" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def hear(self, op):
        """The next message of this kind; an error on the way ends the demonstration."""
        while True:
            kind, size = self.file.read(2)
            size = int.from_bytes(self.file.read({126: 2, 127: 8}[size]), "big") if size > 125 else size
            text = self.file.read(size).decode(errors="replace")
            if kind != 0x81:
                continue  # a ping: we are not here long enough to owe an answer
            message = json.loads(text)
            if message["op"] == op:
                return message
            if message["op"] == "error":
                sys.exit(f"demo: {text}")

    def cut(self):
        """As a network does: without a word."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.file.close()
        self.line.close()


class Listener:
    """A live stream, read by a thread; reconnects where it was, as EventSource does."""

    def __init__(self, gateway, session):
        self.gateway, self.session = gateway, session
        self.events, self.heard = [], []  # parsed, and as they came
        self.trouble = ""
        threading.Thread(target=self.run, daemon=True).start()

    @property
    def last(self):
        return self.events[-1]["sequence"] if self.events else 0

    def run(self):
        while True:
            try:
                self.read()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)

    def read(self):
        c = self.gateway.connect(timeout=60)
        c.request("GET", f"/v1/realtime/sessions/{self.session}/events?afterSequence={self.last}",
                  headers={"Authorization": f"Bearer {self.gateway.token}", "Accept": "text/event-stream"})
        r = c.getresponse()
        if r.status != 200:
            self.trouble = f" ({r.status} {r.read().decode()})"
            return
        name, data = "message", []
        for raw in r:
            line = raw.decode().rstrip("\n")
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line:
                if name == "message" and data:
                    self.heard.append("\n".join(data))
                    self.events.append(json.loads(self.heard[-1]))
                name, data = "message", []

    def reached(self, sequence):
        until(lambda: f"the live stream hears sequence {sequence}{self.trouble}", lambda: self.last >= sequence)
        return self.last
