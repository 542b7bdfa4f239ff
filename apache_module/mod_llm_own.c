#include "mod_llm.h"

#include "tg_own.h"

APLOG_USE_MODULE(llm);

/* LLMMe and LLMOutcome: what the core answers to a caller's key. */


static tg_str_t
llm_own_header(void *req, tg_str_t name)
{
    request_rec  *r = req;

    return llm_str(apr_table_get(r->headers_in, name.p));
}


/* Up to one byte more than may be. */
static int
llm_own_body(request_rec *r, tg_own_request_t *rq)
{
    int      rc = ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK);
    long     n;
    char    *buf;
    size_t   len = 0;

    if (rc != OK || !ap_should_client_block(r)) {
        return rc;
    }

    buf = apr_palloc(r->pool, TG_OWN_BODY_MAX + 1);

    while (len <= TG_OWN_BODY_MAX) {
        n = ap_get_client_block(r, buf + len, TG_OWN_BODY_MAX + 1 - len);

        if (n < 0) {
            return HTTP_BAD_REQUEST;
        }

        if (n == 0) {
            break;
        }

        len += (size_t) n;
    }

    rq->body = tg_str_of(buf, len);
    rq->long_body = len > TG_OWN_BODY_MAX;

    return OK;
}


static int
llm_own_out(void *data, const char *p, size_t n)
{
    return apr_brigade_write(data, NULL, NULL, p, n) != APR_SUCCESS;
}


static void
llm_own_page(const tg_scope_t *scope, const tg_status_facts_t *facts,
    const tg_own_request_t *rq, tg_own_answer_t *answer,
    apr_bucket_brigade *bb)
{
    unsigned           lines;
    tg_id_source_t    *ids = llm_ids();
    tg_own_outcome_t   outcome;

    if (scope->own == TG_OWN_ME) {
        tg_own_me(facts, rq, answer, llm_own_out, bb);

    } else if (ids == NULL) {
        answer->nheaders = 0;
        tg_own_error(answer, 503, "no_random", "there are no random bytes",
                     llm_own_out, bb);

    } else if (tg_own_outcome(facts, rq, ids, &outcome, answer, llm_own_out,
                              bb))
    {
        lines = llm_log_outcome(scope, &outcome);
        tg_own_outcome_done(&outcome, lines, answer, llm_own_out, bb);
    }
}


static void
llm_own_answer(request_rec *r, const tg_scope_t *scope,
    const tg_own_request_t *rq, tg_own_answer_t *answer,
    apr_bucket_brigade *bb)
{
    tg_now_t           now;
    tg_status_facts_t  facts;

    llm_now(&now);
    tg_desk_own_facts(&llm_main->desk, &now, &facts);
    llm_own_page(scope, &facts, rq, answer, bb);
    tg_desk_facts_end(&facts);

    r->status = (int) answer->status;

    for (unsigned i = 0; i < answer->nheaders; i++) {
        apr_table_setn(r->headers_out, answer->headers[i].name.p,
                       answer->headers[i].value.p);
    }
}


static int
llm_own(request_rec *r)
{
    int                  rc;
    tg_own_answer_t      answer;
    tg_own_request_t     rq;
    const llm_dir_t     *dir;
    apr_bucket_brigade  *bb;

    dir = ap_get_module_config(r->per_dir_config, &llm_module);

    if (dir->scope.own == TG_UNSET) {
        return DECLINED;
    }

    if (llm_main->desk.tally == NULL) {
        return HTTP_NOT_FOUND;
    }

    memset(&rq, 0, sizeof(rq));
    rq.method = llm_str(r->method);
    rq.header = llm_own_header;
    rq.req = r;
    rq.client = llm_str(r->useragent_ip);

    rc = llm_own_body(r, &rq);

    if (rc != OK) {
        return rc;
    }

    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    llm_own_answer(r, &dir->scope, &rq, &answer, bb);
    ap_set_content_type(r, TG_OWN_TYPE);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));

    /* Who has left gets nothing. */

    (void) ap_pass_brigade(r->output_filters, bb);

    return OK;
}


void
llm_own_hooks(apr_pool_t *p)
{
    (void) p;

    ap_hook_handler(llm_own, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
