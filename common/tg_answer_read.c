#include "tg_answer_int.h"

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

    /* DashScope has a word for none yet */

    if (reason.len == 0 || tg_str_eq(reason, tg_str("null"))) {
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
    char              buf[2 * TG_ANSWER_WORD_MAX];
    size_t            n = a->state->status.len;
    tg_str_t          state;
    const tg_word_t  *reason = &a->state->reason;

    memcpy(buf, a->state->status.p, n);

    if (reason->len != 0
        && tg_str_eq(tg_str_of(buf, n), tg_str("incomplete")))
    {
        buf[n++] = ':';
        memcpy(buf + n, reason->p, reason->len);
        n += reason->len;
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

    a->info.cut |= a->doc.told && !a->doc.whole;

    if ((a->doc.whole || a->doc.told) && doc->present != 0) {
        switch (a->api->merge) {

        case TG_MERGE_LAST:
            /* nothing is taken back: gateways end with a usage of zeros */

            if (tg_counts_told(doc)
                && (!tg_counts_zero(doc) || tg_counts_zero(&a->counts)))
            {
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

    if (a->state != NULL) {
        if (a->state->status.len != 0) {
            tg_answer_state(a);
        }

        a->state->status.len = 0;
        a->state->reason.len = 0;
    }

    tg_counts_clear(doc);
    a->doc.whole = false;
    a->doc.usage = false;
    a->doc.told = false;
    a->doc.choices = false;
    a->doc.choice = false;
    a->doc.null = false;
    a->doc.null_start = a->doc.null_end = TG_JSON_NOWHERE;
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
            tg_usage_sum(a->sum, &u);
            tg_counts_clear(&a->doc.counts);
        }
        a->doc.told = true;
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

        } else if (a->status < 400 && ev->id == TG_A_TOP_TYPE) {
            tg_answer_type(a, ev->value);
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


static void
tg_answer_state_word(tg_answer_t *a, const tg_json_event_t *ev)
{
    if (a->state == NULL) {
        a->state = tg_zalloc(a->mem, sizeof(tg_state_t));
        if (a->state == NULL) {
            return;
        }
    }

    tg_word_set(ev->id == TG_A_STATUS ? &a->state->status : &a->state->reason,
                ev->value);
}


/* Strings, and numbers that stand for them (enum-encoding=int). */
static void
tg_answer_string(tg_answer_t *a, const tg_json_event_t *ev)
{
    if (ev->type != TG_JSON_STRING && ev->type != TG_JSON_NUMBER) {
        return;
    }

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

    case TG_A_SPEED:
        a->info.fast = tg_said(tg_str_eq(ev->value, tg_str("fast")));
        break;

    case TG_A_GEO:
        a->info.us = tg_said(tg_str_eq(ev->value, tg_str("us")));
        break;

    case TG_A_FINISH:
        tg_answer_finish_reason(a, ev->value);
        break;

    case TG_A_STATUS:
    case TG_A_REASON:
        tg_answer_state_word(a, ev);
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


static void
tg_answer_counter(tg_answer_t *a, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_NUMBER || ev->type == TG_JSON_STRING) {
        tg_counts_read(&a->doc.counts, ev->id, ev->value);
    }
}


static void
tg_answer_text(tg_answer_t *a, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        a->info.text_bytes += ev->raw_len;
    }
}


static void
tg_answer_choices(tg_answer_t *a, const tg_json_event_t *ev)
{
    if (ev->id == TG_A_CHOICE) {
        a->doc.choice = true;

    } else {
        a->doc.choices |= ev->type == TG_JSON_ARRAY;
    }
}


static void
tg_answer_done(tg_answer_t *a, const tg_json_event_t *ev)
{
    a->info.complete |= ev->type == TG_JSON_TRUE || ev->type == TG_JSON_STRING;
}


/* The id of no field is that of a document's end. */
static void
tg_answer_whole(tg_answer_t *a, const tg_json_event_t *ev)
{
    if (ev->type != TG_JSON_END_DOC) {
        return;
    }

    a->doc.whole = true;

    if (a->framing == TG_FRAMING_JSON) {
        a->info.events++;
        tg_answer_doc_end(a);
    }
}


typedef void (*tg_answer_field_t)(tg_answer_t *a, const tg_json_event_t *ev);

static const tg_answer_field_t  tg_answer_fields[] = {
    [TG_A_NONE] = tg_answer_whole,
    [TG_A_ADD_INPUT] = tg_answer_add,
    [TG_A_ADD_OUTPUT] = tg_answer_add,
    [TG_A_EACH_INPUT] = tg_answer_add,
    [TG_A_EACH_IMAGE] = tg_answer_add,
    [TG_A_USAGE] = tg_answer_usage,
    [TG_A_MODAL_NAME] = tg_answer_element,
    [TG_A_MODAL_TOKENS] = tg_answer_element,
    [TG_A_MODAL_INPUT] = tg_answer_element,
    [TG_A_MODAL_OUTPUT] = tg_answer_element,
    [TG_A_CACHE_TTL] = tg_answer_element,
    [TG_A_CACHE_TOKENS] = tg_answer_element,
    [TG_A_CACHE_DETAIL] = tg_answer_element,
    [TG_A_EXTRAS] = tg_answer_extra,
    [TG_A_EXTRA] = tg_answer_extra,
    [TG_A_EXTRA_TYPE] = tg_answer_extra,
    [TG_A_EXTRA_MODEL] = tg_answer_extra,
    [TG_A_EXTRA_INPUT] = tg_answer_extra,
    [TG_A_EXTRA_READ] = tg_answer_extra,
    [TG_A_EXTRA_WRITE] = tg_answer_extra,
    [TG_A_EXTRA_5M] = tg_answer_extra,
    [TG_A_EXTRA_1H] = tg_answer_extra,
    [TG_A_EXTRA_OUTPUT] = tg_answer_extra,
    [TG_A_MODEL] = tg_answer_string,
    [TG_A_ID] = tg_answer_string,
    [TG_A_TIER] = tg_answer_string,
    [TG_A_SPEED] = tg_answer_string,
    [TG_A_GEO] = tg_answer_string,
    [TG_A_FINISH] = tg_answer_string,
    [TG_A_STATUS] = tg_answer_string,
    [TG_A_REASON] = tg_answer_string,
    [TG_A_BLOCKED] = tg_answer_string,
    [TG_A_TEXT] = tg_answer_text,
    [TG_A_TOOL_NAME] = tg_answer_tool,
    [TG_A_TOOL_TYPE] = tg_answer_tool,
    [TG_A_TOOL] = tg_answer_tool,
    [TG_A_TYPE] = tg_answer_string,
    [TG_A_DONE] = tg_answer_done,
    [TG_A_CHOICES] = tg_answer_choices,
    [TG_A_CHOICE] = tg_answer_choices,
    [TG_A_ERROR] = tg_answer_error,
    [TG_A_ERROR_TYPE] = tg_answer_error,
    [TG_A_ERROR_CODE] = tg_answer_error,
    [TG_A_ERROR_STATUS] = tg_answer_error,
    [TG_A_TOP_TYPE] = tg_answer_error,
    [TG_A_TOP_CODE] = tg_answer_error
};


int
tg_answer_read(void *data, const tg_json_event_t *ev)
{
    tg_answer_t  *a = data;

    if (ev->type == TG_JSON_DUPLICATE) {
        return 0;
    }

    if (ev->id != TG_A_NONE && ev->id < TG_A_COUNTERS) {
        tg_answer_counter(a, ev);

    } else {
        tg_answer_fields[ev->id](a, ev);
    }

    return 0;
}
