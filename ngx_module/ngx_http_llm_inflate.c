#include "ngx_http_llm.h"

#include <zlib.h>

/* More than this out of one answer is a bomb, not an answer. */
#define NGX_HTTP_LLM_INFLATE_MAX   (256 * 1024 * 1024)
#define NGX_HTTP_LLM_INFLATE_STEP  16384

struct ngx_http_llm_inflate_s {
    z_stream   zs;
    uint64_t   total;
    unsigned   begun:1;
    unsigned   done:1;
};


static void *
ngx_http_llm_zalloc(void *opaque, u_int items, u_int size)
{
    return ngx_palloc(opaque, (size_t) items * size);
}


static void
ngx_http_llm_zfree(void *opaque, void *address)
{
    /* the pool's */
}


ngx_http_llm_inflate_t *
ngx_http_llm_inflate_create(ngx_pool_t *pool)
{
    ngx_http_llm_inflate_t  *inf;

    inf = ngx_pcalloc(pool, sizeof(ngx_http_llm_inflate_t));
    if (inf == NULL) {
        return NULL;
    }

    inf->zs.zalloc = ngx_http_llm_zalloc;
    inf->zs.zfree = ngx_http_llm_zfree;
    inf->zs.opaque = pool;

    return inf;
}


/* "deflate" is zlib's format by RFC 9110, and raw deflate with some servers. */
static int
ngx_http_llm_inflate_begin(ngx_http_llm_inflate_t *inf, const u_char *p)
{
    int  bits = MAX_WBITS + 32;

    if (p[0] != 0x1f && (p[0] & 0x0f) != Z_DEFLATED) {
        bits = -MAX_WBITS;
    }

    inf->begun = 1;

    return inflateInit2(&inf->zs, bits);
}


void
ngx_http_llm_inflate_feed(ngx_http_llm_inflate_t *inf, tg_call_t *call,
    const u_char *p, size_t n, const tg_now_t *now)
{
    int            rc;
    size_t         size;
    static u_char  out[NGX_HTTP_LLM_INFLATE_STEP];  /* a worker's, not a call's */

    if (inf->done || n == 0) {
        return;
    }

    if (!inf->begun && ngx_http_llm_inflate_begin(inf, p) != Z_OK) {
        inf->done = 1;
        return;
    }

    inf->zs.next_in = (u_char *) p;
    inf->zs.avail_in = (u_int) n;

    do {
        inf->zs.next_out = out;
        inf->zs.avail_out = sizeof(out);

        rc = inflate(&inf->zs, Z_SYNC_FLUSH);
        size = sizeof(out) - inf->zs.avail_out;

        if (size != 0) {
            tg_call_feed(call, (char *) out, size, now);
            inf->total += size;
        }

        if (rc == Z_STREAM_END) {
            rc = inflateReset(&inf->zs);        /* gzip members in a row */
        }

        if ((rc != Z_OK && rc != Z_BUF_ERROR)
            || inf->total > NGX_HTTP_LLM_INFLATE_MAX)
        {
            inf->done = 1;
            return;
        }

    } while (inf->zs.avail_in != 0 || inf->zs.avail_out == 0);
}
