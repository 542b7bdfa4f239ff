#define _GNU_SOURCE

#include "llmctl.h"
#include "llmctl_key.h"
#include "llmctl_options.h"
#include "llmctl_rows.h"
#include "llmctl_time.h"

#include <stdio.h>
#include <time.h>

/* A busy ledger changes while it is looked at. */
#define CHECK_TRIES  20

typedef struct {
    const char  *ledger;
    bool         json;
    bool         lock;
} ledger_args_t;

typedef struct {
    const char  *name;
    uint64_t     n;
} count_t;


static int
ledger_usage(FILE *to)
{
    fprintf(to, "usage:\n"
            "  llmctl ledger check [--lock] [--json] [--ledger=FILE]\n"
            "      whether it all fits together; exit status 1 where it does"
            " not.\n      A ledger in use changes while it is looked at:"
            " --lock makes its calls wait.\n"
            "  llmctl ledger dump [--json] [--ledger=FILE]\n"
            "      all that it has counted, with names where they are known\n"
            "The ledger is " LEDGER_DEFAULT " by default.\n");

    return to == stderr ? 2 : 0;
}


static uint64_t
mistakes(const tg_ledger_report_t *r)
{
    return tg_ledger_mistakes(r) + r->broken;
}


static bool
check(server_t *s, tg_ledger_report_t *r)
{
    int              rc = TG_LEDGER_BUSY;
    tg_arena_t      *arena;
    tg_ledger_t     *led = &s->desk.ledger.ledger;
    struct timespec  pause = { 0, 5000000 };

    for (int i = 0; i < CHECK_TRIES; i++) {
        if (i != 0) {
            (void) nanosleep(&pause, NULL);
        }

        arena = tg_arena_create(0);
        rc = arena == NULL ? TG_ERROR
             : tg_ledger_check(led, tg_arena_mem(arena), r);
        tg_arena_destroy(arena);

        if (rc == TG_ERROR
            || (rc == TG_LEDGER_OK && (mistakes(r) == 0 || led->me != 0)))
        {
            break;
        }
    }

    if (rc != TG_LEDGER_OK) {
        (void) fail(s->path, rc == TG_LEDGER_BUSY
                             ? "its lock is not to be had" : "out of memory");
    }

    return rc == TG_LEDGER_OK;
}


static void
print_counts(const count_t *counts, size_t n, bool json, bool sound)
{
    json_t  *o = json_object();

    for (size_t i = 0; i < n; i++) {
        if (json) {
            (void) json_object_set_new(o, counts[i].name,
                                       json_integer((json_int_t) counts[i].n));
        } else {
            printf("%-18s %llu\n", counts[i].name,
                   (unsigned long long) counts[i].n);
        }
    }

    if (json) {
        (void) json_object_set_new(o, "sound", json_boolean(sound));
        (void) json_dumpf(o, stdout, JSON_INDENT(2));
        printf("\n");

    } else {
        printf("%s\n", sound ? "sound" : "NOT SOUND");
    }

    json_decref(o);
}


static int
ledger_check(const ledger_args_t *a)
{
    int                  rc = 1;
    server_t             s;
    tg_ledger_stats_t    st;
    tg_ledger_report_t   r;

    memset(&s, 0, sizeof(s));

    if (server_ledger(&s, a->ledger, a->lock ? SERVER_CHANGE : SERVER_VIEW)
        && check(&s, &r))
    {
        tg_ledger_stats(&s.desk.ledger.ledger, &st);
        rc = mistakes(&r) != 0;

        const count_t  counts[] = {
            { "entries", r.entries }, { "entries_max", st.entries },
            { "entries_invented", st.entries_invented },
            { "slots", r.open + r.final }, { "slots_max", st.slots },
            { "calls_open", r.open }, { "lines_to_write", r.final },
            { "recoveries", st.recoveries }, { "replays", st.replays },
            { "swept", st.swept }, { "full", st.full }, { "busy", st.busy },
            { "evicted", st.evicted },
            { "bad_held", r.bad_held }, { "bad_open", r.bad_open },
            { "bad_chain", r.bad_chain }, { "bad_free", r.bad_free },
            { "bad_slot", r.bad_slot }, { "bad_entry", r.bad_entry },
            { "bad_count", r.bad_count },
            { "bad_pending", r.bad_pending },
            { "negative", r.negative }, { "broken", r.broken }
        };

        print_counts(counts, sizeof(counts) / sizeof(counts[0]), a->json,
                     rc == 0);

        if (rc != 0 && !a->lock) {
            fprintf(stderr, "llmctl: as it was looked at while in use, if it"
                    " is: --lock makes sure\n");
        }
    }

    server_close(&s);

    return rc;
}


static void
share_json(json_t *o, const tg_ledger_share_t *f)
{
    (void) json_object_set_new(o, "slice", json_integer(f->slice));
    (void) json_object_set_new(o, "asked_for", json_integer(f->pending));
    (void) json_object_set_new(o, "on_record", json_integer(f->mine));
    (void) json_object_set_new(o, "told", json_integer(f->told));
    (void) json_object_set_new(o, "others_used",
                               json_integer(f->others_used));
    (void) json_object_set_new(o, "others_held",
                               json_integer(f->others_owned));
    (void) json_object_set_new(o, "untold", json_boolean(!f->clean));
}


/* share NULL: of no fleet. */
static json_t *
entry_json(const tg_ledger_entry_t *e, const row_t *row,
    const tg_ledger_share_t *share)
{
    char     hex[2 * TG_LEDGER_KEY + 1], limit[LIMIT_SIZE];
    json_t  *o = json_object();

    for (int i = 0; i < TG_LEDGER_KEY; i++) {
        (void) snprintf(hex + 2 * i, 3, "%02x", e->key[i]);
    }

    (void) json_object_set_new(o, "key", json_string(hex));

    if (row != NULL) {
        (void) json_object_set_new(o, "quota",
                                   json_stringn(row->quota->name.p,
                                                row->quota->name.len));
        (void) json_object_set_new(o, "subject", json_string(row->subject.p));
        (void) json_object_set_new(o, "limit",
                                   json_string(row_limit(limit, row->limit)));
    }

    (void) json_object_set_new(o, "window", when_json(e->window));
    (void) json_object_set_new(o, "reset", when_json(e->reset));
    (void) json_object_set_new(o, "used", json_integer(e->used));
    (void) json_object_set_new(o, "held", json_integer(e->held));
    (void) json_object_set_new(o, "before_used", json_integer(e->before_used));
    (void) json_object_set_new(o, "before_held", json_integer(e->before_held));
    (void) json_object_set_new(o, "cap", json_integer(e->cap));
    (void) json_object_set_new(o, "stop", json_integer(e->limit));
    (void) json_object_set_new(o, "raise", json_integer(e->raise));
    (void) json_object_set_new(o, "raise_until", e->raise == 0 ? json_null()
                                                 : when_json(e->raise_until));
    (void) json_object_set_new(o, "open", json_integer(e->open));
    (void) json_object_set_new(o, "latched", json_boolean(e->latched));
    (void) json_object_set_new(o, "reserved", json_boolean(e->reserved));
    (void) json_object_set_new(o, "concurrent", json_boolean(e->concurrent));

    if (share != NULL) {
        share_json(o, share);
    }

    return o;
}


static void
dump_text(const tg_ledger_entry_t *e, const row_t *row,
    const tg_ledger_share_t *share)
{
    char          limit[LIMIT_SIZE], used[AMOUNT_SIZE], held[AMOUNT_SIZE];
    tg_measure_t  measure = row == NULL ? TG_MEASURE_REQUESTS
                                        : row->limit->measure;

    for (int i = 0; i < TG_LEDGER_KEY; i++) {
        printf("%02x", e->key[i]);
    }

    printf("  used %s, held %s, %u open%s%s",
           amount_text(used, measure, e->used),
           amount_text(held, measure, e->held), e->open,
           e->latched ? ", latched" : "", e->reserved ? ", reserved" : "");

    if (share != NULL) {
        printf(", slice %s", amount_text(used, measure, share->slice));
        printf(", others used %s",
               amount_text(used, measure, share->others_used));
        printf(", hold %s%s", amount_text(used, measure, share->others_owned),
               share->clean ? "" : ", untold");
    }

    if (row != NULL) {
        printf("  %.*s of %s, %s", (int) row->quota->name.len,
               row->quota->name.p, row->subject.p,
               row_limit(limit, row->limit));
    }

    printf("\n");
}


/* Each entry by itself: a dump may be large. */
static void
dump(const rows_t *rows, bool json)
{
    uint32_t            i = 0;
    json_t             *o;
    const row_t        *row;
    const tg_ledger_t  *led = &rows->server->desk.ledger.ledger;
    tg_ledger_entry_t   e;
    tg_ledger_share_t   share, *of;

    while (tg_ledger_each(led, &i, &e)) {
        row = rows_find(rows, e.key);
        of = tg_ledger_fleet_read(led, e.key, &share) == TG_LEDGER_OK ? &share
                                                                      : NULL;

        if (!json) {
            dump_text(&e, row, of);
            continue;
        }

        o = entry_json(&e, row, of);
        (void) json_dumpf(o, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(o);
    }
}


static int
ledger_dump(const ledger_args_t *a)
{
    bool      named;
    rows_t    rows;
    server_t  s;

    memset(&s, 0, sizeof(s));
    rows_init(&rows, &s, now_ms());
    named = server_open(&s, a->ledger, SERVER_VIEW) && rows_all(&rows);

    if (!named) {
        rows_free(&rows);
        server_close(&s);
        fprintf(stderr, "llmctl: so there are no names\n");

        if (!server_ledger(&s, a->ledger, SERVER_VIEW)) {
            server_close(&s);
            return 1;
        }

        rows_init(&rows, &s, now_ms());
    }

    dump(&rows, a->json);
    rows_free(&rows);
    server_close(&s);

    return 0;
}


int
ledger_command(int argc, char **argv)
{
    int            at;
    bool           is_check = argc >= 1 && strcmp(argv[0], "check") == 0;
    ledger_args_t  a = { NULL, false, false };

    const option_t  options[] = {
        { "ledger", &a.ledger, NULL }, { "json", NULL, &a.json },
        { "lock", NULL, &a.lock }, { NULL, NULL, NULL }
    };

    if (argc >= 1 && strcmp(argv[0], "help") == 0) {
        return ledger_usage(stdout);
    }

    if (!is_check && (argc < 1 || strcmp(argv[0], "dump") != 0)) {
        return ledger_usage(stderr);
    }

    at = options_read(argc, argv, options);

    if (at != argc || (a.lock && !is_check)) {
        return ledger_usage(stderr);
    }

    return options_done("ledger", is_check ? ledger_check(&a)
                                           : ledger_dump(&a));
}
