#include "tg_quota_int.h"
#include "tg_conf.h"
#include "tg_when.h"

const char *const  tg_per_names[TG_PERS] = {
    "all", "key", "user", "team", "org", "model", "provider", "session",
    "agent", "client", "tag:"
};

const char *const  tg_measure_names[TG_MEASURES + 1] = {
    "requests", "tokens", "input_tokens", "output_tokens", "usd", "concurrent",
    "repeats"
};

/* A quota while its words are being read. */
typedef struct {
    tg_mem_t    *mem;
    tg_quota_t  *q;
    tg_error_t  *err;
    tg_str_t     idle;          /* of idle=, with it: "idle=30m" */
    bool         wait;          /* wait= is said */
    uint64_t     bare;          /* bit: this limit has no window yet */
} tg_quota_draft_t;


#define tg_quota_fail(d, ...)  tg_error((d)->err, 0, 0, __VA_ARGS__)


/* Cuts `s` at the first `c`; false where there is none, and rest is empty. */
static bool
tg_quota_cut(tg_str_t s, char c, tg_str_t *first, tg_str_t *rest)
{
    const char  *p = s.len == 0 ? NULL : memchr(s.p, c, s.len);

    if (p == NULL) {
        *first = s;
        *rest = tg_str_null;
        return false;
    }

    *first = tg_str_of(s.p, (size_t) (p - s.p));
    *rest = tg_str_of(p + 1, s.len - first->len - 1);

    return true;
}


static int
tg_quota_per_part(tg_quota_draft_t *d, tg_str_t s)
{
    tg_quota_t      *q = d->q;
    tg_str_t         tag = tg_str_null;
    tg_quota_per_t   per = { TG_PERS, { NULL, 0 } };

    if (tg_str_starts(s, tg_str("tag:"))) {
        tag = tg_str_of(s.p + 4, s.len - 4);
        per.kind = TG_PER_TAG;

        if (!tg_str_is_name(tag)) {
            return tg_quota_fail(d, "per=: \"%.*s\" is no tag's name",
                                 TG_ARG(tag));
        }

    } else {
        for (unsigned i = 0; i < TG_PER_TAG; i++) {
            if (tg_str_eq(s, tg_strz(tg_per_names[i]))) {
                per.kind = (tg_per_t) i;
            }
        }

        if (tg_str_eq(s, tg_str("ip"))) {
            per.kind = TG_PER_CLIENT;
        }
    }

    if (per.kind == TG_PERS) {
        return tg_quota_fail(d, "unknown per=%.*s; known are all, key, user,"
                             " team, org, model, provider, session, agent,"
                             " client, tag:<name>, joined with +", TG_ARG(s));
    }

    if (q->npers == TG_QUOTA_PER_MAX) {
        return tg_quota_fail(d, "per= joins more than %d", TG_QUOTA_PER_MAX);
    }

    for (unsigned i = 0; i < q->npers; i++) {
        if (q->per[i].kind == TG_PER_ALL || per.kind == TG_PER_ALL) {
            return tg_quota_fail(d, "per=all stands alone");
        }

        if (q->per[i].kind == per.kind && tg_str_eq(q->per[i].tag, tag)) {
            return tg_quota_fail(d, "per= says %.*s twice", TG_ARG(s));
        }
    }

    per.tag = tag.len ? tg_dup(d->mem, tag) : tag;
    q->per[q->npers++] = per;

    return TG_OK;
}


static int
tg_quota_per(tg_quota_draft_t *d, tg_str_t v)
{
    tg_str_t  part;
    bool      more;

    if (d->q->npers != 0) {
        return tg_quota_fail(d, "per= is not for a budget, which is of its"
                             " owner");
    }

    do {
        more = tg_quota_cut(v, '+', &part, &v);

        if (tg_quota_per_part(d, part) != TG_OK) {
            return TG_ERROR;
        }

    } while (more);

    return TG_OK;
}


static int
tg_quota_cap(tg_quota_draft_t *d, tg_measure_t measure, tg_str_t word,
    tg_str_t s, int64_t *cap)
{
    *cap = tg_conf_amount(s, measure == TG_MEASURE_USD ? 9 : 0,
                          TG_QUOTA_CAP_MAX);

    if (*cap == -1 || *cap == 0) {
        return tg_quota_fail(d, "\"%.*s\" takes an amount above 0, such as"
                             " 5000, 2.50, 200k or 1M", TG_ARG(word));
    }

    if (*cap == -2) {
        return measure == TG_MEASURE_USD
               ? tg_quota_fail(d, "\"%.*s\": an amount is whole nano-dollars,"
                               " and at most 9.0 million dollars", TG_ARG(word))
               : tg_quota_fail(d, "\"%.*s\": an amount is a whole number, and"
                               " at most 9,000,000,000,000,000", TG_ARG(word));
    }

    return TG_OK;
}


static tg_quota_limit_t *
tg_quota_limit(tg_quota_draft_t *d, tg_measure_t measure, int64_t cap)
{
    tg_quota_t        *q = d->q;
    tg_quota_limit_t  *l;

    if (q->nlimits == TG_QUOTA_LIMITS_MAX) {
        (void) tg_quota_fail(d, "more than %d limits", TG_QUOTA_LIMITS_MAX);
        return NULL;
    }

    l = &q->limits[q->nlimits++];
    l->measure = measure;
    l->cap = cap;
    l->window.kind = TG_WINDOW_TOTAL;

    return l;
}


static int
tg_quota_measure(tg_quota_draft_t *d, tg_measure_t measure, tg_str_t word,
    tg_str_t v)
{
    bool               window;
    int64_t            cap;
    tg_str_t           amount, rest;
    tg_quota_limit_t  *l;

    window = tg_quota_cut(v, '/', &amount, &rest);

    if (tg_quota_cap(d, measure, word, amount, &cap) != TG_OK) {
        return TG_ERROR;
    }

    if (measure == TG_MEASURE_CONCURRENT && window) {
        return tg_quota_fail(d, "\"%.*s\": calls at a time have no window",
                             TG_ARG(word));
    }

    l = tg_quota_limit(d, measure, cap);
    if (l == NULL) {
        return TG_ERROR;
    }

    if (!window) {
        if (measure != TG_MEASURE_CONCURRENT) {
            d->bare |= UINT64_C(1) << (d->q->nlimits - 1);
        }
        return TG_OK;
    }

    if (tg_window_parse(rest, &l->window) != TG_OK) {
        return tg_quota_fail(d, "\"%.*s\": a window is /second, /minute, /hour,"
                             " /day, /week, /month, /total or /idle=<time>",
                             TG_ARG(word));
    }

    return TG_OK;
}


static int
tg_quota_alert(tg_quota_draft_t *d, tg_str_t v)
{
    bool      more;
    unsigned  percent, k, n = 0;
    tg_str_t  part;
    uint8_t  *alert = d->q->alert;

    do {
        more = tg_quota_cut(v, ',', &part, &v);
        percent = tg_conf_percent(part, 255);

        if (percent == 0) {
            return tg_quota_fail(d, "alert= takes percentages from 1%% to"
                                 " 255%% with commas between, not \"%.*s\"",
                                 TG_ARG(part));
        }

        if (n == TG_LEDGER_ALERTS_MAX) {
            return tg_quota_fail(d, "alert= has more than %d thresholds",
                                 TG_LEDGER_ALERTS_MAX);
        }

        for (k = n; k > 0 && alert[k - 1] >= percent; k--) {
            if (alert[k - 1] == percent) {
                return tg_quota_fail(d, "alert= says %u%% twice", percent);
            }
            alert[k] = alert[k - 1];
        }

        alert[k] = (uint8_t) percent;
        n++;

    } while (more);

    return TG_OK;
}


static int
tg_quota_action(tg_quota_draft_t *d, tg_str_t v)
{
    if (tg_str_eq(v, tg_str("reject"))) {
        d->q->action = TG_ACTION_REJECT;

    } else if (tg_str_eq(v, tg_str("throttle"))) {
        d->q->action = TG_ACTION_THROTTLE;

    } else if (tg_str_starts(v, tg_str("route:"))
               && tg_str_is_name(tg_str_of(v.p + 6, v.len - 6)))
    {
        d->q->action = TG_ACTION_ROUTE;
        d->q->route = tg_dup(d->mem, tg_str_of(v.p + 6, v.len - 6));

        return d->q->route.p != NULL ? TG_OK : tg_quota_fail(d, "no memory");

    } else {
        return tg_quota_fail(d, "action= takes reject, throttle or"
                             " route:<name>, not \"%.*s\"", TG_ARG(v));
    }

    return TG_OK;
}


static int
tg_quota_waits(tg_quota_draft_t *d, tg_str_t v)
{
    d->q->wait_ms = tg_conf_time(v);

    if (d->q->wait_ms < 0 || d->q->wait_ms > TG_QUOTA_WAIT_MAX) {
        return tg_quota_fail(d, "wait= takes a time up to 5m, not \"%.*s\"",
                             TG_ARG(v));
    }

    d->wait = true;

    return TG_OK;
}


static int
tg_quota_add_repeats(tg_quota_draft_t *d, tg_str_t v)
{
    int64_t  n = v.len > 7 ? -1 : tg_str_int(v);

    if (n < 1) {
        return tg_quota_fail(d, "repeats= takes a whole number from 1, not"
                             " \"%.*s\"", TG_ARG(v));
    }

    return tg_quota_limit(d, TG_MEASURE_REPEATS, n) == NULL ? TG_ERROR : TG_OK;
}


static int
tg_quota_when(tg_quota_draft_t *d, tg_str_t v)
{
    d->q->when = tg_expr_compile(d->mem, v, tg_when_symbols, TG_WHEN_SYMBOLS,
                                 d->err);

    return d->q->when == NULL ? TG_ERROR : TG_OK;
}


static int
tg_quota_stop(tg_quota_draft_t *d, tg_str_t v)
{
    d->q->stop = tg_conf_percent(v, 1000);

    return d->q->stop != 0 ? TG_OK
           : tg_quota_fail(d, "stop= takes a percentage from 1%% to 1000%%,"
                           " not \"%.*s\"", TG_ARG(v));
}


static int
tg_quota_clamp(tg_quota_draft_t *d, tg_str_t v)
{
    d->q->clamp = tg_str_starts(v, tg_str("min:"))
                  ? tg_conf_amount(tg_str_of(v.p + 4, v.len - 4), 0,
                                   TG_QUOTA_CAP_MAX) : -1;

    return d->q->clamp > 0 ? TG_OK
           : tg_quota_fail(d, "clamp= takes min:<tokens>, such as min:256, not"
                           " \"%.*s\"", TG_ARG(v));
}


static int
tg_quota_estimate(tg_quota_draft_t *d, tg_str_t v)
{
    d->q->calibrated = tg_str_eq(v, tg_str("calibrated"));

    return d->q->calibrated || tg_str_eq(v, tg_str("bound")) ? TG_OK
           : tg_quota_fail(d, "estimate= takes bound or calibrated, not"
                           " \"%.*s\"", TG_ARG(v));
}


static int
tg_quota_param(tg_quota_draft_t *d, tg_str_t word, tg_str_t key, tg_str_t v)
{
    static const struct {
        tg_str_t    name;
        int       (*read)(tg_quota_draft_t *d, tg_str_t v);
    } params[] = {
        { TG_STR("per"), tg_quota_per },
        { TG_STR("alert"), tg_quota_alert },
        { TG_STR("action"), tg_quota_action },
        { TG_STR("wait"), tg_quota_waits },
        { TG_STR("repeats"), tg_quota_add_repeats },
        { TG_STR("when"), tg_quota_when },
        { TG_STR("stop"), tg_quota_stop },
        { TG_STR("clamp"), tg_quota_clamp },
        { TG_STR("estimate"), tg_quota_estimate }
    };

    tg_window_spec_t  idle;

    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        if (tg_str_eq(key, params[i].name)) {
            return params[i].read(d, v);
        }
    }

    if (tg_str_eq(key, tg_str("idle"))) {
        d->idle = word;

        return tg_window_parse(word, &idle) == TG_OK ? TG_OK
               : tg_quota_fail(d, "idle= takes a time from 1s to 185d, not"
                               " \"%.*s\"", TG_ARG(v));
    }

    return tg_quota_fail(d, "unknown parameter \"%.*s\"; known are per=,"
                         " requests=, tokens=, input_tokens=, output_tokens=,"
                         " usd=, concurrent=, when=, alert=, stop=, action=,"
                         " wait=, clamp=, estimate=, repeats=, idle=, latch,"
                         " dry_run", TG_ARG(key));
}


static int
tg_quota_word(tg_quota_draft_t *d, tg_str_t word)
{
    tg_str_t  key, v;

    if (tg_str_eq(word, tg_str("latch"))) {
        d->q->latch = true;
        return TG_OK;
    }

    if (tg_str_eq(word, tg_str("dry_run"))) {
        d->q->dry_run = true;
        return TG_OK;
    }

    if (!tg_quota_cut(word, '=', &key, &v)) {
        return tg_quota_fail(d, "unknown word \"%.*s\"; a limit is written"
                             " <measure>=<amount>/<window>", TG_ARG(word));
    }

    for (unsigned i = 0; i < TG_MEASURES; i++) {
        if (tg_str_eq(key, tg_strz(tg_measure_names[i]))) {
            return tg_quota_measure(d, (tg_measure_t) i, word, v);
        }
    }

    return tg_quota_param(d, word, key, v);
}


/* Of repeats= the window is that of the first limit beside it. */
static int
tg_quota_windows(tg_quota_draft_t *d)
{
    tg_quota_t        *q = d->q;
    tg_window_spec_t   idle, repeats = { TG_WINDOW_HOUR, 0 };
    bool               found = false;

    if (d->idle.p != NULL) {
        (void) tg_window_parse(d->idle, &idle);
        repeats = idle;
    }

    for (unsigned i = 0; i < q->nlimits; i++) {
        if (d->bare >> i & 1) {
            if (d->idle.p == NULL) {
                return tg_quota_fail(d, "%s= lacks its window: <amount>/second,"
                                     " /minute, /hour, /day, /week, /month,"
                                     " /total, or idle=<time>",
                                     tg_measure_names[q->limits[i].measure]);
            }

            q->limits[i].window = idle;
        }

        if (!found && q->limits[i].measure < TG_MEASURE_CONCURRENT) {
            repeats = q->limits[i].window;
            found = true;
        }
    }

    for (unsigned i = 0; i < q->nlimits; i++) {
        if (q->limits[i].measure == TG_MEASURE_REPEATS) {
            q->limits[i].window = repeats;
        }
    }

    if (d->idle.p != NULL && d->bare == 0 && found) {
        return tg_quota_fail(d, "idle= has no effect: each limit has a window"
                             " of its own");
    }

    return TG_OK;
}


/* Each limit once, and of its cap what stop= leaves. */
static int
tg_quota_limits(tg_quota_draft_t *d)
{
    tg_quota_t        *q = d->q;
    tg_quota_limit_t  *l, *other;
    uint64_t           percent;

    for (unsigned i = 0; i < q->nlimits; i++) {
        l = &q->limits[i];

        for (unsigned k = 0; k < i; k++) {
            other = &q->limits[k];

            if (other->measure == l->measure
                && other->window.kind == l->window.kind
                && other->window.idle_ms == l->window.idle_ms)
            {
                return tg_quota_fail(d, "limits %s twice in one window",
                                     tg_measure_names[l->measure]);
            }
        }

        /* quotients and rests apart, so that nothing overflows */

        percent = l->measure == TG_MEASURE_REPEATS ? 100 : q->stop;
        l->limit = l->cap / 100 * (int64_t) percent
                   + l->cap % 100 * (int64_t) percent / 100;

        if (l->limit > TG_QUOTA_CAP_MAX) {
            return tg_quota_fail(d, "stop=%u%% of %s= is more than there is",
                                 q->stop, tg_measure_names[l->measure]);
        }
    }

    return TG_OK;
}


static int
tg_quota_complete(tg_quota_draft_t *d)
{
    tg_quota_t  *q = d->q;

    if (q->npers == 0) {
        return tg_quota_fail(d, "needs per=: key, user, team, org, model,"
                             " provider, session, agent, client, tag:<name>,"
                             " joined with +, or all");
    }

    if (q->nlimits == 0) {
        return tg_quota_fail(d, "limits nothing: it needs"
                             " <measure>=<amount>/<window>, such as"
                             " usd=50/day");
    }

    if (tg_quota_windows(d) != TG_OK || tg_quota_limits(d) != TG_OK) {
        return TG_ERROR;
    }

    if (q->action == TG_ACTION_THROTTLE && !d->wait) {
        q->wait_ms = TG_QUOTA_THROTTLE;
    }

    /* It need not wait: there is somewhere else to go. */

    if (q->action == TG_ACTION_ROUTE && !d->wait) {
        q->wait_ms = 0;
    }

    if (q->action == TG_ACTION_ROUTE && (q->budget || q->latch)) {
        return tg_quota_fail(d, "action=route: is for llm_quota, and has no"
                             " use beside latch");
    }

    return TG_OK;
}


int
tg_quota_words(tg_mem_t *mem, tg_quota_t *q, const tg_str_t *words, unsigned n,
    tg_error_t *err)
{
    tg_quota_draft_t  d;

    memset(&d, 0, sizeof(d));
    d.mem = mem;
    d.q = q;
    d.err = err;

    q->stop = 100;
    q->wait_ms = TG_QUOTA_WAIT;

    if (tg_conf_once(words, n, err) != TG_OK) {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < n; i++) {
        if (tg_quota_word(&d, words[i]) != TG_OK) {
            return TG_ERROR;
        }
    }

    return tg_quota_complete(&d);
}
