/* What guards change in the body: bytes that become others. */

#include "tg_call_guard.h"

#include <stdlib.h>

#define TG_CUTS_FIRST  32

typedef struct {
    tg_guarding_t   *w;
    bool             failed;
    size_t           n;
    size_t           room;
    tg_edit_span_t  *cuts;
    tg_edit_span_t  *last;          /* of redactions */
} tg_cutting_t;


bool
tg_guard_valid(tg_str_t body)
{
    tg_json_t  json;

    tg_json_init(&json, NULL, 0, NULL, NULL);

    return tg_json_feed(&json, body.p, body.len) == TG_OK
           && tg_json_finish(&json) == TG_OK;
}


static int
tg_cut_by_start(const void *a, const void *b)
{
    const tg_range_t  *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}


static int
tg_cut_spans_by_start(const void *a, const void *b)
{
    const tg_edit_span_t  *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}


/* Sorted, and apart. */
static size_t
tg_cut_merge(tg_range_t *r, size_t n)
{
    size_t  kept = 0;

    if (n == 0) {
        return 0;
    }

    qsort(r, n, sizeof(tg_range_t), tg_cut_by_start);

    for (size_t i = 1; i < n; i++) {
        if (r[i].start > r[kept].end) {
            r[++kept] = r[i];

        } else if (r[i].end > r[kept].end) {
            r[kept].end = r[i].end;
        }
    }

    return kept + 1;
}


static tg_edit_span_t *
tg_cut_add(tg_cutting_t *c, size_t start, size_t end)
{
    size_t           room;
    tg_edit_span_t  *cuts;

    if (c->n == c->room) {
        room = c->room == 0 ? TG_CUTS_FIRST : c->room * 2;
        cuts = tg_alloc(c->w->call->mem, room * sizeof(tg_edit_span_t));

        if (cuts == NULL) {
            c->failed = true;
            return NULL;
        }

        if (c->n != 0) {
            memcpy(cuts, c->cuts, c->n * sizeof(tg_edit_span_t));
        }

        c->cuts = cuts;
        c->room = room;
    }

    cuts = &c->cuts[c->n++];
    cuts->start = start;
    cuts->end = end;
    cuts->text = tg_str_null;

    return cuts;
}


/*
 * What takes the place of each byte: a star; in a number, and for digits in
 * JSON within a string, which may be of a number, a 1.
 */
static void
tg_cut_found(void *data, const tg_piece_t *piece, size_t start, size_t end)
{
    char            *to;
    const char      *from;
    tg_cutting_t    *c = data;
    tg_edit_span_t  *span;

    /* A part of a character is all of it, which is done already. */

    if (c->n != 0 && c->cuts[c->n - 1].end > start) {
        start = c->cuts[c->n - 1].end;
    }

    if (start >= end || c->failed) {
        return;
    }

    span = tg_cut_add(c, start, end);
    to = tg_alloc(c->w->call->mem, end - start);

    if (span == NULL || to == NULL) {
        c->failed = true;
        return;
    }

    from = c->w->to->body.p + start;

    for (size_t i = 0; i < end - start; i++) {
        to[i] = piece->kind == TG_PIECE_NUMBER
                || (piece->kind == TG_PIECE_JSON && from[i] >= '0'
                    && from[i] <= '9') ? '1' : '*';
    }

    span->text = tg_str_of(to, end - start);
}


int
tg_guard_cut(tg_guarding_t *w)
{
    size_t        n;
    tg_place_t    place;
    tg_cutting_t  c;
    tg_call_t    *call = w->call;

    memset(&c, 0, sizeof(c));
    memset(&place, 0, sizeof(place));
    c.w = w;

    n = tg_cut_merge(w->found, w->nfound);

    for (size_t i = 0; i < n; i++) {
        tg_prompt_locate(w->prompt, w->to->body, &place, w->found[i].start,
                         w->found[i].end, tg_cut_found, &c);
    }

    for (size_t i = 0; i < w->trim.nranges; i++) {
        (void) tg_cut_add(&c, w->trim.ranges[i].start, w->trim.ranges[i].end);
    }

    if (c.failed || c.n > UINT32_MAX) {
        return tg_call_refuse(call, w->refusal, 503, tg_str("no_memory"),
                              tg_str("no memory for this call"));
    }

    if (tg_request_info(call->request)->root_end == TG_JSON_NOWHERE) {
        return tg_call_refuse(call, w->refusal, 415, w->to->name,
                              tg_str("this body is no JSON object, and can't"
                                     " be changed as the guard wants it"));
    }

    if (c.n != 0) {
        qsort(c.cuts, c.n, sizeof(tg_edit_span_t), tg_cut_spans_by_start);
    }

    call->cuts = c.cuts;
    call->ncuts = (unsigned) c.n;

    return TG_OK;
}
