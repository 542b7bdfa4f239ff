/*
 * tg_dialect.h - which API a call speaks, and who is behind it, as tables.
 *
 * A vendor is who serves and bills (openai, azure.ai.openai, groq, a vLLM of
 * one's own); it is told by the upstream's host name or named by the operator.
 * An API is a shape of request and answer (OpenAI chat completions, Anthropic
 * messages, Bedrock Converse, ...); it is told by method and path.  A new
 * provider is a row in the vendor table; a new shape is a row in the API table
 * with its lists of JSON paths.
 */

#ifndef TG_DIALECT_H
#define TG_DIALECT_H

#include "tg_json.h"
#include "tg_usage.h"

/* gen_ai.operation.name: OpenTelemetry's words where it has one. */
typedef enum {
    TG_OP_UNKNOWN = 0,      /* "unknown" */
    TG_OP_CHAT,             /* "chat" */
    TG_OP_TEXT_COMPLETION,  /* "text_completion" */
    TG_OP_GENERATE_CONTENT, /* "generate_content" */
    TG_OP_EMBEDDINGS,       /* "embeddings" */
    TG_OP_RERANK,           /* "rerank" */
    TG_OP_MODERATION,       /* "moderation" */
    TG_OP_IMAGE,            /* "image_generation" */
    TG_OP_TRANSCRIPTION,    /* "transcription" */
    TG_OP_SPEECH,           /* "speech" */
    TG_OP_COUNT_TOKENS,     /* "count_tokens": answers a question, costs 0 */
    TG_OP_BATCH,            /* "batch": batch objects and result files */
    TG_OP_RETRIEVE,         /* "retrieve": GET /v1/responses/{id}: read again */
    TG_OP_CACHE,            /* "cache": Gemini cachedContents */
    TG_OP_MODELS            /* "models": lists of models, nothing is billed */
} tg_op_t;

/* The error shapes that official SDKs understand. */
typedef enum {
    TG_SHAPE_OPENAI = 0,    /* {"error":{"message","type","param","code"}} */
    TG_SHAPE_ANTHROPIC,     /* {"type":"error","error":{"type","message"}} */
    TG_SHAPE_GEMINI,        /* {"error":{"code","message","status"}} */
    TG_SHAPE_COHERE,        /* {"message"} */
    TG_SHAPE_OLLAMA,        /* {"error":"..."} */
    TG_SHAPE_BEDROCK        /* {"message"} and x-amzn-ErrorType */
} tg_shape_t;

/* Members of OpenAI's chat requests that some models do not take. */
typedef enum {
    TG_PARAM_TEMPERATURE = 0,
    TG_PARAM_TOP_P,
    TG_PARAM_PRESENCE_PENALTY,
    TG_PARAM_FREQUENCY_PENALTY,
    TG_PARAM_LOGPROBS,
    TG_PARAM_TOP_LOGPROBS,
    TG_PARAM_LOGIT_BIAS,
    TG_PARAM_REASONING_EFFORT,
    TG_PARAM_VERBOSITY,
    TG_PARAMS
} tg_param_t;

typedef struct tg_api_s     tg_api_t;       /* private: tg_api_*.c */
typedef struct tg_vendor_s  tg_vendor_t;    /* private: tg_vendor.c */

typedef struct {
    const tg_api_t     *api;        /* never NULL; the unknown API if need be */
    const tg_vendor_t  *vendor;     /* never NULL */
    tg_str_t            model;      /* from the path, in mem; or empty */
    bool                stream;     /* the path or query says that it streams */
} tg_dialect_t;

/*
 * Compiles the tables' JSON paths and checks the tables; before anything else
 * here.  mem must live as long as the process uses this module, or until the
 * next call of this has succeeded (where a configuration is read again).
 */
int tg_dialect_setup(tg_mem_t *mem, tg_error_t *err);

/*
 * Tells the dialect of a call.
 *   path    without the query, still percent-encoded
 *   args    the query without '?', may be empty
 *   host    the upstream's host name, port allowed, may be empty
 *   vendor  the operator's word for the vendor, or NULL
 * mem holds the decoded model.  The model of an ARN of a foundation model or an
 * inference profile is the name at its end.
 */
void tg_dialect_recognise(tg_dialect_t *d, tg_mem_t *mem, tg_str_t method,
    tg_str_t path, tg_str_t args, tg_str_t host, const tg_vendor_t *vendor);

/*
 * What of a call's path is the API's own, and what is before it because a server
 * or a gateway has it there.  False where the path is of no API, or memory is
 * exhausted.
 */
typedef struct {
    tg_str_t  path;             /* without runs of slashes and needless escapes; of
                                   mem, or as given */
    size_t    at;               /* the slash before the API's own segments; 0
                                   where it can't be told */
    tg_str_t  model;            /* a slice of path, as encoded there; or empty */
} tg_api_path_t;

bool tg_dialect_path(tg_api_path_t *own, tg_mem_t *mem, tg_str_t method,
    tg_str_t path);

/*
 * Of a path that is of no API as it is written: true where some server might read
 * it as one that is, by a call that costs something (escaped slashes, dot segments,
 * capitals, ...), or where it is too long to tell.
 */
bool tg_dialect_devious(tg_str_t method, tg_str_t path);

/*
 * The upstream has become known, or changed: sets d->vendor from the operator's
 * word, else the host, else what vendor's shape the API is.
 */
void tg_dialect_upstream(tg_dialect_t *d, tg_str_t host,
    const tg_vendor_t *vendor);

/* NULL where there is no such vendor. Accepts OpenTelemetry's name ("x_ai") and
 * everyday ones ("xai", "openai", "vllm", "azure", "bedrock", "gemini"). */
const tg_vendor_t *tg_vendor_by_name(tg_str_t name);
const tg_vendor_t *tg_vendor_by_host(tg_str_t host);     /* never NULL */

tg_str_t tg_vendor_name(const tg_vendor_t *v);   /* gen_ai.provider.name */
tg_str_t tg_vendor_names(void);     /* all of them, ", " between, for errors */

/*
 * True where a stream of this API from this vendor has usage only when the
 * request asks with stream_options.include_usage, and the vendor takes the
 * question.
 */
bool tg_dialect_wants_usage_option(const tg_dialect_t *d);

/*
 * Writes the JSON body of an error in a shape that the provider's SDKs read,
 * with the words of that provider for the HTTP status.  `code` is our own word
 * for what happened ("quota_exceeded"), given where the shape has a place for
 * it.  A message that does not fit is cut; any bytes in it give valid JSON.
 * Returns the length; 0 where cap is too small for an empty message (256 bytes
 * and the code's length always do).
 */
size_t tg_error_body(char *buf, size_t cap, tg_shape_t shape, unsigned status,
    tg_str_t code, tg_str_t message);

/* Bedrock's word for an HTTP status, for the header x-amzn-ErrorType. */
tg_str_t tg_error_aws_type(unsigned status);

tg_op_t    tg_api_op(const tg_api_t *api);
tg_str_t   tg_api_name(const tg_api_t *api);     /* "openai.chat", "unknown" */
tg_shape_t tg_api_shape(const tg_api_t *api);
tg_str_t   tg_op_name(tg_op_t op);

/* True of operations whose answer is text by the token. */
bool       tg_op_writes(tg_op_t op);

/* True where a request of this API carries a JSON / multipart body. */
bool tg_api_json(const tg_api_t *api);
bool tg_api_multipart(const tg_api_t *api);

/* True where the vendor may write something before the client's prompt. */
bool tg_vendor_own_prompt(const tg_vendor_t *v);

/* True where the path says the model, and the body need not. */
bool tg_api_path_model(const tg_api_t *api);

/* True where that model, rather than the answer's, is what is charged for. */
bool tg_api_path_price(const tg_api_t *api);

/* True where it lists models, or tells of the one that the path names. */
bool tg_api_catalog(const tg_api_t *api);

#endif /* TG_DIALECT_H */
