/* Calls of functions in an OpenAI chat request. */

#include "tg_translate_chat.h"


/* Arguments are an object's JSON in a string. */
static int
tg_chat_arguments(tg_chat_t *c, const tg_node_t *n, tg_str_t *args)
{
    tg_json_t  scan;

    *args = tg_node_text(c->tr.mem, n);

    if (args->p == NULL) {
        return tg_tr_no_memory(&c->tr);
    }

    if (tg_tr_blank(n)) {
        *args = tg_str("");
        return TG_OK;
    }

    tg_json_init(&scan, NULL, 0, NULL, NULL);

    if (tg_json_feed(&scan, args->p, args->len) != TG_OK
        || tg_json_finish(&scan) != TG_OK
        || args->p[strspn(args->p, " \t\r\n")] != '{')
    {
        return tg_tr_invalid(&c->tr, n, "must have a JSON object in it");
    }

    return TG_OK;
}


/* https://ai.google.dev/gemini-api/docs/openai: extra_content */
static int
tg_chat_signature(tg_chat_t *c, const tg_node_t *extra,
    const tg_node_t **signature)
{
    static const tg_tr_field_t  outer[] = {
        TG_TR_TAKEN("google", 0, TG_TR_OBJECT), TG_TR_END
    };
    static const tg_tr_field_t  inner[] = {
        TG_TR_TAKEN("thought_signature", 0, TG_TR_STRING), TG_TR_END
    };

    const tg_node_t  *google;

    *signature = NULL;

    if (extra == NULL) {
        return TG_OK;
    }

    if (tg_tr_object(&c->tr, extra, outer, &google, 1) != TG_OK) {
        return TG_ERROR;
    }

    return google == NULL ? TG_OK
                          : tg_tr_object(&c->tr, google, inner, signature, 1);
}


int
tg_chat_call_read(tg_chat_t *c, const tg_node_t *n, tg_chat_call_t *call)
{
    enum { ID, TYPE, FUNCTION, EXTRA, SLOTS };
    enum { NAME, ARGUMENTS, FUNCTION_SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("id", ID, TG_TR_STRING),
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("function", FUNCTION, TG_TR_OBJECT),
        TG_TR_TAKEN("extra_content", EXTRA, TG_TR_OBJECT),
        TG_TR_REFUSED("custom", NULL, "has functions only"),
        TG_TR_DROPPED("index"),         /* of a stream's pieces */
        TG_TR_END
    };
    static const tg_tr_field_t  function[] = {
        TG_TR_TAKEN("name", NAME, TG_TR_STRING),
        TG_TR_TAKEN("arguments", ARGUMENTS, TG_TR_STRING),
        TG_TR_DROPPED("parsed_arguments"),  /* the SDK's own */
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS], *f[FUNCTION_SLOTS];

    if (tg_tr_object(&c->tr, n, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(&c->tr, n, slot[ID], "id") != TG_OK
        || tg_tr_need(&c->tr, n, slot[FUNCTION], "function") != TG_OK
        || tg_tr_object(&c->tr, slot[FUNCTION], function, f, FUNCTION_SLOTS)
           != TG_OK
        || tg_tr_need(&c->tr, slot[FUNCTION], f[NAME], "name") != TG_OK
        || tg_tr_need(&c->tr, slot[FUNCTION], f[ARGUMENTS], "arguments")
           != TG_OK)
    {
        return TG_ERROR;
    }

    if (slot[TYPE] != NULL && !tg_node_is(slot[TYPE], tg_str("function"))) {
        return tg_tr_refused(&c->tr, slot[TYPE], "only functions are known");
    }

    call->node = n;
    call->id = slot[ID];
    call->name = f[NAME];

    return tg_chat_signature(c, slot[EXTRA], &call->signature) != TG_OK
           ? TG_ERROR : tg_chat_arguments(c, f[ARGUMENTS], &call->args);
}
