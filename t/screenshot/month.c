/*
 * month TALLY - what calls of the days before have cost, in a tally as the
 * servers keep it: so that the picture of a server that was just started has a
 * past.
 */

#include "tg_tally_file.h"

#include <stdio.h>
#include <time.h>

#define DAY  INT64_C(86400000)

typedef struct {
    const char  *key;
    const char  *team;
    int64_t      daily;         /* nano-dollars */
} caller_t;

static const caller_t  callers[] = {
    { "key_ann", "search", 640000000 },
    { "key_bob", "support", 420000000 },
    { "key_eve", "ads", 260000000 },
    { "key_dan", "research", 150000000 }
};

static const struct {
    const char  *model;
    const char  *provider;
    unsigned     share;         /* percent */
} models[] = {
    { "claude-sonnet-4-5", "anthropic", 55 },
    { "gpt-4o", "openai", 30 },
    { "gpt-4o-mini", "openai", 15 }
};


static uint32_t
dice(void)
{
    static uint32_t  x = 20261122;

    x = x * 1664525u + 1013904223u;

    return x >> 8;
}


/* A day of everybody; less of it at weekends. */
static void
one_day(tg_spend_t *s, int64_t at)
{
    bool        weekend = (at / DAY + 3) % 7 >= 5;
    int64_t     cost;
    tg_spent_t  spent = { .admitted = at, .now = at };

    for (size_t c = 0; c < sizeof(callers) / sizeof(callers[0]); c++) {
        for (size_t m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
            cost = callers[c].daily * models[m].share / 100;
            cost = cost * (70 + dice() % 60) / 100 / (weekend ? 4 : 1);

            for (int i = 0; i < 12; i++) {
                spent.name[TG_SPEND_TEAM] = tg_strz(callers[c].team);
                spent.name[TG_SPEND_KEY] = tg_strz(callers[c].key);
                spent.name[TG_SPEND_MODEL] = tg_strz(models[m].model);
                spent.name[TG_SPEND_PROVIDER] = tg_strz(models[m].provider);
                spent.cost = cost / 12 + dice() % 1000;
                tg_spend_count(s, NULL, NULL, &spent);
            }
        }
    }
}


int
main(int argc, char **argv)
{
    int64_t          now = (int64_t) time(NULL) * 1000;
    tg_error_t       err;
    tg_tally_file_t  f;

    if (argc != 2
        || tg_tally_file_open(&f, argv[1], now - 40 * DAY, &err) != TG_OK)
    {
        fprintf(stderr, "month: %s\n", argc != 2 ? "takes a tally's name"
                                                 : err.message);
        return 1;
    }

    for (int ago = 40; ago > 0; ago--) {
        one_day(&f.tally->spend, now - ago * DAY);
    }

    tg_tally_file_close(&f);

    return 0;
}
