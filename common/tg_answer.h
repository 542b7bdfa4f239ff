/*
 * tg_answer.h - what came back, read from the answer as it goes by.
 *
 * The bytes are only looked at.  Framing is told from the content type, and
 * from the API where that is silent: JSON, server-sent events, NDJSON, a JSON
 * array of chunks, AWS event stream, multipart-free binary.  Never fails: what
 * can't be understood leaves the usage unreported.
 */

#ifndef TG_ANSWER_H
#define TG_ANSWER_H

#include "tg_request.h"

#define TG_ANSWER_FINISH_MAX  8     /* distinct finish reasons kept */

typedef struct {
    tg_str_t    model;              /* as answered; in mem; empty if silent */
    tg_str_t    id;
    tg_str_t    service_tier;
    tg_said_t   fast;               /* Anthropic's usage.speed */
    tg_said_t   us;                 /* its usage.inference_geo */
    tg_str_t    finish[TG_ANSWER_FINISH_MAX];   /* in order, without repeats, as
                                       the provider spells them; an OpenAI
                                       response's, batch's or interaction's
                                       state stands here too: "completed",
                                       "incomplete:max_output_tokens"; a prompt
                                       that Google refused: "PROMPT_SAFETY" */
    unsigned    nfinish;
    uint32_t    tool_calls;         /* calls of tools that the model asked for */
    tg_str_t    error_type;         /* the provider's own word, in mem:
                                       error.type, else error.code, else
                                       error.status; a number only where there
                                       is no word */
    bool        error;              /* the answer is, or contains, an error */
    bool        complete;           /* ended as its API ends an answer */
    bool        cut;                /* a usage counts though what it was in broke
                                       off, or went wrong, behind it */
    bool        stream;             /* came as a stream of events */
    uint64_t    bytes;              /* of the body as decoded */
    uint64_t    text_bytes;         /* generated text, for estimates */
    uint64_t    events;             /* of a stream */
    tg_usage_t  usage;              /* final after tg_answer_finish() */
} tg_answer_info_t;

/* A server-sent event has ended: for taking out what was asked for on the
 * client's behalf. */
typedef struct {
    uint64_t  start, end;           /* its range in the body, blank line included */
    bool      usage_only;           /* the usage chunk: "choices" is an empty
                                       array and "usage" an object */
    uint64_t  null_start, null_end; /* range to cut for a `"usage":null` member
                                       with one comma; NOWHERE if there is none */
} tg_answer_event_t;

typedef void (*tg_answer_event_handler_t)(void *data,
    const tg_answer_event_t *ev);

typedef struct tg_answer_s  tg_answer_t;

/*
 * status: the HTTP status; content_type: the header's value.  req may be NULL,
 * else it must outlive the answer.  NULL on exhaustion.  Takes about 2.5 KB of
 * mem (3.9 KB for Bedrock's InvokeModel streams) and, whatever the length of the
 * answer, not more than a few hundred bytes for its strings in any sane one and
 * 10 KB in any at all.
 */
tg_answer_t *tg_answer_create(tg_mem_t *mem, const tg_dialect_t *d,
    const tg_request_info_t *req, unsigned status, tg_str_t content_type);

/* The same in memory of tg_request_scanner(), where that is not NULL. */
tg_answer_t *tg_answer_create_with(tg_json_t *json, tg_mem_t *mem,
    const tg_dialect_t *d, const tg_request_info_t *req, unsigned status,
    tg_str_t content_type);

/* Response headers that may carry usage or the request's id (any header may be
 * given; case-insensitive). */
void tg_answer_header(tg_answer_t *a, tg_str_t name, tg_str_t value);

/* For tg_strip: called at each event's end, from within tg_answer_feed(). */
void tg_answer_on_event(tg_answer_t *a, tg_answer_event_handler_t handler,
    void *data);

void tg_answer_feed(tg_answer_t *a, const char *p, size_t n);

/*
 * No more is to come (complete or cut off).  Settles usage: reported where the
 * provider reported, else estimated from text_bytes and req->text_bytes where
 * the status is 2xx and the operation is billed by token, else none.
 */
void tg_answer_finish(tg_answer_t *a);

/*
 * After that: estimates anew what was estimated, by the bytes of text that 1000
 * tokens have in prompts and in answers; 0: not known, the estimate stays.
 */
void tg_answer_calibrate(tg_answer_t *a, int64_t prompt, int64_t answer);

/*
 * After that: what has been answered is said of a call that goes on elsewhere, and
 * what it uses is told, if at all, to who looks at it later.
 */
bool tg_answer_goes_on(const tg_answer_t *a);

/*
 * Its body, or the rest of it, can't be read: it is in a coding that nobody here
 * knows.  tg_answer_hidden(), once it is finished: what it has used is not known
 * for that reason, though it is billed.
 */
void tg_answer_hide(tg_answer_t *a);
bool tg_answer_hidden(const tg_answer_t *a);

const tg_answer_info_t *tg_answer_info(const tg_answer_t *a);

#endif /* TG_ANSWER_H */
