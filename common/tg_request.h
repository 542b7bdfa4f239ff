/*
 * tg_request.h - what a call asks for, read from its body as it arrives.
 */

#ifndef TG_REQUEST_H
#define TG_REQUEST_H

#include "tg_dialect.h"
#include "tg_multipart.h"

/* Whether a text says a certain thing, or something else. */
typedef enum {
    TG_UNSAID = 0,
    TG_SAID_ELSE,
    TG_SAID_SO
} tg_said_t;

static inline tg_said_t
tg_said(bool so)
{
    return so ? TG_SAID_SO : TG_SAID_ELSE;
}

#define TG_REQUEST_ERROR_DUPLICATE  100     /* error codes beyond tg_json's */
#define TG_REQUEST_ERROR_MULTIPART  101
#define TG_REQUEST_ERROR_MEMORY     102
#define TG_REQUEST_ERROR_TYPE       103     /* model is not a string, ... */

/* A top-level member of the body, for edits; all offsets NOWHERE if absent. */
typedef struct {
    uint64_t  key, start, end;      /* as in tg_json_event_t */
    uint64_t  comma, next;
} tg_member_t;

/* The same in short, of which a call may have several. */
typedef struct {
    uint32_t  key, end;             /* key 0: absent */
    uint32_t  comma, next;          /* comma 0: it is the first */
} tg_member_place_t;

/* A value that says the largest number of tokens. */
typedef struct {
    uint64_t     start, end;        /* its bytes, a string's quotes included */
    int64_t      value;             /* 0 and less: no maximum */
    bool         completion;        /* of "max_completion_tokens" */
    tg_member_place_t   place;             /* where it is one that can be moved */
} tg_maximum_t;

#define TG_MAXIMA_MAX  2

#define TG_OTHER_MODELS_MAX  8      /* a call that names more is an error */

typedef struct {
    tg_str_t     model;             /* of the body, else of the path; in mem */
    unsigned     nothers;           /* models that may answer as well: */
    tg_str_t     others[TG_OTHER_MODELS_MAX];   /* fallbacks, advisors; in
                                                   mem */
    bool         stream;            /* the answer will be a stream */
    bool         include_usage;     /* stream_options.include_usage is true */
    bool         background;        /* OpenAI responses: background */
    bool         has_tools;
    bool         has_images;
    bool         has_audio;
    bool         has_schema;        /* asks for JSON by schema */
    int64_t      max_tokens;        /* whatever the API calls it; -1: absent */
    int64_t      n;                 /* answers asked for; 1 by default */
    int64_t      thinking_budget;   /* -1: absent */
    uint32_t     messages;          /* messages, turns or inputs */
    uint64_t     system_bytes;      /* text of system prompts */
    uint64_t     text_bytes;        /* text of all contents, system included */

    /* What the prompt has beside its text, and what it makes the provider do,
     * for tg_bound.h.  What is of no known kind is taken to be elsewhere. */

    bool         elsewhere;         /* refers to what is not in the body (files,
                                       earlier answers, stored prompts, cached
                                       content), or has documents or videos */
    int64_t      uses;              /* of server-side tools, in total: 0: there
                                       are none; -1: some, without a limit */
    uint32_t     pictures;          /* in the body or by URL */
    uint64_t     media_bytes;       /* of the body: pictures and sounds */
    uint64_t     sound_bytes;       /* of those: sounds */
    uint64_t     prediction_bytes;  /* a prediction's text, which is billed as
                                       output where it's wrong */
    uint64_t     query_bytes;       /* of a rerank's query */
    bool         own_prompt;        /* the provider may write something before
                                       the prompt; known at the end */
    tg_str_t     service_tier;      /* asked for; in mem */
    tg_said_t    fast;              /* Anthropic's speed */
    tg_said_t    us;                /* its inference_geo */
    tg_str_t     user;              /* the API's end-user field; in mem */
    tg_str_t     stream_options;    /* its raw text, empty if absent; in mem */
    bool         stream_options_cut;  /* too long to be kept */
    tg_member_t  model_member;
    tg_member_t  stream_options_member;
    unsigned     nmaxima;           /* above TG_MAXIMA_MAX: more than are kept,
                                       or one that is no number */
    tg_maximum_t maxima[TG_MAXIMA_MAX];
    tg_member_place_t  *params;            /* TG_PARAMS of them; NULL: there are none */
    bool         params_twice;      /* or they are not all known */
    bool         limits_cut;        /* limits: too long to be kept, no object,
                                       or there several times */
    tg_str_t     limits;            /* raw text of the object that the API has
                                       its maximum in, empty if absent; in
                                       mem */
    tg_member_t  limits_member;
    uint64_t     root_end;          /* offset of the root's closing brace */
    bool         root_empty;        /* the root object has no member */
    uint64_t     bytes;             /* of the whole body */
} tg_request_info_t;

/*
 * Extra top-level or nested fields the operator wants (llm_tag from=
 * metadata.session_id).  Compiled once at configuration time for all APIs.
 */
typedef struct tg_request_fields_s  tg_request_fields_t;

/* paths: JSON paths as in tg_json.h, n <= 32. NULL and *err on a bad path. */
tg_request_fields_t *tg_request_fields(tg_mem_t *mem, const tg_str_t *paths,
    size_t n, tg_error_t *err);

typedef struct tg_request_s  tg_request_t;

/*
 * d must outlive the request.
 * content_type and content_encoding: the headers' values, may be empty.
 * fields may be NULL; values[i] (may be NULL) receives field i's value, a copy
 * in mem: strings decoded, numbers and booleans as written, the first where
 * there are several.  NULL on exhaustion.
 */
tg_request_t *tg_request_create(tg_mem_t *mem, const tg_dialect_t *d,
    tg_str_t content_type, tg_str_t content_encoding,
    const tg_request_fields_t *fields, tg_str_t *values);

/*
 * Before the first piece: what calls of one application have in common, its system
 * prompt and its tools, is to be hashed under that key (TG_SIPHASH_KEY bytes).
 */
void tg_request_prefix(tg_request_t *r, const unsigned char *key);

/* After tg_request_finish(): false where there is neither, or the body was not
 * read. */
bool tg_request_prefix_hash(const tg_request_t *r, uint64_t *hash);

/*
 * Feeds a piece of the body.  TG_OK; TG_ERROR once the body is known to be
 * unusable (tg_request_error()); further feeds only count bytes then.  A body
 * that can't be inspected (compressed, of another content type, a form without
 * its boundary in it) is not an error: tg_request_inspected() is false and the
 * path is all that is known.  No body at all counts as inspected.
 */
int tg_request_feed(tg_request_t *r, const char *p, size_t n);

/* The body is complete.  TG_OK, or TG_ERROR as above. */
int tg_request_finish(tg_request_t *r);

const tg_request_info_t *tg_request_info(const tg_request_t *r);
const tg_error_t *tg_request_error(const tg_request_t *r);
bool tg_request_inspected(const tg_request_t *r);

/*
 * Where the body was read as JSON and is over: the scanner's memory, for another
 * use.  What is fed from now on is only counted.  Else NULL.
 */
tg_json_t *tg_request_scanner(tg_request_t *r);

#endif /* TG_REQUEST_H */
