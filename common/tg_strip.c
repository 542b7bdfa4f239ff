#include "tg_strip.h"
#include "tg_json.h"

/*
 * All offsets are those of the body.  What can be seen at a time is the window
 * [base - held, base + n): the bytes held, then the piece.
 */


static void
tg_strip_out(tg_strip_t *s, const char *p, size_t n, bool held)
{
    if (!s->failed && s->handler(s->data, p, n, held) != 0) {
        s->failed = true;
    }
}


static void
tg_strip_flush(tg_strip_t *s)
{
    uint64_t  start = s->run_start, end = s->run_end;

    s->run_start = s->run_end = 0;

    if (start != end) {
        tg_strip_out(s, s->piece + (start - s->base), (size_t) (end - start),
                     false);
    }
}


/* Sends on [start, end), which lies within the window. */

static void
tg_strip_send(tg_strip_t *s, uint64_t start, uint64_t end)
{
    uint64_t  cut;

    if (start < s->base && start < end) {
        cut = end < s->base ? end : s->base;

        tg_strip_out(s, s->hold + (s->held - (size_t) (s->base - start)),
                     (size_t) (cut - start), true);
        start = cut;
    }

    if (start >= end) {
        return;
    }

    if (s->run_end != start || s->run_start == s->run_end) {
        tg_strip_flush(s);
        s->run_start = start;
    }

    s->run_end = end;
}


static char
tg_strip_byte(const tg_strip_t *s, uint64_t offset)
{
    return offset < s->base
           ? s->hold[s->held - (size_t) (s->base - offset)]
           : s->piece[offset - s->base];
}


void
tg_strip_init(tg_strip_t *s, tg_mem_t *mem, tg_strip_handler_t handler,
    void *data)
{
    memset(s, 0, sizeof(tg_strip_t));

    s->mem = mem;
    s->handler = handler;
    s->data = data;
}


void
tg_strip_begin(tg_strip_t *s, const char *p, size_t n)
{
    s->piece = p;
    s->n = n;

    if (n == 0 || !s->after_cr) {
        return;
    }

    s->after_cr = false;

    if (*p == '\n' && s->pos == s->base) {
        if (!s->after_drop) {
            tg_strip_send(s, s->pos, s->pos + 1);
        }
        s->pos++;
    }
}


/* Sends on [pos, end) but for the range to cut, which lies in the event. */

static void
tg_strip_cut(tg_strip_t *s, const tg_answer_event_t *ev)
{
    if (ev->null_start == TG_JSON_NOWHERE) {
        tg_strip_send(s, s->pos, ev->end);
        return;
    }

    if (ev->null_start < s->pos || ev->null_end < ev->null_start
        || ev->null_end > ev->end)
    {
        s->forfeited++;
        tg_strip_send(s, s->pos, ev->end);
        return;
    }

    s->cut++;
    tg_strip_send(s, s->pos, ev->null_start);
    tg_strip_send(s, ev->null_end, ev->end);
}


void
tg_strip_event(void *data, const tg_answer_event_t *ev)
{
    tg_strip_t  *s = data;

    if (ev->end <= s->pos || ev->end > s->base + s->n || ev->start > ev->end) {
        return;
    }

    if (ev->start > s->pos) {
        tg_strip_send(s, s->pos, ev->start);
        s->pos = ev->start;
    }

    s->after_cr = (ev->end > ev->start
                   && tg_strip_byte(s, ev->end - 1) == '\r');
    s->after_drop = (ev->usage_only && !s->pass);

    if (s->after_drop) {
        s->dropped++;

    } else if (ev->usage_only) {
        s->forfeited++;
        tg_strip_send(s, s->pos, ev->end);

    } else {
        tg_strip_cut(s, ev);
    }

    s->pos = ev->end;
    s->pass = false;
}


/* Makes [pos, base + n) the bytes held; false where that can't be. */

static bool
tg_strip_hold(tg_strip_t *s)
{
    size_t       old = 0, new;
    uint64_t     end = s->base + s->n;
    const char  *p;

    if (end - s->pos > TG_STRIP_HOLD_MAX) {
        return false;
    }

    if (s->hold == NULL) {
        s->hold = tg_alloc(s->mem, TG_STRIP_HOLD_MAX);
        if (s->hold == NULL) {
            return false;
        }
    }

    if (s->pos < s->base) {
        old = (size_t) (s->base - s->pos);
        new = s->n;
        p = s->piece;

        if (old != s->held) {
            memmove(s->hold, s->hold + (s->held - old), old);
        }

    } else {
        new = (size_t) (end - s->pos);
        p = s->piece + (s->pos - s->base);
    }

    if (new != 0) {
        memcpy(s->hold + old, p, new);
    }

    s->held = old + new;

    return true;
}


int
tg_strip_end(tg_strip_t *s)
{
    uint64_t  end = s->base + s->n;

    if (s->pos != end) {
        s->after_cr = false;

        if (s->pass || !tg_strip_hold(s)) {
            tg_strip_send(s, s->pos, end);
            s->pos = end;
            s->pass = true;
        }
    }

    tg_strip_flush(s);

    if (s->pos == end) {
        s->held = 0;
    }

    s->base = end;
    s->piece = NULL;
    s->n = 0;

    return s->failed ? TG_ERROR : TG_OK;
}


int
tg_strip_finish(tg_strip_t *s)
{
    tg_strip_send(s, s->pos, s->base);

    s->pos = s->base;
    s->held = 0;

    return s->failed ? TG_ERROR : TG_OK;
}
