"""A site with teams, keys, budgets and routes, whose llm_status has all that it
can show; and calls that fill it."""

import random

import calls
from keys import bearer, gated, key, keys
from servers import Loc

CHAT = "/v1/chat/completions"
STATUS = "/llm/"
TEAMS = {"ann": "search", "bob": "support", "eve": "ads", "dan": "research"}
QUOTAS = ("team_month per=team usd=40/month",
          "team_day per=team usd=2/day",
          "key_calls per=key requests=60/day",
          "everybody per=all usd=400/month")


def site(server, openai, anthropic, *llm, quotas=QUOTAS, teams=TEAMS, **more):
    text = keys(*[key(name, team=team) for name, team in teams.items()])
    made = server.routed(
        [("openai", openai, "dialect=openai", "models=gpt-*"),
         ("anthropic", anthropic, "dialect=anthropic", "models=claude-*")],
        *gated(server, *quotas, text=text),
        ("llm_route", "small_talk",
         "when=input_tokens < 400 and model == 'gpt-4o'",
         "to=openai/gpt-4o-mini"),
        *llm, **more)
    made.locs = [
        Loc("/llm/json", [("llm_status", "format=json")]),
        Loc("/llm/metrics", [("llm_status", "format=prometheus")]),
        Loc(STATUS, [("llm_status",)]),
        *made.locs]

    return made


def call(server, who, model="gpt-4o-mini", prompt=9000, output=700, **more):
    """One call that uses so many tokens."""
    if model.startswith("claude"):
        return server.client.post(
            "/v1/messages",
            {"model": model, "max_tokens": output,
             "messages": calls.messages()}, bearer(who),
            fake={"usage": {"input_tokens": prompt,
                            "output_tokens": output}}, **more)

    return server.client.post(
        CHAT, calls.chat(model, max_tokens=output), bearer(who),
        fake={"usage": {"prompt_tokens": prompt, "completion_tokens": output,
                        "total_tokens": prompt + output}}, **more)


def lively(server, n, seed=7):
    """n calls of everybody; what was answered."""
    dice = random.Random(seed)
    seen = []

    for _ in range(n):
        who = dice.choices(list(TEAMS), (9, 5, 3, 2))[0]
        model = dice.choices(("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5"),
                             (5, 4, 3))[0]
        seen.append(call(server, who, model, dice.randint(500, 30000),
                         dice.randint(50, 1500)).status)

    return seen
