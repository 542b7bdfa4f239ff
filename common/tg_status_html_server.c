/* What this server runs with, so that what differs between nodes shows; and how
 * full its ledger is. */

#include "tg_status_show.h"


static void
tg_status_fact(tg_page_t *pg, const char *name)
{
    tg_html_raw(pg, "<tr data-k=\"");
    tg_html_raw(pg, name);
    tg_html_raw(pg, "\"><th scope=\"row\">");
    tg_html_raw(pg, name);
    tg_html_raw(pg, "</th><td>");
}


static void
tg_status_hash(tg_page_t *pg, const char *name, tg_str_t hash)
{
    tg_status_fact(pg, name);

    if (hash.len == 0) {
        tg_html_raw(pg, "none");
    } else {
        tg_html_raw(pg, "<code>");
        tg_html_text(pg, hash);
        tg_html_raw(pg, "</code>");
    }

    tg_html_raw(pg, "</td></tr>");
}


static void
tg_status_runs_with(const tg_status_facts_t *facts, tg_page_t *pg)
{
    static const char  *const heads[] = { "What", "Value" };

    tg_html_table(pg, "t-config", "Runs with", heads, 2);
    tg_status_hash(pg, "configuration", tg_strz(facts->conf->hash_text));
    tg_status_hash(pg, "prices", facts->book == NULL
                                 ? tg_str_null
                                 : tg_price_book_hash(facts->book));
    tg_status_hash(pg, "keys", facts->roster == NULL
                               ? tg_str_null
                               : tg_keys_hash(tg_roster_keys(facts->roster)));
    tg_status_fact(pg, "counts since");
    tg_html_time(pg, facts->zone, facts->tally->since);
    tg_html_raw(pg, "</td></tr>");
    tg_html_table_end(pg, 2, "", true);
}


static void
tg_status_filled(tg_page_t *pg, const char *name, int64_t used, int64_t all)
{
    tg_status_fact(pg, name);
    tg_html_count(pg, used);
    tg_html_raw(pg, " of ");
    tg_html_count(pg, all);
    tg_html_bar(pg, used, all, used * 5 >= all * 4 ? "tight" : "used");
    tg_html_raw(pg, "</td></tr>");
}


static void
tg_status_counted(tg_page_t *pg, const char *name, uint64_t n)
{
    tg_status_fact(pg, name);
    tg_html_count(pg, (int64_t) n);
    tg_html_raw(pg, "</td></tr>");
}


static void
tg_status_ledger(const tg_status_facts_t *facts, tg_page_t *pg)
{
    static const char  *const heads[] = { "What", "Value" };

    tg_ledger_stats_t  s;

    tg_html_table(pg, "t-ledger", "Ledger", heads, 2);

    if (facts->ledger != NULL) {
        tg_ledger_stats(facts->ledger, &s);
        tg_status_filled(pg, "entries", s.entries_used, s.entries);
        tg_status_filled(pg, "made up by clients", s.entries_invented,
                         s.entries);
        tg_status_filled(pg, "calls held", s.slots_used, s.slots);
        tg_status_counted(pg, "refused because it was full", s.full);
        tg_status_counted(pg, "lock not had in time", s.busy);
        tg_status_counted(pg, "calls settled for the dead", s.swept);
        tg_status_fact(pg, "made");
        tg_html_time(pg, facts->zone, s.created);
        tg_html_raw(pg, "</td></tr>");
    }

    tg_html_table_end(pg, 2, "There is none.", facts->ledger != NULL);
}


void
tg_status_html_server(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_html_raw(pg, "<section id=\"server\" aria-labelledby=\"h-server\">"
                    "<h2 id=\"h-server\">Server</h2><div class=\"pair\">");
    tg_status_runs_with(facts, pg);
    tg_status_ledger(facts, pg);
    tg_html_raw(pg, "</div></section>\n");
}
