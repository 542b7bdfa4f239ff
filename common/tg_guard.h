/*
 * tg_guard.h - llm_guard: what calls may say, how much of it, and from where;
 * as it is configured.
 *
 * Guards are looked at in the order in which they are declared; what each of
 * them does is in docs/guards.md, and how in tg_call_guard.c.
 */

#ifndef TG_GUARD_H
#define TG_GUARD_H

#include "tg_expr.h"
#include "tg_guard_regex.h"
#include "tg_pii.h"

#define TG_GUARDS_MAX           64
#define TG_GUARD_REGEXES_MAX    16      /* of each kind, of one guard */
#define TG_GUARD_COUNTRIES_MAX  256

/* For all of a call's guards together. */
#define TG_GUARD_DEADLINE_NS    (100 * 1000000)

typedef enum {
    TG_GUARD_DEFAULT = 0,       /* not said: output_tokens= caps, trim= trims,
                                   all else rejects */
    TG_GUARD_REJECT,
    TG_GUARD_REDACT,
    TG_GUARD_FLAG,
    TG_GUARD_CAP
} tg_guard_action_t;

typedef struct {
    tg_str_t            name;
    tg_expr_t          *when;           /* NULL: always */
    int64_t             input_tokens;   /* 0: not said, in all of these */
    int64_t             output_tokens;
    int64_t             trim;
    unsigned            ndeny;
    tg_regex_t         *deny[TG_GUARD_REGEXES_MAX];
    unsigned            nallow;
    tg_regex_t         *allow[TG_GUARD_REGEXES_MAX];
    unsigned            pii;            /* bit tg_pii_t */
    unsigned            ncountries;
    char              (*countries)[2];
    tg_guard_action_t   action;
    bool                dry_run;
} tg_guard_t;

/* Of a configuration; a zeroed one is empty. */
typedef struct {
    unsigned            n;
    tg_guard_t         *list[TG_GUARDS_MAX];
} tg_guards_t;

/* The arguments of llm_guard. TG_OK, TG_ERROR. */
int tg_guards_add(tg_guards_t *guards, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err);

/* Frees the machine code of regexes. */
void tg_guards_destroy(tg_guards_t *guards);

/* True where the guard looks at the prompt's text. */
static inline bool
tg_guard_reads(const tg_guard_t *g)
{
    return g->ndeny != 0 || g->nallow != 0 || g->pii != 0;
}

#endif /* TG_GUARD_H */
