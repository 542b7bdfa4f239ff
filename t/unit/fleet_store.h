/*
 * fleet_store.h - what the script of tg_fleet_script.c does, in C, for tests
 * that need a store that loses data, and time that jumps.  It reads the
 * arguments of a command as Redis would.  t/torture/fleet_torture.c runs the
 * script itself.
 */

#ifndef FLEET_STORE_H
#define FLEET_STORE_H

#include "tg_fleet.h"

#include <stdlib.h>

#define STORE_BUCKETS  64
#define STORE_NODES    8

typedef struct {
    int64_t  epoch, seq, mine, used;
    bool     granted;
} store_record_t;

typedef struct {
    char            key[160];
    bool            there;
    int64_t         e, v, s, u, r, T, A, fe, fv, a, w, x;
    uint64_t        owner[6];
    store_record_t  of[STORE_NODES];
} store_bucket_t;

/* May be copied: a replica, a file. */
typedef struct {
    bool            there;              /* the meta key */
    int64_t         ep, nv, opens, soon, de;
    bool            done, fresh;
    unsigned        rid;
    unsigned        nnodes;
    uint64_t        node[STORE_NODES];
    int64_t         said[STORE_NODES];  /* -1: retired */
    store_bucket_t  bucket[STORE_BUCKETS];
    char            raise_key[33];
    int64_t         raise, raise_until;
    bool            opened_late;        /* by time, somebody missing */
} store_data_t;

typedef struct {
    store_data_t  d;
    unsigned      rid;                  /* of the server, not of the data */
    int64_t       now;
    uint64_t      commands;
} store_t;

typedef struct {
    store_bucket_t  *b;
    store_bucket_t   n;                 /* as it will be */
    int64_t          ws, we, idle, lim, cap, k, ops, U, C, P, w, h, fl, G, Uo;
    int64_t          ra, ru, need, amount;
    bool             req, stale, fit, rec;
    tg_str_t         al;
} store_item_t;


static int64_t
store_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}


static int64_t
store_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


static int64_t
store_arg(const tg_fleet_command_t *c, unsigned i)
{
    char  text[32];

    if (i >= c->argc || c->argv[i].len >= sizeof(text)) {
        return 0;
    }

    memcpy(text, c->argv[i].p, c->argv[i].len);
    text[c->argv[i].len] = '\0';

    return strtoll(text, NULL, 10);
}


static unsigned
store_node(store_data_t *d, uint64_t id, bool *made)
{
    unsigned  i;

    for (i = 0; i < d->nnodes; i++) {
        if (d->node[i] == id) {
            return i;
        }
    }

    if (i == STORE_NODES) {
        abort();
    }

    *made = true;
    d->node[i] = id;
    d->said[i] = 0;
    d->nnodes++;

    return i;
}


static store_bucket_t *
store_bucket(store_t *st, tg_str_t key)
{
    store_bucket_t  *b = NULL;

    for (unsigned i = 0; i < STORE_BUCKETS; i++) {
        if (st->d.bucket[i].there
            && tg_str_eq(tg_strz(st->d.bucket[i].key), key))
        {
            return &st->d.bucket[i];
        }

        if (!st->d.bucket[i].there) {
            b = b != NULL ? b : &st->d.bucket[i];
        }
    }

    if (b == NULL || key.len >= sizeof(b->key)) {
        abort();
    }

    memset(b, 0, sizeof(*b));
    memcpy(b->key, key.p, key.len);

    return b;
}


static void
store_epoch(store_t *st, int64_t ep, int64_t nv, int64_t q)
{
    store_data_t  *d = &st->d;

    if (d->there && d->rid == st->rid && ep <= d->ep) {
        return;
    }

    d->ep = store_max(st->now, store_max(d->ep + 1, ep + 1));
    d->nv = store_max(st->now, store_max(d->nv + 1, nv + 1));
    d->opens = st->now + q;
    d->soon = st->now + store_min(q, 1000);
    d->done = false;
    d->fresh = d->fresh || !d->there;
    d->there = true;
    d->rid = st->rid;
}


static void
store_join(store_t *st, const tg_fleet_command_t *c, unsigned at, unsigned me,
    bool new)
{
    store_data_t  *d = &st->d;

    d->said[me] = d->ep;

    for (unsigned i = at + 2; i < c->argc; i++) {
        (void) store_node(d, (uint64_t) store_arg(c, i), &new);
    }

    d->nv += new;

    if (d->fresh && store_arg(c, at) == 1) {
        d->fresh = false;
    }
}


static void
store_complete(store_t *st)
{
    bool           all = true;
    store_data_t  *d = &st->d;

    for (unsigned i = 0; i < d->nnodes; i++) {
        all = all && (d->said[i] == -1 || d->said[i] == d->ep);
    }

    if (!d->done && st->now >= d->soon && (!d->fresh || st->now >= d->opens)
        && all)
    {
        d->done = true;
        d->de = d->ep;
    }

    d->opened_late = d->opened_late || (!all && st->now >= d->opens);
}


static void
store_idle(store_t *st, store_item_t *it, bool hello)
{
    bool             drop = false;
    int64_t          w = it->n.w;
    store_data_t    *d = &st->d;
    store_bucket_t   none;

    if (!it->b->there) {
        w = hello && it->ws > 0 ? it->ws : st->now;

    } else if (hello) {
        if (it->ws > w) {
            drop = true;
            w = it->ws;
        }

    } else if ((it->n.e == d->ep || d->done) && st->now >= it->n.x
               && (it->n.e != d->ep || it->n.s <= it->n.u))
    {
        drop = true;
        w = store_max(st->now, w + 1);
    }

    if (drop) {
        memset(&none, 0, sizeof(none));
        memcpy(none.key, it->n.key, sizeof(none.key));
        it->n = none;
        *it->b = none;
    }

    if (it->ws != w) {
        it->U = 0;
        it->C = 0;
    }

    it->ws = w;
}


static void
store_load(store_t *st, const tg_fleet_command_t *c, store_item_t *it,
    unsigned at, unsigned me, int64_t seq, bool hello)
{
    bool             open = st->d.done || st->now >= st->d.opens, late;
    bool             may;
    int64_t          ve, vv, room;
    store_data_t    *d = &st->d;
    store_bucket_t  *n = &it->n;
    store_record_t  *rec = &n->of[me];

    it->ws = store_arg(c, at);
    it->we = store_arg(c, at + 1);
    it->idle = store_arg(c, at + 2);
    it->lim = store_arg(c, at + 3);
    it->cap = store_arg(c, at + 4);
    it->al = c->argv[at + 5];
    it->k = store_arg(c, at + 6);
    it->ops = store_arg(c, at + 7);
    it->U = store_arg(c, at + 8);
    it->C = store_arg(c, at + 9);
    it->P = store_arg(c, at + 10);
    it->w = store_arg(c, at + 11);
    it->h = store_arg(c, at + 12);
    it->req = store_arg(c, at + 13) == 1;
    it->need = store_arg(c, at + 14);
    it->n = *it->b;

    if (it->idle > 0) {
        store_idle(st, it, hello);
    }

    if (it->b->there && n->e != d->ep) {
        n->T = n->e < d->de ? 0 : n->e == d->de
               ? n->s : n->s + store_max(0, n->T - n->A);
        n->fe = n->e;
        n->fv = n->v;
        n->A = n->s = n->u = n->v = 0;
    }

    it->rec = rec->epoch == d->ep;

    if (!it->rec) {
        memset(rec, 0, sizeof(*rec));
    }

    it->stale = it->rec && seq <= rec->seq;

    if (hello && !it->rec) {
        ve = store_arg(c, at + 15);
        vv = store_arg(c, at + 16);

        if (ve > n->fe || (ve == n->fe && vv > n->fv)) {
            n->A = ve != n->fe ? 0 : n->A;
            n->T = store_arg(c, at + 17);
            n->fe = ve;
            n->fv = vv;
        }

        n->A += ve == n->fe ? store_arg(c, at + 18) : 0;
    }

    if (hello) {
        it->P = it->w = 0;
        n->r = store_max(n->r, store_arg(c, at + 19));
        n->a |= it->k;
    }

    it->fl = d->done ? 0 : store_max(0, n->T - n->A);
    it->ra = it->ru = 0;

    if (d->raise_until > st->now && d->raise_key[0] != '\0'
        && strstr(n->key, d->raise_key) != NULL)
    {
        it->ra = d->raise;
        it->ru = d->raise_until;
        it->lim = store_max(0, it->lim + d->raise);
        it->cap = store_max(0, it->cap + d->raise);
    }

    if (!it->stale) {
        n->a |= it->ops & 1 ? 64 : 0;
        n->a &= it->ops & 2 ? 63 : 127;
    }

    late = it->w > 0 && it->idle == 0 && it->we >= 0
           && st->now > it->we + 30000;
    room = it->lim - (n->s - rec->mine + n->r + it->fl + it->C + it->P);
    may = open && !late && (n->a & 64) == 0;
    it->amount = it->w;
    it->fit = it->stale ? rec->granted : may && it->w <= room;

    if (it->stale && seq == rec->seq) {
        it->amount = store_min(it->w, store_max(0, rec->mine - it->C - it->P));
    }

    if (!it->fit && !it->stale && it->req && may && it->need <= room) {
        it->fit = true;
        it->amount = it->need;
    }
}


static void
store_alert(store_item_t *it, uint64_t node, bool open)
{
    char            hex[3] = "";
    int64_t         p, old = it->n.a, used = it->n.u + it->n.r;
    bool            no = it->req && !it->fit && open
                         && used + it->h > it->lim;

    for (unsigned i = 0; i + 1 < it->al.len; i += 2) {
        memcpy(hex, it->al.p + i, 2);
        p = strtol(hex, NULL, 16);

        if ((used > 0 && (__int128) used * 100 >= (__int128) it->cap * p)
            || (p == 100 && (no || (it->ops & 4))))
        {
            it->n.a |= 1 << i / 2;
        }
    }

    for (unsigned i = 0; i < 6; i++) {
        if ((it->n.a & ~old) & 1 << i) {
            it->n.owner[i] = node;
        }
    }
}


static void
store_write(store_t *st, store_item_t *it, unsigned me, uint64_t node,
    int64_t seq, bool give, int64_t *out)
{
    bool             open = st->d.done || st->now >= st->d.opens;
    int64_t          g, fired = 0;
    store_record_t  *rec = &it->n.of[me];

    if (!it->stale) {
        g = give ? it->C + it->P + it->amount
                 : store_max(it->C, store_min(rec->mine, it->C + it->P));
        it->n.s += g - rec->mine;
        it->n.u += it->U - rec->used;
        it->n.v++;
        it->n.e = st->d.ep;
        rec->epoch = st->d.ep;
        rec->seq = seq;
        rec->mine = g;
        rec->used = it->U;
        rec->granted = give;
        store_alert(it, node, open);

        if (it->idle > 0) {
            it->n.w = it->ws;
            it->n.x = st->now + it->idle;
        }

        it->n.there = true;
        *it->b = it->n;
    }

    for (unsigned i = 0; i < 6; i++) {
        if ((it->n.a & ~it->k & 63 & 1 << i) && it->n.owner[i] == node) {
            fired |= 1 << i;
        }
    }

    out[0] = give ? it->amount : -1;
    out[1] = rec->mine;
    out[2] = it->n.s + it->fl;
    out[3] = it->n.v;
    out[4] = it->n.u - rec->used + it->n.r;
    out[5] = it->n.r;
    out[6] = rec->used;
    out[7] = it->n.a;
    out[8] = fired;
    out[9] = it->ra;
    out[10] = it->ru;
    out[11] = it->ws;
}


static void
store_head(const store_t *st, int64_t code, tg_fleet_reply_t *r)
{
    const store_data_t  *d = &st->d;

    r->kind = TG_FLEET_INTS;
    r->n = 5;
    r->ints[0] = code;
    r->ints[1] = d->ep;
    r->ints[2] = d->nv;
    r->ints[3] = d->done || st->now >= d->opens;
    r->ints[4] = store_max(0, d->opens - st->now);
}


static void
store_nodes(const store_t *st, int64_t nv, tg_fleet_reply_t *r)
{
    unsigned             at;
    const store_data_t  *d = &st->d;

    if (nv == d->nv) {
        return;
    }

    at = r->n++;
    r->ints[at] = 0;

    for (unsigned i = 0; i < d->nnodes; i++) {
        if (d->said[i] != -1) {
            r->ints[r->n++] = (int64_t) d->node[i];
            r->ints[at]++;
        }
    }
}


static void
store_run(store_t *st, const tg_fleet_command_t *c, tg_fleet_reply_t *r)
{
    bool           ok = true, hello, known = false, new = false;
    char           cmd;
    int64_t        keys = store_arg(c, 2) - 4, ep, seq, nv;
    uint64_t       node;
    unsigned       at = 3 + 4 + (unsigned) keys, me, stride;
    store_data_t  *d = &st->d;
    store_item_t   it[TG_LEDGER_ITEMS_MAX];

    st->commands++;
    cmd = c->argv[at].p[0];
    hello = cmd == 'H';
    node = (uint64_t) store_arg(c, at + 1);
    ep = store_arg(c, at + 2);
    seq = store_arg(c, at + 3);
    nv = store_arg(c, at + 4);
    store_epoch(st, ep, nv, store_arg(c, at + 5));

    for (unsigned i = 0; i < d->nnodes; i++) {
        known = known || d->node[i] == node;
    }

    if (!known && !(ep == d->ep && (cmd == 'J' || hello))) {
        if (cmd == 'R' || cmd == 'J') {
            store_complete(st);
        }
        store_head(st, ep != d->ep ? 1 : 2, r);
        return;
    }

    /* The script lists a node once it joins; its place here is no matter. */
    me = known || cmd == 'J' ? store_node(d, node, &new) : STORE_NODES - 1;

    if (known && d->said[me] == -1) {
        store_head(st, 3, r);
        r->ints[3] = 0;
        r->ints[4] = 0;
        return;
    }

    if (cmd == 'J' && ep == d->ep) {
        store_join(st, c, at + 6, me, new);
    }

    if (cmd == 'J' || cmd == 'R') {
        store_complete(st);
    }

    if (ep != d->ep || (!hello && d->said[me] != d->ep)) {
        store_head(st, ep != d->ep ? 1 : 2, r);
        return;
    }

    if (hello && !known) {
        me = store_node(d, node, &new);
        d->nv++;
    }

    stride = hello ? 20 : 15;

    for (unsigned i = 0; i < (unsigned) keys; i++) {
        memset(&it[i], 0, sizeof(it[i]));
        it[i].b = store_bucket(st, c->argv[7 + i]);
        it[i].n = *it[i].b;
        store_load(st, c, &it[i], at + 6 + i * stride, me, seq, hello);
        ok = ok && (!it[i].req || it[i].fit);

        /* Its place is taken, so that no other key gets it. */
        it[i].b->there = true;
    }

    store_head(st, 0, r);

    for (unsigned i = 0; i < (unsigned) keys; i++) {
        store_write(st, &it[i], me, node, seq, ok && it[i].fit,
                    r->ints + r->n);
        r->n += 12;
    }

    store_nodes(st, nv, r);
}

#endif /* FLEET_STORE_H */
