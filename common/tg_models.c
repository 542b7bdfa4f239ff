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

/* How a shape writes a list, and each model in it. */
typedef struct {
    tg_str_t   head;
    tg_str_t   tail;                    /* of an empty list, too */
    void     (*one)(tg_text_t *t, const tg_model_t *m);
} tg_models_shape_t;


static int
tg_models_order(const void *a, const void *b)
{
    int              rc;
    const tg_str_t  *x = &((const tg_model_t *) a)->id;
    const tg_str_t  *y = &((const tg_model_t *) b)->id;
    size_t           n = x->len < y->len ? x->len : y->len;

    rc = n == 0 ? 0 : memcmp(x->p, y->p, n);

    return rc != 0 ? rc : (x->len > y->len) - (x->len < y->len);
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
        if (models[i].id.len == 0
            || memchr(models[i].id.p, '*', models[i].id.len) != NULL
            || (left != 0 && tg_str_eq(models[left - 1].id, models[i].id)))
        {
            continue;
        }

        models[left++] = models[i];
    }

    return left;
}


static void
tg_models_put_id(tg_text_t *t, tg_str_t id)
{
    tg_put_lit(t, "\"");
    tg_put_json(t, id, TG_MODEL_ID_MAX);
    tg_put_lit(t, "\"");
}


/* "created_at" and its like are required by SDKs that check what they get. */
static void
tg_models_put_time(tg_text_t *t, int64_t created)
{
    tg_put_lit(t, "\"");
    tg_put_time(t, created * 1000);
    tg_put_lit(t, "\"");
}


static void
tg_models_openai(tg_text_t *t, const tg_model_t *m)
{
    tg_put_lit(t, "{\"id\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, ",\"object\":\"model\",\"created\":");
    tg_put_int(t, m->created);
    tg_put_lit(t, ",\"owned_by\":");
    tg_models_put_id(t, m->owner.len ? m->owner : tg_str("system"));
    tg_put_lit(t, "}");
}


static void
tg_models_anthropic(tg_text_t *t, const tg_model_t *m)
{
    tg_put_lit(t, "{\"type\":\"model\",\"id\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, ",\"display_name\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, ",\"created_at\":");
    tg_models_put_time(t, m->created);
    tg_put_lit(t, "}");
}


static void
tg_models_gemini(tg_text_t *t, const tg_model_t *m)
{
    tg_put_lit(t, "{\"name\":\"models/");
    tg_put_json(t, m->id, TG_MODEL_ID_MAX);
    tg_put_lit(t, "\",\"displayName\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, "}");
}


static void
tg_models_cohere(tg_text_t *t, const tg_model_t *m)
{
    tg_put_lit(t, "{\"name\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, "}");
}


static void
tg_models_ollama(tg_text_t *t, const tg_model_t *m)
{
    tg_put_lit(t, "{\"name\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, ",\"model\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, ",\"modified_at\":");
    tg_models_put_time(t, m->created);
    tg_put_lit(t, "}");
}


static void
tg_models_bedrock(tg_text_t *t, const tg_model_t *m)
{
    tg_put_lit(t, "{\"modelId\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, ",\"modelName\":");
    tg_models_put_id(t, m->id);
    tg_put_lit(t, "}");
}


static const tg_models_shape_t  tg_models_shapes[] = {
    [TG_SHAPE_OPENAI] = { TG_STR("{\"object\":\"list\",\"data\":["),
                          TG_STR("]}"), tg_models_openai },
    [TG_SHAPE_ANTHROPIC] = { TG_STR("{\"data\":["),
                             TG_STR("],\"has_more\":false,\"first_id\":"),
                             tg_models_anthropic },
    [TG_SHAPE_GEMINI] = { TG_STR("{\"models\":["), TG_STR("]}"),
                          tg_models_gemini },
    [TG_SHAPE_COHERE] = { TG_STR("{\"models\":["), TG_STR("]}"),
                          tg_models_cohere },
    [TG_SHAPE_OLLAMA] = { TG_STR("{\"models\":["), TG_STR("]}"),
                          tg_models_ollama },
    [TG_SHAPE_BEDROCK] = { TG_STR("{\"modelSummaries\":["), TG_STR("]}"),
                           tg_models_bedrock }
};


static void
tg_models_out(tg_models_out_t *o, const char *p, size_t n)
{
    if (o->len <= o->cap && o->cap - o->len >= n && n != 0) {
        memcpy(o->buf + o->len, p, n);
    }

    o->len += n;
}


/* {first id}, ... of Anthropic's list, or the null that an empty one has. */
static void
tg_models_out_id(tg_models_out_t *o, const tg_model_t *m)
{
    char       text[TG_MODEL_ID_MAX + 2];
    tg_text_t  t;

    if (m == NULL) {
        tg_models_out(o, "null", 4);
        return;
    }

    tg_text_init(&t, text, sizeof(text));
    tg_models_put_id(&t, m->id);
    tg_models_out(o, text, (size_t) (t.p - text));
}


static void
tg_models_out_one(tg_models_out_t *o, tg_shape_t shape, const tg_model_t *m)
{
    char       text[3 * TG_MODEL_ID_MAX + 128];
    tg_text_t  t;

    tg_text_init(&t, text, sizeof(text));
    tg_models_shapes[shape].one(&t, m);
    tg_models_out(o, text, (size_t) (t.p - text));
}


size_t
tg_models_list(char *buf, size_t cap, tg_shape_t shape, const tg_key_t *key,
    const tg_model_t *models, size_t n)
{
    const tg_model_t         *first = NULL, *last = NULL;
    tg_models_out_t           o = { buf, cap, 0 };
    const tg_models_shape_t  *s = &tg_models_shapes[shape];

    tg_models_out(&o, s->head.p, s->head.len);

    for (size_t i = 0; i < n; i++) {
        if (key != NULL && !tg_key_allows_model(key, models[i].id)) {
            continue;
        }

        if (last != NULL) {
            tg_models_out(&o, ",", 1);
        }

        tg_models_out_one(&o, shape, &models[i]);
        last = &models[i];
        first = first == NULL ? last : first;
    }

    tg_models_out(&o, s->tail.p, s->tail.len);

    if (shape == TG_SHAPE_ANTHROPIC) {
        tg_models_out_id(&o, first);
        tg_models_out(&o, ",\"last_id\":", sizeof(",\"last_id\":") - 1);
        tg_models_out_id(&o, last);
        tg_models_out(&o, "}", 1);
    }

    return o.len;
}


size_t
tg_models_one(char *buf, size_t cap, tg_shape_t shape, const tg_model_t *model)
{
    tg_models_out_t  o = { buf, cap, 0 };

    tg_models_out_one(&o, shape, model);

    return o.len;
}
