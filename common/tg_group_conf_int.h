/*
 * tg_group_conf_int.h - for tg_group_conf*.c only.
 */

#ifndef TG_GROUP_CONF_INT_H
#define TG_GROUP_CONF_INT_H

#include "tg_conf_int.h"
#include "tg_group_conf.h"

/* A directive while it is read. */
typedef struct {
    tg_group_conf_t  *gc;
    tg_mem_t         *mem;
    tg_full_name_t    full_name;
    void             *data;
    tg_error_t       *err;
    uint32_t          said;     /* bits: which of a table's values */
} tg_group_draft_t;

#define tg_group_fail(d, ...)  tg_error((d)->err, 0, 0, __VA_ARGS__)

typedef enum {
    TG_VALUE_TIME = 0,          /* milliseconds */
    TG_VALUE_COUNT,
    TG_VALUE_PERCENT
} tg_group_kind_t;

/* A number of a directive: an uint32_t at `at` of its struct. */
typedef struct {
    const char       *name;
    tg_group_kind_t   kind;
    bool              off;      /* it may be, which is 0 */
    size_t            at;
    uint32_t          least, most;
    const char       *range;    /* both in the user's words */
} tg_group_value_t;

/* TG_OK: arg was one of the table's, and is at its place; TG_AGAIN: it is none;
 * TG_ERROR. */
int tg_group_value(tg_group_draft_t *d, const tg_group_value_t *table,
    unsigned n, void *of, tg_str_t arg);

/* Once only: a copy of a value, NUL behind it. */
int tg_group_text(tg_group_draft_t *d, const char *name, tg_str_t v,
    tg_str_t *to);

/* host[:port], of what can stand in a Host header or a list of servers. */
bool tg_group_host_ok(tg_str_t s);

/* One server, by what a directive says and what the upstream has: without a
 * scheme, and with or without its usual port. */
bool tg_group_same_server(tg_str_t said, tg_str_t there);
bool tg_group_same_host(tg_str_t url, tg_str_t there);

/* tg_group_conf_backend.c, _check.c, _scale.c: the directives. */
int tg_group_backend(tg_group_draft_t *d, const tg_str_t *args,
    unsigned nargs);
void tg_group_backend_init(tg_backend_conf_t *bc);
int tg_group_check(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs);
void tg_group_check_init(tg_check_conf_t *cc);
int tg_group_balance(tg_group_draft_t *d, const tg_str_t *args,
    unsigned nargs);
int tg_group_dcgm(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs);
int tg_group_scale(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs);

#endif /* TG_GROUP_CONF_INT_H */
