#define _GNU_SOURCE

#include "llmctl_rows_int.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX  (UINT32_C(1) << 26)

const tg_per_t  subject_pers[TG_SUBJECTS] = {
    [TG_SUBJECT_USER] = TG_PER_USER,
    [TG_SUBJECT_TEAM] = TG_PER_TEAM,
    [TG_SUBJECT_ORG] = TG_PER_ORG
};


void
rows_init(rows_t *rows, const server_t *s, int64_t now)
{
    memset(rows, 0, sizeof(*rows));
    rows->server = s;
    rows->now = now;
}


void
rows_free(rows_t *rows)
{
    free(rows->list);
    free(rows->index);
    memset(rows, 0, sizeof(*rows));
}


const char *
row_limit(char *buf, const tg_quota_limit_t *limit)
{
    static const char  *const names[] = {
        "second", "minute", "hour", "day", "week", "month", "total"
    };

    const char  *measure = tg_measure_names[limit->measure];

    if (limit->measure == TG_MEASURE_CONCURRENT) {
        (void) snprintf(buf, LIMIT_SIZE, "%s", measure);

    } else if (limit->window.kind == TG_WINDOW_IDLE) {
        (void) snprintf(buf, LIMIT_SIZE, "%s/idle=%llds", measure,
                        (long long) limit->window.idle_ms / 1000);

    } else {
        (void) snprintf(buf, LIMIT_SIZE, "%s/%s", measure,
                        names[limit->window.kind]);
    }

    return buf;
}


const char *
amount_text(char *buf, tg_measure_t measure, int64_t amount)
{
    if (measure == TG_MEASURE_USD) {
        buf[tg_money_text(buf, amount)] = '\0';
    } else {
        (void) snprintf(buf, AMOUNT_SIZE, "%lld", (long long) amount);
    }

    return buf;
}


int64_t
row_used(const row_t *row)
{
    return row->limit->measure == TG_MEASURE_CONCURRENT ? row->state.held
                                                        : row->state.used;
}


/* What it has counted is of the window that the state is of. */
static bool
row_is_current(const row_t *row)
{
    return row->counted && row->entry.window == row->state.window;
}


int64_t
row_own(const row_t *row)
{
    return row_is_current(row) ? row->entry.used : 0;
}


int64_t
row_others_held(const row_t *row)
{
    return row_is_current(row) ? row->entry.others_held : 0;
}


static int64_t
raised(int64_t amount, int64_t by)
{
    amount = tg_money_add(amount, by);

    return amount > 0 ? amount : 0;
}


void
row_raise(row_t *row, int64_t amount, int64_t until)
{
    row->counted = true;
    row->entry.raise = amount;
    row->entry.raise_until = until;
    row->state.cap = raised(row->item.cap, amount);
    row->state.limit = raised(row->item.limit, amount);
}


bool
row_is_full(const row_t *row)
{
    return row->state.latched || row_used(row) >= row->state.limit;
}


bool
row_is_raised(const row_t *row, int64_t now)
{
    return row->counted && row->entry.raise != 0
           && now < row->entry.raise_until;
}


static tg_str_t
caller_tag(void *data, tg_str_t name)
{
    const caller_t  *c = data;

    for (unsigned i = 0; i < c->ntags; i++) {
        if (tg_str_eq(c->tags[i].name, name)) {
            return c->tags[i].value;
        }
    }

    for (unsigned i = 0; c->key != NULL && i < c->key->ntags; i++) {
        if (tg_str_eq(c->key->tags[i].name, name)) {
            return c->key->tags[i].value;
        }
    }

    return tg_str_null;
}


static void
caller_call(rows_t *rows, const caller_t *c, tg_quota_call_t *call)
{
    memset(call, 0, sizeof(*call));
    memcpy(call->subject, c->subject, sizeof(call->subject));
    call->tag = caller_tag;
    call->tag_data = (void *) (uintptr_t) c;
    call->now = rows->now;
    call->zone = rows->server->desk.zone;
    call->windows = rows->windows;
    call->configured = UINT32_C(1) << TG_PER_ALL | UINT32_C(1) << TG_PER_KEY
                       | UINT32_C(1) << TG_PER_USER | UINT32_C(1) << TG_PER_TEAM
                       | UINT32_C(1) << TG_PER_ORG
                       | UINT32_C(1) << TG_PER_PROVIDER;
}


static tg_str_t
caller_part(const caller_t *c, const tg_quota_per_t *per)
{
    return per->kind == TG_PER_TAG ? caller_tag((void *) (uintptr_t) c,
                                                per->tag)
                                   : c->subject[per->kind];
}


static size_t
slot_of(const rows_t *rows, const unsigned char *key)
{
    size_t    i;
    uint64_t  h;

    memcpy(&h, key, sizeof(h));

    for (i = h & (rows->nindex - 1); rows->index[i] != 0;
         i = (i + 1) & (rows->nindex - 1))
    {
        if (memcmp(rows->list[rows->index[i] - 1].item.key, key,
                   TG_LEDGER_KEY) == 0)
        {
            break;
        }
    }

    return i;
}


const row_t *
rows_find(const rows_t *rows, const unsigned char *key)
{
    uint32_t  i = rows->nindex == 0 ? 0 : rows->index[slot_of(rows, key)];

    return i == 0 ? NULL : &rows->list[i - 1];
}


/* Room for one more, with the table no more than half full. */
static bool
rows_grow(rows_t *rows)
{
    row_t     *list;
    size_t     room = rows->room == 0 ? 256 : rows->room * 2;
    uint32_t  *index;

    if (rows->n < rows->room) {
        return true;
    }

    list = room > ROWS_MAX ? NULL : realloc(rows->list, room * sizeof(row_t));
    index = list == NULL ? NULL : calloc(room * 2, sizeof(uint32_t));

    if (list != NULL) {
        rows->list = list;
    }

    if (index == NULL) {
        return failed("budget", "there are too many subjects for the memory");
    }

    free(rows->index);
    rows->index = index;
    rows->nindex = room * 2;
    rows->room = room;

    for (size_t i = 0; i < rows->n; i++) {
        index[slot_of(rows, list[i].item.key)] = (uint32_t) i + 1;
    }

    return true;
}


static void
row_read(rows_t *rows, row_t *row)
{
    tg_ledger_result_t   r;
    const tg_ledger_t   *led = &rows->server->desk.ledger.ledger;

    (void) tg_ledger_look(led, rows->now, &row->item, 1, &r);
    row->state = r.states[0];
    row->fleet = rows->server->fleet;
    row->counted = tg_ledger_read(led, row->item.key, &row->entry)
                   == TG_LEDGER_OK;
}


/* A bucket that comes up twice is there once, with the tighter limit. */
bool
rows_add(rows_t *rows, const tg_quota_t *q, const tg_quota_limit_t *limit,
    const caller_t *c)
{
    char              text[TG_QUOTA_TEXT_MAX];
    row_t             row;
    uint32_t         *at;
    tg_quota_call_t   call;

    memset(&row, 0, sizeof(row));
    row.quota = q;
    row.limit = limit;
    row.named = true;

    for (unsigned i = 0; i < q->npers; i++) {
        row.named &= q->per[i].kind == TG_PER_ALL
                     || caller_part(c, &q->per[i]).len != 0;
    }

    caller_call(rows, c, &call);
    tg_quota_item(q, limit, &call, &row.item);
    row_read(rows, &row);

    if (!row.named && !row.counted) {
        return true;
    }

    if (!rows_grow(rows)) {
        return false;
    }

    at = &rows->index[slot_of(rows, row.item.key)];

    if (*at != 0 && rows->list[*at - 1].item.limit <= row.item.limit) {
        return true;
    }

    row.subject = tg_str_of(text, tg_quota_subject(text, sizeof(text), q,
                                                   &call));
    row.subject.p = tg_dupz(rows->server->mem, row.subject);

    if (row.subject.p == NULL) {
        return failed("budget", "out of memory");
    }

    if (*at == 0) {
        *at = (uint32_t) ++rows->n;
    }

    rows->list[*at - 1] = row;

    return true;
}


static bool
rows_add_quota(rows_t *rows, const tg_quota_t *q, const caller_t *c)
{
    for (unsigned i = 0; i < q->nlimits; i++) {
        if (q->limits[i].measure != TG_MEASURE_REPEATS
            && !rows_add(rows, q, &q->limits[i], c))
        {
            return false;
        }
    }

    return true;
}


/* True where a caller that is known by its key can tell all of the subject. */
static bool
told_by_keys(const tg_quota_t *q)
{
    for (unsigned i = 0; i < q->npers; i++) {
        switch (q->per[i].kind) {
        case TG_PER_KEY:
        case TG_PER_USER:
        case TG_PER_TEAM:
        case TG_PER_ORG:
        case TG_PER_TAG:
            break;
        default:
            return false;
        }
    }

    return true;
}


unsigned
caller_budgets(const rows_t *rows, const caller_t *c, const tg_quota_t **list)
{
    unsigned                  n = 0, some;
    const tg_keys_t          *keys = server_keys(rows->server);
    const tg_roster_t        *roster = rows->server->desk.roster;
    const tg_quota_t *const  *from;

    if (keys == NULL) {
        return 0;
    }

    for (int kind = -1; kind < TG_SUBJECTS; kind++) {
        some = 0;
        from = NULL;

        if (kind >= 0) {
            from = tg_roster_subject_budgets(roster,
                       tg_keys_subject_of(keys, (tg_subject_kind_t) kind,
                                          c->subject[subject_pers[kind]]),
                       &some);

        } else if (c->key != NULL) {
            from = tg_roster_key_budgets(roster, c->key, &some);
        }

        for (unsigned k = 0; k < some; k++) {
            list[n++] = from[k];
        }
    }

    return n;
}


static bool
rows_add_budgets(rows_t *rows, const caller_t *c)
{
    unsigned           n;
    const tg_quota_t  *list[TG_ROSTER_BUDGETS];

    n = caller_budgets(rows, c, list);

    for (unsigned i = 0; i < n; i++) {
        if (!rows_add_quota(rows, list[i], c)) {
            return false;
        }
    }

    return true;
}


static void
caller_of_key(const tg_key_t *key, caller_t *c)
{
    memset(c, 0, sizeof(*c));
    c->key = key;
    c->subject[TG_PER_KEY] = key->id;
    c->subject[TG_PER_USER] = key->user;
    c->subject[TG_PER_TEAM] = key->team;
    c->subject[TG_PER_ORG] = key->org;
}


/* The quota with the providers, named or known by their host. */
static bool
rows_providers(rows_t *rows, const tg_quota_t *q)
{
    caller_t          c;
    const tg_conf_t  *conf = rows->server->conf;

    for (unsigned i = 0; i < conf->nproviders; i++) {
        if (conf->providers[i].host.len == 0) {
            continue;
        }

        memset(&c, 0, sizeof(c));
        c.subject[TG_PER_PROVIDER] = conf->providers[i].name;

        if (!rows_add_quota(rows, q, &c)) {
            return false;
        }
    }

    return true;
}


/* One quota, with everybody. */
static bool
rows_quota(rows_t *rows, const tg_quota_t *q)
{
    size_t                n, i;
    caller_t              c;
    const tg_keys_t      *keys = server_keys(rows->server);
    const tg_subject_t   *s;

    if (q->npers == 1 && q->per[0].kind == TG_PER_PROVIDER
        && !rows_providers(rows, q))
    {
        return false;
    }

    for (i = 0; keys != NULL && told_by_keys(q) && i < tg_keys_count(keys);
         i++)
    {
        caller_of_key(tg_keys_key(keys, i), &c);

        if (!rows_add_quota(rows, q, &c)) {
            return false;
        }
    }

    for (int kind = 0; keys != NULL && kind < TG_SUBJECTS; kind++) {
        if (q->npers != 1 || q->per[0].kind != subject_pers[kind]) {
            continue;
        }

        n = tg_keys_subjects(keys, (tg_subject_kind_t) kind);

        for (i = 0; i < n; i++) {
            s = tg_keys_subject(keys, (tg_subject_kind_t) kind, i);
            memset(&c, 0, sizeof(c));
            c.subject[subject_pers[kind]] = s->name;

            if (!tg_str_eq(s->name, tg_str("*"))
                && !rows_add_quota(rows, q, &c))
            {
                return false;
            }
        }
    }

    /* all calls, or those that say nothing of themselves */

    memset(&c, 0, sizeof(c));

    return rows_add_quota(rows, q, &c);
}


bool
rows_all(rows_t *rows)
{
    size_t                i, n;
    caller_t              c;
    const tg_keys_t      *keys = server_keys(rows->server);
    const tg_quotas_t    *quotas = &rows->server->conf->quotas;
    const tg_subject_t   *s;

    for (i = 0; i < quotas->n; i++) {
        if (!rows_quota(rows, quotas->list[i])) {
            return false;
        }
    }

    for (int kind = 0; keys != NULL && kind < TG_SUBJECTS; kind++) {
        n = tg_keys_subjects(keys, (tg_subject_kind_t) kind);

        for (i = 0; i < n; i++) {
            s = tg_keys_subject(keys, (tg_subject_kind_t) kind, i);
            memset(&c, 0, sizeof(c));
            c.subject[subject_pers[kind]] = s->name;

            if (!tg_str_eq(s->name, tg_str("*"))
                && !rows_add_budgets(rows, &c))
            {
                return false;
            }
        }
    }

    for (i = 0; keys != NULL && i < tg_keys_count(keys); i++) {
        caller_of_key(tg_keys_key(keys, i), &c);

        if (!rows_add_budgets(rows, &c)) {
            return false;
        }
    }

    return true;
}


bool
rows_nested(rows_t *rows, const caller_t *c)
{
    bool                known;
    const tg_quota_t   *q;
    const tg_quotas_t  *quotas = &rows->server->conf->quotas;

    for (unsigned i = 0; i < quotas->n; i++) {
        q = quotas->list[i];
        known = true;

        for (unsigned k = 0; k < q->npers; k++) {
            known &= q->per[k].kind == TG_PER_ALL
                     || caller_part(c, &q->per[k]).len != 0;
        }

        if (known && !rows_add_quota(rows, q, c)) {
            return false;
        }
    }

    return rows_add_budgets(rows, c);
}
