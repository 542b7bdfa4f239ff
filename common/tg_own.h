/*
 * tg_own.h - what is answered here to whoever has a virtual key: llm_me, what it
 * has spent and is limited to, and llm_outcome, what came of a session.
 */

#ifndef TG_OWN_H
#define TG_OWN_H

#include "tg_id.h"
#include "tg_status_page.h"

#define TG_OWN_BODY_MAX  8192       /* of a request */
#define TG_OWN_TYPE      "application/json"

/* A request.  All strings are valid during the call. */
typedef struct {
    tg_str_t    method;
    tg_str_t  (*header)(void *req, tg_str_t name);  /* as tg_host_t's */
    void       *req;
    tg_str_t    client;             /* address */
    bool        long_body;          /* it has more than TG_OWN_BODY_MAX bytes */
    tg_str_t    body;
} tg_own_request_t;

#define TG_OWN_HEADERS_MAX  3

/* Its answer's head; the strings are static, and end in NUL. */
typedef struct {
    unsigned     status;
    unsigned     nheaders;
    tg_header_t  headers[TG_OWN_HEADERS_MAX];
} tg_own_answer_t;

/*
 * The caller's key, found where calls have theirs; NULL: out() has got the answer.
 * It lives as long as facts->roster.  TG_OWN_ME wants a GET, the other a POST.
 */
const tg_key_t *tg_own_key(const tg_status_facts_t *facts, tg_own_t own,
    const tg_own_request_t *rq, tg_own_answer_t *answer, tg_out_t out,
    void *data);

/* Refuses: an error of that status, type and message goes to out(). */
void tg_own_error(tg_own_answer_t *answer, unsigned status, const char *type,
    const char *message, tg_out_t out, void *data);

/* llm_me: tg_own_me.c. */
void tg_own_me(const tg_status_facts_t *facts, const tg_own_request_t *rq,
    tg_own_answer_t *answer, tg_out_t out, void *data);

/*
 * llm_outcome: tg_own_outcome.c.  What is to be logged; key and client live as
 * long as the roster and the request.
 */
#define TG_OUTCOME_NAME_MAX     64
#define TG_OUTCOME_SESSION_MAX  256

typedef struct {
    int64_t          wall_ms;
    char             id[TG_ID_LEN];
    char             session[TG_OUTCOME_SESSION_MAX];
    size_t           session_len;
    char             name[TG_OUTCOME_NAME_MAX];
    size_t           name_len;
    char             call_id[TG_ID_LEN];
    bool             of_call;       /* call_id is set */
    bool             valued;
    int64_t          value;         /* billionths */
    const tg_key_t  *key;
    tg_str_t         client;
    const tg_conf_t *conf;
} tg_own_outcome_t;

/* Once, for conf->outcome_paths. */
tg_json_paths_t *tg_own_outcome_paths(tg_mem_t *mem, tg_error_t *err);

/* True: it is to be logged, then answered with tg_own_outcome_done().  False:
 * out() has got the answer. */
bool tg_own_outcome(const tg_status_facts_t *facts, const tg_own_request_t *rq,
    tg_id_source_t *ids, tg_own_outcome_t *outcome, tg_own_answer_t *answer,
    tg_out_t out, void *data);

/* lines: how many places it was written to; none is an error. */
void tg_own_outcome_done(const tg_own_outcome_t *outcome, unsigned lines,
    tg_own_answer_t *answer, tg_out_t out, void *data);

#define TG_OUTCOME_LINE_MAX  20480

/* Its line with the newline, into buf of TG_OUTCOME_LINE_MAX bytes: docs/
 * costline.md.  Returns its length. */
size_t tg_own_outcome_line(const tg_own_outcome_t *outcome, char *buf,
    tg_log_format_t format);

#endif /* TG_OWN_H */
