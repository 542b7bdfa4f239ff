#!/usr/bin/python3
"""A provider of models that has no model: the real protocols of OpenAI,
Anthropic, Gemini and Ollama, with answers whose tokens a test can compute.

In a test:          with Fake() as fake: ... fake.port, fake.requests
As a program:       provider.py [--port N] [--replay DIR]; prints its port
Over HTTP:          GET /__fake/requests, POST /__fake/reset, /__fake/release

Models named error-<status> answer with that status, "no-such-model" with 404;
the key "bad-key" with 401.  See wire.py for what a request can ask for.  A strict
one answers 400 to what the provider would not take (validate.py).
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import threading

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    from fake import (api_anthropic, api_gemini, api_ollama, api_openai,
                      api_responses, replay, validate, wire)
    from fake.answer import as_json, error
else:
    from . import (api_anthropic, api_gemini, api_ollama, api_openai,
                   api_responses, replay, validate, wire)
    from .answer import as_json, error

APIS = (api_responses, api_openai, api_anthropic, api_gemini, api_ollama)


def api_of(req):
    """Whose errors the caller understands."""
    if req.path.startswith("/api/"):
        return "ollama"

    if "/messages" in req.path or req.header("anthropic-version"):
        return "anthropic"

    if re.search(r"/models/[^/]+:", req.path) or "/v1beta/" in req.path:
        return "gemini"

    return "openai"


def wanted_error(req):
    """(status, message) where the request is made to fail."""
    if "status" in req.knobs:
        return req.knobs["status"], "as asked for"

    keys = (req.header("Authorization", ""), req.header("x-api-key", ""),
            req.header("x-goog-api-key", ""))

    if any(key.endswith("bad-key") for key in keys):
        return 401, "Incorrect API key provided"

    match = re.search(r"/models/([^/:]+):", req.path)
    model = match.group(1) if match else req.json.get("model")
    model = model if isinstance(model, str) else ""
    match = re.fullmatch(r"error-(\d{3})", model)

    if match:
        return int(match.group(1)), "the model says so"

    if model == "no-such-model":
        return 404, "The model `no-such-model` does not exist"

    return None


class Fake:
    """One process' worth of provider, in a thread of its own."""

    def __init__(self, port=0, replay_dir=None, tls=None, host="127.0.0.1",
                 strict=False):
        self.host = host
        self.strict = strict            # may be changed at any time
        self.port = port
        self.replay_dir = replay_dir
        self.tls = tls                  # an ssl.SSLContext
        self.requests = []
        self.malformed = []             # what could not be read
        self.background = {}
        self.scripts = {}               # knobs too long for a header
        self.keep = True                # record requests
        self._attempts = {}
        self._count = 0
        self._connections = 0
        self._open = set()
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._error = None

    # as seen by a test

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    @property
    def url(self):
        return "%s://%s:%d" % ("https" if self.tls else "http", self.host,
                              self.port)

    def start(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

        if self._error:
            raise self._error

        return self

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(60)

    def reset(self):
        self.requests = []
        self.malformed = []
        self._attempts = {}

    def release(self):
        """Opens the gate for everyone who waits at it now, or comes later."""
        self._loop.call_soon_threadsafe(self._gate.set)

    def wait(self, n, timeout=60):
        """The first n requests, once they have come whole."""
        return self.wait_for(lambda: len(self.requests) >= n, timeout,
                             "%d requests" % n) and self.requests[:n]

    def wait_for(self, condition, timeout=60, what="a condition"):
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError("the fake waited for %s, has %d requests"
                                   % (what, len(self.requests)))
        return True

    def notify(self):
        with self._changed:
            self._changed.notify_all()

    # within the thread

    def _run(self):
        try:
            asyncio.run(self._main())
        except OSError as e:
            self._error = e
            self._ready.set()

    async def _main(self):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._gate = asyncio.Event()
        server = await asyncio.start_server(
            self._connection, self.host, self.port, ssl=self.tls,
            limit=wire.HEAD_MAX, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()

        await self._stop.wait()
        server.close()

        for task in list(self._open):
            task.cancel()

        await asyncio.gather(*self._open, return_exceptions=True)

    async def gate(self):
        await self._gate.wait()

    async def _connection(self, reader, writer):
        task = asyncio.current_task()
        self._open.add(task)
        self._connections += 1
        number = self._connections

        try:
            while await self._request(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass
        except (wire.Malformed, ValueError) as e:
            self.malformed.append(str(e))
            writer.write(b"HTTP/1.1 400 Bad Request\r\n"
                         b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        finally:
            self._open.discard(task)
            self.notify()
            try:
                writer.close()
            except RuntimeError:
                pass

    async def _request(self, reader, writer, number):
        lines = await wire.read_head(reader)

        if lines is None:
            return False

        (method, target, version), headers = wire.parse_head(lines)
        self._count += 1
        req = wire.Request(self, "%06d" % self._count, method, target,
                           version, headers, number, at=wire.now())
        req.knobs = json.loads(req.header("x-fake", "{}"))
        req.knobs.update(self.scripts.get(req.knobs.pop("script", None), {}))

        if not req.knobs.get("early"):
            await wire.read_body(req, reader, writer)

        if req.path.startswith("/__fake/"):
            return await wire.respond(req, self._control(req), reader, writer)

        if self.keep:
            self.requests.append(req)
            self.notify()

        if self.replay_dir and req.header("x-fake-replay"):
            return await replay.answer(req, self.replay_dir, writer)

        return await self._answer(req, reader, writer)

    async def _answer(self, req, reader, writer):
        first = req.knobs.get("fail_first")

        if first:
            key = req.knobs.get("id", "")
            self._attempts[key] = self._attempts.get(key, 0) + 1
            if self._attempts[key] <= first["times"]:
                req.knobs = {**req.knobs, **first}

        if req.knobs.get("drop"):
            if req.knobs.get("reset"):
                wire.abort(writer)
            return False

        if "raw" in req.knobs:
            writer.write(req.knobs["raw"].encode("latin-1"))
            await writer.drain()
            return False

        try:
            return await wire.respond(req, self._api(req), reader, writer) \
                and not req.knobs.get("early")
        finally:
            self.notify()

    def _api(self, req):
        failure = wanted_error(req)

        if failure:
            return error(api_of(req), *failure)

        wrong = validate.request(req) if self.strict else None

        if wrong:
            return error(api_of(req), 400, wrong)

        for api in APIS:
            handler = api.route(req)
            if handler:
                return handler(req)

        if "body" in req.knobs:
            return as_json({})

        return error(api_of(req), 404, "Unknown path " + req.path)

    def _control(self, req):
        if req.path == "/__fake/reset":
            self.reset()
        elif req.path == "/__fake/release":
            self._gate.set()
        elif req.path == "/__fake/requests":
            return as_json([{
                "method": r.method, "target": r.target, "headers": r.headers,
                "body": r.body.decode("latin-1"), "answered": r.answered,
                "connection": r.connection} for r in self.requests])

        return as_json({"port": self.port})


def main():
    parser = argparse.ArgumentParser(description="A fake model provider.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--replay", help="directory of recorded cases")
    parser.add_argument("--strict", action="store_true",
                        help="refuse what the provider would")
    parser.add_argument("--forget", action="store_true",
                        help="do not keep requests")
    args = parser.parse_args()

    fake = Fake(args.port, args.replay, strict=args.strict)
    fake.keep = not args.forget
    fake.start()
    print(fake.port, flush=True)

    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    done.wait()
    fake.stop()


if __name__ == "__main__":
    main()
