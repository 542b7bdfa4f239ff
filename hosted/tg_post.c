#include "tg_post.h"
#include "tg_text.h"

#include <stdio.h>
#include <time.h>

#define TG_POST_CONNECT_MS  5000
#define TG_POST_AGENT       "Tollgate"


/* Its contents are of no use, but have to be read for the connection to be used
 * again; up to a point. */
static size_t
tg_post_read(char *p, size_t size, size_t n, void *data)
{
    tg_post_answer_t  *answer = data;

    (void) p;
    answer->answered += size * n;

    return answer->answered > TG_POST_ANSWER ? 0 : size * n;
}


CURL *
tg_post_easy(const tg_conf_alert_t *target, const char *ca_file,
    tg_post_answer_t *answer)
{
    long   timeout = (long) target->timeout_ms;
    CURL  *easy = curl_easy_init();

    if (easy == NULL) {
        return NULL;
    }

    (void) curl_easy_setopt(easy, CURLOPT_URL, target->url.p);
    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            (long) CURL_HTTP_VERSION_1_1);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void) curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                            (long) CURL_SSLVERSION_TLSv1_2);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            timeout < TG_POST_CONNECT_MS
                            ? timeout : TG_POST_CONNECT_MS);

    /* Not of the environment, which nginx empties and httpd does not. */
    (void) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);

    /* Not to wait for a name server when it is to stop. */
    (void) curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);

    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT, TG_POST_AGENT);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, tg_post_read);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);

    if (ca_file != NULL) {
        (void) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    }

    return easy;
}


/* *list grows by a line; false on exhaustion. */
static bool
tg_post_header(struct curl_slist **list, const char *name, tg_str_t value)
{
    char                line[TG_ALERT_SIGNATURES_MAX + 64];
    struct curl_slist  *longer;

    (void) snprintf(line, sizeof(line), "%s: %.*s", name, (int) value.len,
                    value.p);

    longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        return false;
    }

    *list = longer;

    return true;
}


static bool
tg_post_sign(const tg_conf_alert_t *target, tg_str_t id, int64_t now,
    tg_str_t body, struct curl_slist **list)
{
    char      signature[TG_ALERT_SIGNATURES_MAX];
    tg_str_t  sig;

    if (target->nsecrets == 0) {
        return true;
    }

    sig = tg_str_of(signature, tg_alert_sign(target, id, now, body,
                                             signature));

    return sig.len != 0 && tg_post_header(list, "webhook-signature", sig);
}


struct curl_slist *
tg_post_headers(const tg_conf_alert_t *target, tg_str_t id, tg_str_t body)
{
    char                text[TG_TEXT_INT_MAX];
    int64_t             now;
    tg_str_t            seconds;
    struct timespec     t;
    struct curl_slist  *list = NULL;

    clock_gettime(CLOCK_REALTIME, &t);
    now = (int64_t) t.tv_sec;
    seconds = tg_str_of(text, (size_t) (tg_text_int(text, now) - text));

    if (!tg_post_header(&list, "Content-Type", tg_str("application/json"))
        || !tg_post_header(&list, "Expect", tg_str(""))
        || !tg_post_header(&list, "webhook-id", id)
        || !tg_post_header(&list, "webhook-timestamp", seconds)
        || !tg_post_sign(target, id, now, body, &list))
    {
        curl_slist_free_all(list);
        return NULL;
    }

    return list;
}


tg_alert_verdict_t
tg_post_ended(CURL *easy, CURLcode rc, const tg_post_answer_t *answer,
    long *status, int64_t *after_ms, char *why, size_t size)
{
    curl_off_t          after = 0;
    tg_alert_verdict_t  verdict;

    *status = 0;
    *after_ms = 0;
    (void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
    (void) curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after);

    /* An answer that is too long was one. */
    if (rc != CURLE_OK
        && !(rc == CURLE_WRITE_ERROR && answer->answered > TG_POST_ANSWER))
    {
        (void) snprintf(why, size, "%s", curl_easy_strerror(rc));
        return TG_ALERT_RETRY;
    }

    verdict = tg_alert_verdict(*status);

    if (verdict == TG_ALERT_RETRY) {
        (void) snprintf(why, size, "answered with status %ld", *status);
        *after_ms = after > TG_POST_AFTER_MAX / 1000 ? TG_POST_AFTER_MAX
                                                     : after * 1000;
    }

    return verdict;
}


/* Some of the time, for many senders not to come back all at once. */
static int64_t
tg_post_jitter(int64_t ms, uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005)
              + UINT64_C(1442695040888963407);

    return ms / 2 + (int64_t) ((*random >> 33) % (uint64_t) (ms / 2 + 1));
}


int64_t
tg_post_wait(unsigned fails, int64_t first_ms, int64_t after_ms,
    uint64_t *random)
{
    int64_t  ms = first_ms << (fails < 16 ? fails : 16);

    ms = tg_post_jitter(ms < TG_POST_RETRY_MAX ? ms : TG_POST_RETRY_MAX,
                        random);

    return after_ms > ms ? after_ms : ms;
}
