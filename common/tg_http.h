/*
 * tg_http.h - rules about HTTP that both servers follow alike.
 */

#ifndef TG_HTTP_H
#define TG_HTTP_H

#include "tg_str.h"

/* nginx's word for a client that left before its answer. */
#define TG_HTTP_CLIENT_CLOSED  499

typedef struct {
    tg_str_t  name;             /* lower case */
    tg_str_t  value;
} tg_header_t;

/*
 * True for the names of our own headers, x-llm-*: a client's copies are removed
 * before anything reads them.  "_" counts as "-", as it does for some servers
 * behind us; case does not count.
 */
bool tg_http_own_name(tg_str_t name);

/* Most names are told by two letters. */
static inline bool
tg_http_own_header(tg_str_t name)
{
    return name.len > 2 && (name.p[0] | 0x20) == 'x'
           && (name.p[2] | 0x20) == 'l' && tg_http_own_name(name);
}

/* What a Content-Encoding (RFC 9110 section 8.4) means to the meter. */
typedef enum {
    TG_CODING_IDENTITY = 0,     /* none, or "identity": can be read as it is */
    TG_CODING_ZLIB,             /* gzip, x-gzip, deflate: can be unpacked */
    TG_CODING_OPAQUE            /* anything else, or several */
} tg_coding_t;

tg_coding_t tg_http_coding(tg_str_t value);

#endif /* TG_HTTP_H */
