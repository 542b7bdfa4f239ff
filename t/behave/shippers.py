"""rsyslogd and syslog-ng with files of conf-examples/shipping, beside the
machine's own daemon, and servers that stand for what they send to."""

import glob
import gzip
import http.server
import json
import os
import re
import socketserver
import subprocess
import sysconfig
import threading
import time

from servers import die_with_parent, free_port, root

HOME = root("build", "shippers")
ARCH = sysconfig.get_config_var("MULTIARCH")
LIBS = os.path.join(HOME, "usr", "lib", ARCH)
PATHS = (LIBS, os.path.join(HOME, "lib", ARCH),
         os.path.join(HOME, "usr", "lib", "syslog-ng"))
NG_MODULES = os.path.join(HOME, "usr", "lib", "syslog-ng", "3.38")
DEADLINE = 150          # RELP gives a lost connection up after 90 s


def available():
    return os.path.exists(os.path.join(HOME, ".done"))


def example(name):
    with open(root("conf-examples", "shipping", name)) as f:
        return f.read()


def put(text, *pairs):
    """Each (what, by what) has to be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)

    return text


def wait_until(condition, what, timeout=DEADLINE):
    end = time.monotonic() + timeout

    while not condition():
        assert time.monotonic() < end, "waited for %s in vain" % what
        time.sleep(0.05)


class Daemon:
    def __init__(self, folder, text):
        self.dir = str(folder)
        self.process = None
        os.makedirs(self.dir, exist_ok=True)
        self.conf = os.path.join(self.dir, "conf")
        with open(self.conf, "w") as f:
            f.write(text)

    def argv(self):
        raise NotImplementedError

    def start(self):
        env = dict(os.environ, LD_LIBRARY_PATH=":".join(PATHS))
        with open(os.path.join(self.dir, "out"), "ab") as out:
            self.process = subprocess.Popen(
                self.argv(), cwd=self.dir, env=env, stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        return self

    def messages(self):
        with open(os.path.join(self.dir, "out"), errors="replace") as f:
            return f.read()

    def stop(self, kill=False):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.kill() if kill else self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Rsyslog(Daemon):
    """With Debian's own rsyslog.conf around it, but for the system's socket."""

    def __init__(self, folder, text):
        super().__init__(folder, (
            'module(load="imuxsock" sysSock.use="off")\n'
            "$WorkDirectory %s\n%s" % (folder, text)))

    def argv(self):
        return [os.path.join(HOME, "usr", "sbin", "rsyslogd"), "-n", "-i",
                "NONE", "-f", self.conf, "-M", os.path.join(LIBS, "rsyslog")]

    def start(self):
        super().start()
        time.sleep(0.3)
        assert self.process.poll() is None, self.messages()
        assert "error" not in self.messages(), self.messages()
        return self


class SyslogNg(Daemon):
    def __init__(self, folder, text):
        super().__init__(folder, "@version: 3.38\n" + text)

    def argv(self):
        here = lambda name: os.path.join(self.dir, name)        # noqa: E731
        return [os.path.join(HOME, "usr", "sbin", "syslog-ng"), "-F",
                "--no-caps", "--module-path=" + NG_MODULES, "-f", self.conf,
                "-R", here("persist"), "-p", here("pid"), "-c", here("ctl")]


def rsyslog_node(folder, logs, port, name="rsyslog.conf"):
    text = put(example(name), ("logs.example.com", "127.0.0.1"),
               ('"2514"', '"%d"' % port))

    if name == "rsyslog.conf":
        return Rsyslog(folder, put(text, ("/var/log/nginx", logs)))

    return Rsyslog(folder, put(text, ("/run/tollgate.sock", logs)))


class Central(Rsyslog):
    """The other end: its lines are files of a day."""

    def __init__(self, folder):
        self.port = free_port()
        self.kept = os.path.join(str(folder), "kept")
        super().__init__(folder, put(
            example("rsyslog-central.conf"), ('"2514"', '"%d"' % self.port),
            ("/var/log/tollgate", self.kept)))

    def read(self):
        text = b""

        for path in sorted(glob.glob(os.path.join(self.kept, "*.jsonl"))):
            with open(path, "rb") as f:
                text += f.read()

        return text


class Siem(socketserver.ThreadingTCPServer):
    """Takes RFC 5424 in frames of RFC 6587 (octet counting)."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port=0):
        self.messages = []
        super().__init__(("127.0.0.1", port), self.Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()
        self.port = self.server_address[1]

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while True:
                size = b""
                while (c := self.rfile.read(1)) not in (b" ", b""):
                    size += c
                if not c:
                    return
                frame = self.rfile.read(int(size))
                assert len(frame) == int(size)
                self.server.messages.append(frame)

    def read(self):
        """What is behind the structured data."""
        lines = b""

        for frame in list(self.messages):
            m = re.fullmatch(rb"<\d+>1 (\S+) (\S+) (\S+) (\S+) (\S+) "
                             rb"(-|\[.*?\]) (?:\xef\xbb\xbf)?(\{.*\})\n?",
                             frame, re.S)
            assert m, frame[:300]
            assert m[3] == b"llm"
            lines += m[7] + b"\n"

        return lines


class Hec(http.server.ThreadingHTTPServer):
    """Splunk's collector: events one after the other, all of a request or
    none."""
    daemon_threads = True

    def __init__(self):
        self.events = []
        self.refuse = 0                 # so many requests get 503
        self.faults = []
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()
        self.port = self.server_address[1]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, text, code):
            body = json.dumps({"text": text, "code": code}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.server.refuse:
                self.server.refuse -= 1
                return self.answer(503, "Server is busy", 9)
            try:
                events = self.parse(body.decode())
            except (ValueError, AssertionError) as e:
                self.server.faults.append((repr(e), body[:500]))
                return self.answer(400, "Invalid data format", 6)
            self.server.events += events
            return self.answer(200, "Success", 0)

        def parse(self, text):
            """(metadata, event as it was written)"""
            assert self.path.split("?")[0] == "/services/collector/event"
            assert re.fullmatch(r"Splunk [0-9a-f-]{36}",
                                self.headers["Authorization"])
            found, at, decoder = [], 0, json.JSONDecoder()

            while at < len(text):
                told, end = decoder.raw_decode(text, at)
                assert set(told) <= {"time", "host", "source", "sourcetype",
                                     "index", "fields", "event"}
                raw = text[at:end]
                raw = raw[raw.index('"event":') + 8:-1]
                assert json.loads(raw) == told.pop("event")
                found.append((told, raw))
                at = end
                while at < len(text) and text[at] in " \r\n":
                    at += 1

            return found

        def log_message(self, *args):
            pass

    def read(self):
        return "".join(raw + "\n" for _, raw in list(self.events)).encode()


def syslog_ng_siem(folder, logs, port):
    text = example("syslog-ng.conf")
    text = re.sub(r"(?m)^ *tls\(.*\n", "", text)
    return SyslogNg(folder, put(
        text, ("/var/log/nginx", logs), ("/var/log/apache2", logs),
        ("siem.example.com", "127.0.0.1"),
        ('"tls"', '"tcp"'), ("6514", str(port)),
        ("reliable(yes)", "reliable(yes) dir(\"%s\")" % folder)))


def syslog_ng_hec(folder, logs, port):
    text = example("splunk-hec.conf")
    text = re.sub(r"(?m)^ *tls\(.*\n", "", text)
    return SyslogNg(folder, put(
        text, ("/var/log/nginx", logs), ("/var/log/apache2", logs),
        ("https://splunk.example.com:8088", "http://127.0.0.1:%d" % port),
        ("reliable(yes)", "reliable(yes) dir(\"%s\")" % folder)))
