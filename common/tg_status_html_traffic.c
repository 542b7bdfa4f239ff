/* Calls and how they ended, rules, routes and what they saved, providers. */

#include "tg_status_show.h"


static void
tg_status_cell(tg_page_t *pg, int64_t n)
{
    tg_html_raw(pg, "<td class=\"n\">");
    tg_html_count(pg, n);
    tg_html_raw(pg, "</td>");
}


static void
tg_status_row(tg_page_t *pg, const char *name, int64_t n)
{
    tg_html_raw(pg, "<tr data-k=\"");
    tg_html_raw(pg, name);
    tg_html_raw(pg, "\"><th scope=\"row\">");
    tg_html_raw(pg, name);
    tg_html_raw(pg, "</th>");
    tg_status_cell(pg, n);
    tg_html_raw(pg, "</tr>");
}


static void
tg_status_named_row(tg_page_t *pg, tg_str_t name)
{
    tg_html_raw(pg, "<tr data-k=\"=");
    tg_html_text(pg, name);
    tg_html_raw(pg, "\"><th scope=\"row\">");
    tg_html_name(pg, name, "none");
    tg_html_raw(pg, "</th>");
}


static void
tg_status_outcomes(const tg_metrics_sum_t *sum, tg_page_t *pg)
{
    static const char  *const heads[] = { "Outcome", "#Calls" };
    static const char  *const names[TG_OUTCOMES] = {
        "answered", "refused by a rule", "answered here", "provider said 4xx",
        "provider said 5xx", "client left", "cut off"
    };

    tg_html_table(pg, "t-outcomes", "Calls", heads, 2);

    for (unsigned i = 0; i < TG_OUTCOMES; i++) {
        tg_status_row(pg, names[i], (int64_t) sum->outcomes[i]);
    }

    tg_status_row(pg, "failed attempts", (int64_t) sum->attempts);
    tg_html_table_end(pg, 2, "", true);
}


static void
tg_status_tokens(const tg_metrics_sum_t *sum, tg_page_t *pg)
{
    static const char  *const heads[] = { "Kind", "#Tokens" };
    static const char  *const names[TG_TOKENS] = {
        "input", "read from a cache", "written to a cache", "output",
        "reasoning"
    };

    tg_html_table(pg, "t-tokens", "Tokens", heads, 2);

    for (unsigned i = 0; i < TG_TOKENS; i++) {
        tg_status_row(pg, names[i], (int64_t) sum->tokens[i]);
    }

    tg_status_row(pg, "calls with estimated tokens", (int64_t) sum->estimated);
    tg_status_row(pg, "calls without a price", (int64_t) sum->unpriced);
    tg_html_table_end(pg, 2, "", true);
}


/* As Prometheus' format has it: rule="...", with backslashes. */
static void
tg_status_rule_name(tg_page_t *pg, tg_str_t labels)
{
    char    name[TG_METRIC_LABELS_MAX];
    size_t  n = 0;

    for (size_t i = 6; i + 1 < labels.len; i++) {
        i += labels.p[i] == '\\';
        name[n++] = labels.p[i];
    }

    tg_status_named_row(pg, tg_str_of(name, n));
}


static void
tg_status_rules(const tg_metrics_t *m, tg_page_t *pg)
{
    static const char  *const heads[] = { "Rule", "#Refused", "#In dry runs" };

    bool                    any = false;
    tg_str_t                labels;
    const tg_rule_count_t  *r;

    tg_html_table(pg, "t-rules", "Refused, by rule", heads, 3);

    for (unsigned i = 0; i <= TG_METRIC_RULES; i++) {
        r = i < TG_METRIC_RULES ? &m->rules[i] : &m->other_rule;

        if (tg_metrics_labels(&r->name, &labels)) {
            tg_status_rule_name(pg, labels);

        } else if (r == &m->other_rule && r->refused + r->dry != 0) {
            tg_html_raw(pg, "<tr data-k=\"\xc2\xb7others\" class=\"others\">"
                            "<th scope=\"row\">others</th>");
        } else {
            continue;
        }

        any = true;
        tg_status_cell(pg, (int64_t) atomic_load(&r->refused));
        tg_status_cell(pg, (int64_t) atomic_load(&r->dry));
        tg_html_raw(pg, "</tr>");
    }

    tg_html_table_end(pg, 3, "No rule has refused a call.", any);
}


static void
tg_status_routes_table(const tg_status_facts_t *facts, tg_page_t *pg)
{
    static const char  *const heads[] = {
        "Route", "#Calls", "#Saved", "#Fallbacks", "#In dry runs",
        "#Would save"
    };

    tg_str_t             name;
    tg_route_count_t    *c;
    const tg_routes_t   *routes = &facts->conf->routes;

    tg_html_table(pg, "t-routes", "Routes", heads, 6);

    for (unsigned i = 0; i < routes->n; i++) {
        name = routes->list[i]->name;
        c = tg_route_count(&facts->tally->routes, name);

        tg_status_named_row(pg, name);
        tg_status_cell(pg, tg_status_count(c, TG_ROUTE_TAKEN));
        tg_html_raw(pg, "<td class=\"n\">");
        tg_html_usd(pg, c == NULL ? 0 : atomic_load(&c->saved));
        tg_html_raw(pg, "</td>");
        tg_status_cell(pg, tg_status_count(c, TG_ROUTE_FALLBACKS));
        tg_status_cell(pg, tg_status_count(c, TG_ROUTE_DRY));
        tg_html_raw(pg, "<td class=\"n\">");
        tg_html_usd(pg, c == NULL ? 0 : atomic_load(&c->dry_saved));
        tg_html_raw(pg, "</td></tr>");
    }

    tg_html_table_end(pg, 6, "There are no routes.", routes->n != 0);
}


static void
tg_status_providers_table(const tg_status_facts_t *facts, tg_page_t *pg)
{
    static const char  *const heads[] = { "Provider", "State" };

    const tg_conf_t  *conf = facts->conf;

    tg_html_table(pg, "t-providers", "Providers", heads, 2);

    for (unsigned i = 0; i < conf->nproviders; i++) {
        tg_status_named_row(pg, conf->providers[i].name);
        tg_html_raw(pg, tg_status_closed(facts->breakers, &conf->providers[i],
                                         facts->mono_ms)
                        ? "<td><span class=\"good\">in use</span></td></tr>"
                        : "<td><b class=\"bad\">failing, avoided</b></td>"
                          "</tr>");
    }

    tg_html_table_end(pg, 2, "None is configured by name.",
                      conf->nproviders != 0);
}


static void
tg_status_backends(const tg_status_facts_t *facts, tg_page_t *pg)
{
    bool                any;
    static const char  *const heads[] = {
        "Backend", "State", "#Calls", "#Waiting", "#GPU busy", "#GPU cost",
        "#Idle cost", "#Charged to calls", "#In the cloud"
    };

    if (facts->upstream == NULL) {
        return;
    }

    tg_html_table(pg, "t-backends", "Backends and GPU money", heads, 9);
    any = tg_status_upstreams(facts, TG_STATUS_HTML, pg);
    tg_html_table_end(pg, 9, "No upstream is looked after.", any);
}


void
tg_status_html_traffic(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_metrics_sum_t  sum;

    tg_metrics_sum(&facts->tally->metrics, &sum);

    tg_html_raw(pg, "<section id=\"traffic\" aria-labelledby=\"h-traffic\">"
                    "<h2 id=\"h-traffic\">Traffic</h2>"
                    "<p class=\"as-of\">Since ");
    tg_html_time(pg, facts->zone, facts->tally->since);
    tg_html_raw(pg, ": <span id=\"total\">");
    tg_html_usd(pg, sum.cost);
    tg_html_raw(pg, "</span>, by the list ");
    tg_html_usd(pg, sum.list);
    tg_html_raw(pg, ".</p>");
    tg_status_routes_table(facts, pg);
    tg_status_backends(facts, pg);
    tg_html_raw(pg, "<div class=\"pair\">");
    tg_status_outcomes(&sum, pg);
    tg_status_tokens(&sum, pg);
    tg_status_rules(&facts->tally->metrics, pg);
    tg_status_providers_table(facts, pg);
    tg_html_raw(pg, "</div></section>\n");
}
