#include "tg_subjects.h"

/*
 * A row's version is odd while it is written, and another one after; who reads
 * it looks again when he has read.  Who dies while he writes leaves it odd: it
 * can be taken over like any other.
 *
 * A row is looked for at TG_SUBJECT_STEPS places.  A new subject takes an empty
 * one, else one whose window is over, else the one that was silent for longest
 * of those that clients made up: if it is made up itself, after
 * TG_SUBJECT_SILENT. What is configured, and its window not over, stays.
 */
#define TG_SUBJECT_STEPS   16
#define TG_SUBJECT_SILENT  INT64_C(600000)

/* Beyond the window's end it may be looked at for so long. */
#define TG_SUBJECT_LINGER  INT64_C(3600000)

/* Row's `what`: measure, window << 8, and these. */
enum {
    TG_SUBJECT_DRY      = 0x10000,
    TG_SUBJECT_BUDGET   = 0x20000,
    TG_SUBJECT_INVENTED = 0x40000
};


static bool
tg_subject_is(const tg_subject_row_t *row, const unsigned char *key)
{
    uint64_t  k[TG_LEDGER_KEY / 8];

    memcpy(k, key, sizeof(k));

    return atomic_load_explicit(&row->key[0], memory_order_relaxed) == k[0]
           && atomic_load_explicit(&row->key[1], memory_order_relaxed) == k[1]
           && atomic_load_explicit(&row->version, memory_order_acquire) != 0;
}


static unsigned
tg_subject_place(const unsigned char *key, unsigned step)
{
    uint64_t  k;

    memcpy(&k, key, sizeof(k));

    return (unsigned) ((k + step) % TG_SUBJECT_ROWS);
}


static tg_subject_row_t *
tg_subject_find(tg_subjects_t *s, const unsigned char *key)
{
    tg_subject_row_t  *row;

    for (unsigned i = 0; i < TG_SUBJECT_STEPS; i++) {
        row = &s->row[tg_subject_place(key, i)];

        if (tg_subject_is(row, key)) {
            return row;
        }
    }

    return NULL;
}


/* How little a row is worth, 0: it stays. */
static int64_t
tg_subject_worth(const tg_subject_row_t *row, int64_t now, bool invented)
{
    int64_t   reset = atomic_load_explicit(&row->reset, memory_order_relaxed);
    int64_t   last = atomic_load_explicit(&row->last, memory_order_relaxed);
    int64_t   silent = now > last ? now - last : 0;
    uint32_t  what = atomic_load_explicit(&row->what, memory_order_relaxed);

    if (now >= reset && now - reset >= TG_SUBJECT_LINGER) {
        return INT64_MAX / 2 + silent % (INT64_MAX / 2);
    }

    if ((what & TG_SUBJECT_INVENTED) != 0
        && (!invented || silent > TG_SUBJECT_SILENT))
    {
        return 1 + silent;
    }

    return 0;
}


/* The row for a new subject, odd and the caller's; *version is what it was. */
static tg_subject_row_t *
tg_subject_take(tg_subjects_t *s, const tg_ledger_item_t *item, int64_t now,
    uint32_t *version)
{
    bool               invented = (item->flags & TG_LEDGER_INVENTED) != 0;
    int64_t            worth, most = 0;
    uint32_t           v;
    tg_subject_row_t  *row, *found = NULL;

    for (unsigned i = 0; i < TG_SUBJECT_STEPS; i++) {
        row = &s->row[tg_subject_place(item->key, i)];
        v = atomic_load_explicit(&row->version, memory_order_acquire);
        worth = v == 0 ? INT64_MAX : tg_subject_worth(row, now, invented);

        if (worth > most) {
            most = worth;
            found = row;
            *version = v;
        }
    }

    if (found == NULL) {
        (void) atomic_fetch_add_explicit(&s->crowded, 1, memory_order_relaxed);
        return NULL;
    }

    /* Else another has just taken it: the subject's next call may do better. */

    v = (*version + 1) | 1;

    if (!atomic_compare_exchange_strong(&found->version, version, v)) {
        return NULL;
    }

    *version = v;
    atomic_thread_fence(memory_order_release);

    return found;
}


static void
tg_subject_text(tg_subject_row_t *row, const tg_quota_t *q,
    const tg_quota_call_t *call)
{
    char      text[TG_SUBJECT_TEXT];
    size_t    n = q->name.len < TG_SUBJECT_TEXT / 2 ? q->name.len
                                                    : TG_SUBJECT_TEXT / 2;
    size_t    len;
    uint64_t  word;

    memset(text, 0, sizeof(text));

    if (n != 0) {
        memcpy(text, q->name.p, n);
    }

    len = n + tg_quota_subject(text + n, sizeof(text) - n, q, call);

    for (unsigned i = 0; i < TG_SUBJECT_TEXT / 8; i++) {
        memcpy(&word, text + i * 8, 8);
        atomic_store_explicit(&row->text[i], word, memory_order_relaxed);
    }

    atomic_store_explicit(&row->len, (uint64_t) n << 32 | len,
                          memory_order_relaxed);
}


static void
tg_subject_amounts(tg_subject_row_t *row, const tg_ledger_item_t *item)
{
    uint32_t  alert[2] = { 0 };

    memcpy(alert, item->alert, TG_LEDGER_ALERTS_MAX);

    atomic_store_explicit(&row->cap, item->cap, memory_order_relaxed);
    atomic_store_explicit(&row->limit, item->limit, memory_order_relaxed);
    atomic_store_explicit(&row->alert[0], alert[0], memory_order_relaxed);
    atomic_store_explicit(&row->alert[1], alert[1], memory_order_relaxed);
}


static tg_subject_row_t *
tg_subject_begin(tg_subjects_t *s, const tg_quota_items_t *items, unsigned i,
    const tg_quota_call_t *call)
{
    unsigned                 k;
    uint64_t                 key[TG_LEDGER_KEY / 8];
    uint32_t                 version, what;
    tg_subject_row_t        *row;
    const tg_quota_t        *q = items->quota[i];
    const tg_ledger_item_t  *item = &items->items[i];

    row = tg_subject_take(s, item, call->now, &version);
    if (row == NULL) {
        return NULL;
    }

    what = (uint32_t) items->limit[i]->measure
           | (uint32_t) items->limit[i]->window.kind << 8
           | (q->dry_run ? TG_SUBJECT_DRY : 0)
           | (q->budget ? TG_SUBJECT_BUDGET : 0)
           | (item->flags & TG_LEDGER_INVENTED ? TG_SUBJECT_INVENTED : 0);

    memcpy(key, item->key, sizeof(key));

    for (k = 0; k < TG_LEDGER_KEY / 8; k++) {
        atomic_store_explicit(&row->key[k], key[k], memory_order_relaxed);
    }

    for (k = 0; k < TG_BURN_CELLS; k++) {
        atomic_store_explicit(&row->burn.cell[k], 0, memory_order_relaxed);
    }

    atomic_store_explicit(&row->burn.first, 0, memory_order_relaxed);
    atomic_store_explicit(&row->burn.last, 0, memory_order_relaxed);
    atomic_store_explicit(&row->what, what, memory_order_relaxed);
    atomic_store_explicit(&row->idle, items->limit[i]->window.idle_ms,
                          memory_order_relaxed);
    atomic_store_explicit(&row->refused, 0, memory_order_relaxed);
    atomic_store_explicit(&row->dry, 0, memory_order_relaxed);
    atomic_store_explicit(&row->refused_at, 0, memory_order_relaxed);
    tg_subject_amounts(row, item);
    tg_subject_text(row, q, call);
    atomic_store_explicit(&row->version, version + 1, memory_order_release);

    return row;
}


static void
tg_subject_refuse(tg_subject_row_t *row, bool dry, int64_t now)
{
    (void) atomic_fetch_add_explicit(dry ? &row->dry : &row->refused, 1,
                                     memory_order_relaxed);
    atomic_store_explicit(&row->refused_at, now, memory_order_relaxed);
}


void
tg_subjects_held(tg_subjects_t *s, const tg_quota_items_t *items,
    const tg_ledger_state_t *states, int refused, const tg_quota_call_t *call)
{
    tg_subject_row_t        *row;
    const tg_ledger_item_t  *item;

    for (unsigned i = 0; i < items->n; i++) {
        item = &items->items[i];

        if (items->limit[i]->measure == TG_MEASURE_REPEATS) {
            continue;
        }

        row = tg_subject_find(s, item->key);

        if (row == NULL) {
            row = tg_subject_begin(s, items, i, call);
        }

        if (row == NULL) {
            continue;
        }

        atomic_store_explicit(&row->last, call->now, memory_order_relaxed);
        atomic_store_explicit(&row->reset, states[i].reset,
                              memory_order_relaxed);

        if (atomic_load_explicit(&row->cap, memory_order_relaxed) != item->cap
            || atomic_load_explicit(&row->limit, memory_order_relaxed)
               != item->limit)
        {
            tg_subject_amounts(row, item);
        }

        if (refused == (int) i
            || (states[i].dry && items->quota[i]->action != TG_ACTION_ROUTE))
        {
            tg_subject_refuse(row, refused != (int) i, call->now);
        }
    }
}


int64_t
tg_subject_unit(tg_measure_t measure, const tg_window_spec_t *window)
{
    static const int64_t  span[] = {
        [TG_WINDOW_HOUR] = 15 * 60,
        [TG_WINDOW_DAY] = 4 * 3600,
        [TG_WINDOW_WEEK] = 2 * 86400,
        [TG_WINDOW_MONTH] = 7 * 86400,
        [TG_WINDOW_TOTAL] = 7 * 86400,
        [TG_WINDOW_IDLE] = 0
    };

    return measure >= TG_MEASURE_CONCURRENT || window->kind > TG_WINDOW_IDLE
           ? 0 : span[window->kind] * 1000 / (TG_BURN_CELLS - 1);
}


void
tg_subjects_used(tg_subjects_t *s, const unsigned char *key, int64_t actual,
    int64_t now)
{
    int64_t            unit;
    uint32_t           what;
    tg_window_spec_t   window;
    tg_subject_row_t  *row = actual > 0 ? tg_subject_find(s, key) : NULL;

    if (row == NULL) {
        return;
    }

    what = atomic_load_explicit(&row->what, memory_order_relaxed);
    window.kind = (tg_window_kind_t) (what >> 8 & 0xff);
    unit = tg_subject_unit((tg_measure_t) (what & 0xff), &window);

    if (unit != 0) {
        tg_burn_add(&row->burn, unit, now, actual);
    }
}


/* False: it was changed meanwhile, or is nobody's. */
static bool
tg_subject_read(const tg_subject_row_t *row, tg_subject_view_t *v,
    uint64_t *len)
{
    uint64_t  word, key[TG_LEDGER_KEY / 8];
    uint32_t  what, version;

    version = atomic_load_explicit(&row->version, memory_order_acquire);

    if (version == 0 || version % 2 != 0) {
        return false;
    }

    for (unsigned i = 0; i < TG_LEDGER_KEY / 8; i++) {
        key[i] = atomic_load_explicit(&row->key[i], memory_order_relaxed);
    }

    memcpy(v->key, key, sizeof(key));
    what = atomic_load_explicit(&row->what, memory_order_relaxed);
    v->measure = (tg_measure_t) (what & 0xff);
    v->window.kind = (tg_window_kind_t) (what >> 8 & 0xff);
    v->window.idle_ms = atomic_load_explicit(&row->idle, memory_order_relaxed);
    v->dry_run = (what & TG_SUBJECT_DRY) != 0;
    v->budget = (what & TG_SUBJECT_BUDGET) != 0;
    v->invented = (what & TG_SUBJECT_INVENTED) != 0;
    v->cap = atomic_load_explicit(&row->cap, memory_order_relaxed);
    v->limit = atomic_load_explicit(&row->limit, memory_order_relaxed);
    v->last = atomic_load_explicit(&row->last, memory_order_relaxed);
    v->refused = atomic_load_explicit(&row->refused, memory_order_relaxed);
    v->dry = atomic_load_explicit(&row->dry, memory_order_relaxed);
    v->refused_at = atomic_load_explicit(&row->refused_at,
                                         memory_order_relaxed);
    *len = atomic_load_explicit(&row->len, memory_order_relaxed);

    for (unsigned i = 0; i < TG_SUBJECT_TEXT / 8; i++) {
        word = atomic_load_explicit(&row->text[i], memory_order_relaxed);
        memcpy(v->text + i * 8, &word, 8);
    }

    atomic_thread_fence(memory_order_acquire);

    return atomic_load_explicit(&row->version, memory_order_relaxed)
           == version;
}


bool
tg_subjects_each(const tg_subjects_t *s, int64_t now, unsigned *i,
    tg_subject_view_t *v)
{
    size_t                   n, all;
    int64_t                  unit;
    uint64_t                 len;
    const tg_subject_row_t  *row;

    while (*i < TG_SUBJECT_ROWS) {
        row = &s->row[(*i)++];

        if (!tg_subject_read(row, v, &len)) {
            continue;
        }

        n = len >> 32;
        all = len & UINT32_MAX;

        if (all > TG_SUBJECT_TEXT || n > all || v->measure >= TG_MEASURES
            || v->window.kind > TG_WINDOW_IDLE)
        {
            continue;
        }

        v->quota = tg_str_of(v->text, n);
        v->subject = tg_str_of(v->text + n, all - n);
        memset(&v->burned, 0, sizeof(v->burned));
        unit = tg_subject_unit(v->measure, &v->window);

        if (unit != 0) {
            tg_burn_recent(&row->burn, unit, now, &v->burned);
        }

        return true;
    }

    return false;
}


bool
tg_subject_state(const tg_subject_view_t *subject, const tg_ledger_t *ledger,
    const tg_zone_t *zone, int64_t now, tg_ledger_state_t *state)
{
    tg_ledger_item_t    item;
    tg_ledger_entry_t   entry;
    tg_ledger_result_t  r;

    if (tg_ledger_read(ledger, subject->key, &entry) != TG_LEDGER_OK) {
        return false;
    }

    memset(&item, 0, sizeof(item));
    memcpy(item.key, subject->key, TG_LEDGER_KEY);
    item.cap = subject->cap;
    item.limit = subject->limit;
    item.idle_ms = subject->window.idle_ms;

    if (subject->measure == TG_MEASURE_CONCURRENT) {
        item.flags = TG_LEDGER_CONCURRENT;
    }

    tg_window_at(&subject->window, zone, now, &item.window);
    r.nstates = 0;
    (void) tg_ledger_look(ledger, now, &item, 1, &r);

    if (r.nstates != 1) {
        return false;
    }

    *state = r.states[0];

    return true;
}


void
tg_subject_forecast(const tg_subject_view_t *subject,
    const tg_ledger_state_t *state, int64_t now, tg_subject_forecast_t *f)
{
    int64_t             in;
    const tg_burned_t  *burned = &subject->burned;

    memset(f, 0, sizeof(tg_subject_forecast_t));
    f->out = TG_WINDOW_NEVER;

    if (subject->measure != TG_MEASURE_CONCURRENT
        && state->used >= state->limit)
    {
        f->out = now;
    }

    if (tg_subject_unit(subject->measure, &subject->window) == 0
        || burned->span == 0)
    {
        return;
    }

    f->known = true;
    f->over = burned->span;
    f->daily = tg_burned_in(burned, INT64_C(86400000));

    if (state->reset != TG_WINDOW_NEVER) {
        f->at_reset = tg_money_add(state->used,
                                   tg_burned_in(burned, state->reset - now));
    }

    in = tg_burned_until(burned, state->limit - state->used);

    if (in < INT64_MAX - now && now + in < state->reset) {
        f->out = now + in;
    }
}
