/*
 * tg_line_int.h - how cost lines are written, for tg_line.c and tg_recovered.c.
 */

#ifndef TG_LINE_INT_H
#define TG_LINE_INT_H

#include "tg_call_int.h"

/* Bytes that a value may take, escaped. */
#define TG_LINE_VALUE  512
#define TG_LINE_SHORT  128
#define TG_LINE_EXTRA  8

/* A constant of a known length is a few moves; underscores are for the few. */
#define tg_line_lit(p, under, text)                                           \
    do {                                                                      \
        memcpy(p, text, sizeof(text) - 1);                                    \
        if (under) {                                                          \
            tg_line_dots(p, sizeof(text) - 1);                                \
        }                                                                     \
        (p) += sizeof(text) - 1;                                              \
    } while (0)

#define tg_line_key(p, under, name)  tg_line_lit(p, under, ",\"" name "\":")

#define tg_line_str(p, under, name, s)                                        \
    do {                                                                      \
        tg_str_t  s_ = (s);                                                   \
                                                                              \
        if (s_.len != 0) {                                                    \
            tg_line_lit(p, under, ",\"" name "\":\"");                        \
            p = tg_text_json(p, s_, TG_LINE_VALUE);                           \
            *(p)++ = '"';                                                     \
        }                                                                     \
    } while (0)

#define tg_line_int(p, under, name, v)                                        \
    do {                                                                      \
        int64_t  v_ = (v);                                                    \
                                                                              \
        if (v_ > 0) {                                                         \
            tg_line_key(p, under, name);                                      \
            p = tg_text_int(p, v_);                                           \
        }                                                                     \
    } while (0)

#define tg_line_usd(p, under, name, v)                                        \
    do {                                                                      \
        int64_t  v_ = (v);                                                    \
                                                                              \
        if (v_ != 0) {                                                        \
            tg_line_key(p, under, name);                                      \
            p = tg_text_decimal(p, v_, 9);                                    \
        }                                                                     \
    } while (0)


static inline void
tg_line_dots(char *p, size_t n)
{
    for (char *end = p + n; p < end; p++) {
        if (*p == '.') {
            *p = '_';
        }
    }
}


/* What needs no escaping. */
static inline char *
tg_line_plain(char *p, tg_str_t s)
{
    memcpy(p, s.p, s.len);

    return p + s.len;
}


static inline char *
tg_line_quoted(char *p, tg_str_t s, size_t max)
{
    *p++ = '"';
    p = tg_text_json(p, s, max);
    *p++ = '"';

    return p;
}


/* tg_line_route.c: of an attempt, or of the call, where it is NULL; the first
 * where call->routing is. */
char *tg_line_routing(char *p, bool under, const tg_call_t *call,
    const tg_attempt_t *attempt);
char *tg_line_server(char *p, bool under, const tg_call_t *call,
    const tg_attempt_t *attempt);

/* tg_line_cost.c; a charge is an attempt's. */
char *tg_line_usage(char *p, bool under, const tg_usage_t *u, unsigned source);
char *tg_line_money(char *p, bool under, const tg_call_t *call);
char *tg_line_charge(char *p, bool under, const tg_attempt_t *a);
char *tg_line_gpu(char *p, bool under, const tg_gpu_t *gpu);

#endif /* TG_LINE_INT_H */
