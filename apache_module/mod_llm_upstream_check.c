#include "mod_llm_upstream_check.h"

#include "tg_dcgm.h"

#include <stdlib.h>

#define LLM_UP_HEALTH_MAX  1024         /* bytes of a health page that count */
#define LLM_UP_HEALTH_END  65536        /* of which no more is read */
#define LLM_UP_WAKES       40           /* of an interval, at most */
#define LLM_UP_PAGE        "text/plain; version=0.0.4"

typedef enum {
    LLM_UP_HEALTH = 0,
    LLM_UP_METRICS,
    LLM_UP_DCGM
} llm_up_kind_t;

struct llm_up_check_s {
    llm_up_kind_t          kind;
    llm_up_group_t        *group;
    llm_up_member_t       *member;      /* NULL: an exporter, of several */
    const tg_dcgm_conf_t  *dcgm;
    llm_up_fetch_t         fetch;
    uint64_t               random;
    int64_t                due;         /* INT64_MAX: under way, or never */
    int64_t                began;
    apr_time_t             wall;        /* the same */
    size_t                 got;
    bool                   bad;
    char                   text[LLM_UP_HEALTH_MAX];
    union {
        tg_engine_read_t   engine;
        tg_dcgm_read_t     dcgm;
    } page;
};


static const tg_check_conf_t *
llm_up_check_conf(const llm_up_check_t *c)
{
    return &c->group->conf.check;
}


/* After the interval, give or take jitter=; and so that the thread wakes up
 * once for several of many servers. */
static int64_t
llm_up_check_next(llm_up_check_t *c, int64_t last)
{
    int64_t                 interval, range, due;
    const tg_check_conf_t  *cc = llm_up_check_conf(c);

    if (c->kind == LLM_UP_DCGM) {
        return last + (int64_t) c->dcgm->interval * 1000000;
    }

    interval = (int64_t) cc->interval * 1000000;
    range = interval / 100 * cc->jitter;

    c->random = c->random * UINT64_C(6364136223846793005)
                + UINT64_C(1442695040888963407);

    due = last + interval - range
          + (int64_t) ((c->random >> 24) % (uint64_t) (2 * range + 1));

    return due - due % (interval / LLM_UP_WAKES);
}


static bool
llm_up_check_body(void *data, const char *p, size_t n)
{
    size_t           part;
    llm_up_check_t  *c = data;

    switch (c->kind) {

    case LLM_UP_METRICS:
        c->bad |= tg_engine_feed(&c->page.engine, p, n) != TG_OK;
        return !c->bad;

    case LLM_UP_DCGM:
        c->bad |= tg_dcgm_feed(&c->page.dcgm, p, n) != TG_OK;
        return !c->bad;

    default:
        break;
    }

    if (c->got < sizeof(c->text)) {
        part = sizeof(c->text) - c->got < n ? sizeof(c->text) - c->got : n;
        memcpy(c->text + c->got, p, part);
    }

    c->got += n;

    return c->got < LLM_UP_HEALTH_END;
}


static bool
llm_up_check_open(llm_up_check_t *c, llm_up_fetch_conf_t *fc, int64_t last,
    int64_t now)
{
    fc->body = llm_up_check_body;
    fc->data = c;

    c->random = (uint64_t) now ^ (uint64_t) (uintptr_t) c;
    c->due = last == 0 ? now : llm_up_check_next(c, last);

    return llm_up_fetch_open(&c->fetch, fc);
}


/* A page of a server, on its own port or another one. */
static bool
llm_up_check_server(llm_up_check_t *c, apr_pool_t *p, tg_str_t path,
    uint16_t other_port, int64_t last, int64_t now)
{
    bool                    tls;
    uint16_t                port;
    const char             *at;
    llm_up_fetch_conf_t     fc = { 0 };
    const tg_check_conf_t  *cc = llm_up_check_conf(c);
    const llm_up_member_t  *m = c->member;

    tls = cc->tls || m->https;
    port = other_port != 0 ? other_port : m->port;
    at = apr_psprintf(p, "%s:%u", m->host, (unsigned) port);

    fc.host = cc->host.len != 0 ? apr_pstrmemdup(p, cc->host.p, cc->host.len)
                                : at;
    fc.url = apr_psprintf(p, "%s://%s%.*s", tls ? "https" : "http", fc.host,
                          (int) path.len, path.p);
    fc.connect = cc->host.len != 0 ? at : NULL;
    fc.socket = other_port == 0 ? m->socket : NULL;
    fc.address = tls ? NULL : m->host;
    fc.port = port;
    fc.path = path;
    fc.accept = c->kind == LLM_UP_METRICS ? LLM_UP_PAGE : NULL;
    fc.connect_ms = cc->connect;
    fc.timeout_ms = cc->timeout;

    return llm_up_check_open(c, &fc, last, now);
}


static bool
llm_up_check_exporter(llm_up_check_t *c, apr_pool_t *p, int64_t now)
{
    llm_up_fetch_conf_t     fc = { 0 };
    const tg_check_conf_t  *cc = llm_up_check_conf(c);

    fc.url = apr_pstrmemdup(p, c->dcgm->url.p, c->dcgm->url.len);
    fc.accept = LLM_UP_PAGE;
    fc.connect_ms = cc->connect;
    fc.timeout_ms = cc->timeout;

    return llm_up_check_open(c, &fc, 0, now);
}


/* The requests of one server: up to two. */
static bool
llm_up_check_member(llm_up_check_t *checks, unsigned *n, llm_up_member_t *m,
    apr_pool_t *p, int64_t now)
{
    llm_up_check_t            *c;
    tg_engine_pages_t          pages;
    tg_backend_view_t          view;
    const tg_backend_conf_t   *bc = m->conf;

    if (!m->group->conf.check.on) {
        return true;
    }

    tg_engine_pages(bc->type, &pages);
    tg_backend_view(llm_up_table(), m->backend, &m->group->conf.check, now,
                    &view);

    c = &checks[(*n)++];
    c->kind = LLM_UP_HEALTH;
    c->group = m->group;
    c->member = m;

    if (!llm_up_check_server(c, p, bc->health.len != 0 ? bc->health
                                   : pages.health, 0, view.checked, now))
    {
        return false;
    }

    if (bc->no_metrics || pages.metrics.len == 0) {
        return true;
    }

    c = &checks[(*n)++];
    c->kind = LLM_UP_METRICS;
    c->group = m->group;
    c->member = m;

    return llm_up_check_server(c, p, bc->metrics.len != 0 ? bc->metrics
                                     : pages.metrics,
                               bc->metrics_port != 0 ? bc->metrics_port
                               : pages.metrics_port, view.scraped, now);
}


static bool
llm_up_check_group(llm_up_check_t *checks, unsigned *n, llm_up_group_t *ug,
    apr_pool_t *p, int64_t now)
{
    int              i;
    unsigned         k;
    llm_up_check_t  *c;

    for (i = 0; i < ug->members->nelts; i++) {
        if (!llm_up_check_member(checks, n,
                                 APR_ARRAY_IDX(ug->members, i,
                                               llm_up_member_t *), p, now))
        {
            return false;
        }
    }

    for (k = 0; k < ug->conf.ndcgm; k++) {
        c = &checks[(*n)++];
        c->kind = LLM_UP_DCGM;
        c->group = ug;
        c->dcgm = ug->conf.dcgm[k];

        if (!llm_up_check_exporter(c, p, now)) {
            return false;
        }
    }

    return true;
}


llm_up_check_t *
llm_up_checks_open(unsigned *n, int64_t now)
{
    int              i;
    bool             ok = true;
    size_t           most = 0;
    apr_pool_t      *p;
    llm_up_group_t  *ug;
    llm_up_check_t  *checks;

    for (i = 0; i < llm_up_main->all->nelts; i++) {
        ug = APR_ARRAY_IDX(llm_up_main->all, i, llm_up_group_t *);
        most += 2 * (size_t) ug->members->nelts + ug->conf.ndcgm;
    }

    *n = 0;
    checks = calloc(most + 1, sizeof(llm_up_check_t));

    /* Of the process, whose pools are locked: this is a thread of ours. */

    if (checks == NULL || apr_pool_create(&p, NULL) != APR_SUCCESS) {
        free(checks);
        return NULL;
    }

    for (i = 0; i < llm_up_main->all->nelts && ok; i++) {
        ok = llm_up_check_group(checks, n,
                                APR_ARRAY_IDX(llm_up_main->all, i,
                                              llm_up_group_t *), p, now);
    }

    apr_pool_destroy(p);

    if (!ok) {
        llm_up_checks_close(checks, *n, NULL);
        return NULL;
    }

    return checks;
}


static void
llm_up_check_begin(llm_up_check_t *c)
{
    switch (c->kind) {
    case LLM_UP_METRICS:
        tg_engine_begin(&c->page.engine, c->member->conf->type);
        break;
    case LLM_UP_DCGM:
        tg_dcgm_begin(&c->page.dcgm, c->dcgm);
        break;
    default:
        break;
    }
}


int64_t
llm_up_checks_start(llm_up_check_t *checks, unsigned n,
    llm_up_fetches_t *fetches, int64_t now)
{
    int64_t          next = INT64_MAX;
    llm_up_check_t  *c;

    for (c = checks; c < checks + n; c++) {
        if (c->due <= now) {
            c->began = now;
            c->wall = apr_time_now();
            c->got = 0;
            c->bad = false;
            c->due = INT64_MAX;

            llm_up_check_begin(c);

            if (!llm_up_fetch_start(&c->fetch, fetches, now)) {
                c->due = llm_up_check_next(c, now);
            }
        }

        if (c->due < next) {
            next = c->due;
        }
    }

    return next;
}


static void
llm_up_check_health(llm_up_check_t *c, unsigned status, const char *why,
    int64_t now)
{
    size_t               n;
    char                 text[TG_BACKEND_WHY_MAX];
    tg_health_answer_t   answer = TG_HEALTH_FAILED;

    if (status != 0) {
        n = c->got < sizeof(c->text) ? c->got : sizeof(c->text);

        answer = tg_engine_health(c->member->conf->type, status,
                                  tg_str_of(c->text, n));
        apr_snprintf(text, sizeof(text), "it answers with %u", status);
        why = text;
    }

    tg_backend_checked(llm_up_table(), c->member->backend, answer,
                       answer == TG_HEALTH_FAILED ? tg_strz(why) : tg_str_null,
                       llm_up_check_conf(c), now);

    if (answer == TG_HEALTH_OK) {
        llm_up_recovered(c->member, c->wall);
    }
}


static void
llm_up_check_metrics(llm_up_check_t *c, unsigned status, int64_t now)
{
    bool               ok;
    tg_error_t         err;
    tg_engine_facts_t  facts;

    ok = status == HTTP_OK && !c->bad
         && tg_engine_end(&c->page.engine, &facts, &err) == TG_OK;

    tg_backend_scraped(llm_up_table(), c->member->backend, ok ? &facts : NULL,
                       llm_up_check_conf(c), now);
}


/* server= says whose GPUs they are, or the host does. */
static void
llm_up_check_dcgm(llm_up_check_t *c, unsigned status, int64_t now)
{
    int                      i;
    tg_error_t               err;
    tg_gpu_facts_t           facts;
    const llm_up_member_t   *m;

    if (status != HTTP_OK || c->bad
        || tg_dcgm_end(&c->page.dcgm, &facts, &err) != TG_OK)
    {
        return;
    }

    for (i = 0; i < c->group->members->nelts; i++) {
        m = APR_ARRAY_IDX(c->group->members, i, llm_up_member_t *);

        if (tg_group_conf_dcgm_of(c->dcgm, m->server)) {
            tg_backend_gpu(llm_up_table(), m->backend, &facts, now);
        }
    }
}


void
llm_up_checks_done(llm_up_fetches_t *fetches)
{
    int64_t          now;
    unsigned         status;
    const char      *why;
    llm_up_check_t  *c;

    while ((c = llm_up_fetch_done(fetches, &status, &why)) != NULL) {
        now = tg_backend_now();

        switch (c->kind) {
        case LLM_UP_HEALTH:
            llm_up_check_health(c, status, why, now);
            break;
        case LLM_UP_METRICS:
            llm_up_check_metrics(c, status, now);
            break;
        case LLM_UP_DCGM:
            llm_up_check_dcgm(c, status, now);
            break;
        }

        c->due = llm_up_check_next(c, c->began);
    }
}


void
llm_up_checks_close(llm_up_check_t *checks, unsigned n, CURLM *multi)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        llm_up_fetch_close(&checks[i].fetch, multi);
    }

    free(checks);
}
