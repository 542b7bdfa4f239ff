#include "tg_answer_int.h"
#include "tg_money.h"

/* Kinds of tokens that are told apart; numbers as in Google's enum Modality,
 * which enum-encoding=int shows. */
enum {
    TG_MODAL_OTHER = 0,
    TG_MODAL_IMAGE,
    TG_MODAL_AUDIO
};


static void
tg_word_set(tg_word_t *w, tg_str_t s)
{
    w->len = (uint8_t) (s.len < sizeof(w->p) ? s.len : sizeof(w->p));
    memcpy(w->p, s.p, w->len);
}


static tg_str_t
tg_word_str(const tg_word_t *w)
{
    return tg_str_of(w->p, w->len);
}


static tg_str_t
tg_answer_dup(tg_answer_t *a, tg_str_t s)
{
    if (s.len > TG_ANSWER_STR_MAX) {
        s.len = TG_ANSWER_STR_MAX;
    }

    return tg_dup(a->mem, s);
}


void
tg_answer_keep(tg_answer_t *a, tg_str_t *to, uint8_t *changes, tg_str_t value)
{
    tg_str_t  copy;

    if (value.len == 0 || tg_str_eq(*to, value)
        || *changes == TG_ANSWER_CHANGES_MAX)
    {
        return;
    }

    copy = tg_answer_dup(a, value);

    if (copy.p != NULL) {
        (*changes)++;
        *to = copy;
    }
}


static void
tg_answer_finish_reason(tg_answer_t *a, tg_str_t reason)
{
    tg_str_t  copy;

    if (reason.len == 0) {
        return;
    }

    for (unsigned i = 0; i < a->info.nfinish; i++) {
        if (tg_str_eq(a->info.finish[i], reason)) {
            return;
        }
    }

    if (a->info.nfinish == TG_ANSWER_FINISH_MAX) {
        return;
    }

    copy = tg_answer_dup(a, reason);

    if (copy.p != NULL) {
        a->info.finish[a->info.nfinish++] = copy;
    }
}


void
tg_answer_error_word(tg_answer_t *a, unsigned rank, tg_str_t word)
{
    tg_str_t  copy;

    if (word.len == 0 || rank <= a->error_rank) {
        return;
    }

    copy = tg_answer_dup(a, word);

    if (copy.p != NULL) {
        a->info.error_type = copy;
        a->error_rank = (uint8_t) rank;
    }
}


/* "completed", or "incomplete:max_output_tokens". */
static void
tg_answer_state(tg_answer_t *a)
{
    char       buf[2 * TG_ANSWER_WORD_MAX];
    size_t     n = a->doc.status.len;
    tg_str_t   state;

    memcpy(buf, a->doc.status.p, n);

    if (a->doc.reason.len != 0
        && tg_str_eq(tg_str_of(buf, n), tg_str("incomplete")))
    {
        buf[n++] = ':';
        memcpy(buf + n, a->doc.reason.p, a->doc.reason.len);
        n += a->doc.reason.len;
    }

    state = tg_str_of(buf, n);

    if (a->api->flags & TG_API_STATES) {
        tg_answer_finish_reason(a, state);
        return;
    }

    if (a->info.nfinish == 0) {
        a->info.finish[0] = tg_str_null;
    }

    tg_answer_keep(a, &a->info.finish[0], &a->state_changes, state);

    if (a->info.finish[0].len != 0) {
        a->info.nfinish = 1;
    }
}


void
tg_answer_doc_end(tg_answer_t *a)
{
    tg_counts_t  *doc = &a->doc.counts;

    if (a->doc.whole && doc->present != 0) {
        switch (a->api->merge) {

        case TG_MERGE_LAST:
            if (tg_counts_told(doc)) {
                a->counts = *doc;
            }
            break;

        case TG_MERGE_OVERRIDE:
            tg_counts_override(&a->counts, doc);
            break;

        case TG_MERGE_LARGEST:
            for (unsigned id = 1; id < TG_A_COUNTERS; id++) {
                if (tg_counts_has(doc, id)) {
                    tg_counts_set(&a->counts, id, doc->v[id]);
                }
            }
            break;

        case TG_MERGE_SUM:
            break;
        }
    }

    if (a->doc.status.len != 0) {
        tg_answer_state(a);
    }

    tg_counts_clear(doc);
    a->doc.whole = false;
    a->doc.usage = false;
    a->doc.choices = false;
    a->doc.choice = false;
    a->doc.null = false;
    a->doc.status.len = 0;
    a->doc.reason.len = 0;
    a->doc.null_start = a->doc.null_end = TG_JSON_NOWHERE;
}


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
    tg_str_t            type = tg_word_str(&a->extra_type);
    tg_str_t            model = tg_word_str(&a->extra_model);
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

    x->cache_read = a->extra.cache_read;
    x->cache_write = a->extra.cache_write;
    x->cache_write_5m = a->extra.cache_write_5m;
    x->cache_write_1h = a->extra.cache_write_1h;
    x->output = a->extra.output;
    x->input = tg_money_add(a->extra.input,
                            tg_money_add(x->cache_read, x->cache_write));
    x->next = NULL;

    for (last = &a->extras; *last != NULL; last = &(*last)->next) { /* void */ }

    *last = x;
}


static void
tg_answer_extra(tg_answer_t *a, const tg_json_event_t *ev)
{
    int64_t  v;

    switch (ev->id) {

    case TG_A_EXTRAS:
        if (ev->type == TG_JSON_ARRAY && a->api->merge != TG_MERGE_SUM) {
            tg_answer_extras_reset(a);
        }
        return;

    case TG_A_EXTRA:
        if (ev->type == TG_JSON_OBJECT) {
            memset(&a->extra, 0, sizeof(a->extra));
            a->extra_type.len = 0;
            a->extra_model.len = 0;

        } else if (ev->type == TG_JSON_OBJECT_END) {
            tg_answer_extra_end(a);
        }
        return;

    case TG_A_EXTRA_TYPE:
        if (ev->type == TG_JSON_STRING) {
            tg_word_set(&a->extra_type, ev->value);
        }
        return;

    case TG_A_EXTRA_MODEL:
        if (ev->type == TG_JSON_STRING) {
            tg_word_set(&a->extra_model, ev->value);
        }
        return;

    default:
        break;
    }

    v = ev->type == TG_JSON_NUMBER ? tg_str_int(ev->value) : -1;

    if (v < 0) {
        return;
    }

    switch (ev->id) {
    case TG_A_EXTRA_INPUT:
        a->extra.input = v;
        break;
    case TG_A_EXTRA_READ:
        a->extra.cache_read = v;
        break;
    case TG_A_EXTRA_WRITE:
        a->extra.cache_write = v;
        break;
    case TG_A_EXTRA_5M:
        a->extra.cache_write_5m = v;
        break;
    case TG_A_EXTRA_1H:
        a->extra.cache_write_1h = v;
        break;
    default:
        a->extra.output = v;
        break;
    }
}


/* Lists of {modality, tokens}, and Bedrock's of {ttl, tokens}. */
static void
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


static void
tg_answer_usage(tg_answer_t *a, const tg_json_event_t *ev)
{
    tg_usage_t  u;

    switch (ev->type) {

    case TG_JSON_OBJECT:
        a->doc.usage = true;
        break;

    case TG_JSON_OBJECT_END:
        if (a->api->merge == TG_MERGE_SUM) {
            tg_usage_read(&a->doc.counts, a->quirks, a->api->flags, &u);
            tg_usage_sum(&a->sum, &u);
            tg_counts_clear(&a->doc.counts);
        }
        break;

    case TG_JSON_NULL:
        a->doc.null = true;
        break;

    case TG_JSON_MEMBER_RANGE:
        if (a->doc.null) {
            a->doc.null_first = ev->comma == TG_JSON_NOWHERE;
            a->doc.null_start = a->doc.null_first ? ev->key : ev->comma;
            a->doc.null_end = a->doc.null_first ? ev->next + 1 : ev->end;
        }
        break;

    default:
        break;
    }
}


static void
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


static void
tg_answer_tool(tg_answer_t *a, const tg_json_event_t *ev)
{
    switch (ev->id) {

    case TG_A_TOOL_NAME:
        a->info.tool_calls += ev->type == TG_JSON_STRING && ev->value.len != 0;
        break;

    case TG_A_TOOL_TYPE:
        a->info.tool_calls += tg_str_eq(ev->value, tg_str("tool_use"))
                              || tg_str_eq(ev->value, tg_str("function_call"))
                              || tg_str_eq(ev->value, tg_str("function.call"))
                              || tg_str_eq(ev->value,
                                           tg_str("custom_tool_call"));
        break;

    default:
        a->info.tool_calls += ev->type == TG_JSON_OBJECT;
        break;
    }
}


/* An event's own type says that the answer ends with it. */
static void
tg_answer_type(tg_answer_t *a, tg_str_t type)
{
    static const tg_str_t  ends[] = {
        TG_STR("message_stop"),
        TG_STR("message-end"), TG_STR("stream-end"),
        TG_STR("response.completed"), TG_STR("response.incomplete"),
        TG_STR("response.failed"), TG_STR("response.done"),
        TG_STR("transcript.text.done"), TG_STR("speech.audio.done"),
        TG_STR("image_generation.completed"), TG_STR("image_edit.completed"),
        TG_STR("interaction.completed"), TG_STR("interaction.complete"),
        TG_STR("conversation.response.done")
    };

    if (tg_str_eq(type, tg_str("error"))) {
        a->info.error = true;
        return;
    }

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (tg_str_eq(type, ends[i])) {
            a->info.complete = true;
            return;
        }
    }
}


static void
tg_answer_error(tg_answer_t *a, const tg_json_event_t *ev)
{
    bool  number = ev->type == TG_JSON_NUMBER;

    if (ev->id == TG_A_ERROR) {
        a->info.error |= ev->type == TG_JSON_OBJECT
                         || ev->type == TG_JSON_ARRAY
                         || ev->type == TG_JSON_TRUE
                         || (ev->type == TG_JSON_STRING && ev->value.len != 0);
        return;
    }

    if (ev->type != TG_JSON_STRING && !number) {
        return;
    }

    switch (ev->id) {

    case TG_A_ERROR_TYPE:
        tg_answer_error_word(a, 5, ev->value);
        break;

    case TG_A_ERROR_CODE:
        tg_answer_error_word(a, number ? 1 : 4, ev->value);
        break;

    case TG_A_ERROR_STATUS:
        tg_answer_error_word(a, 3, ev->value);
        break;

    default:
        if (a->status >= 400 && !tg_str_eq(ev->value, tg_str("error"))) {
            tg_answer_error_word(a, number ? 1
                                    : ev->id == TG_A_TOP_CODE ? 2 : 3,
                                 ev->value);
        }
        break;
    }
}


static void
tg_answer_blocked(tg_answer_t *a, tg_str_t reason)
{
    char    buf[TG_ANSWER_WORD_MAX] = "PROMPT_";
    size_t  n = sizeof("PROMPT_") - 1;

    a->blocked = true;

    if (reason.len > sizeof(buf) - n) {
        reason.len = sizeof(buf) - n;
    }

    memcpy(buf + n, reason.p, reason.len);
    tg_answer_finish_reason(a, tg_str_of(buf, n + reason.len));
}


/* Strings, and numbers that stand for them (enum-encoding=int). */
static void
tg_answer_string(tg_answer_t *a, const tg_json_event_t *ev)
{
    switch (ev->id) {

    case TG_A_MODEL:
        tg_answer_keep(a, &a->info.model, &a->model_changes, ev->value);
        break;

    case TG_A_ID:
        tg_answer_keep(a, &a->info.id, &a->id_changes, ev->value);
        break;

    case TG_A_TIER:
        tg_answer_keep(a, &a->info.service_tier, &a->tier_changes, ev->value);
        break;

    case TG_A_FINISH:
        tg_answer_finish_reason(a, ev->value);
        break;

    case TG_A_STATUS:
        tg_word_set(&a->doc.status, ev->value);
        break;

    case TG_A_REASON:
        tg_word_set(&a->doc.reason, ev->value);
        break;

    case TG_A_BLOCKED:
        tg_answer_blocked(a, ev->value);
        break;

    case TG_A_TYPE:
        tg_answer_type(a, ev->value);
        break;

    default:
        break;
    }
}


int
tg_answer_read(void *data, const tg_json_event_t *ev)
{
    tg_answer_t  *a = data;

    if (ev->type == TG_JSON_DUPLICATE) {
        return 0;
    }

    if (ev->id > TG_A_NONE && ev->id < TG_A_COUNTERS) {
        if (ev->type == TG_JSON_NUMBER || ev->type == TG_JSON_STRING) {
            tg_counts_read(&a->doc.counts, ev->id, ev->value);
        }
        return 0;
    }

    switch ((tg_answer_id_t) ev->id) {

    case TG_A_NONE:
        if (ev->type == TG_JSON_END_DOC) {
            a->doc.whole = true;

            if (a->framing == TG_FRAMING_JSON) {
                a->info.events++;
                tg_answer_doc_end(a);
            }
        }
        break;

    case TG_A_TEXT:
        if (ev->type == TG_JSON_STRING) {
            a->info.text_bytes += ev->raw_len;
        }
        break;

    case TG_A_CHOICES:
        a->doc.choices |= ev->type == TG_JSON_ARRAY;
        break;

    case TG_A_CHOICE:
        a->doc.choice = true;
        break;

    case TG_A_USAGE:
        tg_answer_usage(a, ev);
        break;

    case TG_A_MODEL:
    case TG_A_ID:
    case TG_A_TIER:
    case TG_A_FINISH:
    case TG_A_STATUS:
    case TG_A_REASON:
    case TG_A_BLOCKED:
    case TG_A_TYPE:
        if (ev->type == TG_JSON_STRING || ev->type == TG_JSON_NUMBER) {
            tg_answer_string(a, ev);
        }
        break;

    case TG_A_TOOL_NAME:
    case TG_A_TOOL_TYPE:
    case TG_A_TOOL:
        tg_answer_tool(a, ev);
        break;

    case TG_A_ERROR:
    case TG_A_ERROR_TYPE:
    case TG_A_ERROR_CODE:
    case TG_A_ERROR_STATUS:
    case TG_A_TOP_TYPE:
    case TG_A_TOP_CODE:
        tg_answer_error(a, ev);
        break;

    case TG_A_DONE:
        a->info.complete |= ev->type == TG_JSON_TRUE
                            || ev->type == TG_JSON_STRING;
        break;

    case TG_A_ADD_INPUT:
    case TG_A_ADD_OUTPUT:
    case TG_A_EACH_INPUT:
    case TG_A_EACH_IMAGE:
        tg_answer_add(a, ev);
        break;

    case TG_A_MODAL_NAME:
    case TG_A_MODAL_TOKENS:
    case TG_A_MODAL_INPUT:
    case TG_A_MODAL_OUTPUT:
    case TG_A_CACHE_TTL:
    case TG_A_CACHE_TOKENS:
    case TG_A_CACHE_DETAIL:
        tg_answer_element(a, ev);
        break;

    default:
        if (ev->id >= TG_A_EXTRAS && ev->id <= TG_A_EXTRA_OUTPUT) {
            tg_answer_extra(a, ev);
        }
        break;
    }

    return 0;
}
