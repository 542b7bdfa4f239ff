#include "tg_when.h"

#define TG_HEADER_NAME_MAX  128
#define TG_DAY_S            86400
#define TG_WEEK             7

/* The first of January 1970 was a Thursday. */
static const char  tg_when_days[TG_WEEK][4] = {
    "thu", "fri", "sat", "sun", "mon", "tue", "wed"
};

#define TEXT(name)    { name, TG_EXPR_STRING, false, 0, { 0, 0 } }
#define BOOL(name)    { name, TG_EXPR_BOOL, false, 0, { 0, 0 } }
#define NUMBER(name)  { name, TG_EXPR_NUMBER, false, 0, { 0, 0 } }

const tg_expr_symbol_t  tg_when_symbols[TG_WHEN_SYMBOLS] = {
    [TG_WHEN_MODEL]        = TEXT("model"),
    [TG_WHEN_PROVIDER]     = TEXT("provider"),
    [TG_WHEN_OPERATION]    = TEXT("operation"),
    [TG_WHEN_PATH]         = TEXT("path"),
    [TG_WHEN_KEY]          = TEXT("key"),
    [TG_WHEN_USER]         = TEXT("user"),
    [TG_WHEN_TEAM]         = TEXT("team"),
    [TG_WHEN_ORG]          = TEXT("org"),
    [TG_WHEN_SESSION]      = TEXT("session"),
    [TG_WHEN_AGENT]        = TEXT("agent"),
    [TG_WHEN_CLIENT]       = TEXT("client"),
    [TG_WHEN_COUNTRY]      = TEXT("country"),
    [TG_WHEN_STREAM]       = BOOL("stream"),
    [TG_WHEN_TOOLS]        = BOOL("tools"),
    [TG_WHEN_IMAGES]       = BOOL("images"),
    [TG_WHEN_AUDIO]        = BOOL("audio"),
    [TG_WHEN_JSON_SCHEMA]  = BOOL("json_schema"),
    [TG_WHEN_INPUT_TOKENS] = NUMBER("input_tokens"),
    [TG_WHEN_MAX_TOKENS]   = NUMBER("max_tokens"),
    [TG_WHEN_MESSAGES]     = NUMBER("messages"),
    [TG_WHEN_BODY_BYTES]   = { "body_bytes", TG_EXPR_SIZE, false, 0, { 0, 0 } },
    [TG_WHEN_ASN]          = NUMBER("asn"),
    [TG_WHEN_RETRIES]      = NUMBER("retries"),
    [TG_WHEN_DEPTH]        = NUMBER("depth"),
    [TG_WHEN_PROMPT]       = TEXT("prompt"),
    [TG_WHEN_HOUR]         = { "hour", TG_EXPR_NUMBER, true, 0, { 0, 0 } },
    [TG_WHEN_WEEKDAY]      = { "weekday", TG_EXPR_STRING, true, 0, { 0, 0 } },
    [TG_WHEN_USED]         = { "used", TG_EXPR_PERCENT, true, 1,
                               { TG_EXPR_NAME, 0 } },
    [TG_WHEN_HEALTHY]      = { "healthy", TG_EXPR_BOOL, true, 1,
                               { TG_EXPR_NAME, 0 } },
    [TG_WHEN_SATURATED]    = { "saturated", TG_EXPR_BOOL, true, 1,
                               { TG_EXPR_NAME, 0 } },
    [TG_WHEN_HEADER]       = { "header", TG_EXPR_STRING, true, 1,
                               { TG_EXPR_STRING, 0 } },
    [TG_WHEN_TAG]          = { "tag", TG_EXPR_STRING, true, 1,
                               { TG_EXPR_NAME, 0 } }
};


static const char *
tg_when_operation(void *data, const tg_expr_value_t *literal)
{
    (void) data;

    for (int op = TG_OP_UNKNOWN; op <= TG_OP_MODELS; op++) {
        if (tg_str_eq(literal->s, tg_op_name((tg_op_t) op))) {
            return NULL;
        }
    }

    return "no operation is called so (docs/costline.md)";
}


static const char *
tg_when_weekday(void *data, const tg_expr_value_t *literal)
{
    (void) data;

    for (unsigned i = 0; i < TG_WEEK; i++) {
        if (tg_str_eq(literal->s, tg_strz(tg_when_days[i]))) {
            return NULL;
        }
    }

    return "a weekday is one of mon, tue, wed, thu, fri, sat, sun";
}


static const char *
tg_when_hour(void *data, const tg_expr_value_t *literal)
{
    (void) data;

    for (int h = 0; h < 24; h++) {
        if (literal->n == h) {
            return NULL;
        }
    }

    return "an hour is a whole number from 0 to 23";
}


static const char *
tg_when_country(void *data, const tg_expr_value_t *literal)
{
    tg_str_t  s = literal->s;

    (void) data;

    if (s.len == 0) {
        return NULL;            /* country != '': it is known */
    }

    return s.len == 2 && s.p[0] >= 'A' && s.p[0] <= 'Z' && s.p[1] >= 'A'
           && s.p[1] <= 'Z' ? NULL
           : "a country is two capital letters, such as DE";
}


int
tg_when_check(const tg_expr_t *when, tg_error_t *err)
{
    static const struct {
        tg_when_symbol_t     symbol;
        tg_expr_compared_t   wrong;
    } known[] = {
        { TG_WHEN_OPERATION, tg_when_operation },
        { TG_WHEN_WEEKDAY, tg_when_weekday },
        { TG_WHEN_HOUR, tg_when_hour },
        { TG_WHEN_COUNTRY, tg_when_country }
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (tg_expr_compared(when, known[i].symbol, known[i].wrong, NULL, err)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static bool
tg_when_text(tg_str_t s, tg_expr_value_t *value)
{
    value->s = s;

    return s.len != 0;
}


static bool
tg_when_header(const tg_when_t *w, tg_str_t name, tg_expr_value_t *value)
{
    char  lower[TG_HEADER_NAME_MAX];

    if (w->header == NULL || name.len > sizeof(lower)) {
        return false;
    }

    for (size_t i = 0; i < name.len; i++) {
        lower[i] = tg_lower(name.p[i]);
    }

    return tg_when_text(w->header(w->data, tg_str_of(lower, name.len)), value);
}


static bool
tg_when_count(tg_str_t s, tg_expr_value_t *value)
{
    int64_t  n = s.len == 0 ? -1 : tg_str_int(s);

    value->n = (double) n;

    return n >= 0;
}


/* What the call says of itself. */
static bool
tg_when_said(const tg_when_t *w, unsigned symbol, tg_expr_value_t *value)
{
    if (symbol == TG_WHEN_RETRIES) {
        return w->header != NULL
               && tg_when_count(w->header(w->data,
                                          tg_str("x-stainless-retry-count")),
                                value);
    }

    return w->tag != NULL
           && tg_when_count(w->tag(w->data, tg_str("depth")), value);
}


static bool
tg_when_clock(const tg_when_t *w, unsigned symbol, tg_expr_value_t *value)
{
    int64_t  day = w->local_s / TG_DAY_S, rest = w->local_s % TG_DAY_S;
    int64_t  since;

    if (rest < 0) {
        rest += TG_DAY_S;
        day--;
    }

    if (symbol == TG_WHEN_HOUR) {
        value->n = (double) (rest / 3600);
        return true;
    }

    since = (day % TG_WEEK + TG_WEEK) % TG_WEEK;

    return tg_when_text(tg_strz(tg_when_days[since]), value);
}


static bool
tg_when_request(const tg_request_info_t *r, unsigned symbol,
    tg_expr_value_t *value)
{
    if (r == NULL) {
        return false;
    }

    switch (symbol) {
    case TG_WHEN_STREAM:      value->b = r->stream; return true;
    case TG_WHEN_TOOLS:       value->b = r->has_tools; return true;
    case TG_WHEN_IMAGES:      value->b = r->has_images; return true;
    case TG_WHEN_AUDIO:       value->b = r->has_audio; return true;
    case TG_WHEN_JSON_SCHEMA: value->b = r->has_schema; return true;
    case TG_WHEN_MAX_TOKENS:
        value->n = (double) r->max_tokens;
        return r->max_tokens >= 0;
    case TG_WHEN_MESSAGES:    value->n = r->messages; return true;
    default:                  value->n = (double) r->bytes; return true;
    }
}


bool
tg_when_get(void *data, unsigned symbol, const tg_expr_value_t *args,
    tg_expr_value_t *value)
{
    const tg_when_t  *w = data;

    if (symbol < TG_WHEN_TEXTS) {
        return tg_when_text(w->text[symbol], value);
    }

    switch (symbol) {

    case TG_WHEN_INPUT_TOKENS:
        value->n = (double) w->input_tokens;
        return w->input_tokens >= 0;

    case TG_WHEN_ASN:
        value->n = (double) w->asn;
        return w->asn > 0;

    case TG_WHEN_RETRIES:
    case TG_WHEN_DEPTH:
        return tg_when_said(w, symbol, value);

    case TG_WHEN_PROMPT:
        return w->prompt != NULL && w->prompt(w->data, &value->s);

    case TG_WHEN_HEALTHY:
        return w->healthy != NULL
               && w->healthy(w->data, args[0].handle, &value->b);

    case TG_WHEN_SATURATED:
        return w->saturated != NULL
               && w->saturated(w->data, args[0].handle, &value->b);

    case TG_WHEN_HOUR:
    case TG_WHEN_WEEKDAY:
        return tg_when_clock(w, symbol, value);

    case TG_WHEN_USED:
        return w->used != NULL && w->used(w->data, args[0].handle, &value->n);

    case TG_WHEN_HEADER:
        return tg_when_header(w, args[0].s, value);

    case TG_WHEN_TAG:
        return w->tag != NULL
               && tg_when_text(w->tag(w->data, args[0].s), value);

    default:
        return tg_when_request(w->request, symbol, value);
    }
}
