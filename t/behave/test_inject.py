"""The usage of a stream is asked for in the client's place, and taken out."""

import json
import re

import pytest

import calls

CHAT = "/v1/chat/completions"


def same_but_for_ids(body):
    return re.sub(rb"(chatcmpl|cmpl)-\d+", b"id", body)


def unasked(fake, body, path=CHAT):
    """What the provider answers a client that does not ask."""
    from client import Client
    direct = Client(fake.port).post(path, body)
    fake.requests.pop()

    return same_but_for_ids(direct.body)


@pytest.mark.parametrize("chunk", [None, 1, 7, 100])
def test_usage_is_asked_for_and_taken_out_again(server, fake, chunk):
    server.meter(fake, keepalive=True)
    body = calls.chat(stream=True)
    want = unasked(fake, body)
    r = server.client.post(CHAT, body,
                           fake={} if chunk is None else {"chunk": chunk})
    sent = fake.requests[0].json
    assert sent["stream_options"] == {"include_usage": True}
    assert r.complete
    assert same_but_for_ids(r.body) == want
    line = server.line()
    assert (line.input, line.output, line.source) == (4, 5, "reported")


def test_completions_stream_is_asked_too(server, fake):
    server.meter(fake)
    body = {"model": "gpt-3.5-turbo-instruct", "prompt": "a b",
            "stream": True}
    want = unasked(fake, body, "/v1/completions")
    r = server.client.post("/v1/completions", body)
    assert same_but_for_ids(r.body) == want
    assert (server.line().input, server.line().output) == (2, 5)


@pytest.mark.parametrize("options", [
    {}, {"include_usage": False}, {"include_obfuscation": False},
    {"a": {"b": [1, "}"]}, "include_obfuscation": True}, None])
@pytest.mark.parametrize("where", ["first", "middle", "last", "only"])
def test_options_that_are_there_are_kept(server, fake, options, where):
    server.meter(fake)
    model, stream = '"model": "gpt-4o"', '"stream" :true'
    member = '"stream_options": ' + json.dumps(options)
    order = {"first": [member, model, stream],
             "middle": [model, member, stream],
             "last": [model, stream, member],
             "only": [stream, member]}[where]
    body = ("{ " + " ,\n ".join(order) + " }").encode()
    r = server.client.post(CHAT, body)
    assert r.status == 200
    sent = json.loads(fake.requests[0].body,
                      object_pairs_hook=no_duplicates)
    assert sent.pop("stream_options")["include_usage"] is True
    given = json.loads(body)
    given.pop("stream_options")
    assert sent == given
    if options and "include_usage" not in options:
        kept = fake.requests[0].json["stream_options"]
        assert kept == {**options, "include_usage": True}
    assert b"usage" not in r.body
    assert server.line().source == "reported"


def no_duplicates(pairs):
    assert len({name for name, _ in pairs}) == len(pairs)

    return dict(pairs)


def test_client_that_asks_gets_it_all(server, fake):
    server.meter(fake)
    body = json.dumps(calls.asked_stream()).encode()
    r = server.client.post(CHAT, body)
    assert fake.requests[0].body == body
    assert r.body == fake.requests[0].answer
    assert r.body.count(b'"usage":null') == 7
    assert server.line().source == "reported"


@pytest.mark.parametrize("enable,provider", [
    ("on", ("default", "stream_usage=off")), ("dry_run", None)],
    ids=["off", "dry_run"])
def test_nothing_is_changed_where_it_is_not_wanted(server, fake, enable,
                                                   provider):
    more = [("llm_provider", *provider)] if provider else []
    server.meter(fake, *more, enable=(enable,))
    body = json.dumps(calls.chat(stream=True)).encode()
    r = server.client.post(CHAT, body)
    assert fake.requests[0].body == body
    assert r.body == fake.requests[0].answer
    assert server.line().source == "estimated"


@pytest.mark.parametrize("body", [
    calls.chat(), calls.chat(stream=False),
    calls.chat(stream=False, stream_options=None)])
def test_plain_call_is_not_changed(server, fake, body):
    server.meter(fake)
    raw = json.dumps(body).encode()
    server.client.post(CHAT, raw)
    assert fake.requests[0].body == raw
    assert server.line().source == "reported"


def test_first_event_is_not_held_back(server, fake):
    server.meter(fake)
    stream = server.client.open("POST", CHAT, calls.chat(stream=True),
                                fake={"gate": 2})
    fake.wait(1)
    stream.read_until(b'"content":"word1"')
    fake.release()
    assert stream.read_rest().body.endswith(b"data: [DONE]\n\n")
    stream.close()
    assert server.line().output == 5


@pytest.mark.parametrize("knobs", [
    {"status": 429}, {"status": 500},
    {"body": '{"choices":[],"usage":{"prompt_tokens":1}}',
     "type": "application/json"},
    {"body": "not json", "type": "text/plain"}], ids=str)
def test_answer_that_is_no_stream_passes_untouched(server, fake, knobs):
    server.meter(fake)
    r = server.client.post(CHAT, calls.chat(stream=True),
                           fake={**knobs, "framing": "length"})
    assert r.body == fake.requests[0].answer
    assert r.header("Content-Length") == str(len(r.body))
    server.line()


def test_usage_beside_choices_is_left_alone(server, fake):
    """Providers that send usage unasked put it where clients look for it."""
    server.meter(fake)
    body = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}],' \
        '"usage":{"prompt_tokens":3,"completion_tokens":1,' \
        '"total_tokens":4}}\n\ndata: [DONE]\n\n'
    r = server.client.post(CHAT, calls.chat(stream=True), fake={
        "body": body, "type": "text/event-stream", "framing": "chunked"})
    assert r.text == body
    assert (server.line().input, server.line().output) == (3, 1)


def test_long_body_in_a_file_is_changed_right(server, fake):
    server.meter(fake, keepalive=True)
    for size in (200000, 1000000):
        body = calls.chat(text="abc " * (size // 4), stream=True,
                          stream_options={"include_obfuscation": False})
        raw = json.dumps(body).encode()
        r = server.client.post(CHAT, raw)
        assert r.status == 200
        sent = fake.requests[-1].json
        assert sent.pop("stream_options") == {
            "include_obfuscation": False, "include_usage": True}
        body.pop("stream_options")
        assert sent == body
    assert [line.source for line in server.lines(2)] == ["reported"] * 2


def test_connection_goes_on_after_a_stripped_stream(server, fake):
    server.meter(fake, keepalive=True)
    sock = server.client.connect()
    for stream in (True, False, True):
        r = server.client.post(CHAT, calls.chat(stream=stream), sock=sock)
        assert r.status == 200 and r.complete
    sock.close()
    assert [line.output for line in server.lines(3)] == [5, 5, 5]


def test_only_open_ai_streams_are_asked(server, fake):
    server.meter(fake, host="api.anthropic.com")
    raw = json.dumps({**calls.CLAUDE, "stream": True}).encode()
    server.client.post("/v1/messages", raw)
    assert fake.requests[0].body == raw
    assert server.line().source == "reported"


def test_chunk_that_only_looks_like_usage_is_kept(server, fake):
    """An event with empty choices but no usage is the provider's own."""
    server.meter(fake)
    body = 'data: {"choices":[],"prompt_filter_results":[{"x":1}]}\n\n' \
        'data: {"choices":[{"index":0,"delta":{"content":' \
        '"\\"usage\\":null"}}],"usage":null}\n\n' \
        'data: {"choices":[],"usage":{"prompt_tokens":3,' \
        '"completion_tokens":1,"total_tokens":4}}\n\ndata: [DONE]\n\n'
    r = server.client.post(CHAT, calls.chat(stream=True), fake={
        "body": body, "type": "text/event-stream", "framing": "chunked",
        "chunk": 3})
    assert r.text == body.split('data: {"choices":[],"usage"')[0].replace(
        '],"usage":null}', "]}") + "data: [DONE]\n\n"
    assert (server.line().input, server.line().output) == (3, 1)


def test_event_too_long_to_hold_passes(server, fake):
    server.meter(fake)
    long = 'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' \
        % ("abc " * 100000)
    usage = 'data: {"choices":[],"usage":{"prompt_tokens":3,' \
        '"completion_tokens":1,"total_tokens":4}}\n\n'
    fake.scripts["long"] = {"body": long + usage + "data: [DONE]\n\n",
                            "type": "text/event-stream",
                            "framing": "chunked"}
    r = server.client.post(CHAT, calls.chat(stream=True),
                           fake={"script": "long"})
    assert r.text == long + "data: [DONE]\n\n"
    assert server.line().input == 3
