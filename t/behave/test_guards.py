"""Guards: what calls may say, how much of it, and from where."""

import gzip
import json
import threading
import time

import pytest

import calls
import mmdb

CHAT = "/v1/chat/completions"
CARD = "4111 1111 1111 1111"
STARS = "*" * len(CARD)
KEY = "sk-" + "proj-" + "aB3" * 12


def start(server, fake, *words, **more):
    """words: of one guard, or of several."""
    guards = [words] if isinstance(words[0], str) else words
    server.meter(fake, *[("llm_guard", *g) for g in guards], **more)


def kept_quiet(server, *secrets):
    for text in (open(server.log).read(), server.messages()):
        for secret in secrets:
            assert secret not in text


# what is found in a prompt

APIS = [
    ("api.openai.com", CHAT, lambda t: calls.chat(text=t),
     lambda r: r["error"]["message"], lambda b: b["messages"][0]["content"]),
    ("api.openai.com", "/v1/completions",
     lambda t: {"model": "gpt-3.5-turbo-instruct", "prompt": ["a", t]},
     lambda r: r["error"]["message"], lambda b: b["prompt"][1]),
    ("api.openai.com", "/v1/responses",
     lambda t: {"model": "gpt-4o", "input": [{"role": "user", "content": [
         {"type": "input_text", "text": t}]}]},
     lambda r: r["error"]["message"],
     lambda b: b["input"][0]["content"][0]["text"]),
    ("api.openai.com", "/v1/embeddings",
     lambda t: {"model": "text-embedding-3-small", "input": t},
     lambda r: r["error"]["message"], lambda b: b["input"]),
    ("api.anthropic.com", "/v1/messages",
     lambda t: {**calls.CLAUDE, "system": t},
     lambda r: r["type"] == "error" and r["error"]["message"],
     lambda b: b["system"]),
    (calls.GOOGLE, calls.GEMINI + "generateContent",
     lambda t: {"contents": [{"role": "user", "parts": [{"text": t}]}]},
     lambda r: r["error"]["status"] and r["error"]["message"],
     lambda b: b["contents"][0]["parts"][0]["text"])]
NAMES = ["chat", "completions", "responses", "embeddings", "messages",
         "gemini"]


@pytest.mark.parametrize("path", [
    "/v1/%63hat/completions", "/v1/ch%61t//complet%69ons/", "/v1/%6Dessages",
    "/v1/chat%2fcompletions", "/v1/chat%2Fcompletions%0a", "/v1/CHAT/completions",
    "/V1/Messages", "/v1/messages;a=b", "/v1/x/../messages", "/v1/messages/.",
    "/v1/x%2f..%2fmessages", "/v1/messages%20", "/v1/messages#x",
    "/" + "/" * 3000 + "v1/messages"])
def test_another_spelling_of_a_path_is_no_way_round(server, fake, path):
    """Providers decode, resolve, and some are not particular about case."""
    start(server, fake, "private", "pii=card")
    r = server.client.post(path, calls.chat(text="my card: " + CARD))
    assert r.status in (400, 403)
    assert fake.requests == []

    if "html" not in r.header("Content-Type"):      # of the server itself
        line = server.line()
        assert line["llm.decision"] == "refuse"
        assert line["llm.rule"] in ("ambiguous_path", "private")


@pytest.mark.parametrize("host,path,body,message,text", APIS, ids=NAMES)
def test_a_card_is_rejected_by_name_and_kind(server, fake, host, path, body,
                                             message, text):
    start(server, fake, "no-cards", "pii=card,key", host=host)
    r = server.client.post(path, body("pay with %s, or %s" % (CARD, KEY)))
    assert r.status == 403
    assert "guard no-cards: this prompt has 1 card, 1 key" in message(r.json)
    assert fake.requests == []
    line = server.line()
    assert line.status == 403
    assert line["llm.decision"] == "refuse"
    assert line["llm.rule"] == line["llm.guard.name"] == "no-cards"
    assert line["llm.guard.action"] == "reject"
    assert line["llm.guard.found.card"] == line["llm.guard.found.key"] == 1
    kept_quiet(server, CARD[:8], "aB3")


@pytest.mark.parametrize("host,path,body,message,text", APIS, ids=NAMES)
def test_a_card_is_redacted_in_place(server, fake, host, path, body, message,
                                     text):
    start(server, fake, "pii", "pii=card", "action=redact", host=host)
    raw = json.dumps(body("pay with %s \u00fc \U0001f600" % CARD)).encode()
    assert server.client.post(path, raw).status == 200
    sent = fake.requests[0]
    assert len(sent.body) == len(raw)
    assert text(sent.json) == "pay with %s \u00fc \U0001f600" % STARS
    assert sent.body == raw.replace(CARD.encode(), STARS.encode())
    line = server.line()
    assert line["llm.guard.action"] == "redact"
    assert line["llm.guard.found.card"] == 1
    assert line["llm.decision"] == "allow"
    kept_quiet(server, CARD[:8])


@pytest.mark.parametrize("size", [10, 20000, 300000, 3000000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_whatever_the_size_and_wherever_it_lies(server, fake, size, chunked):
    """In memory, in a file, in many pieces."""
    start(server, fake, "pii", "pii=card,email", "action=redact",
          nginx="client_max_body_size 8m;", keepalive=True)
    filler = "words of no import. " * (size // 20)
    text = "%s %s %s %s" % (CARD, filler, "ann@example.com", CARD)
    raw = json.dumps(calls.chat(text=text)).encode()
    for _ in range(2):
        assert server.client.post(CHAT, raw, chunked=chunked).status == 200
    for sent in fake.requests:
        assert sent.json["messages"][0]["content"] \
            == "%s %s %s %s" % (STARS, filler, "*" * 15, STARS)
        assert int(sent.header("Content-Length")) == len(sent.body) == len(raw)
    assert [line["llm.guard.found.card"] for line in server.lines(2)] == [2, 2]


def test_escapes_hide_nothing(server, fake):
    start(server, fake, "secret", "deny=~*project.falcon", "action=redact")
    raw = (rb'{"model":"gpt-4o-mini","mess\u0061ges":[{"role":"user",'
           rb'"cont\u0065nt":"it is \u0050r\u006Fject\nF\u0061lcon \"here\""}]}')
    assert server.client.post(CHAT, raw).status == 200
    sent = fake.requests[0]
    assert len(sent.body) == len(raw)
    assert sent.json["messages"][0]["content"].startswith("it is *")
    assert sent.json["messages"][0]["content"].endswith('* "here"')
    assert "alcon" not in sent.json["messages"][0]["content"]
    assert server.line()["llm.guard.found.deny"] == 1


def test_what_tools_say_is_looked_at(server, fake):
    start(server, fake, "pii", "pii=card", "action=redact",
          host="api.anthropic.com")
    body = {**calls.CLAUDE, "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_4111111111111111", "name": "pay",
             "input": {"card": 4111111111111111, "note": CARD}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_4111111111111111",
             "content": [{"type": "text", "text": CARD}]}]}]}
    assert server.client.post("/v1/messages", body).status == 200
    _, call, result = fake.requests[0].json["messages"]
    assert call["content"][0]["input"] == {"card": 1111111111111111,
                                           "note": STARS}
    assert call["content"][0]["id"] == "toolu_4111111111111111"
    assert result["content"][0]["content"][0]["text"] == STARS
    assert server.line()["llm.guard.found.card"] == 3


def test_a_stream_is_redacted_and_asked_for_its_usage(server, fake):
    start(server, fake, "pii", "pii=card", "action=redact")
    r = server.client.post(CHAT, calls.chat(text=CARD, stream=True))
    assert r.status == 200 and r.complete
    assert fake.requests[0].json["messages"][0]["content"] == STARS
    assert fake.requests[0].json["stream_options"] == {"include_usage": True}
    assert server.line().source == "reported"


def test_flag_only_says_so(server, fake):
    start(server, fake, "pii", "pii=card,email", "action=flag")
    raw = json.dumps(calls.chat(text=CARD + " a@b.co")).encode()
    assert server.client.post(CHAT, raw).status == 200
    assert fake.requests[0].body == raw
    line = server.line()
    assert line["llm.guard.action"] == "flag"
    assert line["llm.guard.found.card"] == line["llm.guard.found.email"] == 1
    assert "llm.rule" not in line


def test_allowed_prompts_alone_pass(server, fake):
    start(server, fake, "topic", "allow=~*weather|forecast")
    good = server.client.post(CHAT, calls.chat(text="Weather in Rome?"))
    bad = server.client.post(CHAT, calls.chat(text="Write my essay"))
    assert (good.status, bad.status) == (200, 403)
    assert "not of what is allowed" in bad.json["error"]["message"]
    server.lines(2)


@pytest.mark.parametrize("mode", ["guard", "location"])
def test_dry_run_does_nothing(server, fake, mode):
    dry = ("dry_run",) if mode == "guard" else ()
    start(server, fake, ("cap", "output_tokens=5", *dry),
          ("pii", "pii=card", "action=redact", *dry),
          ("no", "deny=~Visa", *dry),
          enable=("on",) if dry else ("dry_run",))
    raw = json.dumps(calls.chat(text="Visa " + CARD, max_tokens=99)).encode()
    r = server.client.post(CHAT, raw)
    assert r.status == 200
    assert r.header("x-llm-clamped") is None
    assert fake.requests[0].body == raw
    line = server.line()
    assert line["llm.decision"] == "dry_refuse"
    assert line["llm.rule"] == line["llm.guard.name"] == "no"
    assert line["llm.guard.dry_run"] is True
    assert line["llm.guard.found.card"] == 1


# what can't be looked at

def test_what_can_not_be_read_does_not_pass(server, fake):
    start(server, fake, "pii", "pii=card", "action=redact")
    packed = gzip.compress(json.dumps(calls.chat(text=CARD)).encode())
    r = server.client.post(CHAT, packed, {"Content-Encoding": "gzip",
                                          "Content-Type": "application/json"})
    assert r.status == 415
    assert "guard pii" in r.json["error"]["message"]
    r = server.client.post("/v1/embeddings", {
        "model": "text-embedding-3-small", "input": [4111, 1111]})
    assert r.status == 415
    assert "tokens" in r.json["error"]["message"]
    r = server.client.post("/v1/audio/transcriptions", calls.form(
        [("model", "whisper-1"), ("file", "RIFF")]), calls.FORM)
    assert r.status == 415
    assert fake.requests == []
    assert all(line["llm.guard.unfinished"] for line in server.lines(3))


def test_a_flag_lets_it_pass(server, fake):
    start(server, fake, "pii", "pii=card", "action=flag")
    r = server.client.post("/v1/embeddings", {
        "model": "text-embedding-3-small", "input": [4111, 1111]})
    assert r.status == 200
    assert server.line()["llm.guard.unfinished"] is True


def test_calls_without_a_body_are_no_prompts(server, fake):
    start(server, fake, "pii", "pii=card", "allow=~x")
    server.client.get("/v1/models")
    assert len(fake.requests) == 1
    assert "llm.guard.name" not in server.line()


def test_a_regex_that_takes_too_long_harms_nobody_else(server, fake):
    """It and its text are made for each other."""
    start(server, fake, "slow", r"deny=~(\w+\s?)+[!:]")
    text = "aaaa bbbb cccc dddd " * 3000
    took, answers = [], []

    def other():
        begun = time.monotonic()
        answers.append(server.client.post(CHAT, calls.chat()).status)
        took.append(time.monotonic() - begun)

    begun = time.monotonic()
    thread = threading.Timer(0.05, other)
    thread.start()
    r = server.client.post(CHAT, calls.chat(text=text))
    assert time.monotonic() - begun < 30
    assert r.status == 403
    assert "it takes too long" in r.json["error"]["message"]
    thread.join()
    assert answers == [200] and took[0] < 30
    lines = server.lines(2)
    assert [line.get("llm.guard.unfinished") for line in lines].count(True) == 1


# how much

def test_output_is_capped(server, fake):
    start(server, fake, "cap", "output_tokens=100")
    for asked, sent in ((900, 100), (50, 50)):
        r = server.client.post(CHAT, calls.chat(max_tokens=asked))
        assert fake.requests[-1].json["max_tokens"] == sent
        assert r.header("x-llm-clamped") == ("100" if asked > sent else None)
    server.client.post(CHAT, calls.chat())
    assert fake.requests[-1].json["max_completion_tokens"] == 100
    lines = sorted(server.lines(3), key=lambda line: line["@timestamp"])
    assert [line.get("llm.sent_max_tokens") for line in lines] \
        == [100, None, 100]
    assert [line.get("llm.guard.action") for line in lines] \
        == ["cap", None, "cap"]


def test_output_may_be_rejected_instead(server, fake):
    start(server, fake, "cap", "output_tokens=100", "action=reject")
    r = server.client.post(CHAT, calls.chat(max_tokens=900))
    assert r.status == 400
    assert "900 tokens of output, and 100 is the most" \
        in r.json["error"]["message"]
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert fake.requests[0].json["max_completion_tokens"] == 100
    server.lines(2)


def test_input_is_limited(server, fake):
    start(server, fake, "long", "input_tokens=500")
    assert server.client.post(CHAT, calls.chat()).status == 200
    r = server.client.post(CHAT, calls.chat(text="word " * 1000))
    assert r.status == 400
    assert "of input, and 500 is the most" in r.json["error"]["message"]
    server.lines(2)


def dialogue(n, text="a turn of some forty bytes, more or less"):
    return [{"role": role, "content": "%s %d" % (text, i)}
            for i in range(n) for role in ("user", "assistant")]


def test_the_oldest_turns_are_left_out(server, fake):
    start(server, fake, "long", "trim=200")
    system = {"role": "system", "content": "be kind"}
    turns = [system, *dialogue(20), {"role": "user", "content": "so?"}]
    raw = json.dumps({"model": "gpt-4o-mini", "messages": turns},
                     indent=1).encode()
    assert server.client.post(CHAT, raw).status == 200
    sent = fake.requests[0]
    assert len(sent.body) == len(raw)
    left = sent.json["messages"]
    assert left[0] == system and left[1]["role"] == "user"
    assert left[1:] == turns[-len(left) + 1:]
    assert 3 < len(left) < 20
    line = server.line()
    assert line["llm.guard.action"] == "trim"
    assert line["llm.guard.trimmed"] == len(turns) - len(left)


def test_a_tool_call_and_its_result_stay_together(server, fake):
    start(server, fake, "long", "trim=150", host="api.anthropic.com")
    steps = [{"role": "user", "content": "find all of it"}]
    for i in range(12):
        steps += [
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "t%d" % i, "name": "find",
                 "input": {"page": i}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t%d" % i,
                 "content": "what the page says, and it says a lot"}]}]
    body = {**calls.CLAUDE, "messages": steps}
    assert server.client.post("/v1/messages", body).status == 200
    left = fake.requests[0].json["messages"]
    assert left[0] == steps[0]
    assert left[1:] == steps[-len(left) + 1:]
    assert 3 <= len(left) < 15 and len(left) % 2 == 1
    server.line()


# from where, and when

def test_countries(server, fake):
    db = server.write("etc/country.mmdb", mmdb.database(
        {"127.0.0.0/8": {"country": {"iso_code": "AQ"}}}))
    server.meter(fake, ("llm_geoip", db),
                 ("llm_guard", "home", "countries=DE,FR",
                  "when=path ~ '^/v1/chat'"),
                 ("llm_guard", "ice", "countries=AQ"))
    r = server.client.post(CHAT, calls.chat())
    assert r.status == 403
    assert "calls from AQ are not allowed" in r.json["error"]["message"]
    assert server.client.post("/v1/embeddings", {
        "model": "text-embedding-3-small", "input": "x"}).status == 200
    assert all(line["client.geo.country_iso_code"] == "AQ"
               for line in server.lines(2))


def test_a_condition_over_the_prompt(server, fake):
    start(server, fake, "w", "when=prompt ~* 'attack' and not stream")
    codes = [server.client.post(CHAT, calls.chat(text=t, **more)).status
             for t, more in (("An Attack", {}), ("a walk", {}),
                             ("attack", {"stream": True}))]
    assert codes == [403, 200, 200]
    server.lines(3)


def test_the_first_that_rejects_ends_it(server, fake):
    start(server, fake, ("a", "deny=~alpha", "action=flag"),
          ("b", "deny=~beta"), ("c", "deny=~beta|alpha"))
    r = server.client.post(CHAT, calls.chat(text="alpha beta"))
    assert "guard b" in r.json["error"]["message"]
    line = server.line()
    assert line["llm.guard.name"] == "b"
    assert line["llm.guard.found.deny"] == 2


# translated, too

def test_what_is_translated_is_redacted_before(server, fake):
    server.route([("claude", fake, "dialect=anthropic", "models=claude-*")],
                 ("llm_guard", "pii", "pii=card", "action=redact"),
                 ("llm_guard", "long", "trim=120"))
    turns = [*dialogue(10), {"role": "user", "content": "pay " + CARD}]
    r = server.client.post(CHAT, {"model": "claude-sonnet-4-5",
                                  "messages": turns})
    assert r.status == 200, r.text
    sent = fake.requests[0]
    assert sent.path == "/v1/messages"
    assert b"4111" not in sent.body
    assert STARS in json.dumps(sent.json["messages"][-1])
    assert len(sent.json["messages"]) < 15
    server.line()


# configuration

@pytest.mark.parametrize("words,say", [
    (("g", "deny=~a(b"), "deny=: in this regex: missing closing parenthesis"),
    (("g", "pii=cards"), "pii= knows card, iban"),
    (("g", "countries=DE"), "llm_geoip"),
    (("g", "when=used(nobody) > 1%"), "is the name of no quota"),
    (("g", "when=healthy(nobody)"), "is the name of no llm_provider"),
    (("g", "action=flag"), "looks for nothing")])
def test_mistakes_are_told(server, fake, words, say):
    ok, messages = server.test_config(
        server.metered(fake, ("llm_guard", *words)))
    assert not ok
    assert say in messages


def test_a_reload_takes_new_guards(server, fake):
    start(server, fake, "a", "deny=~alpha")
    assert server.client.post(CHAT, calls.chat(text="alpha")).status == 403
    server.reload(server.metered(fake, ("llm_guard", "b", "deny=~beta")))
    assert server.client.post(CHAT, calls.chat(text="alpha")).status == 200
    assert server.client.post(CHAT, calls.chat(text="beta")).status == 403
    server.lines(3)
