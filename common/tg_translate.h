/*
 * tg_translate.h - a call of one provider's API served by another's.
 *
 * The client speaks `from`, the upstream `to`: requests are translated one way,
 * answers the other.  docs/translation.md lists what becomes what, what is
 * refused and what is left out because it has no effect on the answer.
 */

#ifndef TG_TRANSLATE_H
#define TG_TRANSLATE_H

#include "tg_dialect.h"
#include "tg_error.h"
#include "tg_mem.h"
#include "tg_out.h"

typedef enum {
    TG_FORM_NONE = 0,
    TG_FORM_OPENAI_CHAT,        /* POST /v1/chat/completions */
    TG_FORM_ANTHROPIC,          /* POST /v1/messages */
    TG_FORM_GEMINI              /* POST .../models/{}:generateContent, and
                                   :streamGenerateContent?alt=sse */
} tg_form_t;

/* The form of an API's bodies; TG_FORM_NONE: can't be translated. */
tg_form_t tg_form_of(const tg_api_t *api);

/* Can a client's call of form `from` be served by an upstream of form `to`? */
bool tg_translates(tg_form_t from, tg_form_t to);

typedef struct {
    tg_form_t  from;            /* of the client */
    tg_form_t  to;              /* of the upstream */
    tg_str_t   model;           /* as the upstream calls it; not of JSON */
    int64_t    max_tokens;      /* to be sent; -1: as the body says */
    int64_t    default_output;  /* where the target needs a maximum and neither
                                   the body nor max_tokens has one */
    tg_str_t   limit_name;      /* what an OpenAI chat upstream calls the
                                   maximum; empty: "max_completion_tokens" */
    bool       ask_usage;       /* of a stream (to OpenAI chat) */
} tg_translate_t;

/* Codes of errors, beside those of tg_tree.h. */
enum {
    TG_TRANSLATE_E_MEMORY = 200,
    TG_TRANSLATE_E_PAIR,        /* tg_translates() is false */
    TG_TRANSLATE_E_INVALID,     /* not a request of its form */
    TG_TRANSLATE_E_REFUSED,     /* the target has nothing like it */
    TG_TRANSLATE_E_THREAD       /* ... and the client knows what to do then:
                                   Anthropic's SDKs go on without a thread */
};

/*
 * The request's body for the upstream: TG_OK and *out, in mem, or TG_ERROR.
 * The message then names the member by its path
 * ("messages[2].content[0].type") and says why; offset is the member's in the
 * body.  Nothing is dropped in silence: a member that is not known is an
 * error, too.  `body` may go once this has returned.
 */
int tg_translate_request(tg_mem_t *mem, const tg_translate_t *t, tg_str_t body,
    tg_str_t *out, tg_error_t *err);

typedef struct tg_translator_s  tg_translator_t;

/* What is asked of the translation of an answer. */
typedef struct {
    tg_form_t            from;          /* of the upstream */
    tg_form_t            to;            /* of the client */
    const tg_dialect_t  *upstream;      /* whose counts are read by its rules;
                                           NULL: the inventor of the form.  Not
                                           needed once created */
    unsigned             status;        /* the upstream's */
    tg_str_t             content_type;  /* the upstream's */
    bool                 stream;        /* the client asked for one */
    bool                 include_usage; /* and for its usage */
    tg_str_t             model;         /* asked for, where the answer names
                                           none */
    tg_str_t             id;            /* the call's */
    int64_t              created_s;     /* Unix time */
} tg_translator_ask_t;

/*
 * NULL on exhaustion, or where tg_translates(to, from) is false.  The strings of
 * *ask must live as long as the translator.  Takes about 5 KB of mem, and, for a
 * stream, a small multiple of its largest event; that may be
 * TG_TRANSLATOR_EVENT_MAX bytes.  An answer that is no stream is gathered first,
 * up to TG_TRANSLATOR_WHOLE_MAX bytes.
 */
#define TG_TRANSLATOR_EVENT_MAX  (1024 * 1024)
#define TG_TRANSLATOR_WHOLE_MAX  (32 * 1024 * 1024)

tg_translator_t *tg_translator_create(tg_mem_t *mem,
    const tg_translator_ask_t *ask);

/*
 * The answer's head for the client.  Of a stream it is known at once.  Of any other
 * answer the status is what the upstream's says, until tg_translator_end() has
 * found what can't be translated: then it is 502, or what the error in the answer
 * amounts to.  So where tg_translator_whole() is true the head should be held
 * back until the end; nothing of the body comes sooner.
 */
unsigned tg_translator_status(const tg_translator_t *t);
tg_str_t tg_translator_content_type(const tg_translator_t *t);
bool tg_translator_whole(const tg_translator_t *t);

/*
 * A piece of the upstream's answer, decoded.  Of streams each event goes out as
 * soon as it is complete; other answers at their end.  What can't be translated,
 * is too large, or is no answer, ends in an error of the client's shape that says
 * what it is; what comes behind it is passed over.  TG_ERROR only where out()
 * returned non-zero, or on exhaustion, then and ever after.
 */
int tg_translator_feed(tg_translator_t *t, const char *p, size_t n,
    tg_out_t out, void *data);

/*
 * No more is to come.  A stream that the upstream did not end as its form ends
 * one gets no end here either, but an error event.
 */
int tg_translator_end(tg_translator_t *t, tg_out_t out, void *data);

/* What could not be translated, or was wrong with the answer; NULL: nothing.  For
 * a log: the client has been told. */
const char *tg_translator_error(const tg_translator_t *t);

#endif /* TG_TRANSLATE_H */
