/*
 * One GET of a check, with libcurl: asked for again and again over the same
 * connection, as long as it is kept.  Nothing here waits.
 */

#ifndef MOD_LLM_UPSTREAM_FETCH_H
#define MOD_LLM_UPSTREAM_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

/* Pieces of the body. False: that is enough of it. */
typedef bool (*llm_up_body_pt)(void *data, const char *p, size_t n);

/* Strings are copied. */
typedef struct {
    const char      *url;
    const char      *host;              /* for Host and TLS; NULL: the url's */
    const char      *connect;           /* host:port instead of the url's, or
                                           NULL */
    const char      *socket;            /* a file, or NULL */
    const char      *accept;            /* or NULL */
    uint32_t         connect_ms;
    uint32_t         timeout_ms;        /* of all of it */
    llm_up_body_pt   body;
    void            *data;              /* also of llm_up_fetch_done() */
} llm_up_fetch_conf_t;

typedef struct {
    CURL               *easy;           /* NULL: not open */
    struct curl_slist  *headers;
    struct curl_slist  *connect;
    bool                busy;
    bool                enough;
    llm_up_body_pt      body;
    void               *data;
    char                error[CURL_ERROR_SIZE];
} llm_up_fetch_t;

/* False on exhaustion. */
bool llm_up_fetch_open(llm_up_fetch_t *f, const llm_up_fetch_conf_t *conf);
bool llm_up_fetch_start(llm_up_fetch_t *f, CURLM *multi);

/* The next that is over, or NULL: its data. status: of its answer; 0: there was
 * none, and *why says so, until it is started again. */
void *llm_up_fetch_done(CURLM *multi, unsigned *status, const char **why);

void llm_up_fetch_close(llm_up_fetch_t *f, CURLM *multi);

#endif /* MOD_LLM_UPSTREAM_FETCH_H */
