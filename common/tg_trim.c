#include "tg_trim_int.h"
#include "tg_usage_read.h"

/* An exchange, or a step of one: turns from `first` to before `end`. */
typedef struct {
    unsigned  first, end;
    bool      fixed;
    int64_t   tokens;
    int64_t   open;         /* calls without results; below 0: the other way */
} tg_run_t;


int64_t
tg_trim_estimate(uint64_t bytes, uint64_t media, uint64_t pictures)
{
    bytes -= media < bytes ? media : bytes;
    pictures = pictures < UINT32_MAX ? pictures : UINT32_MAX;

    return (int64_t) ((bytes + TG_ESTIMATE_BYTES_PER_TOKEN - 1)
                      / TG_ESTIMATE_BYTES_PER_TOKEN
                      + pictures * TG_TRIM_PICTURE);
}


/* Turns from `first` up to where another exchange (or step) begins. */
static void
tg_trim_run(const tg_turns_t *turns, unsigned first, unsigned stop, bool steps,
    tg_run_t *run)
{
    bool              results = false;
    const tg_turn_t  *t;

    memset(run, 0, sizeof(tg_run_t));
    run->first = first;

    for (run->end = first; run->end < stop; run->end++) {
        t = &turns->turn[run->end];

        if (t->kind == TG_TURN_SYSTEM) {
            continue;
        }

        if (run->end != first
            && (t->kind == TG_TURN_USER
                || (steps && results && t->kind != TG_TURN_RESULT)))
        {
            break;
        }

        results |= t->kind == TG_TURN_RESULT;
        run->fixed |= t->kind == TG_TURN_FIXED;
        run->tokens += t->tokens;
        run->open += (int64_t) t->calls - (int64_t) t->results;
    }
}


/* The same, with those behind it that go on with its calls. */
static void
tg_trim_whole(const tg_turns_t *turns, unsigned first, unsigned stop,
    bool steps, tg_run_t *run)
{
    tg_run_t  next;

    tg_trim_run(turns, first, stop, steps, run);

    while (run->end < stop) {
        tg_trim_run(turns, run->end, stop, steps, &next);

        /* A result that answers a call of before is open the other way. */

        if (run->open == 0 && next.open >= 0) {
            break;
        }

        run->end = next.end;
        run->fixed |= next.fixed;
        run->tokens += next.tokens;
        run->open += next.open;
    }
}


static void
tg_trim_drop(tg_trim_t *trim, tg_turns_t *turns, const tg_run_t *run)
{
    for (unsigned i = run->first; i < run->end; i++) {
        if (turns->turn[i].kind != TG_TURN_SYSTEM) {
            turns->turn[i].dropped = true;
            trim->dropped++;
        }
    }

    trim->tokens += run->tokens;
}


/* Where the last exchange begins: at a user's message. */
static unsigned
tg_trim_last(const tg_turns_t *turns)
{
    unsigned  i;

    for (i = turns->n; i > 0 && turns->turn[i - 1].kind != TG_TURN_USER; i--)
    { /* void */ }

    return i == 0 ? 0 : i - 1;
}


static void
tg_trim_exchanges(tg_trim_t *trim, tg_turns_t *turns, unsigned last,
    int64_t over)
{
    tg_run_t  run;

    for (unsigned i = 0; i < last && trim->tokens < over; i = run.end) {
        tg_trim_whole(turns, i, turns->n, false, &run);

        /* It has to do with the last one, or can't be told from it. */

        if (run.end > last || run.fixed || run.open != 0) {
            return;
        }

        tg_trim_drop(trim, turns, &run);
    }
}


static void
tg_trim_steps(tg_trim_t *trim, tg_turns_t *turns, unsigned last, int64_t over)
{
    tg_run_t  run;

    if (last == turns->n || turns->turn[last].kind != TG_TURN_USER) {
        return;
    }

    for (unsigned i = last + 1; i < turns->n && trim->tokens < over;
         i = run.end)
    {
        tg_trim_whole(turns, i, turns->n, true, &run);

        if (run.end == turns->n || run.fixed || run.open != 0) {
            return;
        }

        tg_trim_drop(trim, turns, &run);
    }
}


/* With the comma before them; those that nothing is left before, with the one
 * behind. */
static int
tg_trim_ranges(tg_trim_t *trim, tg_mem_t *mem, const tg_turns_t *turns)
{
    bool              kept = false;
    size_t            start, end;
    tg_range_t       *r;
    const tg_turn_t  *t;

    trim->ranges = tg_alloc(mem, trim->dropped * sizeof(tg_range_t));
    if (trim->ranges == NULL) {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < turns->n; i++) {
        t = &turns->turn[i];

        if (!t->dropped) {
            kept = true;
            continue;
        }

        start = kept ? turns->turn[i - 1].comma : t->start;
        end = kept ? t->end : t->comma + 1;
        r = trim->nranges == 0 ? NULL : &trim->ranges[trim->nranges - 1];

        if (r != NULL && r->end >= start) {
            r->end = end;

        } else {
            trim->ranges[trim->nranges++] = (tg_range_t) { start, end };
        }
    }

    return TG_OK;
}


int
tg_trim_plan(tg_trim_t *trim, tg_mem_t *mem, tg_str_t body, int64_t tokens,
    int64_t most)
{
    int         rc;
    unsigned    last;
    tg_turns_t  turns;

    memset(trim, 0, sizeof(tg_trim_t));

    if (tokens <= most) {
        return TG_OK;
    }

    rc = tg_trim_read(&turns, mem, body);

    if (rc != TG_OK) {
        return rc == TG_TRIM_NONE ? TG_OK : TG_ERROR;
    }

    last = tg_trim_last(&turns);
    tg_trim_exchanges(trim, &turns, last, tokens - most);

    /* Steps of the last one only where nothing before it is left. */

    for (unsigned i = 0; i < last; i++) {
        if (!turns.turn[i].dropped && turns.turn[i].kind != TG_TURN_SYSTEM) {
            last = turns.n;
        }
    }

    tg_trim_steps(trim, &turns, last, tokens - most);

    return trim->dropped == 0 ? TG_OK : tg_trim_ranges(trim, mem, &turns);
}
