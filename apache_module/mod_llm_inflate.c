#include "mod_llm.h"

#include <zlib.h>

/* More than this out of one answer is a bomb, not an answer. */
#define LLM_INFLATE_MAX   (256 * 1024 * 1024)
#define LLM_INFLATE_STEP  16384

struct llm_inflate_s {
    z_stream  zs;
    uint64_t  total;
    unsigned  begun:1;
    unsigned  done:1;
    char      out[LLM_INFLATE_STEP];
};


static void *
llm_zalloc(void *pool, uInt items, uInt size)
{
    return apr_palloc(pool, (apr_size_t) items * size);
}


static void
llm_zfree(void *pool, void *address)
{
    (void) pool;
    (void) address;             /* the pool's */
}


llm_inflate_t *
llm_inflate_create(apr_pool_t *p)
{
    llm_inflate_t  *inf = apr_pcalloc(p, sizeof(llm_inflate_t));

    inf->zs.zalloc = llm_zalloc;
    inf->zs.zfree = llm_zfree;
    inf->zs.opaque = p;

    return inf;
}


/* "deflate" is zlib's format by RFC 9110, and raw deflate with some servers. */
static int
llm_inflate_begin(llm_inflate_t *inf, const unsigned char *p)
{
    int  bits = MAX_WBITS + 32;

    if (p[0] != 0x1f && (p[0] & 0x0f) != Z_DEFLATED) {
        bits = -MAX_WBITS;
    }

    inf->begun = 1;

    return inflateInit2(&inf->zs, bits);
}


void
llm_inflate_feed(llm_inflate_t *inf, tg_call_t *call, const char *p, size_t n,
    const tg_now_t *now)
{
    int     rc;
    size_t  size;

    if (inf->done || n == 0) {
        return;
    }

    if (!inf->begun
        && llm_inflate_begin(inf, (const unsigned char *) p) != Z_OK)
    {
        inf->done = 1;
        return;
    }

    inf->zs.next_in = (unsigned char *) (uintptr_t) p;
    inf->zs.avail_in = (uInt) n;

    do {
        inf->zs.next_out = (unsigned char *) inf->out;
        inf->zs.avail_out = sizeof(inf->out);

        rc = inflate(&inf->zs, Z_SYNC_FLUSH);
        size = sizeof(inf->out) - inf->zs.avail_out;

        if (size != 0) {
            tg_call_feed(call, inf->out, size, now);
            inf->total += size;
        }

        if (rc == Z_STREAM_END && inf->zs.avail_in != 0) {
            rc = inflateReset(&inf->zs);        /* gzip members in a row */
        }

        if ((rc != Z_OK && rc != Z_BUF_ERROR) || inf->total > LLM_INFLATE_MAX) {
            inf->done = 1;
            return;
        }

    } while (inf->zs.avail_in != 0 || inf->zs.avail_out == 0);
}
