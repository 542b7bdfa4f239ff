"""Rows of calls that do not go as they came: elsewhere, or looked into."""

import contextlib
import http.client
import time

import lines
import traffic
from report import median
from rig import BenchError
from rounds import extra, rounds

REWRITE = 5                     # us over metering, of a body of 1 KB


def refuses(server):
    """BenchError unless it looks for what its guards deny."""
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)

    try:
        conn.request("POST", traffic.PATH, traffic.request(
            [{"role": "user", "content": "a jailbreak"}]), traffic.HEADERS)
        if conn.getresponse().status != 403:
            raise BenchError("%s: guards let through what they deny"
                             % server.name)
    finally:
        conn.close()


class RoutingRows:
    """Of a kind of server; see Rows."""

    @contextlib.contextmanager
    def beside(self, name, fields, proof=None):
        """A server that does this besides; fields: of each of its lines."""
        server = self.up(name, name if not self.args.same else False)

        try:
            yield server

            if not self.args.same:
                time.sleep(1.2)                 # the log's flush
                lines.check(server, fields)
                if proof:
                    proof(server)
        finally:
            self.down(server)

    def over(self, name, results, variant, pieces, unit):
        """Beside plain, and in microseconds over each of the others."""
        self.show(name, results)
        self.ratios(name, None, None, results, False, variant)

        for other in results:
            if other != variant:
                self.figure("%s_over_%s" % (name, other),
                            extra(results, variant, other, pieces), unit)

    def route(self):
        """A small call goes to another model, by a rule."""
        wrk = self.wrk("route", traffic.kilobyte(), 16)

        with self.beside("routed", {"llm.route": "small",
                                    "llm.sent_model": "gpt-4.1-nano"}) as on:
            got = rounds({"plain": (wrk, self.plain, "memory"),
                          "ours": (wrk, self.ours, "memory"),
                          "routed": (wrk, on, "memory")}, self.turns["small"])

        self.over("route", got, "routed", 1, "us/call")
        self.goal("route to another model, 1 KB, over metering",
                  extra(got, "routed", "ours"), REWRITE, "us", least=False)

    def translated(self):
        """An OpenAI client reads what Anthropic writes, 1,000 events as fast as
        they can be taken; plain hands them on as they are."""
        wrk = self.wrk("translated", traffic.small(
            stream=True, stream_options={"include_usage": True}), 8, "m")
        variants = {"plain": (wrk, self.plain, "memory")}
        if self.like != "plain":
            variants[self.like] = (wrk, self.plain, self.like)

        with self.beside("translated", {"llm.route": "small",
                                        "llm.provider": "anthropic"}) as on:
            variants["translated"] = (wrk, on, "memory")
            got = rounds(variants, self.turns["burst"])

        self.over("translated", got, "translated", traffic.EVENTS, "us/event")

    def guards(self):
        """Twenty regexes look into a prompt of 20 KB and find nothing."""
        wrk = self.wrk("guards", traffic.prompt(traffic.GUARDED), 16)

        with self.beside("guarded", {}, refuses) as on:
            got = rounds({"plain": (wrk, self.plain, "memory"),
                          "ours": (wrk, self.ours, "memory"),
                          "guarded": (wrk, on, "memory")},
                         self.turns["prompt"])

        self.over("guards", got, "guarded", 1, "us/call")
