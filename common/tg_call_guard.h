/*
 * tg_call_guard.h - guards at work on one call, for tg_call_guard*.c only.
 */

#ifndef TG_CALL_GUARD_H
#define TG_CALL_GUARD_H

#include "tg_call_int.h"
#include "tg_trim.h"

#include <stdarg.h>
#include <stdio.h>

#define TG_GUARD_TEXT_MAX     400       /* of a refusal */
#define TG_GUARD_FOUND_FIRST  32
#define TG_GUARD_FOUND_MAX    65536     /* parts that are overwritten */
#define TG_GUARD_STEP         (256 * 1024)  /* bytes between looks at the
                                           clock */

typedef struct {
    tg_call_t        *call;
    const tg_gate_t  *gate;
    int64_t           now;          /* milliseconds */
    tg_refusal_t     *refusal;
    tg_guarded_t     *to;
    bool              dry;          /* all of the location is */
    int64_t           tokens;       /* of input, estimated */

    const tg_prompt_t  *prompt;     /* without what is trimmed; NULL: nobody
                                       asked for it */
    tg_prompt_t       shorter;      /* where something is */
    tg_trim_t         trim;
    tg_search_t      *search;       /* NULL: not begun */

    unsigned          hits;         /* of the guard at work */
    bool              full;         /* no room for more of them */
    size_t            nfound;       /* of the text, to be overwritten */
    size_t            room;
    tg_range_t       *found;
} tg_guarding_t;

void tg_guard_note(tg_guarding_t *w, const tg_guard_t *g, tg_guard_did_t did);
int tg_guard_refuse(tg_guarding_t *w, const tg_guard_t *g, unsigned status,
    const char *why, ...) __attribute__((format(printf, 4, 5)));

/* tg_call_guard_text.c: NULL on exhaustion. */
tg_guarded_t *tg_call_guarded(tg_call_t *call);

/* The whole body, asked for once; TG_ERROR and to->err where it can't be looked
 * into. */
int tg_guard_body(tg_call_t *call, tg_guarded_t *to);

/* What the guard looks for in the text; as tg_call_refuse(). */
int tg_guard_text(tg_guarding_t *w, const tg_guard_t *g);

/* tg_call_guard_cut.c: fills call->cuts. TG_ERROR: refused. */
int tg_guard_cut(tg_guarding_t *w);
bool tg_guard_valid(tg_str_t body);

#endif /* TG_CALL_GUARD_H */
