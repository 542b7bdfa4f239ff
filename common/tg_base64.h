/*
 * tg_base64.h - streaming base64 decoder (RFC 4648 section 4 and 5 alphabets,
 * padding optional, white space skipped).
 */

#ifndef TG_BASE64_H
#define TG_BASE64_H

#include "tg_error.h"

typedef struct {
    uint32_t  bits;
    uint8_t   nbits;
    bool      done;     /* padding seen */
} tg_base64_t;

/* Zero-initialise a tg_base64_t to begin. */

/*
 * Decodes n characters into out, which must hold at least n bytes and may be
 * p itself.  Returns the number of bytes written, or -1 at a character outside
 * the alphabet, at padding out of place, or at anything behind the padding.
 * What is left over when the input ends (fewer than 8 bits) is dropped.
 */
ptrdiff_t tg_base64_feed(tg_base64_t *b, const char *p, size_t n, char *out);

#endif /* TG_BASE64_H */
