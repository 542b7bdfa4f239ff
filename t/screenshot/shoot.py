#!/usr/bin/python3
"""shoot.py MONTH PNG - the picture of llm_status in the README: a real server with
some hundred calls of four teams, and what MONTH (month.c) makes up of the days
before."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "behave"), os.path.join(HERE, "..")]

import board                                            # noqa: E402
from browser import browser                             # noqa: E402
from fake.provider import Fake                          # noqa: E402
from nginx import Nginx                                 # noqa: E402

WIDTH, HEIGHT, LIMIT = 1180, 1480, 250 * 1024
QUOTAS = ("claude per=team usd=30/month when=provider=='anthropic'",
          "team_day per=team usd=20/day",
          "key_calls per=key requests=120/day")


def main(month, png):
    server = Nginx()

    try:
        with Fake() as openai, Fake() as anthropic:
            site = board.site(server, openai, anthropic, quotas=QUOTAS)
            subprocess.run([month, server.path("ledger", "tollgate.tally")],
                           check=True)
            server.start(site)
            board.lively(server, 230)
            server.lines(230)

            with browser(width=WIDTH) as page:
                page.get("http://127.0.0.1:%d%s" % (server.port, board.STATUS))
                page.find_element("id", "live")
                picture = page.picture(HEIGHT)
    finally:
        server.finish()

    if len(picture) > LIMIT:
        sys.exit("%s would be %d bytes" % (png, len(picture)))

    with open(png, "wb") as f:
        f.write(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
