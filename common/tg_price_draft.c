/* An entry while it is being read, and what is wrong with it. */

#include "tg_price_int.h"


const char *
tg_price_shown(char *buf, size_t size, tg_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len && i + 1 < size; i++) {
        buf[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?';
    }

    buf[i] = '\0';

    return buf;
}


int
tg_price_complain(const tg_price_load_t *load, tg_str_t model,
    const char *field, const char *problem)
{
    char  file[64], name[72], shown[48];

    (void) tg_price_shown(file, sizeof(file), load->name);
    (void) tg_price_shown(name, sizeof(name), model);
    (void) tg_price_shown(shown, sizeof(shown), tg_strz(field));

    if (model.len == 0 && field[0] == '\0') {
        return tg_error(load->err, TG_PRICE_CONTENT, 0, "%s: %s", file,
                        problem);
    }

    if (model.len == 0) {
        return tg_error(load->err, TG_PRICE_CONTENT, 0, "%s: \"%s\" %s", file,
                        shown, problem);
    }

    if (field[0] == '\0') {
        return tg_error(load->err, TG_PRICE_CONTENT, 0, "%s: model \"%s\" %s",
                        file, name, problem);
    }

    return tg_error(load->err, TG_PRICE_CONTENT, 0,
                    "%s: model \"%s\": \"%s\" %s", file, name, shown, problem);
}


int64_t
tg_price_number(const json_t *v, int scale, int64_t most)
{
    double    x;
    int64_t   n;
    tg_str_t  s;

    if (json_is_string(v)) {
        s = tg_str_of(json_string_value(v), json_string_length(v));

        n = tg_money_parse(s, scale);

        if (n >= 0 && n <= most) {
            return n;
        }

        if (s.len > 1 && s.p[0] == '-') {
            s.p++;
            s.len--;
        }

        /* is it a number at all? */
        return tg_money_parse(s, -1000000) == 0 ? -2 : -1;
    }

    if (!json_is_number(v)) {
        return -1;
    }

    x = json_number_value(v) * (scale == 15 ? 1e15 : scale == 9 ? 1e9 : 1);

    return x >= 0 && x <= (double) most ? (int64_t) (x + 0.5) : -2;
}


void
tg_price_draft_init(tg_price_draft_t *d, tg_str_t id)
{
    d->id = id;
    d->max_input = 0;
    d->max_output = 0;
    d->keep = TG_PPM;
    d->own_keep = false;
    d->us = 0;
    d->nlevels = 0;
}


int64_t
tg_price_times(int64_t fusd, int64_t ppm)
{
    int64_t  whole = fusd / TG_PPM;

    if (whole > TG_PRICE_FUSD_MAX / (ppm < 1 ? 1 : ppm)) {
        return TG_PRICE_FUSD_MAX;
    }

    fusd = whole * ppm + fusd % TG_PPM * ppm / TG_PPM;

    return fusd < TG_PRICE_FUSD_MAX ? fusd : TG_PRICE_FUSD_MAX;
}


int
tg_price_draft_set(tg_price_draft_t *d, tg_tier_t tier, int64_t above,
    tg_rate_t rate, int64_t fusd)
{
    size_t             i;
    tg_price_level_t  *level;

    for (i = 0; i < d->nlevels; i++) {
        if (d->levels[i].tier == tier && d->levels[i].above == above) {
            d->levels[i].fusd[rate] = fusd;
            return TG_OK;
        }
    }

    if (i == TG_PRICE_LEVELS_MAX) {
        return TG_ERROR;
    }

    level = &d->levels[d->nlevels++];
    level->tier = tier;
    level->above = above;

    for (i = 0; i < TG_RATE_COUNT; i++) {
        level->fusd[i] = -1;
    }

    level->fusd[rate] = fusd;

    return TG_OK;
}
