#include "mod_llm.h"

#include "tg_status_page.h"

/* LLMStatus: a page that the core writes piece by piece. */

APLOG_USE_MODULE(llm);


static int
llm_status_out(void *data, const char *p, size_t n)
{
    return ap_rwrite(p, (int) n, data) < 0;
}


static int
llm_status(request_rec *r)
{
    tg_now_t            now;
    llm_dir_t          *dir;
    tg_status_facts_t   facts;
    tg_status_format_t  format;

    dir = ap_get_module_config(r->per_dir_config, &llm_module);

    if (dir->scope.status == TG_UNSET) {
        return DECLINED;
    }

    r->allowed |= AP_METHOD_BIT << M_GET;

    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }

    if (llm_main->shared == NULL) {
        return HTTP_NOT_FOUND;
    }

    llm_now(&now);
    format = (tg_status_format_t) dir->scope.status;
    ap_set_content_type(r, tg_status_content_type(format).p);

    if (r->header_only) {
        return OK;
    }

    memset(&facts, 0, sizeof(facts));
    facts.conf = llm_main->conf;
    facts.tally = &llm_main->shared->tally;
    facts.breakers = &llm_main->shared->breakers;
    facts.wall_ms = now.wall_ms;
    facts.mono_ms = now.mono_ns / 1000000;

    return tg_status_page(&facts, format, llm_status_out, r) == TG_OK
           ? OK : HTTP_INTERNAL_SERVER_ERROR;
}


void
llm_status_hooks(apr_pool_t *p)
{
    (void) p;

    ap_hook_handler(llm_status, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
