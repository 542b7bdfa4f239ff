"""A fleet whose Redis does not answer: who is refused when, who waits."""

import concurrent.futures
import http.client
import json
import threading
import time

import rig

ASKERS = 2                              # of a node
SETTLE = 0.05                           # s, until what was asked is answered
PAUSE = 0.004
NOISE = 10                              # ms
BODY = json.dumps({"model": "gpt-4o-mini", "max_tokens": 200, "messages": [
    {"role": "user", "content": rig.PROMPT}]})


def ask(port, key, call):
    """(status, ms).  httpd closes connections that are kept where it is short of
    threads: each call has its own."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/v1/chat/completions", BODY, {
        "Content-Type": "application/json", "X-Call": call,
        "Authorization": "Bearer " + rig.secret(key)})
    answer = connection.getresponse()
    answer.read()
    connection.close()

    return answer.status, (time.monotonic() - began) * 1000


def asker(port, name, end):
    """In turn a call, and one that is refused without anybody's word."""
    found = []

    for i in range(10 ** 6):
        if time.monotonic() > end:
            return found

        for key in ("k6", "nobody"):
            found.append((key, *ask(port, key, "%s-%d" % (name, i))))

    return found


def pings(port, end):
    """ms of each; a location that has nothing to do with us."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    while time.monotonic() < end:
        began = time.monotonic()
        connection.request("GET", "/ping")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204, answer.status
        took.append((time.monotonic() - began) * 1000)
        time.sleep(PAUSE)

    connection.close()

    return took


def part(took, share):
    took = sorted(took)

    return took[min(len(took) - 1, int(share * len(took)))] if took else 0.0


def probe(fleet, name, seconds, beyond=None):
    """Calls' (key, status, ms) and pings' ms, for so long."""
    end = time.monotonic() + seconds
    has_ping = fleet.stage.server.name == "nginx"

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        asked = [pool.submit(asker, node.port, "z%s%d-%d" % (name, n, i), end)
                 for n, node in enumerate(fleet.nodes) for i in range(ASKERS)]
        pinged = [pool.submit(pings, node.port, end)
                  for node in fleet.nodes if has_ping]

        while beyond is not None and time.monotonic() < end:
            found = fleet.look.ask("beyond")
            beyond.append(found["beyond"])
            time.sleep(0.2)

        return ([c for a in asked for c in a.result()],
                [ms for p in pinged for ms in p.result()])


def away(fleet, timeout, seconds):
    before, pinged = probe(fleet, "a", 1)
    fleet.redis.pause()
    resume = threading.Timer(seconds, fleet.redis.resume)
    resume.start()
    time.sleep(SETTLE)
    beyond = []
    found, held_up = probe(fleet, "b", seconds - SETTLE - 2 * timeout / 1000,
                           beyond)
    resume.join()
    fleet.joined()
    judge(fleet, timeout, found, beyond)

    if pinged:
        judge_pings(fleet, pinged, held_up)


def judge(fleet, timeout, found, beyond):
    ordinary = [ms for key, status, ms in found if status == 401]
    refused = [ms for key, status, ms in found if status == 503]
    passed = sum(status == 200 for key, status, ms in found)
    other = sorted({s for key, s, ms in found} - {200, 401, 429, 503})
    more = {share: part(refused, share) - part(ordinary, share)
            for share in (0.5, 0.99)}
    fleet.figure("Redis away: refused, let through from slices, entries beyond"
                 " what was granted", "%d, %d, %d" % (len(refused), passed,
                                                      sum(beyond)))
    fleet.figure("Redis away: ms until the refusal, p50, p99, most",
                 "%.1f, %.1f, %.1f" % (part(refused, 0.5), part(refused, 0.99),
                                       part(refused, 1)))
    fleet.figure("Redis away: ms of an ordinary refusal, p50, p99",
                 "%.1f, %.1f" % (part(ordinary, 0.5), part(ordinary, 0.99)))
    fleet.must(refused, "nobody was refused while Redis hung")
    fleet.must(not other, "statuses %s while Redis hung" % other)
    fleet.must(sum(beyond) == 0, "more was let through than was granted")
    fleet.must(max(more.values()) <= timeout + NOISE,
               "refused %s ms later than others" % more)


def judge_pings(fleet, before, during):
    fleet.figure("other requests: ms, p50 and p99 before; while Redis hangs",
                 "%.1f, %.1f; %.1f, %.1f" % (
                     part(before, 0.5), part(before, 0.99),
                     part(during, 0.5), part(during, 0.99)))
    usual = part(before, 0.99)
    fleet.must(part(during, 0.99) <= usual + max(usual, NOISE),
               "other requests wait while Redis hangs")
