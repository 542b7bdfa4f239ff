"""A real server with the module, described once for nginx and httpd."""

import ctypes
import dataclasses
import fcntl
import glob
import itertools
import os
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

from client import Client
from costlines import ROOT, Log

LIBC = ctypes.CDLL(None)
HERE = os.path.dirname(os.path.abspath(__file__))
START_TRIES = 5
DEADLINE = 60                           # seconds, of any wait


@dataclasses.dataclass
class Upstream:
    """What nginx calls so; httpd: a balancer.  servers: each a Fake, or what has
    a port, or "host:port", alone or in a tuple with words that nginx has after
    it: "weight=2", "backup", "down", "max_conns=1", "max_fails=0",
    "fail_timeout=1s".  llm: directives of ours with nginx's names, behind the
    servers.  method: of nginx, in front of them.  keepalive: connections that
    are kept, 0 for none.  nginx, httpd: raw text within it."""
    name: str = "gpu"
    servers: list = dataclasses.field(default_factory=list)
    llm: list = dataclasses.field(default_factory=list)
    method: str = ""
    keepalive: int = 0
    scheme: str = "http"
    nginx: str = ""
    httpd: str = ""

    def addresses(self):
        """(host:port, [word, ...]) of each."""
        for server in self.servers:
            to, *words = server if isinstance(server, tuple) else (server,)
            port = getattr(to, "port", None)
            yield "127.0.0.1:%d" % port if port else to, words


@dataclasses.dataclass
class Loc:
    """A location.  llm: directives of ours with nginx's names.  to: a Fake, a
    URL, an Upstream, or None.  host: the name that the upstream goes by.  passes:
    the provider is chosen for each call; ca: the authorities of such ones.
    nginx, httpd: raw text for that server."""
    path: str = "/"
    llm: list = dataclasses.field(default_factory=list)
    to: object = None
    host: str = "api.openai.com"
    keepalive: bool = False
    nginx: str = ""
    httpd: str = ""
    passes: bool = False
    ca: str = "/etc/ssl/certs/ca-certificates.crt"


@dataclasses.dataclass
class Site:
    """llm: directives of the http level.  upstreams: Upstream.  modules: those
    of ours that are loaded, in this order: "llm" is the metering one,
    "llm_upstream" the companion.  nginx_*: raw text there."""
    locs: list = dataclasses.field(default_factory=list)
    llm: list = dataclasses.field(default_factory=list)
    server_llm: list = dataclasses.field(default_factory=list)
    upstreams: list = dataclasses.field(default_factory=list)
    modules: tuple = ("llm",)
    workers: int = 1
    tls: bool = False
    nginx_main: str = ""
    nginx_http: str = ""
    nginx_server: str = ""
    httpd_main: str = ""
    httpd_server: str = ""


# Of a process, where its next is looked for: one that was given is not given again
# soon, whether anyone listens there by then or is meant not to.
next_port = itertools.count(random.SystemRandom().randrange(1000))


def free_port():
    """Below the range that outgoing connections take their ports from, and none
    that another of pytest's workers is about to take: it has a twelfth of it."""
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 12

    while True:
        port = 20000 + 1000 * mine + next(next_port) % 1000
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def server_user():
    """(user, group) for workers of a master that is root, else None."""
    if os.geteuid() != 0:
        return None

    try:
        pwd.getpwnam("www-data")
        return "www-data", "www-data"
    except KeyError:
        return "nobody", "nogroup"


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def rss(pid):
    """Resident memory of a process, in bytes."""
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def die_with_parent():
    """A test that is killed leaves no server behind: prctl(PR_SET_PDEATHSIG)."""
    LIBC.prctl(1, signal.SIGTERM)


def asleep(pids):
    """How often each thread of these processes has gone to sleep, or None where
    one is awake."""
    times = {}

    for pid in pids:
        for path in glob.glob("/proc/%d/task/*/status" % pid):
            try:
                with open(path) as f:
                    text = f.read()
            except OSError:             # it has ended
                continue
            if "\nState:\tS" not in text:
                return None
            times[path] = re.search(r"\nvoluntary_ctxt_switches:\t(\d+)",
                                    text)[1]

    return times


def at_rest(pids):
    """There was a moment in which all their threads slept."""
    before = asleep(pids)

    return before is not None and asleep(pids) == before


def unacked(sock):
    """How much of what was sent, an end included, the other side's kernel has not
    got yet: when it has, who waits for it is awake."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


class StartError(Exception):
    pass


class Server:
    """What both have in common; see nginx.py and httpd.py."""

    name = None
    buffers = True                      # cost lines are gathered
    one_pool = True                     # of one worker's upstream connections

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="tollgate-")
        os.chmod(self.dir, 0o755)
        self.process = None
        self.port = None
        self.tls_port = None
        self.site = None
        self.expected = []
        self.logs = {}
        self.failures = []
        self.stopped_by = None
        self.check_lines = True

        for name in ("tmp", "san", "log", "etc", "www"):
            self.mkdir(name)

        shutil.copy(os.path.join(HERE, "prices.json"), self.prices)

    # places

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def mkdir(self, name):
        """A directory that the workers may write to."""
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        user = server_user()

        if user:
            shutil.chown(path, *user)

        return path

    def write(self, name, text):
        """Writes a file as an editor does: a new one takes the old one's
        place."""
        path = self.path(name)

        with open(path + ".new", "w" if isinstance(text, str) else "wb") as f:
            f.write(text)

        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

        return path

    @property
    def log(self):
        return self.path("log", "llm.jsonl")

    @property
    def prices(self):
        return self.path("etc", "prices.json")

    @property
    def error_log(self):
        return self.path("log", "error.log")

    @property
    def access_log(self):
        return self.path("log", "access.log")

    # configurations

    def metered(self, fake, *llm, host="api.openai.com", keepalive=False,
                enable=("on",), log=("flush=0",), nginx="", httpd="",
                **site):
        """The usual site: one metered location, a log, prices."""
        return Site(
            locs=[Loc("/", [("llm", *enable)], fake, host, keepalive,
                      nginx, httpd)],
            llm=[("llm_log", self.log, *log), ("llm_prices", self.prices),
                 *llm], **site)

    def meter(self, fake, *llm, **more):
        """Starts the usual site."""
        return self.start(self.metered(fake, *llm, **more))

    def routed(self, providers, *llm, enable=("on",), log=("flush=0",),
               nginx="", httpd="", ca=None, **site):
        """A site whose one location has its provider chosen.  providers: a name,
        a Fake or a URL, and further words of its directive, each."""
        made = [("llm_provider", name, "url=" + getattr(to, "url", to), *more)
                for name, to, *more in providers]
        loc = Loc("/", [("llm", *enable)], passes=True, nginx=nginx,
                  httpd=httpd)

        if ca:
            loc.ca = str(ca)

        return Site(
            locs=[loc],
            llm=[("llm_log", self.log, *log), ("llm_prices", self.prices),
                 *made, *llm], **site)

    def route(self, providers, *llm, **more):
        """Starts it."""
        return self.start(self.routed(providers, *llm, **more))

    def render(self, site):
        raise NotImplementedError

    def test_config(self, site):
        """(accepted, messages) of the server's own configuration test."""
        raise NotImplementedError

    # life

    def start(self, site):
        for attempt in range(START_TRIES):
            self.port = free_port()
            self.tls_port = free_port() if site.tls else None
            try:
                self.site = site
                self._start(site)
                return self
            except StartError as e:
                if "in use" not in str(e) or attempt + 1 == START_TRIES:
                    raise
                os.unlink(self.error_log)
        return self

    def spawn(self, argv):
        self.process = subprocess.Popen(
            argv, cwd=self.dir, env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=open(self.path("log", "stdout"), "ab"),
            stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=die_with_parent)
        self.await_listening()

    def environment(self):
        env = dict(os.environ)
        options = "log_path=%s:abort_on_error=0:exitcode=99" \
            % self.path("san", "report")
        env["ASAN_OPTIONS"] = "%s:detect_leaks=0:%s" % (
            options, env.get("ASAN_OPTIONS", ""))
        env["UBSAN_OPTIONS"] = "%s:print_stacktrace=1:%s" % (
            options, env.get("UBSAN_OPTIONS", ""))

        return env

    def await_listening(self):
        end = time.monotonic() + DEADLINE

        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise StartError("%s did not start: %s" % (
                    self.name, self.messages()[-2000:]))
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)

        raise StartError("%s does not listen" % self.name)

    def messages(self):
        text = ""

        for path in (self.path("log", "stdout"), self.error_log):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    text += f.read()

        return text

    def story(self):
        """What a failure is understood by: of the error log our own words and
        what is a warning or more; the lines."""
        quiet = re.compile(r"[\[:](debug|trace\d|info|notice)\]")
        told = [line for line in self.messages().splitlines()
                if not quiet.search(line)
                or re.search(r"llm|exit signal|exited on", line)]

        return "\n".join([
            "-- %s:" % self.error_log, *(t[:400] for t in told[-40:]),
            *(log.story() for log in self.logs.values()), *self.failures])

    def workers(self):
        return children(self.process.pid)

    def await_taken(self, *exchanges):
        """Until the server has done with what these have sent all that it does at
        once: now they wait."""
        for exchange in exchanges:
            self.wait_until(lambda: unacked(exchange.sock) == 0,
                            what="what was sent to arrive")

        self.await_stillness()

    def see_off(self, exchange):
        """Its client leaves, and the server has found out."""
        sock = getattr(exchange, "sock", exchange)
        sock.shutdown(socket.SHUT_WR)
        self.wait_until(lambda: unacked(sock) == 0, what="the end to arrive")
        self.await_stillness()
        sock.close()

    def await_stillness(self, *pids):
        """Until the server, and these, have nothing to do but to wait."""
        self.wait_until(lambda: at_rest([*self.workers(), *pids]),
                        what="a moment of rest")

    def signal(self, number):
        self.process.send_signal(number)

    def terminate(self, at_once=False):
        """A fast stop; at_once: whatever the server is doing."""
        if not at_once:
            self.await_rest()
        self.stopped_by = "TERM"
        self.signal(signal.SIGTERM)
        self.await_exit()

    def await_rest(self):
        """Waits until the server may be stopped fast."""

    def await_exit(self, timeout=DEADLINE):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.failures.append("%s did not stop" % self.name)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def await_message(self, pattern, timeout=DEADLINE):
        """Waits for a line in the error log."""
        self.wait_until(lambda: re.search(pattern, self.messages()),
                        timeout, "%r in the error log" % pattern)

    def await_everywhere(self, pattern):
        """The same, where each process finds out for itself."""
        self.await_message(pattern)

    def wait_until(self, condition, timeout=DEADLINE, what="a condition"):
        end = time.monotonic() + timeout

        while not condition():
            assert time.monotonic() < end, \
                "waited for %s in vain" % what
            time.sleep(0.02)

    # as seen by a client

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def client(self):
        return Client(self.port)

    def log_of(self, path=None):
        path = path or self.log

        return self.logs.setdefault(path, Log(path))

    def lines(self, n, path=None, **more):
        """Waits for n cost lines and no more."""
        return self.log_of(path).wait(n, **more)

    def line(self, path=None):
        return self.lines(1, path)[0]

    # judgement

    def expect_errors(self, *patterns):
        """Error lines that the test provokes."""
        self.expected += patterns

    def bad_lines(self):
        raise NotImplementedError

    def finish(self, failed=False):
        """Stops everything and raises where something went wrong, unless the test
        has failed already: then its story is told."""
        try:
            if self.process is not None:
                if self.process.poll() is None:
                    self.terminate()
                self.judge()
        finally:
            if failed or self.failures:
                print(self.story())
            if not (self.failures and os.environ.get("TG_KEEP")):
                shutil.rmtree(self.dir, ignore_errors=True)

        assert failed or not self.failures, "\n".join(self.failures[:10])

    def judge(self):
        for line in self.bad_lines():
            if not any(re.search(p, line) for p in self.expected):
                self.failures.append("unexpected in the error log: " + line)

        for report in glob.glob(self.path("san", "*")):
            with open(report, errors="replace") as f:
                self.failures.append("sanitizer: " + f.read()[:4000])

        self.failures += ["core: " + p for p in glob.glob(self.path("core*"))]

        try:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.failures.append("processes were left over")
        except ProcessLookupError:
            pass

        self.log_of()

        for log in self.logs.values() if self.check_lines else ():
            try:
                n = log.verify()
                if n > log.seen:
                    self.failures.append("%d cost lines that nobody expected "
                                         "in %s" % (n - log.seen, log.path))
            except (AssertionError, ValueError) as e:
                self.failures.append("%s: %s" % (log.path, e))


def root(*names):
    return os.path.join(ROOT, *names)
