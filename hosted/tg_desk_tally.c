/* What a server counts, and shows. */

#include "tg_desk_int.h"

#include <stdio.h>
#include <string.h>


static int
tg_desk_tally_file(tg_desk_t *desk, int64_t now, tg_error_t *err)
{
    char  path[sizeof(desk->ledger.path) + sizeof(TG_TALLY_SUFFIX)];

    (void) snprintf(path, sizeof(path), "%s" TG_TALLY_SUFFIX,
                    desk->ledger.path);

    return tg_tally_file_open(&desk->tally_file, path, now, err);
}


static tg_tally_t *
tg_desk_tally_get(tg_desk_t *desk, tg_tally_t **anonymous, int64_t now)
{
    char        text[400];
    tg_error_t  err;

    if (desk->open) {
        if (tg_desk_tally_file(desk, now, &err) == TG_OK) {
            if (desk->tally_file.replaced) {
                desk->log(desk->log_data, TG_DESK_WARNING, "llm_ledger: "
                          TG_TALLY_SUFFIX ", where calls are counted for"
                          " llm_status, was of another version and is begun"
                          " anew; the old one is kept as " TG_TALLY_SUFFIX
                          TG_TALLY_OLD);
            }

            return desk->tally_file.tally;
        }

        (void) snprintf(text, sizeof(text), "llm_ledger: %s, where calls are"
                        " counted for llm_status: %s; what is counted now is"
                        " lost at a stop", TG_TALLY_SUFFIX, err.message);
        desk->log(desk->log_data, TG_DESK_ERROR, text);
    }

    /* httpd keeps it over a restart with another version of the module. */

    if (*anonymous == NULL
        || tg_tally_check((*anonymous)->magic, (*anonymous)->layout) != TG_OK)
    {
        *anonymous = tg_tally_anonymous(now);

        if (*anonymous == NULL) {
            desk->log(desk->log_data, TG_DESK_ERROR, "llm_status: no memory to"
                      " count calls in");
        }
    }

    return *anonymous;
}


void
tg_desk_tally(tg_desk_t *desk, tg_tally_t **anonymous, int64_t now)
{
    tg_conf_prefix_t  *pc = &desk->conf->prefix;

    desk->tally = tg_desk_tally_get(desk, anonymous, now);

    if (!pc->off && !pc->ready && desk->tally != NULL) {
        memcpy(pc->key, desk->tally->secret, TG_SIPHASH_KEY);
        pc->ready = true;
    }
}


/* Of what processes of several servers share: the ledger knows them. */
static tg_ledger_file_t *
tg_desk_owners(tg_desk_t *desk)
{
    return desk->tally == desk->tally_file.tally ? &desk->ledger : NULL;
}


void
tg_desk_tally_look(tg_desk_t *desk)
{
    if (tg_desk_owners(desk) != NULL && tg_tally_file_cut(&desk->tally_file)) {
        desk->tally = NULL;
        desk->log(desk->log_data, TG_DESK_ERROR, "llm_ledger: " TG_TALLY_SUFFIX
                  ", where calls are counted for llm_status, was cut short:"
                  " they are not counted until it is moved away and the server"
                  " started anew");
    }
}


void
tg_desk_tally_join(tg_desk_t *desk)
{
    if (desk->tally != NULL) {
        desk->process = tg_tally_file_join(desk->tally, tg_desk_owners(desk));
    }
}


int64_t
tg_desk_in_flight(tg_desk_t *desk)
{
    tg_ledger_file_t  *owners = tg_desk_owners(desk);

    return owners != NULL && (!desk->open || owners->ledger.me == 0)
           ? 0 : tg_tally_file_in_flight(desk->tally, owners);
}


uint64_t
tg_desk_seq(tg_desk_t *desk, unsigned n)
{
    return desk->tally == NULL ? 0
           : atomic_fetch_add_explicit(&desk->tally->seq, n,
                                       memory_order_relaxed) + 1;
}


void
tg_desk_lost(tg_desk_t *desk, unsigned n)
{
    if (desk->tally != NULL) {
        (void) atomic_fetch_add_explicit(&desk->tally->lost, n,
                                         memory_order_relaxed);
    }
}


void
tg_desk_own_facts(tg_desk_t *desk, const tg_now_t *now,
    tg_status_facts_t *facts)
{
    memset(facts, 0, sizeof(tg_status_facts_t));

    facts->conf = desk->conf;
    facts->tally = desk->tally;
    facts->ledger = desk->joined ? &desk->ledger.ledger : NULL;
    facts->zone = desk->zone;
    facts->roster = tg_desk_roster(desk);
    facts->wall_ms = now->wall_ms;
    facts->mono_ms = now->mono_ns / 1000000;
}


void
tg_desk_facts(tg_desk_t *desk, const tg_price_book_t *book,
    tg_breakers_t *breakers, const tg_now_t *now, tg_status_facts_t *facts)
{
    tg_desk_own_facts(desk, now, facts);

    facts->breakers = breakers;
    facts->book = book;
    facts->upstream = desk->conf->companion;
    facts->in_flight = tg_desk_in_flight(desk);
}


void
tg_desk_facts_end(tg_status_facts_t *facts)
{
    tg_roster_unref(facts->roster);
}
