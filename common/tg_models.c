#include "tg_models.h"

#include "tg_text.h"

#include <stdlib.h>

#define TG_MODEL_ID_MAX  512            /* bytes of a name, in JSON */

/* Counts what does not fit. */
typedef struct {
    char    *buf;
    size_t   cap;
    size_t   len;
} tg_models_out_t;

/*
 * How a shape writes a list, each model in it, and one by itself.  In a text
 * $i is the id, $g the same with "models/" before it, $o the owner, $c the time
 * as a number, $t as RFC 3339, $f and $l are the first and the last id of the
 * list.
 */
typedef struct {
    const char  *head, *each, *tail;
    const char  *before, *after;        /* one by itself */
} tg_models_shape_t;

/* Times are required by SDKs that check what they get. */
static const tg_models_shape_t  tg_models_shapes[] = {

    [TG_SHAPE_OPENAI] = {
        "{\"object\":\"list\",\"data\":[",
        "{\"id\":$i,\"object\":\"model\",\"created\":$c,\"owned_by\":$o}",
        "]}", "", "" },

    [TG_SHAPE_ANTHROPIC] = {
        "{\"data\":[",
        "{\"type\":\"model\",\"id\":$i,\"display_name\":$i,\"created_at\":$t}",
        "],\"has_more\":false,\"first_id\":$f,\"last_id\":$l}", "", "" },

    [TG_SHAPE_GEMINI] = {
        "{\"models\":[", "{\"name\":$g,\"displayName\":$i}", "]}", "", "" },

    [TG_SHAPE_COHERE] = { "{\"models\":[", "{\"name\":$i}", "]}", "", "" },

    [TG_SHAPE_OLLAMA] = {
        "{\"models\":[", "{\"name\":$i,\"model\":$i,\"modified_at\":$t}", "]}",
        "", "" },

    [TG_SHAPE_BEDROCK] = {
        "{\"modelSummaries\":[", "{\"modelId\":$i,\"modelName\":$i}", "]}",
        "{\"modelDetails\":", "}" }
};

/* What is being gathered; models is NULL while it is only counted. */
typedef struct {
    const tg_models_ask_t  *ask;
    tg_model_t             *models;
    size_t                  n;
} tg_models_pick_t;


static int
tg_models_cmp(tg_str_t x, tg_str_t y)
{
    size_t  n = x.len < y.len ? x.len : y.len;
    int     rc = n == 0 ? 0 : memcmp(x.p, y.p, n);

    return rc != 0 ? rc : (x.len > y.len) - (x.len < y.len);
}


static int
tg_models_order(const void *a, const void *b)
{
    return tg_models_cmp(((const tg_model_t *) a)->id,
                         ((const tg_model_t *) b)->id);
}


/* A pattern is no model. */
static bool
tg_models_named(tg_str_t id)
{
    return id.len != 0 && memchr(id.p, '*', id.len) == NULL;
}


size_t
tg_models_sort(tg_model_t *models, size_t n)
{
    size_t  i, left = 0;

    if (n == 0) {
        return 0;
    }

    qsort(models, n, sizeof(tg_model_t), tg_models_order);

    for (i = 0; i < n; i++) {
        if (!tg_models_named(models[i].id)
            || (left != 0 && tg_str_eq(models[left - 1].id, models[i].id)))
        {
            continue;
        }

        models[left++] = models[i];
    }

    return left;
}


static tg_str_t
tg_models_plain(tg_str_t id)
{
    tg_str_t  prefix = tg_str("models/");

    return tg_str_starts(id, prefix)
           ? tg_str_of(id.p + prefix.len, id.len - prefix.len) : id;
}


const tg_model_t *
tg_models_find(const tg_model_t *models, size_t n, tg_str_t id)
{
    tg_model_t  key = { tg_models_plain(id), tg_str_null, 0 };

    return n == 0 ? NULL
           : bsearch(&key, models, n, sizeof(tg_model_t), tg_models_order);
}


bool
tg_models_match(const tg_str_t *patterns, unsigned n, tg_str_t model)
{
    model = tg_models_plain(model);

    for (unsigned i = 0; i < n; i++) {
        if (tg_str_match(model, patterns[i])) {
            return true;
        }
    }

    return false;
}


static void
tg_models_pick(tg_models_pick_t *p, tg_str_t id)
{
    tg_model_t  *m;

    if (p->n == TG_MODELS_MAX || !tg_models_named(id)
        || (p->ask->key != NULL && !tg_key_allows_model(p->ask->key, id)))
    {
        return;
    }

    if (p->models != NULL) {
        m = &p->models[p->n];
        m->id = id;
        m->owner = p->ask->vendor;
        m->created = 0;
    }

    p->n++;
}


static bool
tg_models_slash(tg_str_t s)
{
    return s.len != 0 && memchr(s.p, '/', s.len) != NULL;
}


static void
tg_models_pick_price(tg_models_pick_t *p, tg_str_t id)
{
    bool                    own, foreign;
    const tg_models_ask_t  *ask = p->ask;

    own = tg_price_bare(ask->vendor, id, &id);
    foreign = !own && tg_models_slash(id);

    if (ask->npatterns == 0) {
        if (own) {
            tg_models_pick(p, id);
        }
        return;
    }

    for (unsigned i = 0; i < ask->npatterns; i++) {
        if ((!foreign || tg_models_slash(ask->patterns[i]))
            && tg_str_match(id, ask->patterns[i]))
        {
            tg_models_pick(p, id);
            return;
        }
    }
}


static void
tg_models_pick_all(tg_models_pick_t *p)
{
    const tg_key_t         *key = p->ask->key;
    const tg_price_t       *price = NULL;
    const tg_models_ask_t  *ask = p->ask;

    for (unsigned i = 0; i < ask->npatterns; i++) {
        tg_models_pick(p, ask->patterns[i]);
    }

    for (unsigned i = 0; key != NULL && i < key->nmodels; i++) {
        if (ask->npatterns == 0
            || tg_models_match(ask->patterns, ask->npatterns, key->models[i]))
        {
            tg_models_pick(p, key->models[i]);
        }
    }

    if (ask->book != NULL) {
        while ((price = tg_price_next(ask->book, price)) != NULL) {
            tg_models_pick_price(p, tg_price_id(price));
        }
    }
}


int
tg_models_gather_all(tg_mem_t *mem, const tg_models_ask_t *asks,
    unsigned nasks, tg_model_t **models, size_t *n)
{
    tg_models_pick_t  p = { NULL, NULL, 0 };

    /* Counted, and then picked. */

    for (unsigned i = 0; i < 2 * nasks; i++) {
        if (i == nasks) {
            p.models = tg_alloc(mem, (p.n + 1) * sizeof(tg_model_t));
            if (p.models == NULL) {
                return TG_ERROR;
            }

            p.n = 0;
        }

        p.ask = &asks[i % nasks];
        tg_models_pick_all(&p);
    }

    *models = p.models;
    *n = tg_models_sort(p.models, p.n);

    return TG_OK;
}


int
tg_models_gather(tg_mem_t *mem, const tg_models_ask_t *ask,
    tg_model_t **models, size_t *n)
{
    return tg_models_gather_all(mem, ask, 1, models, n);
}


static void
tg_models_out(tg_models_out_t *o, const char *p, size_t n)
{
    if (o->len <= o->cap && o->cap - o->len >= n && n != 0) {
        memcpy(o->buf + o->len, p, n);
    }

    o->len += n;
}


static void
tg_models_out_id(tg_models_out_t *o, const char *before, tg_str_t id)
{
    char       text[TG_MODEL_ID_MAX + 16];
    tg_text_t  t;

    tg_text_init(&t, text, sizeof(text));
    tg_put_lit(&t, "\"");
    tg_put_str(&t, tg_strz(before));
    tg_put_json(&t, id, TG_MODEL_ID_MAX);
    tg_put_lit(&t, "\"");
    tg_models_out(o, text, (size_t) (t.p - text));
}


static void
tg_models_out_time(tg_models_out_t *o, char what, int64_t created)
{
    char       text[TG_TEXT_TIME_MAX + 2];
    tg_text_t  t;

    tg_text_init(&t, text, sizeof(text));

    if (what == 'c') {
        tg_put_int(&t, created);

    } else {
        tg_put_lit(&t, "\"");
        tg_put_time(&t, created * 1000);
        tg_put_lit(&t, "\"");
    }

    tg_models_out(o, text, (size_t) (t.p - text));
}


/* `first` and `last`: of the list, where it has one. */
static void
tg_models_out_text(tg_models_out_t *o, const char *text,
    const tg_model_t *first, const tg_model_t *last)
{
    const char        *dollar;
    const tg_model_t  *m;

    while ((dollar = strchr(text, '$')) != NULL) {
        tg_models_out(o, text, (size_t) (dollar - text));
        text = dollar + 2;
        m = dollar[1] == 'l' ? last : first;

        if (m == NULL) {
            tg_models_out(o, "null", 4);
            continue;
        }

        switch (dollar[1]) {

        case 'c':
        case 't':
            tg_models_out_time(o, dollar[1], m->created);
            break;

        case 'o':
            tg_models_out_id(o, "", m->owner.len ? m->owner
                                                 : tg_str("system"));
            break;

        case 'g':
            tg_models_out_id(o, "models/", m->id);
            break;

        default:
            tg_models_out_id(o, "", m->id);
        }
    }

    tg_models_out(o, text, strlen(text));
}


size_t
tg_models_list(char *buf, size_t cap, tg_shape_t shape,
    const tg_model_t *models, size_t n)
{
    tg_models_out_t           o = { buf, cap, 0 };
    const tg_models_shape_t  *s = &tg_models_shapes[shape];

    tg_models_out_text(&o, s->head, NULL, NULL);

    for (size_t i = 0; i < n; i++) {
        if (i != 0) {
            tg_models_out(&o, ",", 1);
        }

        tg_models_out_text(&o, s->each, &models[i], &models[i]);
    }

    tg_models_out_text(&o, s->tail, n == 0 ? NULL : &models[0],
                       n == 0 ? NULL : &models[n - 1]);

    return o.len;
}


size_t
tg_models_one(char *buf, size_t cap, tg_shape_t shape, const tg_model_t *model)
{
    tg_models_out_t           o = { buf, cap, 0 };
    const tg_models_shape_t  *s = &tg_models_shapes[shape];

    tg_models_out_text(&o, s->before, NULL, NULL);
    tg_models_out_text(&o, s->each, model, model);
    tg_models_out_text(&o, s->after, NULL, NULL);

    return o.len;
}
