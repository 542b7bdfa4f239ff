#include "tg_calibrate.h"

#define TG_CALIBRATE_PROBES  8      /* places that a name may have */

/* A number: the count of its samples, and its value. */
#define TG_GAUGE_BITS        48
#define TG_GAUGE_MOST        ((UINT64_C(1) << TG_GAUGE_BITS) - 1)
#define TG_GAUGE_COUNT       UINT64_C(0xffff)

/* Values: bytes of 1000 tokens; of outputs 1024ths of a token. */
#define TG_CALIBRATE_MILLI   1000
#define TG_CALIBRATE_PART    1024

#define TG_CALIBRATE_STEP    8      /* of a quantile that is passed: 1/8 */
#define TG_CALIBRATE_BACK    512
#define TG_CALIBRATE_MEAN    32

typedef uint64_t (*tg_gauge_step_t)(uint64_t n, uint64_t old, uint64_t v);


static uint64_t
tg_calibrate_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);

    return h ^ h >> 32;
}


/* Each string with its length, so that it is known where one ends. */
static uint64_t
tg_calibrate_hash(uint64_t h, tg_str_t s)
{
    size_t    i;
    uint64_t  v;

    h = tg_calibrate_mix(h, s.len);

    for (i = 0; i + 8 <= s.len; i += 8) {
        memcpy(&v, s.p + i, 8);
        h = tg_calibrate_mix(h, v);
    }

    if (i < s.len) {
        v = 0;
        memcpy(&v, s.p + i, s.len - i);
        h = tg_calibrate_mix(h, v);
    }

    return h;
}


tg_calibrate_name_t
tg_calibrate_name(tg_str_t vendor, tg_str_t api, tg_str_t model, tg_str_t key)
{
    uint64_t             h = 0;
    tg_calibrate_name_t  name;

    h = tg_calibrate_hash(h, vendor);
    h = tg_calibrate_hash(h, api);
    h = tg_calibrate_hash(h, model);

    name.model = h != 0 ? h : 1;
    name.key = key.len == 0 ? 0 : tg_calibrate_hash(h, key) | 1;

    return name;
}


/* True where the place is the name's; a free one becomes it, where it is to. */
static bool
tg_calibrate_is(uint64_t *place, uint64_t name, bool take)
{
    uint64_t  there = __atomic_load_n(place, __ATOMIC_RELAXED);

    if (there == 0 && take) {
        (void) __atomic_compare_exchange_n(place, &there, name, false,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        return there == 0 || there == name;
    }

    return there == name;
}


static tg_calibrate_model_t *
tg_calibrate_model(const tg_calibrate_t *cal, uint64_t name, bool take)
{
    size_t                 h = (size_t) (name >> 32);
    tg_calibrate_model_t  *m;

    for (size_t i = 0; i < TG_CALIBRATE_PROBES; i++) {
        m = (tg_calibrate_model_t *) &cal->models[(h + i)
                                                  % TG_CALIBRATE_MODELS];

        if (tg_calibrate_is(&m->name, name, take)) {
            return m;
        }
    }

    return NULL;
}


static tg_calibrate_key_t *
tg_calibrate_key(const tg_calibrate_t *cal, uint64_t name, bool take)
{
    size_t               h = (size_t) (name >> 32);
    tg_calibrate_key_t  *k;

    for (size_t i = 0; name != 0 && i < TG_CALIBRATE_PROBES; i++) {
        k = (tg_calibrate_key_t *) &cal->keys[(h + i) % TG_CALIBRATE_KEYS];

        if (tg_calibrate_is(&k->name, name, take)) {
            return k;
        }
    }

    return NULL;
}


static uint64_t
tg_gauge_low(uint64_t n, uint64_t old, uint64_t v)
{
    uint64_t  step = old / (v < old ? TG_CALIBRATE_STEP : TG_CALIBRATE_BACK)
                     + 1;

    if (n < TG_CALIBRATE_LEARN) {
        return n == 0 || v < old ? v : old;
    }

    if (v < old) {
        return old - v < step ? v : old - step;
    }

    return v - old < step ? v : old + step;
}


static uint64_t
tg_gauge_high(uint64_t n, uint64_t old, uint64_t v)
{
    uint64_t  step = old / (v > old ? TG_CALIBRATE_STEP : TG_CALIBRATE_BACK)
                     + (v > old ? TG_CALIBRATE_PART : 1);

    if (n < TG_CALIBRATE_LEARN) {
        return v > old ? v : old;
    }

    if (v > old) {
        return v - old < step ? v : old + step;
    }

    return old - v < step ? v : old - step;
}


static uint64_t
tg_gauge_mean(uint64_t n, uint64_t old, uint64_t v)
{
    uint64_t  of = n < TG_CALIBRATE_MEAN ? n + 1 : TG_CALIBRATE_MEAN;

    return v < old ? old - (old - v) / of : old + (v - old) / of;
}


static void
tg_gauge_learn(uint64_t *gauge, tg_gauge_step_t step, uint64_t v)
{
    uint64_t  old = __atomic_load_n(gauge, __ATOMIC_RELAXED), new;
    uint64_t  n = old >> TG_GAUGE_BITS;

    v = step(n, old & TG_GAUGE_MOST, v < TG_GAUGE_MOST ? v : TG_GAUGE_MOST);
    v = v < TG_GAUGE_MOST ? v : TG_GAUGE_MOST;
    n = n < TG_GAUGE_COUNT ? n + 1 : n;
    new = n << TG_GAUGE_BITS | v;

    if (new == old) {
        return;
    }

    /* one who came between has taught it as well */

    (void) __atomic_compare_exchange_n(gauge, &old, new, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}


/* False where too little is known. */
static bool
tg_gauge_read(const uint64_t *gauge, uint64_t *v)
{
    uint64_t  word = __atomic_load_n(gauge, __ATOMIC_RELAXED);

    *v = word & TG_GAUGE_MOST;

    return word >> TG_GAUGE_BITS >= TG_CALIBRATE_LEARN;
}


static size_t
tg_calibrate_size(uint64_t bytes)
{
    size_t  i;

    for (i = 0, bytes >>= 10; bytes != 0 && i < TG_CALIBRATE_SIZES - 1; i++) {
        bytes >>= 2;
    }

    return i;
}


/* Bytes of 1000 tokens; 0: not to be learned. */
static uint64_t
tg_calibrate_ratio(uint64_t bytes, int64_t tokens)
{
    return tokens <= 0 || bytes > UINT64_MAX / TG_CALIBRATE_MILLI ? 0
           : bytes * TG_CALIBRATE_MILLI / (uint64_t) tokens;
}


static void
tg_calibrate_learn_output(tg_calibrate_t *cal, tg_calibrate_model_t *m,
    tg_calibrate_name_t name, const tg_calibrate_call_t *call)
{
    uint64_t             each;
    tg_calibrate_key_t  *k;

    if (call->output <= 0 || call->answers <= 0) {
        return;
    }

    each = (uint64_t) (call->output / call->answers);
    each = each < TG_GAUGE_MOST / TG_CALIBRATE_PART
           ? each * TG_CALIBRATE_PART : TG_GAUGE_MOST;

    tg_gauge_learn(&m->output, tg_gauge_high, each);

    k = tg_calibrate_key(cal, name.key, true);
    if (k != NULL) {
        tg_gauge_learn(&k->output, tg_gauge_high, each);
    }
}


void
tg_calibrate_learn(tg_calibrate_t *cal, tg_calibrate_name_t name,
    const tg_calibrate_call_t *call)
{
    uint64_t               v;
    tg_calibrate_model_t  *m = tg_calibrate_model(cal, name.model, true);

    if (m == NULL) {
        return;
    }

    v = tg_calibrate_ratio(call->bytes, call->input);
    if (v != 0) {
        tg_gauge_learn(&m->input[tg_calibrate_size(call->bytes)], tg_gauge_low,
                       v);
    }

    v = tg_calibrate_ratio(call->prompt, call->input);
    if (v != 0) {
        tg_gauge_learn(&m->prompt, tg_gauge_mean, v);
    }

    v = tg_calibrate_ratio(call->answer, call->output);
    if (v != 0) {
        tg_gauge_learn(&m->answer, tg_gauge_mean, v);
    }

    tg_calibrate_learn_output(cal, m, name, call);
}


/* With the margin. */
static int64_t
tg_calibrate_more(uint64_t tokens)
{
    return tokens > INT64_MAX / 2 ? INT64_MAX
           : (int64_t) (tokens + tokens / TG_CALIBRATE_STEP + 1);
}


int64_t
tg_calibrate_input(const tg_calibrate_t *cal, tg_calibrate_name_t name,
    uint64_t bytes)
{
    uint64_t                     v;
    const tg_calibrate_model_t  *m = tg_calibrate_model(cal, name.model,
                                                        false);

    if (m == NULL || bytes > UINT64_MAX / TG_CALIBRATE_MILLI
        || !tg_gauge_read(&m->input[tg_calibrate_size(bytes)], &v) || v == 0)
    {
        return -1;
    }

    return tg_calibrate_more(bytes * TG_CALIBRATE_MILLI / v);
}


int64_t
tg_calibrate_output(const tg_calibrate_t *cal, tg_calibrate_name_t name)
{
    uint64_t                     v;
    const tg_calibrate_key_t    *k = tg_calibrate_key(cal, name.key, false);
    const tg_calibrate_model_t  *m;

    if (k == NULL || !tg_gauge_read(&k->output, &v)) {
        m = tg_calibrate_model(cal, name.model, false);

        if (m == NULL || !tg_gauge_read(&m->output, &v)) {
            return -1;
        }
    }

    return tg_calibrate_more(v / TG_CALIBRATE_PART);
}


int64_t
tg_calibrate_prompt(const tg_calibrate_t *cal, tg_calibrate_name_t name)
{
    uint64_t                     v;
    const tg_calibrate_model_t  *m = tg_calibrate_model(cal, name.model,
                                                        false);

    return m != NULL && tg_gauge_read(&m->prompt, &v) ? (int64_t) v : 0;
}


int64_t
tg_calibrate_answer(const tg_calibrate_t *cal, tg_calibrate_name_t name)
{
    uint64_t                     v;
    const tg_calibrate_model_t  *m = tg_calibrate_model(cal, name.model,
                                                        false);

    return m != NULL && tg_gauge_read(&m->answer, &v) ? (int64_t) v : 0;
}
