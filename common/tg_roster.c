#include "tg_roster.h"

#include <stdlib.h>

/* Who has budgets: a tg_key_t or a tg_subject_t, in the order of addresses. */
typedef struct {
    const void               *owner;
    const tg_quota_t        **quotas;
    unsigned                  n;
} tg_roster_owner_t;

struct tg_roster_s {
    unsigned                  refs;
    tg_arena_t               *arena;
    tg_keys_t                *keys;
    tg_roster_owner_t        *owners;
    size_t                    nowners;
    bool                      repeats;
};

static const tg_per_t  tg_roster_pers[TG_SUBJECTS] = {
    [TG_SUBJECT_USER] = TG_PER_USER,
    [TG_SUBJECT_TEAM] = TG_PER_TEAM,
    [TG_SUBJECT_ORG] = TG_PER_ORG
};


static int
tg_roster_order(const void *a, const void *b)
{
    const tg_roster_owner_t  *one = a, *two = b;

    return one->owner < two->owner ? -1 : one->owner > two->owner;
}


static size_t
tg_roster_count(const tg_keys_t *keys)
{
    size_t  i, n = 0;

    for (i = 0; i < tg_keys_count(keys); i++) {
        n += tg_keys_key(keys, i)->nlimits != 0;
    }

    for (int kind = 0; kind < TG_SUBJECTS; kind++) {
        for (i = 0; i < tg_keys_subjects(keys, (tg_subject_kind_t) kind); i++) {
            n += tg_keys_subject(keys, (tg_subject_kind_t) kind, i)->nlimits
                 != 0;
        }
    }

    return n;
}


static int
tg_roster_owner(tg_roster_t *r, const tg_quotas_t *quotas, tg_per_t per,
    const void *owner, const tg_key_limit_t *limits, unsigned n, tg_str_t name,
    tg_error_t *err)
{
    tg_error_t          why;
    tg_quota_t         *q;
    tg_mem_t           *mem = tg_arena_mem(r->arena);
    tg_roster_owner_t  *o;

    if (n == 0) {
        return TG_OK;
    }

    o = &r->owners[r->nowners++];
    o->owner = owner;
    o->quotas = tg_alloc(mem, n * sizeof(tg_quota_t *));

    if (o->quotas == NULL) {
        return tg_error(err, TG_KEYS_MEMORY, 0, "no memory");
    }

    for (unsigned i = 0; i < n; i++) {
        q = tg_quota_budget(quotas, mem, per, limits[i].name, limits[i].words,
                            limits[i].nwords, &why);
        if (q == NULL) {
            return tg_error(err, TG_KEYS_CONTENT, limits[i].line,
                            "%.*s:%u: %s", (int) name.len, name.p,
                            limits[i].line, why.message);
        }

        o->quotas[o->n++] = q;
        r->repeats |= tg_quota_repeats(q);
    }

    return TG_OK;
}


static int
tg_roster_owners(tg_roster_t *r, const tg_quotas_t *quotas, tg_str_t name,
    tg_error_t *err)
{
    size_t               i, n = tg_roster_count(r->keys);
    const tg_key_t      *key;
    const tg_subject_t  *s;

    r->owners = tg_zalloc(tg_arena_mem(r->arena),
                          (n + 1) * sizeof(tg_roster_owner_t));
    if (r->owners == NULL) {
        return tg_error(err, TG_KEYS_MEMORY, 0, "no memory");
    }

    for (i = 0; i < tg_keys_count(r->keys); i++) {
        key = tg_keys_key(r->keys, i);

        if (tg_roster_owner(r, quotas, TG_PER_KEY, key, key->limits,
                            key->nlimits, name, err)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    for (int kind = 0; kind < TG_SUBJECTS; kind++) {
        n = tg_keys_subjects(r->keys, (tg_subject_kind_t) kind);

        for (i = 0; i < n; i++) {
            s = tg_keys_subject(r->keys, (tg_subject_kind_t) kind, i);

            if (tg_roster_owner(r, quotas, tg_roster_pers[kind], s, s->limits,
                                s->nlimits, name, err)
                != TG_OK)
            {
                return TG_ERROR;
            }
        }
    }

    qsort(r->owners, r->nowners, sizeof(tg_roster_owner_t), tg_roster_order);

    return TG_OK;
}


static void
tg_roster_destroy(tg_roster_t *r)
{
    for (size_t i = 0; i < r->nowners; i++) {
        for (unsigned k = 0; k < r->owners[i].n; k++) {
            tg_quota_destroy((tg_quota_t *) r->owners[i].quotas[k]);
        }
    }

    tg_keys_destroy(r->keys);
    tg_arena_destroy(r->arena);
}


tg_roster_t *
tg_roster_load(const tg_quotas_t *quotas, tg_str_t name, tg_str_t text,
    tg_error_t *err)
{
    tg_keys_t    *keys = tg_keys_load(name, text, err);
    tg_arena_t   *arena;
    tg_roster_t  *r;

    if (keys == NULL) {
        return NULL;
    }

    arena = tg_arena_create(0);
    r = arena == NULL ? NULL
        : tg_zalloc(tg_arena_mem(arena), sizeof(tg_roster_t));

    if (r == NULL) {
        tg_arena_destroy(arena);
        tg_keys_destroy(keys);
        (void) tg_error(err, TG_KEYS_MEMORY, 0, "no memory");
        return NULL;
    }

    r->refs = 1;
    r->arena = arena;
    r->keys = keys;

    if (tg_roster_owners(r, quotas, name, err) != TG_OK) {
        tg_roster_destroy(r);
        return NULL;
    }

    return r;
}


tg_roster_t *
tg_roster_ref(tg_roster_t *r)
{
    (void) __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);

    return r;
}


void
tg_roster_unref(tg_roster_t *r)
{
    if (r != NULL && __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        tg_roster_destroy(r);
    }
}


const tg_keys_t *
tg_roster_keys(const tg_roster_t *r)
{
    return r->keys;
}


bool
tg_roster_limits(const tg_roster_t *r)
{
    return r->nowners != 0;
}


bool
tg_roster_has(const tg_roster_t *r, tg_str_t name)
{
    for (int per = TG_PER_KEY; per <= TG_PER_ORG; per++) {
        if (tg_str_eq(name, tg_strz(tg_per_names[per]))) {
            return true;
        }
    }

    for (size_t i = 0; i < r->nowners; i++) {
        for (unsigned k = 0; k < r->owners[i].n; k++) {
            if (tg_str_eq(name, r->owners[i].quotas[k]->name)) {
                return true;
            }
        }
    }

    return false;
}


bool
tg_roster_repeats(const tg_roster_t *r)
{
    return r->repeats;
}


static const tg_quota_t *const *
tg_roster_budgets(const tg_roster_t *r, const void *owner, unsigned *n)
{
    tg_roster_owner_t  o, *found;

    o.owner = owner;
    found = r->nowners == 0 ? NULL
            : bsearch(&o, r->owners, r->nowners, sizeof(tg_roster_owner_t),
                      tg_roster_order);

    *n = found == NULL ? 0 : found->n;

    return found == NULL ? NULL : found->quotas;
}


const tg_quota_t *const *
tg_roster_key_budgets(const tg_roster_t *r, const tg_key_t *key, unsigned *n)
{
    *n = 0;

    return key->nlimits == 0 ? NULL : tg_roster_budgets(r, key, n);
}


const tg_quota_t *const *
tg_roster_subject_budgets(const tg_roster_t *r,
    const tg_subject_t *subject, unsigned *n)
{
    *n = 0;

    return subject == NULL || subject->nlimits == 0 ? NULL
           : tg_roster_budgets(r, subject, n);
}


/* What is to be reserved, and where. */
typedef struct {
    const tg_roster_t   *roster;
    const tg_quotas_t   *quotas;
    tg_ledger_t         *ledger;
    uint32_t             epoch;
    tg_quota_call_t      call;
} tg_roster_reserve_t;


static int
tg_roster_reserve_quota(tg_roster_reserve_t *t, const tg_quota_t *q)
{
    int               rc = TG_LEDGER_OK;
    tg_ledger_item_t  item;

    for (unsigned i = 0; i < q->nlimits && rc == TG_LEDGER_OK; i++) {
        if (q->limits[i].measure == TG_MEASURE_REPEATS) {
            continue;
        }

        tg_quota_item(q, &q->limits[i], &t->call, &item);
        rc = tg_ledger_reserve(t->ledger, t->epoch, t->call.now, &item);
    }

    return rc;
}


static int
tg_roster_reserve_one(tg_roster_reserve_t *t, tg_per_t per, tg_str_t name,
    const tg_quota_t *const *budgets, unsigned n)
{
    int          rc = TG_LEDGER_OK;
    unsigned     i;
    tg_quota_t  *q;

    /* "*" is nobody yet. */

    if (tg_str_eq(name, tg_str("*"))) {
        return TG_LEDGER_OK;
    }

    memset(t->call.subject, 0, sizeof(t->call.subject));
    t->call.subject[per] = name;
    t->call.configured = UINT32_C(1) << per;

    for (i = 0; i < n && rc == TG_LEDGER_OK; i++) {
        rc = tg_roster_reserve_quota(t, budgets[i]);
    }

    for (i = 0; i < t->quotas->n && rc == TG_LEDGER_OK; i++) {
        q = t->quotas->list[i];

        if (q->npers == 1 && q->per[0].kind == per) {
            rc = tg_roster_reserve_quota(t, q);
        }
    }

    return rc;
}


static int
tg_roster_reserve_all(tg_roster_reserve_t *t)
{
    int                       rc = TG_LEDGER_OK;
    size_t                    i, n;
    unsigned                  nb;
    const tg_key_t           *key;
    const tg_keys_t          *keys = t->roster->keys;
    const tg_subject_t       *s;
    const tg_quota_t *const  *b;

    for (i = 0; i < tg_keys_count(keys) && rc == TG_LEDGER_OK; i++) {
        key = tg_keys_key(keys, i);
        b = tg_roster_key_budgets(t->roster, key, &nb);
        rc = tg_roster_reserve_one(t, TG_PER_KEY, key->id, b, nb);
    }

    for (int kind = 0; kind < TG_SUBJECTS; kind++) {
        n = tg_keys_subjects(keys, (tg_subject_kind_t) kind);

        for (i = 0; i < n && rc == TG_LEDGER_OK; i++) {
            s = tg_keys_subject(keys, (tg_subject_kind_t) kind, i);
            b = tg_roster_subject_budgets(t->roster, s, &nb);
            rc = tg_roster_reserve_one(t, tg_roster_pers[kind], s->name, b,
                                       nb);
        }
    }

    return rc;
}


int
tg_roster_reserve(const tg_roster_t *r, const tg_quotas_t *quotas,
    const tg_zone_t *zone, tg_ledger_t *ledger, int64_t now)
{
    int                  rc;
    tg_window_t          windows[TG_WINDOW_IDLE];
    tg_roster_reserve_t  t;

    memset(&t, 0, sizeof(t));
    memset(windows, 0, sizeof(windows));
    t.roster = r;
    t.quotas = quotas;
    t.ledger = ledger;
    t.call.now = now;
    t.call.zone = zone;
    t.call.windows = windows;

    rc = tg_ledger_reserve_begin(ledger, &t.epoch);

    if (rc == TG_LEDGER_OK) {
        rc = tg_roster_reserve_all(&t);
    }

    return rc == TG_LEDGER_OK ? tg_ledger_reserve_end(ledger, t.epoch) : rc;
}
