#include "record.h"

#include "tg_text.h"
#include "tg_window.h"

#include <stdio.h>
#include <time.h>

typedef enum {
    BY_TEXT = 0,                        /* + record_text_t */
    BY_NUMBER = 100,                    /* + record_number_t */
    BY_FLAG = 200,                      /* + record_flag_t */
    BY_HOUR = 300,
    BY_DAY,
    BY_WEEK,
    BY_MONTH,
    BY_MODEL,
    BY_PROVIDER,
    BY_STATUS,
    BY_OUTCOME,
    BY_TAG
} by_t;

typedef struct {
    tg_str_t  word;
    int       kind;
} word_t;

#define FLAG_NAME(id, name)  TG_STR(name),

static const tg_str_t  flag_names[] = { RECORD_FLAGS(FLAG_NAME) };

static const word_t  words[] = {
    { TG_STR("hour"),      BY_HOUR },
    { TG_STR("day"),       BY_DAY },
    { TG_STR("week"),      BY_WEEK },
    { TG_STR("month"),     BY_MONTH },
    { TG_STR("team"),      BY_TEXT + REC_TEAM },
    { TG_STR("user"),      BY_TEXT + REC_USER },
    { TG_STR("org"),       BY_TEXT + REC_ORG },
    { TG_STR("key"),       BY_TEXT + REC_KEY },
    { TG_STR("agent"),     BY_TEXT + REC_AGENT },
    { TG_STR("session"),   BY_TEXT + REC_SESSION },
    { TG_STR("model"),     BY_MODEL },
    { TG_STR("provider"),  BY_PROVIDER },
    { TG_STR("vendor"),    BY_TEXT + REC_VENDOR },
    { TG_STR("operation"), BY_TEXT + REC_OPERATION },
    { TG_STR("route"),     BY_TEXT + REC_ROUTE },
    { TG_STR("upstream"),  BY_TEXT + REC_UPSTREAM },
    { TG_STR("server"),    BY_TEXT + REC_SERVER },
    { TG_STR("client"),    BY_TEXT + REC_CLIENT },
    { TG_STR("country"),   BY_TEXT + REC_COUNTRY },
    { TG_STR("node"),      BY_TEXT + REC_NODE },
    { TG_STR("source"),    BY_TEXT + REC_SOURCE },
    { TG_STR("tier"),      BY_TEXT + REC_TIER },
    { TG_STR("decision"),  BY_TEXT + REC_DECISION },
    { TG_STR("rule"),      BY_TEXT + REC_RULE },
    { TG_STR("status"),    BY_STATUS },
    { TG_STR("prefix"),    BY_TEXT + REC_PREFIX_HASH },
    { TG_STR("outcome"),   BY_OUTCOME }
};

/* The clocks of one zone around a time that was asked for. */
typedef struct {
    const tg_zone_t  *zone;
    int64_t           from, until;      /* seconds */
    int32_t           offset;
    bool              known;
} offset_t;

/* The hour that was asked for last, by one kind. */
typedef struct {
    int64_t  at;
    size_t   len;
    char     text[32];
} hour_t;


/* A field by its full name: its kind, or -1. */
static int
field_kind(tg_str_t name)
{
    for (unsigned i = 0; i < REC_TEXTS; i++) {
        if (tg_str_eq(name, record_text_name(i))) {
            return BY_TEXT + (int) i;
        }
    }

    for (unsigned i = 0; i < REC_NUMBERS; i++) {
        if (tg_str_eq(name, record_number_name(i))) {
            return BY_NUMBER + (int) i;
        }
    }

    for (unsigned i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
        if (tg_str_eq(name, flag_names[i])) {
            return BY_FLAG + (int) i;
        }
    }

    return -1;
}


bool
dimension_parse(dimension_t *d, const char *word)
{
    static const tg_str_t  tags[] = { TG_STR("tag:"), TG_STR("llm.tags.") };

    d->word = tg_strz(word);
    d->name = tg_str_null;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (tg_str_eq(words[i].word, d->word)) {
            d->kind = words[i].kind;
            return true;
        }
    }

    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (tg_str_starts(d->word, tags[i])) {
            d->kind = BY_TAG;
            d->name = tg_str_of(word + tags[i].len, d->word.len - tags[i].len);
            return d->name.len != 0;
        }
    }

    d->kind = field_kind(d->word);

    return d->kind >= 0;
}


bool
dimension_is_time(const dimension_t *d)
{
    return d->kind >= BY_HOUR && d->kind <= BY_MONTH;
}


void
dimension_want(const dimension_t *d, record_want_t *want)
{
    switch (d->kind) {

    case BY_HOUR:
    case BY_DAY:
    case BY_WEEK:
    case BY_MONTH:
        break;

    case BY_MODEL:
        record_want_text(want, REC_MODEL);
        record_want_text(want, REC_SENT_MODEL);
        record_want_text(want, REC_ASKED_MODEL);
        break;

    case BY_PROVIDER:
        record_want_text(want, REC_PROVIDER);
        record_want_text(want, REC_VENDOR);
        break;

    case BY_STATUS:
        record_want_number(want, REC_STATUS);
        break;

    case BY_OUTCOME:
        record_want_text(want, REC_OUTCOME_NAME);
        record_want_text(want, REC_OUTCOME);
        break;

    case BY_TAG:
        want->tags = true;

        /* these are fields of their own, if their tag is one of the roles */

        record_want_text(want, REC_TEAM);
        record_want_text(want, REC_USER);
        record_want_text(want, REC_ORG);
        record_want_text(want, REC_SESSION);
        record_want_text(want, REC_AGENT);
        break;

    default:
        if (d->kind < BY_NUMBER) {
            record_want_text(want, d->kind);
        } else if (d->kind < BY_FLAG) {
            record_want_number(want, d->kind - BY_NUMBER);
        }
    }
}


/* Seconds since 1970 as the zone's clocks show it. */
static int64_t
local_seconds(const tg_zone_t *zone, int64_t ms)
{
    static _Thread_local offset_t  c;

    int64_t  t = ms / 1000;

    if (zone == NULL) {
        return t;
    }

    if (!c.known || c.zone != zone || t < c.from || t >= c.until) {
        c.zone = zone;
        c.offset = tg_zone_offset(zone, t, &c.until);
        c.from = t;
        c.known = true;
    }

    return t + c.offset;
}


static size_t
format_hour(int kind, const struct tm *tm, char *to, size_t size)
{
    switch (kind) {
    case BY_HOUR:
        return strftime(to, size, "%Y-%m-%dT%H:00", tm);
    case BY_DAY:
        return strftime(to, size, "%Y-%m-%d", tm);
    case BY_WEEK:
        return strftime(to, size, "%G-W%V", tm);
    default:
        return strftime(to, size, "%Y-%m", tm);
    }
}


static tg_str_t
clock_text(int kind, const tg_zone_t *zone, int64_t ms, char *buf)
{
    static _Thread_local hour_t  hours[BY_MONTH - BY_HOUR + 1];

    hour_t    *last = &hours[kind - BY_HOUR];
    int64_t    hour = local_seconds(zone, ms) / 3600;
    time_t     t = (time_t) hour * 3600;
    struct tm  tm;

    if (last->len == 0 || last->at != hour) {
        if (gmtime_r(&t, &tm) == NULL) {
            return tg_str_null;
        }

        last->len = format_hour(kind, &tm, last->text, sizeof(last->text));
        last->at = hour;
    }

    memcpy(buf, last->text, last->len);

    return tg_str_of(buf, last->len);
}


static tg_str_t
tag_value(const record_t *r, tg_str_t name)
{
    static const struct {
        tg_str_t       name;
        record_text_t  text;
    } roles[] = {
        { TG_STR("team"),    REC_TEAM },
        { TG_STR("user"),    REC_USER },
        { TG_STR("org"),     REC_ORG },
        { TG_STR("session"), REC_SESSION },
        { TG_STR("agent"),   REC_AGENT }
    };

    for (unsigned i = 0; i < r->ntags; i++) {
        if (tg_str_eq(r->tags[i].name, name)) {
            return r->tags[i].value;
        }
    }

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (tg_str_eq(roles[i].name, name)) {
            return r->text[roles[i].text];
        }
    }

    return tg_str_null;
}


static tg_str_t
first_of(const record_t *r, record_text_t a, record_text_t b, record_text_t c)
{
    return r->text[a].len != 0 ? r->text[a]
           : r->text[b].len != 0 ? r->text[b] : r->text[c];
}


static tg_str_t
number_text(const record_t *r, unsigned number, char *buf)
{
    return record_has(r, number)
           ? tg_str_of(buf, (size_t) (tg_text_int(buf, r->number[number])
                                      - buf))
           : tg_str_null;
}


tg_str_t
dimension_value(const dimension_t *d, const record_t *r,
    const struct tg_zone_s *zone, char *buf)
{
    switch (d->kind) {

    case BY_HOUR:
    case BY_DAY:
    case BY_WEEK:
    case BY_MONTH:
        return clock_text(d->kind, zone, r->time, buf);

    case BY_MODEL:
        return first_of(r, REC_MODEL, REC_SENT_MODEL, REC_ASKED_MODEL);

    case BY_PROVIDER:
        return first_of(r, REC_PROVIDER, REC_VENDOR, REC_VENDOR);

    case BY_STATUS:
        return number_text(r, REC_STATUS, buf);

    case BY_OUTCOME:
        return first_of(r, REC_OUTCOME_NAME, REC_OUTCOME, REC_OUTCOME);

    case BY_TAG:
        return tag_value(r, d->name);

    default:
        if (d->kind < BY_NUMBER) {
            return r->text[d->kind];
        }

        if (d->kind < BY_FLAG) {
            return number_text(r, (unsigned) (d->kind - BY_NUMBER), buf);
        }

        return record_is(r, d->kind - BY_FLAG) ? tg_str("true") : tg_str_null;
    }
}
