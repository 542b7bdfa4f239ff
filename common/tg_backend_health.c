#include "tg_backend_int.h"


tg_str_t
tg_backend_state_name(tg_backend_state_t state)
{
    static const tg_str_t  names[TG_BACKEND_STATES] = {
        [TG_BACKEND_NEW] = TG_STR("new"),
        [TG_BACKEND_UP] = TG_STR("up"),
        [TG_BACKEND_DOWN] = TG_STR("down"),
        [TG_BACKEND_LOADING] = TG_STR("loading"),
        [TG_BACKEND_STALLED] = TG_STR("stalled"),
        [TG_BACKEND_SLEEPING] = TG_STR("sleeping")
    };

    return (unsigned) state < TG_BACKEND_STATES ? names[state]
                                                : tg_str("unknown");
}


static tg_group_t *
tg_be_group_of(tg_backends_t *t, tg_backend_t *b)
{
    uint32_t  place = atomic_load(&b->group);

    return place != 0 && place <= TG_GROUPS_MAX ? &t->groups[place - 1] : NULL;
}


/* The moment and the reason of a change go where its time does. */
static void
tg_be_turned(tg_backends_t *t, tg_backend_t *b, tg_str_t why, int64_t now)
{
    char      text[TG_BACKEND_WHY_MAX] = "";
    uint64_t  lock = tg_be_lock(t, b, -1);

    if (lock == 0) {
        tg_be_sync(t, b, now);
        return;
    }

    if (why.len > sizeof(text) - 1) {
        why.len = sizeof(text) - 1;
    }

    if (why.len > 0) {
        memcpy(text, why.p, why.len);
    }

    tg_be_put(&b->why, text);
    tg_be_sum_up(t, b, now);
    tg_be_unlock(t, b, lock);
}


bool
tg_be_turn(tg_backends_t *t, tg_backend_t *b, uint64_t *from,
    tg_be_health_t to, tg_str_t why, int64_t now)
{
    tg_backend_state_t  was = tg_be_health(*from).state;

    /* Before anybody sees that it has turned. */

    if (to.state != was) {
        atomic_store(&b->since, now);
    }

    if (to.state != TG_BACKEND_DOWN && to.state != TG_BACKEND_STALLED) {
        to.ejected = false;
    }

    if (!atomic_compare_exchange_strong(&b->health, from,
                                        tg_be_health_word(to)))
    {
        return false;
    }

    if (to.state == was) {
        return true;
    }

    /* What was cold is not given its full share at once, and has nothing in its
     * cache. */

    if (to.state == TG_BACKEND_UP) {
        if (was != TG_BACKEND_NEW) {
            atomic_store(&b->ramp, now);
        }

    } else if (to.state != TG_BACKEND_STALLED) {
        atomic_fetch_add(&b->epoch, 1);
    }

    tg_be_turned(t, b, to.state == TG_BACKEND_UP ? tg_str_null : why, now);

    return true;
}


static uint32_t
tg_be_least(uint32_t n)
{
    return n > 0 ? n : 1;
}


/* Too many failures in a row are the end. */
static void
tg_be_fell(tg_be_health_t *h, const tg_check_conf_t *cc)
{
    if (h->checks + h->calls >= tg_be_least(cc->fall)) {
        h->state = TG_BACKEND_DOWN;
    }
}


static void
tg_be_checked_ok(tg_be_health_t *h, const tg_check_conf_t *cc)
{
    h->checks = 0;
    h->rises++;

    switch (h->state) {

    case TG_BACKEND_NEW:
        h->state = TG_BACKEND_UP;
        break;

    case TG_BACKEND_DOWN:
    case TG_BACKEND_LOADING:
        if (h->rises >= tg_be_least(cc->rise)) {
            h->state = TG_BACKEND_UP;
            h->calls = 0;
        }

        break;

    default:
        /* A stalled one says that it is well all the time. */
        break;
    }
}


/* since: the first of such answers in a row. */
static void
tg_be_checked_loading(tg_be_health_t *h, const tg_check_conf_t *cc,
    int64_t since, int64_t now)
{
    h->rises = 0;

    if (now - since > (int64_t) cc->loading * TG_BE_MS) {
        if (h->state != TG_BACKEND_DOWN) {
            h->checks++;
            tg_be_fell(h, cc);
        }

        return;
    }

    h->checks = 0;
    h->state = TG_BACKEND_LOADING;
}


void
tg_backend_checked(tg_backends_t *t, tg_backend_t *b,
    tg_health_answer_t answer, tg_str_t why, const tg_check_conf_t *cc,
    int64_t now)
{
    int64_t             loading = 0;
    uint64_t            word = atomic_load(&b->health);
    tg_be_health_t      h;
    tg_backend_state_t  was;

    if (answer == TG_HEALTH_LOADING) {
        loading = atomic_load(&b->loading);
        loading = loading != 0 ? loading : now;
    }

    atomic_store(&b->loading, loading);
    atomic_store(&b->checked, now);

    do {
        h = tg_be_health(word);
        was = h.state;

        switch (answer) {

        case TG_HEALTH_OK:
            tg_be_checked_ok(&h, cc);
            break;

        case TG_HEALTH_LOADING:
            tg_be_checked_loading(&h, cc, loading, now);

            if (h.state == TG_BACKEND_DOWN) {
                why = tg_str("it has been loading its model for too long");
            }

            break;

        default:
            h.rises = 0;
            h.checks++;
            tg_be_fell(&h, cc);
        }

    } while (!tg_be_turn(t, b, &word, h, why, now));

    if (h.state != was) {
        tg_group_t  *g = tg_be_group_of(t, b);

        if (g != NULL) {
            tg_be_eject(t, g, cc);
        }
    }
}


void
tg_be_came(tg_backends_t *t, tg_backend_t *b, tg_came_t came,
    const tg_check_conf_t *cc, int64_t now)
{
    uint64_t         word = atomic_load(&b->health);
    tg_group_t      *g;
    tg_be_health_t   h;

    if (came == TG_CAME_CUT) {
        return;
    }

    atomic_fetch_add_explicit(came == TG_CAME_FAILED ? &b->failed : &b->served,
                              1, memory_order_relaxed);

    if (came == TG_CAME_BUSY) {
        return;
    }

    do {
        h = tg_be_health(word);

        if (came == TG_CAME_OK) {

            /* Mostly there is nothing to write.  It excuses no failed check: a
             * server that is to go says so there, and still answers. */

            if (h.calls == 0 || h.state == TG_BACKEND_DOWN) {
                return;
            }

            h.calls = 0;

        } else {
            if (h.state == TG_BACKEND_DOWN || h.state == TG_BACKEND_LOADING
                || h.state == TG_BACKEND_SLEEPING)
            {
                return;
            }

            h.calls++;
            h.rises = 0;
            tg_be_fell(&h, cc);
        }

    } while (!tg_be_turn(t, b, &word, h, tg_str("calls have failed"), now));

    if (h.state == TG_BACKEND_DOWN) {
        g = tg_be_group_of(t, b);

        if (g != NULL) {
            tg_be_eject(t, g, cc);
        }
    }
}


void
tg_be_retry(tg_backends_t *t, tg_backend_t *b, const tg_check_conf_t *cc,
    int64_t now)
{
    uint64_t        word = atomic_load(&b->health);
    tg_be_health_t  h = tg_be_health(word);

    if (cc->on || h.state == TG_BACKEND_NEW || h.state == TG_BACKEND_UP
        || now - atomic_load(&b->since) < TG_BE_RETRY)
    {
        return;
    }

    /* Pages tell when that is over. */

    if ((h.state == TG_BACKEND_SLEEPING || h.state == TG_BACKEND_STALLED)
        && now - atomic_load(&b->scraped) <= tg_be_stale(cc))
    {
        return;
    }

    /* One more failure, and it is down again. */

    h.state = TG_BACKEND_UP;
    h.checks = 0;
    h.calls = tg_be_least(cc->fall) - 1;
    (void) tg_be_turn(t, b, &word, h, tg_str_null, now);
}


/* Those out of order, by how long they are; places in the table. */
typedef struct {
    unsigned  n;                        /* of the upstream */
    unsigned  nbad;
    uint16_t  bad[TG_BACKENDS_MAX];
    int64_t   since[TG_BACKENDS_MAX];
} tg_be_bad_t;


static void
tg_be_ejected(tg_backend_t *b, bool ejected)
{
    uint64_t        word = atomic_load(&b->health);
    tg_be_health_t  h;

    do {
        h = tg_be_health(word);

        if (h.ejected == ejected
            || (ejected && h.state != TG_BACKEND_DOWN
                && h.state != TG_BACKEND_STALLED))
        {
            return;
        }

        h.ejected = ejected;

    } while (!atomic_compare_exchange_weak(&b->health, &word,
                                           tg_be_health_word(h)));

    if (ejected) {
        atomic_fetch_add(&b->ejections, 1);
    }
}


static void
tg_be_look(tg_backends_t *t, tg_group_t *g, tg_be_bad_t *all)
{
    tg_backend_t        *b;
    tg_backend_state_t   state;

    all->n = 0;
    all->nbad = 0;

    for (unsigned i = 0; (b = tg_group_backend_at(t, g, i)) != NULL; i++) {
        if (!tg_be_configured(t, b)) {
            continue;
        }

        all->n++;
        state = tg_be_health(atomic_load(&b->health)).state;

        if (state == TG_BACKEND_DOWN || state == TG_BACKEND_STALLED) {
            all->bad[all->nbad] = (uint16_t) tg_be_index(t, b);
            all->since[all->nbad] = atomic_load(&b->since);
            all->nbad++;
        }
    }
}


void
tg_be_eject(tg_backends_t *t, tg_group_t *g, const tg_check_conf_t *cc)
{
    unsigned     most, before;
    tg_be_bad_t  all;

    tg_be_look(t, g, &all);

    most = (unsigned) ((uint64_t) all.n * cc->max_ejected / 100);

    if (most == 0 && all.n >= 2 && cc->max_ejected > 0) {
        most = 1;
    }

    for (unsigned i = 0; i < all.nbad; i++) {
        before = 0;

        for (unsigned k = 0; k < all.nbad; k++) {
            before += all.since[k] < all.since[i]
                      || (all.since[k] == all.since[i] && k < i);
        }

        tg_be_ejected(&t->backends[all.bad[i]], before < most);
    }
}


void
tg_backend_drain(tg_backends_t *t, tg_backend_t *b, tg_drain_t drain,
    int64_t now)
{
    uint64_t        word = atomic_load(&b->health);
    tg_be_health_t  h;

    (void) t;
    (void) now;

    do {
        h = tg_be_health(word);
        h.drain = drain;

    } while (!atomic_compare_exchange_weak(&b->health, &word,
                                           tg_be_health_word(h)));
}
