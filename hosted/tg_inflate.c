#include "tg_inflate.h"

#include <zlib.h>

/* More than this out of one answer is a bomb, not an answer. */
#define TG_INFLATE_MAX   (256 * 1024 * 1024)
#define TG_INFLATE_STEP  16384

struct tg_inflate_s {
    z_stream   zs;
    uint64_t   total;
    bool       begun;
    bool       done;
    char       out[TG_INFLATE_STEP];
};


static void *
tg_inflate_alloc(void *mem, uInt items, uInt size)
{
    return tg_alloc(mem, (size_t) items * size);
}


static void
tg_inflate_free(void *mem, void *p)
{
    (void) mem;
    (void) p;                   /* goes with all the rest */
}


tg_inflate_t *
tg_inflate_create(tg_mem_t *mem)
{
    tg_inflate_t  *inf = tg_alloc(mem, sizeof(tg_inflate_t));

    if (inf == NULL) {
        return NULL;
    }

    memset(&inf->zs, 0, sizeof(inf->zs));
    inf->zs.zalloc = tg_inflate_alloc;
    inf->zs.zfree = tg_inflate_free;
    inf->zs.opaque = mem;
    inf->total = 0;
    inf->begun = false;
    inf->done = false;

    return inf;
}


/* "deflate" is zlib's format by RFC 9110, and raw deflate with some servers. */
static int
tg_inflate_begin(tg_inflate_t *inf, unsigned char first)
{
    int  bits = MAX_WBITS + 32;

    if (first != 0x1f && (first & 0x0f) != Z_DEFLATED) {
        bits = -MAX_WBITS;
    }

    inf->begun = true;

    return inflateInit2(&inf->zs, bits);
}


/* Where it goes. */
typedef struct {
    tg_call_t       *call;
    const tg_now_t  *now;
    tg_out_t         out;               /* NULL: to the meter alone */
    void            *data;
} tg_inflate_to_t;


/* One step; false at the end, good or bad. */
static bool
tg_inflate_step(tg_inflate_t *inf, const tg_inflate_to_t *to)
{
    int     rc;
    size_t  size;

    inf->zs.next_out = (unsigned char *) inf->out;
    inf->zs.avail_out = sizeof(inf->out);

    rc = inflate(&inf->zs, Z_SYNC_FLUSH);
    size = sizeof(inf->out) - inf->zs.avail_out;
    inf->total += size;

    if (size != 0 && to->out == NULL) {
        tg_call_feed(to->call, inf->out, size, to->now);

    } else if (size != 0 && tg_call_filter(to->call, inf->out, size, to->now,
                                           to->out, to->data)
                            != TG_OK)
    {
        return false;
    }

    if (rc == Z_STREAM_END) {
        rc = inflateReset(&inf->zs);            /* gzip members in a row */
    }

    if ((rc == Z_OK || rc == Z_BUF_ERROR) && inf->total <= TG_INFLATE_MAX) {
        return true;
    }

    tg_call_answer_hidden(to->call);

    return false;
}


static void
tg_inflate_run(tg_inflate_t *inf, const char *p, size_t n,
    const tg_inflate_to_t *to)
{
    if (inf->done || n == 0) {
        return;
    }

    if (!inf->begun && tg_inflate_begin(inf, (unsigned char) p[0]) != Z_OK) {
        tg_call_answer_hidden(to->call);
        inf->done = true;
        return;
    }

    inf->zs.next_in = (unsigned char *) (uintptr_t) p;
    inf->zs.avail_in = (uInt) n;

    do {
        if (!tg_inflate_step(inf, to)) {
            inf->done = true;
            return;
        }
    } while (inf->zs.avail_in != 0 || inf->zs.avail_out == 0);
}


void
tg_inflate_feed(tg_inflate_t *inf, tg_call_t *call, const char *p, size_t n,
    const tg_now_t *now)
{
    tg_inflate_to_t  to = { call, now, NULL, NULL };

    tg_inflate_run(inf, p, n, &to);
}


int
tg_inflate_filter(tg_inflate_t *inf, tg_call_t *call, const char *p, size_t n,
    const tg_now_t *now, tg_out_t out, void *data)
{
    tg_inflate_to_t  to = { call, now, out, data };

    tg_inflate_run(inf, p, n, &to);

    return inf->done ? TG_ERROR : TG_OK;
}
