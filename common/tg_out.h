/*
 * tg_out.h - where bytes of an answer go.
 */

#ifndef TG_OUT_H
#define TG_OUT_H

#include <stddef.h>

/* Takes n bytes, which are valid during the call.  0 to go on; anything else is
 * an error that whoever calls it hands back as TG_ERROR. */
typedef int (*tg_out_t)(void *data, const char *p, size_t n);

#endif /* TG_OUT_H */
