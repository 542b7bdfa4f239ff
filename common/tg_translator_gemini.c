#include "tg_translator_int.h"

/*
 * An answer of Gemini's generateContent and streamGenerateContent.
 * https://ai.google.dev/api/generate-content
 */

/*
 * FinishReason, by name or, with enum-encoding=int, by number.  All others say
 * that the provider broke it off.
 */
static tg_stop_t
tg_stop_gemini(const tg_node_t *reason)
{
    int64_t  number;

    if (tg_node_int(reason, &number)) {
        return number == 0 ? TG_STOP_NONE
               : number == 1 ? TG_STOP_END
                 : number == 2 ? TG_STOP_LENGTH : TG_STOP_FILTER;
    }

    if (tg_node_inside_of(reason).len == 0
        || tg_node_is(reason, tg_str("FINISH_REASON_UNSPECIFIED")))
    {
        return TG_STOP_NONE;
    }

    return tg_node_is(reason, tg_str("STOP")) ? TG_STOP_END
           : tg_node_is(reason, tg_str("MAX_TOKENS")) ? TG_STOP_LENGTH
             : TG_STOP_FILTER;
}


/* Either spelling. */
static const tg_node_t *
tg_gemini_get(const tg_node_t *n, tg_str_t name, tg_str_t other)
{
    const tg_node_t  *got = tg_node_get(n, name);

    return got != NULL ? got : tg_node_get(n, other);
}


static void
tg_gemini_call(tg_translator_t *t, tg_choice_t *c, const tg_node_t *call,
    tg_str_t signature)
{
    tg_translator_tool(t, c, tg_node_inside_of(tg_node_get(call,
                                                           tg_str("id"))),
                       tg_node_inside_of(tg_node_get(call, tg_str("name"))),
                       signature);
    tg_translator_object(t, c, tg_node_get(call, tg_str("args")));
    tg_translator_part_end(t, c);
}


static void
tg_gemini_part(tg_translator_t *t, tg_choice_t *c, const tg_node_t *root,
    const tg_node_t *part)
{
    /* what the provider's own tools did, and what goes with a part */
    static const tg_str_t  skipped[] = {
        TG_STR("thought"), TG_STR("thoughtSignature"),
        TG_STR("thought_signature"), TG_STR("executableCode"),
        TG_STR("executable_code"), TG_STR("codeExecutionResult"),
        TG_STR("code_execution_result"), TG_STR("toolCall"),
        TG_STR("tool_call"), TG_STR("toolResponse"), TG_STR("tool_response"),
        TG_STR("partMetadata"), TG_STR("part_metadata")
    };

    const tg_node_t  *n, *thought = tg_node_get(part, tg_str("thought"));
    const tg_node_t  *signature = tg_gemini_get(part,
                                                tg_str("thoughtSignature"),
                                                tg_str("thought_signature"));
    bool              thinks = thought != NULL
                               && thought->type == TG_JSON_TRUE;
    size_t            i;

    for (n = part->child; n != NULL && !t->over; n = n->next) {
        if (tg_node_key_is(n, tg_str("text"))) {
            tg_translator_say(t, c, thinks ? TG_SAY_REASONING : TG_SAY_TEXT,
                              n);
            continue;
        }

        if (tg_node_key_is(n, tg_str("functionCall"))
            || tg_node_key_is(n, tg_str("function_call")))
        {
            tg_gemini_call(t, c, n, tg_node_inside_of(signature));
            continue;
        }

        for (i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
            if (tg_node_key_is(n, skipped[i])) {
                break;
            }
        }

        if (i == sizeof(skipped) / sizeof(skipped[0])) {
            tg_translator_refuse(t, root, n);
        }
    }
}


static void
tg_gemini_candidate(tg_translator_t *t, const tg_node_t *root,
    const tg_node_t *candidate, int64_t index)
{
    const tg_node_t  *parts, *n;
    tg_choice_t      *c;
    tg_stop_t         stop;

    (void) tg_node_int(tg_node_get(candidate, tg_str("index")), &index);
    c = tg_translator_choice(t, index < 0 ? 0 : (uint64_t) index);

    if (c == NULL) {
        return;
    }

    parts = tg_node_get(tg_node_get(candidate, tg_str("content")),
                        tg_str("parts"));

    if (parts != NULL && parts->type == TG_JSON_ARRAY) {
        for (n = parts->child; n != NULL; n = n->next) {
            tg_gemini_part(t, c, root, n);
        }
    }

    stop = tg_stop_gemini(tg_gemini_get(candidate, tg_str("finishReason"),
                                        tg_str("finish_reason")));

    if (stop != TG_STOP_NONE) {
        tg_translator_stop(c, stop);
    }
}


/* The prompt was refused: nothing else comes. */
static void
tg_gemini_blocked(tg_translator_t *t, const tg_node_t *feedback)
{
    const tg_node_t  *reason = tg_gemini_get(feedback, tg_str("blockReason"),
                                             tg_str("block_reason"));
    const tg_node_t  *why = tg_gemini_get(feedback,
                                          tg_str("blockReasonMessage"),
                                          tg_str("block_reason_message"));
    tg_choice_t      *c;

    if (reason == NULL || reason->type == TG_JSON_NULL || t->blocked) {
        return;
    }

    c = tg_translator_choice(t, 0);

    if (c != NULL) {
        t->blocked = true;
        tg_translator_say(t, c, TG_SAY_REFUSAL,
                          tg_node_inside_of(why).len != 0 ? why : reason);
        tg_translator_stop(c, TG_STOP_FILTER);
    }
}


void
tg_source_gemini(tg_translator_t *t, const tg_node_t *root)
{
    const tg_node_t  *list = tg_node_get(root, tg_str("candidates")), *n;
    int64_t           i = 0;

    tg_translator_model(t, tg_gemini_get(root, tg_str("modelVersion"),
                                         tg_str("model_version")));

    if (list != NULL && list->type == TG_JSON_ARRAY) {
        for (n = list->child; n != NULL; n = n->next) {
            tg_gemini_candidate(t, root, n, i++);
        }
    }

    tg_gemini_blocked(t, tg_gemini_get(root, tg_str("promptFeedback"),
                                       tg_str("prompt_feedback")));
}
