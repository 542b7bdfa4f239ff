/*
 * tg_call.h - one call, from its request line to its cost line.
 *
 * The server feeds what it sees, in this order:
 *
 *     tg_call_create        method, path, upstream: what kind of call is it?
 *     tg_call_enter         who calls? a verdict
 *     tg_call_body ...      the request's body, in pieces
 *     tg_call_admit         may it go? a verdict, and what to change in it
 *     tg_call_hop           where to, in a location with llm_pass
 *     tg_call_sent          its first byte goes upstream
 *     tg_call_failed        it came to nothing there: where to now?
 *     tg_call_answer        status and headers of the answer
 *     tg_call_feed ...      the answer's body, in pieces; what to hand on
 *     tg_call_finish        it is over, for whatever reason: settled, once
 *     tg_call_line ...      its lines
 *     tg_call_free          gives back what is not of `mem`
 *
 * Each step may be missing: a call that is refused has no answer, one whose
 * client left has half of one.  tg_call_finish() settles whatever there is.
 * Nothing here waits, allocates outside `mem`, or fails a call: where memory is
 * exhausted the call passes unmetered and says so in its line.
 */

#ifndef TG_CALL_H
#define TG_CALL_H

#include "tg_alert.h"
#include "tg_answer.h"
#include "tg_conf.h"
#include "tg_gate.h"
#include "tg_http.h"
#include "tg_id.h"
#include "tg_out.h"
#include "tg_price.h"
#include "tg_text.h"

/* Both in one place, so that a test can stop time. */
typedef struct {
    int64_t  wall_ms;           /* since 1970, UTC */
    int64_t  mono_ns;           /* any origin, never runs backwards */
} tg_now_t;

/* What the core asks the server about the request at hand. */
typedef struct {
    /* A request header by its lower-case name; empty if absent. */
    tg_str_t  (*header)(void *req, tg_str_t name);

    /* A variable by the handle that the server put into its tg_source_t. */
    tg_str_t  (*variable)(void *req, uintptr_t handle);

    /*
     * The request's whole body in one piece, as it came, valid until the call's
     * end.  TG_ERROR where memory is exhausted or it can't be read.  Called from
     * within tg_call_admit(), _reply(), _failed() and _ask() only, and only for
     * what needs all of it at once.  May be NULL: nothing that does works then.
     */
    int       (*body)(void *req, tg_str_t *body);
} tg_host_t;

/* The strings must live as long as the call. */
typedef struct {
    tg_str_t  method;
    tg_str_t  path;             /* percent-encoded, without the query */
    tg_str_t  args;
    tg_str_t  upstream;         /* host of the upstream, empty if not known */
    tg_str_t  content_type;
    tg_str_t  content_encoding;
    tg_str_t  client;           /* address */
} tg_call_head_t;

typedef struct tg_call_s  tg_call_t;

/*
 * The first that is asked of `mem` for a call: enough for one with a body of
 * JSON and an answer of JSON or a stream of it.  A server may keep such pieces
 * for other calls, once nobody looks at this one.
 */
#define TG_CALL_CHUNK  (2960 + sizeof(tg_json_t))

/* NULL on exhaustion. */
tg_call_t *tg_call_create(tg_mem_t *mem, const tg_conf_t *conf,
    const tg_scope_t *scope, const tg_host_t *host, void *req,
    const tg_call_head_t *head, tg_id_source_t *ids, const tg_now_t *now);

/* The server's request, by which its upstream module knows the call
 * (tg_companion.h).  Without it that is not asked. */
void tg_call_request(tg_call_t *call, void *r);

/*
 * Drops the call's reference to its gate's roster; before its memory goes.
 * Twice is harmless.
 */
void tg_call_free(tg_call_t *call);

/* What to answer instead of handing the call on. */
#define TG_REFUSAL_HEADERS_MAX  16

typedef struct {
    unsigned     status;
    tg_str_t     body;          /* JSON, in the API's own shape */
    unsigned     nheaders;
    tg_header_t  headers[TG_REFUSAL_HEADERS_MAX];
} tg_refusal_t;

/*
 * Before the body is read: who calls, and may such an operation go?  TG_OK: go
 * on.  TG_ERROR: it is to be answered with *refusal, which lives as long as the
 * call; that need not be an error (a list of models, which is answered here).
 */
int tg_call_enter(tg_call_t *call, const tg_gate_t *gate,
    tg_refusal_t *refusal);

/* True where the request's body has to be read before tg_call_admit(). */
bool tg_call_wants_body(const tg_call_t *call);

/* A piece of the request's body.  Problems come out in tg_call_admit(). */
void tg_call_body(tg_call_t *call, const char *p, size_t n);

/*
 * The body is complete.  TG_OK: the call may go, with tg_call_edit() applied and
 * its credentials replaced (tg_call_credentials()).  TG_ERROR: it is to be
 * answered with *refusal, as above.  TG_AGAIN: other calls are in its way; it is
 * to be asked again in tg_call_wait() milliseconds, unless its client leaves
 * before.  TG_CALL_ASK, in a fleet: gate->message is to be carried to the
 * store, and its answer to tg_call_reply().
 */
#define TG_CALL_ASK  (-3)

int tg_call_admit(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal);
int64_t tg_call_wait(const tg_call_t *call);

/*
 * The answer to the message of TG_CALL_ASK, or that there is none.  Returns what
 * tg_call_admit() does, but for TG_CALL_ASK.
 */
int tg_call_reply(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    const tg_ledger_message_t *message, const tg_ledger_answer_t *answer,
    tg_refusal_t *refusal);

/*
 * After tg_call_enter(), in a location with llm_pass after tg_call_admit() (and
 * tg_call_failed()): true where what the request carries as credentials is
 * for here only.  Then none of tg_carrier_headers goes upstream, the query is
 * tg_call_args(), and *header, if its name is not empty, is added: the
 * provider's own key, for an upstream whose certificate is verified, and no
 * other.
 */
bool tg_call_credentials(const tg_call_t *call, tg_header_t *header);

/*
 * After tg_call_admit() said TG_OK: true where the request gets this header, in
 * place of any that it has of that name (llm_trace).
 */
bool tg_call_trace(const tg_call_t *call, tg_header_t *header);

/* Also of a call that was refused, for logs: the query without credentials. */
tg_str_t tg_call_args(const tg_call_t *call);

/*
 * After tg_call_admit() and tg_call_finish(): thresholds that were reached, one
 * at a time; false where there are no more.  See tg_alert.h.
 */
bool tg_call_alert(tg_call_t *call, tg_alert_t *alert);

/* The first byte is about to go upstream: what was held may be spent. */
void tg_call_sent(tg_call_t *call, const tg_gate_t *gate);

/*
 * How the body is to be changed, written so that a body in memory and one in a
 * file are changed alike: bytes are overwritten in place, and the end is
 * replaced.  So what goes to another length goes to the end of the root object
 * (a member as a whole: its old place is blanked), and what gets no longer, a
 * number that is lowered, stays where it is.
 */
typedef struct {
    uint64_t  start, end;       /* becomes `text`, then spaces */
    tg_str_t  text;             /* no longer than that; or empty */
} tg_edit_span_t;

typedef struct {
    unsigned               nspans;
    const tg_edit_span_t  *spans;       /* in order, apart; the call's */
    uint64_t               tail_at;     /* everything from here on is dropped
                                           ... */
    tg_str_t               tail;        /* ... and this put there */
} tg_edit_t;

/* NULL where the body goes as it came.  Where there is a tg_call_hop(), it is
 * that one's. */
const tg_edit_t *tg_call_edit(const tg_call_t *call);

/*
 * Where the call goes, where that is ours to say.  All strings are the call's or
 * the configuration's.
 */
#define TG_HOP_HEADERS_MAX  (TG_PROVIDER_HEADERS_MAX + 2)
#define TG_HOP_HIDDEN_MAX   8

typedef struct {
    const tg_provider_t  *provider;
    unsigned              index;        /* of it in conf->providers */
    tg_str_t              scheme;       /* "http", "https" */
    tg_str_t              authority;    /* host[:port]: the Host header; lower
                                           case */
    tg_str_t              path;         /* percent-encoded */
    tg_str_t              args;         /* without '?'; may be empty; without
                                           credentials that are not for there */
    const tg_edit_t      *edit;         /* of the body as it came, whatever an
                                           earlier hop made of it; but where it
                                           was edited in place, what earlier
                                           edits blanked may stay blank.
                                           NULL: as it came */
    bool                  whole;        /* `body` takes its place; edit is
                                           NULL */
    tg_str_t              body;
    unsigned              nheaders;     /* to be set, replacing the client's */
    tg_header_t           headers[TG_HOP_HEADERS_MAX];
    unsigned              nhidden;      /* the client's that are not for there,
                                           besides credentials */
    tg_str_t              hidden[TG_HOP_HIDDEN_MAX];        /* lower case */
} tg_hop_t;

/*
 * After tg_call_admit() said TG_OK, in a location with llm_pass; else NULL: where
 * the call goes is for the server's configuration to say.  It is another one after
 * tg_call_failed() said TG_OK.
 */
const tg_hop_t *tg_call_hop(const tg_call_t *call);

/*
 * What tg_companion_meter_t's ask() tells, of the call as it goes out next: after
 * tg_call_admit() said TG_OK.
 */
bool tg_call_ask(tg_call_t *call, const tg_gate_t *gate, bool prefixes,
    tg_balance_ask_t *ask);

/* What came of sending it. */
typedef enum {
    TG_FAIL_CONNECT = 0,        /* no connection; nothing was sent */
    TG_FAIL_TIMEOUT,            /* sent, and no answer in time */
    TG_FAIL_BROKEN,             /* sent, and no valid head of an answer */
    TG_FAIL_STATUS              /* an answer with this status */
} tg_fail_t;

/* Of an attempt without an answer.  sent: a byte of it went out.  late: time was
 * up. */
static inline tg_fail_t
tg_fail_seen(bool sent, bool late)
{
    return !sent ? TG_FAIL_CONNECT : late ? TG_FAIL_TIMEOUT : TG_FAIL_BROKEN;
}

/*
 * An attempt has failed, and nothing of an answer has gone to the client.  status
 * is of TG_FAIL_STATUS, retry_after the value of that header, if there is one.
 * TG_OK: the call is to be sent again, to what tg_call_hop() and
 * tg_call_credentials() say now; tg_call_sent() is to be told again.  TG_ERROR:
 * nothing is left to be tried, or it is no such failure: what came is the answer.
 */
int tg_call_failed(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_fail_t why, unsigned status, tg_str_t retry_after);

/* True where tg_call_failed() would say TG_OK; changes nothing. */
bool tg_call_falls_back(const tg_call_t *call, tg_fail_t why, unsigned status);

/* Of a call that was let through: what its answer is to say in headers of our
 * own, besides x-llm-request-id.  Returns how many; they are the call's. */
#define TG_SAYS_MAX  4

unsigned tg_call_says(const tg_call_t *call,
    tg_header_t headers[TG_SAYS_MAX]);

/* The upstream's host, where it became known only later or is another one now;
 * where there is a tg_call_hop(), its word holds.  attempts: how often the call
 * has been sent; 0: not known. */
void tg_call_upstream(tg_call_t *call, tg_str_t host, unsigned attempts);

/* The answer's head.  cached: a cache of the server answers. */
void tg_call_answer(tg_call_t *call, unsigned status, tg_str_t content_type,
    bool cached);
void tg_call_answer_header(tg_call_t *call, tg_str_t name, tg_str_t value);

/* Its body, or the rest of it, can't be read, and is not fed: where quotas hold
 * something for the call it comes to all of that. */
void tg_call_answer_hidden(tg_call_t *call);
bool tg_call_wants_headers(const tg_call_t *call);

/*
 * After tg_call_answer(): the answer's head as the client is to get it.  Both are
 * in and out; they change where the answer is translated.
 */
void tg_call_answer_head(const tg_call_t *call, unsigned *status,
    tg_str_t *content_type);

/*
 * In place of tg_call_answer(), where the server itself tells the client of a
 * failure: the upstream had the request, in part at least, and then fell silent
 * or broke off.  It may charge for the prompt: the line has an estimate.
 */
void tg_call_unanswered(tg_call_t *call);

/* True where the answer is a stream, which must not be gathered up. */
bool tg_call_streams(const tg_call_t *call);

/*
 * True where bytes have to be taken out of the answer: its length is unknown
 * then, and tg_call_filter() is to be used in place of tg_call_feed().
 */
bool tg_call_alters(const tg_call_t *call);

/*
 * After tg_call_answer(): true where nothing of the answer's body comes out before
 * tg_call_filter_end(), and where tg_call_answer_head() knows only then: the head
 * is to be held back.
 */
bool tg_call_gathers(const tg_call_t *call);

/* Of an answer that is packed in an unknown way: true where it can't be passed as
 * it is, and the client is to have an error instead. */
bool tg_call_must_read(const tg_call_t *call);

/* A piece of the answer's body, decoded. */
void tg_call_feed(tg_call_t *call, const char *p, size_t n,
    const tg_now_t *now);

/*
 * The same, and what the client is to get goes to out(), in order, in pieces that
 * are valid during the call.  TG_ERROR where out() returned non-zero.
 */
int tg_call_filter(tg_call_t *call, const char *p, size_t n,
    const tg_now_t *now, tg_out_t out, void *data);

/* At the end of the answer, before tg_call_finish(): what was held back. */
int tg_call_filter_end(tg_call_t *call, tg_out_t out, void *data);

/* How a call ended. */
typedef enum {
    TG_END_COMPLETE = 0,        /* the answer went out whole, or a refusal did */
    TG_END_CLIENT,              /* the client left */
    TG_END_UPSTREAM,            /* the upstream failed, or broke off */
    TG_END_SHUTDOWN             /* the server was stopped */
} tg_end_t;

/*
 * By what the server saw.  stopped: it ends what is under way, so that clients
 * seem to leave.  left: it noticed the client's leave, and went on or gave up for
 * it.  whole: the last byte of an answer has gone out.  cut: the client's
 * connection is broken.
 */
static inline tg_end_t
tg_end_seen(bool stopped, bool left, bool whole, bool cut)
{
    return stopped && !whole ? TG_END_SHUTDOWN
           : left ? TG_END_CLIENT : whole ? TG_END_COMPLETE
           : cut ? TG_END_CLIENT : TG_END_UPSTREAM;
}

/*
 * Settles: usage, price, cost, and what was held.  Only the first call does
 * anything.  status: what the client got; 0: nothing, which is logged as 499
 * where the client had left and as 500 else.
 */
void tg_call_finish(tg_call_t *call, tg_end_t end, unsigned status,
    const tg_gate_t *gate, const tg_now_t *now);

/*
 * True where the ledger keeps the finished call until its line is safe: then
 * tg_ledger_line_written() is to be told of *slot.
 */
bool tg_call_slot(const tg_call_t *call, tg_ledger_slot_t *slot);

bool tg_call_finished(const tg_call_t *call);

/* For the server's own variables and log; valid after tg_call_finish(), those
 * that are known earlier after tg_call_admit(). */
typedef enum {
    TG_VALUE_CALL_ID = 0,
    TG_VALUE_MODEL,             /* answered, else asked for */
    TG_VALUE_REQUEST_MODEL,
    TG_VALUE_PROVIDER,
    TG_VALUE_OPERATION,
    TG_VALUE_STREAM,            /* "1" or "0" */
    TG_VALUE_DECISION,
    TG_VALUE_ROUTE,             /* that took it */
    TG_VALUE_SENT_MODEL,        /* as it is asked for upstream */
    TG_VALUE_INPUT_TOKENS,
    TG_VALUE_CACHED_TOKENS,
    TG_VALUE_OUTPUT_TOKENS,
    TG_VALUE_REASONING_TOKENS,
    TG_VALUE_TOTAL_TOKENS,
    TG_VALUE_USAGE_SOURCE,
    TG_VALUE_COST_USD,
    TG_VALUE_FINISH_REASON,
    TG_VALUE_KEY_ID,
    TG_VALUE_RESPONSE_ID,       /* the provider's */
    TG_VALUE_ERROR_TYPE,        /* as in the line */
    TG_VALUE_MAX_TOKENS,        /* asked for */
    TG_VALUE_FIRST_CHUNK,       /* seconds to it */
    TG_VALUE_TRACE_ID,
    TG_VALUE_PREFIX_HASH,
    TG_VALUE_OVERHEAD,          /* microseconds */
    TG_VALUES
} tg_value_t;

/* "call_id", "model", ... */
extern const char *const  tg_value_names[TG_VALUES];

#define TG_VALUE_MAX  128

/*
 * False where it is not known (yet).  Numbers are written to buf, of
 * TG_VALUE_MAX bytes; other values alias the call.
 */
bool tg_call_value(const tg_call_t *call, tg_value_t v, char *buf,
    tg_str_t *out);

/* The value of tag i of the configuration, empty if it has none. */
tg_str_t tg_call_tag(const tg_call_t *call, unsigned i);

tg_str_t tg_call_id(const tg_call_t *call);

#define TG_LINE_MAX  32768      /* no line is longer, its newline included */

/*
 * After tg_call_finish(): how many lines the call has.  The last is the call's
 * own; those before it are of attempts that failed and may have cost something.
 */
unsigned tg_call_lines(const tg_call_t *call);

/*
 * Writes line i of them with its newline into buf, of TG_LINE_MAX bytes, and
 * returns its length.  Any byte in any value gives one valid line.
 */
size_t tg_call_line(const tg_call_t *call, unsigned i, char *buf,
    uint64_t seq, tg_log_format_t format);

#endif /* TG_CALL_H */
