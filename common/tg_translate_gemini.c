/*
 * An OpenAI chat request for Gemini's generateContent.
 *
 * https://ai.google.dev/api/generate-content
 * https://ai.google.dev/gemini-api/docs/function-calling
 * https://ai.google.dev/gemini-api/docs/thought-signatures
 * https://ai.google.dev/gemini-api/docs/openai
 */

#include "tg_translate_chat.h"

/* What Gemini 3 takes for the signature of a call that another model made. */
#define TG_GEMINI_UNSIGNED  "\"skip_thought_signature_validator\""

static const tg_tr_field_t  tg_gemini_fields[] = {
    TG_TR_TAKEN("n", TG_CHAT_N, TG_TR_NUMBER),
    TG_TR_TAKEN("seed", TG_CHAT_SEED, TG_TR_NUMBER),
    TG_TR_TAKEN("presence_penalty", TG_CHAT_PRESENCE, TG_TR_NUMBER),
    TG_TR_TAKEN("frequency_penalty", TG_CHAT_FREQUENCY, TG_TR_NUMBER),

    /* there is no place for who asks */
    TG_TR_DROPPED("user"),
    TG_TR_DROPPED("safety_identifier"),
    TG_TR_END
};


/* Models up to 2.5 think by a budget and need no signatures. */
static bool
tg_gemini_is_old(const tg_chat_t *c)
{
    const tg_str_t  models = tg_str("models/");
    tg_str_t        name = c->tr.ask->model;

    if (tg_str_starts(name, models)) {
        name = tg_str_of(name.p + models.len, name.len - models.len);
    }

    return tg_str_starts(name, tg_str("gemini-1"))
           || tg_str_starts(name, tg_str("gemini-2"));
}


/* What kind of picture an address leads to, by its name; or empty. */
static tg_str_t
tg_gemini_type_of(tg_str_t url)
{
    static const struct {
        tg_str_t  ending;
        tg_str_t  type;
    } types[] = {
        { TG_STR(".jpg"), TG_STR("image/jpeg") },
        { TG_STR(".jpeg"), TG_STR("image/jpeg") },
        { TG_STR(".png"), TG_STR("image/png") },
        { TG_STR(".webp"), TG_STR("image/webp") },
        { TG_STR(".heic"), TG_STR("image/heic") },
        { TG_STR(".heif"), TG_STR("image/heif") }
    };

    tg_str_t  path, end;

    (void) tg_str_cut(&url, '#', &path);
    url = path;
    (void) tg_str_cut(&url, '?', &path);

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        end = types[i].ending;

        if (path.len > end.len
            && tg_str_caseeq(tg_str_of(path.p + path.len - end.len, end.len),
                             end))
        {
            return types[i].type;
        }
    }

    return tg_str_null;
}


static int
tg_gemini_media(tg_chat_t *c, const tg_chat_media_t *m)
{
    tg_grow_t  *out = &c->tr.out;
    tg_str_t    type = m->type;

    if (m->url.len != 0) {
        type = tg_gemini_type_of(m->url);

        if (type.len == 0) {
            return tg_tr_refused(&c->tr, m->node, "Gemini has to be told the"
                                 " picture's type, and its name does not end"
                                 " in one");
        }
    }

    tg_chat_part(c, TG_CHAT_USERS);
    tg_grow_str(out, m->url.len != 0 ? tg_str("{\"fileData\":{\"mimeType\":\"")
                                     : tg_str("{\"inlineData\":"
                                              "{\"mimeType\":\""));
    tg_grow_str(out, type);
    tg_grow_str(out, m->url.len != 0 ? tg_str("\",\"fileUri\":\"")
                                     : tg_str("\",\"data\":\""));
    tg_grow_str(out, m->url.len != 0 ? m->url : m->data);
    tg_grow_lit(out, "\"}}");

    return TG_OK;
}


static int
tg_gemini_call(tg_chat_t *c, const tg_chat_call_t *call)
{
    tg_chat_part(c, TG_CHAT_MODELS);
    tg_grow_lit(&c->tr.out, "{\"functionCall\":{");
    tg_tr_member(&c->tr, tg_str("id"), call->id);
    tg_tr_member(&c->tr, tg_str("name"), call->name);
    tg_tr_member_lit(&c->tr, tg_str("args"),
                     call->args.len != 0 ? call->args : tg_str("{}"));
    tg_tr_close(&c->tr, tg_str("},"));

    if (call->signature != NULL) {
        tg_tr_member(&c->tr, tg_str("thoughtSignature"), call->signature);

    } else if (!c->calls_in_turn && !tg_gemini_is_old(c)) {
        /* the first of a turn is asked for one */
        tg_tr_member_lit(&c->tr, tg_str("thoughtSignature"),
                         tg_str(TG_GEMINI_UNSIGNED));
    }

    tg_tr_close(&c->tr, tg_str("}"));

    return TG_OK;
}


/* A response is an object, of which "output" is what came out. */
static int
tg_gemini_result(tg_chat_t *c, const tg_tr_call_t *call,
    const tg_node_t *content)
{
    static const tg_tr_field_t  part[] = {
        TG_TR_TAKEN("type", 1, TG_TR_STRING),
        TG_TR_TAKEN("text", 0, TG_TR_STRING),
        TG_TR_DROPPED("prompt_cache_breakpoint"),
        TG_TR_END
    };

    tg_grow_t        *out = &c->tr.out;
    const tg_node_t  *slot[2];

    tg_chat_part(c, TG_CHAT_USERS);
    tg_grow_lit(out, "{\"functionResponse\":{");
    tg_tr_member(&c->tr, tg_str("id"), call->id);
    tg_tr_member(&c->tr, tg_str("name"), call->name);
    tg_grow_lit(out, "\"response\":{\"output\":\"");

    if (content->type == TG_JSON_STRING) {
        tg_grow_str(out, tg_node_inside(content));

    } else {
        for (const tg_node_t *p = content->child; p != NULL; p = p->next) {
            if (tg_tr_object(&c->tr, p, part, slot, 2) != TG_OK
                || tg_tr_need(&c->tr, p, slot[0], "text") != TG_OK)
            {
                return TG_ERROR;
            }
            tg_grow_str(out, tg_node_inside(slot[0]));
        }
    }

    tg_grow_lit(out, "\"}}}");

    return TG_OK;
}


static int
tg_gemini_conversation(tg_chat_t *c)
{
    return tg_chat_conversation(c, tg_str("\"systemInstruction\":{\"parts\":["),
                                tg_str("]},"), tg_str("\"contents\":["));
}


static int
tg_gemini_choice(tg_chat_t *c, bool tools, bool strict)
{
    /* VALIDATED: arguments keep to the schema, as they do with ANY */
    static const tg_str_t  modes[] = {
        [TG_CHAT_CHOICE_NONE] = TG_STR("\"NONE\""),
        [TG_CHAT_CHOICE_AUTO] = TG_STR("\"VALIDATED\""),
        [TG_CHAT_CHOICE_REQUIRED] = TG_STR("\"ANY\""),
        [TG_CHAT_CHOICE_NAMED] = TG_STR("\"ANY\"")
    };

    const tg_node_t  *name, *parallel = c->slot[TG_CHAT_PARALLEL];
    int               choice = tg_chat_choice(c, &name);

    if (choice < 0) {
        return TG_ERROR;
    }

    if (!tools) {
        return choice <= TG_CHAT_CHOICE_AUTO
               ? TG_OK : tg_tr_invalid(&c->tr, c->slot[TG_CHAT_TOOL_CHOICE],
                                       "there are no tools");
    }

    if (parallel != NULL && !tg_tr_true(parallel)
        && choice != TG_CHAT_CHOICE_NONE)
    {
        return tg_tr_refused(&c->tr, parallel, "Gemini can't be kept from"
                             " several calls at once");
    }

    if (choice == TG_CHAT_CHOICE_AUTO && !strict) {
        return TG_OK;
    }

    tg_grow_lit(&c->tr.out, "\"toolConfig\":{\"functionCallingConfig\":{");
    tg_tr_member_lit(&c->tr, tg_str("mode"), modes[choice]);

    if (name != NULL) {
        tg_grow_lit(&c->tr.out, "\"allowedFunctionNames\":[");
        tg_grow_str(&c->tr.out, tg_node_raw(name));
        tg_grow_lit(&c->tr.out, "]");
    }

    tg_tr_close(&c->tr, tg_str("}},"));

    return TG_OK;
}


static int
tg_gemini_tools(tg_chat_t *c)
{
    const tg_node_t     *tools = c->slot[TG_CHAT_TOOLS], *n;
    bool                 some = tools != NULL && tools->child != NULL;
    bool                 strict = false;
    tg_chat_function_t   f;

    if (some) {
        tg_grow_lit(&c->tr.out, "\"tools\":[{\"functionDeclarations\":[");

        for (n = tools->child; n != NULL; n = n->next) {
            if (tg_chat_function(c, n, &f) != TG_OK) {
                return TG_ERROR;
            }

            strict |= f.strict != NULL;

            tg_grow_lit(&c->tr.out, "{");
            tg_tr_member(&c->tr, tg_str("name"), f.name);
            tg_tr_member(&c->tr, tg_str("description"), f.description);
            tg_tr_member(&c->tr, tg_str("parametersJsonSchema"),
                         f.parameters);
            tg_tr_close(&c->tr, tg_str("},"));
        }

        tg_tr_close(&c->tr, tg_str("]}],"));
    }

    return tg_gemini_choice(c, some, strict);
}


/*
 * Levels, or budgets where the model has those, as Google's own OpenAI
 * compatible API does it
 * (https://ai.google.dev/gemini-api/docs/openai#thinking).
 */
static int
tg_gemini_thinking(tg_chat_t *c)
{
    static const struct {
        tg_str_t  effort;
        tg_str_t  budget;
        tg_str_t  level;
    } efforts[] = {
        { TG_STR("none"), TG_STR("{\"thinkingBudget\":0}"), { NULL, 0 } },
        { TG_STR("minimal"), TG_STR("{\"thinkingBudget\":1024}"),
          TG_STR("{\"thinkingLevel\":\"MINIMAL\"}") },
        { TG_STR("low"), TG_STR("{\"thinkingBudget\":1024}"),
          TG_STR("{\"thinkingLevel\":\"LOW\"}") },
        { TG_STR("medium"), TG_STR("{\"thinkingBudget\":8192}"),
          TG_STR("{\"thinkingLevel\":\"MEDIUM\"}") },
        { TG_STR("high"), TG_STR("{\"thinkingBudget\":24576}"),
          TG_STR("{\"thinkingLevel\":\"HIGH\"}") }
    };

    const tg_node_t  *n = c->slot[TG_CHAT_EFFORT];
    tg_str_t          config;

    if (n == NULL) {
        return TG_OK;
    }

    for (size_t i = 0; i < sizeof(efforts) / sizeof(efforts[0]); i++) {
        if (!tg_node_is(n, efforts[i].effort)) {
            continue;
        }

        config = tg_gemini_is_old(c) ? efforts[i].budget : efforts[i].level;

        if (config.len == 0) {
            return tg_tr_refused(&c->tr, n, "this model can't be kept from"
                                 " thinking");
        }

        tg_tr_member_lit(&c->tr, tg_str("thinkingConfig"), config);

        return TG_OK;
    }

    return tg_tr_refused(&c->tr, n, "Gemini takes none, minimal, low, medium"
                         " and high");
}


static int
tg_gemini_counts(tg_chat_t *c)
{
    const tg_node_t  *n = c->slot[TG_CHAT_N], *seed = c->slot[TG_CHAT_SEED];
    int64_t           v;

    if (c->limit >= 0) {
        tg_tr_member_int(&c->tr, tg_str("maxOutputTokens"), c->limit);
    }

    if (n != NULL) {
        if (tg_tr_count(&c->tr, n, 1, &v) != TG_OK) {
            return TG_ERROR;
        }

        if (v != 1) {
            tg_tr_member(&c->tr, tg_str("candidateCount"), n);
        }
    }

    if (seed != NULL
        && (!tg_node_int(seed, &v) || v < INT32_MIN || v > INT32_MAX))
    {
        return tg_tr_refused(&c->tr, seed,
                             "Gemini takes an integer of 32 bits");
    }

    tg_tr_member(&c->tr, tg_str("seed"), seed);

    return TG_OK;
}


static int
tg_gemini_output(tg_chat_t *c)
{
    const tg_node_t  *schema, *description;
    int               format = tg_chat_format(c, &schema, &description);

    if (format < 0) {
        return TG_ERROR;
    }

    if (format != TG_CHAT_FORMAT_TEXT) {
        tg_tr_member_lit(&c->tr, tg_str("responseMimeType"),
                         tg_str("\"application/json\""));
    }

    if (schema != NULL) {
        tg_grow_lit(&c->tr.out, "\"responseJsonSchema\":");

        if (tg_tr_schema(&c->tr, schema, description) != TG_OK) {
            return TG_ERROR;
        }

        tg_grow_lit(&c->tr.out, ",");
    }

    return tg_gemini_thinking(c);
}


static int
tg_gemini_config(tg_chat_t *c)
{
    const tg_node_t  *n = c->slot[TG_CHAT_TEMPERATURE];
    size_t            len = c->tr.out.len, empty;

    if (n != NULL && tg_tr_range(&c->tr, n, 2) != TG_OK) {
        return TG_ERROR;
    }

    tg_grow_lit(&c->tr.out, "\"generationConfig\":{");
    empty = c->tr.out.len;

    tg_tr_member(&c->tr, tg_str("temperature"), n);
    tg_tr_member(&c->tr, tg_str("topP"), c->slot[TG_CHAT_TOP_P]);
    tg_tr_member(&c->tr, tg_str("presencePenalty"),
                 c->slot[TG_CHAT_PRESENCE]);
    tg_tr_member(&c->tr, tg_str("frequencyPenalty"),
                 c->slot[TG_CHAT_FREQUENCY]);
    tg_chat_stop(c, tg_str("stopSequences"));

    if (tg_gemini_counts(c) != TG_OK || tg_gemini_output(c) != TG_OK) {
        return TG_ERROR;
    }

    if (c->tr.out.len == empty) {
        tg_grow_cut(&c->tr.out, len);
    } else {
        tg_tr_close(&c->tr, tg_str("},"));
    }

    return TG_OK;
}


static int
tg_gemini_tier(tg_chat_t *c)
{
    static const struct {
        tg_str_t  tier;
        tg_str_t  json;
    } tiers[] = {
        { TG_STR("auto"), { NULL, 0 } },
        { TG_STR("default"), TG_STR("\"standard\"") },
        { TG_STR("flex"), TG_STR("\"flex\"") },
        { TG_STR("priority"), TG_STR("\"priority\"") }
    };

    const tg_node_t  *n = c->slot[TG_CHAT_TIER];

    if (n == NULL) {
        return TG_OK;
    }

    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (tg_node_is(n, tiers[i].tier)) {
            if (tiers[i].json.len != 0) {
                tg_tr_member_lit(&c->tr, tg_str("serviceTier"),
                                 tiers[i].json);
            }
            return TG_OK;
        }
    }

    return tg_tr_refused(&c->tr, n, "Gemini takes auto, default, flex and"
                         " priority");
}


int
tg_tr_chat_to_gemini(tg_tr_t *tr)
{
    static const tg_chat_target_t  target = {
        tg_gemini_fields,
        {
            [TG_CHAT_USERS] = TG_STR("{\"role\":\"user\",\"parts\":["),
            [TG_CHAT_MODELS] = TG_STR("{\"role\":\"model\",\"parts\":[")
        },
        TG_STR("{\"text\":"),
        tg_gemini_media, tg_gemini_call, tg_gemini_result
    };

    tg_chat_t  c;

    memset(&c, 0, sizeof(c));
    c.tr = *tr;
    c.target = &target;

    if (tg_chat_read(&c) != TG_OK) {
        return TG_ERROR;
    }

    tg_grow_lit(&c.tr.out, "{");

    if (tg_gemini_conversation(&c) != TG_OK || tg_gemini_tools(&c) != TG_OK
        || tg_gemini_config(&c) != TG_OK || tg_gemini_tier(&c) != TG_OK)
    {
        return TG_ERROR;
    }

    tg_tr_close(&c.tr, tg_str("}"));
    tr->out = c.tr.out;

    return TG_OK;
}
