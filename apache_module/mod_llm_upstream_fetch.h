/*
 * GETs of checks: over sockets of ours where it is plain HTTP to an address,
 * which is most of them and what many of them cost; else with libcurl.  Each is
 * asked for again and again over the same connection, as long as it is kept.
 */

#ifndef MOD_LLM_UPSTREAM_FETCH_H
#define MOD_LLM_UPSTREAM_FETCH_H

#include "mod_llm_upstream_socket.h"

#include <curl/curl.h>

/* Pieces of the body. False: that is enough of it. */
typedef bool (*llm_up_body_pt)(void *data, const char *p, size_t n);

/* Strings are copied. */
typedef struct {
    const char      *url;
    const char      *host;              /* for Host; NULL: the url's */
    const char      *connect;           /* host:port instead of the url's, or
                                           NULL */
    const char      *socket;            /* a file, or NULL */
    const char      *accept;            /* or NULL */
    uint32_t         connect_ms;
    uint32_t         timeout_ms;        /* of all of it */
    llm_up_body_pt   body;
    void            *data;              /* also of llm_up_fetch_done() */

    /* the same url's in plain HTTP, which may do without libcurl */
    const char      *address;           /* to connect to; NULL: may not */
    uint16_t         port;
    tg_str_t         path;
} llm_up_fetch_conf_t;

typedef struct {
    llm_up_socket_t    *plain;          /* NULL: with libcurl */
    CURL               *easy;           /* NULL: not open */
    struct curl_slist  *headers;
    struct curl_slist  *connect;
    bool                busy;
    bool                enough;
    llm_up_body_pt      body;
    void               *data;
    char                error[CURL_ERROR_SIZE];
} llm_up_fetch_t;

/* What one thread has under way. */
typedef struct {
    CURLM              *multi;
    llm_up_fetch_t    **busy;           /* over sockets */
    struct curl_waitfd *fds;            /* of those */
    unsigned            nbusy;
} llm_up_fetches_t;

/* Room for n at a time. multi is the caller's.  False on exhaustion. */
bool llm_up_fetches_open(llm_up_fetches_t *fs, unsigned n);

/* Goes on with all of them, and waits for one until then, or until
 * curl_multi_wakeup(). */
void llm_up_fetches_wait(llm_up_fetches_t *fs, int64_t until);

void llm_up_fetches_close(llm_up_fetches_t *fs);

/* False on exhaustion. */
bool llm_up_fetch_open(llm_up_fetch_t *f, const llm_up_fetch_conf_t *conf);
bool llm_up_fetch_start(llm_up_fetch_t *f, llm_up_fetches_t *fs, int64_t now);

/* The next that is over, or NULL: its data. status: of its answer; 0: there was
 * none, and *why says so, until it is started again. */
void *llm_up_fetch_done(llm_up_fetches_t *fs, unsigned *status,
    const char **why);

void llm_up_fetch_close(llm_up_fetch_t *f, CURLM *multi);

#endif /* MOD_LLM_UPSTREAM_FETCH_H */
