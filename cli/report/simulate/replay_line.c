/* A line as a call: its head, what there was of its body, and what it took. */

#include "replay_int.h"
#include "reprice.h"
#include "llmctl.h"

#include "tg_text.h"

#include <errno.h>
#include <stdio.h>

#define SKELETON_MAX   4096             /* bytes of a body without messages ... */
#define MESSAGE_MAX    48               /* ... and of one without its text */
#define MESSAGES_MAX   16384            /* that are written out */
#define MODEL_MAX      512
#define MEAN_MOST      1e15
#define BLANKS         65536

static const struct {
    tg_str_t     operation;
    const char  *method;
    const char  *path;
    const char  *list;                  /* the member that has what is counted as
                                           messages ... */
    const char  *element;               /* ... and what each of them is */
} operations[] = {
    { TG_STR("text_completion"), "POST", "/v1/completions", "prompt", "\"\"" },
    { TG_STR("embeddings"), "POST", "/v1/embeddings", "input", "\"\"" },
    { TG_STR("rerank"), "POST", "/v1/rerank", "documents", "\"\"" },
    { TG_STR("moderation"), "POST", "/v1/moderations", "input", "\"\"" },
    { TG_STR("image_generation"), "POST", "/v1/images/generations", NULL,
      NULL },
    { TG_STR("transcription"), "POST", "/v1/audio/transcriptions", NULL, NULL },
    { TG_STR("speech"), "POST", "/v1/audio/speech", NULL, NULL },
    { TG_STR("count_tokens"), "POST", "/v1/messages/count_tokens", "messages",
      "{\"role\":\"user\",\"content\":\"\"}" },
    { TG_STR("batch"), "POST", "/v1/batches", NULL, NULL },
    { TG_STR("retrieve"), "GET", "/v1/responses/replayed", NULL, NULL },
    { TG_STR("cache"), "POST", "/v1beta/cachedContents", NULL, NULL },
    { TG_STR("models"), "GET", "/v1/models", NULL, NULL },
    { TG_STR("unknown"), "POST", "/unknown", NULL, NULL }
};

static const char  chat_turn[] = "{\"role\":\"user\",\"content\":\"\"}";
static const char  gemini_turn[] = "{\"parts\":[{\"text\":\"\"}]}";
static const char  converse_turn[] =
    "{\"role\":\"user\",\"content\":[{\"text\":\"\"}]}";

/* How the call was put.  What an element says goes between its first pair of quotes
 * with nothing in it. */
typedef struct {
    tg_str_t     method;
    tg_str_t     path;
    const char  *list;
    const char  *element;
    bool         model;                 /* is in the body */
    bool         gemini;                /* has its maximum there */
    bool         converse;
    size_t       gap;                   /* of the body: where text goes; 0: there
                                           is no such place */
} form_t;


static tg_str_t
path_of(replay_live_t *live, const char *before, const char *behind)
{
    size_t    room;
    char     *buf;
    tg_str_t  model = live->r.text[REC_ASKED_MODEL];

    room = strlen(before) + model.len + strlen(behind) + 1;
    buf = tg_alloc(live->mem, room);

    return buf == NULL ? tg_str_null
           : tg_str_of(buf, (size_t) snprintf(buf, room, "%s%.*s%s", before,
                                              (int) model.len, model.p,
                                              behind));
}


static void
form_chat(replay_live_t *live, form_t *f)
{
    bool      moved = live->r.text[REC_ROUTE].len != 0
                      || live->r.text[REC_SENT_MODEL].len != 0;
    tg_str_t  vendor = live->r.text[REC_VENDOR];
    tg_str_t  model = live->r.text[REC_ASKED_MODEL];

    f->list = "messages";
    f->element = chat_turn;
    f->model = true;

    if (!moved && tg_str_eq(vendor, tg_str("aws.bedrock"))) {
        f->path = path_of(live, "/model/", "/converse");
        f->element = converse_turn;
        f->model = false;
        f->converse = true;

    } else if (!moved && tg_str_eq(vendor, tg_str("cohere"))) {
        f->path = tg_str("/v2/chat");

    } else if (moved ? tg_str_starts(model, tg_str("claude"))
               : tg_str_eq(vendor, tg_str("anthropic")))
    {
        f->path = tg_str("/v1/messages");

    } else {
        f->path = tg_str("/v1/chat/completions");
    }
}


static void
form_of(replay_live_t *live, form_t *f)
{
    tg_str_t  op = live->r.text[REC_OPERATION];

    memset(f, 0, sizeof(form_t));
    f->method = tg_str("POST");

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (tg_str_eq(op, operations[i].operation)) {
            f->method = tg_strz(operations[i].method);
            f->path = tg_strz(operations[i].path);
            f->list = operations[i].list;
            f->element = operations[i].element;
            f->model = true;
            return;
        }
    }

    if (tg_str_eq(op, tg_str("generate_content"))) {
        f->path = path_of(live, "/v1beta/models/",
                          record_is(&live->r, REC_STREAM)
                          ? ":streamGenerateContent" : ":generateContent");
        f->list = "contents";
        f->element = gemini_turn;
        f->gemini = true;
        return;
    }

    form_chat(live, f);
}


static void
put_maximum(tg_text_t *t, const form_t *f, int64_t most)
{
    tg_put_str(t, tg_strz(f->gemini
                          ? "\"generationConfig\":{\"maxOutputTokens\":"
                          : f->converse
                          ? "\"inferenceConfig\":{\"maxTokens\":"
                          : "\"max_tokens\":"));
    tg_put_int(t, most);

    if (f->gemini || f->converse) {
        tg_put_lit(t, "}");
    }

    tg_put_lit(t, ",");
}


static int64_t
messages_of(const record_t *r)
{
    int64_t  n = r->number[REC_MESSAGES];

    return n < 0 ? 0 : n > MESSAGES_MAX ? MESSAGES_MAX : n;
}


/* As small as it can be said. */
static void
put_body(tg_text_t *t, const char *start, form_t *f, const record_t *r,
    bool tools)
{
    int64_t  n = messages_of(r);

    tg_put_lit(t, "{");

    if (f->model && r->text[REC_ASKED_MODEL].len != 0) {
        tg_put_lit(t, "\"model\":\"");
        tg_put_json(t, r->text[REC_ASKED_MODEL], MODEL_MAX);
        tg_put_lit(t, "\",");
    }

    if (record_is(r, REC_STREAM) && !f->gemini) {
        tg_put_lit(t, "\"stream\":true,");
    }

    if (r->number[REC_MAX_TOKENS] > 0) {
        put_maximum(t, f, r->number[REC_MAX_TOKENS]);
    }

    if (tools) {
        tg_put_lit(t, "\"tools\":[{\"type\":\"function\"}],");
    }

    if (f->list == NULL) {
        tg_put_lit(t, "\"n\":1}");
        return;
    }

    tg_put_lit(t, "\"");
    tg_put_str(t, tg_strz(f->list));
    tg_put_lit(t, "\":[");

    if (n != 0) {
        f->gap = (size_t) (t->p - start)
                 + (size_t) (strstr(f->element, "\"\"") + 1 - f->element);
    }

    for (int64_t i = 0; i < n; i++) {
        tg_put_str(t, tg_strz(i == 0 ? "" : ","));
        tg_put_str(t, tg_strz(f->element));
    }

    tg_put_lit(t, "]}");
}


/* For a quota that looks for repetitions no call is one of another. */
static void
mark(const replay_t *p, char *to, size_t n)
{
    if (p->conf.conf->repeats
        || (p->roster != NULL && tg_roster_repeats(p->roster)))
    {
        for (size_t i = 0; i < n && i < 64; i++) {
            to[i] = p->number >> i & 1 ? '.' : ' ';
        }
    }
}


/* The body in one piece, where that is asked for. */
static int
body(void *req, tg_str_t *text)
{
    char           *buf;
    size_t          rest;
    replay_live_t  *live = req;

    if (live->body.p != NULL) {
        *text = live->body;
        return TG_OK;
    }

    rest = live->skeleton.len - live->gap;
    buf = tg_alloc(live->mem, live->skeleton.len + live->fill + 1);

    if (buf == NULL) {
        return TG_ERROR;
    }

    memcpy(buf, live->skeleton.p, live->gap);
    memset(buf + live->gap, ' ', live->fill);
    mark(live->p, buf + live->gap, live->fill);
    memcpy(buf + live->gap + live->fill, live->skeleton.p + live->gap, rest);
    live->body = tg_str_of(buf, live->skeleton.len + live->fill);
    *text = live->body;

    return TG_OK;
}


/* Blanks are counted as any byte, and there is nothing in them to be found. */
static void
feed(replay_live_t *live)
{
    char         first[64];
    size_t       part, n = live->fill;
    static char  blanks[BLANKS];

    if (blanks[0] == '\0') {
        memset(blanks, ' ', sizeof(blanks));
    }

    tg_call_body(live->call, live->skeleton.p, live->gap);

    if (live->gap != live->skeleton.len) {
        memset(first, ' ', sizeof(first));
        part = n < sizeof(first) ? n : sizeof(first);
        mark(live->p, first, part);
        tg_call_body(live->call, first, part);
        n -= part;
    }

    while (n != 0) {
        part = n < sizeof(blanks) ? n : sizeof(blanks);
        tg_call_body(live->call, blanks, part);
        n -= part;
    }

    tg_call_body(live->call, live->skeleton.p + live->gap,
                 live->skeleton.len - live->gap);
}


static tg_str_t
header(void *req, tg_str_t name)
{
    replay_live_t  *live = req;

    if (tg_str_eq(name, tg_str("authorization"))) {
        return tg_strz(live->bearer);
    }

    return tg_str_eq(name, tg_str("x-stainless-retry-count"))
           ? tg_strz(live->retries) : tg_str_null;
}


/* Of a tag: what the line has it for. */
static tg_str_t
variable(void *req, uintptr_t handle)
{
    replay_live_t   *live = req;
    const tg_tag_t  *tag = &live->p->conf.conf->tags[handle];

    switch (tag->role) {
    case TG_TAG_TEAM:
        return live->r.text[REC_TEAM];
    case TG_TAG_USER:
        return live->r.text[REC_USER];
    case TG_TAG_ORG:
        return live->r.text[REC_ORG];
    case TG_TAG_SESSION:
        return live->r.text[REC_SESSION];
    case TG_TAG_AGENT:
        return live->r.text[REC_AGENT];
    case TG_TAG_OTHER:
        break;
    }

    for (unsigned i = 0; i < live->r.ntags; i++) {
        if (tg_str_eq(live->r.tags[i].name, tag->name)) {
            return live->r.tags[i].value;
        }
    }

    return tg_str_null;
}


static const tg_host_t  replay_host = { header, variable, body };


static void
make_headers(replay_live_t *live)
{
    tg_str_t  id = live->r.text[REC_KEY];

    if (id.len != 0) {
        replay_secret(id, live->secret);
        (void) snprintf(live->bearer, sizeof(live->bearer), "Bearer %s",
                        live->secret);
    }

    if (live->r.number[REC_RETRIES] > 0) {
        (void) snprintf(live->retries, sizeof(live->retries), "%lld",
                        (long long) live->r.number[REC_RETRIES]);
    }
}


bool
replay_create(replay_live_t *live)
{
    bool             tools;
    char            *buf;
    size_t           room;
    form_t           form;
    uint64_t         bytes;
    tg_now_t         now = { live->r.time, live->r.time * 1000000 };
    tg_text_t        t;
    replay_t        *p = live->p;
    tg_call_head_t   head;

    room = SKELETON_MAX + MESSAGE_MAX * (size_t) messages_of(&live->r);
    buf = tg_alloc(live->mem, room);

    if (buf == NULL) {
        return failed("simulate", strerror(ENOMEM));
    }

    memset(&head, 0, sizeof(head));
    form_of(live, &form);
    make_headers(live);
    bytes = replay_bytes(live, messages_of(&live->r), &tools);
    tg_text_init(&t, buf, room);
    put_body(&t, buf, &form, &live->r, tools);
    live->skeleton = tg_str_of(buf, (size_t) (t.p - buf));
    live->gap = form.gap != 0 ? form.gap : live->skeleton.len;
    live->fill = bytes > live->skeleton.len
                 ? (size_t) bytes - live->skeleton.len : 0;

    head.method = form.method;
    head.path = form.path;
    head.upstream = live->r.text[REC_UPSTREAM];
    head.client = live->r.text[REC_CLIENT];
    head.content_type = tg_str("application/json");

    live->call = tg_call_create(live->mem, p->conf.conf, &p->scope,
                                &replay_host, live, &head, &p->ids, &now);
    if (live->call == NULL) {
        return failed("simulate", strerror(ENOMEM));
    }

    p->gate.geo_data = &live;

    if (tg_call_enter(live->call, &p->gate, &live->refusal) != TG_OK) {
        return true;
    }

    if (tg_str_eq(form.method, tg_str("POST"))) {
        feed(live);
    }

    return true;
}


bool
replay_same_place(const replay_live_t *live, const tg_replayed_t *is)
{
    tg_str_t  provider = live->r.text[REC_PROVIDER];

    return tg_str_eq(is->model, reprice_sent_model(&live->r))
           && (provider.len == 0 || is->provider == NULL
               || is->provider->host.len == 0
               || tg_str_eq(is->provider->name, provider));
}


static int64_t
mean(double sum, uint64_t n)
{
    double  v = sum / (double) n + 0.5;

    return v < 0 ? 0 : v > MEAN_MOST ? (int64_t) MEAN_MOST : (int64_t) v;
}


/* What calls of that model take, in place of what this one would have. */
static void
guess(replay_live_t *live)
{
    tg_usage_t            *u = &live->seen.usage;
    const replay_model_t  *m;

    m = replay_model(live->p, live->r.text[REC_ASKED_MODEL]);
    tg_usage_init(u);
    live->is.estimated = true;
    live->ns = 0;

    if (m == NULL || !live->p->conf.guess) {
        return;
    }

    u->source = TG_USAGE_ESTIMATED;
    u->input = mean(m->input, m->calls);
    u->output = mean(m->output, m->calls);
    u->cache_read = mean(m->cache_read, m->calls);
    live->ns = mean(m->ns, m->calls);

    if (live->r.number[REC_MAX_TOKENS] > 0
        && u->output > live->r.number[REC_MAX_TOKENS])
    {
        u->output = live->r.number[REC_MAX_TOKENS];
    }
}


void
replay_seen(replay_live_t *live)
{
    bool             same;
    record_t        *r = &live->r;
    tg_usage_t      *u = &live->seen.usage;
    reprice_by_t     by = reprice_by(r);
    tg_replayed_t    is;

    tg_call_replayed(live->call, &is);
    same = replay_same_place(live, &is);
    live->is.rerouted = !same;

    if (live->is.refused_then) {
        guess(live);

    } else {
        reprice_usage(r, u);
        live->seen.cached = u->source == TG_USAGE_CACHED;
        live->seen.model = same ? r->text[REC_MODEL] : tg_str_null;
        live->seen.tier = same ? r->text[REC_TIER] : tg_str_null;
        live->seen.attempts.cost = r->number[REC_COST_EXTRA];
        live->seen.error = r->number[REC_STATUS] >= 400;

        if (by == REPRICE_RECOVERED
            || (same && (by == REPRICE_PROVIDER || by == REPRICE_GPU)))
        {
            u->provider_cost = r->number[REC_COST];
            live->seen.attempts.cost = 0;
        }
    }

    if (is.lowered > 0 && u->output > is.lowered) {
        u->output = is.lowered;
    }

    if (same) {
        live->seen.attempts.cost += live->attempts.used.cost;
        live->seen.attempts.input = live->attempts.used.input;
        live->seen.attempts.output = live->attempts.used.output;

    } else {
        live->is.attempts_left_out = live->attempts.lines != 0;
    }
}
