#include "tg_engine_int.h"

/* Behind the names of an engine those of another that is inside it. */
#define TG_RANK_INSIDE  8

/* A share that is more than that is no share but percent, or nonsense. */
#define TG_SHARE_MAX    1.1

/* What is more a double does not count exactly. */
#define TG_VALUE_MAX    9007199254740992.0

#define TG_LABEL_MAX    64

/* Of several whose names are on a page: the outer before the inner. */
static const tg_engine_t  tg_engine_order[] = {
    TG_ENGINE_TRITON, TG_ENGINE_NIM, TG_ENGINE_SGLANG, TG_ENGINE_TRTLLM,
    TG_ENGINE_TGI, TG_ENGINE_LLAMACPP, TG_ENGINE_VLLM
};


static inline unsigned
tg_engine_head(const char *p)
{
    uint64_t        a, b;
    const uint64_t  k = UINT64_C(0x9e3779b97f4a7c15);

    memcpy(&a, p, sizeof(a));
    memcpy(&b, p + TG_PROM_HEAD - sizeof(b), sizeof(b));

    return (unsigned) ((a * k ^ b) * k >> 54) % TG_ENGINE_HEADS;
}


static bool
tg_engine_wanted(void *data, const char *p)
{
    unsigned                 i = tg_engine_head(p);
    const tg_engine_read_t  *er = data;

    return (er->heads[i / 64] & UINT64_C(1) << i % 64) != 0;
}


static bool
tg_engine_is(tg_str_t labels, tg_str_t name, tg_str_t value)
{
    char      buf[TG_LABEL_MAX];
    tg_str_t  v;

    return tg_prom_label(labels, name, buf, sizeof(buf), &v)
           && tg_str_eq(v, value);
}


/* Not there, empty or of that value. */

static bool
tg_engine_unless(tg_str_t labels, tg_str_t name, tg_str_t value)
{
    char      buf[TG_LABEL_MAX];
    tg_str_t  v;

    return !tg_prom_label(labels, name, buf, sizeof(buf), &v)
           || v.len == 0 || tg_str_eq(v, value);
}


/* False: a part or a copy of what another series says. */

static bool
tg_engine_counts(tg_engine_t engine, tg_str_t labels)
{
    char      buf[TG_LABEL_MAX];
    tg_str_t  v;

    if (engine != TG_ENGINE_SGLANG || labels.len == 0) {
        return true;
    }

    if (!tg_engine_unless(labels, tg_str("priority"), tg_str(""))
        || !tg_engine_unless(labels, tg_str("pp_rank"), tg_str("0")))
    {
        return false;
    }

    if (tg_prom_label(labels, tg_str("dp_rank"), buf, sizeof(buf), &v)
        && v.len != 0)
    {
        return true;
    }

    return tg_engine_unless(labels, tg_str("tp_rank"), tg_str("0"));
}


/* The value as the fact's unit has it; -1: there is none. */

static int64_t
tg_engine_value(tg_fact_t fact, double v)
{
    switch (fact) {

    case TG_FACT_KV:
    case TG_FACT_GPU_UTIL:
        v = v <= 1.0 ? v : v <= TG_SHARE_MAX ? 1.0 : -1.0;
        v *= 1e6;
        break;

    case TG_FACT_TOKENS_PER_S:
        v *= 1e3;
        break;

    case TG_FACT_SLEEPING:
        /* the label asks whether it is awake */
        v = v == 0 ? 1.0 : v > 0 ? 0.0 : -1.0;
        break;

    default:
        break;
    }

    /* NaN is not smaller, either */

    return v >= 0 && v < TG_VALUE_MAX ? (int64_t) (v + 0.5) : -1;
}


/* Two series of one fact. */

static bool
tg_engine_join(tg_fact_t fact, int64_t *have, int64_t v)
{
    switch (fact) {

    case TG_FACT_KV:
    case TG_FACT_GPU_UTIL:
        *have = *have > v ? *have : v;
        return true;

    case TG_FACT_SLEEPING:
        /* a server sleeps when all of its engines do */
        *have = *have < v ? *have : v;
        return true;

    default:
        return !__builtin_add_overflow(*have, v, have);
    }
}


static void
tg_engine_add(tg_engine_read_t *er, tg_engine_t engine, const tg_metric_t *m,
    uint8_t rank, double sample)
{
    int64_t   v;
    uint32_t  bit = UINT32_C(1) << m->fact;

    if ((er->of[engine].known & bit) != 0) {

        if (rank > er->of[engine].rank[m->fact]) {
            return;
        }

        if (rank < er->of[engine].rank[m->fact]) {
            er->of[engine].known &= ~bit;
            er->of[engine].spoilt &= ~bit;
        }
    }

    v = tg_engine_value(m->fact, sample);

    if (v < 0) {
        er->of[engine].spoilt |= bit;
        er->of[engine].value[m->fact] = 0;

    } else if ((er->of[engine].known & bit) == 0) {
        er->of[engine].value[m->fact] = v;

    } else if (!tg_engine_join(m->fact, &er->of[engine].value[m->fact], v)) {
        er->of[engine].spoilt |= bit;
    }

    er->of[engine].known |= bit;
    er->of[engine].rank[m->fact] = rank;
}


/* A sample, for one engine, by the names of another or its own. */

static void
tg_engine_match(tg_engine_read_t *er, tg_engine_t engine, tg_engine_t names,
    const tg_prom_sample_t *sample)
{
    const tg_metric_t  *m = tg_engines[names].metrics,
                       *end = m + tg_engines[names].nmetrics;

    for ( ; m < end; m++) {

        if (!tg_str_eq(sample->name, m->name)) {
            continue;
        }

        if (engine == names && !m->shared) {
            er->seen |= UINT32_C(1) << engine;
        }

        if ((m->label.len == 0
             || tg_engine_is(sample->labels, m->label, m->value))
            && tg_engine_counts(names, sample->labels))
        {
            tg_engine_add(er, engine, m, (uint8_t) (m->rank
                          + (engine != names ? TG_RANK_INSIDE : 0)),
                          sample->value);
        }
    }
}


static void
tg_engine_sample(void *data, const tg_prom_sample_t *sample)
{
    tg_engine_t        e;
    tg_engine_read_t  *er = data;

    for (unsigned i = 0; i < TG_ENGINES; i++) {
        e = (tg_engine_t) i;

        if (tg_engines[e].nmetrics == 0
            || (er->want != TG_ENGINE_AUTO && er->want != e))
        {
            continue;
        }

        tg_engine_match(er, e, e, sample);

        if (tg_engines[e].inside != TG_ENGINE_AUTO) {
            tg_engine_match(er, e, tg_engines[e].inside, sample);
        }
    }
}


static void
tg_engine_heads(tg_engine_read_t *er, tg_engine_t engine)
{
    unsigned                 h;
    const tg_engine_conf_t  *ec = &tg_engines[engine];

    for (size_t i = 0; i < ec->nmetrics; i++) {
        h = tg_engine_head(ec->metrics[i].name.p);
        er->heads[h / 64] |= UINT64_C(1) << h % 64;
    }

    if (ec->inside != TG_ENGINE_AUTO) {
        tg_engine_heads(er, ec->inside);
    }
}


void
tg_engine_begin(tg_engine_read_t *er, tg_engine_t want)
{
    er->want = want;
    er->seen = 0;
    memset(er->heads, 0, sizeof(er->heads));

    for (unsigned i = 0; i < TG_ENGINES; i++) {
        er->of[i].known = 0;
        er->of[i].spoilt = 0;

        if (want == TG_ENGINE_AUTO || want == (tg_engine_t) i) {
            tg_engine_heads(er, (tg_engine_t) i);
        }
    }

    tg_prom_init(&er->prom, tg_engine_sample, tg_engine_wanted, er);
}


int
tg_engine_feed(tg_engine_read_t *er, const char *p, size_t n)
{
    return tg_prom_feed(&er->prom, p, n);
}


static tg_engine_t
tg_engine_found(const tg_engine_read_t *er)
{
    const size_t  n = sizeof(tg_engine_order) / sizeof(tg_engine_order[0]);

    if (er->want != TG_ENGINE_AUTO) {
        return er->want;
    }

    for (size_t i = 0; i < n; i++) {
        if ((er->seen & UINT32_C(1) << tg_engine_order[i]) != 0) {
            return tg_engine_order[i];
        }
    }

    return TG_ENGINE_AUTO;
}


int
tg_engine_end(tg_engine_read_t *er, tg_engine_facts_t *facts, tg_error_t *err)
{
    if (tg_prom_end(&er->prom) != TG_OK) {
        return tg_error(err, 0, 0, "it is no page of metrics");
    }

    memset(facts, 0, sizeof(*facts));
    facts->engine = tg_engine_found(er);

    if (facts->engine == TG_ENGINE_AUTO) {
        return TG_OK;
    }

    facts->known = er->of[facts->engine].known
                   & ~er->of[facts->engine].spoilt;

    for (unsigned i = 0; i < TG_FACTS; i++) {
        if ((facts->known & UINT32_C(1) << i) != 0) {
            facts->value[i] = er->of[facts->engine].value[i];
        }
    }

    return TG_OK;
}
