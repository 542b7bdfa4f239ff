"""The processes of a measurement: servers pinned to one core, load to others.

A worker's time is read from /proc/PID/task/*/schedstat: nanoseconds on a
core, what
the kernel did for it included.
"""

import dataclasses
import os
import random
import re
import signal
import socket
import subprocess
import time

import traffic

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
PRICES = os.path.join(ROOT, "prices", "default.json")

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = {CORES[0]}
LOAD_CORES = set(CORES[1:]) or SERVER_CORES


class BenchError(Exception):
    pass


def free_port():
    """Below the range that outgoing connections take their ports from."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def children(pid):
    out = []

    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                with open("/proc/%s/stat" % name) as f:
                    if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                        out.append(int(name))
        except (OSError, IndexError):
            continue

    return out


class Process:
    """A process of ours that listens on self.port."""

    def spawn(self, argv, cores):
        self.proc = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.stderr, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.wait()

    def wait(self):
        deadline = time.monotonic() + 10

        while time.monotonic() < deadline:
            if self.proc.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)

        self.stop()
        raise BenchError("%s does not start: %s" % (self.name, self.why()))

    def why(self):
        return ""

    def stop(self):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.proc.pid, signal.SIGKILL)
                self.proc.wait(5)


class Redis(Process):
    """The store of a fleet of one: beside the load."""

    name = "redis-server"
    stderr = None

    def __init__(self):
        self.port = free_port()
        self.spawn(["redis-server", "--port", str(self.port), "--bind",
                    "127.0.0.1", "--save", "", "--appendonly", "no"],
                   LOAD_CORES)


class Upstream(Process):
    name = "upstream"
    stderr = None

    def __init__(self, folder):
        answer = os.path.join(folder, "answer.json")
        events = os.path.join(folder, "events.txt")
        messages = os.path.join(folder, "messages.txt")

        with open(answer, "wb") as f:
            f.write(traffic.answer())
        with open(events, "wb") as f:
            f.write(traffic.stream())
        with open(messages, "wb") as f:
            f.write(traffic.messages())

        self.port = free_port()
        self.spawn([os.path.join(BUILD, "bench", "upstream"), str(self.port),
                    answer, events, messages], LOAD_CORES)

    def events(self):
        """How many events it has sent so far."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(b"GET / HTTP/1.1\r\nX-Bench: n\r\n\r\n")
            return int(s.recv(4096).split(b"\r\n\r\n")[1])


class Server(Process):
    """A server that passes calls on; ours: with the module and all that it can
    do.  A kind of server says how it is configured, and which sites it has:
    what differs of its settings, each on a port of its own."""

    kind = None
    sites = ("memory",)
    connections = None                  # a worker's, where none are asked for

    def __init__(self, folder, name, upstream, ours, workers=1, streams=0,
                 lean=False):
        self.name = name
        self.lean = lean                # it keeps no memory for later calls
        self.dir = os.path.join(folder, self.kind + "-" + name)
        os.makedirs(os.path.join(self.dir, "tmp"))
        self.ports = {site: free_port() for site in self.sites}
        self.port = self.ports["memory"]
        self.workers = workers
        if streams:
            self.connections = self.room(streams)
        self.log = os.path.join(self.dir, "llm.jsonl")
        self.loads = []                 # what it was asked; see Load

        with open(os.path.join(self.dir, "keys.json"), "w") as f:
            f.write(traffic.keys())

        conf = os.path.join(self.dir, self.kind + ".conf")
        with open(conf, "w") as f:
            f.write(self.conf(folder, upstream, ours))

        with open(os.path.join(self.dir, "stderr"), "w") as self.stderr:
            self.spawn(self.argv(conf), SERVER_CORES)

        self.pids = self.wait_workers()

    def room(self, streams):
        """Connections of a worker that has its share of so many streams."""
        raise NotImplementedError

    def conf(self, folder, upstream, ours):
        raise NotImplementedError

    def gate(self, text, ours):
        """Keys, a ledger, quotas.  ours: "gated", or ("strict", port)."""
        fleet = ""

        if isinstance(ours, tuple):
            fleet = (" redis=127.0.0.1:%d fleet=bench lease=%s quarantine=1s"
                     % (ours[1], ours[0]))

        elif ours != "gated":
            return ""

        return text % {"dir": self.dir, "fleet": fleet}

    def argv(self, conf):
        raise NotImplementedError

    def wait_workers(self):
        for _ in range(250):
            pids = children(self.proc.pid)
            if len(pids) == self.workers:
                return pids
            time.sleep(0.02)

        self.stop()
        raise BenchError("%s has %d workers: %s"
                         % (self.name, len(pids), self.why()))

    def why(self):
        text = ""

        for name in ("stderr", "error.log"):
            try:
                with open(os.path.join(self.dir, name)) as f:
                    text += f.read()
            except OSError:
                pass

        return text.strip()

    def url(self, site="memory"):
        return "%s://127.0.0.1:%d%s" % (
            "https" if site == "tls" else "http", self.ports[site],
            traffic.PATH)

    def cpu(self):
        """Seconds of the workers, user's and system's, of all their threads:
        these last as long as the worker."""
        total = 0

        for pid in self.pids:
            for task in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                    total += int(f.read().split()[0])

        return total / 1e9

    def private(self):
        """Bytes of memory that only the workers have."""
        total = 0

        for pid in self.pids:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += sum(int(n) for n in re.findall(
                    r"^Private_(?:Clean|Dirty): +(\d+) kB", f.read(), re.M))

        return total * 1024


@dataclasses.dataclass
class Load:
    """What a server was asked, for whoever reads its log."""
    calls: int                  # that were answered, as the client saw it
    open: int                   # at most so many were cut off at the end
    end: float                  # not before; since 1970
    gone: float                 # nor after


def certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-keyout", os.path.join(folder, "key.pem"), "-out",
         os.path.join(folder, "cert.pem")], check=True, capture_output=True)


class Wrk:
    """A workload: a body, and the headers that go with it."""

    def __init__(self, folder, name, body, connections, mode="j", **headers):
        self.connections = connections
        self.script = os.path.join(folder, name + ".lua")
        data = os.path.join(folder, name + ".body")

        with open(data, "wb") as f:
            f.write(body)

        headers = {**traffic.HEADERS, "X-Bench": mode, **headers}

        with open(self.script, "w") as f:
            f.write('local f = io.open("%s", "rb")\n'
                    'wrk.method = "POST"\nwrk.body = f:read("*a")\n' % data)
            for key, value in headers.items():
                f.write('wrk.headers["%s"] = "%s"\n' % (key, value))
            f.write('function done(s)\n'
                    '    local e = s.errors\n'
                    '    io.write("result ", s.requests, " ", s.duration, " ",'
                    ' e.connect + e.read + e.write + e.timeout, " ",'
                    ' e.status, "\\n")\n'
                    'end\n')

    def start(self, server, site, seconds):
        return time.time() + seconds, subprocess.Popen(
            ["wrk", "-t1", "-c%d" % self.connections, "-d%d" % seconds,
             "--timeout", "10", "-s", self.script, server.url(site)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, LOAD_CORES))

    def result(self, started, server):
        """(calls, seconds)"""
        end, proc = started

        try:
            out = proc.communicate(timeout=end - time.time() + 30)[0]
        except BaseException:
            proc.kill()
            proc.wait()
            raise

        found = re.search(r"^result (\d+) (\d+) (\d+) (\d+)$", out, re.M)
        if found is None:
            raise BenchError("wrk: " + out)

        calls, duration, broken, bad = (int(n) for n in found.groups())
        if bad or broken > calls / 100 or calls == 0:
            raise BenchError("wrk: of %d calls %d broke, %d had a bad status"
                             % (calls, broken, bad))

        server.loads.append(Load(calls, self.connections + broken, end,
                                 time.time()))

        return calls, duration / 1e6

    def run(self, server, site, seconds):
        """(calls a second, seconds of CPU a call, share of its core)"""
        before, start = server.cpu(), time.monotonic()
        calls, took = self.result(self.start(server, site, seconds), server)
        cpu, wall = server.cpu() - before, time.monotonic() - start

        return calls / took, cpu / calls, cpu / wall
