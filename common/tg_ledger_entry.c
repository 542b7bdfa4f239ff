#include "tg_ledger_int.h"

int64_t
tg_led_add(int64_t a, int64_t b)
{
    int64_t  sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }

    return sum;
}


static int64_t
tg_led_take(int64_t a, int64_t b)
{
    return a > b ? a - b : 0;
}


int64_t
tg_led_raised(const tg_led_entry_t *e, int64_t amount, int64_t now)
{
    if (e->raise == 0 || now >= e->raise_until) {
        return amount;
    }

    amount = tg_led_add(amount, e->raise);

    return amount > 0 ? amount : 0;
}


bool
tg_led_item_valid(const tg_ledger_item_t *item)
{
    return item->amount >= 0 && item->cap >= 0 && item->limit >= 0
           && item->idle_ms >= 0 && item->idle_ms <= TG_WINDOW_IDLE_MAX
           && (item->idle_ms > 0 || item->window.start < item->window.end);
}


/* Where the entry's window will begin for this item; its own: as it is. */
static int64_t
tg_led_window(const tg_led_entry_t *e, const tg_ledger_item_t *item,
    int64_t now)
{
    if (item->idle_ms > 0) {
        if (e->opens != 0 || e->until > now || e->window == INT64_MAX) {
            return e->window;
        }

        return now > e->window ? now : e->window + 1;
    }

    return item->window.start > e->window ? item->window.start : e->window;
}


void
tg_led_view(const tg_led_entry_t *e, const tg_ledger_item_t *item, int64_t now,
    tg_ledger_state_t *state)
{
    memset(state, 0, sizeof(*state));
    state->cap = item->cap;
    state->limit = item->limit;

    if (item->idle_ms > 0) {
        state->window = now;
        state->reset = tg_led_add(now, item->idle_ms);

    } else {
        state->window = item->window.start;
        state->reset = item->window.end;
    }

    if (e == NULL) {
        return;
    }

    state->cap = tg_led_raised(e, item->cap, now);
    state->limit = tg_led_raised(e, item->limit, now);
    state->latched = (e->flags & TG_LED_CLOSED) != 0;

    if (tg_led_window(e, item, now) == e->window) {
        state->used = e->used;
        state->held = e->held;

        if (item->idle_ms > 0 || item->window.start != e->window) {
            state->window = e->window;
            state->reset = e->until;
        }
    }

    if (state->latched) {
        state->reset = TG_WINDOW_NEVER;
    }
}


void
tg_led_roll(tg_led_entry_t *e, const tg_ledger_item_t *item, int64_t now)
{
    int64_t  window = tg_led_window(e, item, now);

    if (window != e->window) {
        e->before = e->window;
        e->pused = e->used;
        e->pheld = e->held;
        e->ppending = e->pending;
        e->window = window;
        e->used = 0;
        e->held = 0;
        e->crossed = 0;
        e->pending = 0;
    }

    if (item->idle_ms > 0) {
        tg_led_touch(e, now, item->idle_ms);

    } else if (item->window.start == window) {
        e->until = item->window.end;
    }
}


void
tg_led_touch(tg_led_entry_t *e, int64_t now, int64_t idle_ms)
{
    int64_t  until = tg_led_add(now, idle_ms);

    if (until > e->until) {
        e->until = until;
    }
}


void
tg_led_declare(tg_led_entry_t *e, const tg_ledger_item_t *item)
{
    e->cap = item->cap;
    e->limit = item->limit;
    memcpy(e->alert, item->alert, sizeof(e->alert));

    if (item->flags & TG_LEDGER_CONCURRENT) {
        e->flags |= TG_LED_CONCURRENT;
    }
}


uint8_t
tg_led_cross(tg_led_entry_t *e, int64_t now, bool refused)
{
    uint8_t            bits = 0, bit = 1;
    unsigned __int128  used = (unsigned __int128) e->used * 100;
    uint64_t           cap = (uint64_t) tg_led_raised(e, e->cap, now);

    if (e->flags & TG_LED_FLEET) {
        return 0;
    }

    for (unsigned i = 0; i < TG_LEDGER_ALERTS_MAX && e->alert[i] != 0; i++) {
        if ((used > 0 && used >= (unsigned __int128) cap * e->alert[i])
            || (refused && e->alert[i] == 100))
        {
            bits |= bit;
        }

        bit = (uint8_t) (bit << 1);
    }

    bits &= (uint8_t) ~e->crossed;
    e->crossed |= bits;
    e->pending |= bits;

    return bits;
}


bool
tg_led_entry_settle(tg_led_entry_t *e, const tg_led_item_t *item, int64_t now,
    int64_t actual, tg_ledger_state_t *state)
{
    bool  sound = e->opens > 0;

    memset(state, 0, sizeof(*state));
    state->window = item->window;
    state->cap = tg_led_raised(e, e->cap, now);
    state->limit = tg_led_raised(e, e->limit, now);
    state->latched = (e->flags & TG_LED_CLOSED) != 0;

    e->opens -= e->opens > 0;

    if (item->flags >> TG_LED_ITEM_SHIFT) {
        tg_led_touch(e, now,
                     (int64_t) (item->flags >> TG_LED_ITEM_SHIFT) * 1000);
    }

    if (item->window == e->window) {
        sound = sound && e->held >= item->amount;
        e->held = tg_led_take(e->held, item->amount);
        e->used = tg_led_add(e->used, actual);
        state->used = e->used;
        state->held = e->held;
        state->reset = e->until;
        state->crossed = tg_led_cross(e, now, false);

    } else if (item->window == e->before) {
        sound = sound && e->pheld >= item->amount;
        e->pheld = tg_led_take(e->pheld, item->amount);
        e->pused = tg_led_add(e->pused, actual);
        state->used = e->pused;
        state->held = e->pheld;
        state->reset = e->window;

    } else {
        state->used = actual;
        state->reset = e->before;
    }

    return sound;
}
