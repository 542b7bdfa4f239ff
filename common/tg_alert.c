#include "tg_alert.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>


void
tg_alert_init(tg_alert_t *a, const tg_quota_items_t *items, unsigned i,
    const tg_ledger_state_t *state, tg_str_t subject, int64_t now)
{
    const tg_ledger_item_t  *item = &items->items[i];

    memset(a, 0, sizeof(*a));
    memcpy(a->key, item->key, sizeof(a->key));
    memcpy(a->alert, item->alert, sizeof(a->alert));
    a->quota = items->quota[i];
    a->limit = items->limit[i];
    a->subject = subject;
    a->window = state->window;
    a->reset = state->reset;
    a->used = (item->flags & TG_LEDGER_CONCURRENT) ? state->held : state->used;
    a->cap = state->cap;
    a->dry_run = (item->flags & TG_LEDGER_DRY_RUN) != 0;
    a->bits = state->crossed;
    a->time = now;
}


void
tg_alert_entry(tg_alert_t *a, const tg_ledger_entry_t *e, bool before,
    int64_t now)
{
    memset(a, 0, sizeof(*a));
    memcpy(a->key, e->key, sizeof(a->key));
    memcpy(a->alert, e->alert, sizeof(a->alert));
    a->time = now;
    a->cap = e->raise_until > now ? tg_money_add(e->cap, e->raise) : e->cap;
    a->cap = a->cap > 0 ? a->cap : 0;

    if (before) {
        a->window = e->before;
        a->reset = e->window;
        a->used = e->concurrent ? e->before_held : e->before_used;
        a->bits = e->before_pending;

    } else {
        a->window = e->window;
        a->reset = e->reset;
        a->used = e->concurrent ? e->held : e->used;
        a->bits = e->pending;
    }
}


static void
tg_alert_id(tg_alert_t *a)
{
    static const char  hex[] = "0123456789abcdef";

    uint64_t       window = (uint64_t) a->window;
    unsigned char  text[TG_LEDGER_KEY + 9], digest[SHA256_DIGEST_LENGTH];

    memcpy(text, a->key, TG_LEDGER_KEY);

    for (unsigned i = 0; i < 8; i++) {
        text[TG_LEDGER_KEY + i] = (unsigned char) (window >> (56 - 8 * i));
    }

    text[TG_LEDGER_KEY + 8] = (unsigned char) a->percent;
    (void) SHA256(text, sizeof(text), digest);

    memcpy(a->id, "alert_", 6);

    for (unsigned i = 0; i < TG_ALERT_ID_LEN - 6; i++) {
        a->id[6 + i] = hex[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    }
}


/* Whether less than that part of the cap is used. */
static bool
tg_alert_below(const tg_alert_t *a, unsigned percent)
{
    return (__int128) a->used * 100 < (__int128) a->cap * percent;
}


bool
tg_alert_next(tg_alert_t *a)
{
    bool  latched = (a->bits & TG_LEDGER_LATCHED) != 0;

    for (unsigned i = 0; i < TG_LEDGER_ALERTS_MAX; i++) {
        if (!(a->bits & 1u << i)) {
            continue;
        }

        a->bits &= (uint8_t) ~(1u << i);
        a->percent = a->alert[i];
        a->kind = a->percent == 100 && tg_alert_below(a, 100)
                  ? TG_ALERT_REFUSED : TG_ALERT_THRESHOLD;

        /* alert= was changed since; or the latch below says the same. */
        if (a->percent == 0 || (latched && a->kind == TG_ALERT_REFUSED)) {
            continue;
        }

        tg_alert_id(a);
        return true;
    }

    if (latched) {
        a->bits = 0;
        a->percent = 0;
        a->kind = TG_ALERT_LATCHED;
        tg_alert_id(a);
        return true;
    }

    return false;
}
