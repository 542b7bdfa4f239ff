"""Is it a request that the provider would take?

The schemas are the providers' documented ones, as their SDKs have them (openai
7.55.0, @anthropic-ai/sdk 1.10.0, @google/genai 3.1.0, read 2026-11-22), and the
rules that their errors tell of: pairs of calls and results, who may speak when.
"""

import json
import re

from . import validate_anthropic, validate_gemini, validate_openai
from .schema import Invalid

APIS = {"openai": validate_openai, "anthropic": validate_anthropic,
        "gemini": validate_gemini}


def unique(pairs):
    out = dict(pairs)

    if len(out) != len(pairs):
        raise ValueError("a name twice in an object")

    return out


def reason(api, body, model=None):
    """What is wrong with a body (bytes, text or parsed), in the provider's
    words; None where it is fine.  model: of the path, where it has one."""
    try:
        if isinstance(body, (bytes, str)):
            body = json.loads(body, object_pairs_hook=unique)
    except ValueError as e:
        return "not JSON: %s" % e

    try:
        APIS[api].check(body, model)
    except Invalid as e:
        return APIS[api].words(e)

    return None


# What the strict fake looks at; others are none of these APIs.
PATHS = (
    (r"/chat/completions$", "openai"),
    (r"/v1/messages$", "anthropic"),
    (r"/models/([^/:]+):(?:streamGenerateContent|generateContent)$", "gemini"),
)


def request(req):
    """The same of a request to the fake."""
    for path, api in PATHS:
        match = re.search(path, req.path)

        if req.method != "POST" or match is None:
            continue

        kind = (req.header("Content-Type") or "").partition(";")[0]

        if kind.strip().lower() != "application/json":
            return "Content-Type must be application/json, not %r" % kind

        if api == "anthropic" and not req.header("anthropic-version"):
            return "anthropic-version: header is required"

        return reason(api, req.body,
                      match.group(1) if match.groups() else None)

    return None
