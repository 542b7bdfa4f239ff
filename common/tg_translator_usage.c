#include "tg_translator_int.h"
#include "tg_dialect_int.h"
#include "tg_money.h"

/*
 * What was used is read by the meter itself (tg_answer.h), from the documents
 * that have a usage, so that a vendor's rules are in one place.
 */

static const tg_str_t  tg_form_apis[] = {
    [TG_FORM_OPENAI_CHAT] = TG_STR("openai.chat"),
    [TG_FORM_ANTHROPIC] = TG_STR("anthropic.messages"),
    [TG_FORM_GEMINI] = TG_STR("gemini.generate")
};


int
tg_translator_meter_init(tg_translator_t *t)
{
    tg_dialect_t  d = { 0 };

    if (t->ask.upstream != NULL) {
        d = *t->ask.upstream;

    } else {
        for (size_t i = 0; i < tg_apis() && d.api == NULL; i++) {
            if (tg_str_eq(tg_api_name(tg_api_at(i)),
                          tg_form_apis[t->ask.from]))
            {
                d.api = tg_api_at(i);
            }
        }

        tg_dialect_upstream(&d, tg_str(""), NULL);
    }

    t->meter = tg_answer_create(t->mem, &d, NULL, 200,
                                tg_str("application/x-ndjson"));

    return t->meter == NULL ? TG_ERROR : TG_OK;
}


void
tg_translator_meter(tg_translator_t *t, const tg_node_t *root)
{
    static const tg_str_t  names[] = {
        TG_STR("usage"), TG_STR("usageMetadata"), TG_STR("message"),
        TG_STR("x_groq")
    };

    tg_str_t  text = tg_node_raw(root);

    for (const tg_node_t *n = root->child; n != NULL; n = n->next) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (n->type != TG_JSON_NULL && tg_node_key_is(n, names[i])) {
                tg_answer_feed(t->meter, text.p, text.len);
                tg_answer_feed(t->meter, "\n", 1);
                return;
            }
        }
    }
}


void
tg_translator_used(tg_translator_t *t, tg_usage_t *u)
{
    tg_answer_finish(t->meter);
    *u = tg_answer_info(t->meter)->usage;

    if (u->source != TG_USAGE_REPORTED) {
        tg_usage_init(u);
    }
}


/* "name":v, where it is not 0 or must be said; a comma comes first unless the
 * brace has just been opened. */
static void
tg_grow_count(tg_grow_t *g, const char *name, int64_t v, bool always)
{
    if (v == 0 && !always) {
        return;
    }

    if (g->len != 0 && g->p[g->len - 1] != '{') {
        tg_grow_lit(g, ",");
    }

    tg_grow_lit(g, "\"");
    tg_grow_str(g, tg_strz(name));
    tg_grow_lit(g, "\":");
    tg_grow_int(g, v);
}


static void
tg_grow_cache_creation(tg_grow_t *g, const tg_usage_t *u)
{
    if (u->cache_write_5m != 0 || u->cache_write_1h != 0) {
        tg_grow_lit(g, ",\"cache_creation\":{");
        tg_grow_count(g, "ephemeral_5m_input_tokens", u->cache_write_5m, true);
        tg_grow_count(g, "ephemeral_1h_input_tokens", u->cache_write_1h, true);
        tg_grow_lit(g, "}");
    }
}


/* What a gateway says it charged. */
static void
tg_grow_cost(tg_grow_t *g, const tg_usage_t *u)
{
    char  buf[TG_MONEY_TEXT_MAX];

    if (u->provider_cost >= 0) {
        tg_grow_lit(g, ",\"cost\":");
        tg_grow(g, buf, tg_money_text(buf, u->provider_cost));
    }
}


void
tg_grow_usage_openai(tg_grow_t *g, const tg_usage_t *u)
{
    tg_grow_lit(g, "\"usage\":{");
    tg_grow_count(g, "prompt_tokens", u->input, true);
    tg_grow_count(g, "completion_tokens", u->output, true);
    tg_grow_count(g, "total_tokens", tg_money_add(u->input, u->output), true);

    tg_grow_lit(g, ",\"prompt_tokens_details\":{");
    tg_grow_count(g, "cached_tokens", u->cache_read, true);
    tg_grow_count(g, "cache_write_tokens", u->cache_write, false);
    tg_grow_count(g, "audio_tokens", u->audio_input, true);
    tg_grow_count(g, "image_tokens", u->image_input, false);

    tg_grow_lit(g, "},\"completion_tokens_details\":{");
    tg_grow_count(g, "reasoning_tokens", u->reasoning, true);
    tg_grow_count(g, "audio_tokens", u->audio_output, true);
    tg_grow_count(g, "image_tokens", u->image_output, false);
    tg_grow_lit(g, "}");

    tg_grow_cache_creation(g, u);
    tg_grow_cost(g, u);
    tg_grow_lit(g, "}");
}


void
tg_grow_usage_anthropic(tg_grow_t *g, const tg_usage_t *u, tg_str_t tier)
{
    int64_t  fresh = u->input - tg_money_add(u->cache_read, u->cache_write);

    tg_grow_lit(g, "\"usage\":{");
    tg_grow_count(g, "input_tokens", fresh > 0 ? fresh : 0, true);
    tg_grow_count(g, "cache_creation_input_tokens", u->cache_write, true);
    tg_grow_count(g, "cache_read_input_tokens", u->cache_read, true);
    tg_grow_count(g, "output_tokens", u->output, true);
    tg_grow_cache_creation(g, u);

    if (u->reasoning != 0) {
        tg_grow_lit(g, ",\"output_tokens_details\":{");
        tg_grow_count(g, "thinking_tokens", u->reasoning, true);
        tg_grow_lit(g, "}");
    }

    if (u->web_searches != 0 || u->web_fetches != 0) {
        tg_grow_lit(g, ",\"server_tool_use\":{");
        tg_grow_count(g, "web_search_requests", u->web_searches, true);
        tg_grow_count(g, "web_fetch_requests", u->web_fetches, true);
        tg_grow_lit(g, "}");
    }

    if (tier.len != 0) {
        tg_grow_lit(g, ",");
        tg_grow_member(g, "service_tier", tier);
    }

    tg_grow_cost(g, u);
    tg_grow_lit(g, "}");
}


tg_str_t
tg_translator_tier(const tg_translator_t *t)
{
    static const struct {
        tg_str_t  word;
        tg_str_t  openai;
        tg_str_t  anthropic;
    } tiers[] = {
        { TG_STR("standard"), TG_STR("default"), TG_STR("standard") },
        { TG_STR("default"), TG_STR("default"), TG_STR("standard") },
        { TG_STR("on_demand"), TG_STR("default"), TG_STR("standard") },
        { TG_STR("priority"), TG_STR("priority"), TG_STR("priority") },
        { TG_STR("on_demand_priority"), TG_STR("priority"),
          TG_STR("priority") },
        { TG_STR("flex"), TG_STR("flex"), TG_STR("") },
        { TG_STR("on_demand_flex"), TG_STR("flex"), TG_STR("") }
    };

    tg_str_t  said = tg_answer_info(t->meter)->service_tier;

    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (tg_str_caseeq(said, tiers[i].word)) {
            return t->ask.to == TG_FORM_ANTHROPIC ? tiers[i].anthropic
                                                  : tiers[i].openai;
        }
    }

    return tg_str("");
}
