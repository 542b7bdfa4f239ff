#include "tg_translator_int.h"

#include <stdarg.h>
#include <stdio.h>

#define TG_MESSAGE_MAX  8192        /* bytes of an upstream's message */
#define TG_PLAIN_MAX    512         /* of one that is no JSON */

typedef struct {
    tg_str_t  word;
    unsigned  status;
} tg_error_word_t;

/*
 * What a provider calls an error, where there is no HTTP status: in a stream.
 * https://docs.claude.com/en/api/errors,
 * https://platform.openai.com/docs/guides/error-codes,
 * https://cloud.google.com/apis/design/errors
 */
static const tg_error_word_t  tg_error_words[] = {
    { TG_STR("invalid_request_error"), 400 },
    { TG_STR("authentication_error"), 401 },
    { TG_STR("invalid_api_key"), 401 },
    { TG_STR("billing_error"), 402 },
    { TG_STR("permission_error"), 403 },
    { TG_STR("not_found_error"), 404 },
    { TG_STR("model_not_found"), 404 },
    { TG_STR("request_too_large"), 413 },
    { TG_STR("rate_limit_error"), 429 },
    { TG_STR("rate_limit_exceeded"), 429 },
    { TG_STR("insufficient_quota"), 429 },
    { TG_STR("tokens"), 429 },
    { TG_STR("requests"), 429 },
    { TG_STR("api_error"), 500 },
    { TG_STR("server_error"), 500 },
    { TG_STR("timeout_error"), 504 },
    { TG_STR("overloaded_error"), 529 },
    { TG_STR("INVALID_ARGUMENT"), 400 },
    { TG_STR("FAILED_PRECONDITION"), 400 },
    { TG_STR("OUT_OF_RANGE"), 400 },
    { TG_STR("UNAUTHENTICATED"), 401 },
    { TG_STR("PERMISSION_DENIED"), 403 },
    { TG_STR("NOT_FOUND"), 404 },
    { TG_STR("RESOURCE_EXHAUSTED"), 429 },
    { TG_STR("INTERNAL"), 500 },
    { TG_STR("UNAVAILABLE"), 503 },
    { TG_STR("DEADLINE_EXCEEDED"), 504 }
};

/* error.code as OpenAI has it, which programs look at. */
static const tg_error_word_t  tg_error_codes[] = {
    { TG_STR("invalid_api_key"), 401 },
    { TG_STR("insufficient_quota"), 402 },
    { TG_STR("permission_denied"), 403 },
    { TG_STR("model_not_found"), 404 },
    { TG_STR("request_too_large"), 413 },
    { TG_STR("rate_limit_exceeded"), 429 }
};

/* In messages: the prompt is longer than the model takes. */
static const char *const  tg_error_too_long[] = {
    "*prompt is too long*", "*exceed context limit*",
    "*exceeds the maximum number of tokens*"
};


unsigned
tg_translator_client_status(const tg_translator_t *t, unsigned status)
{
    /* Anthropic's own number, that OpenAI does not have */

    return status == 529 && t->ask.to != TG_FORM_ANTHROPIC ? 503 : status;
}


static tg_str_t
tg_error_code(unsigned status, tg_str_t word, tg_str_t message)
{
    size_t  i;

    if (status == 400 || status == 413) {
        for (i = 0; i < sizeof(tg_error_too_long) / sizeof(char *); i++) {
            if (tg_str_match(message, tg_strz(tg_error_too_long[i]))) {
                return tg_str("context_length_exceeded");
            }
        }
    }

    for (i = 0; i < sizeof(tg_error_codes) / sizeof(tg_error_word_t); i++) {
        if (tg_error_codes[i].status == status) {
            return tg_error_codes[i].word;
        }
    }

    if (word.len == 0 || word.len > TG_STR_NAME_MAX) {
        return status >= 500 ? tg_str("server_error")
                             : tg_str("invalid_request_error");
    }

    return word;
}


/* Writes the error as the client's form has it; all is over then. */
static void
tg_translator_write_error(tg_translator_t *t, unsigned status, tg_str_t word,
    tg_str_t message)
{
    bool      openai = t->ask.to == TG_FORM_OPENAI_CHAT;
    char     *body;
    size_t    n, size;
    tg_str_t  code;

    if (message.len > TG_MESSAGE_MAX) {
        message.len = TG_MESSAGE_MAX;
    }

    status = tg_translator_client_status(t, status);
    code = tg_error_code(status, word, message);
    size = 512 + TG_STR_NAME_MAX + 6 * message.len;
    t->over = true;

    if (!t->stream) {
        t->status = status;
        tg_grow_cut(&t->out, 0);

    } else if (openai) {
        tg_grow_lit(&t->out, "data: ");

    } else {
        tg_grow_lit(&t->out, "event: error\ndata: ");
    }

    body = tg_grow_room(&t->out, size);

    if (body != NULL) {
        n = tg_error_body(body, size, openai ? TG_SHAPE_OPENAI
                                             : TG_SHAPE_ANTHROPIC,
                          status, code, message);
        t->out.len += n;
    }

    if (t->stream) {
        tg_grow_lit(&t->out, "\n\n");
    }
}


void
tg_translator_fail(tg_translator_t *t, const char *fmt, ...)
{
    va_list  args;

    if (t->err.code != 0) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(t->err.message, sizeof(t->err.message), fmt, args);
    va_end(args);

    t->err.code = TG_TRANSLATE_E_INVALID;
    tg_translator_write_error(t, 502, tg_str("upstream_error"),
                              tg_strz(t->err.message));
}


void
tg_translator_refuse(tg_translator_t *t, const tg_node_t *root,
    const tg_node_t *n)
{
    char       path[128];
    tg_str_t   type;

    if (t->err.code != 0) {
        return;
    }

    /* where what should be there is not, its event is named */

    n = n != NULL ? n : root;
    (void) tg_tree_path(root, n, path, sizeof(path));
    type = tg_node_inside_of(tg_node_get(n, tg_str("type")));

    tg_translator_fail(t, "%s%s%.*s%s of the upstream's answer can't be "
                       "translated", n == root ? "a part" : path,
                       type.len != 0 ? " (" : "",
                       (int) (type.len < 48 ? type.len : 48), type.p,
                       type.len != 0 ? ")" : "");
    t->err.code = TG_TRANSLATE_E_REFUSED;
}


static unsigned
tg_error_status(tg_str_t word)
{
    for (size_t i = 0; i < sizeof(tg_error_words) / sizeof(tg_error_word_t);
         i++)
    {
        if (tg_str_eq(word, tg_error_words[i].word)) {
            return tg_error_words[i].status;
        }
    }

    return 0;
}


/* An error object, or what stands for one, at HTTP status `status` (0: none). */
static void
tg_translator_tell(tg_translator_t *t, const tg_node_t *error,
    unsigned status)
{
    static const tg_str_t  words[] = {
        TG_STR("type"), TG_STR("code"), TG_STR("status")
    };

    const tg_node_t  *n = tg_node_get(error, tg_str("message"));
    int64_t           code;
    unsigned          found = 0;
    tg_str_t          word = tg_str(""), message = tg_str("");

    for (size_t i = 0; i < 3; i++) {
        const tg_node_t  *w = tg_node_get(error, words[i]);

        if (tg_node_int(w, &code) && code >= 400 && code < 600) {
            found = (unsigned) code;

        } else if (tg_node_inside_of(w).len != 0) {
            word = tg_node_inside_of(w);
            found = found != 0 ? found : tg_error_status(word);
        }
    }

    if (n == NULL || n->type != TG_JSON_STRING) {
        n = error->type == TG_JSON_STRING ? error
            : tg_node_get(error, tg_str("detail"));
    }

    if (n != NULL && n->type == TG_JSON_STRING) {
        message = tg_node_text(&t->scratch.mem, n);
    }

    if (message.len == 0) {
        message = tg_str("the upstream says that there was an error");
    }

    status = status != 0 ? status : found != 0 ? found : 500;

    if (t->err.code == 0) {
        (void) tg_error(&t->err, TG_TRANSLATE_E_INVALID, 0,
                        "error of the upstream: %.*s",
                        (int) (message.len < 160 ? message.len : 160),
                        message.p);
    }

    tg_translator_write_error(t, status, word, message);
}


/* The error in a document, or NULL. */
static const tg_node_t *
tg_error_in(const tg_node_t *root)
{
    const tg_node_t  *error = tg_node_get(root, tg_str("error"));

    if (error == NULL || error->type == TG_JSON_NULL) {
        error = tg_node_get(tg_node_get(root, tg_str("x_groq")),
                            tg_str("error"));
    }

    if (error != NULL
        && (error->type == TG_JSON_OBJECT
            || tg_node_inside_of(error).len != 0))
    {
        return error;
    }

    return tg_node_is(tg_node_get(root, tg_str("object")), tg_str("error"))
           || tg_node_is(tg_node_get(root, tg_str("type")), tg_str("error"))
           ? root : NULL;
}


bool
tg_translator_upstream_error(tg_translator_t *t, const tg_node_t *root,
    bool named)
{
    const tg_node_t  *error = tg_error_in(root);

    if (error == NULL && named) {
        error = root;
    }

    if (error == NULL) {
        return false;
    }

    tg_translator_tell(t, error, 0);

    return true;
}


/* A body that says something to people. */
static bool
tg_error_plain(tg_str_t body)
{
    if (body.len == 0 || body.p[0] == '<') {
        return false;
    }

    for (size_t i = 0; i < body.len && i < TG_PLAIN_MAX; i++) {
        if (body.p[i] == '\0') {
            return false;
        }
    }

    return true;
}


void
tg_translator_error_body(tg_translator_t *t, tg_str_t body)
{
    const tg_node_t  *root, *error;
    unsigned          status = t->ask.status;
    tg_str_t          message;
    char              buf[64];

    if (status < 400) {
        tg_translator_fail(t, "the upstream answered %u", status);
        return;
    }

    root = tg_tree_parse(&t->scratch.mem, body, NULL);

    if (root != NULL && root->type == TG_JSON_ARRAY && root->child != NULL) {
        root = root->child;
    }

    if (root != NULL && root->type == TG_JSON_OBJECT) {
        error = tg_error_in(root);
        tg_translator_tell(t, error != NULL ? error : root, status);

    } else {
        (void) snprintf(buf, sizeof(buf), "the upstream answered %u", status);
        message = tg_error_plain(body)
                  ? tg_str_of(body.p, body.len < TG_PLAIN_MAX
                                      ? body.len : TG_PLAIN_MAX)
                  : tg_strz(buf);
        (void) tg_error(&t->err, TG_TRANSLATE_E_INVALID, 0, "%s", buf);
        tg_translator_write_error(t, status, tg_str(""), message);
    }

    tg_scratch_reset(&t->scratch);
}
