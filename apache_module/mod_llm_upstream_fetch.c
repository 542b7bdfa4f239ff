#include "mod_llm_upstream_fetch.h"

#include "tg_backend_map.h"

#include <stdio.h>
#include <stdlib.h>

#define LLM_UP_FETCH_LINE  1024


static int
llm_up_fetch_piece(void *data, const char *p, size_t n)
{
    llm_up_fetch_t  *f = data;

    f->enough = !f->body(f->data, p, n);

    return f->enough;
}


static size_t
llm_up_fetch_body(char *p, size_t size, size_t n, void *data)
{
    n *= size;

    return llm_up_fetch_piece(data, p, n) == 0 ? n : n + 1;
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


static bool
llm_up_fetch_plain(llm_up_fetch_t *f, const llm_up_fetch_conf_t *conf)
{
    llm_up_socket_conf_t  sc = { .address = conf->address, .port = conf->port,
                                 .file = conf->socket, .host = conf->host,
                                 .path = conf->path, .accept = conf->accept,
                                 .connect_ms = conf->connect_ms,
                                 .timeout_ms = conf->timeout_ms,
                                 .body = llm_up_fetch_piece, .data = f };

    f->plain = llm_up_socket_open(&sc);

    return f->plain != NULL;
}


static bool
llm_up_fetch_curl(llm_up_fetch_t *f, const llm_up_fetch_conf_t *conf)
{
    CURL  *easy = curl_easy_init();

    f->easy = easy;

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
llm_up_fetch_open(llm_up_fetch_t *f, const llm_up_fetch_conf_t *conf)
{
    f->body = conf->body;
    f->data = conf->data;

    return (conf->address != NULL && llm_up_fetch_plain(f, conf))
           || llm_up_fetch_curl(f, conf);
}


bool
llm_up_fetch_start(llm_up_fetch_t *f, llm_up_fetches_t *fs, int64_t now)
{
    f->enough = false;
    f->error[0] = '\0';

    if (f->plain != NULL) {
        fs->busy[fs->nbusy++] = f;
        llm_up_socket_start(f->plain, now);
        return true;
    }

    f->busy = curl_multi_add_handle(fs->multi, f->easy) == CURLM_OK;

    return f->busy;
}


static void *
llm_up_fetch_done_plain(llm_up_fetches_t *fs, unsigned *status,
    const char **why)
{
    unsigned          i;
    llm_up_fetch_t   *f;
    llm_up_socket_t  *s;

    for (i = 0; i < fs->nbusy; i++) {
        f = fs->busy[i];
        s = f->plain;

        if (s->over) {
            fs->busy[i] = fs->busy[--fs->nbusy];

            *why = s->why;
            *status = s->why[0] == '\0' || f->enough ? s->reader.status : 0;

            return f->data;
        }
    }

    return NULL;
}


void *
llm_up_fetch_done(llm_up_fetches_t *fs, unsigned *status, const char **why)
{
    int              left;
    long             code = 0;
    CURLMsg         *msg;
    CURLcode         rc;
    llm_up_fetch_t  *f = NULL;

    do {
        msg = curl_multi_info_read(fs->multi, &left);
    } while (msg != NULL && msg->msg != CURLMSG_DONE);

    if (msg == NULL) {
        return llm_up_fetch_done_plain(fs, status, why);
    }

    rc = msg->data.result;

    (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **) &f);
    (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &code);
    (void) curl_multi_remove_handle(fs->multi, msg->easy_handle);

    f->busy = false;
    *why = f->error[0] != '\0' ? f->error : curl_easy_strerror(rc);
    *status = (rc == CURLE_OK || f->enough) && code > 0 ? (unsigned) code : 0;

    return f->data;
}


bool
llm_up_fetches_open(llm_up_fetches_t *fs, unsigned n)
{
    fs->nbusy = 0;
    fs->busy = calloc(n + 1, sizeof(llm_up_fetch_t *));
    fs->fds = calloc(n + 1, sizeof(struct curl_waitfd));

    return fs->busy != NULL && fs->fds != NULL;
}


void
llm_up_fetches_wait(llm_up_fetches_t *fs, int64_t until)
{
    int               running;
    unsigned          i;
    int64_t           now;
    llm_up_socket_t  *s;

    for (i = 0; i < fs->nbusy; i++) {
        s = fs->busy[i]->plain;

        fs->fds[i].fd = s->fd;
        fs->fds[i].events = llm_up_socket_writes(s) ? CURL_WAIT_POLLOUT
                                                    : CURL_WAIT_POLLIN;
        fs->fds[i].revents = 0;

        if (llm_up_socket_deadline(s) < until) {
            until = llm_up_socket_deadline(s);
        }
    }

    now = tg_backend_now();

    (void) curl_multi_poll(fs->multi, fs->fds, fs->nbusy,
                           until > now ? (int) ((until - now) / 1000000) + 1
                           : 0, NULL);

    now = tg_backend_now();

    for (i = 0; i < fs->nbusy; i++) {
        s = fs->busy[i]->plain;

        if (fs->fds[i].revents != 0) {
            llm_up_socket_ready(s, now);
        }

        if (!s->over) {
            llm_up_socket_late(s, now);
        }
    }

    (void) curl_multi_perform(fs->multi, &running);
}


void
llm_up_fetches_close(llm_up_fetches_t *fs)
{
    free(fs->busy);
    free(fs->fds);
    fs->busy = NULL;
    fs->fds = NULL;
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

    llm_up_socket_close(f->plain);
    f->plain = NULL;

    curl_slist_free_all(f->headers);
    curl_slist_free_all(f->connect);
    f->headers = NULL;
    f->connect = NULL;
}
