"""llm_status as a page, in a real Chromium: its figures are the ledger's and the
lines', it is live, and everybody can use it."""

import json
import os
import re
import subprocess
import time
from decimal import Decimal

import pytest

import board
import calls
from keys import bearer, key, keys
from servers import Loc, root

pytest.importorskip("selenium")

from browser import CHROMIUM, DRIVER, browser, contrast # noqa: E402
from selenium.webdriver.common.by import By             # noqa: E402
from selenium.webdriver.common.keys import Keys         # noqa: E402

pytestmark = pytest.mark.skipif(
    not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)),
    reason="no chromium, or no chromedriver")

NASTY = ["<script>document.title='owned'</script>", "\"><img src=x onerror=1>",
         "\u202egnp.exe", "\U0001f4b8" * 24, "a&b 'c'"]


def url(server):
    return "http://127.0.0.1:%d%s" % (server.port, board.STATUS)


def usd(el):
    return el.find_element(By.TAG_NAME, "data").get_attribute("value")


def nusd(text):
    return int(Decimal(text) * 10 ** 9)


def figure(page, id):
    return nusd(usd(page.find_element(By.ID, id)))


def rows(page, caption_id):
    """{first cell's name: [text or exact dollars of each other cell]}"""
    table = page.find_element(By.CSS_SELECTOR, "table:has(#%s)" % caption_id)
    found = {}

    for tr in table.find_elements(By.CSS_SELECTOR, "tbody tr"):
        name = tr.find_element(By.TAG_NAME, "th")
        cells = [usd(td) if td.find_elements(By.TAG_NAME, "data")
                 else td.text for td in tr.find_elements(By.TAG_NAME, "td")]
        found[name.text.replace("\n", ", ")] = cells

    return found


def lines_by(lines, field):
    sums = {}

    for line in lines:
        name = line.get(field, "")
        sums[name] = sums.get(name, 0) + line["llm.cost.total_nusd"]

    return {name: n for name, n in sums.items() if n}


def spent(server):
    """What the ledger says that each subject of each budget has spent."""
    done = subprocess.run(
        [root("build", "llmctl"), "budget", "list", "--format=json",
         "--ledger=" + server.path("ledger", "tollgate")],
        capture_output=True, text=True, check=True)

    return {(b["quota"], b["subject"]): b for b in json.loads(done.stdout)}


def test_figures_are_the_lines_and_the_ledgers(server, fake, fake2):
    server.start(board.site(server, fake, fake2))
    assert set(board.lively(server, 40)) <= {200, 429}
    lines = server.lines(40)
    cost = sum(line["llm.cost.total_nusd"] for line in lines)
    told = server.client.get("/llm/json").json

    with browser() as page:
        page.get(url(server))
        assert figure(page, "today") == figure(page, "month") == cost
        assert figure(page, "total") == cost

        for id, field in (("by-team", "llm.team"), ("by-key", "llm.key_id"),
                          ("by-model", "gen_ai.response.model"),
                          ("by-provider", "llm.provider")):
            has = {name: nusd(cells[2])
                   for name, cells in rows(page, id).items()}
            assert has == lines_by(lines, field), field

        budgets = rows(page, "t-budgets")
        assert not page.complaints()

    for team, n in lines_by(lines, "llm.team").items():
        name = "team %s, team_month, dollars a month" % team
        assert nusd(budgets[name][0]) == n
        assert nusd(budgets[name][1]) == 40 * 10 ** 9

    assert nusd(budgets["all calls, everybody, dollars a month"][0]) == cost

    assert told["spend"]["month_nusd"] == cost
    assert sum(told["spend"]["days_nusd"]) == cost
    assert told["sum"]["cost_nusd"] == cost
    assert {t["name"]: t["month_nusd"]
            for t in told["spend"]["by"]["team"]["top"]} \
        == lines_by(lines, "llm.team")
    by_json = {(b["quota"], b["subject"]): b["used_nusd"]
               for b in told["budgets"]["list"]}
    assert by_json[("everybody", "all calls")] == cost


def test_json_has_what_the_page_has(server, fake, fake2):
    server.start(board.site(server, fake, fake2))
    board.lively(server, 20)
    server.lines(20)
    told = server.client.get("/llm/json").json
    again = server.client.get(board.STATUS + "?format=json").json
    assert again["spend"]["month_nusd"] == told["spend"]["month_nusd"]

    figures = set()

    def walk(value):
        if isinstance(value, dict):
            for v in value.values():
                walk(v)
        elif isinstance(value, list):
            for v in value:
                walk(v)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            figures.add(Decimal(str(value)))

    walk(told)

    with browser() as page:
        page.get(url(server))
        values = [d.get_attribute("value") for d in page.find_elements(
            By.CSS_SELECTOR, "data:not(.about)")]

    assert len(values) > 30
    missing = [v for v in values if nusd(v) not in figures]
    assert not missing


def test_it_goes_on_without_being_loaded_again(server, fake, fake2):
    """The same document, the same elements, the focus where it was."""
    server.start(board.site(server, fake, fake2))
    board.call(server, "ann")

    with browser() as page:
        page.get(url(server))
        page.execute_script("window.mark = 1; document.querySelector("
                            "'table:has(#by-team) tbody tr').mark = 1;")
        row = page.find_element(By.CSS_SELECTOR,
                                "table:has(#by-team) tbody tr")
        summary = page.find_element(By.TAG_NAME, "summary")
        summary.click()
        before = figure(page, "today")

        board.call(server, "ann")
        board.call(server, "eve", prompt=400000)
        cost = sum(line["llm.cost.total_nusd"] for line in server.lines(3))
        server.wait_until(lambda: figure(page, "today") == cost,
                          what="the page to follow")
        assert cost > before
        assert list(rows(page, "by-team")) == ["ads", "search"]
        assert page.execute_script("return window.mark") == 1
        assert page.execute_script("return arguments[0].mark", row) == 1
        assert page.execute_script("return document.activeElement.tagName") \
            == "SUMMARY"
        assert page.find_element(By.TAG_NAME, "details") \
            .get_attribute("open") is not None
        assert "Updated" in page.find_element(By.ID, "state").text
        assert not page.complaints()


def test_it_can_be_held_and_says_when_nobody_answers(server, fake, fake2):
    server.start(board.site(server, fake, fake2))
    board.call(server, "ann")

    with browser() as page:
        page.get(url(server))
        button = page.find_element(By.ID, "live")
        before = figure(page, "today")
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        board.call(server, "ann")
        server.lines(2)
        time.sleep(6)
        assert figure(page, "today") == before

        button.click()
        server.wait_until(lambda: figure(page, "today") > before,
                          what="the page to follow")
        page.execute_cdp_cmd("Network.enable", {})
        page.execute_cdp_cmd("Network.emulateNetworkConditions", {
            "offline": True, "latency": 0, "downloadThroughput": 0,
            "uploadThroughput": 0})
        state = page.find_element(By.ID, "state")
        server.wait_until(lambda: "No answer" in state.text,
                          what="the page to say so")
        assert figure(page, "today") > before


def test_keys_are_enough(server, fake, fake2):
    """What is focused shows it, in the order of the page."""
    server.start(board.site(server, fake, fake2))
    board.lively(server, 5)
    server.lines(5)

    with browser() as page:
        page.get(url(server))
        seen = []

        for _ in range(40):
            page.switch_to.active_element.send_keys(Keys.TAB)
            el = page.switch_to.active_element
            seen.append(el.accessible_name or el.text)
            assert el.tag_name in ("a", "button", "summary", "div")
            assert page.execute_script(
                "const s = getComputedStyle(arguments[0]);"
                "return s.outlineStyle !== 'none'"
                " && parseFloat(s.outlineWidth) >= 2", el), seen[-1]

            if seen[-1] == "Ledger":
                break

        assert seen[:6] == ["Skip to the figures", "Spend", "Budgets",
                            "Traffic", "Server", "Live"]
        assert seen[-1] == "Ledger"

        page.get(url(server))
        page.switch_to.active_element.send_keys(Keys.TAB)
        page.switch_to.active_element.send_keys(Keys.ENTER)
        assert page.switch_to.active_element.get_attribute("id") == "figures"
        page.find_element(By.ID, "live").send_keys(Keys.SPACE)
        assert page.find_element(By.ID, "live") \
            .get_attribute("aria-pressed") == "false"


def test_a_screen_reader_finds_its_way(server, fake, fake2):
    server.start(board.site(server, fake, fake2))
    board.lively(server, 5)
    server.lines(5)

    with browser() as page:
        page.get(url(server))
        tree = page.tree()
        roles = {}

        for role, name in tree:
            roles.setdefault(role, []).append(name)

        assert roles["heading"][0] == "LLM spend"
        assert {"Spend", "Budgets and limits", "Traffic", "Server"} \
            <= set(roles["heading"])
        assert {"By team", "By key", "By model", "By provider", "Budgets",
                "Routes", "Ledger"} <= set(roles["table"])
        assert all(roles["table"]) and all(roles["region"])
        assert "Sections" in roles["navigation"] and "main" in roles
        assert {"search", "This month", "Team"} \
            <= set(roles["rowheader"] + roles["columnheader"])
        assert "status" in roles
        assert not roles.get("image")       # bars are for eyes only
        ids = [el.get_attribute("id")
               for el in page.find_elements(By.CSS_SELECTOR, "[id]")]
        assert len(ids) == len(set(ids))
        assert page.find_element(By.TAG_NAME, "html") \
            .get_attribute("lang") == "en"


def colours(page):
    """(what, text colour, colour behind it) of all that has text."""
    return page.execute_script("""
        const found = [];
        const walk = document.createTreeWalker(document.body,
                                               NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
            const el = walk.currentNode.parentElement;
            if (!walk.currentNode.nodeValue.trim()
                || el.closest("script,style,.unseen,.skip")) continue;
            let behind = el, back;
            do {
                back = getComputedStyle(behind).backgroundColor;
                behind = behind.parentElement;
            } while (/, 0\\)$/.test(back) && behind);
            found.push([walk.currentNode.nodeValue.trim(),
                        getComputedStyle(el).color, back]);
        }
        return found;""")


def test_light_and_dark_can_be_read(server, fake, fake2):
    """WCAG AA: 4.5 to 1, of every text that there is; of what has the focus 3."""
    server.start(board.site(server, fake, fake2, quotas=(
        *board.QUOTAS, "few per=key requests=2/day")))
    assert 429 in board.lively(server, 20)      # a limit is used up
    server.lines(20)
    pictures = []

    with browser() as page:
        for scheme in ("light", "dark"):
            page.media(prefers_color_scheme=scheme)
            page.get(url(server))
            assert page.find_elements(By.CSS_SELECTOR, "b.bad")
            pictures.append(page.picture())
            seen = colours(page)
            assert len(seen) > 100
            weak = {(text, fore, back) for text, fore, back in seen
                    if contrast(fore, back) < 4.5}
            assert not weak
            link, body = page.execute_script(
                "const s = getComputedStyle(document.documentElement);"
                "const e = document.createElement('p');"
                "e.style.color = s.getPropertyValue('--link');"
                "document.body.append(e);"
                "return [getComputedStyle(e).color,"
                " getComputedStyle(document.body).backgroundColor]")
            assert contrast(link, body) >= 3

    assert pictures[0] != pictures[1]


def test_a_phone_shows_it_all(server, fake, fake2):
    """The page does not scroll sideways; what is wide does by itself."""
    server.start(board.site(server, fake, fake2))
    board.lively(server, 10)
    server.lines(10)

    with browser(width=360, height=740) as page:
        page.get(url(server))
        assert page.execute_script(
            "return document.documentElement.scrollWidth") <= 360

        for div in page.find_elements(By.CSS_SELECTOR, ".scroll"):
            assert div.rect["width"] <= 360
            assert div.get_attribute("tabindex") == "0"


def test_it_rests_where_motion_is_unwanted(server, fake, fake2):
    server.start(board.site(server, fake, fake2))
    board.call(server, "ann")

    with browser() as page:
        page.media(prefers_reduced_motion="reduce")
        page.get(url(server))
        page.execute_script("window.moved = 0; const a = Element.prototype"
                            ".animate; Element.prototype.animate = function ("
                            "...x) { window.moved++; return a.apply(this, x);"
                            " };")
        before = figure(page, "today")
        board.call(server, "ann")
        server.lines(2)
        server.wait_until(lambda: figure(page, "today") > before,
                          what="the page to follow")
        assert page.execute_script("return window.moved") == 0
        assert page.execute_script(
            "return getComputedStyle(document.documentElement)"
            ".scrollBehavior") == "auto"


def test_figures_are_there_without_scripts(server, fake, fake2):
    server.start(board.site(server, fake, fake2))
    board.lively(server, 10)
    cost = sum(line["llm.cost.total_nusd"] for line in server.lines(10))

    with browser(scripts=False) as page:
        page.get(url(server))
        text = page.page_source
        assert re.search(r'<button[^>]* hidden', text)
        found = re.search(r'id="today"><data value="([\d.]+)"', text)
        assert nusd(found[1]) == cost
        assert not page.find_element(By.ID, "live").is_displayed()
        assert page.find_element(By.ID, "by-team").is_displayed()


def test_names_are_nothing_but_names(server, fake, fake2):
    """Whatever teams are called: nothing runs, nothing turns the text around."""
    site = server.metered(fake, ("llm_tag", "team", "from=json:X-Who:team"))
    site.locs.append(Loc(board.STATUS, [("llm_status",)]))
    server.start(site)

    for name in NASTY:
        assert server.client.post(
            board.CHAT, calls.chat(),
            (("X-Who", json.dumps({"team": name})),)).status == 200

    server.lines(len(NASTY))

    with browser() as page:
        page.get(url(server))
        assert page.title.startswith("LLM spend")
        assert not page.find_elements(By.CSS_SELECTOR, "img")
        assert len(page.find_elements(By.TAG_NAME, "script")) == 1
        has = [el.get_attribute("textContent") for el in page.find_elements(
            By.CSS_SELECTOR, "table:has(#by-team) bdi")]
        assert set(has) == {n.replace("\u202e", "\ufffd") for n in NASTY}
        time.sleep(6)                       # and once more, by the script
        assert page.title.startswith("LLM spend")
        assert not page.complaints()


def test_nothing_else_may_run(server, fake, fake2):
    server.start(board.site(server, fake, fake2))
    r = server.client.get(board.STATUS)
    policy = r.header("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert r.header("X-Content-Type-Options") == "nosniff"
    assert r.header("Cache-Control") == "no-store"
    assert r.header("X-Frame-Options") == "DENY"
    assert r.header("Referrer-Policy") == "no-referrer"
    assert len(r.body) < 64 * 1024
    assert not re.search(rb'(src|href)="(?!#)', r.body)

    with browser() as page:
        page.get(url(server))
        page.execute_script(
            "const s = document.createElement('script');"
            "s.textContent = 'window.ran = 1'; document.body.append(s);")
        assert page.execute_script("return window.ran") is None


def test_secrets_are_not_on_it(server, fake, fake2):
    text = keys(key("ann", team="search"))
    server.start(board.site(server, fake, fake2,
                            teams={"ann": "search"}))
    board.call(server, "ann")
    server.lines(1)
    secret = bearer("ann")["Authorization"].split()[1]

    for path in (board.STATUS, "/llm/json"):
        body = server.client.get(path).body.decode()
        assert secret not in body and "one two three" not in body
        assert json.loads(text)["keys"][0]["sha256"] not in body


def test_it_is_right_after_reloads(server, fake, fake2):
    server.start(board.site(server, fake, fake2))

    for n in range(1, 4):
        assert board.call(server, "ann").status == 200
        server.lines(n)
        server.reload()

    cost = sum(line["llm.cost.total_nusd"] for line in server.lines(3))
    told = server.client.get("/llm/json").json
    assert told["spend"]["month_nusd"] == cost
    assert told["budgets"]["list"][0]["used_nusd"] == cost
    assert {b["subject"] for b in told["budgets"]["list"]} \
        == {"team search", "all calls"}


def test_who_was_refused_is_told(server, fake, fake2):
    server.start(board.site(server, fake, fake2,
                            quotas=("few per=team requests=2/day",)))
    assert [board.call(server, "ann").status for _ in range(4)] \
        == [200, 200, 429, 429]
    assert board.call(server, "eve").status == 200
    server.lines(5)

    with browser() as page:
        page.get(url(server))
        refused = rows(page, "t-refused")
        near = rows(page, "t-near")

    assert list(refused) == ["team search, few, requests a day"]
    assert refused["team search, few, requests a day"][:2] == ["2", "0"]
    assert near["team search, few, requests a day"][0] == "2"
    assert near["team search, few, requests a day"][4].startswith("used up")


def test_a_route_says_what_it_has_saved(server, fake, fake2):
    """gpt-4o would have cost 2.5 and 10 dollars a million, gpt-4o-mini costs 0.15
    and 0.6."""
    server.start(board.site(server, fake, fake2))
    assert board.call(server, "ann", "gpt-4o", 1000, 100).status == 200
    line = server.line()
    assert line["llm.cost.total_nusd"] == 150000 + 60000
    told = server.client.get("/llm/json").json
    assert told["routes"][0]["saved_nusd"] \
        == 2500000 + 1000000 - (150000 + 60000)
