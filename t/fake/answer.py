"""What an API's code hands to the wire."""

import dataclasses
import json


@dataclasses.dataclass
class Answer:
    status: int = 200
    headers: list = dataclasses.field(default_factory=list)
    pieces: list = dataclasses.field(default_factory=list)  # bytes
    stream: bool = False                # framed without a length


REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    413: "Content Too Large", 422: "Unprocessable Entity",
    429: "Too Many Requests", 500: "Internal Server Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout", 529: "Overloaded",
}

OPENAI_ERRORS = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}

ANTHROPIC_ERRORS = {
    400: "invalid_request_error", 401: "authentication_error",
    403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error",
    529: "overloaded_error",
}

GEMINI_ERRORS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def as_json(body, status=200, headers=(), indent=None):
    text = json.dumps(body, indent=indent, ensure_ascii=False)

    return Answer(status, [("Content-Type", "application/json"), *headers],
                  [text.encode("utf-8", "replace")])


def sse(events, headers=(), eol="\n"):
    """events: (name or None, data text)."""
    out = []

    for name, data in events:
        head = "event: %s%s" % (name, eol) if name else ""
        out.append(("%sdata: %s%s%s" % (head, data, eol, eol))
                   .encode("utf-8", "replace"))

    kind = "text/event-stream"
    if eol == "\n":
        kind += "; charset=utf-8"

    return Answer(200, [("Content-Type", kind), *headers], out, True)


def error(api, status, message):
    """The provider's own shape of an error."""
    headers = []

    if status == 429:
        headers = [("Retry-After", "1")]

    if api == "anthropic":
        body = {"type": "error", "request_id": "req_fake",
                "error": {"type": ANTHROPIC_ERRORS.get(status, "api_error"),
                          "message": message}}
    elif api == "gemini":
        body = {"error": {"code": status, "message": message,
                          "status": GEMINI_ERRORS.get(status, "INTERNAL")}}
    elif api == "ollama":
        body = {"error": message}
    elif api == "cohere":
        body = {"id": "fake", "message": message}
    else:
        kind, code = OPENAI_ERRORS.get(status, ("server_error", None))
        body = {"error": {"message": message, "type": kind, "param": None,
                          "code": code}}

    return as_json(body, status, headers)
