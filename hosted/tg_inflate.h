/*
 * tg_inflate.h - unpacks an answer that came compressed, for the meter, and for
 * the client where it is altered.
 *
 * hosted/ is what both servers do alike with a library or a system call that
 * common/ must not know; here it is zlib.  No server's header is included.
 */

#ifndef TG_INFLATE_H
#define TG_INFLATE_H

#include "tg_call.h"

typedef struct tg_inflate_s  tg_inflate_t;

/* NULL on exhaustion.  About 60 KB of mem, most of it at the first feed. */
tg_inflate_t *tg_inflate_create(tg_mem_t *mem);

/*
 * A piece of a body in gzip, zlib or raw deflate format: its contents are fed to
 * the call.  What can't be unpacked ends it in silence, as does more than 256
 * MB: the rest of the answer is a hidden one then.
 */
void tg_inflate_feed(tg_inflate_t *inf, tg_call_t *call, const char *p,
    size_t n, const tg_now_t *now);

/* The same by tg_call_filter(): what the client is to get comes out unpacked, in
 * pieces.  TG_ERROR where out() says so, and where it can't be unpacked. */
int tg_inflate_filter(tg_inflate_t *inf, tg_call_t *call, const char *p,
    size_t n, const tg_now_t *now, tg_out_t out, void *data);

#endif /* TG_INFLATE_H */
