/*
 * tg_dialect_int.h - the rows of the vendor and API tables, for the modules
 * that read requests and answers by them.  Private to the core.
 *
 * To add a vendor: a row in tg_vendor.c.  To add a shape: lists of JSON paths
 * and a row in the tg_api_*.c of its family.  To give a field a new meaning: an
 * id below, and its case in tg_request.c or tg_answer_read.c.
 */

#ifndef TG_DIALECT_INT_H
#define TG_DIALECT_INT_H

#include "tg_dialect.h"
#include "tg_suffix.h"

/* How a vendor's numbers differ from its shape's inventor's. */
enum {
    /* completion_tokens leaves reasoning_tokens out */
    TG_QUIRK_REASONING_APART = 0x01,
    /* reasoning is only told by total - prompt - completion */
    TG_QUIRK_REASONING_REST  = 0x02,
    /* prompt_tokens leaves audio_tokens out */
    TG_QUIRK_AUDIO_APART     = 0x04,
    /* not known who it is: see if the total tells what was left out */
    TG_QUIRK_BY_TOTAL        = 0x08,
    /* streams have usage unasked, or stream_options is refused */
    TG_QUIRK_USAGE_UNASKED   = 0x10,
    /* a prompt of its own, or of who is behind it, is before the client's */
    TG_QUIRK_OWN_PROMPT      = 0x20
};

struct tg_vendor_s {
    tg_str_t            name;       /* gen_ai.provider.name */
    const char         *aliases;    /* words, a blank between */
    const char         *hosts;      /* patterns of host names, likewise; '*'
                                       is any run, ":n" a port */
    unsigned            quirks;
};

/* The vendor behind an unknown host, told by the shape it speaks. */
typedef enum {
    TG_FAMILY_NONE = 0,
    TG_FAMILY_OPENAI,
    TG_FAMILY_ANTHROPIC,
    TG_FAMILY_GEMINI,
    TG_FAMILY_VERTEX,
    TG_FAMILY_BEDROCK,
    TG_FAMILY_COHERE,
    TG_FAMILY_MISTRAL,
    TG_FAMILY_OLLAMA,
    TG_FAMILY_TGI,
    TG_FAMILY_LLAMACPP,
    TG_FAMILY_WATSONX
} tg_family_t;

/* What is read from a request. */
typedef enum {
    TG_R_NONE = 0,
    TG_R_ROOT,
    TG_R_MODEL,
    TG_R_OTHER_MODEL,   /* one that the call may be answered by as well */
    TG_R_STREAM,
    TG_R_STREAM_OPTIONS,
    TG_R_INCLUDE_USAGE,
    TG_R_BACKGROUND,
    TG_R_MAX_TOKENS,
    TG_R_MAX_COMPLETION,    /* the same, by OpenAI's newer name */
    TG_R_LIMITS,        /* the object that the maximum is in, of APIs that have
                           one */
    TG_R_N,
    TG_R_THINKING,
    TG_R_CONVERSATION,  /* an element of a list of lists of messages */
    TG_R_MESSAGE,       /* an element of the list of messages or inputs */
    TG_R_ROLE,          /* of the message; "system" moves its text there */
    TG_R_TEXT,
    TG_R_SYSTEM,
    TG_R_INPUT,         /* one input that is a string: a message and text */
    TG_R_PART_TYPE,     /* type of a content part: image, audio */
    TG_R_PART,          /* a content part */
    TG_R_PART_ID,       /* of an input item: without a role or a type, it's all
                           that there is of it */
    TG_R_MIME,          /* MIME type of a content part */
    TG_R_URL,           /* a picture's, data: perhaps */
    TG_R_DATA,          /* base64 or a URL, of the kind that the part says */
    TG_R_FILE,          /* the part is a file that is not in the body, and is
                           not text unless it's a picture */
    TG_R_SEALED,        /* encrypted content of an item */
    TG_R_IMAGE,         /* each is a picture; its data, its URL, an object */
    TG_R_AUDIO,
    TG_R_MODALITY,      /* one that the answer may have */
    TG_R_ELSEWHERE,     /* the prompt has what is not in the body */
    TG_R_TOOL,
    TG_R_TOOL_TYPE,
    TG_R_DECLARED,      /* the tool is the client's own */
    TG_R_MAX_USES,      /* of the tool */
    TG_R_MAX_CALLS,     /* of all tools that the provider runs */
    TG_R_USES,          /* something that the provider runs is asked for */
    TG_R_STEP,          /* a string: "compact..." is a step of its own */
    TG_R_PREDICTION,
    TG_R_QUERY,         /* that each document is read with */
    TG_R_SCHEMA,        /* a schema is there */
    TG_R_FORMAT,        /* a string: "json_schema" */
    TG_R_TIER,
    TG_R_SPEED,         /* a string: "fast" */
    TG_R_GEO,           /* a string: "us" */
    TG_R_USER,
    TG_R_PARAM,         /* the first of tg_param_t, in their order */
    TG_R_PARAM_END = TG_R_PARAM + TG_PARAMS,
    TG_R_LAST = TG_R_PARAM_END
} tg_request_id_t;

/* What is read from an answer.  First the counters: see tg_usage_read.h. */
typedef enum {
    TG_A_NONE = 0,
    TG_A_INPUT,         /* all of the prompt */
    TG_A_FRESH,         /* the prompt without what was read from or written to
                           a cache */
    TG_A_OUTPUT,
    TG_A_START_OUTPUT,  /* output so far, as a stream begins */
    TG_A_TOTAL,
    TG_A_CACHE_READ,
    TG_A_CACHE_WRITE,
    TG_A_CACHE_5M,
    TG_A_CACHE_1H,
    TG_A_REASONING,
    TG_A_AUDIO_IN,
    TG_A_IMAGE_IN,
    TG_A_AUDIO_OUT,
    TG_A_IMAGE_OUT,
    TG_A_TOOL_INPUT,    /* prompt of tools, beside INPUT */
    TG_A_BILLED_INPUT,
    TG_A_BILLED_OUTPUT,
    TG_A_WEB_SEARCH,
    TG_A_WEB_FETCH,
    TG_A_SEARCH_UNITS,
    TG_A_IMAGES,
    TG_A_CHARACTERS,
    TG_A_PAGES,
    TG_A_SECONDS,       /* kept in milliseconds */
    TG_A_DURATION,      /* the same, said of the file rather than the bill */
    TG_A_COST,          /* dollars, kept in nano-dollars */
    TG_A_TICKS,         /* 1e-10 dollars, kept in nano-dollars */
    TG_A_METRIC_INPUT,  /* a gateway's counts beside the body: they hold where */
    TG_A_METRIC_OUTPUT, /* the body says nothing */
    TG_A_METRIC_READ,
    TG_A_METRIC_WRITE,
    TG_A_COUNTERS,      /* the number of the above, and one */

    TG_A_ADD_INPUT,     /* summed over the elements of an answer */
    TG_A_ADD_OUTPUT,
    TG_A_EACH_INPUT,    /* an element that is one token */
    TG_A_EACH_IMAGE,    /* an element that is one picture */

    TG_A_USAGE,         /* the container of a usage: null or an object */
    TG_A_MODAL_NAME,    /* of one element of a list of modalities */
    TG_A_MODAL_TOKENS,
    TG_A_MODAL_INPUT,   /* the element itself, ending */
    TG_A_MODAL_OUTPUT,
    TG_A_CACHE_TTL,     /* Bedrock's cacheDetails[] */
    TG_A_CACHE_TOKENS,
    TG_A_CACHE_DETAIL,

    TG_A_EXTRAS,        /* Anthropic's usage.iterations: the list, an element */
    TG_A_EXTRA,
    TG_A_EXTRA_TYPE,
    TG_A_EXTRA_MODEL,
    TG_A_EXTRA_INPUT,
    TG_A_EXTRA_READ,
    TG_A_EXTRA_WRITE,
    TG_A_EXTRA_5M,
    TG_A_EXTRA_1H,
    TG_A_EXTRA_OUTPUT,

    TG_A_MODEL,
    TG_A_ID,
    TG_A_TIER,
    TG_A_SPEED,         /* a string: "fast" */
    TG_A_GEO,           /* a string: "us" */
    TG_A_FINISH,
    TG_A_STATUS,        /* a state that the next one replaces */
    TG_A_REASON,        /* why the state is "incomplete" */
    TG_A_BLOCKED,       /* why the prompt was refused */
    TG_A_TEXT,
    TG_A_TOOL_NAME,     /* a string that each call of a tool has */
    TG_A_TOOL_TYPE,     /* a string: "tool_use", "function_call" */
    TG_A_TOOL,          /* an object: the call itself */
    TG_A_TYPE,          /* type of an event: its end is told by it */
    TG_A_DONE,          /* true at the end */
    TG_A_CHOICES,
    TG_A_CHOICE,
    TG_A_ERROR,
    TG_A_ERROR_TYPE,
    TG_A_ERROR_CODE,
    TG_A_ERROR_STATUS,
    TG_A_TOP_TYPE,      /* error words at the top, believed at 4xx and 5xx */
    TG_A_TOP_CODE,
    TG_A_BYTES          /* base64 of another document (Bedrock) */
} tg_answer_id_t;

/* How the usages of a stream's events make the call's. */
typedef enum {
    TG_MERGE_LAST = 0,  /* the last event that has any replaces what was */
    TG_MERGE_OVERRIDE,  /* member by member, the later */
    TG_MERGE_LARGEST,   /* member by member, the larger */
    TG_MERGE_SUM        /* each is a call of its own (batch results) */
} tg_merge_t;

enum {
    TG_API_JSON         = 0x0001,   /* requests have a JSON body */
    TG_API_MULTIPART    = 0x0002,   /* ... or a multipart one */
    TG_API_STREAMS      = 0x0004,   /* the path says that it streams */
    TG_API_STREAM_ARG   = 0x0008,   /* stream=true in the query does */
    TG_API_BY_DEFAULT   = 0x0010,   /* streams unless asked not to */
    TG_API_LINES        = 0x0020,   /* streams as lines of JSON */
    TG_API_ARRAY        = 0x0040,   /* streams as an array, unless as SSE */
    TG_API_OPTIONS      = 0x0080,   /* has stream_options.include_usage */
    TG_API_STATES       = 0x0100,   /* all states are kept, not just the last */
    TG_API_THOUGHTS     = 0x0200,   /* reasoning is beside output */
    TG_API_PATH_MODEL   = 0x0400,   /* the path's model, not the body's */
    TG_API_ESTIMATE     = 0x0800,   /* is billed by tokens: a guess is better
                                       than nothing */
    TG_API_WRAPPED      = 0x1000,   /* event stream frames with base64 */
    TG_API_TOTAL_ONLY   = 0x2000,   /* without a split, all is prompt */
    TG_API_STORED       = 0x4000,   /* the path names what the prompt begins
                                       with */
    TG_API_CATALOG      = 0x8000,   /* lists models, or tells of one */
    TG_API_PATH_PRICE   = 0x10000   /* the path's model is what is charged for,
                                       whatever the answer calls it */
};

#define TG_API_LISTS  6

struct tg_api_s {
    tg_str_t              name;
    tg_op_t               op;
    tg_shape_t            shape;
    tg_family_t           family;
    tg_merge_t            merge;
    unsigned              flags;
    unsigned              quirks;       /* of the vendor that apply here */
    const char           *methods;      /* "POST", "GET", "GET POST", ... */

    /*
     * Ends of paths, a blank between.  '/' parts segments; a segment is a word,
     * '*' (any one), or has '{glob}' for the model ('{}' is '{*}'), before
     * which and behind which there may be text; '{+}' is a model of one or
     * more segments.
     */
    const char           *paths;

    /* Lists of wants; each ends in a NULL path, the array in a NULL. */
    const tg_json_want_t *request[TG_API_LISTS];
    const tg_json_want_t *answer[TG_API_LISTS];
};

/* Rows of a family; the number of them goes to *n. */
const tg_api_t *tg_apis_openai(size_t *n);
const tg_api_t *tg_apis_anthropic(size_t *n);
const tg_api_t *tg_apis_google(size_t *n);
const tg_api_t *tg_apis_bedrock(size_t *n);
const tg_api_t *tg_apis_other(size_t *n);

/* Rows in all, in the order in which paths are tried; the last is unknown. */
#define TG_APIS_MAX  96

size_t tg_apis(void);
const tg_api_t *tg_api_at(size_t i);
size_t tg_api_index(const tg_api_t *api);

/* Compiled by tg_dialect_setup(). NULL for an API without wants. */
const tg_json_paths_t *tg_api_request_paths(const tg_api_t *api);
const tg_json_paths_t *tg_api_answer_paths(const tg_api_t *api);
const tg_json_paths_t *tg_wrapper_paths(void);

/* All wants of a list of lists in one array; the number, or -1 if over max. */
ptrdiff_t tg_wants_gather(const tg_json_want_t *const lists[TG_API_LISTS],
    tg_json_want_t *out, size_t max);

#define TG_WANTS_MAX  256

/* Lists that several families share. */
extern const tg_json_want_t  tg_want_error[];
extern const tg_json_want_t  tg_want_openai_usage[];
extern const tg_json_want_t  tg_want_openai_choices[];
extern const tg_json_want_t  tg_want_openai_head[];
extern const tg_json_want_t  tg_want_openai_request[];
extern const tg_json_want_t  tg_want_openai_messages[];
extern const tg_json_want_t  tg_want_inputs[];
extern const tg_json_want_t  tg_want_anthropic[];
extern const tg_json_want_t  tg_want_anthropic_usage[];
extern const tg_json_want_t  tg_want_anthropic_request[];
extern const tg_json_want_t  tg_want_converse_usage[];

/* Matches the end of a path against one pattern; *model is a slice of path, as
 * encoded there, untouched where the pattern has none.  The latter is for
 * patterns of words alone. */
bool tg_api_path_match(tg_str_t pattern, tg_str_t path, tg_str_t *model);
bool tg_api_path_ends(tg_str_t pattern, tg_str_t path);

/* Part of tg_dialect_setup(). */
int tg_vendors_setup(tg_mem_t *mem, tg_error_t *err);

/* The row that stands for a family's vendor behind an unknown host. */
const tg_vendor_t *tg_vendor_of_family(tg_family_t family);

#endif /* TG_DIALECT_INT_H */
