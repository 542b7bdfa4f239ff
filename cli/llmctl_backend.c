#define _GNU_SOURCE

#include "llmctl.h"
#include "llmctl_options.h"

#include "tg_backend_map.h"
#include "tg_backend_status.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STATE_DEFAULT  "/var/lib/tollgate/backends"

/* A status page that is longer is none of ours. */
#define STATUS_MAX     (64 * 1024 * 1024)

#define COLUMNS        13
#define CELL           48
#define ROWS           (TG_BACKENDS_MAX + 1)

typedef struct {
    const char  *state;
    const char  *upstream;
    const char  *server;        /* NULL: all */
    bool         json;
} backend_args_t;

typedef struct {
    char    *p;
    size_t   len, size;
} page_t;

/* Columns, the widest of each. */
typedef struct {
    unsigned  rows;
    int       width[COLUMNS];
    char      cell[ROWS][COLUMNS][CELL];
} table_t;


static int
backend_usage(FILE *to)
{
    fprintf(to, "usage:\n"
            "  llmctl backend status [SERVER] [--upstream=NAME] [--json]"
            " [--state=FILE]\n"
            "      servers of upstreams: state, load, where their hours went,"
            " and what\n      their tokens cost\n"
            "  llmctl backend drain SERVER [--upstream=NAME] [--state=FILE]\n"
            "      gives it no more calls; those that it has go on\n"
            "  llmctl backend resume SERVER [--upstream=NAME] [--state=FILE]\n"
            "      gives it calls again\n"
            "The file is that of llm_upstream_state (LLMUpstreamState), "
            STATE_DEFAULT "\nby default. Without --upstream a server is meant"
            " in each upstream that has it.\n");

    return to == stderr ? 2 : 0;
}


static int
page_out(void *data, const char *p, size_t n)
{
    char    *more;
    size_t   size;
    page_t  *page = data;

    if (page->len + n > page->size) {
        size = page->size == 0 ? 65536 : 2 * page->size;
        more = size > STATUS_MAX ? NULL : realloc(page->p, size);

        if (more == NULL) {
            return -1;
        }

        page->p = more;
        page->size = size;
    }

    memcpy(page->p + page->len, p, n);
    page->len += n;

    return 0;
}


/* As the status location has it; false with a message said. */
static bool
page_read(tg_backends_t *t, page_t *page)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return tg_backend_status(t, NULL, 0, TG_STATUS_JSON, tg_backend_now(),
                             (int64_t) ts.tv_sec * 1000
                             + ts.tv_nsec / 1000000, page_out, page) == TG_OK
           || failed("backend", "out of memory");
}


static const char *
text_of(const json_t *o, const char *name)
{
    const char  *s = json_string_value(json_object_get(o, name));

    return s == NULL ? "" : s;
}


/* Leaves what was asked for; false: that is nothing. */
static bool
status_choose(json_t *root, const backend_args_t *a)
{
    size_t   i, k;
    json_t  *groups = json_object_get(root, "upstreams"), *servers;
    bool     any = false;

    for (i = json_array_size(groups); i-- > 0; ) {
        servers = json_object_get(json_array_get(groups, i), "servers");

        for (k = json_array_size(servers); a->server != NULL && k-- > 0; ) {
            if (strcmp(text_of(json_array_get(servers, k), "server"),
                       a->server) != 0)
            {
                (void) json_array_remove(servers, k);
            }
        }

        if (json_array_size(servers) == 0
            || (a->upstream != NULL
                && strcmp(text_of(json_array_get(groups, i), "upstream"),
                          a->upstream) != 0))
        {
            (void) json_array_remove(groups, i);
        } else {
            any = true;
        }
    }

    return any;
}


/* "-": not known. */
static void
number(char *cell, const json_t *o, const char *group, const char *name,
    double unit, int decimals, const char *behind)
{
    const json_t  *v = json_object_get(json_object_get(o, group), name);

    if (json_is_number(v)) {
        (void) snprintf(cell, CELL, "%.*f%s", decimals,
                        json_number_value(v) / unit, behind);
    } else {
        (void) snprintf(cell, CELL, "-");
    }
}


static void
state_cell(char *cell, const json_t *o)
{
    const char  *drained = text_of(o, "drained");

    (void) snprintf(cell, CELL, "%s%s%s%s", text_of(o, "state"),
                    json_is_true(json_object_get(o, "ejected")) ? ", ejected"
                                                                : "",
                    *drained == '\0' ? "" : strcmp(drained, "idle") == 0
                    ? ", drained: idle" : ", drained",
                    json_is_true(json_object_get(o, "configured")) ? ""
                    : ", removed");
}


/* What the model of instead_of= would have cost, of a million tokens. */
static void
instead_cell(char *cell, const json_t *o)
{
    double  usd, tokens;

    usd = json_number_value(json_object_get(json_object_get(o, "usd"),
                                            "instead"));
    o = json_object_get(o, "tokens");
    tokens = json_number_value(json_object_get(o, "prompt"))
             + json_number_value(json_object_get(o, "output"));

    if (usd > 0 && tokens > 0) {
        (void) snprintf(cell, CELL, "%.4f", 1e6 * usd / tokens);
    } else {
        (void) snprintf(cell, CELL, "-");
    }
}


static void
server_row(char cell[COLUMNS][CELL], const json_t *o)
{
    (void) snprintf(cell[0], CELL, "%.*s", CELL - 1, text_of(o, "server"));
    state_cell(cell[1], o);
    number(cell[2], o, "calls", "in_flight", 1, 0, "");
    number(cell[3], o, "load", "waiting", 1, 0, "");
    number(cell[4], o, "load", "kv_cache", 0.01, 0, "%");
    number(cell[5], o, "load", "output_tokens_per_second", 1, 0, "");
    number(cell[6], o, "gpu_seconds", "busy", 3600, 2, "");
    number(cell[7], o, "gpu_seconds", "idle", 3600, 2, "");
    number(cell[8], o, "gpu_seconds", "unhealthy", 3600, 2, "");
    number(cell[9], o, "gpu_seconds", "sleeping", 3600, 2, "");
    number(cell[10], o, "usd", "per_hour", 1, 2, "");
    number(cell[11], o, "usd", "per_million_tokens", 1, 4, "");
    instead_cell(cell[12], o);
}


static void
table_print(table_t *t)
{
    int  n;

    for (unsigned i = 0; i < t->rows; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            n = (int) strlen(t->cell[i][k]);
            t->width[k] = n > t->width[k] ? n : t->width[k];
        }
    }

    for (unsigned i = 0; i < t->rows; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            printf(k < 2 ? "%s%-*s" : "%s%*s", k == 0 ? "  " : "  ",
                   t->width[k], t->cell[i][k]);
        }
        printf("\n");
    }
}


static void
group_print(const json_t *group, table_t *t)
{
    static const char *const  head[COLUMNS] = {
        "SERVER", "STATE", "CALLS", "QUEUE", "KV", "TOKENS/S", "BUSY h",
        "IDLE h", "UNHEALTHY h", "SLEEPING h", "$/h", "$/M TOKENS", "CLOUD"
    };

    size_t         i;
    const json_t  *o, *servers = json_object_get(group, "servers");

    memset(t, 0, sizeof(*t));

    for (int k = 0; k < COLUMNS; k++) {
        (void) snprintf(t->cell[0][k], CELL, "%s", head[k]);
    }

    t->rows = 1;

    json_array_foreach(servers, i, o) {
        if (t->rows < ROWS) {
            server_row(t->cell[t->rows++], o);
        }
    }

    printf("upstream %s: %s, %s, %.0f%% full\n", text_of(group, "upstream"),
           json_is_true(json_object_get(group, "healthy")) ? "healthy"
                                                           : "NOT HEALTHY",
           json_is_true(json_object_get(group, "saturated")) ? "saturated"
                                                             : "has room",
           100 * json_number_value(json_object_get(group, "saturation")));
    table_print(t);

    json_array_foreach(servers, i, o) {
        if (*text_of(o, "why") != '\0'
            && strcmp(text_of(o, "state"), "up") != 0)
        {
            printf("  %s: %s since %s: %s\n", text_of(o, "server"),
                   text_of(o, "state"), text_of(o, "since"),
                   text_of(o, "why"));
        }
    }
}


static int
status_print(const json_t *root)
{
    size_t         i;
    table_t       *t = malloc(sizeof(*t));
    const json_t  *group;

    if (t == NULL) {
        return fail("backend", "out of memory");
    }

    if (!json_is_true(json_object_get(root, "watched"))) {
        printf("Nobody has looked after these since %s: is the server"
               " running?\n\n", text_of(root, "watched_until"));
    }

    json_array_foreach(json_object_get(root, "upstreams"), i, group) {
        printf("%s", i == 0 ? "" : "\n");
        group_print(group, t);
    }

    free(t);

    return 0;
}


/* All of it as it came, so that no fraction is rounded. */
static int
page_print(const page_t *page, const backend_args_t *a)
{
    int            rc = 0;
    bool           part = a->server != NULL || a->upstream != NULL;
    json_t        *root;
    json_error_t   err;

    if (a->json && !part) {
        (void) fwrite(page->p, 1, page->len, stdout);
        return 0;
    }

    root = json_loadb(page->p, page->len, 0, &err);

    if (root == NULL) {
        return fail("backend", err.text);
    }

    if (!status_choose(root, a) && part) {
        rc = fail(a->server != NULL ? a->server : a->upstream, "is not there:"
                  " llmctl backend status");

    } else if (a->json) {
        (void) json_dumpf(root, stdout, JSON_INDENT(2)
                                        | JSON_REAL_PRECISION(15));
        printf("\n");

    } else {
        rc = status_print(root);
    }

    json_decref(root);

    return rc;
}


static int
backend_status(tg_backends_t *t, const backend_args_t *a)
{
    int     rc;
    page_t  page = { NULL, 0, 0 };

    rc = page_read(t, &page) ? page_print(&page, a) : 1;
    free(page.p);

    return rc;
}


static int
backend_drain(tg_backends_t *t, const backend_args_t *a, tg_drain_t drain)
{
    unsigned       n = 0;
    tg_group_t    *g;
    tg_backend_t  *b;
    tg_str_t       name;

    for (unsigned i = 0; (g = tg_backends_group_at(t, i)) != NULL; i++) {
        name = tg_group_name(g);

        if (a->upstream != NULL && !tg_str_eq(name, tg_strz(a->upstream))) {
            continue;
        }

        b = tg_backends_find(t, g, tg_strz(a->server));

        if (b != NULL) {
            tg_backend_drain(t, b, drain, tg_backend_now());
            printf("%s of upstream %.*s %s\n", a->server, (int) name.len,
                   name.p, drain == TG_DRAIN_NONE ? "gets calls again"
                           : "gets no more calls");
            n++;
        }
    }

    return n != 0 ? 0 : fail(a->server, "is not there: llmctl backend status");
}


static int
backend_run(const char *verb, const backend_args_t *a)
{
    int               rc;
    bool              look = strcmp(verb, "status") == 0;
    char             *path = realpath(a->state, NULL);
    tg_error_t        err;
    tg_backend_map_t  m;

    if (path == NULL) {
        return fail(a->state, strerror(errno));
    }

    rc = tg_backend_map_inspect(&m, path, !look, &err);
    free(path);

    if (rc != TG_OK) {
        return fail(a->state, err.message);
    }

    rc = look ? backend_status(m.table, a)
         : backend_drain(m.table, a, strcmp(verb, "drain") == 0
                                     ? TG_DRAIN_ADMIN : TG_DRAIN_NONE);
    tg_backend_map_close(&m);

    return rc;
}


int
backend_command(int argc, char **argv)
{
    int             at;
    bool            look = argc >= 1 && strcmp(argv[0], "status") == 0;
    backend_args_t  a = { STATE_DEFAULT, NULL, NULL, false };

    const option_t  options[] = {
        { "state", &a.state, NULL }, { "upstream", &a.upstream, NULL },
        { "json", NULL, &a.json }, { NULL, NULL, NULL }
    };

    if (argc >= 1 && strcmp(argv[0], "help") == 0) {
        return backend_usage(stdout);
    }

    if (!look && (argc < 1 || (strcmp(argv[0], "drain") != 0
                               && strcmp(argv[0], "resume") != 0)))
    {
        return backend_usage(stderr);
    }

    at = options_read(argc, argv, options);

    if (at < 0 || argc - at > 1 || (!look && (argc - at != 1 || a.json))) {
        return backend_usage(stderr);
    }

    a.server = argc - at == 1 ? argv[at] : NULL;

    return options_done("backend", backend_run(argv[0], &a));
}
