#include "unpack.h"

#include <limits.h>
#include <stdlib.h>

#ifdef TG_ISAL

#include <isa-l/igzip_lib.h>

struct unpack_s {
    struct inflate_state  state;
};


unpack_t *
unpack_new(void)
{
    unpack_t  *u = malloc(sizeof(unpack_t));

    if (u != NULL) {
        isal_inflate_init(&u->state);
        u->state.crc_flag = ISAL_GZIP;
    }

    return u;
}


void
unpack_free(unpack_t *u)
{
    free(u);
}


void
unpack_again(unpack_t *u)
{
    isal_inflate_reset(&u->state);
    u->state.crc_flag = ISAL_GZIP;
}


unpack_rc_t
unpack(unpack_t *u, const unsigned char **in, size_t *nin, char **to,
    size_t *nto)
{
    int                    rc;
    struct inflate_state  *s = &u->state;

    s->next_in = (unsigned char *) (size_t) *in;
    s->avail_in = *nin < INT_MAX ? (uint32_t) *nin : INT_MAX;
    s->next_out = (unsigned char *) *to;
    s->avail_out = *nto < INT_MAX ? (uint32_t) *nto : INT_MAX;

    rc = isal_inflate(s);

    *nin -= (size_t) (s->next_in - *in);
    *in = s->next_in;
    *nto -= (size_t) ((char *) s->next_out - *to);
    *to = (char *) s->next_out;

    return rc != ISAL_DECOMP_OK && rc != ISAL_END_INPUT ? UNPACK_BAD
           : s->block_state == ISAL_BLOCK_FINISH ? UNPACK_END : UNPACK_MORE;
}

#else

#include <zlib.h>

#define GZIP  (15 + 16)                 /* zlib's word for it */

struct unpack_s {
    z_stream  z;
};


unpack_t *
unpack_new(void)
{
    unpack_t  *u = calloc(1, sizeof(unpack_t));

    if (u != NULL && inflateInit2(&u->z, GZIP) != Z_OK) {
        free(u);
        u = NULL;
    }

    return u;
}


void
unpack_free(unpack_t *u)
{
    if (u != NULL) {
        (void) inflateEnd(&u->z);
        free(u);
    }
}


void
unpack_again(unpack_t *u)
{
    (void) inflateReset(&u->z);
}


unpack_rc_t
unpack(unpack_t *u, const unsigned char **in, size_t *nin, char **to,
    size_t *nto)
{
    int        rc;
    z_stream  *z = &u->z;

    z->next_in = (unsigned char *) (size_t) *in;
    z->avail_in = *nin < INT_MAX ? (unsigned) *nin : INT_MAX;
    z->next_out = (unsigned char *) *to;
    z->avail_out = *nto < INT_MAX ? (unsigned) *nto : INT_MAX;

    rc = inflate(z, Z_NO_FLUSH);

    *nin -= (size_t) (z->next_in - *in);
    *in = z->next_in;
    *nto -= (size_t) ((char *) z->next_out - *to);
    *to = (char *) z->next_out;

    return rc == Z_STREAM_END ? UNPACK_END
           : rc == Z_OK || rc == Z_BUF_ERROR ? UNPACK_MORE : UNPACK_BAD;
}

#endif
