/* llm_me: what a key has spent, and each limit that it is under. */

#include "tg_own.h"
#include "tg_text.h"

#define TG_ME_LIMITS  64        /* more are not shown, and that is said */
#define TG_ME_ROOM    2048      /* of a part of the page, names escaped */
#define TG_ME_NAME    512

static const char *const  tg_me_windows[] = {
    [TG_WINDOW_SECOND] = "second",
    [TG_WINDOW_MINUTE] = "minute",
    [TG_WINDOW_HOUR] = "hour",
    [TG_WINDOW_DAY] = "day",
    [TG_WINDOW_WEEK] = "week",
    [TG_WINDOW_MONTH] = "month",
    [TG_WINDOW_TOTAL] = "total",
    [TG_WINDOW_IDLE] = "idle"
};

typedef struct {
    const tg_quota_t        *quota;
    const tg_quota_limit_t  *limit;
    tg_ledger_item_t         item;
    tg_ledger_state_t        state;
    tg_subject_forecast_t    forecast;
    uint64_t                 refused;       /* calls of all its subject's */
} tg_me_limit_t;

typedef struct {
    const tg_status_facts_t *facts;
    const tg_key_t          *key;
    tg_quota_call_t          call;
    unsigned                 n;
    bool                     more;
    tg_me_limit_t            limit[TG_ME_LIMITS];
} tg_me_t;


static tg_str_t
tg_me_tag(void *data, tg_str_t name)
{
    const tg_me_t  *me = data;

    for (unsigned i = 0; i < me->key->ntags; i++) {
        if (tg_str_eq(me->key->tags[i].name, name)) {
            return me->key->tags[i].value;
        }
    }

    return tg_str_null;
}


/* Whose bucket it is the key alone says: not a call's model or session. */
static bool
tg_me_is_of(tg_me_t *me, const tg_quota_t *q)
{
    for (unsigned i = 0; i < q->npers; i++) {
        switch (q->per[i].kind) {

        case TG_PER_ALL:
            break;

        case TG_PER_KEY:
        case TG_PER_USER:
        case TG_PER_TEAM:
        case TG_PER_ORG:
            if (me->call.subject[q->per[i].kind].len == 0) {
                return false;
            }
            break;

        case TG_PER_TAG:
            if (tg_me_tag(me, q->per[i].tag).len == 0) {
                return false;
            }
            break;

        default:
            return false;
        }
    }

    return !q->of_route;
}


/* As no call has been yet, it is empty. */
static void
tg_me_state(const tg_me_t *me, tg_me_limit_t *l)
{
    int64_t              now = me->facts->wall_ms;
    tg_ledger_entry_t    entry;
    tg_ledger_result_t   r;
    const tg_ledger_t   *ledger = me->facts->ledger;

    memset(&l->state, 0, sizeof(l->state));
    l->state.cap = l->item.cap;
    l->state.limit = l->item.limit;
    l->state.reset = l->item.window.end;

    if (tg_ledger_read(ledger, l->item.key, &entry) == TG_LEDGER_OK) {
        r.nstates = 0;
        (void) tg_ledger_look(ledger, now, &l->item, 1, &r);

        if (r.nstates == 1) {
            l->state = r.states[0];
        }
    }
}


static void
tg_me_quota(tg_me_t *me, const tg_quota_t *q)
{
    tg_me_limit_t  *l;

    if (!tg_me_is_of(me, q)) {
        return;
    }

    for (unsigned i = 0; i < q->nlimits; i++) {
        if (q->limits[i].measure == TG_MEASURE_REPEATS) {
            continue;
        }

        if (me->n == TG_ME_LIMITS) {
            me->more = true;
            return;
        }

        l = &me->limit[me->n++];
        memset(l, 0, sizeof(tg_me_limit_t));
        l->quota = q;
        l->limit = &q->limits[i];
        tg_quota_item(q, l->limit, &me->call, &l->item);
        tg_me_state(me, l);
    }
}


static void
tg_me_budgets(tg_me_t *me)
{
    static const tg_per_t  pers[TG_SUBJECTS] = {
        [TG_SUBJECT_USER] = TG_PER_USER,
        [TG_SUBJECT_TEAM] = TG_PER_TEAM,
        [TG_SUBJECT_ORG] = TG_PER_ORG
    };

    unsigned                  n;
    const tg_keys_t          *keys = tg_roster_keys(me->facts->roster);
    const tg_quota_t *const  *list;

    list = tg_roster_key_budgets(me->facts->roster, me->key, &n);

    for (unsigned i = 0; i < n; i++) {
        tg_me_quota(me, list[i]);
    }

    for (int kind = 0; kind < TG_SUBJECTS; kind++) {
        list = tg_roster_subject_budgets(me->facts->roster,
                   tg_keys_subject_of(keys, (tg_subject_kind_t) kind,
                                      me->call.subject[pers[kind]]), &n);

        for (unsigned i = 0; i < n; i++) {
            tg_me_quota(me, list[i]);
        }
    }
}


/* The pace of those that calls came from. */
static void
tg_me_forecasts(tg_me_t *me)
{
    int64_t            now = me->facts->wall_ms;
    unsigned           i = 0, k;
    tg_subject_view_t  v;

    while (tg_subjects_each(&me->facts->tally->subjects, now, &i, &v)) {
        for (k = 0; k < me->n; k++) {
            if (memcmp(v.key, me->limit[k].item.key, TG_LEDGER_KEY) == 0) {
                tg_subject_forecast(&v, &me->limit[k].state, now,
                                    &me->limit[k].forecast);
                me->limit[k].refused = v.refused;
            }
        }
    }
}


static void
tg_me_limits(tg_me_t *me)
{
    const tg_key_t     *key = me->key;
    const tg_quotas_t  *quotas = &me->facts->conf->quotas;

    me->n = 0;
    me->more = false;
    memset(&me->call, 0, sizeof(me->call));
    me->call.subject[TG_PER_KEY] = key->id;
    me->call.subject[TG_PER_USER] = key->user;
    me->call.subject[TG_PER_TEAM] = key->team;
    me->call.subject[TG_PER_ORG] = key->org;
    me->call.configured = UINT32_MAX;
    me->call.tag = tg_me_tag;
    me->call.tag_data = me;
    me->call.now = me->facts->wall_ms;
    me->call.zone = me->facts->zone;

    if (me->facts->ledger == NULL) {
        return;
    }

    tg_me_budgets(me);

    for (unsigned i = 0; i < quotas->n; i++) {
        tg_me_quota(me, quotas->list[i]);
    }

    tg_me_forecasts(me);
}


static void
tg_me_str(tg_text_t *t, const char *name, tg_str_t value)
{
    if (value.len != 0) {
        tg_put_lit(t, ",\"");
        tg_put_str(t, tg_strz(name));
        tg_put_lit(t, "\":\"");
        tg_put_json(t, value, TG_ME_NAME);
        tg_put_lit(t, "\"");
    }
}


/* In its measure: dollars as such. */
static void
tg_me_amount(tg_text_t *t, const char *name, tg_measure_t measure, int64_t v)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":");

    if (measure == TG_MEASURE_USD) {
        tg_put_decimal(t, v, 9);
    } else {
        tg_put_int(t, v);
    }
}


static void
tg_me_time(tg_text_t *t, const char *name, int64_t ms)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":\"");
    tg_put_time(t, ms);
    tg_put_lit(t, "\"");
}


static void
tg_me_forecast(tg_text_t *t, const tg_me_limit_t *l)
{
    tg_measure_t                  m = l->limit->measure;
    const tg_subject_forecast_t  *f = &l->forecast;

    if (!f->known) {
        return;
    }

    tg_put_lit(t, ",\"forecast\":{\"known\":true");
    tg_me_amount(t, "daily", m, f->daily);

    if (l->state.reset != TG_WINDOW_NEVER) {
        tg_me_amount(t, "at_reset", m, f->at_reset);
    }

    if (f->out != TG_WINDOW_NEVER) {
        tg_me_time(t, "used_up", f->out);
    }

    tg_put_lit(t, "}");
}


static void
tg_me_put_limit(tg_page_t *pg, const tg_me_t *me, const tg_me_limit_t *l)
{
    char                      subject[TG_ME_NAME];
    int64_t                   left;
    tg_text_t                *t = &pg->text;
    tg_measure_t              m = l->limit->measure;
    const tg_ledger_state_t  *st = &l->state;

    left = st->limit - st->used - st->held;

    tg_page_room(pg, TG_ME_ROOM);
    tg_put(t, ",", l != me->limit);
    tg_put_lit(t, "\n{\"measure\":\"");
    tg_put_str(t, tg_strz(tg_measure_names[m]));
    tg_put_lit(t, "\"");
    tg_me_str(t, "quota", l->quota->name);
    tg_me_str(t, "subject",
              tg_str_of(subject, tg_quota_subject(subject, sizeof(subject),
                                                  l->quota, &me->call)));

    if (m != TG_MEASURE_CONCURRENT) {
        tg_me_str(t, "window", tg_strz(tg_me_windows[l->limit->window.kind]));
    }

    tg_me_amount(t, "used", m, st->used);
    tg_me_amount(t, "held", m, st->held);
    tg_me_amount(t, "cap", m, st->cap);
    tg_me_amount(t, "stops_at", m, st->limit);
    tg_me_amount(t, "left", m, left > 0 ? left : 0);

    if (m != TG_MEASURE_CONCURRENT && st->reset != TG_WINDOW_NEVER) {
        tg_me_time(t, "reset", st->reset);
    }

    tg_me_amount(t, "refused", TG_MEASURE_REQUESTS, (int64_t) l->refused);

    if (st->latched) {
        tg_put_lit(t, ",\"closed\":true");
    }

    if (l->quota->when != NULL) {
        tg_put_lit(t, ",\"sometimes\":true");
    }

    if (l->quota->dry_run) {
        tg_put_lit(t, ",\"dry_run\":true");
    }

    tg_me_forecast(t, l);
    tg_put_lit(t, "}");
}


static void
tg_me_spend(tg_page_t *pg, const tg_me_t *me)
{
    tg_text_t                *t = &pg->text;
    tg_spend_sum_t            sum;
    const tg_status_facts_t  *facts = me->facts;

    tg_spend_of(&facts->tally->spend, TG_SPEND_KEY, me->key->id, facts->zone,
                facts->wall_ms, &sum);

    tg_page_room(pg, TG_ME_ROOM);
    tg_put_lit(t, ",\n\"spend\":{\"today_usd\":");
    tg_put_decimal(t, sum.today, 9);
    tg_me_amount(t, "today_nusd", TG_MEASURE_REQUESTS, sum.today);
    tg_me_amount(t, "today_calls", TG_MEASURE_REQUESTS,
                 (int64_t) sum.calls_today);
    tg_me_amount(t, "month_usd", TG_MEASURE_USD, sum.month);
    tg_me_amount(t, "month_nusd", TG_MEASURE_REQUESTS, sum.month);
    tg_me_amount(t, "month_calls", TG_MEASURE_REQUESTS,
                 (int64_t) sum.calls_month);
    tg_me_amount(t, "hourly_usd", TG_MEASURE_USD, sum.hourly);
    tg_me_str(t, "zone", facts->conf->ledger.zone.len != 0
                         ? facts->conf->ledger.zone : tg_str("UTC"));
    tg_put_lit(t, "}");
}


static void
tg_me_who(tg_page_t *pg, const tg_me_t *me)
{
    tg_text_t       *t = &pg->text;
    const tg_key_t  *key = me->key;

    tg_page_room(pg, TG_PAGE_SIZE);
    tg_put_lit(t, "{\"@timestamp\":\"");
    tg_put_time(t, me->facts->wall_ms);
    tg_put_lit(t, "\"");
    tg_me_str(t, "key_id", key->id);
    tg_me_str(t, "name", key->name);
    tg_me_str(t, "team", key->team);
    tg_me_str(t, "user", key->user);
    tg_me_str(t, "organization", key->org);

    if (key->expires_ms != INT64_MAX) {
        tg_me_time(t, "expires", key->expires_ms);
    }

    if (key->nmodels == 0) {
        return;
    }

    tg_put_lit(t, ",\"models\":[");

    for (unsigned i = 0; i < key->nmodels; i++) {
        tg_page_room(pg, TG_ME_ROOM);
        tg_put(t, ",", i != 0);
        tg_put_lit(t, "\"");
        tg_put_json(t, key->models[i], TG_ME_NAME);
        tg_put_lit(t, "\"");
    }

    tg_put_lit(t, "]");
}


static void
tg_me_page(const tg_me_t *me, tg_out_t out, void *data)
{
    tg_page_t  pg;

    tg_page_init(&pg, out, data);
    tg_me_who(&pg, me);
    tg_me_spend(&pg, me);
    tg_page_room(&pg, TG_ME_ROOM);
    tg_put_lit(&pg.text, ",\n\"limits\":[");

    for (unsigned i = 0; i < me->n; i++) {
        tg_me_put_limit(&pg, me, &me->limit[i]);
    }

    tg_page_room(&pg, TG_ME_ROOM);
    tg_put_lit(&pg.text, "]");

    if (me->more) {
        tg_put_lit(&pg.text, ",\"more_limits\":true");
    }

    tg_put_lit(&pg.text, "}\n");
    (void) tg_page_end(&pg);
}


void
tg_own_me(const tg_status_facts_t *facts, const tg_own_request_t *rq,
    tg_own_answer_t *answer, tg_out_t out, void *data)
{
    tg_me_t  me;

    me.facts = facts;
    me.key = tg_own_key(facts, TG_OWN_ME, rq, answer, out, data);

    if (me.key != NULL) {
        tg_me_limits(&me);
        answer->status = 200;
        tg_me_page(&me, out, data);
    }
}
