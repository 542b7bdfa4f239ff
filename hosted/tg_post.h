/*
 * tg_post.h - a POST to somebody's webhook, as alerts and autoscalers' events
 * have it: its headers, its signature (Standard Webhooks 1.0), what its end
 * means, when it is tried again.
 */

#ifndef TG_POST_H
#define TG_POST_H

#include "tg_alert.h"

#include <curl/curl.h>

#define TG_POST_RETRY_MAX  (5 * 60 * 1000)
#define TG_POST_AFTER_MAX  (60 * 60 * 1000)     /* of a Retry-After */
#define TG_POST_ANSWER     65536        /* bytes of one, read to no use */

/* What an answer has come to; lives as long as the handle. */
typedef struct {
    size_t  answered;
} tg_post_answer_t;

/* A handle for target; ca_file: PEM, or NULL for the system's. Certificates are
 * looked at. NULL on exhaustion. */
CURL *tg_post_easy(const tg_conf_alert_t *target, const char *ca_file,
    tg_post_answer_t *answer);

/* Of this attempt, whose time is signed. NULL on exhaustion. */
struct curl_slist *tg_post_headers(const tg_conf_alert_t *target, tg_str_t id,
    tg_str_t body);

/* How it has ended.  status: of the answer; after_ms: its Retry-After or 0;
 * why: a few words, where it is to be tried again. */
tg_alert_verdict_t tg_post_ended(CURL *easy, CURLcode rc,
    const tg_post_answer_t *answer, long *status, int64_t *after_ms, char *why,
    size_t size);

/* Milliseconds until the next attempt, after so many failures in a row; *random
 * is any number. */
int64_t tg_post_wait(unsigned fails, int64_t first_ms, int64_t after_ms,
    uint64_t *random);

#endif /* TG_POST_H */
