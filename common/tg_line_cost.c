/* Of the cost line: what was used, and what that costs. */

#include "tg_line_int.h"

const tg_str_t  tg_usage_sources[] = {
    TG_STR("none"), TG_STR("reported"), TG_STR("estimated"), TG_STR("cached"),
    TG_STR("recovered")
};


static char *
tg_line_extra(char *p, bool under, const tg_usage_extra_t *x)
{
    tg_line_key(p, under, "llm.usage.extra");
    *p++ = '[';

    for (unsigned i = 0; x != NULL && i < TG_LINE_EXTRA; i++, x = x->next) {
        if (i != 0) {
            *p++ = ',';
        }

        tg_line_lit(p, false, "{\"type\":");
        p = tg_line_quoted(p, x->type, TG_LINE_SHORT);
        if (x->model.len != 0) {
            tg_line_key(p, false, "model");
            p = tg_line_quoted(p, x->model, TG_LINE_SHORT);
        }
        tg_line_key(p, false, "input_tokens");
        p = tg_text_int(p, x->input);
        tg_line_key(p, false, "cache_read");
        p = tg_text_int(p, x->cache_read);
        tg_line_key(p, false, "cache_write");
        p = tg_text_int(p, x->cache_write);
        tg_line_key(p, false, "output_tokens");
        p = tg_text_int(p, x->output);
        *p++ = '}';
    }

    *p++ = ']';

    return p;
}


/* What few calls have. */
static char *
tg_line_units(char *p, bool under, const tg_usage_t *u)
{
    if (u->billed_input >= 0) {
        tg_line_key(p, under, "llm.usage.billed_input");
        p = tg_text_int(p, u->billed_input);
    }

    if (u->billed_output >= 0) {
        tg_line_key(p, under, "llm.usage.billed_output");
        p = tg_text_int(p, u->billed_output);
    }

    tg_line_int(p, under, "llm.usage.web_searches", u->web_searches);
    tg_line_int(p, under, "llm.usage.web_fetches", u->web_fetches);
    tg_line_int(p, under, "llm.usage.search_units", u->search_units);
    tg_line_int(p, under, "llm.usage.images", u->images);
    tg_line_int(p, under, "llm.usage.duration_ms", u->duration_ms);
    tg_line_int(p, under, "llm.usage.characters", u->characters);
    tg_line_int(p, under, "llm.usage.pages", u->pages);

    if (u->extra != NULL) {
        p = tg_line_extra(p, under, u->extra);
    }

    return p;
}


char *
tg_line_usage(char *p, bool under, const tg_usage_t *u, unsigned source)
{
    tg_line_lit(p, under, ",\"llm.usage.source\":\"");
    p = tg_line_plain(p, tg_usage_sources[source]);
    *p++ = '"';

    if (source == TG_USAGE_NONE || source == TG_USAGE_RECOVERED) {
        return p;
    }

    tg_line_key(p, under, "gen_ai.usage.input_tokens");
    p = tg_text_int(p, u->input);
    tg_line_key(p, under, "gen_ai.usage.output_tokens");
    p = tg_text_int(p, u->output);

    tg_line_int(p, under, "gen_ai.usage.cache_read.input_tokens",
                u->cache_read);
    tg_line_int(p, under, "gen_ai.usage.cache_creation.input_tokens",
                u->cache_write);
    tg_line_int(p, under, "llm.usage.cache_write_5m", u->cache_write_5m);
    tg_line_int(p, under, "llm.usage.cache_write_1h", u->cache_write_1h);
    tg_line_int(p, under, "gen_ai.usage.reasoning.output_tokens",
                u->reasoning);
    tg_line_int(p, under, "llm.usage.audio_input", u->audio_input);
    tg_line_int(p, under, "llm.usage.audio_output", u->audio_output);
    tg_line_int(p, under, "llm.usage.image_input", u->image_input);
    tg_line_int(p, under, "llm.usage.image_output", u->image_output);

    return tg_line_units(p, under, u);
}


static char *
tg_line_parts(char *p, bool under, const tg_cost_t *c)
{
    tg_line_usd(p, under, "llm.cost.input", c->input);
    tg_line_usd(p, under, "llm.cost.cache_read", c->cache_read);
    tg_line_usd(p, under, "llm.cost.cache_write", c->cache_write);
    tg_line_usd(p, under, "llm.cost.output", c->output);
    tg_line_usd(p, under, "llm.cost.tools", c->tools);
    tg_line_usd(p, under, "llm.cost.extra", c->extra);

    return p;
}


/* Measured, whatever the call costs by. */
char *
tg_line_gpu(char *p, bool under, const tg_gpu_t *gpu)
{
    if (gpu == NULL || gpu->ns == 0) {
        return p;
    }

    if (gpu->priced) {
        tg_line_key(p, under, "llm.cost.gpu");
        p = tg_text_decimal(p, gpu->cost, 9);
    }

    tg_line_key(p, under, "llm.gpu_seconds");

    return tg_text_decimal(p, gpu->ns, 9);
}


static char *
tg_line_total(char *p, bool under, int64_t total)
{
    tg_line_key(p, under, "llm.cost.total");
    p = tg_text_decimal(p, total, 9);
    tg_line_key(p, under, "llm.cost.total_nusd");

    return tg_text_int(p, total);
}


/* Of an attempt. */
char *
tg_line_charge(char *p, bool under, const tg_attempt_t *a)
{
    const tg_cost_t  *c = &a->cost;

    if (!a->cost_known) {
        tg_line_lit(p, under, ",\"llm.cost.total_nusd\":0"
                              ",\"llm.cost.unpriced\":true");
        return p;
    }

    p = tg_line_parts(p, under, c);
    tg_line_usd(p, under, "llm.cost.list", c->list);
    p = tg_line_total(p, under, c->total);

    if (a->cost_by_gpu) {
        tg_line_lit(p, under, ",\"llm.cost.source\":\"gpu\"");
    } else {
        tg_line_lit(p, under, ",\"llm.cost.source\":\"prices\"");
    }

    tg_line_str(p, under, "llm.price_id", a->price_id);

    return p;
}


char *
tg_line_money(char *p, bool under, const tg_call_t *call)
{
    const tg_cost_t  *c = &call->cost;

    if (!call->cost_known) {

        /* The sum over all lines must not depend on who skips nulls. */
        tg_line_lit(p, under, ",\"llm.cost.total_nusd\":0");

        if (call->source != TG_USAGE_NONE) {
            tg_line_lit(p, under, ",\"llm.cost.unpriced\":true");
        }
        return p;
    }

    if (!call->cost_by_provider) {
        p = tg_line_parts(p, under, c);
    }

    if (call->price_id.len != 0) {
        tg_line_usd(p, under, "llm.cost.list", c->list);
        tg_line_usd(p, under, "llm.cost.saved",
                    c->list > c->total ? c->list - c->total : 0);
    }

    p = tg_line_total(p, under, c->total);

    if (call->cost_by_provider) {
        tg_line_lit(p, under, ",\"llm.cost.source\":\"provider\"");

    } else if (call->cost_by_gpu) {
        tg_line_lit(p, under, ",\"llm.cost.source\":\"gpu\"");

    } else if (call->price_id.len != 0) {
        tg_line_lit(p, under, ",\"llm.cost.source\":\"prices\"");
    }

    tg_line_str(p, under, "llm.price_id", call->price_id);

    if (c->incomplete && !call->cost_by_provider) {
        tg_line_lit(p, under, ",\"llm.cost.incomplete\":true");
    }

    return p;
}
