/* What calls of a model took on average, for those that were refused. */

#include "replay_int.h"
#include "reprice.h"

#include <stdlib.h>

#define SLOTS  (2 * REPLAY_MODELS)


/* NULL: there is none, and with `make` no room. */
static replay_model_t *
find(const replay_t *p, tg_str_t name, bool make)
{
    uint64_t         h = UINT64_C(14695981039346656037);
    replay_model_t  *m;

    if (name.len == 0 || name.len > REPLAY_MODEL_MAX) {
        return NULL;
    }

    for (size_t i = 0; i < name.len; i++) {
        h = (h ^ (unsigned char) name.p[i]) * UINT64_C(1099511628211);
    }

    for (m = &p->models[h % SLOTS]; m->len != 0;
         m = m == &p->models[SLOTS - 1] ? p->models : m + 1)
    {
        if (tg_str_eq(tg_str_of(m->name, m->len), name)) {
            return m;
        }
    }

    if (!make || p->nmodels == REPLAY_MODELS) {
        return NULL;
    }

    memcpy(m->name, name.p, name.len);
    m->len = name.len;

    return m;
}


void
replay_learn(replay_t *p, const record_t *r)
{
    int64_t          ns = replay_ns(r);
    replay_model_t  *m;

    if (!record_is(r, REC_FINAL) || reprice_by(r) == REPRICE_NOTHING
        || !record_has(r, REC_INPUT))
    {
        return;
    }

    m = find(p, r->text[REC_ASKED_MODEL], true);

    if (m == NULL) {
        return;
    }

    p->nmodels += m->calls++ == 0;
    m->input += (double) r->number[REC_INPUT];
    m->output += (double) r->number[REC_OUTPUT];
    m->cache_read += (double) r->number[REC_CACHE_READ];

    m->ns += (double) ns;
}


const replay_model_t *
replay_model(const replay_t *p, tg_str_t name)
{
    return find(p, name, false);
}
