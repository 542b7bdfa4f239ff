#include "report.h"
#include "llmctl.h"
#include "llmctl_time.h"

#include "tg_file.h"
#include "tg_mem.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ZONES      "/usr/share/zoneinfo/"
#define ZONE_SIZE  (1024 * 1024)
#define MEMORY     (4 * 1024 * 1024)    /* for zones and words */
#define MEMORY_MAX 16384                /* MB, --memory= */
#define COMMON     9

/* What was given. */
typedef struct {
    const char  *since, *until, *zone, *by, *top, *format, *output,
                *memory;
    bool         quiet;
} given_t;

typedef struct {
    report_options_t  *o;
    tg_mem_t          *mem;
    const option_t    *own;
    given_t            given;
} parse_t;


static bool
bad(const char *option, const char *value, const char *why)
{
    char  what[300];

    (void) snprintf(what, sizeof(what), "--%s=%s", option, value);

    return failed(what, why);
}


static bool
parse_zone(parse_t *p)
{
    char         path[256];
    tg_zone_t   *zone;
    tg_str_t     text;
    tg_error_t   err;
    const char  *name = p->given.zone;

    if (name == NULL || strcmp(name, "UTC") == 0) {
        return true;
    }

    if (*name == '/' || strstr(name, "..") != NULL) {
        return bad("zone", name, "is not the name of a time zone");
    }

    (void) snprintf(path, sizeof(path), ZONES "%s", name);

    if (tg_file_read(path, ZONE_SIZE, false, &text, &err) != TG_OK) {
        return bad("zone", name, err.message);
    }

    if (tg_zone_parse(p->mem, text, &zone, &err) != TG_OK) {
        free((char *) text.p);
        return bad("zone", name, err.message);
    }

    free((char *) text.p);
    p->o->reader.zone = zone;

    return true;
}


static bool
parse_time(parse_t *p, const char *option, const char *value, int64_t *t)
{
    int64_t  now = (int64_t) time(NULL) * 1000;

    if (value == NULL) {
        return true;
    }

    *t = when_past(value, p->o->reader.zone, now);

    return *t >= 0
           || bad(option, value, "is no time: 2026-11-01, 2026-11-01T09:00,"
                                 " 7d, today, yesterday, month, last-month");
}


static bool
parse_by(parse_t *p)
{
    bool               more;
    tg_str_t           list, word;
    const char        *name;
    dimension_t       *d;
    report_options_t  *o = p->o;

    if (p->given.by == NULL) {
        return true;
    }

    list = tg_strz(p->given.by);

    do {
        more = tg_str_cut(&list, ',', &word);
        name = tg_dupz(p->mem, word);

        if (o->nby == DIMENSIONS_MAX) {
            return bad("by", p->given.by, "has too many dimensions");
        }

        d = &o->by[o->nby++];

        if (name == NULL || !dimension_parse(d, name)) {
            return bad("by", name == NULL ? "" : name, "is no dimension");
        }

        dimension_want(d, &o->reader.want);
    } while (more);

    return true;
}


/* dimension=value or dimension!=value */
static bool
parse_where(parse_t *p, tg_str_t word)
{
    char              *name = tg_dupz(p->mem, word), *is;
    reader_options_t  *r = &p->o->reader;

    is = name == NULL ? NULL : strchr(name, '=');

    if (is == NULL || is == name) {
        return bad("where", name == NULL ? "" : name,
                   "is not DIMENSION=VALUE or DIMENSION!=VALUE");
    }

    if (r->nwhere == sizeof(r->where) / sizeof(r->where[0])) {
        return bad("where", name, "is one too many");
    }

    r->where[r->nwhere].value = tg_strz(is + 1);
    r->where[r->nwhere].not = is[-1] == '!';
    is[r->where[r->nwhere].not ? -1 : 0] = '\0';

    if (!dimension_parse(&r->where[r->nwhere].dimension, name)) {
        return bad("where", name, "is no dimension");
    }

    r->nwhere++;

    return true;
}


static bool
parse_wheres(parse_t *p, const char *given)
{
    bool      more;
    tg_str_t  list = tg_strz(given), word;

    do {
        more = tg_str_cut(&list, ',', &word);

        if (!parse_where(p, word)) {
            return false;
        }
    } while (more);

    return true;
}


static bool
parse_format(parse_t *p, const char *const *more)
{
    static const char *const  words[] = {
        [TABLE_TEXT] = "table", [TABLE_CSV] = "csv", [TABLE_JSON] = "json"
    };

    const char  *word = p->given.format;

    p->o->format_word = word;

    if (word == NULL) {
        return true;
    }

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], word) == 0) {
            p->o->format = (table_format_t) i;
            return true;
        }
    }

    for ( /* void */ ; more != NULL && *more != NULL; more++) {
        if (strcmp(*more, word) == 0) {
            return true;
        }
    }

    return bad("format", word, "is not known here");
}


static bool
parse_top(parse_t *p)
{
    int64_t  n;

    if (p->given.top == NULL) {
        return true;
    }

    n = tg_str_int(tg_strz(p->given.top));

    if (n < 0 || n > 1000000000) {
        return bad("top", p->given.top, "is no number of rows");
    }

    p->o->top = (unsigned) n;

    return true;
}


static bool
parse_memory(parse_t *p)
{
    int64_t  n;

    if (p->given.memory == NULL) {
        return true;
    }

    n = tg_str_int(tg_strz(p->given.memory));

    if (n < 1 || n > MEMORY_MAX) {
        return bad("memory", p->given.memory, "is no number of megabytes");
    }

    p->o->rows_memory = (size_t) n * 1024 * 1024;

    return true;
}


/* The words' index; -1 with a message said. */
static int
parse_words(parse_t *p, int argc, char **argv)
{
    int          opt, which = 0, n;
    given_t     *g = &p->given;
    option_t     all[OPTIONS_MAX + COMMON + 1] = {
        { "since", &g->since, NULL }, { "until", &g->until, NULL },
        { "zone", &g->zone, NULL }, { "by", &g->by, NULL },
        { "top", &g->top, NULL }, { "format", &g->format, NULL },
        { "output", &g->output, NULL }, { "quiet", NULL, &g->quiet },
        { "memory", &g->memory, NULL }
    };
    struct option  table[OPTIONS_MAX + COMMON + 2];

    memset(table, 0, sizeof(table));

    for (n = COMMON; p->own != NULL && p->own[n - COMMON].name != NULL
         && n < OPTIONS_MAX + COMMON; n++)
    {
        all[n] = p->own[n - COMMON];
    }

    for (int i = 0; i < n; i++) {
        table[i].name = all[i].name;
        table[i].has_arg = all[i].text != NULL ? required_argument
                                               : no_argument;
    }

    table[n].name = "where";
    table[n].has_arg = required_argument;

    while ((opt = getopt_long(argc, argv, "", table, &which)) != -1) {
        if (opt == '?') {
            return -1;
        }

        if (which == n) {
            if (!parse_wheres(p, optarg)) {
                return -1;
            }

        } else if (all[which].text != NULL) {
            *all[which].text = optarg;

        } else {
            *all[which].flag = true;
        }
    }

    return optind;
}


bool
report_options(report_options_t *o, int argc, char **argv,
    const option_t *own, const char *const *more)
{
    int          first;
    parse_t      p;
    tg_arena_t  *arena = tg_arena_create(MEMORY);

    memset(o, 0, sizeof(*o));
    memset(&p, 0, sizeof(p));

    if (arena == NULL) {
        return failed("report", "there is not enough memory");
    }

    o->memory = arena;
    o->reader.kinds = READER_CALLS;
    o->reader.since = INT64_MIN;
    o->reader.until = INT64_MAX;
    p.o = o;
    p.mem = tg_arena_mem(arena);
    p.own = own;

    first = parse_words(&p, argc, argv);

    if (first < 0 || !parse_zone(&p)
        || !parse_time(&p, "since", p.given.since, &o->reader.since)
        || !parse_time(&p, "until", p.given.until, &o->reader.until)
        || !parse_by(&p) || !parse_format(&p, more) || !parse_top(&p)
        || !parse_memory(&p))
    {
        report_options_free(o);
        return false;
    }

    if (o->reader.since >= o->reader.until) {
        report_options_free(o);
        return bad("until", p.given.until, "is not after --since=");
    }

    o->output = p.given.output;
    o->quiet = p.given.quiet;
    o->reader.progress = !o->quiet && isatty(STDERR_FILENO);
    o->files = argv + first;
    o->nfiles = argc - first;

    if (o->nfiles == 0) {
        report_options_free(o);
        return failed(argv[0], "which files? - is stdin");
    }

    return true;
}


void
report_options_free(report_options_t *o)
{
    tg_arena_destroy(o->memory);
    o->memory = NULL;
}
