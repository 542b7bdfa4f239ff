#include "tg_scale.h"
#include "tg_backend_int.h"
#include "tg_text.h"

#include <openssl/sha.h>

/* Words of a hook, of an upstream's or a backend's. */
enum {
    TG_SC_PHASE = 0,
    TG_SC_LOOKED,               /* the last time that anybody did */
    TG_SC_SINCE,                /* idle */
    TG_SC_SEEN,                 /* calls and tokens, then */
    TG_SC_OCCASION,             /* of the event: ms since 1970 */
    TG_SC_BEGAN,                /* the occasion; for cooldown= */
    TG_SC_TOLD                  /* the event, last */
};

typedef enum {
    TG_SC_WATCH = 0,
    TG_SC_DRAIN,                /* a call may have come meanwhile */
    TG_SC_TELL,
    TG_SC_DONE,                 /* drained, and was told */
    TG_SC_GONE                  /* and is down */
} tg_sc_phase_t;

/* Unwatched for longer than that, and nobody knows what was. */
#define TG_SC_GAP  (10 * TG_BE_SECOND)

/* A hook's look at an upstream, or at a backend of it. */
typedef struct {
    tg_backends_t           *t;
    tg_group_t              *g;
    const tg_group_conf_t   *gc;
    unsigned                 hook;
    int64_t                  now, wall;
    tg_backend_t            *b;         /* NULL: of the upstream */
    tg_backend_view_t        view;
    _Atomic int64_t         *words;
} tg_sc_t;


static int64_t
tg_sc_get(const tg_sc_t *sc, unsigned word)
{
    return atomic_load(&sc->words[word]);
}


static void
tg_sc_set(const tg_sc_t *sc, unsigned word, int64_t v)
{
    atomic_store(&sc->words[word], v);
}


static int64_t
tg_sc_ms(uint32_t ms)
{
    return (int64_t) ms * TG_BE_MS;
}


static const tg_scale_conf_t *
tg_sc_conf(const tg_sc_t *sc)
{
    return sc->gc->scale[sc->hook];
}


static bool
tg_sc_usable(const tg_backend_t *b)
{
    tg_be_health_t  h = tg_be_health(atomic_load(&b->health));

    return tg_be_usable(h) && (h.state == TG_BACKEND_UP
                               || h.state == TG_BACKEND_NEW);
}


/* How many there are, and how many that take calls. */

static unsigned
tg_sc_count(const tg_sc_t *sc, unsigned *usable)
{
    unsigned       n = 0;
    tg_backend_t  *b;

    *usable = 0;

    for (unsigned i = 0;
         (b = tg_group_backend_at(sc->t, sc->g, i)) != NULL;
         i++)
    {
        if (tg_be_configured(sc->t, b)) {
            n++;
            *usable += tg_sc_usable(b);
        }
    }

    return n;
}


/* --- the event --- */

static void
tg_sc_id(const tg_sc_t *sc, tg_scale_event_t *e)
{
    tg_text_t      t;
    tg_str_t       url = tg_sc_conf(sc)->url;
    unsigned char  digest[SHA256_DIGEST_LENGTH];
    char           text[TG_GROUP_NAME_MAX + TG_BACKEND_NAME_MAX + 64];

    static const char  hex[] = "0123456789abcdef";

    (void) SHA256((const unsigned char *) url.p, url.len, digest);

    tg_text_init(&t, text, sizeof(text));
    tg_put(&t, (const char *) digest, sizeof(digest));
    tg_put_str(&t, tg_group_name(sc->g));
    tg_put(&t, "", 1);

    if (sc->b != NULL) {
        tg_put_str(&t, tg_backend_server(sc->b));
    }

    tg_put(&t, "", 1);
    tg_put_int(&t, e->occasion);

    (void) SHA256((const unsigned char *) text, (size_t) (t.p - text), digest);

    memcpy(e->id, "scale_", 6);

    for (unsigned i = 0; i < TG_SCALE_ID_LEN - 6; i++) {
        e->id[6 + i] = hex[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    }

    e->id[TG_SCALE_ID_LEN] = '\0';
}


static void
tg_sc_name(tg_text_t *t, const char *key, tg_str_t name)
{
    tg_put(t, key, strlen(key));
    tg_put_lit(t, "\"");
    tg_put_json(t, name, 6 * TG_BACKEND_NAME_MAX);
    tg_put_lit(t, "\"");
}


static void
tg_sc_number(tg_text_t *t, const char *key, int64_t v, unsigned scale)
{
    tg_put(t, key, strlen(key));

    if (scale == 0) {
        tg_put_int(t, v);
    } else {
        tg_put_decimal(t, v, scale);
    }
}


static void
tg_sc_idle_data(const tg_sc_t *sc, tg_text_t *t)
{
    tg_str_t                  server = tg_backend_server(sc->b);
    const tg_backend_conf_t  *bc = tg_group_conf_backend(sc->gc, server);

    tg_sc_name(t, ",\"server\":", server);
    tg_sc_number(t, ",\"idle_seconds\":",
                 (tg_sc_get(sc, TG_SC_BEGAN) - tg_sc_get(sc, TG_SC_SINCE))
                 / TG_BE_SECOND, 0);
    tg_sc_number(t, ",\"gpus\":", bc->gpus, 3);

    if (bc->cost_nusd >= 0) {
        tg_sc_number(t, ",\"gpu_cost_per_hour\":", bc->cost_nusd, 9);
    }
}


static void
tg_sc_saturated_data(const tg_sc_t *sc, tg_text_t *t)
{
    uint32_t  level;

    (void) tg_group_saturated(sc->t, sc->g, &level);

    tg_sc_number(t, ",\"saturated_seconds\":",
                 (tg_sc_get(sc, TG_SC_BEGAN)
                  - atomic_load(&sc->g->saturated_since))
                 / TG_BE_SECOND, 0);
    tg_sc_number(t, ",\"level\":", level, 3);
}


static void
tg_sc_event(const tg_sc_t *sc, tg_scale_event_t *e)
{
    unsigned   n, usable;
    tg_text_t  t;

    e->what = sc->b != NULL ? TG_SCALE_IDLE : TG_SCALE_SATURATED;
    e->hook = sc->hook;
    e->group = (unsigned) (sc->g - sc->t->groups);
    e->backend = sc->b != NULL ? tg_be_index(sc->t, sc->b) : 0;
    e->occasion = tg_sc_get(sc, TG_SC_OCCASION);
    tg_sc_id(sc, e);

    n = tg_sc_count(sc, &usable);

    tg_text_init(&t, e->body, sizeof(e->body));
    tg_sc_name(&t, "{\"id\":", tg_str_of(e->id, TG_SCALE_ID_LEN));
    tg_sc_name(&t, ",\"type\":", sc->b != NULL ? tg_str("backend.idle")
                                               : tg_str("upstream.saturated"));
    tg_put_lit(&t, ",\"timestamp\":\"");
    tg_put_time(&t, e->occasion);
    tg_sc_name(&t, "\",\"data\":{\"upstream\":", tg_group_name(sc->g));

    if (sc->b != NULL) {
        tg_sc_idle_data(sc, &t);
    } else {
        tg_sc_saturated_data(sc, &t);
    }

    tg_sc_number(&t, ",\"backends\":", n, 0);
    tg_sc_number(&t, ",\"usable\":", usable, 0);
    tg_put_lit(&t, "}}");

    e->len = (size_t) (t.p - e->body);
}


/* A new occasion; what counts is the phase, which is last. */

static void
tg_sc_begin(const tg_sc_t *sc)
{
    tg_sc_set(sc, TG_SC_OCCASION, sc->wall);
    tg_sc_set(sc, TG_SC_BEGAN, sc->now);
    tg_sc_set(sc, TG_SC_TOLD, 0);
    tg_sc_set(sc, TG_SC_PHASE, TG_SC_TELL);
}


static bool
tg_sc_cooled(const tg_sc_t *sc)
{
    int64_t  began = tg_sc_get(sc, TG_SC_BEGAN);

    return began == 0 || sc->now - began >= tg_sc_ms(tg_sc_conf(sc)->cooldown);
}


/* True: it is to be told now. */

static bool
tg_sc_tell(const tg_sc_t *sc, tg_scale_event_t *event)
{
    int64_t  told = tg_sc_get(sc, TG_SC_TOLD);

    if (told != 0 && sc->now - told < TG_SCALE_AGAIN_NS) {
        return false;
    }

    tg_sc_set(sc, TG_SC_TOLD, sc->now);
    tg_sc_event(sc, event);

    return true;
}


/* --- an upstream --- */

static bool
tg_sc_group(const tg_sc_t *sc, tg_scale_event_t *event)
{
    int64_t  since = atomic_load(&sc->g->saturated_since);
    int64_t  phase = tg_sc_get(sc, TG_SC_PHASE);
    int64_t  least = tg_sc_ms(tg_sc_conf(sc)->saturated);

    if (least == 0 || since == 0) {
        tg_sc_set(sc, TG_SC_PHASE, TG_SC_WATCH);
        return false;
    }

    if (phase != TG_SC_TELL && sc->now - since >= least && tg_sc_cooled(sc)) {
        tg_sc_begin(sc);
        phase = TG_SC_TELL;
    }

    return phase == TG_SC_TELL && tg_sc_tell(sc, event);
}


/* --- a backend --- */

static int64_t
tg_sc_tokens(const tg_sc_t *sc)
{
    int64_t  v, sum = (int64_t) (sc->view.served + sc->view.failed);

    if (tg_fact(&sc->view.facts, TG_FACT_PROMPT_TOKENS, &v)) {
        sum = (int64_t) ((uint64_t) sum + (uint64_t) v);
    }

    if (tg_fact(&sc->view.facts, TG_FACT_OUTPUT_TOKENS, &v)) {
        sum = (int64_t) ((uint64_t) sum + (uint64_t) v);
    }

    return sum;
}


/* Something is under way there, or was since the last look. */

static bool
tg_sc_active(const tg_sc_t *sc)
{
    int64_t  v, seen = tg_sc_tokens(sc);

    if (seen != tg_sc_get(sc, TG_SC_SEEN)) {
        tg_sc_set(sc, TG_SC_SEEN, seen);
        return true;
    }

    return sc->view.calls > 0
           || (tg_fact(&sc->view.facts, TG_FACT_RUNNING, &v) && v > 0)
           || (tg_fact(&sc->view.facts, TG_FACT_WAITING, &v) && v > 0);
}


static void
tg_sc_watch(const tg_sc_t *sc)
{
    tg_sc_set(sc, TG_SC_SINCE, sc->now);
    tg_sc_set(sc, TG_SC_PHASE, TG_SC_WATCH);
}


static void
tg_sc_resume(const tg_sc_t *sc)
{
    tg_backend_drain(sc->t, sc->b, TG_DRAIN_NONE, sc->now);
    tg_sc_watch(sc);
}


static void
tg_sc_idle(const tg_sc_t *sc)
{
    unsigned                usable;
    const tg_scale_conf_t  *conf = tg_sc_conf(sc);

    if (sc->now - tg_sc_get(sc, TG_SC_SINCE) < tg_sc_ms(conf->idle)
        || !tg_sc_cooled(sc) || tg_group_saturated(sc->t, sc->g, NULL))
    {
        return;
    }

    /* another hook may have drained it before */

    if (sc->view.drain == TG_DRAIN_NONE) {
        (void) tg_sc_count(sc, &usable);

        if (usable < conf->keep + tg_sc_usable(sc->b)) {
            return;
        }

        tg_backend_drain(sc->t, sc->b, TG_DRAIN_IDLE, sc->now);
    }

    tg_sc_set(sc, TG_SC_PHASE, TG_SC_DRAIN);
}


/* Of one that is drained: whether it is to be used again. */

static bool
tg_sc_needed(const tg_sc_t *sc, int64_t phase, bool active)
{
    if (phase == TG_SC_GONE) {
        return sc->view.state == TG_BACKEND_UP
               || sc->view.state == TG_BACKEND_NEW;
    }

    return active || tg_group_saturated(sc->t, sc->g, NULL);
}


/* Whether what is known of it is of now. */

static bool
tg_sc_known(const tg_sc_t *sc)
{
    return sc->view.scraped == 0 || sc->view.fresh
           || sc->view.state == TG_BACKEND_DOWN
           || sc->view.state == TG_BACKEND_LOADING;
}


static void
tg_sc_drained(const tg_sc_t *sc, int64_t phase, bool active)
{
    if (sc->view.drain != TG_DRAIN_IDLE) {
        tg_sc_watch(sc);

    } else if (tg_sc_needed(sc, phase, active)) {
        tg_sc_resume(sc);

    } else if (sc->view.state == TG_BACKEND_DOWN
               || sc->view.state == TG_BACKEND_LOADING)
    {
        tg_sc_set(sc, TG_SC_PHASE, TG_SC_GONE);

    } else if (phase == TG_SC_DRAIN && tg_sc_known(sc)) {
        tg_sc_begin(sc);
    }
}


/* It is drained, and no hook knows of it: of before a boot, or of another
 * configuration. */

static bool
tg_sc_orphan(const tg_sc_t *sc)
{
    if (sc->view.drain != TG_DRAIN_IDLE) {
        return false;
    }

    for (unsigned i = 0; i < sc->gc->nscale; i++) {
        if (atomic_load(&sc->b->scale[i][TG_SC_PHASE]) != TG_SC_WATCH) {
            return false;
        }
    }

    return true;
}


static bool
tg_sc_backend(tg_sc_t *sc, tg_scale_event_t *event)
{
    bool     active;
    int64_t  phase = tg_sc_get(sc, TG_SC_PHASE),
             looked = tg_sc_get(sc, TG_SC_LOOKED);

    tg_sc_set(sc, TG_SC_LOOKED, sc->now);

    if (tg_sc_conf(sc)->idle == 0) {
        tg_sc_set(sc, TG_SC_PHASE, TG_SC_WATCH);
        return false;
    }

    if (looked == 0 || looked > sc->now || sc->now - looked > TG_SC_GAP) {
        tg_sc_set(sc, TG_SC_SINCE, sc->now);
    }

    active = tg_sc_active(sc);

    if (phase != TG_SC_WATCH) {
        tg_sc_drained(sc, phase, active);

    } else if (tg_sc_orphan(sc)) {
        tg_sc_resume(sc);

    } else if (active || sc->view.drain == TG_DRAIN_ADMIN
               || (sc->view.state != TG_BACKEND_UP
                   && sc->view.state != TG_BACKEND_NEW
                   && sc->view.state != TG_BACKEND_SLEEPING))
    {
        tg_sc_set(sc, TG_SC_SINCE, sc->now);

    } else if (tg_sc_known(sc)) {
        tg_sc_idle(sc);
    }

    return tg_sc_get(sc, TG_SC_PHASE) == TG_SC_TELL && tg_sc_tell(sc, event);
}


/* None of the hooks drains: what they have drained before is used again. */

static void
tg_sc_release(tg_backends_t *t, tg_group_t *g, int64_t now)
{
    tg_backend_t  *b;

    for (unsigned i = 0; (b = tg_group_backend_at(t, g, i)) != NULL; i++) {
        if (tg_be_health(atomic_load(&b->health)).drain == TG_DRAIN_IDLE) {
            tg_backend_drain(t, b, TG_DRAIN_NONE, now);
        }
    }
}


static bool
tg_sc_hook(tg_sc_t *sc, tg_scale_event_t *event)
{
    sc->b = NULL;
    sc->words = sc->g->scale[sc->hook];

    if (tg_sc_group(sc, event)) {
        return true;
    }

    for (unsigned i = 0;
         (sc->b = tg_group_backend_at(sc->t, sc->g, i)) != NULL;
         i++)
    {
        if (!tg_be_configured(sc->t, sc->b)) {
            continue;
        }

        tg_backend_view(sc->t, sc->b, &sc->gc->check, sc->now, &sc->view);
        sc->words = sc->b->scale[sc->hook];

        if (tg_sc_backend(sc, event)) {
            return true;
        }
    }

    return false;
}


bool
tg_scale_next(tg_backends_t *t, tg_group_t *g, const tg_group_conf_t *gc,
    int64_t now, int64_t wall_ms, tg_scale_event_t *event)
{
    bool     idle = false;
    tg_sc_t  sc = { .t = t, .g = g, .gc = gc, .now = now, .wall = wall_ms };

    for (sc.hook = 0; sc.hook < gc->nscale; sc.hook++) {
        idle = idle || gc->scale[sc.hook]->idle != 0;

        if (tg_sc_hook(&sc, event)) {
            return true;
        }
    }

    if (!idle) {
        tg_sc_release(t, g, now);
    }

    return false;
}


void
tg_scale_done(tg_backends_t *t, const tg_scale_event_t *event)
{
    int64_t           tell = TG_SC_TELL;
    _Atomic int64_t  *words;

    words = event->what == TG_SCALE_IDLE
            ? t->backends[event->backend].scale[event->hook]
            : t->groups[event->group].scale[event->hook];

    /* It may be about something else by now. */

    if (atomic_load(&words[TG_SC_OCCASION]) == event->occasion) {
        (void) atomic_compare_exchange_strong(&words[TG_SC_PHASE], &tell,
                                              TG_SC_DONE);
    }
}
