/*
 * tg_when.h - what when= may say of a call: the symbols of tg_expr.h that
 * quotas, guards and routes share.
 *
 *     model provider operation path key user team org session agent client
 *     country prompt
 *     stream tools images audio json_schema
 *     input_tokens max_tokens messages body_bytes asn retries depth
 *     hour() weekday() used(quota) healthy(provider) saturated(provider)
 *     header("x-name") tag(name)
 *
 * input_tokens is the upper bound of tg_bound.h; max_tokens is not known where
 * the call does not say it.  hour() is 0 to 23 and weekday() one of "mon" ...
 * "sun", by the clocks of the ledger's time zone.  used(quota) is the share of
 * the quota's cap that this call's subject has used up, of several limits the
 * largest.  healthy(provider) is not true while its breaker is open, or where
 * the upstream module knows that none of its backends can be used.
 * saturated(provider) is what that module says, with its hysteresis, of the
 * upstream that the provider's url= names; not known where it looks after none
 * such.  retries is what the client's SDK says of the call, depth what its tag of that name
 * does, if that is a number.  prompt is all text of the prompt, decoded
 * (tg_prompt.h); it is read where an expression comes to it, and no sooner.  A
 * string that the call does not have is not known.
 */

#ifndef TG_WHEN_H
#define TG_WHEN_H

#include "tg_expr.h"
#include "tg_request.h"

typedef enum {
    TG_WHEN_MODEL = 0,
    TG_WHEN_PROVIDER,
    TG_WHEN_OPERATION,
    TG_WHEN_PATH,
    TG_WHEN_KEY,
    TG_WHEN_USER,
    TG_WHEN_TEAM,
    TG_WHEN_ORG,
    TG_WHEN_SESSION,
    TG_WHEN_AGENT,
    TG_WHEN_CLIENT,
    TG_WHEN_COUNTRY,                /* two letters, upper case */
    TG_WHEN_TEXTS,                  /* up to here: tg_when_t.text */

    TG_WHEN_STREAM = TG_WHEN_TEXTS,
    TG_WHEN_TOOLS,
    TG_WHEN_IMAGES,
    TG_WHEN_AUDIO,
    TG_WHEN_JSON_SCHEMA,
    TG_WHEN_INPUT_TOKENS,
    TG_WHEN_MAX_TOKENS,
    TG_WHEN_MESSAGES,
    TG_WHEN_BODY_BYTES,
    TG_WHEN_ASN,
    TG_WHEN_RETRIES,
    TG_WHEN_DEPTH,
    TG_WHEN_PROMPT,
    TG_WHEN_HOUR,
    TG_WHEN_WEEKDAY,
    TG_WHEN_USED,
    TG_WHEN_HEALTHY,
    TG_WHEN_SATURATED,
    TG_WHEN_HEADER,
    TG_WHEN_TAG,
    TG_WHEN_SYMBOLS
} tg_when_symbol_t;

extern const tg_expr_symbol_t  tg_when_symbols[TG_WHEN_SYMBOLS];

/* A call, for tg_when_get(). */
typedef struct {
    tg_str_t                  text[TG_WHEN_TEXTS];  /* empty: not known */
    const tg_request_info_t  *request;              /* NULL: not known */
    int64_t                   input_tokens;         /* -1: not known */
    int64_t                   asn;      /* 0 and less: not known */
    int64_t                   local_s;  /* seconds since 1970 on the clocks of
                                           the zone: now + tg_zone_offset() */

    /* Any may be NULL. Names of headers are in lower case; quota and provider
     * are what tg_expr_bind() gave their names, or 0. */
    tg_str_t                (*header)(void *data, tg_str_t name);
    tg_str_t                (*tag)(void *data, tg_str_t name);
    bool                    (*used)(void *data, uintptr_t quota,
                                    double *percent);
    bool                    (*healthy)(void *data, uintptr_t provider,
                                       bool *yes);
    bool                    (*saturated)(void *data, uintptr_t provider,
                                         bool *yes);
    bool                    (*prompt)(void *data, tg_str_t *text);
    void                     *data;
} tg_when_t;

/* TG_ERROR where the expression asks for an operation, a weekday, an hour or a
 * country that is none. */
int tg_when_check(const tg_expr_t *when, tg_error_t *err);

/* A tg_expr_get_t; data is a const tg_when_t *. */
bool tg_when_get(void *data, unsigned symbol, const tg_expr_value_t *args,
    tg_expr_value_t *value);

#endif /* TG_WHEN_H */
