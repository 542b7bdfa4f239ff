/* What was spent: in all, day by day, and by whom and on what. */

#include "tg_status_show.h"

#define TG_STATUS_CHART  100            /* height of the days' */

static const struct {
    const char  *id;
    const char  *caption;
    const char  *head;
    const char  *none;          /* of calls that have no such name */
} tg_status_dimensions[TG_SPEND_DIMENSIONS] = {
    { "by-team", "By team", "Team", "no team" },
    { "by-key", "By key", "Key", "no key" },
    { "by-model", "By model", "Model", "unknown" },
    { "by-provider", "By provider", "Provider", "unknown" }
};


static void
tg_status_card(tg_page_t *pg, const char *id, const char *name)
{
    tg_html_raw(pg, "<div class=\"card\"><dt>");
    tg_html_raw(pg, name);
    tg_html_raw(pg, "</dt><dd id=\"");
    tg_html_raw(pg, id);
    tg_html_raw(pg, "\">");
}


static void
tg_status_cards(const tg_status_facts_t *facts, const tg_spend_all_t *all,
    tg_page_t *pg)
{
    tg_metrics_sum_t  sum;

    tg_metrics_sum(&facts->tally->metrics, &sum);

    tg_html_raw(pg, "<dl class=\"cards\">");
    tg_status_card(pg, "hourly", "Now, per hour");
    tg_html_usd_about(pg, all->sum.hourly);
    tg_html_raw(pg, "</dd><dd class=\"sub\">at the pace of the last 5 minutes"
                    "</dd></div>");

    tg_status_card(pg, "today", "Today");
    tg_html_usd(pg, all->sum.today);
    tg_html_raw(pg, "</dd><dd class=\"sub\">");
    tg_html_count(pg, (int64_t) all->sum.calls_today);
    tg_html_raw(pg, " calls; yesterday ");
    tg_html_usd(pg, all->yesterday);
    tg_html_raw(pg, "</dd></div>");

    tg_status_card(pg, "month", "This month");
    tg_html_usd(pg, all->sum.month);
    tg_html_raw(pg, "</dd><dd class=\"sub\">");
    tg_html_count(pg, (int64_t) all->sum.calls_month);
    tg_html_raw(pg, " calls; last month ");
    tg_html_usd(pg, all->last_month);
    tg_html_raw(pg, "</dd></div>");

    tg_status_card(pg, "in-flight", "In flight");
    tg_html_count(pg, facts->in_flight);
    tg_html_raw(pg, "</dd><dd class=\"sub\">");
    tg_html_count(pg, (int64_t) sum.outcomes[TG_OUTCOME_REFUSED]);
    tg_html_raw(pg, " refused since ");
    tg_html_time(pg, facts->zone, facts->tally->since);
    tg_html_raw(pg, "</dd></div></dl>\n");
}


static void
tg_status_rect(tg_page_t *pg, unsigned day, bool today, int64_t height)
{
    tg_text_t  *t = &pg->text;

    tg_page_room(pg, 256);
    tg_put_lit(t, "<rect x=\"");
    tg_put_int(t, day * 10 + 1);
    tg_put_lit(t, "\" y=\"");
    tg_put_int(t, TG_STATUS_CHART - height);
    tg_put_lit(t, "\" width=\"8\" height=\"");
    tg_put_int(t, height);
    tg_put_str(t, today ? tg_str("\" class=\"today\"/>") : tg_str("\"/>"));
}


static void
tg_status_days(const tg_spend_all_t *all, tg_page_t *pg)
{
    static const char  *const heads[] = { "Day", "#Spent" };

    int64_t  most = 1, height;

    for (unsigned i = 0; i < all->ndays; i++) {
        most = all->days[i] > most ? all->days[i] : most;
    }

    tg_html_raw(pg, "<figure><figcaption>This month, day by day</figcaption>"
                    "<svg class=\"days\" viewBox=\"0 0 ");
    tg_html_count(pg, all->ndays * 10);
    tg_html_raw(pg, " 102\" preserveAspectRatio=\"none\" aria-hidden=\"true\""
                    " focusable=\"false\">");

    for (unsigned i = 0; i < all->ndays; i++) {
        height = (int64_t) ((double) all->days[i] / (double) most
                            * TG_STATUS_CHART);
        height = height < 0 ? 0 : height;
        height += all->days[i] > 0 && height == 0;
        tg_status_rect(pg, i, i == all->day, height);
    }

    tg_html_raw(pg, "<path class=\"axis\" d=\"M0 101H400\"/></svg>"
                    "<details><summary>Figures by day</summary>");
    tg_html_table(pg, "by-day", "Spent by day this month", heads, 2);

    for (unsigned i = 0; i <= all->day; i++) {
        tg_html_raw(pg, "<tr data-k=\"");
        tg_html_count(pg, i + 1);
        tg_html_raw(pg, "\"><th scope=\"row\">");
        tg_html_count(pg, i + 1);
        tg_html_raw(pg, i == all->day ? ", today" : "");
        tg_html_raw(pg, "</th><td class=\"n\">");
        tg_html_usd(pg, all->days[i]);
        tg_html_raw(pg, "</td></tr>");
    }

    tg_html_table_end(pg, 2, "", true);
    tg_html_raw(pg, "</details></figure>\n");
}


static void
tg_status_spent(tg_page_t *pg, const tg_spend_sum_t *s, int64_t whole)
{
    tg_html_bar(pg, s->month, whole, "share");
    tg_html_raw(pg, "</th><td class=\"n\">");
    tg_html_usd_about(pg, s->hourly);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_usd(pg, s->today);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_usd(pg, s->month);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_count(pg, (int64_t) s->calls_month);
    tg_html_raw(pg, "</td></tr>");
}


static void
tg_status_others(tg_page_t *pg, const tg_spend_rest_t *rest, int64_t whole)
{
    if (rest->n == 0 && !rest->overflow) {
        return;
    }

    tg_html_raw(pg, "<tr data-k=\"\xc2\xb7others\" class=\"others\">"
                    "<th scope=\"row\">");
    tg_html_raw(pg, rest->overflow ? "more than " : "");
    tg_html_count(pg, rest->n);
    tg_html_raw(pg, rest->n == 1 ? " other" : " others");
    tg_status_spent(pg, &rest->sum, whole);
}


static void
tg_status_by(const tg_status_facts_t *facts, tg_spend_dimension_t dimension,
    int64_t whole, tg_page_t *pg)
{
    unsigned         n;
    const char      *heads[] = { tg_status_dimensions[dimension].head,
                                 "#Now, per hour", "#Today", "#This month",
                                 "#Calls" };
    tg_spend_top_t   top[TG_STATUS_TOP];
    tg_spend_rest_t  rest;

    n = tg_spend_top(&facts->tally->spend, dimension, facts->zone,
                     facts->wall_ms, top, TG_STATUS_TOP, &rest);

    tg_html_table(pg, tg_status_dimensions[dimension].id,
                  tg_status_dimensions[dimension].caption, heads, 5);

    for (unsigned i = 0; i < n; i++) {
        tg_str_t  name = tg_str_of(top[i].name, top[i].len);

        tg_html_raw(pg, "<tr data-k=\"=");
        tg_html_text(pg, name);
        tg_html_raw(pg, "\"><th scope=\"row\">");
        tg_html_name(pg, name, tg_status_dimensions[dimension].none);
        tg_status_spent(pg, &top[i].sum, whole);
    }

    tg_status_others(pg, &rest, whole);
    tg_html_table_end(pg, 5, "Nothing this month yet.",
                      n != 0 || rest.overflow);
}


void
tg_status_html_spend(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_spend_all_t  all;

    tg_spend_all(&facts->tally->spend, facts->zone, facts->wall_ms, &all);

    tg_html_raw(pg, "<section id=\"spend\" aria-labelledby=\"h-spend\">"
                    "<h2 id=\"h-spend\">Spend</h2><p class=\"as-of\">As of ");
    tg_html_time(pg, facts->zone, facts->wall_ms);
    tg_html_raw(pg, ", days and months of ");
    tg_html_text(pg, facts->conf->ledger.zone.len != 0
                     ? facts->conf->ledger.zone : tg_str("UTC"));
    tg_html_raw(pg, ".</p>");
    tg_status_cards(facts, &all, pg);
    tg_status_days(&all, pg);
    tg_html_raw(pg, "<div class=\"pair\">");

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        tg_status_by(facts, (tg_spend_dimension_t) d, all.sum.month, pg);
    }

    tg_html_raw(pg, "</div></section>\n");
}
