#include "ngx_http_llm.h"

#define NGX_HTTP_LLM_DESK_INTERVAL  1000
#define NGX_HTTP_LLM_CARRIERS       4


static void
ngx_http_llm_desk_log(void *data, tg_desk_level_t level, const char *message)
{
    static const ngx_uint_t  levels[] = {
        [TG_DESK_ERROR] = NGX_LOG_ERR,
        [TG_DESK_WARNING] = NGX_LOG_WARN,
        [TG_DESK_NOTICE] = NGX_LOG_NOTICE
    };

    (void) data;

    ngx_log_error(levels[level], ngx_cycle->log, 0, "%s", message);
}


static void
ngx_http_llm_desk_close(void *data)
{
    ngx_http_llm_main_conf_t  *lmcf = data;

    tg_desk_close(&lmcf->desk);
    tg_conf_destroy(lmcf->conf);
}


/* The configuration is complete. */
ngx_int_t
ngx_http_llm_desk_load(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf)
{
    tg_error_t           err;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    lmcf->scratch = tg_expr_scratch(&lmcf->mem);

    if (cln == NULL || lmcf->scratch == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_llm_desk_close;
    cln->data = lmcf;

    if (tg_desk_load(&lmcf->desk, lmcf->conf, &lmcf->mem,
                     ngx_http_llm_desk_log, lmcf, &err)
        != TG_OK
        || tg_desk_open(&lmcf->desk, ngx_http_llm_only_read(), &err) != TG_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s", err.message);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* In the master, before the workers: the ledger is theirs. */
void
ngx_http_llm_desk_start(ngx_http_llm_main_conf_t *lmcf, ngx_cycle_t *cycle)
{
    tg_now_t                now;
    tg_error_t              err;
    ngx_core_conf_t        *ccf;
    ngx_http_llm_shared_t  *shared = lmcf->shm_zone->data;

    ngx_http_llm_now(&now);
    tg_desk_tally(&lmcf->desk, &shared->tally, now.wall_ms);

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (tg_desk_chown(&lmcf->desk,
                      geteuid() == 0 ? (uid_t) ccf->user : (uid_t) -1,
                      (gid_t) -1, &err)
        != TG_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "llm_ledger: %s",
                      err.message);
    }

    if (tg_desk_publish(&lmcf->desk, &err) != TG_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "%s", err.message);
    }
}


static void
ngx_http_llm_desk_timer(ngx_event_t *ev)
{
    tg_now_t                   now;
    ngx_http_llm_main_conf_t  *lmcf = ev->data;

    ngx_http_llm_now(&now);
    tg_desk_tick(&lmcf->desk, now.wall_ms, ngx_http_llm_log_recovered, lmcf);

    if (ngx_exiting) {
        tg_desk_retire(&lmcf->desk);

    } else {
        ngx_add_timer(ev, NGX_HTTP_LLM_DESK_INTERVAL);
    }
}


void
ngx_http_llm_desk_join(ngx_http_llm_main_conf_t *lmcf, ngx_cycle_t *cycle)
{
    tg_now_t    now;
    tg_error_t  err;

    ngx_http_llm_now(&now);

    lmcf->desk.alert = ngx_http_llm_log_late_alert;

    lmcf->desk.carriers = NGX_HTTP_LLM_CARRIERS;

    tg_desk_priced(&lmcf->desk, lmcf->book);

    if (tg_desk_join(&lmcf->desk, now.wall_ms, &err) != TG_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "%s", err.message);
    }

    if (lmcf->conf->keys.file.len == 0 && lmcf->conf->ledger.file.len == 0
        && lmcf->conf->ngeoip == 0)
    {
        return;
    }

    ngx_http_llm_fleet_start(lmcf, cycle);

    lmcf->desk_timer.handler = ngx_http_llm_desk_timer;
    lmcf->desk_timer.data = lmcf;
    lmcf->desk_timer.log = cycle->log;
    lmcf->desk_timer.cancelable = 1;

    ngx_add_timer(&lmcf->desk_timer, NGX_HTTP_LLM_DESK_INTERVAL);
}
