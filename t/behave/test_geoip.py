"""Where the client is: llm_geoip."""

import time

import calls
import mmdb
import pytest

from keys import gated
from servers import DEADLINE

CHAT = "/v1/chat/completions"


def country(code, **more):
    return mmdb.database({"127.0.0.0/8": {"country": {"iso_code": code},
                                          **more},
                          "10.0.0.0/8": {"country": {"iso_code": "AQ"}}})


def await_country(server, want):
    end = time.monotonic() + DEADLINE
    seen = len(server.log_of().read())

    while time.monotonic() < end:
        server.client.post(CHAT, calls.chat())
        seen += 1
        if server.lines(seen)[-1].get("client.geo.country_iso_code") == want:
            return
        time.sleep(0.1)

    raise AssertionError("no call ever came from %s" % want)


def test_the_line_says_country_and_network(server, fake):
    one = server.write("etc/country.mmdb", country("DE"))
    two = server.write("etc/asn.mmdb", mmdb.database(
        {"127.0.0.0/8": {"autonomous_system_number": 64512}}))
    server.meter(fake, ("llm_geoip", one, two))
    server.client.post(CHAT, calls.chat())
    line = server.line()
    assert line["client.geo.country_iso_code"] == "DE"
    assert line["client.as.number"] == 64512


def test_other_makers_names_for_it(server, fake):
    file = server.write("etc/lite.mmdb", mmdb.database(
        {"127.0.0.0/8": {"asn": "AS15169", "country_code": "US",
                         "country": "United States"}}))
    server.meter(fake, ("llm_geoip", file))
    server.client.post(CHAT, calls.chat())
    line = server.line()
    assert line["client.geo.country_iso_code"] == "US"
    assert line["client.as.number"] == 15169


def test_an_address_that_nobody_knows(server, fake):
    file = server.write("etc/country.mmdb", mmdb.database(
        {"10.0.0.0/8": {"country": {"iso_code": "AQ"}}}))
    server.meter(fake, ("llm_geoip", file))
    server.client.post(CHAT, calls.chat())
    assert "client.geo.country_iso_code" not in server.line()


def test_quotas_go_by_it(server, fake):
    file = server.write("etc/country.mmdb", country("DE", asn="AS64512"))
    server.meter(fake, ("llm_geoip", file), *gated(server),
                 ("llm_quota", "abroad", "per=all", "requests=1/day",
                  "when=country != 'DE' or asn == 1"),
                 ("llm_quota", "home", "per=all", "requests=2/day",
                  "when=country in ('DE', 'FR') and country != '' and"
                  " asn == 64512"))
    answers = [server.client.post(CHAT, calls.chat()) for _ in range(3)]
    assert [a.status for a in answers] == [200, 200, 429]
    assert [line.get("llm.rule") for line in server.lines(3)].count("home") == 1


def test_a_changed_file_is_picked_up(server, fake):
    server.expect_errors("country.mmdb")
    file = server.write("etc/country.mmdb", country("DE"))
    server.meter(fake, ("llm_geoip", file), workers=2)
    await_country(server, "DE")
    server.write("etc/country.mmdb", b"no database")
    server.await_message(r"country\.mmdb.*stays in use")
    await_country(server, "DE")
    server.write("etc/country.mmdb", country("FR"))
    await_country(server, "FR")


@pytest.mark.parametrize("text", [b"", b"no database", None])
def test_a_file_that_is_none_is_refused_at_the_start(server, fake, text):
    path = server.path("etc", "country.mmdb")
    if text is not None:
        server.write("etc/country.mmdb", text)
    ok, messages = server.test_config(
        server.metered(fake, ("llm_geoip", path)))
    assert not ok
    assert "llm_geoip: \"%s\"" % path in messages
