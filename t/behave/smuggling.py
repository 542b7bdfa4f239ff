"""Requests whose end two servers may see in two places, and headers that are
ours: RFC 9112 section 11.2, and what is known of HTTP desync attacks."""

import json

SMUGGLED = (b"POST /v1/chat/completions?smuggled HTTP/1.1\r\nHost: x\r\n"
            b"x-smuggled: 1\r\nContent-Length: 0\r\n\r\n")
PATH = b"/v1/chat/completions"


def body_of(**more):
    return json.dumps({"model": "gpt-4o-mini", "messages": [
        {"role": "user", "content": "one two three four"}], **more}).encode()


BODY = body_of()
STREAM = body_of(stream=True)           # which is edited on its way


def request(*headers, body=b"", line=b"POST %s HTTP/1.1" % PATH, host=True):
    head = [line]

    if host:
        head.append(b"Host: x")

    head += [b"Content-Type: application/json", *headers]

    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunked(body, size=b"%x", end=b"0\r\n\r\n", eol=b"\r\n"):
    return (size % len(body)) + eol + body + eol + end


CODINGS = (
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding:chunked", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding:  chunked ", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, chunked", b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunk\xadded",
    b"Transfer_Encoding: chunked", b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked",
)
LENGTHS = (
    b"Content-Length: %d\r\nContent-Length: %d", b"Content-Length: %d, %d",
    b"Content-Length: +%d", b"Content-Length: 0x%x", b"Content-Length: -%d",
    b"Content-Length : %d", b"Content-Length:\x0b%d", b"Content_Length: %d",
    b"Content-Length: %d\r\n 0", b"Content-Length: %d ;", b"Content-Length: ",
    b"Content-Length: 1%d00000000000000000000", b"Content-Length: %d.0",
    b"Content-Length: %d\r\nContent-Length: 0",
    b"Content-Length: 0\r\nContent-Length: %d",
)


def shapes():
    """(name, bytes): one after the other, each on a connection of its own."""
    for i, coding in enumerate(CODINGS):
        whole = chunked(BODY)
        yield "length before coding %d" % i, request(
            b"Content-Length: %d" % len(BODY), coding, body=BODY + SMUGGLED)
        yield "coding before length %d" % i, request(
            coding, b"Content-Length: %d" % len(whole),
            body=whole + SMUGGLED)
        yield "coding alone %d" % i, request(
            coding, body=chunked(STREAM) + SMUGGLED)

    for i, length in enumerate(LENGTHS):
        n = length.count(b"%")
        yield "length %d" % i, request(
            length % ((len(BODY),) * n), body=BODY + SMUGGLED)

    for name, body in (
            ("size in 0x", chunked(BODY, b"0x%x")),
            ("size with +", chunked(BODY, b"+%x")),
            ("size with blanks", chunked(BODY, b" %x ")),
            ("size with an extension", chunked(BODY, b"%x;a=b")),
            ("extension with CR", chunked(BODY, b"%x;a=\rb")),
            ("extension of 100 KB", chunked(BODY, b"%%x;a=%s" % (b"b" * 99999))),
            ("size that overflows", b"ffffffffffffffff1\r\n" + BODY),
            ("size of 2^64", b"10000000000000005\r\n" + BODY),
            ("negative size", chunked(BODY, b"-%x")),
            ("no size", b"\r\n" + BODY),
            ("bare LF", chunked(BODY, eol=b"\n", end=b"0\n\n")),
            ("a chunk without an end", b"%x\r\n" % len(BODY) + BODY
             + b"0\r\n\r\n"),
            ("junk for the last CRLF", chunked(BODY, end=b"0\r\nX\r\n")),
            ("a length in the trailer", chunked(
                BODY, end=b"0\r\nContent-Length: 5\r\n\r\n")),
            ("our header in the trailer", chunked(
                BODY, end=b"0\r\nx-llm-route: canary\r\n\r\n")),
            ("cut", chunked(BODY, end=b""))):
        yield "chunks: " + name, request(b"Transfer-Encoding: chunked",
                                         body=body + SMUGGLED)

    length = b"Content-Length: %d" % len(BODY)

    for name, text in (
            ("HTTP/1.0 with a coding", request(
                b"Transfer-Encoding: chunked", body=chunked(BODY),
                line=b"POST %s HTTP/1.0" % PATH)),
            ("no version", b"POST %s\r\n\r\n" % PATH),
            ("version 1.10", request(length, body=BODY,
                                     line=b"POST %s HTTP/1.10" % PATH)),
            ("absolute target, other host", request(
                length, body=BODY,
                line=b"POST http://other%s HTTP/1.1" % PATH)),
            ("two hosts", request(b"Host: y", length, body=BODY)),
            ("no host", request(length, body=BODY, host=False)),
            ("blank in the target", request(
                length, body=BODY, line=b"POST %s x HTTP/1.1" % PATH)),
            ("CRLF in the target", request(
                length, body=BODY, line=b"POST %s?%%0d%%0aX:%%20y HTTP/1.1"
                % PATH)),
            ("blank in a name", request(b"x y: z", length, body=BODY)),
            ("NUL in a value", request(b"x: a\x00b", length, body=BODY)),
            ("folded", request(b"x: a\r\n b", length, body=BODY)),
            ("no name", request(b": z", length, body=BODY)),
            ("upgrade", request(b"Connection: Upgrade", b"Upgrade: h2c",
                                length, body=BODY)),
            ("connection names the length", request(
                b"Connection: content-length, host", length, body=BODY)),
            ("expect", request(b"Expect: 100-continue", length, body=BODY)),
            ("expect something", request(b"Expect: x", length, body=BODY)),
            ("GET with a body", request(
                length, body=BODY, line=b"GET %s HTTP/1.1" % PATH)),
            ("no JSON, and more", request(
                b"Content-Length: 4", body=b"nope"))):
        yield name, text + SMUGGLED


OWN = ("route", "model", "provider", "key", "key-id", "team", "user", "org",
       "cost", "budget", "request-id", "call-id", "clamped", "decision",
       "rule", "guard", "cache", "attempt", "upstream", "target", "debug",
       "admin", "bypass", "dry-run", "price", "sent-model")


def spoofed():
    """(name, header lines) whose value is `canary`, or has it."""
    for name in OWN:
        yield name, b"X-LLM-%s: canary" % name.title().encode()

    for name in (b"x-llm-", b"X-Llm-Route", b"x-LLM-rOUTE", b"X_LLM_Route",
                 b"x-llm_route", b"X-LLM.Route", b"x-llm-route-x"):
        yield name.decode(), name + b": canary"

    yield "twice", b"x-llm-route: a\r\nx-llm-route: canary"
    yield "blank before", b"x-llm-team:\t canary"
    yield "named by Connection", \
        b"Connection: x-llm-route\r\nx-llm-route: canary"
    yield "folded", b"x-llm-route: a\r\n canary"
    yield "long", b"x-llm-route: " + b"canary" * 500
    yield "bytes", b"x-llm-route: canary\xff\xfe"
    yield "quoted", b'x-llm-route: canary","llm.team":"canary'
