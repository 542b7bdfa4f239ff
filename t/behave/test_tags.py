"""Who pays: tags from headers, bodies, baggage and traces."""

import json

import pytest

import calls

CHAT = "/v1/chat/completions"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def tagged(server, fake, *tags, **more):
    server.meter(fake, *[("llm_tag", *tag) for tag in tags], **more)


@pytest.mark.parametrize("source,headers,metadata,value", [
    ("header:X-Team", {"X-Team": "blue"}, {}, "blue"),
    ("header:x-team", {"X-TEAM": "  blue "}, {}, "blue"),
    ("json:X-Meta:team", {"X-Meta": '{"a":1,"team":"blue"}'}, {}, "blue"),
    ("json:X-Meta:n", {"X-Meta": '{"n": 17}'}, {}, "17"),
    ("baggage:team", {"baggage": "a=b, team=bl%75e;p=1 ,c=d"}, {}, "blue"),
    ("traceparent", {"traceparent": TRACE}, {},
     "0af7651916cd43dd8448eb211c80319c"),
    ("metadata.session_id", {}, {"session_id": "blue"}, "blue"),
    ("body:metadata.session_id", {}, {"session_id": "bl\u00fce"}, "bl\u00fce"),
    ("body:user", {}, {}, "u-1"),
])
def test_source_gives_the_value(server, fake, source, headers, metadata,
                                value):
    tagged(server, fake, ("thing", "from=" + source))
    server.client.post(CHAT, {**calls.chat(user="u-1"),
                              "metadata": metadata}, headers)
    assert server.line()["llm.tags.thing"] == value


@pytest.mark.only("nginx", "variables are spelled $name")
def test_variable_gives_the_value(server, fake):
    tagged(server, fake, ("thing", "from=$http_x_team"),
           ("what", "from=$request_method"))
    server.client.post(CHAT, calls.chat(), {"X-Team": "blue"})
    line = server.line()
    assert line["llm.tags.thing"] == "blue"
    assert line["llm.tags.what"] == "POST"


@pytest.mark.only("httpd", "environment variables")
def test_environment_gives_the_value(server, fake):
    tagged(server, fake, ("thing", "from=env:TEAM"),
           httpd_server='    SetEnvIf X-Team "(.*)" TEAM=$1\n')
    server.client.post(CHAT, calls.chat(), {"X-Team": "blue"})
    assert server.line()["llm.tags.thing"] == "blue"


@pytest.mark.parametrize("name,field", [
    ("team", "llm.team"), ("user", "user.id"), ("org", "organization.id"),
    ("session", "gen_ai.conversation.id"), ("agent", "gen_ai.agent.name"),
    ("cost-center_2", "llm.tags.cost-center_2")])
def test_name_says_the_field(server, fake, name, field):
    tagged(server, fake, (name, "from=header:x-v"))
    server.client.post(CHAT, calls.chat(), {"x-v": "some value"})
    assert server.line()[field] == "some value"


def test_first_source_that_has_it_wins(server, fake):
    tagged(server, fake,
           ("team", "from=header:x-a,header:x-b,metadata.team"))
    client = server.client
    client.post(CHAT, calls.chat(metadata={"team": "c"}),
                {"x-b": "b", "x-a": "a"})
    client.post(CHAT, calls.chat(metadata={"team": "c"}),
                {"x-a": "", "x-b": "b"})
    client.post(CHAT, calls.chat(metadata={"team": "c"}))
    client.post(CHAT, calls.chat())
    assert [line.get("llm.team") for line in server.lines(4)] \
        == ["a", "b", "c", None]


def test_required_tag_that_lacks_is_refused_by_name(server, fake):
    tagged(server, fake, ("team", "from=header:X-Team", "required"))
    r = server.client.post(CHAT, calls.chat())
    assert r.status == 400
    assert "team" in r.json["error"]["message"]
    assert "x-team" in r.json["error"]["message"].lower()
    assert fake.requests == []
    r = server.client.post(CHAT, calls.chat(), {"X-Team": "blue"})
    assert r.status == 200
    refused, allowed = server.lines(2)
    assert refused["llm.decision"] == "refuse"
    assert refused["error.type"] == "missing_attribution"
    assert allowed["llm.team"] == "blue"


def test_required_tag_lets_pass_in_dry_run(server, fake):
    tagged(server, fake, ("team", "from=header:X-Team", "required"),
           enable=("dry_run",))
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert server.line()["llm.decision"] == "dry_refuse"


def test_trace_is_in_the_line(server, fake):
    tagged(server, fake)
    server.client.post(CHAT, calls.chat(), {"traceparent": TRACE})
    server.client.post(CHAT, calls.chat(), {"traceparent": "00-bad"})
    good, bad = server.lines(2)
    assert good["trace.id"] == "0af7651916cd43dd8448eb211c80319c"
    assert good["span.id"] == "b7ad6b7169203331"
    assert "trace.id" not in bad


@pytest.mark.parametrize("value", [
    b'quote " and \\ slash', b"tab\tinside", b"\xff\xfe bytes",
    "Zürich 世界".encode(), b"<script>", b"x" * 5000,
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"])
def test_any_byte_in_a_tag_gives_one_valid_line(server, fake, value):
    tagged(server, fake, ("team", "from=header:x-team"),
           ("t", "from=metadata.t"))
    body = json.dumps(calls.chat(metadata={"t": "a\u0000b\u2028\ud83d\n"}))
    server.client.post(CHAT, body.encode(),
                       [("x-team", value.decode("latin-1"))])
    line = server.line()
    assert line.input == 4
    assert line["llm.team"]
    assert line["llm.tags.t"].startswith("a")


def test_odd_metadata_is_no_error(server, fake):
    tagged(server, fake, ("t", "from=metadata.t"),
           ("m", "from=json:x-meta:a"), ("b", "from=baggage:a"))
    for meta in ("x", 1, None, [], {"t": {}}, {"t": None}, {"t": [1]}):
        r = server.client.post(CHAT, calls.chat(metadata=meta), {
            "x-meta": "{not json", "baggage": ",,=;a"})
        assert r.status == 200
    assert all("llm.tags.b" not in line and "llm.tags.m" not in line
               for line in server.lines(7))


def test_retries_of_sdks_are_told(server, fake):
    tagged(server, fake)
    server.client.post(CHAT, calls.chat(), {"x-stainless-retry-count": "2"})
    assert server.line()["llm.retry_count"] == 2
