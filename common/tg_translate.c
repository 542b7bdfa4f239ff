#include "tg_translate_int.h"

/* The APIs of each form, by the names that tg_api_name() gives. */
static const struct {
    tg_str_t   api;
    tg_form_t  form;
} tg_forms[] = {
    { TG_STR("openai.chat"), TG_FORM_OPENAI_CHAT },
    { TG_STR("anthropic.messages"), TG_FORM_ANTHROPIC },
    { TG_STR("gemini.generate"), TG_FORM_GEMINI },
    { TG_STR("vertex.generate"), TG_FORM_GEMINI }
};


tg_form_t
tg_form_of(const tg_api_t *api)
{
    tg_str_t  name = tg_api_name(api);

    for (size_t i = 0; i < sizeof(tg_forms) / sizeof(tg_forms[0]); i++) {
        if (tg_str_eq(name, tg_forms[i].api)) {
            return tg_forms[i].form;
        }
    }

    return TG_FORM_NONE;
}


bool
tg_translates(tg_form_t from, tg_form_t to)
{
    return (from == TG_FORM_OPENAI_CHAT
            && (to == TG_FORM_ANTHROPIC || to == TG_FORM_GEMINI))
           || (from == TG_FORM_ANTHROPIC && to == TG_FORM_OPENAI_CHAT);
}


/* What a request may grow to: an argument's bytes may double by being quoted,
 * and most else grows by a few dozens of bytes. */
static size_t
tg_translate_most(size_t len)
{
    return 8 * len + 64 * 1024;
}


int
tg_translate_request(tg_mem_t *mem, const tg_translate_t *t, tg_str_t body,
    tg_str_t *out, tg_error_t *err)
{
    tg_error_t  own;
    tg_tr_t     tr;
    int         rc;

    memset(&tr, 0, sizeof(tr));

    tr.mem = mem;
    tr.ask = t;
    tr.body = body;
    tr.err = err != NULL ? err : &own;

    if (!tg_translates(t->from, t->to)) {
        return tg_error(tr.err, TG_TRANSLATE_E_PAIR, 0,
                        "no translation from this API to that one");
    }

    tr.root = tg_tree_parse(mem, body, tr.err);
    if (tr.root == NULL) {
        return TG_ERROR;
    }

    tg_grow_init(&tr.out, mem, body.len + body.len / 4 + 1024,
                 tg_translate_most(body.len));

    if (t->to == TG_FORM_ANTHROPIC) {
        tr.target = tg_str("Anthropic");
        rc = tg_tr_chat_to_anthropic(&tr);

    } else if (t->to == TG_FORM_GEMINI) {
        tr.target = tg_str("Gemini");
        rc = tg_tr_chat_to_gemini(&tr);

    } else {
        tr.target = tg_str("the chat API");
        rc = tg_tr_anthropic_to_chat(&tr);
    }

    if (rc == TG_OK && tr.out.failed) {
        rc = tg_tr_no_memory(&tr);
    }

    if (rc == TG_OK) {
        *out = tg_grow_text(&tr.out);
    }

    return rc;
}
