#include "mod_llm_upstream_fetch.h"

#include <stdio.h>

#define LLM_UP_FETCH_LINE  1024


static size_t
llm_up_fetch_body(char *p, size_t size, size_t n, void *data)
{
    llm_up_fetch_t  *f = data;

    n *= size;

    if (!f->body(f->data, p, n)) {
        f->enough = true;
        return n + 1;
    }

    return n;
}


static bool
llm_up_fetch_line(struct curl_slist **list, const char *name,
    const char *value)
{
    int                 n;
    char                line[LLM_UP_FETCH_LINE];
    struct curl_slist  *longer;

    n = snprintf(line, sizeof(line), "%s%s", name, value);
    if (n < 0 || (size_t) n >= sizeof(line)) {
        return false;
    }

    longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        return false;
    }

    *list = longer;

    return true;
}


static bool
llm_up_fetch_lists(llm_up_fetch_t *f, const llm_up_fetch_conf_t *conf)
{
    return (conf->host == NULL
            || llm_up_fetch_line(&f->headers, "Host: ", conf->host))
           && (conf->accept == NULL
               || llm_up_fetch_line(&f->headers, "Accept: ", conf->accept))
           && (conf->connect == NULL
               || llm_up_fetch_line(&f->connect, "::", conf->connect));
}


bool
llm_up_fetch_open(llm_up_fetch_t *f, const llm_up_fetch_conf_t *conf)
{
    CURL  *easy = curl_easy_init();

    f->easy = easy;
    f->body = conf->body;
    f->data = conf->data;

    if (easy == NULL || !llm_up_fetch_lists(f, conf)) {
        return false;
    }

    (void) curl_easy_setopt(easy, CURLOPT_URL, conf->url);
    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            (long) CURL_HTTP_VERSION_1_1);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long) conf->connect_ms);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) conf->timeout_ms);

    /* Who it is is not looked at: nothing secret is sent, see docs/gpu.md. */
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);

    /* Not of the environment. */
    (void) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);

    /* Not to wait for a name server when it is to stop. */
    (void) curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);

    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT, "Tollgate");
    (void) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, f->headers);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECT_TO, f->connect);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, llm_up_fetch_body);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    (void) curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->error);
    (void) curl_easy_setopt(easy, CURLOPT_PRIVATE, f);

    return conf->socket == NULL
           || curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, conf->socket)
              == CURLE_OK;
}


bool
llm_up_fetch_start(llm_up_fetch_t *f, CURLM *multi)
{
    f->enough = false;
    f->error[0] = '\0';
    f->busy = curl_multi_add_handle(multi, f->easy) == CURLM_OK;

    return f->busy;
}


void *
llm_up_fetch_done(CURLM *multi, unsigned *status, const char **why)
{
    int              left;
    long             code = 0;
    CURLMsg         *msg;
    CURLcode         rc;
    llm_up_fetch_t  *f = NULL;

    do {
        msg = curl_multi_info_read(multi, &left);
    } while (msg != NULL && msg->msg != CURLMSG_DONE);

    if (msg == NULL) {
        return NULL;
    }

    rc = msg->data.result;

    (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **) &f);
    (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &code);
    (void) curl_multi_remove_handle(multi, msg->easy_handle);

    f->busy = false;
    *why = f->error[0] != '\0' ? f->error : curl_easy_strerror(rc);
    *status = (rc == CURLE_OK || f->enough) && code > 0 ? (unsigned) code : 0;

    return f->data;
}


void
llm_up_fetch_close(llm_up_fetch_t *f, CURLM *multi)
{
    if (f->busy) {
        (void) curl_multi_remove_handle(multi, f->easy);
        f->busy = false;
    }

    if (f->easy != NULL) {
        curl_easy_cleanup(f->easy);
        f->easy = NULL;
    }

    curl_slist_free_all(f->headers);
    curl_slist_free_all(f->connect);
    f->headers = NULL;
    f->connect = NULL;
}
