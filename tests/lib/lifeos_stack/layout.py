"""layout - where things are in a stack's folder, and what processes make it up."""
import os
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Layout:
    """All paths of one stack, from its folder alone."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder).resolve()
        self.run = self.dir / "run"
        self.keys = self.dir / "keys"
        self.conf = self.dir / "gateway.conf"
        self.env = self.dir / "env"
        self.logs = self.dir / "logs"
        self.pids = self.dir / "pids"
        self.joined = self.dir / "joined"  # a link to the PostgreSQL of the stack that it joined
        self.pg = self.joined.resolve() if self.joined.is_symlink() else self.dir / "pg"
        self.sockets = self.dir / "sockets.json"
        self.standin = self.dir / "standin"  # the token of the OpenClaw stand-in; not there: another gateway is used
        self.build = pathlib.Path(os.environ.get("LIFEOS_BUILD", ROOT / "build")).resolve()

    def program(self, name):
        folder = "lifeosctl" if name == "lifeosctl" else name.removeprefix("lifeos-")
        return str(self.build / "daemons" / folder / name)

    def frontends(self):
        for line in self.conf.read_text().splitlines():
            if line.startswith("frontend_instances"):
                return int(line.split("=")[1])
        return 2

    def peer_socket(self, daemon, instance):
        return {"frontend": self.run / "frontend" / f"{instance}.sock",
                "writer": self.run / "writer.sock",
                "issuer": self.run / "operator.sock"}.get(daemon)


class Process:
    """One supervised process: its name, instance, and the names of the listening sockets it is given."""

    def __init__(self, daemon, instance=1, sockets=(), on_demand=False):
        self.daemon, self.instance, self.sockets, self.on_demand = daemon, instance, list(sockets), on_demand
        self.name = f"{daemon}@{instance}" if daemon == "frontend" else daemon

    def argv(self, layout):
        argv = [layout.program(f"lifeos-{self.daemon}"), "--config", str(layout.conf), "--runtime", str(layout.run),
                "--instance", str(self.instance)]
        return [*argv, "--sandbox=trap"] if os.environ.get("LIFEOS_STACK_TRAP") else argv


class Standin(Process):
    """What answers for the OpenClaw gateway; no daemon of ours."""

    def __init__(self):
        super().__init__("gateway", sockets=["gateway"])

    def argv(self, layout):
        return [node(), str(ROOT / "tests/lib/openclaw_standin.mjs"), "--fd", "3", "--token-file", str(layout.standin)]


def node():
    found = shutil.which("node")
    if not found:
        raise SystemExit("stack: node is not installed; set LIFEOS_OPENCLAW_URL to a gateway, or install it")
    return os.path.realpath(found)


def processes(layout):
    if layout.standin.exists():
        yield Standin()
    yield Process("writer", sockets=["peer"])
    yield Process("webhook")
    yield Process("openclaw")
    yield Process("issuer", sockets=["peer"], on_demand=True)
    for i in range(1, layout.frontends() + 1):
        yield Process("frontend", i, ["http", "proxy", "metrics", "peer"])
