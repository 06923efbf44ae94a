"""load - the load tool's orders and answers, processor time and memory of those it loads."""
import json
import os
import pathlib
import subprocess

TICK = os.sysconf("SC_CLK_TCK")
MARK = "@T@"
MARK_BYTES = 26


def say(text):
    print(text, flush=True)


def cell(x):
    return f"{x:.2f}" if x < 100 else f"{x:.0f}" if x < 100000 else f"{x / 1000:.0f}k"


def request(method, path, headers, body=""):
    """Bytes of a request as the load tool wants them; each mark in the body counts with the bytes it becomes."""
    n = len(body.encode()) + (MARK_BYTES - len(MARK)) * body.count(MARK)
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *headers]
    if method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {n}"]
    return "\\r\\n".join(lines) + "\\r\\n\\r\\n" + body.replace("\\", "\\x5c")


def frame(text):
    """A client's text frame with a mask of zeros."""
    n = len(text)
    head = bytes([0x81, 0x80 | n]) if n < 126 else bytes([0x81, 0x80 | 126, n >> 8, n & 255])
    return "".join(f"\\x{b:02x}" for b in head + b"\0\0\0\0" + text.encode())


class Listen:
    """One run of the load tool: connected when made, publishes when asked."""

    def __init__(self, tool, side, how, listen, publish=(), **numbers):
        lines = [f"port {side.port}", *([f"welcome {side.welcome[how]}"] if side.welcome else []), *(f"{k} {v}" for k, v in numbers.items()), *(f"listen {n} {getattr(side, how)(i)}" for n, i in listen),
                 *(f"publish {n} {r}" for n, r in publish), "connect"]
        self.proc = subprocess.Popen([tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.proc.stdin.write("\n".join(lines) + "\n")
        self.proc.stdin.flush()
        if self.proc.stdout.readline() != "connected\n":
            self.end()
            raise SystemExit("the listeners were not let in")

    def publish(self):
        """What it measured, when it is done."""
        out, _ = self.proc.communicate("go\n", timeout=300)
        if self.proc.returncode:
            raise SystemExit(f"the load was not carried: {out.strip() or 'see above'}")
        return json.loads(out)

    def end(self):
        self.proc.stdin.close()
        self.proc.wait()


def cpu(pids):
    """Seconds of processor time each has had; not of those that are gone."""
    got = {}
    for pid in pids:
        try:
            f = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        except OSError:
            continue
        got[pid] = (int(f[11]) + int(f[12])) / TICK
    return got


def spent(before):
    """Since then, by those that are still there."""
    return sum(t - before[pid] for pid, t in cpu(before).items())


def rss(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    return 0


def kernel():
    """What the kernel holds in slabs, where sockets are, and in socket buffers."""
    slab = next(int(x.split()[1]) * 1024 for x in open("/proc/meminfo", encoding="ascii") if x.startswith("Slab:"))
    tcp = next(x.split() for x in open("/proc/net/sockstat", encoding="ascii") if x.startswith("TCP:"))
    return slab + int(tcp[tcp.index("mem") + 1]) * os.sysconf("SC_PAGESIZE")


def machine():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf8") if line.startswith("model name")]
    load = os.getloadavg()[0]
    return f"{len(names)} x {names[0] if names else '?'}, {os.uname().sysname} {os.uname().release}, load {load:.1f}"
