/* llm_status as a page: HTML without any asset beside it. */

#include "tg_status_show.h"

/* Of tg_status_script and tg_status_style: t/unit/test_status_page.c says what
 * they are. */
#define TG_STATUS_SCRIPT_HASH \
    "nrR+6rA8LsLbQFHJreUvIrfhaKHyDcVXDaIAQ1IiM7M="
#define TG_STATUS_STYLE_HASH  \
    "wr2XKvqhn9PdV3lbq2lqY/mawq8omLVs5noZC5zRVxo="


unsigned
tg_status_headers(tg_status_format_t format,
    tg_header_t headers[TG_STATUS_HEADERS_MAX])
{
    unsigned                  n = 0;
    static const tg_header_t  all[] = {
        { TG_STR("cache-control"), TG_STR("no-store") },
        { TG_STR("x-content-type-options"), TG_STR("nosniff") }
    };
    static const tg_header_t  page[] = {
        { TG_STR("content-security-policy"),
          TG_STR("default-src 'none'; script-src 'sha256-"
                 TG_STATUS_SCRIPT_HASH "'; style-src 'sha256-"
                 TG_STATUS_STYLE_HASH "'; connect-src 'self';"
                 " frame-ancestors 'none'; base-uri 'none';"
                 " form-action 'none'") },
        { TG_STR("x-frame-options"), TG_STR("DENY") },
        { TG_STR("referrer-policy"), TG_STR("no-referrer") }
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        headers[n++] = all[i];
    }

    if (format == TG_STATUS_HTML) {
        for (size_t i = 0; i < sizeof(page) / sizeof(page[0]); i++) {
            headers[n++] = page[i];
        }
    }

    if (format != TG_STATUS_HTML) {
        headers[n++] = (tg_header_t) {
            TG_STR("content-security-policy"),
            TG_STR("default-src 'none'; frame-ancestors 'none'")
        };
    }

    if (format == TG_STATUS_PROMETHEUS || format == TG_STATUS_OPENMETRICS) {
        headers[n++] = (tg_header_t) { TG_STR("vary"), TG_STR("accept") };
    }

    return n;
}


const char *
tg_status_window(const tg_window_spec_t *window)
{
    static const char  *const names[] = {
        "second", "minute", "hour", "day", "week", "month", "total", "idle"
    };

    return names[window->kind];
}


void
tg_html_table(tg_page_t *pg, const char *id, const char *caption,
    const char *const *heads, unsigned nheads)
{
    tg_html_raw(pg, "<div class=\"scroll\" role=\"region\" tabindex=\"0\""
                    " aria-labelledby=\"");
    tg_html_raw(pg, id);
    tg_html_raw(pg, "\"><table><caption id=\"");
    tg_html_raw(pg, id);
    tg_html_raw(pg, "\">");
    tg_html_raw(pg, caption);
    tg_html_raw(pg, "</caption><thead><tr>");

    for (unsigned i = 0; i < nheads; i++) {
        bool  number = heads[i][0] == '#';

        tg_html_raw(pg, number ? "<th scope=\"col\" class=\"n\">"
                               : "<th scope=\"col\">");
        tg_html_raw(pg, heads[i] + number);
        tg_html_raw(pg, "</th>");
    }

    tg_html_raw(pg, "</tr></thead><tbody>");
}


void
tg_html_table_end(tg_page_t *pg, unsigned ncolumns, const char *empty,
    bool any)
{
    if (!any) {
        tg_html_raw(pg, "<tr data-k=\"\"><td class=\"none\" colspan=\"");
        tg_html_count(pg, ncolumns);
        tg_html_raw(pg, "\">");
        tg_html_raw(pg, empty);
        tg_html_raw(pg, "</td></tr>");
    }

    tg_html_raw(pg, "</tbody></table></div>\n");
}


static void
tg_status_head(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_html_raw(pg, "<!doctype html>\n<html lang=\"en\"><head>"
                    "<meta charset=\"utf-8\">"
                    "<meta name=\"viewport\""
                    " content=\"width=device-width, initial-scale=1\">"
                    "<meta name=\"color-scheme\" content=\"light dark\">"
                    "<meta name=\"robots\" content=\"noindex\">"
                    "<meta name=\"build\" content=\"" TG_STATUS_SCRIPT_HASH
                    TG_STATUS_STYLE_HASH "\"><title>LLM spend");

    if (facts->conf->node.len != 0) {
        tg_html_raw(pg, " \xc2\xb7 ");
        tg_html_text(pg, facts->conf->node);
    }

    tg_html_raw(pg, "</title><style>");
    tg_html_raw(pg, tg_status_style);
    tg_html_raw(pg, "</style></head>\n<body>"
                    "<a class=\"skip\" href=\"#figures\">Skip to the figures"
                    "</a><header><div><h1>LLM spend</h1><p>");
    tg_html_name(pg, facts->conf->node, "this node");
    tg_html_raw(pg, "</p></div><nav aria-label=\"Sections\">"
                    "<a href=\"#spend\">Spend</a>"
                    "<a href=\"#budgets\">Budgets</a>"
                    "<a href=\"#traffic\">Traffic</a>"
                    "<a href=\"#server\">Server</a></nav>"
                    "<div class=\"live\"><span id=\"state\"></span>"
                    "<button type=\"button\" id=\"live\" hidden"
                    " aria-pressed=\"true\">Live</button></div></header>"
                    "<p id=\"said\" class=\"unseen\" role=\"status\""
                    " aria-live=\"polite\"></p>\n");
}


void
tg_status_html(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_status_head(facts, pg);

    tg_html_raw(pg, "<main id=\"figures\" tabindex=\"-1\">");
    tg_status_html_spend(facts, pg);
    tg_status_html_fleet(facts, pg);
    tg_status_html_limits(facts, pg);
    tg_status_html_traffic(facts, pg);
    tg_status_html_server(facts, pg);
    tg_html_raw(pg, "</main>\n<script>");
    tg_html_raw(pg, tg_status_script);
    tg_html_raw(pg, "</script></body></html>\n");
}
