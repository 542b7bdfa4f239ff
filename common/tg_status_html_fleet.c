/* The nodes of a fleet, what all of them have spent, and in what they
 * differ. */

#include "tg_money.h"
#include "tg_status_fleet.h"
#include "tg_status_show.h"


static void
tg_html_fleet_sum(tg_page_t *pg, const tg_spend_sum_t *s)
{
    tg_html_raw(pg, "<td class=\"n\">");
    tg_html_usd_about(pg, s->hourly);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_usd(pg, s->today);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_usd(pg, s->month);
    tg_html_raw(pg, "</td>");
}


static void
tg_html_fleet_hash(tg_page_t *pg, const char *hash)
{
    tg_html_raw(pg, "<td><code>");
    tg_html_text(pg, *hash != '\0' ? tg_strz(hash) : tg_str("\xe2\x80\x93"));
    tg_html_raw(pg, "</code></td>");
}


static void
tg_html_fleet_node(tg_page_t *pg, const tg_fleet_node_t *node, int64_t now)
{
    tg_html_raw(pg, "<tr data-k=\"=");
    tg_page_room(pg, 64);
    tg_put_int(&pg->text, (int64_t) node->node);
    tg_html_raw(pg, "\"><th scope=\"row\">");
    tg_html_name(pg, tg_strz(node->label), "no name");
    tg_html_raw(pg, tg_fleet_node_away(node, now)
                    ? "</th><td><b class=\"bad\">away</b></td>"
                    : "</th><td><span class=\"good\">here</span></td>");
    tg_html_raw(pg, "<td class=\"n\">");
    tg_html_count(pg, node->in_flight);
    tg_html_raw(pg, "</td>");
    tg_html_fleet_sum(pg, &node->sum);
    tg_html_fleet_hash(pg, node->config);
    tg_html_fleet_hash(pg, node->prices);
    tg_html_fleet_hash(pg, node->keys);
    tg_html_raw(pg, "</tr>");
}


static void
tg_html_fleet_drift(tg_page_t *pg, const tg_fleet_view_t *view, int64_t now)
{
    tg_fleet_drift_t  drift;

    tg_status_drift(view, now, &drift);

    if (!drift.config && !drift.prices && !drift.keys) {
        tg_html_raw(pg, "<p class=\"as-of\"><span class=\"good\">All nodes run"
                        " with the same.</span></p>");
        return;
    }

    tg_html_raw(pg, "<p class=\"as-of\"><b class=\"bad\">Nodes differ:</b>");
    tg_html_raw(pg, drift.config ? " configuration" : "");
    tg_html_raw(pg, drift.prices ? " prices" : "");
    tg_html_raw(pg, drift.keys ? " keys" : "");
    tg_html_raw(pg, ".</p>");
}


/* What the rows above it leave: names that are known, and those of nodes that had
 * no room for them. */
static bool
tg_html_fleet_others(tg_page_t *pg, const tg_fleet_view_t *view, unsigned d)
{
    tg_spend_sum_t         sum = view->rest[d].sum;
    const tg_spend_sum_t  *one;

    if (view->n[d] <= TG_STATUS_TOP && view->rest[d].n == 0
        && !view->rest[d].overflow)
    {
        return false;
    }

    for (unsigned i = TG_STATUS_TOP; i < view->n[d]; i++) {
        one = &view->top[d][i].sum;
        sum.hourly = tg_money_add(sum.hourly, one->hourly);
        sum.today = tg_money_add(sum.today, one->today);
        sum.month = tg_money_add(sum.month, one->month);
    }

    tg_html_raw(pg, "<tr data-k=\"\xc2\xb7others\" class=\"others\">"
                    "<th scope=\"row\">others");
    tg_html_bar(pg, sum.month, view->sum.month, "share");
    tg_html_raw(pg, "</th>");
    tg_html_fleet_sum(pg, &sum);
    tg_html_raw(pg, "</tr>");

    return true;
}


static void
tg_html_fleet_names(tg_page_t *pg, const tg_fleet_view_t *view, unsigned d)
{
    static const char  *const ids[TG_SPEND_DIMENSIONS] = {
        "fleet-team", "fleet-key", "fleet-model", "fleet-provider"
    };
    static const char  *const captions[TG_SPEND_DIMENSIONS] = {
        "Fleet, by team", "Fleet, by key", "Fleet, by model",
        "Fleet, by provider"
    };
    static const char  *const heads[] = {
        "Name", "#Now, per hour", "#Today", "#This month"
    };

    bool      others;
    tg_str_t  name;

    tg_html_table(pg, ids[d], captions[d], heads, 4);

    for (unsigned i = 0; i < view->n[d] && i < TG_STATUS_TOP; i++) {
        name = tg_str_of(view->top[d][i].name, view->top[d][i].len);
        tg_html_raw(pg, "<tr data-k=\"=");
        tg_html_text(pg, name);
        tg_html_raw(pg, "\"><th scope=\"row\">");
        tg_html_name(pg, name, "none");
        tg_html_bar(pg, view->top[d][i].sum.month, view->sum.month, "share");
        tg_html_raw(pg, "</th>");
        tg_html_fleet_sum(pg, &view->top[d][i].sum);
        tg_html_raw(pg, "</tr>");
    }

    others = tg_html_fleet_others(pg, view, d);
    tg_html_table_end(pg, 4, "Nothing this month yet.",
                      others || view->n[d] != 0);
}


void
tg_status_html_fleet(const tg_status_facts_t *facts, tg_page_t *pg)
{
    static const char  *const heads[] = {
        "Node", "State", "#In flight", "#Now, per hour", "#Today",
        "#This month", "Configuration", "Prices", "Keys"
    };

    int64_t                 now = facts->wall_ms;
    const tg_fleet_view_t  *view;

    view = tg_fleet_board_view(&facts->tally->fleet, now);

    if (view == NULL) {
        return;
    }

    tg_html_raw(pg, "<section id=\"fleet\" aria-labelledby=\"h-fleet\">"
                    "<h2 id=\"h-fleet\">Fleet</h2>");
    tg_html_fleet_drift(pg, view, now);
    tg_html_table(pg, "t-nodes", "Nodes", heads, 9);

    for (unsigned i = 0; i < view->nnodes; i++) {
        tg_html_fleet_node(pg, &view->nodes[i], now);
    }

    tg_html_raw(pg, "<tr data-k=\"\xc2\xb7sum\"><th scope=\"row\">All nodes"
                    "</th><td></td><td class=\"n\">");
    tg_html_count(pg, view->in_flight);
    tg_html_raw(pg, "</td>");
    tg_html_fleet_sum(pg, &view->sum);
    tg_html_raw(pg, "<td></td><td></td><td></td></tr>");
    tg_html_table_end(pg, 9, "", true);
    tg_html_raw(pg, "<div class=\"pair\">");

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        tg_html_fleet_names(pg, view, d);
    }

    tg_html_raw(pg, "</div></section>\n");
}
