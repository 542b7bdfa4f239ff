/*
 * answer.c - what a request is answered, and a sequence's tokens as an answer.
 */

#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EN_JSON    "application/json"
#define EN_WORDS   16384                /* tokens of an answer that are shown */
#define EN_CTL_MAX 4096

static const char  en_loading_body[] =
    "{\"error\":{\"code\":503,\"message\":\"Loading model\","
    "\"type\":\"unavailable_error\"}}";


static void
en_text(en_conn_t *c, unsigned status, const char *type, const char *body)
{
    en_reply(c, status, type, body, strlen(body));
}


static void
en_error(en_conn_t *c, unsigned status, const char *message)
{
    char  body[512];

    (void) snprintf(body, sizeof(body), "{\"error\":{\"message\":\"%s\","
                    "\"type\":\"engine_error\",\"param\":null,\"code\":%u}}",
                    message, status);
    en_text(c, status, EN_JSON, body);
}


/* True where the answer is put off: it is asked again, with due < 0. */
static bool
en_later(en_conn_t *c, long ms, int64_t now, bool again)
{
    if (ms == 0 || again) {
        return false;
    }

    en_delay(c, now + ms * INT64_C(1000000));

    return true;
}


static void
en_health(en_conn_t *c, int64_t now)
{
    if (now < en_loaded && en_conf.type == EN_LLAMACPP) {
        en_text(c, 503, EN_JSON, en_loading_body);

    } else if (now < en_loaded) {
        en_text(c, 503, "text/plain", "");

    } else if (en_conf.type == EN_LLAMACPP && en_conf.health == 200) {
        en_text(c, 200, EN_JSON, "{\"status\":\"ok\"}");

    } else {
        en_text(c, (unsigned) en_conf.health, "text/plain", "");
    }
}


static void
en_metrics(en_conn_t *c, int64_t now)
{
    size_t       n;
    const char  *page;

    switch (en_conf.metrics) {

    case EN_PAGE_FAIL:
        en_error(c, 500, "no metrics");
        return;

    case EN_PAGE_GARBAGE:
        en_text(c, 200, "text/html", "<html>\x01\xff{{{ vllm:num_requests_"
                "running{ NaN\n} 7 7 7 7\nvllm:kv_cache_usage_perc");
        return;

    case EN_PAGE_OFF:
        en_error(c, en_conf.type == EN_LLAMACPP ? 501 : 404, "Not Found");
        return;

    case EN_PAGE_HANG:
        return;

    default:
        page = en_page(now, &n);
        en_reply(c, 200, "text/plain; version=0.0.4; charset=utf-8", page, n);
    }
}


static void
en_models(en_conn_t *c)
{
    char  body[512];

    (void) snprintf(body, sizeof(body), "{\"object\":\"list\",\"data\":[{"
                    "\"id\":\"%s\",\"object\":\"model\",\"created\":1700000000,"
                    "\"owned_by\":\"engine\"}]}", en_conf.model);
    en_text(c, 200, EN_JSON, body);
}


static void
en_chat(en_conn_t *c, const char *body, size_t n, int64_t now)
{
    en_ask_t    ask;
    en_seq_t  **seq = en_seq_of(c);

    if (now < en_loaded) {
        en_text(c, 503, EN_JSON, en_loading_body);
        return;
    }

    if (en_conf.error) {
        en_error(c, (unsigned) en_conf.error, "as it was told");
        return;
    }

    if (en_conf.full && en_model.waiting.n >= (unsigned) en_conf.full) {
        en_error(c, (unsigned) en_conf.full_as, "no room in the queue");
        return;
    }

    if (en_ask_read(&ask, body, n) != 0) {
        en_error(c, 400, "no JSON");
        return;
    }

    if (!en_model_fits(&ask) || (*seq = en_model_add(c, &ask, now)) == NULL) {
        free(ask.hashes);
        en_error(c, 400, "longer than the context of this model");
        return;
    }

    en_log("chat %llu %u %u", (unsigned long long) (*seq)->id, (*seq)->prompt,
           (*seq)->output);
}


static void
en_ctl_get(en_conn_t *c)
{
    char  body[EN_CTL_MAX];

    (void) snprintf(body, sizeof(body),
                    "{\"running\":%u,\"waiting\":%u,\"kv_free\":%u,"
                    "\"steps\":%llu,\"preempted\":%llu,\"prompt_tokens\":%llu,"
                    "\"output_tokens\":%llu,\"queries\":%llu,\"hits\":%llu,"
                    "\"busy_ns\":%lld,\"late_ns\":%lld,\"late_max_ns\":%lld}",
                    en_model.running.n, en_model.waiting.n, en_model.kv.nfree,
                    (unsigned long long) en_model.steps,
                    (unsigned long long) en_model.preempted,
                    (unsigned long long) en_model.prompt_tokens,
                    (unsigned long long) en_model.output_tokens,
                    (unsigned long long) en_model.queries,
                    (unsigned long long) en_model.hits,
                    (long long) en_model.busy_ns, (long long) en_model.late_ns,
                    (long long) en_model.late_max);
    en_text(c, 200, EN_JSON, body);
}


static void
en_ctl(en_conn_t *c, const char *method, const char *body, size_t n,
    int64_t now)
{
    char        *word, *rest;
    char         text[EN_CTL_MAX];
    const char  *why;

    if (strcmp(method, "POST") != 0) {
        en_ctl_get(c);
        return;
    }

    n = n < sizeof(text) - 1 ? n : sizeof(text) - 1;
    memcpy(text, body, n);
    text[n] = '\0';
    en_conf.loading = 0;

    for (word = strtok_r(text, "\n&", &rest); word != NULL;
         word = strtok_r(NULL, "\n&", &rest))
    {
        why = en_set(word);
        if (why != NULL) {
            en_error(c, 400, why);
            return;
        }
        en_log("ctl %s", word);
    }

    if (en_conf.die) {
        _Exit(1);
    }

    if (en_conf.loading) {
        en_loaded = now + en_conf.loading * INT64_C(1000000);
    }

    if (!en_conf.hang) {
        en_http_release();
    }

    en_http_refuse(en_conf.refuse);
    en_text(c, 200, "text/plain", "ok\n");
}


/* The status is not known when it is counted; who reads the log has it. */
void
en_answer(en_conn_t *c, const char *method, const char *path,
    const char *body, size_t n, int64_t now)
{
    bool         again = en_delayed(c);
    const char  *kind = "other";

    if (en_is_ctl(c)) {
        en_ctl(c, method, body, n, now);
        return;
    }

    if (strcmp(path, "/v1/chat/completions") == 0) {
        kind = "call";
    } else if (strcmp(path, "/health") == 0) {
        kind = "health";
    } else if (strcmp(path, "/metrics") == 0) {
        kind = "metrics";
    }

    if (!again) {
        en_log("%s", kind);
    }

    if (en_conf.hang) {
        return;
    }

    if (en_conf.reset == EN_RESET_REQUEST) {
        en_break(c);
        return;
    }

    if (kind[0] == 'c') {
        en_asked("/v1/chat/completions", 200);
        en_chat(c, body, n, now);

    } else if (kind[0] == 'h') {
        if (!en_later(c, en_conf.health_ms, now, again)) {
            en_asked("/health", 200);
            en_health(c, now);
        }

    } else if (kind[0] == 'm') {
        if (!en_later(c, en_conf.metrics_ms, now, again)) {
            en_asked("/metrics", 200);
            en_metrics(c, now);
        }

    } else if (strcmp(path, "/v1/models") == 0) {
        en_models(c);

    } else if (strcmp(path, "/version") == 0) {
        en_text(c, 200, EN_JSON, "{\"version\":\"0.11.0\"}");

    } else {
        en_error(c, 404, "Not Found");
    }
}


static int
en_usage(const en_seq_t *s, char *p, size_t size)
{
    return snprintf(p, size, "{\"prompt_tokens\":%u,\"total_tokens\":%u,"
                    "\"completion_tokens\":%u,\"prompt_tokens_details\":"
                    "{\"cached_tokens\":%u}}", s->prompt, s->prompt + s->made,
                    s->made, s->cached);
}


static void
en_whole(en_conn_t *c, const en_seq_t *s)
{
    int          n;
    char        *p;
    static char  text[EN_WORDS * 8 + 1024];
    char         usage[256];

    (void) en_usage(s, usage, sizeof(usage));
    n = sprintf(text, "{\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion\""
                ",\"created\":%lld,\"model\":\"%s\",\"choices\":[{\"index\":0,"
                "\"message\":{\"role\":\"assistant\",\"content\":\"",
                (unsigned long long) s->id, (long long) time(NULL),
                en_conf.model);
    p = text + n;

    for (unsigned i = 0; i < s->made && i < EN_WORDS; i++) {
        p = stpcpy(p, en_word(s, i));
    }

    p += sprintf(p, "\"},\"logprobs\":null,\"finish_reason\":\"length\"}],"
                 "\"usage\":%s}", usage);
    en_reply(c, 200, EN_JSON, text, (size_t) (p - text));
}


/* An event, as a chunk of HTTP's; returns its end. */
static char *
en_event(char *to, const en_seq_t *s, const char *choices, const char *usage)
{
    char  data[4096];
    int   n;

    n = snprintf(data, sizeof(data), "data: {\"id\":\"chatcmpl-%llu\","
                 "\"object\":\"chat.completion.chunk\",\"created\":%lld,"
                 "\"model\":\"%s\",\"choices\":[%s]%s%s}\n\n",
                 (unsigned long long) s->id, (long long) time(NULL),
                 en_conf.model, choices, usage[0] ? ",\"usage\":" : "", usage);

    return to + sprintf(to, "%x\r\n%.*s\r\n", (unsigned) n, n, data);
}


static char *
en_delta(char *to, const en_seq_t *s, bool last)
{
    int       n;
    char      choice[3072], *p;
    unsigned  from;

    n = sprintf(choice, "{\"index\":0,\"delta\":{\"content\":\"");
    p = choice + n;
    from = (s->made - 1) / (unsigned) en_conf.interval
           * (unsigned) en_conf.interval;

    if (s->made == 1) {
        from = 0;
    } else if (from == 0) {
        from = 1;                       /* the first has been sent */
    }

    for (unsigned i = from; i < s->made && p < choice + 2048; i++) {
        p = stpcpy(p, en_word(s, i));
    }

    (void) sprintf(p, "\"},\"logprobs\":null,\"finish_reason\":%s}",
                   last ? "\"length\"" : "null");

    return en_event(to, s, choice, "");
}


static void
en_stream(en_conn_t *c, const en_seq_t *s, bool last)
{
    char  text[16384], usage[256], *p = text;

    if (s->made == 1) {
        en_begin(c, "HTTP/1.1 200 OK\r\nserver: uvicorn\r\n"
                 "content-type: text/event-stream; charset=utf-8\r\n"
                 "transfer-encoding: chunked\r\n\r\n");
        p = en_event(p, s, "{\"index\":0,\"delta\":{\"role\":\"assistant\","
                     "\"content\":\"\"},\"logprobs\":null,"
                     "\"finish_reason\":null}", "");
    }

    if (s->made == 1 || last || s->made % (unsigned) en_conf.interval == 0) {
        p = en_delta(p, s, last);
    }

    if (last && s->ask.usage) {
        (void) en_usage(s, usage, sizeof(usage));
        p = en_event(p, s, "", usage);
    }

    if (last) {
        p = stpcpy(p, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    }

    en_send(c, text, (size_t) (p - text));
}


void
en_wrote(en_seq_t *s, bool last)
{
    en_conn_t  *c = s->conn;

    if (s->ask.stream) {
        en_stream(c, s, last);

        if (en_conf.reset == EN_RESET_STREAM && !last) {
            en_break(c);
            return;
        }
    }

    if (!last) {
        return;
    }

    en_log("end %llu", (unsigned long long) s->id);
    en_observe(EN_H_HTTP, (double) (en_now() - s->arrived) / 1e9);
    *en_seq_of(c) = NULL;

    if (s->ask.stream) {
        en_end(c);
    } else {
        en_whole(c, s);
    }
}
