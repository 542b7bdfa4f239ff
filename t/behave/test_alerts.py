"""Thresholds of quotas: their lines, and the webhook."""

import json

import calls
import pytest

from hooks import SECRET, Hook, secret, signed
from keys import gated

CHAT = "/v1/chat/completions"


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def failing_hook():
    made = Hook(2)
    yield made
    made.close()


def start(server, fake, *quotas, alert=None, **more):
    llm = [alert] if alert else []
    server.meter(fake, *gated(server, *quotas, llm=llm), **more)


def post(server):
    return server.client.post(CHAT, calls.chat(max_tokens=8)).status


def test_each_threshold_has_one_line(server, fake):
    start(server, fake, "all per=all requests=4/day alert=50%,75%,100%")
    assert [post(server) for _ in range(6)] == [200] * 4 + [429] * 2
    server.lines(6)
    alerts = server.log_of().alerts()
    assert [a["llm.quota.threshold"] for a in alerts] == [50, 75, 100]
    assert {a["llm.quota.name"] for a in alerts} == {"all"}
    assert alerts[0]["llm.quota.subject"] == "all calls"
    assert len({a["event.id"] for a in alerts}) == 3


def test_a_refusal_before_the_cap_is_told_as_100(server, fake):
    start(server, fake, "out per=all output_tokens=12/day alert=100% wait=0s")
    assert [post(server) for _ in range(4)] == [200, 429, 429, 429]
    server.lines(4)
    assert len(server.log_of().alerts()) == 1


def test_webhook_is_told_signed_and_once(server, fake, hook):
    path = secret(server, "hook.key", "whsec_" + SECRET)
    start(server, fake, "all per=all requests=2/day alert=50%",
          alert=("llm_alert", "url=" + hook.url, "secret=file:" + path),
          workers=2)
    assert [post(server) for _ in range(2)] == [200] * 2
    server.wait_until(lambda: hook.posts)
    server.lines(2)
    headers, body = hook.posts[0]
    said = json.loads(body)
    assert "all calls" in said["text"]
    assert said["dedup_key"] == headers["webhook-id"]
    assert said["dedup_key"] == server.log_of().alerts()[0]["event.id"]
    assert signed(hook.posts[0])
    assert len(hook.posts) == 1


def test_webhook_that_fails_is_tried_again_and_nobody_waits(server, fake,
                                                            failing_hook):
    server.expect_errors("llm_alert")
    start(server, fake, "all per=all requests=2/day alert=50%",
          alert=("llm_alert", "url=" + failing_hook.url))
    assert [post(server) for _ in range(2)] == [200] * 2
    server.lines(2)
    server.wait_until(lambda: len(failing_hook.posts) == 3)
    assert len({h["webhook-id"] for h, _ in failing_hook.posts}) == 1


def test_what_was_not_delivered_survives_a_restart(server, fake, hook):
    server.expect_errors("llm_alert")
    port = hook.server.server_port
    hook.close()
    start(server, fake, "all per=all requests=2/day alert=50%",
          alert=("llm_alert", "url=" + hook.url))
    assert post(server) == 200
    server.lines(1)
    site = server.site
    server.terminate()
    again = Hook(port=port)
    server.start(site)
    server.wait_until(lambda: again.posts)
    again.close()
    assert json.loads(again.posts[0][1])["dedup_key"] \
        == server.log_of().alerts()[0]["event.id"]
