"""What calls of a model have taken before is what the next one holds."""

import pytest

import calls
import httpd
from keys import gated

pytestmark = pytest.mark.skipif(
    httpd.MPM == "prefork", reason="each of many processes learns for itself")

CHAT = "/v1/chat/completions"
LEARN = 32


def ordered(lines):
    """As the calls came: httpd's processes write their lines on their own."""
    return sorted(lines, key=lambda line: line["@timestamp"])


def start(server, fake, quota, **more):
    server.meter(fake, *gated(server, quota), workers=1, **more)


def learn(server, n=LEARN + 1, **more):
    for i in range(n):
        if i == LEARN:
            server.lines(LEARN)         # it has been learned from them

        r = server.client.post(CHAT, calls.chat(max_tokens=1000, **more))
        assert r.status == 200, r.text


def test_holds_come_near_to_what_is_used(server, fake):
    start(server, fake, "usd per=all usd=1/total estimate=calibrated wait=2s")
    learn(server)
    lines = ordered(server.lines(LEARN + 1))
    assert all("llm.hold_calibrated" not in line for line in lines[:LEARN])
    bound, line = lines[0], lines[-1]
    cost = line["llm.cost.total"]
    assert bound["llm.hold"] > 50 * cost
    assert line["llm.hold_calibrated"] is True
    assert cost <= line["llm.hold"] < 2 * cost


def test_bound_stays_the_default(server, fake):
    start(server, fake, "usd per=all usd=1/total wait=2s")
    learn(server)
    lines = ordered(server.lines(LEARN + 1))
    assert len({line["llm.hold"] for line in lines}) == 1
    assert "llm.hold_calibrated" not in lines[-1]


def test_more_calls_fit_and_what_they_take_is_counted(server, fake):
    start(server, fake,
          "out per=all output_tokens=2000/total estimate=calibrated")
    learn(server)
    answers = []
    while not answers or answers[-1].status == 200:
        answers.append(server.client.post(CHAT, calls.chat(max_tokens=1000)))
        assert len(answers) < 500
    lines = ordered(server.lines(LEARN + 1 + len(answers)))
    assert 1990 <= sum(line.output for line in lines[:-1]) <= 2000
    assert lines[-1]["llm.quota.held"] == 0


def test_an_overrun_is_counted(server, fake):
    start(server, fake,
          "out per=all output_tokens=300/total estimate=calibrated wait=2s")
    for _ in range(LEARN):
        assert server.client.post(CHAT, calls.chat(max_tokens=100)).status \
            == 200
    # 140 are left, where the estimate of 6 fits in
    r = server.client.post(CHAT, calls.chat(max_tokens=200),
                           fake={"words": 150})
    assert r.status == 200
    r = server.client.post(CHAT, calls.chat(max_tokens=1))
    assert r.status == 429
    refused = ordered(server.lines(LEARN + 2))[-1]
    assert refused["llm.quota.spent"] == 5 * LEARN + 150 > 300


def test_an_estimate_is_never_above_the_maximum(server, fake):
    start(server, fake,
          "out per=all output_tokens=1000/total estimate=calibrated wait=2s")
    for _ in range(LEARN):
        assert server.client.post(CHAT, calls.chat(max_tokens=100)).status \
            == 200
    # 840 are left; an answer of at most 2 tokens holds 2
    assert server.client.post(CHAT, calls.chat(max_tokens=2)).status == 200
    server.lines(LEARN + 1)


def test_a_cut_stream_is_billed_by_what_was_learned(server, fake):
    server.meter(fake, workers=1)
    cut = {"type": "text/event-stream", "framing": "chunked",
           "body": 'data: {"choices":[{"index":0,'
                   '"delta":{"content":"word1 word2 word3 word4"}}]}\n\n'}
    server.client.post(CHAT, calls.chat(stream=True), fake=cut)
    for _ in range(LEARN):
        server.client.post(CHAT, calls.chat(max_tokens=100))
    server.client.post(CHAT, calls.chat(stream=True), fake=cut)
    lines = ordered(server.lines(LEARN + 2))
    before, after = lines[0], lines[-1]
    assert before.source == after.source == "estimated"
    assert (before.input, before.output) == (5, 6)  # 18 and 23 bytes
    assert (after.input, after.output) == (4, 4)    # as the provider counts
