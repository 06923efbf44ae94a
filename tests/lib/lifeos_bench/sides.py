"""sides - whom the fan-out bench loads: our appliance and nginx with nchan, by the same methods."""
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

from .load import MARK, frame, request

ROOT = pathlib.Path(__file__).resolve().parents[3]
STACK = ROOT / "tests" / "stack"
TEXT = f"{MARK} the quick brown fox jumps over the lazy dog"
PAYLOAD = '{"endMs":1001,"speaker":"user","startMs":1000,"text":"' + TEXT + '","utteranceId":"utt-1"}'


def event(session):
    """What a publisher of ours sends."""
    return '{"type":"transcript.partial","payload":' + PAYLOAD + ',"sessionId":"' + session + '"}'


def stored(session):
    """The same as long as our listeners get it."""
    at = "2026-01-01T00:00:00.000001Z"
    return ('{"eventId":"evt_0123456789abcdef0123456789abcdef","sequence":1000,"sessionId":"' + session + f'","ts":"{at}","timestamp":"{at}",'
            '"type":"transcript.partial","payload":' + PAYLOAD + ',"schemaVersion":"1.0","origin":"ingest",'
            f'"receivedAt":"{at}","recordedAt":"{at}"' + "}")


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("a server did not start")
        time.sleep(0.02)


class Ours:
    name = "ours"
    welcome = {"sse": "event: ready", "socket": '"op":"subscribed"'}

    def __init__(self, folder, settings=()):
        self.folder = folder
        argv = [STACK, "up", "--dir", folder, *(x for s in settings for x in ("--set", s))]
        path = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        out = subprocess.run(["bash", "-c", f". '{path}' && env -0"], capture_output=True, text=True, check=True).stdout
        self.env = dict(x.split("=", 1) for x in out.split("\0") if x.startswith("LIFEOS_"))
        self.port = int(self.env["LIFEOS_URL"].rsplit(":", 1)[1])
        self.ingest = self.env["LIFEOS_INGEST_TOKEN"]
        self.token = subprocess.run([STACK, "token", "--user", "bench", "--dir", folder], capture_output=True, text=True,
                                    check=True).stdout.strip()

    def call(self, method, path, body=None, token=None):
        req = urllib.request.Request(self.env["LIFEOS_URL"] + path, data=None if body is None else json.dumps(body).encode(), method=method,
                                     headers={"authorization": f"Bearer {token or self.token}", "content-type": "application/json"})
        with urllib.request.urlopen(req, timeout=60) as r:
            return json.load(r)

    def channels(self, n):
        """n new sessions."""
        return [self.call("POST", "/v1/call/sessions", {})["session"]["sessionId"] for _ in range(n)]

    def sse(self, session):
        return request("GET", f"/v1/realtime/sessions/{session}/events",
                       [f"Authorization: Bearer {self.token}", "Accept: text/event-stream"])

    def socket(self, session):
        return request("GET", "/v1/realtime/ws", [f"Authorization: Bearer {self.token}", "Upgrade: websocket", "Connection: Upgrade",
                                                  "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="]) \
            + frame('{"op":"subscribe","sessionId":"' + session + '"}')

    def publish(self, *sessions):
        body = event(sessions[0]) if len(sessions) == 1 else "[" + ",".join(map(event, sessions)) + "]"
        return request("POST", "/v1/realtime/events", [f"Authorization: Bearer {self.ingest}"], body)

    def has_socket(self):
        return any("/v1/realtime/ws" in json.dumps(e) for e in [self.call("GET", "/")])

    def pid(self, name):
        return int((pathlib.Path(self.folder) / "pids" / name).read_text(encoding="ascii").split()[0])

    def pids(self):
        """Who fans out."""
        try:
            return [self.pid("frontend@1"), self.pid("frontend@2")]
        except OSError:  # one is being started
            return []

    def behind(self):
        """Who stores: the writer and what PostgreSQL runs for it."""
        postmaster = (pathlib.Path(self.folder) / "pg" / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0]
        kids = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split()
        return [self.pid("writer"), *map(int, kids)]

    def fresh(self):
        """New processes: a heap that has not grown."""
        old = self.pids()
        for name in ("frontend@1", "frontend@2"):
            subprocess.run([STACK, "kill", name, "--dir", self.folder], check=True)
        until(lambda: self.pids() and not set(old) & set(self.pids()) and all(self.ready() for _ in range(20)))

    def ready(self):
        try:
            return self.call("GET", "/health/ready")["ok"]
        except OSError:
            return False

    def close(self):
        subprocess.run([STACK, "down", "--dir", self.folder], check=False)


NGINX = """load_module {module};
worker_processes 2; daemon off; pid {dir}/pid; error_log {dir}/error warn; worker_rlimit_nofile {files};{user}
events {{ worker_connections {connections}; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  keepalive_requests 1000000000; keepalive_timeout 1h; nchan_shared_memory_size 1024m;
  nchan_message_buffer_length 1000; nchan_message_timeout 1h;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ /pub/(\\w+)$ {{ nchan_publisher; nchan_channel_id $1; }}
    location ~ /sub/(\\w+)$ {{ nchan_subscriber eventsource websocket; nchan_channel_id $1; nchan_subscriber_first_message oldest; }}
  }}
}}
"""


class Nchan:
    name = "nchan"
    welcome = None
    module = pathlib.Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
    made = 0

    def __init__(self, folder, port, files):
        if not self.module.exists():
            raise SystemExit("nginx with nchan is not installed: apt-get install nginx-core libnginx-mod-nchan")
        self.port, self.conf = port, pathlib.Path(folder) / "nginx.conf"
        self.conf.write_text(NGINX.format(module=self.module, dir=folder, port=port, files=files, connections=files - 100,
                                          user=" user root;" if os.geteuid() == 0 else ""))
        self.argv = ["nginx", "-c", self.conf, "-e", f"{folder}/error"]
        self.start()

    def start(self):
        self.proc = subprocess.Popen(self.argv, start_new_session=True)
        until(lambda: len(self.pids()) == 2)

    def fresh(self):
        self.close()
        self.start()

    def channels(self, n):
        Nchan.made += n
        return [f"sess_{i:016d}" for i in range(Nchan.made - n, Nchan.made)]

    def sse(self, channel):
        return request("GET", f"/sub/{channel}", ["Accept: text/event-stream"])

    def socket(self, channel):
        return request("GET", f"/sub/{channel}", ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                                                  "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="])

    def publish(self, channel):
        return request("POST", f"/pub/{channel}", [], stored(channel))

    def pids(self):
        try:
            return list(map(int, pathlib.Path(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read_text(encoding="ascii").split()))
        except OSError:
            return []

    def behind(self):
        return []

    def close(self):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait()
