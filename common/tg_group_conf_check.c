/* llm_health_check and llm_balance. */

#include "tg_group_conf_int.h"

#define AT(field)  offsetof(tg_check_conf_t, field)
#define SECOND     1000
#define HOUR       (3600 * SECOND)

/* The order is that of TG_CHECK_*. */
static const tg_group_value_t  tg_check_values[] = {
    { "interval", TG_VALUE_TIME, false, AT(interval), 100, HOUR,
      "from 100ms to 1h" },
    { "jitter", TG_VALUE_PERCENT, false, AT(jitter), 0, 50, "up to 50%" },
    { "connect", TG_VALUE_TIME, false, AT(connect), 10, 60 * SECOND,
      "from 10ms to 1m" },
    { "timeout", TG_VALUE_TIME, false, AT(timeout), 10, 60 * SECOND,
      "from 10ms to 1m" },
    { "rise", TG_VALUE_COUNT, false, AT(rise), 1, 100, "from 1 to 100" },
    { "fall", TG_VALUE_COUNT, false, AT(fall), 1, 100, "from 1 to 100" },
    { "slow_start", TG_VALUE_TIME, false, AT(slow_start), 0, HOUR,
      "up to 1h" },
    { "max_ejected", TG_VALUE_PERCENT, false, AT(max_ejected), 1, 100,
      "from 1% to 100%" },
    { "stall", TG_VALUE_TIME, true, AT(stall), SECOND, 24 * HOUR,
      "from 1s to 24h" },
    { "loading", TG_VALUE_TIME, false, AT(loading), SECOND, 24 * HOUR,
      "from 1s to 24h" }
};

#define TG_CHECK_CONNECT  2
#define TG_CHECK_VALUES   (sizeof(tg_check_values) / sizeof(tg_check_values[0]))


void
tg_group_check_init(tg_check_conf_t *cc)
{
    memset(cc, 0, sizeof(*cc));

    cc->interval = SECOND;
    cc->jitter = 10;
    cc->connect = 500;
    cc->timeout = 2 * SECOND;
    cc->rise = 2;
    cc->fall = 3;
    cc->max_ejected = 50;
    cc->stall = 120 * SECOND;
    cc->loading = HOUR / 2;
}


static int
tg_check_param(tg_group_draft_t *d, bool *tls, tg_str_t arg)
{
    int               rc;
    tg_str_t          v;
    tg_check_conf_t  *cc = &d->gc->check;

    rc = tg_group_value(d, tg_check_values, TG_CHECK_VALUES, cc, arg);
    if (rc != TG_AGAIN) {
        return rc;
    }

    if (tg_conf_param(arg, "tls", &v)) {
        cc->tls = tg_str_eq(v, tg_str("on"));

        if (*tls || (!cc->tls && !tg_str_eq(v, tg_str("off")))) {
            return tg_group_fail(d, "tls= takes, once, on or off, not"
                                 " \"%.*s\"", TG_ARG(v));
        }

        *tls = true;
        return TG_OK;
    }

    if (tg_conf_param(arg, "host", &v)) {
        return tg_group_host_ok(v) ? tg_group_text(d, "host", v, &cc->host)
               : tg_group_fail(d, "host= takes <name>[:<port>], not \"%.*s\"",
                               TG_ARG(v));
    }

    return tg_conf_unknown_param(arg, "interval=, jitter=, connect=, timeout=,"
                                 " rise=, fall=, slow_start=, max_ejected=,"
                                 " stall=, loading=, tls=, host=, off", d->err);
}


int
tg_group_check(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs)
{
    bool              off = false, tls = false;
    tg_check_conf_t  *cc = &d->gc->check;

    if (d->gc->check_said) {
        return tg_group_fail(d, "is given twice here");
    }

    for (unsigned i = 0; i < nargs; i++) {
        if (tg_str_eq(args[i], tg_str("off"))) {
            off = true;

        } else if (tg_check_param(d, &tls, args[i]) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (cc->connect > cc->timeout) {
        if (d->said >> TG_CHECK_CONNECT & 1) {
            return tg_group_fail(d, "connect= is longer than timeout=, which is"
                                 " of all of it");
        }

        cc->connect = cc->timeout;
    }

    cc->on = !off;
    d->gc->check_said = true;

    return TG_OK;
}


/* "$name", or "env:name": the name. */
static int
tg_balance_key(tg_group_draft_t *d, tg_str_t v)
{
    tg_str_t  name = tg_str_null;

    if (tg_str_starts(v, tg_str("$"))) {
        name = tg_str_of(v.p + 1, v.len - 1);

    } else if (tg_str_starts(v, tg_str("env:"))) {
        name = tg_str_of(v.p + 4, v.len - 4);
    }

    return tg_str_is_name(name) ? tg_group_text(d, "key", name, &d->gc->key)
           : tg_group_fail(d, "key= takes a variable, $<name> or env:<name>,"
                           " not \"%.*s\"", TG_ARG(v));
}


static int
tg_balance_param(tg_group_draft_t *d, tg_str_t arg)
{
    int64_t   n;
    tg_str_t  v;

    if (tg_conf_param(arg, "load", &v)) {
        n = tg_conf_amount(v, 2, 1000);

        if (n <= 100 || d->said != 0) {
            return tg_group_fail(d, "load= takes, once, a factor from 1.01 to"
                                 " 10 with up to two decimals, such as 1.25,"
                                 " not \"%.*s\"", TG_ARG(v));
        }

        d->gc->load = (uint32_t) n;
        d->said = 1;
        return TG_OK;
    }

    if (tg_conf_param(arg, "key", &v)) {
        return tg_balance_key(d, v);
    }

    return tg_conf_unknown_param(arg, "load=, key=", d->err);
}


int
tg_group_balance(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs)
{
    if (d->gc->balance != TG_BALANCE_NONE) {
        return tg_group_fail(d, "is given twice here");
    }

    if (tg_str_eq(args[0], tg_str("least_load"))) {
        d->gc->balance = TG_BALANCE_LEAST_LOAD;

    } else if (tg_str_eq(args[0], tg_str("prefix_affinity"))) {
        d->gc->balance = TG_BALANCE_PREFIX_AFFINITY;

    } else {
        return tg_group_fail(d, "takes least_load or prefix_affinity, not"
                             " \"%.*s\"", TG_ARG(args[0]));
    }

    for (unsigned i = 1; i < nargs; i++) {
        if (tg_balance_param(d, args[i]) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (nargs > 1 && d->gc->balance != TG_BALANCE_PREFIX_AFFINITY) {
        return tg_group_fail(d, "load= and key= are of prefix_affinity");
    }

    return TG_OK;
}
