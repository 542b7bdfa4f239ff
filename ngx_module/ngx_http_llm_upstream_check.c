#include "ngx_http_llm_upstream.h"

/*
 * Checks are one process' at a time: who has the lease of the table.  Each
 * process asks for it in a timer that does not keep it from leaving.  Each
 * server has two timers, of its health page and of its metrics.
 */

#define NGX_HTTP_LLM_TICK   (TG_TICK_NS / 1000000)
#define NGX_HTTP_LLM_SWEEP  1000
#define NGX_HTTP_LLM_BODY   1024        /* of a health page */

typedef struct {
    ngx_event_t                         timer;
    ngx_http_llm_probe_t                probe;
} ngx_http_llm_job_t;

struct ngx_http_llm_checks_s {
    ngx_http_llm_backend_t             *backend;
    ngx_http_llm_upstream_main_conf_t  *lumcf;
    ngx_http_llm_job_t                  health;
    ngx_http_llm_job_t                  metrics;
    ngx_sockaddr_t                      sockaddr;       /* of its metrics */
    tg_engine_read_t                   *reading;
    tg_backend_state_t                  state;          /* as it was logged */
    size_t                              held;
    char                                body[NGX_HTTP_LLM_BODY];
};


/* With checks of many servers the process wakes up once for several. */
static void
ngx_http_llm_job_again(ngx_http_llm_job_t *job, const tg_check_conf_t *cc)
{
    ngx_msec_t  wait, spread = (ngx_msec_t) cc->interval * cc->jitter / 100;

    wait = cc->interval - spread
           + (ngx_msec_t) ngx_random() % (2 * spread + 1);

    wait -= (ngx_current_msec + wait) % ngx_max(cc->interval / 40, 1);

    ngx_add_timer(&job->timer, wait);
}


/* The first time: soon, and not all at once. */
static void
ngx_http_llm_job_first(ngx_http_llm_job_t *job, void (*handler)(ngx_event_t *),
    void *data, ngx_msec_t within)
{
    job->timer.handler = handler;
    job->timer.data = data;
    job->timer.log = job->probe.log;
    job->timer.cancelable = 1;

    ngx_add_timer(&job->timer, (ngx_msec_t) ngx_random() % (within + 1));
}


static void
ngx_http_llm_job_stop(ngx_http_llm_job_t *job)
{
    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    ngx_http_llm_probe_free(&job->probe);
}


/* A line where the state is another one than that of the last line. */
static void
ngx_http_llm_checks_log(ngx_http_llm_checks_t *ch)
{
    tg_str_t                 state;
    ngx_uint_t               level;
    tg_backend_view_t        view;
    ngx_http_llm_backend_t  *b = ch->backend;

    tg_backend_view(ch->lumcf->map->table, b->backend, &b->group->gc.check,
                    tg_backend_now(), &view);

    if (view.state == ch->state) {
        return;
    }

    ch->state = view.state;
    level = view.state == TG_BACKEND_DOWN || view.state == TG_BACKEND_STALLED
            ? NGX_LOG_WARN : NGX_LOG_NOTICE;
    state = tg_backend_state_name(view.state);

    ngx_log_error(level, ngx_cycle->log, 0,
                  "llm: server %V of upstream \"%V\" is %*s%s%s", &b->name,
                  &b->group->us->host, state.len, state.p,
                  view.why[0] != '\0' ? ": " : "", view.why);
}


static int
ngx_http_llm_health_body(void *data, const char *p, size_t n)
{
    ngx_http_llm_checks_t  *ch = data;

    n = ngx_min(n, sizeof(ch->body) - ch->held);
    ngx_memcpy(ch->body + ch->held, p, n);
    ch->held += n;

    return 0;
}


static void
ngx_http_llm_health_done(ngx_http_llm_probe_t *p, ngx_http_llm_probed_t how,
    const char *why)
{
    u_char                  *last, text[sizeof("it answers with 000")];
    tg_health_answer_t       answer = TG_HEALTH_FAILED;
    ngx_http_llm_checks_t   *ch = p->data;
    ngx_http_llm_backend_t  *b = ch->backend;

    if (how == NGX_HTTP_LLM_UNASKED) {
        return;
    }

    if (how == NGX_HTTP_LLM_ANSWERED) {
        answer = tg_engine_health(b->bc->type, (unsigned) p->status,
                                  tg_str_of(ch->body, ch->held));

        last = ngx_snprintf(text, sizeof(text) - 1, "it answers with %ui",
                            p->status);
        *last = '\0';
        why = (char *) text;
    }

    tg_backend_checked(ch->lumcf->map->table, b->backend, answer,
                       tg_strz(answer == TG_HEALTH_OK ? "" : why),
                       &b->group->gc.check, tg_backend_now());

    ngx_http_llm_checks_log(ch);
}


static void
ngx_http_llm_health_timer(ngx_event_t *ev)
{
    ngx_http_llm_checks_t  *ch = ev->data;

    ngx_http_llm_job_again(&ch->health, &ch->backend->group->gc.check);

    if (ch->health.probe.reader == NULL) {
        ch->held = 0;
        ngx_http_llm_probe_start(&ch->health.probe);
    }
}


static int
ngx_http_llm_metrics_body(void *data, const char *p, size_t n)
{
    ngx_http_llm_checks_t  *ch = data;

    return tg_engine_feed(ch->reading, p, n) == TG_OK ? 0 : -1;
}


static void
ngx_http_llm_metrics_done(ngx_http_llm_probe_t *p, ngx_http_llm_probed_t how,
    const char *why)
{
    tg_error_t                err;
    tg_engine_facts_t         facts;
    ngx_http_llm_checks_t    *ch = p->data;
    const tg_engine_facts_t  *known = NULL;

    if (how == NGX_HTTP_LLM_ANSWERED && p->status == NGX_HTTP_OK
        && tg_engine_end(ch->reading, &facts, &err) == TG_OK)
    {
        known = &facts;
    }

    ngx_free(ch->reading);
    ch->reading = NULL;

    if (how != NGX_HTTP_LLM_UNASKED) {
        tg_backend_scraped(ch->lumcf->map->table, ch->backend->backend, known,
                           &ch->backend->group->gc.check, tg_backend_now());
    }
}


static void
ngx_http_llm_metrics_timer(ngx_event_t *ev)
{
    ngx_http_llm_checks_t  *ch = ev->data;

    ngx_http_llm_job_again(&ch->metrics, &ch->backend->group->gc.check);

    if (ch->reading != NULL) {
        return;
    }

    ch->reading = ngx_alloc(sizeof(tg_engine_read_t), ev->log);
    if (ch->reading == NULL) {
        return;
    }

    tg_engine_begin(ch->reading, ch->backend->bc->type);
    ngx_http_llm_probe_start(&ch->metrics.probe);

    if (ch->metrics.probe.reader == NULL && ch->reading != NULL) {
        ngx_free(ch->reading);
        ch->reading = NULL;
    }
}


static tg_str_t
ngx_http_llm_checks_host(ngx_http_llm_backend_t *b)
{
    const tg_check_conf_t  *cc = &b->group->gc.check;

    return cc->host.len != 0 ? cc->host
           : b->sockaddr.sockaddr.sa_family == AF_UNIX ? tg_str("localhost")
           : ngx_http_llm_str(b->server.len != 0 ? &b->server
                                                          : &b->name);
}


static ngx_int_t
ngx_http_llm_checks_probe(ngx_http_llm_checks_t *ch, ngx_http_llm_probe_t *p,
    tg_str_t path, const char *accept)
{
    ngx_http_llm_backend_t  *b = ch->backend;
    const tg_check_conf_t   *cc = &b->group->gc.check;

    p->name = b->name;
    p->sockaddr = &b->sockaddr.sockaddr;
    p->socklen = b->socklen;
    p->ssl = b->group->ssl;
    p->ssl_name = b->group->ssl_name;
    p->connect = cc->connect;
    p->timeout = cc->timeout;
    p->log = &ch->lumcf->log;
    p->data = ch;

    return ngx_http_llm_probe_request(p, ngx_http_llm_checks_host(b), path,
                                      accept);
}


static ngx_int_t
ngx_http_llm_checks_pages(ngx_http_llm_checks_t *ch)
{
    in_port_t                 port;
    tg_engine_pages_t         pages;
    ngx_http_llm_probe_t     *p;
    ngx_http_llm_backend_t   *b = ch->backend;
    const tg_backend_conf_t  *bc = b->bc;

    tg_engine_pages(bc->type, &pages);

    p = &ch->health.probe;
    p->body = ngx_http_llm_health_body;
    p->done = ngx_http_llm_health_done;

    if (ngx_http_llm_checks_probe(ch, p,
                                  bc->health.len != 0 ? bc->health
                                                      : pages.health, "")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_llm_job_first(&ch->health, ngx_http_llm_health_timer, ch,
                           b->group->gc.check.interval / 4);

    if (bc->metrics.len != 0) {
        pages.metrics = bc->metrics;
        pages.metrics_port = bc->metrics_port;
    }

    if (bc->no_metrics || pages.metrics.len == 0) {
        return NGX_OK;
    }

    p = &ch->metrics.probe;
    p->body = ngx_http_llm_metrics_body;
    p->done = ngx_http_llm_metrics_done;

    if (ngx_http_llm_checks_probe(ch, p, pages.metrics, "text/plain")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    port = pages.metrics_port;

    if (port != 0 && b->sockaddr.sockaddr.sa_family != AF_UNIX) {
        ch->sockaddr = b->sockaddr;
        ngx_inet_set_port(&ch->sockaddr.sockaddr, port);
        p->sockaddr = &ch->sockaddr.sockaddr;
    }

    ngx_http_llm_job_first(&ch->metrics, ngx_http_llm_metrics_timer, ch,
                           b->group->gc.check.interval / 4);

    return NGX_OK;
}


static void
ngx_http_llm_checks_begin(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_backend_t *b)
{
    tg_backend_view_t       view;
    ngx_http_llm_checks_t  *ch;

    if (b->checks != NULL || b->backend == NULL) {
        return;
    }

    ch = ngx_calloc(sizeof(ngx_http_llm_checks_t), ngx_cycle->log);
    if (ch == NULL) {
        return;
    }

    ch->backend = b;
    ch->lumcf = lumcf;
    b->checks = ch;

    tg_backend_view(lumcf->map->table, b->backend, &b->group->gc.check,
                    tg_backend_now(), &view);
    ch->state = view.state;

    if (ngx_http_llm_checks_pages(ch) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "llm: server %V of upstream \"%V\" can't be checked: no"
                      " request can be made of its name and the pages",
                      &b->name, &b->group->us->host);
    }
}


void
ngx_http_llm_checks_forget(ngx_http_llm_backend_t *b)
{
    if (b->checks == NULL) {
        return;
    }

    ngx_http_llm_job_stop(&b->checks->health);
    ngx_http_llm_job_stop(&b->checks->metrics);

    ngx_free(b->checks->reading);
    ngx_free(b->checks);
    b->checks = NULL;
}


static void
ngx_http_llm_checks_group(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g)
{
    ngx_uint_t  i;

    if (g->gc.check.on) {
        for (i = 0; i < g->nbackends; i++) {
            ngx_http_llm_checks_begin(lumcf, g->backends[i]);
        }
    }

    ngx_http_llm_dcgm_begin(lumcf, g);
}


static void
ngx_http_llm_checks_quit(ngx_http_llm_upstream_main_conf_t *lumcf)
{
    ngx_uint_t              i, k;
    ngx_http_llm_group_t  **groups = lumcf->groups.elts;

    for (i = 0; i < lumcf->groups.nelts; i++) {
        for (k = 0; k < groups[i]->nbackends; k++) {
            ngx_http_llm_checks_forget(groups[i]->backends[k]);
        }

        ngx_http_llm_dcgm_end(groups[i]);
    }

    tg_scale_hook_stop(lumcf->hook);

    lumcf->hook = NULL;
    lumcf->owner = 0;
}


/* Servers that have been resolved anew. */
static void
ngx_http_llm_checks_renew(ngx_http_llm_upstream_main_conf_t *lumcf)
{
    ngx_uint_t              i, changed = 0;
    ngx_http_llm_group_t  **groups = lumcf->groups.elts;

    for (i = 0; i < lumcf->groups.nelts; i++) {

        if (ngx_http_llm_peers_config(
                  (ngx_http_upstream_rr_peers_t *) groups[i]->us->peer.data)
            != groups[i]->config)
        {
            changed = 1;
            ngx_http_llm_group_refresh(lumcf, groups[i]);
        }
    }

    if (!changed || !lumcf->owner) {
        return;
    }

    tg_backends_generation(lumcf->map->table);

    for (i = 0; i < lumcf->groups.nelts; i++) {
        ngx_http_llm_group_configured(lumcf, groups[i]);
        ngx_http_llm_checks_group(lumcf, groups[i]);
    }
}


static void
ngx_http_llm_checks_second(ngx_http_llm_upstream_main_conf_t *lumcf,
    int64_t now)
{
    ngx_uint_t              i, k;
    ngx_http_llm_group_t  **groups = lumcf->groups.elts;

    (void) tg_backends_sweep(lumcf->map->table, tg_backend_alive, now);

    for (i = 0; i < lumcf->groups.nelts; i++) {
        for (k = 0; k < groups[i]->nbackends; k++) {
            if (groups[i]->backends[k]->checks != NULL) {
                ngx_http_llm_checks_log(groups[i]->backends[k]->checks);
            }
        }
    }
}


/* In the hook's thread. */
static void
ngx_http_llm_scale_log(void *baton, tg_webhook_level_t level,
    const char *message)
{
    ngx_uint_t  l;

    l = level == TG_WEBHOOK_ERROR ? NGX_LOG_ERR
        : level == TG_WEBHOOK_WARN ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    ngx_log_error(l, ngx_cycle->log, 0, "llm: %s", message);
}


static void
ngx_http_llm_scale_group(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g, int64_t now)
{
    ngx_time_t        *tp = ngx_timeofday();
    tg_error_t         err;
    tg_scale_event_t   event;

    while (tg_scale_next(lumcf->map->table, g->group, &g->gc, now,
                         (int64_t) tp->sec * 1000 + (int64_t) tp->msec,
                         &event))
    {
        if (lumcf->hook != NULL && g->scale != NULL
            && tg_scale_hook_post(lumcf->hook, g->scale, &event, &err)
               != TG_OK)
        {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "llm: llm_scale: %s",
                          err.message);
        }
    }
}


/* It has become this process' to check. */
static void
ngx_http_llm_checks_take(ngx_http_llm_upstream_main_conf_t *lumcf)
{
    ngx_uint_t              i;
    ngx_http_llm_group_t  **groups = lumcf->groups.elts;
    tg_scale_hook_conf_t    hook;

    ngx_memzero(&hook, sizeof(tg_scale_hook_conf_t));
    hook.table = lumcf->map->table;
    hook.log = ngx_http_llm_scale_log;

    for (i = 0; i < lumcf->groups.nelts; i++) {
        ngx_http_llm_checks_group(lumcf, groups[i]);

        if (groups[i]->scale != NULL && lumcf->hook == NULL) {
            lumcf->hook = tg_scale_hook_create(&hook);
        }
    }

    lumcf->owner = 1;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "llm: this process checks servers from now on");
}


static void
ngx_http_llm_checks_owned(ngx_http_llm_upstream_main_conf_t *lumcf,
    int64_t now)
{
    ngx_uint_t              i;
    ngx_http_llm_group_t  **groups = lumcf->groups.elts;

    if (!lumcf->owner) {
        ngx_http_llm_checks_take(lumcf);
    }

    for (i = 0; i < lumcf->groups.nelts; i++) {
        if (groups[i]->group != NULL) {
            tg_group_tick(lumcf->map->table, groups[i]->group, &groups[i]->gc,
                          now);
            ngx_http_llm_scale_group(lumcf, groups[i], now);
        }
    }

    if (ngx_current_msec - lumcf->swept >= NGX_HTTP_LLM_SWEEP) {
        lumcf->swept = ngx_current_msec;
        ngx_http_llm_checks_second(lumcf, now);
    }
}


static void
ngx_http_llm_checks_tick(ngx_event_t *ev)
{
    int64_t                             now = tg_backend_now();
    ngx_http_llm_upstream_main_conf_t  *lumcf = ev->data;

    if (ngx_exiting) {
        ngx_http_llm_checks_stop(lumcf);
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_LLM_TICK
                      - ngx_current_msec % NGX_HTTP_LLM_TICK);

    ngx_http_llm_checks_renew(lumcf);

    if (tg_backends_lease(lumcf->map->table, lumcf->slot, tg_backend_alive,
                          now))
    {
        ngx_http_llm_checks_owned(lumcf, now);

    } else if (lumcf->owner) {
        ngx_http_llm_checks_quit(lumcf);
    }
}


void
ngx_http_llm_checks_start(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_cycle_t *cycle)
{
    if (lumcf->slot < 0) {
        return;
    }

    /* What can't be reached is said once, when it is found to be down. */

    lumcf->log = *cycle->log;
    lumcf->log.log_level = NGX_LOG_ALERT;

    lumcf->tick.handler = ngx_http_llm_checks_tick;
    lumcf->tick.data = lumcf;
    lumcf->tick.log = cycle->log;
    lumcf->tick.cancelable = 1;

    ngx_add_timer(&lumcf->tick, NGX_HTTP_LLM_TICK);
}


void
ngx_http_llm_checks_stop(ngx_http_llm_upstream_main_conf_t *lumcf)
{
    if (lumcf->owner) {
        tg_backends_release(lumcf->map->table, lumcf->slot);
        ngx_http_llm_checks_quit(lumcf);
    }
}
