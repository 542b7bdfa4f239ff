#include "tg_dialect_int.h"
#include "tg_text.h"

typedef struct {
    unsigned     status;        /* this one and all above, until the next */
    const char  *openai;        /* error.type */
    const char  *anthropic;     /* https://docs.claude.com/en/api/errors */
    const char  *google;        /* google.rpc.Code */
    const char  *aws;
} tg_status_words_t;

static const tg_status_words_t  tg_status_table[] = {
    { 400, "invalid_request_error", "invalid_request_error",
      "INVALID_ARGUMENT", "ValidationException" },
    { 401, "invalid_request_error", "authentication_error",
      "UNAUTHENTICATED", "UnrecognizedClientException" },
    { 402, "insufficient_quota", "billing_error",
      "RESOURCE_EXHAUSTED", "ServiceQuotaExceededException" },
    { 403, "invalid_request_error", "permission_error",
      "PERMISSION_DENIED", "AccessDeniedException" },
    { 404, "invalid_request_error", "not_found_error",
      "NOT_FOUND", "ResourceNotFoundException" },
    { 405, "invalid_request_error", "invalid_request_error",
      "INVALID_ARGUMENT", "ValidationException" },
    { 409, "invalid_request_error", "invalid_request_error",
      "ABORTED", "ConflictException" },
    { 410, "invalid_request_error", "invalid_request_error",
      "INVALID_ARGUMENT", "ValidationException" },
    { 413, "invalid_request_error", "request_too_large",
      "INVALID_ARGUMENT", "ValidationException" },
    { 414, "invalid_request_error", "invalid_request_error",
      "INVALID_ARGUMENT", "ValidationException" },
    { 429, "rate_limit_error", "rate_limit_error",
      "RESOURCE_EXHAUSTED", "ThrottlingException" },
    { 430, "invalid_request_error", "invalid_request_error",
      "INVALID_ARGUMENT", "ValidationException" },
    { 500, "server_error", "api_error",
      "INTERNAL", "InternalServerException" },
    { 503, "server_error", "overloaded_error",
      "UNAVAILABLE", "ServiceUnavailableException" },
    { 504, "server_error", "timeout_error",
      "DEADLINE_EXCEEDED", "ModelTimeoutException" },
    { 505, "server_error", "api_error",
      "INTERNAL", "InternalServerException" },
    { 529, "server_error", "overloaded_error",
      "UNAVAILABLE", "ServiceUnavailableException" }
};


static const tg_status_words_t *
tg_status_words(unsigned status)
{
    size_t  i = sizeof(tg_status_table) / sizeof(tg_status_table[0]) - 1;

    while (i > 0 && tg_status_table[i].status > status) {
        i--;
    }

    return &tg_status_table[i];
}


tg_str_t
tg_error_aws_type(unsigned status)
{
    return tg_strz(tg_status_words(status)->aws);
}


static void
tg_error_head(tg_text_t *t, tg_shape_t shape, unsigned status)
{
    switch (shape) {

    case TG_SHAPE_OPENAI:
        tg_put_lit(t, "{\"error\":{\"message\":\"");
        break;

    case TG_SHAPE_ANTHROPIC:
        tg_put_lit(t, "{\"type\":\"error\",\"error\":{\"type\":\"");
        tg_put_str(t, tg_strz(tg_status_words(status)->anthropic));
        tg_put_lit(t, "\",\"message\":\"");
        break;

    case TG_SHAPE_GEMINI:
        tg_put_lit(t, "{\"error\":{\"code\":");
        tg_put_int(t, (int64_t) status);
        tg_put_lit(t, ",\"message\":\"");
        break;

    case TG_SHAPE_OLLAMA:
        tg_put_lit(t, "{\"error\":\"");
        break;

    case TG_SHAPE_COHERE:
    case TG_SHAPE_BEDROCK:
        tg_put_lit(t, "{\"message\":\"");
        break;
    }
}


static void
tg_error_tail(tg_text_t *t, tg_shape_t shape, unsigned status, tg_str_t code)
{
    const tg_status_words_t  *words = tg_status_words(status);

    switch (shape) {

    case TG_SHAPE_OPENAI:
        tg_put_lit(t, "\",\"type\":\"");
        tg_put_str(t, tg_strz(words->openai));
        tg_put_lit(t, "\",\"param\":null,\"code\":\"");
        tg_put_json(t, code, SIZE_MAX);
        tg_put_lit(t, "\"}}");
        break;

    case TG_SHAPE_ANTHROPIC:

        /* where its SDKs look for one */

        tg_put_lit(t, "\",\"details\":{\"error_code\":\"");
        tg_put_json(t, code, SIZE_MAX);
        tg_put_lit(t, "\"}}}");
        break;

    case TG_SHAPE_GEMINI:
        tg_put_lit(t, "\",\"status\":\"");
        tg_put_str(t, tg_strz(words->google));
        tg_put_lit(t, "\",\"details\":[{\"@type\":\"type.googleapis.com/"
                      "google.rpc.ErrorInfo\",\"reason\":\"");
        tg_put_json(t, code, SIZE_MAX);
        tg_put_lit(t, "\",\"domain\":\"tollgate\"}]}}");
        break;

    case TG_SHAPE_COHERE:
    case TG_SHAPE_OLLAMA:
        tg_put_lit(t, "\"}");
        break;

    case TG_SHAPE_BEDROCK:
        tg_put_lit(t, "\",\"__type\":\"");
        tg_put_str(t, tg_strz(words->aws));
        tg_put_lit(t, "\"}");
        break;
    }
}


size_t
tg_error_body(char *buf, size_t cap, tg_shape_t shape, unsigned status,
    tg_str_t code, tg_str_t message)
{
    char       tail[512];
    size_t     n;
    tg_text_t  t, end;

    tg_text_init(&end, tail, sizeof(tail));
    tg_error_tail(&end, shape, status, code);
    n = (size_t) (end.p - tail);

    tg_text_init(&t, buf, cap);
    tg_error_head(&t, shape, status);

    if (t.full || end.full || (size_t) (t.end - t.p) < n) {
        return 0;
    }

    tg_put_json(&t, message, (size_t) (t.end - t.p) - n);
    tg_put(&t, tail, n);

    return t.full ? 0 : (size_t) (t.p - buf);
}
