"""What visibility.conf of conf-examples shows: the same for both servers."""

import json

import calls
from keys import CARRIERS

CHAT = "/v1/chat/completions"


def check(server, up, secret, read):
    """read(): all lines of both logs, (dotted, underscored)."""
    post, get = server.client.post, server.client.get
    own = CARRIERS["authorization"](secret)
    r = post(CHAT, calls.chat(max_tokens=8),
             dict(own, **{"X-Feature": "rag", "X-Session-Id": "s1"}))
    assert r.status == 200
    parent = up.requests[-1].header("traceparent")

    told = post("/llm/outcome", {"session": "s1", "name": "ticket_solved",
                                 "value": 1}, own)
    assert told.status in (200, 201, 202, 204), told.body
    assert post("/llm/outcome", {"session": "s1", "name": "x"}).status == 401
    assert get("/llm/me").status == 401
    me = get("/llm/me", own)
    assert me.status == 200 and "search" in me.body.decode()

    # The key's budget has an alert at half of it: a line of each kind.
    server.wait_until(lambda: [len(lines) for lines in read()] == [3, 3])
    dotted, under = read()
    lines = {line.get("event.kind"): line for line in dotted}
    call, outcome = lines[None], lines["outcome"]
    assert lines["alert"]["llm.quota.threshold"] == 50
    assert call["llm.team"] == "search" and call["llm.tags.feature"] == "rag"
    assert call["trace.id"] in parent
    assert call["trace.id"] == call["llm.call_id"].replace("-", "")
    assert outcome["llm.outcome.name"] == "ticket_solved"
    assert outcome["gen_ai.conversation.id"] == "s1"
    assert [line["llm_cost_total_nusd"] for line in under
            if "event_kind" not in line] == [call["llm.cost.total_nusd"]]
    assert call["llm.cost.total_nusd"] > 0

    page = get("/llm/status")
    assert page.status == 200
    assert page.header("Content-Type").startswith("text/html")
    figures = get("/llm/status?format=json")
    assert figures.header("Content-Type").startswith("application/json")
    text = get("/llm/metrics").body.decode()
    cost = [line for line in text.splitlines()
            if line.startswith("llm_cost_usd_total{")]
    assert len(cost) == 1
    assert 'tag_feature="rag"' in cost[0] and 'team="search"' in cost[0]
    assert round(float(cost[0].split()[-1]) * 1e9) \
        == call["llm.cost.total_nusd"]
    json.loads(figures.body)
