#include "tg_own.h"
#include "tg_key_presented.h"

#define TG_OWN_ERROR_MAX  1024


static void
tg_own_header(tg_own_answer_t *answer, tg_str_t name, tg_str_t value)
{
    answer->headers[answer->nheaders].name = name;
    answer->headers[answer->nheaders++].value = value;
}


void
tg_own_error(tg_own_answer_t *answer, unsigned status, const char *type,
    const char *message, tg_out_t out, void *data)
{
    char    buf[TG_OWN_ERROR_MAX];
    size_t  n;

    answer->status = status;
    n = tg_error_body(buf, sizeof(buf), TG_SHAPE_OPENAI, status, tg_strz(type),
                      tg_strz(message));
    (void) out(data, buf, n);
}


static const tg_key_t *
tg_own_unauthorized(tg_own_answer_t *answer, const char *why, tg_out_t out,
    void *data)
{
    tg_own_header(answer, tg_str("www-authenticate"), tg_str("Bearer"));
    tg_own_error(answer, 401, "invalid_api_key", why, out, data);

    return NULL;
}


static const tg_key_t *
tg_own_identify(const tg_status_facts_t *facts, const tg_own_request_t *rq,
    tg_own_answer_t *answer, tg_out_t out, void *data)
{
    tg_error_t          err;
    tg_key_found_t      found;
    tg_key_state_t      state;
    tg_key_presented_t  p;

    if (tg_key_presented(&p, rq->header, rq->req, tg_str_null, false, &err)
        != TG_OK)
    {
        return tg_own_unauthorized(answer, err.message, out, data);
    }

    if (p.carriers == 0) {
        return tg_own_unauthorized(answer, "no key is sent: send it as"
                                   " Authorization: Bearer, x-api-key,"
                                   " x-goog-api-key or api-key", out, data);
    }

    state = tg_keys_find(tg_roster_keys(facts->roster), p.secret,
                         facts->wall_ms, &found);
    tg_key_forget(&p);

    switch (state) {
    case TG_KEY_OK:
        return found.key;
    case TG_KEY_EXPIRED:
        return tg_own_unauthorized(answer, "this key has expired", out, data);
    case TG_KEY_DISABLED:
        return tg_own_unauthorized(answer, "this key is disabled", out, data);
    case TG_KEY_UNKNOWN:
        break;
    }

    return tg_own_unauthorized(answer, "this key is not known here", out,
                               data);
}


const tg_key_t *
tg_own_key(const tg_status_facts_t *facts, tg_own_t own,
    const tg_own_request_t *rq, tg_own_answer_t *answer, tg_out_t out,
    void *data)
{
    bool  get = tg_str_eq(rq->method, tg_str("GET"))
                || tg_str_eq(rq->method, tg_str("HEAD"));

    answer->nheaders = 0;
    tg_own_header(answer, tg_str("cache-control"), tg_str("no-store"));

    if (own == TG_OWN_ME ? !get : !tg_str_eq(rq->method, tg_str("POST"))) {
        tg_own_header(answer, tg_str("allow"),
                      own == TG_OWN_ME ? tg_str("GET, HEAD") : tg_str("POST"));
        tg_own_error(answer, 405, "method_not_allowed",
                     own == TG_OWN_ME ? "this is to be read with GET"
                                      : "an outcome is to be sent with POST",
                     out, data);
        return NULL;
    }

    if (facts->roster == NULL) {
        tg_own_error(answer, 503, "no_keys", "the keys are not loaded yet",
                     out, data);
        return NULL;
    }

    return tg_own_identify(facts, rq, answer, out, data);
}
