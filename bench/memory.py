"""The row of a worker's memory, over many calls.

httpd keeps for later ones what a connection has needed, unless it is told not
to: then only a leak grows."""

import re
import time

import traffic

CALLS = 200000
STEP = 20000
LONGEST = 400                   # seconds
MOST = 1024                     # KB that may come with the second half


class MemoryRows:
    """Of a kind of server; see Rows."""

    def resident(self, server):
        """KB of all workers; what they share with each other is in it."""
        total = 0

        for pid in server.pids:
            with open("/proc/%d/status" % pid) as f:
                total += int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])

        return total

    def kinds(self):
        """Small calls, streams, long prompts; each load's end cuts some off."""
        stream = traffic.small(stream=True)

        return [(self.wrk("memory_small", traffic.small(), 32), 4),
                (self.wrk("memory_burst", stream, 8, "b"), 1),
                (self.wrk("memory_small_new", traffic.small(), 16,
                          Connection="close"), 1),
                (self.wrk("memory_paced", stream, 16, "s"), 1),
                (self.wrk("memory_prompt", traffic.prompt(), 8), 1)]

    def memory(self):
        server = self.up("memory", "gated" if not self.args.same else False,
                         lean=True)
        try:
            calls, told = self.remember(server)
        finally:
            self.down(server)

        self.figure("memory_calls", calls, "calls")

        half = min(told, key=lambda it: abs(it[0] - calls / 2))
        self.goal("memory after %d calls, over that after %d"
                  % (told[-1][0], half[0]), told[-1][1] - half[1], MOST, "KB",
                  least=False, judged=calls >= CALLS)

    def remember(self, server):
        """(calls, [(calls so far, KB)])"""
        calls, wanted, start = 0, 0, time.monotonic()
        told = []

        while calls < CALLS and time.monotonic() - start < LONGEST:
            for wrk, seconds in self.kinds():
                begun = wrk.start(server, "memory", seconds)
                calls += wrk.result(begun, server)[0]

            if calls >= wanted:
                told.append((calls, self.resident(server)))
                self.figure("memory_after_%d" % calls, told[-1][1], "KB")
                wanted = calls + STEP

        return calls, told
