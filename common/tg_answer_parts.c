#include "tg_answer_int.h"
#include "tg_money.h"

/* Kinds of tokens that are told apart; numbers as in Google's enum Modality,
 * which enum-encoding=int shows. */
enum {
    TG_MODAL_OTHER = 0,
    TG_MODAL_IMAGE,
    TG_MODAL_AUDIO
};


/* The extras read so far are of an earlier count: forget them. */
static void
tg_answer_extras_reset(tg_answer_t *a)
{
    tg_usage_extra_t  *x;

    while (a->extras != NULL) {
        x = a->extras;
        a->extras = x->next;
        x->next = a->spare;
        a->spare = x;
    }
}


static void
tg_answer_extra_end(tg_answer_t *a)
{
    tg_str_t            type = tg_word_str(&a->part->type);
    tg_str_t            model = tg_word_str(&a->part->model);
    tg_usage_extra_t   *x, **last;

    /* "message" is what the top level has the sum of */

    if (type.len == 0 || tg_str_eq(type, tg_str("message"))) {
        return;
    }

    x = a->spare;

    if (x != NULL) {
        a->spare = x->next;

    } else {
        if (a->nextras == TG_ANSWER_EXTRA_MAX) {
            return;
        }

        x = tg_zalloc(a->mem, sizeof(tg_usage_extra_t));
        if (x == NULL) {
            return;
        }

        a->nextras++;
    }

    if (!tg_str_eq(x->type, type)) {
        x->type = tg_dup(a->mem, type);
    }

    if (!tg_str_eq(x->model, model)) {
        x->model = tg_dup(a->mem, model);
    }

    x->cache_read = a->part->usage.cache_read;
    x->cache_write = a->part->usage.cache_write;
    x->cache_write_5m = a->part->usage.cache_write_5m;
    x->cache_write_1h = a->part->usage.cache_write_1h;
    x->output = a->part->usage.output;
    x->input = tg_money_add(a->part->usage.input,
                            tg_money_add(x->cache_read, x->cache_write));
    x->next = NULL;

    for (last = &a->extras; *last != NULL; last = &(*last)->next) { /* void */ }

    *last = x;
}


static void
tg_answer_extra_count(tg_answer_t *a, const tg_json_event_t *ev)
{
    int64_t  v = ev->type == TG_JSON_NUMBER ? tg_str_int(ev->value) : -1;

    if (v < 0) {
        return;
    }

    switch (ev->id) {
    case TG_A_EXTRA_INPUT:
        a->part->usage.input = v;
        break;
    case TG_A_EXTRA_READ:
        a->part->usage.cache_read = v;
        break;
    case TG_A_EXTRA_WRITE:
        a->part->usage.cache_write = v;
        break;
    case TG_A_EXTRA_5M:
        a->part->usage.cache_write_5m = v;
        break;
    case TG_A_EXTRA_1H:
        a->part->usage.cache_write_1h = v;
        break;
    default:
        a->part->usage.output = v;
        break;
    }
}


void
tg_answer_extra(tg_answer_t *a, const tg_json_event_t *ev)
{
    if (a->part == NULL) {
        a->part = tg_zalloc(a->mem, sizeof(tg_part_t));
        if (a->part == NULL) {
            return;
        }
    }

    switch (ev->id) {

    case TG_A_EXTRAS:
        if (ev->type == TG_JSON_ARRAY && a->api->merge != TG_MERGE_SUM) {
            tg_answer_extras_reset(a);
        }
        break;

    case TG_A_EXTRA:
        if (ev->type == TG_JSON_OBJECT) {
            memset(&a->part->usage, 0, sizeof(a->part->usage));
            a->part->type.len = 0;
            a->part->model.len = 0;

        } else if (ev->type == TG_JSON_OBJECT_END) {
            tg_answer_extra_end(a);
        }
        break;

    case TG_A_EXTRA_TYPE:
        if (ev->type == TG_JSON_STRING) {
            tg_word_set(&a->part->type, ev->value);
        }
        break;

    case TG_A_EXTRA_MODEL:
        if (ev->type == TG_JSON_STRING) {
            tg_word_set(&a->part->model, ev->value);
        }
        break;

    default:
        tg_answer_extra_count(a, ev);
        break;
    }
}


/* Lists of {modality, tokens}, and Bedrock's of {ttl, tokens}. */
void
tg_answer_element(tg_answer_t *a, const tg_json_event_t *ev)
{
    static const uint8_t  counter[2][3] = {
        { 0, TG_A_IMAGE_IN, TG_A_AUDIO_IN },
        { 0, TG_A_IMAGE_OUT, TG_A_AUDIO_OUT }
    };

    unsigned  id;

    switch (ev->id) {

    case TG_A_MODAL_NAME:
        if (tg_str_caseeq(ev->value, tg_str("image"))
            || tg_str_eq(ev->value, tg_str("2")))
        {
            a->modality = TG_MODAL_IMAGE;

        } else if (tg_str_caseeq(ev->value, tg_str("audio"))
                   || tg_str_eq(ev->value, tg_str("4")))
        {
            a->modality = TG_MODAL_AUDIO;
        }
        return;

    case TG_A_CACHE_TTL:
        a->modality = tg_str_eq(ev->value, tg_str("1h"));
        return;

    case TG_A_MODAL_TOKENS:
    case TG_A_CACHE_TOKENS:
        a->modal_tokens = tg_str_int(ev->value);
        return;

    default:
        break;
    }

    if (ev->type == TG_JSON_OBJECT) {
        a->modality = TG_MODAL_OTHER;
        a->modal_tokens = 0;

    } else if (ev->type == TG_JSON_OBJECT_END && a->modality != 0
               && a->modal_tokens > 0)
    {
        id = ev->id == TG_A_CACHE_DETAIL
             ? TG_A_CACHE_1H
             : counter[ev->id == TG_A_MODAL_OUTPUT][a->modality];

        tg_counts_add(&a->doc.counts, id, a->modal_tokens);
    }
}


void
tg_answer_add(tg_answer_t *a, const tg_json_event_t *ev)
{
    bool     begins = ev->type == TG_JSON_OBJECT || ev->type == TG_JSON_NUMBER
                      || ev->type == TG_JSON_STRING;
    int64_t  v;

    switch (ev->id) {

    case TG_A_EACH_INPUT:
        if (begins || ev->type == TG_JSON_ARRAY) {
            tg_counts_add(&a->doc.counts, TG_A_INPUT, begins);
        }
        return;

    case TG_A_EACH_IMAGE:
        a->pictures += begins;
        return;

    default:
        v = ev->type == TG_JSON_NUMBER ? tg_money_parse(ev->value, 0) : -1;

        if (v >= 0) {
            tg_counts_add(&a->doc.counts,
                          ev->id == TG_A_ADD_INPUT ? TG_A_INPUT : TG_A_OUTPUT,
                          v);
        }
        return;
    }
}
