#include "tg_translate.h"

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
