#!/usr/bin/python3
"""Replays recorded calls through a real server with the module.

    replay.py --server nginx|apache --corpus DIR [--chunk 1,7,whole] [--jobs N]
              [--lines FILE]

Each host of the corpus becomes an upstream of that name which is the fake
provider; it answers each call as recorded, in chunks of so many bytes.  The
answer's bytes and the cost line are compared with the recording and the index.
--lines keeps the log, for compare.py.
"""

import argparse
import collections
import http.client
import os
import queue
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
T = os.path.dirname(HERE)
sys.path[:0] = [HERE, T, os.path.join(T, "behave")]

import cases                                            # noqa: E402
import expect                                           # noqa: E402
import httpd                                            # noqa: E402
import nginx                                            # noqa: E402
from servers import Site, root                          # noqa: E402

NGINX_SERVER = """
    upstream "%(host)s" { server 127.0.0.1:%(fake)d; keepalive 16; }
    server {
        listen 127.0.0.1:%(port)d;
        server_name "%(host)s";
        client_max_body_size 0;
        location / {
            llm on;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://%(host)s;
        }
    }
"""

HTTPD_SERVER = """
<Proxy "balancer://%(host)s">
    BalancerMember http://127.0.0.1:%(fake)d retry=0
</Proxy>
<VirtualHost 127.0.0.1:%(port)d>
    ServerName %(host)s
    AllowEncodedSlashes NoDecode
    <Location "/">
        LLMEngine On
        ProxyPass "balancer://%(host)s/" nocanon
    </Location>
</VirtualHost>
"""


def start_fake(corpus):
    process = subprocess.Popen(
        [sys.executable, os.path.join(T, "fake", "provider.py"), "--forget",
         "--replay", os.path.join(corpus, "cases")],
        stdout=subprocess.PIPE, text=True)

    return process, int(process.stdout.readline())


def prefix_key(server):
    """The same for both servers, whose hashes are compared."""
    path = server.path("etc", "prefix.key")

    with open(path, "w") as f:
        f.write("corpus" * 8 + "\n")

    os.chmod(path, 0o600)

    return path


def start_server(name, hosts, fake):
    """A server with a virtual host for each host of the corpus."""
    server = nginx.Nginx() if name == "nginx" else httpd.Httpd()
    template = NGINX_SERVER if name == "nginx" else HTTPD_SERVER
    llm = [("llm_log", server.log, "flush=100ms"),
           ("llm_tag", "case", "from=header:x-case"),
           ("llm_prefix_hash", "on", "key=file:" + prefix_key(server))]
    prices = root("prices", "default.json")

    if os.path.exists(prices):
        llm.append(("llm_prices", prices))

    class Sites(type(server)):
        def render(self, site):
            text = "".join(template % {
                "host": host, "fake": fake, "port": self.port}
                for host in sorted(hosts))
            site.nginx_http = \
                "    server_names_hash_bucket_size 256;\n" \
                "    server_names_hash_max_size 4096;\n" + text
            site.httpd_main = text
            return super().render(site)

    server.__class__ = Sites
    server.start(Site(llm=llm, workers=2))

    return server


class Client(threading.Thread):
    """Sends cases from a queue over one connection."""

    def __init__(self, port, work, misses):
        super().__init__(daemon=True)
        self.port, self.work, self.misses = port, work, misses
        self.connection = None

    def run(self):
        while True:
            try:
                case, chunk = self.work.get_nowait()
            except queue.Empty:
                break
            try:
                self.call(case, chunk)
            except (OSError, http.client.HTTPException) as e:
                self.miss(case, chunk, "the call failed: %r" % e)
                self.connection = None

        if self.connection:
            self.connection.close()

    def miss(self, case, chunk, text):
        self.misses[(case.id, chunk)].append(text)

    def call(self, case, chunk):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=60)

        headers = {"Host": case.host_header, "Accept": "*/*",
                   "x-case": "%s@%s" % (case.id, chunk),
                   "x-fake-replay": "%s %s" % (case.id, chunk)}

        if case.content_type and case.body is not None:
            headers["Content-Type"] = case.content_type

        self.connection.request(case.method, case.path, case.body, headers)
        response = self.connection.getresponse()
        body = response.read()

        if response.status != int(case.row["status"]):
            self.miss(case, chunk, "the client got status %d, not %s: %r" % (
                response.status, case.row["status"], body[:200]))
        elif body != case.response_body() and not self.may_strip(case, body):
            self.miss(case, chunk, differs(body, case.response_body()))

    def may_strip(self, case, body):
        """The usage that was asked for in the client's place is taken out."""
        return not case.asks_usage() and case.row["framing"] == "sse" \
            and body == expect.stripped(case.response_body())


def differs(got, want):
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b),
              min(len(got), len(want)))

    return "the client's bytes differ at %d of %d (%d came): %r, not %r" % (
        at, len(want), len(got), got[at:at + 40], want[at:at + 40])


def replay(server, selected, chunks, jobs, misses):
    work = queue.Queue()

    for chunk in chunks:
        for case in selected:
            work.put((case, chunk))

    clients = [Client(server.port, work, misses) for _ in range(jobs)]

    for client in clients:
        client.start()
    for client in clients:
        client.join()


def tag(line, name):
    return line.get("llm.tags." + name) or (line.get("llm.tags") or {}).get(
        name)


def compare(server, selected, chunks, misses):
    total = len(selected) * len(chunks)
    log = server.log_of()
    try:
        lines = log.wait(total, timeout=20, exact=False)
    except AssertionError:
        lines = log.read()
    log.seen = len(lines)
    by_case = collections.defaultdict(list)

    for line in lines:
        by_case[tag(line, "case")].append(line)

    for case in selected:
        for chunk in chunks:
            found = by_case.pop("%s@%s" % (case.id, chunk), [])
            if len(found) != 1:
                misses[(case.id, chunk)].append("%d cost lines" % len(found))
                continue
            misses[(case.id, chunk)] += expect.misses(case.row, found[0])

    for name, found in by_case.items():
        misses[(str(name), "?")].append("%d lines of no call" % len(found))


def grouped(misses, chunks):
    """(text of a line, whether it is apart), one for all chunk sizes."""
    texts = collections.defaultdict(list)

    for (case, chunk), found in misses.items():
        for text in found:
            texts[case, text, isinstance(text, expect.Apart)].append(chunk)

    for (case, text, apart), where in sorted(texts.items()):
        sizes = "" if len(where) == len(chunks) else \
            " (chunks of %s)" % ",".join(where)
        yield "%s: %s%s" % (case, text, sizes), apart


def report(name, selected, chunks, misses, quiet):
    """Prints what is wrong, and the count."""
    if not quiet:
        for text, apart in grouped(misses, chunks):
            print(("apart: " if apart else "") + text)

    def is_apart(case, chunk):
        found = misses.get((case.id, chunk))
        return bool(found) and all(isinstance(t, expect.Apart) for t in found)

    apart = [case for case in selected
             if any(is_apart(case, chunk) for chunk in chunks)
             and all(is_apart(case, chunk) or not misses.get((case.id, chunk))
                     for chunk in chunks)]
    counted = [case for case in selected if case not in apart]

    for chunk in chunks:
        print("corpus %s: %d/%d exact at chunks of %s" % (
            name, sum(not misses.get((case.id, chunk)) for case in counted),
            len(counted), chunk))

    good = sum(not any(misses.get((case.id, chunk)) for chunk in chunks)
               for case in counted)
    strays = sum(bool(found) for (_, c), found in misses.items() if c == "?")

    if apart:
        print("corpus %s: %d cases counted apart, where the index is shown to "
              "be wrong (expect.py says why)" % (name, len(apart)))

    print("corpus %s: %d/%d exact" % (name, good, len(counted)))

    return good == len(counted) and not strays


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", choices=("nginx", "apache"),
                        default="nginx")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--chunk", default="1,7,whole")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", help="cases that match this expression")
    parser.add_argument("--lines", metavar="FILE",
                        help="copies the server's cost lines there")
    parser.add_argument("--quiet", action="store_true", help="counts only")
    args = parser.parse_args()

    began = time.monotonic()
    chunks = [c.strip() for c in args.chunk.split(",")]
    corpus = os.path.abspath(args.corpus)
    selected = cases.load(corpus, args.only)
    misses = collections.defaultdict(list)
    fake, port = start_fake(corpus)
    server, good = None, False

    try:
        server = start_server(args.server, {c.host for c in selected}, port)
        replay(server, selected, chunks, args.jobs, misses)
        compare(server, selected, chunks, misses)
        good = report(args.server, selected, chunks, misses, args.quiet)

        if args.lines:
            with open(args.lines, "wb") as f:
                f.write(server.log_of().raw())
    finally:
        try:
            if server:
                server.finish()
        except AssertionError as e:
            print(e)
            good = False
        fake.terminate()
        fake.wait()

    print("in %.1f s" % (time.monotonic() - began))

    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
