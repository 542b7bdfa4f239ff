"""Virtual keys, and sites that ask for them."""

import hashlib
import json

SECRETS = {"ann": "sk-tg-ann-0123456789abcdef0123456789",
           "bob": "sk-tg-bob-0123456789abcdef0123456789",
           "old": "sk-tg-old-0123456789abcdef0123456789",
           "eve": "sk-tg-eve-0123456789abcdef0123456789",
           "dan": "sk-tg-dan-0123456789abcdef0123456789"}
CARRIERS = {
    "authorization": lambda s: {"Authorization": "Bearer " + s},
    "x-api-key": lambda s: {"x-api-key": s},
    "x-goog-api-key": lambda s: {"x-goog-api-key": s},
    "api-key": lambda s: {"api-key": s}}


def sha256(secret):
    return hashlib.sha256(secret.encode()).hexdigest()


def key(name, **more):
    return {"id": "key_" + name, "sha256": sha256(SECRETS[name]), **more}


def keys(*records, **more):
    return json.dumps({"tollgate_keys": 1, "keys": list(records), **more},
                      indent=1)


def bearer(name):
    return CARRIERS["authorization"](SECRETS[name])


def gated(server, *quotas, text=None, ledger=("size=1m",), llm=(), allow=()):
    """Directives of the http level: keys, a ledger, quotas."""
    out = list(llm)

    if text is not None:
        out.append(("llm_keys", server.write("etc/keys.json", text), *allow))

    out.append(("llm_ledger", server.mkdir("ledger") + "/tollgate", *ledger))
    out += [("llm_quota", *q.split(" ")) for q in quotas]

    return out
