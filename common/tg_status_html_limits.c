/* Budgets with the day on which they will be used up, limits that are near, and
 * who was refused. */

#include "tg_status_show.h"

/* From so many percent on a bar looks different. */
#define TG_STATUS_TIGHT  80


static void
tg_status_amount_of(tg_page_t *pg, tg_measure_t measure, int64_t v)
{
    if (measure == TG_MEASURE_USD) {
        tg_html_usd(pg, v);
    } else {
        tg_html_count(pg, v);
    }
}


static void
tg_status_about(tg_page_t *pg, tg_measure_t measure, int64_t v)
{
    if (measure == TG_MEASURE_USD) {
        tg_html_usd_about(pg, v);
    } else {
        tg_html_count(pg, v);
    }
}


/* "tokens a day" */
static void
tg_status_per(tg_page_t *pg, const tg_subject_view_t *who)
{
    static const char  *const units[TG_MEASURES] = {
        "requests", "tokens", "input tokens", "output tokens", "dollars",
        "calls at a time"
    };
    static const char  *const windows[] = {
        " a second", " a minute", " an hour", " a day", " a week", " a month",
        " in all", " until idle"
    };

    tg_html_raw(pg, units[who->measure]);

    if (who->measure != TG_MEASURE_CONCURRENT) {
        tg_html_raw(pg, windows[who->window.kind]);
    }
}


static void
tg_status_who(tg_page_t *pg, const tg_subject_view_t *who)
{
    static const char  hex[] = "0123456789abcdef";

    tg_html_raw(pg, "<tr data-k=\"");
    tg_page_room(pg, 2 * TG_LEDGER_KEY);

    for (unsigned i = 0; i < TG_LEDGER_KEY; i++) {
        tg_put(&pg->text, &hex[who->key[i] >> 4], 1);
        tg_put(&pg->text, &hex[who->key[i] & 15], 1);
    }

    tg_html_raw(pg, "\"><th scope=\"row\">");
    tg_html_name(pg, who->subject, "all calls");
    tg_html_raw(pg, "<small class=\"under\">");
    tg_html_text(pg, who->quota);
    tg_html_raw(pg, ", ");
    tg_status_per(pg, who);
    tg_html_raw(pg, who->dry_run ? ", dry run</small>" : "</small>");
}


static bool
tg_status_is_tight(const tg_status_limit_t *l)
{
    return (double) l->used * 100
           >= (double) l->state.limit * TG_STATUS_TIGHT;
}


static void
tg_status_outlook(const tg_status_facts_t *facts, const tg_status_limit_t *l,
    tg_page_t *pg)
{
    int64_t  now = facts->wall_ms, out = l->forecast.out;

    if (l->state.latched) {
        tg_html_raw(pg, "<b class=\"bad\">closed by latch</b>");
        return;
    }

    if (tg_status_limit_full(l)) {
        tg_html_raw(pg, "<b class=\"bad\">used up</b>");

        if (l->state.reset != TG_WINDOW_NEVER && l->state.reset > now) {
            tg_html_raw(pg, "<small class=\"under\">for ");
            tg_html_span(pg, l->state.reset - now);
            tg_html_raw(pg, " more</small>");
        }

    } else if (out != TG_WINDOW_NEVER) {
        tg_html_raw(pg, "<b class=\"warn\">");
        tg_html_time(pg, facts->zone, out);
        tg_html_raw(pg, "</b><small class=\"under\">in ");
        tg_html_span(pg, out - now);
        tg_html_raw(pg, "</small>");

    } else if (!l->forecast.known) {
        tg_html_raw(pg, "<span class=\"dim\">no pace yet</span>");

    } else if (l->state.reset == TG_WINDOW_NEVER) {
        tg_html_raw(pg, "<span class=\"good\">not in sight</span>");

    } else {
        tg_html_raw(pg, "<span class=\"good\">lasts</span>"
                        "<small class=\"under\">until ");
        tg_html_time(pg, facts->zone, l->state.reset);
        tg_html_raw(pg, "</small>");
    }
}


static void
tg_status_limit_row(const tg_status_facts_t *facts,
    const tg_status_limit_t *l, tg_page_t *pg)
{
    bool          full = tg_status_limit_full(l);
    tg_measure_t  measure = l->who.measure;

    tg_status_who(pg, &l->who);
    tg_html_bar(pg, l->used, l->state.limit,
                full ? "over" : tg_status_is_tight(l) ? "tight" : "used");
    tg_html_raw(pg, "</th><td class=\"n\">");
    tg_status_amount_of(pg, measure, l->used);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_status_amount_of(pg, measure, l->state.limit);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_count(pg, l->state.limit <= 0 ? 100
                      : (int64_t) ((double) l->used * 100
                                   / (double) l->state.limit));
    tg_html_raw(pg, "&nbsp;%</td><td class=\"n\">");

    if (l->forecast.known) {
        tg_status_about(pg, measure, l->forecast.daily);
        tg_html_raw(pg, "<small class=\"under\">over ");
        tg_html_span(pg, l->forecast.over);
        tg_html_raw(pg, "</small>");
    } else {
        tg_html_raw(pg, "\xe2\x80\x93");
    }

    tg_html_raw(pg, "</td><td>");
    tg_status_outlook(facts, l, pg);
    tg_html_raw(pg, "</td></tr>");
}


static void
tg_status_refused_row(const tg_status_facts_t *facts,
    const tg_status_limit_t *l, tg_page_t *pg)
{
    tg_status_who(pg, &l->who);
    tg_html_raw(pg, "</th><td class=\"n\">");
    tg_html_count(pg, (int64_t) l->who.refused);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_count(pg, (int64_t) l->who.dry);
    tg_html_raw(pg, "</td><td class=\"n\">");
    tg_html_time(pg, facts->zone, l->who.refused_at);
    tg_html_raw(pg, "</td></tr>");
}


static void
tg_status_more(tg_page_t *pg, unsigned more, unsigned ncolumns)
{
    if (more == 0) {
        return;
    }

    tg_html_raw(pg, "<tr data-k=\"\xc2\xb7more\" class=\"others\">"
                    "<th scope=\"row\" colspan=\"");
    tg_html_count(pg, ncolumns);
    tg_html_raw(pg, "\">and ");
    tg_html_count(pg, more);
    tg_html_raw(pg, " more</th></tr>");
}


void
tg_status_html_limits(const tg_status_facts_t *facts, tg_page_t *pg)
{
    static const struct {
        const char  *id;
        const char  *caption;
        const char  *empty;
        const char  *heads[6];
        unsigned     nheads;
    } tables[] = {
        { "t-budgets", "Budgets", "No call has come under a budget yet.",
          { "Whose", "#Spent", "#Limit", "#Used", "#Per day", "Used up" }, 6 },
        { "t-near", "Other limits that are near",
          "No other limit is near.",
          { "Whose", "#In use", "#Limit", "#Used", "#Per day", "Used up" }, 6 },
        { "t-refused", "Who was refused", "Nobody was refused.",
          { "Whose", "#Refused", "#In dry runs", "#Last" }, 4 }
    };

    unsigned           n, more;
    tg_status_limit_t  list[TG_STATUS_LIMITS];

    tg_html_raw(pg, "<section id=\"budgets\" aria-labelledby=\"h-budgets\">"
                    "<h2 id=\"h-budgets\">Budgets and limits</h2>");

    for (unsigned k = 0; k < sizeof(tables) / sizeof(tables[0]); k++) {
        n = tg_status_limits(facts, (tg_status_limits_t) k, list, &more);

        tg_html_table(pg, tables[k].id, tables[k].caption, tables[k].heads,
                      tables[k].nheads);

        for (unsigned i = 0; i < n; i++) {
            if (k == TG_LIMITS_REFUSED) {
                tg_status_refused_row(facts, &list[i], pg);
            } else {
                tg_status_limit_row(facts, &list[i], pg);
            }
        }

        tg_status_more(pg, more, tables[k].nheads);
        tg_html_table_end(pg, tables[k].nheads, tables[k].empty, n != 0);
    }

    tg_html_raw(pg, "<p class=\"note\">\xe2\x80\x9cPer day\xe2\x80\x9d is the"
                    " pace of late: of a day\xe2\x80\x99s limit over the last"
                    " 4 hours, of a week\xe2\x80\x99s over 2 days, of a"
                    " month\xe2\x80\x99s over 7 days, or over what is known."
                    "</p></section>\n");
}
