#include "mod_llm.h"

#include "tg_status_page.h"

/* LLMStatus: a page that the core writes piece by piece. */

APLOG_USE_MODULE(llm);


/* The page is whole before it goes: what it is made of is not held while a client
 * takes its time. */
static int
llm_status_out(void *data, const char *p, size_t n)
{
    return apr_brigade_write(data, NULL, NULL, p, n) != APR_SUCCESS;
}


static int
llm_status_page(tg_status_format_t format, apr_bucket_brigade *bb)
{
    int                rc;
    tg_now_t           now;
    tg_status_facts_t  facts;

    llm_now(&now);
    tg_desk_facts(&llm_main->desk, llm_prices_hold(),
                  &llm_main->shared->breakers, &now, &facts);
    rc = tg_status_page(&facts, format, llm_status_out, bb);
    tg_desk_facts_end(&facts);
    llm_prices_release();

    return rc == TG_OK ? OK : HTTP_INTERNAL_SERVER_ERROR;
}


static int
llm_status(request_rec *r)
{
    unsigned             n;
    llm_dir_t           *dir;
    tg_header_t          headers[TG_STATUS_HEADERS_MAX];
    tg_status_format_t   format;
    apr_bucket_brigade  *bb;

    dir = ap_get_module_config(r->per_dir_config, &llm_module);

    if (dir->scope.status == TG_UNSET) {
        return DECLINED;
    }

    r->allowed |= AP_METHOD_BIT << M_GET;

    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }

    if (llm_main->desk.tally == NULL) {
        return HTTP_NOT_FOUND;
    }

    format = tg_status_asked((tg_status_format_t) dir->scope.status,
                             llm_str(r->args),
                             llm_str(apr_table_get(r->headers_in, "Accept")));
    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    if (llm_status_page(format, bb) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    n = tg_status_headers(format, headers);

    for (unsigned i = 0; i < n; i++) {
        apr_table_setn(r->headers_out, headers[i].name.p, headers[i].value.p);
    }

    ap_set_content_type(r, tg_status_content_type(format).p);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));

    /* Who has left gets nothing. */

    (void) ap_pass_brigade(r->output_filters, bb);

    return OK;
}


void
llm_status_hooks(apr_pool_t *p)
{
    (void) p;

    ap_hook_handler(llm_status, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
