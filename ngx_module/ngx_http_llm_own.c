#include "ngx_http_llm.h"

/*
 * llm_me and llm_outcome: what the core answers to a caller's key.
 */


/* What is there of the body, up to one byte more than may be; in one piece. */
static ngx_int_t
ngx_http_llm_own_body(ngx_http_request_t *r, tg_own_request_t *rq)
{
    u_char       *p, *buf;
    size_t        n, left = TG_OWN_BODY_MAX + 1;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    buf = ngx_pnalloc(r->pool, left);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    p = buf;

    for (cl = r->request_body->bufs; cl != NULL && left != 0; cl = cl->next) {
        n = (size_t) ngx_buf_size(cl->buf);
        n = ngx_min(n, left);

        if (cl->buf->in_file) {
            if (ngx_read_file(cl->buf->file, p, n, cl->buf->file_pos)
                != (ssize_t) n)
            {
                return NGX_ERROR;
            }
            p += n;

        } else if (n != 0) {
            p = ngx_cpymem(p, cl->buf->pos, n);
        }

        left -= n;
    }

    rq->body = tg_str_of((char *) buf, (size_t) (p - buf));
    rq->long_body = left == 0;

    return NGX_OK;
}


static void
ngx_http_llm_own_page(ngx_http_request_t *r, const tg_status_facts_t *facts,
    const tg_own_request_t *rq, tg_own_answer_t *answer,
    ngx_http_llm_page_t *page)
{
    tg_own_outcome_t          outcome;
    ngx_http_llm_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_module);

    if (llcf->scope.own == TG_OWN_ME) {
        tg_own_me(facts, rq, answer, ngx_http_llm_page_out, page);

    } else if (tg_own_outcome(facts, rq, &ngx_http_llm_ids, &outcome, answer,
                              ngx_http_llm_page_out, page))
    {
        tg_own_outcome_done(&outcome,
                            (unsigned) ngx_http_llm_log_outcome(&llcf->scope,
                                                                &outcome),
                            answer, ngx_http_llm_page_out, page);
    }
}


static ngx_int_t
ngx_http_llm_own_answer(ngx_http_request_t *r)
{
    tg_now_t                   now;
    tg_own_answer_t            answer;
    tg_own_request_t           rq;
    tg_status_facts_t          facts;
    ngx_http_llm_page_t        page;
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);

    ngx_memzero(&rq, sizeof(rq));
    rq.method = ngx_http_llm_str(&r->method_name);
    rq.header = ngx_http_llm_request_header;
    rq.req = r;
    rq.client = ngx_http_llm_str(&r->connection->addr_text);

    if (ngx_http_llm_own_body(r, &rq) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_llm_page_init(&page, r);
    ngx_http_llm_now(&now);
    tg_desk_own_facts(&lmcf->desk, &now, &facts);
    ngx_http_llm_own_page(r, &facts, &rq, &answer, &page);
    tg_desk_facts_end(&facts);

    if (ngx_http_llm_add_headers(r, answer.headers, answer.nheaders)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = answer.status;

    return ngx_http_llm_page_send(&page, tg_str(TG_OWN_TYPE));
}


static void
ngx_http_llm_own_read(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_llm_own_answer(r));
}


ngx_int_t
ngx_http_llm_own(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);

    if (lmcf->desk.tally == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_llm_own_read);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
