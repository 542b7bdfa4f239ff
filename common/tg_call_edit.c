/* What of the body goes upstream in another form. */

#include "tg_call_int.h"

#include <jansson.h>
#include <stdlib.h>

/* `,"stream_options":{...,"include_usage":true},"options":{...}}`, where the
 * old members of the former may grow by being escaped anew. */
#define TG_TAIL_MAX  (7 * TG_JSON_VALUE_MAX + 192)

/*
 * The API's own member for the largest number of output tokens, where a call
 * says none; in an object, or at the top.  OpenAI's newer models refuse
 * max_tokens, which is all that most others know.
 *
 * https://platform.openai.com/docs/api-reference/chat/create
 * https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
 */
static const struct {
    tg_str_t  api;
    tg_str_t  vendor;           /* a pattern */
    tg_str_t  object;
    tg_str_t  member;
} tg_call_maxima[] = {
    { TG_STR("openai.chat"), TG_STR("openai"), TG_STR(""),
      TG_STR("max_completion_tokens") },
    { TG_STR("openai.chat"), TG_STR("azure.ai.openai"), TG_STR(""),
      TG_STR("max_completion_tokens") },
    { TG_STR("openai.chat"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") },
    { TG_STR("openai.completions"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("openai.responses"), TG_STR("*"), TG_STR(""),
      TG_STR("max_output_tokens") },
    { TG_STR("anthropic.messages"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("vertex.anthropic"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("vertex.raw"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") },
    { TG_STR("gemini.generate"), TG_STR("*"), TG_STR("generationConfig"),
      TG_STR("maxOutputTokens") },
    { TG_STR("vertex.generate"), TG_STR("*"), TG_STR("generationConfig"),
      TG_STR("maxOutputTokens") },
    { TG_STR("bedrock.converse"), TG_STR("*"), TG_STR("inferenceConfig"),
      TG_STR("maxTokens") },
    { TG_STR("ollama.chat"), TG_STR("*"), TG_STR("options"),
      TG_STR("num_predict") },
    { TG_STR("ollama.generate"), TG_STR("*"), TG_STR("options"),
      TG_STR("num_predict") },
    { TG_STR("cohere.chat"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") },
    { TG_STR("cohere.v1.chat"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("cohere.v1.generate"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("watsonx.chat"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") }
};

#define TG_CALL_NO_MAXIMUM  (sizeof(tg_call_maxima) / sizeof(tg_call_maxima[0]))

/* Members that are taken out where they are, and put at the end. */
typedef enum {
    TG_MOVED_MODEL = 0,
    TG_MOVED_OPTIONS,           /* stream_options */
    TG_MOVED_LIMITS,            /* the object that the maximum is in */
    TG_MOVED
} tg_moved_t;

/* An edit that is being made. */
typedef struct {
    bool             ask;
    int64_t          max;
    tg_str_t         model;     /* to be sent; empty: as it came */
    uint32_t         moved;     /* bit tg_moved_t: now, or by an earlier edit */
    uint32_t         written;   /* bit i: maximum i, likewise */
    unsigned         nspans;
    tg_edit_span_t  *spans;
    uint64_t         root_end;
    uint64_t         covered;   /* up to here members are blanked */
    bool             kept;      /* a member is left before the end */
    tg_text_t        t;         /* the tail */
} tg_compose_t;


/* The row of the member to be added. */
static size_t
tg_call_max_row(const tg_call_t *call)
{
    size_t    i;
    tg_str_t  api = tg_api_name(call->dialect.api);
    tg_str_t  vendor = tg_vendor_name(call->dialect.vendor);

    for (i = 0; i < TG_CALL_NO_MAXIMUM; i++) {
        if (tg_str_eq(api, tg_call_maxima[i].api)
            && tg_str_match(vendor, tg_call_maxima[i].vendor))
        {
            break;
        }
    }

    return i;
}


int64_t
tg_call_max_room(const tg_call_t *call)
{
    int64_t                   room = INT64_MAX, most;
    uint64_t                  bytes;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (info->root_end == TG_JSON_NOWHERE || info->nmaxima > TG_MAXIMA_MAX) {
        return 0;
    }

    if (info->nmaxima == 0) {
        size_t  row = tg_call_max_row(call);

        return row == TG_CALL_NO_MAXIMUM
               || (tg_call_maxima[row].object.len != 0 && info->limits_cut)
               ? 0 : INT64_MAX;
    }

    for (unsigned i = 0; i < info->nmaxima; i++) {
        bytes = info->maxima[i].end - info->maxima[i].start;

        for (most = 0; bytes > 0 && most < INT64_MAX / 10; bytes--) {
            most = most * 10 + 9;
        }

        room = most < room ? most : room;
    }

    return room;
}


/*
 * The members of the client's own stream_options but include_usage, each with a
 * comma behind it.  They came out of a valid document.
 */
static void
tg_put_siblings(tg_text_t *t, tg_str_t object)
{
    json_t      *root = object.len == 0 ? NULL
                        : json_loadb(object.p, object.len, 0, NULL);
    json_t      *v;
    const char  *key;
    char        *text;

    json_object_del(root, "include_usage");

    json_object_foreach(root, key, v) {
        text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text == NULL) {
            continue;
        }

        tg_put_lit(t, "\"");
        tg_put_json(t, tg_strz(key), TG_JSON_VALUE_MAX);
        tg_put_lit(t, "\":");
        tg_put_str(t, tg_strz(text));
        tg_put_lit(t, ",");
        free(text);
    }

    json_decref(root);
}


/* The inside of an object as it is written. */
static tg_str_t
tg_call_inside(tg_str_t object)
{
    const char  *p = object.p, *end = object.p + object.len;

    if (object.len < 2) {
        return tg_str_null;
    }

    for (p++, end--; p < end && (*p == ' ' || *p == '\t' || *p == '\r'
                                 || *p == '\n'); p++)
    { /* void */ }

    return tg_str_of(p, (size_t) (end - p));
}


static void
tg_compose_span(tg_compose_t *c, uint64_t start, uint64_t end, tg_str_t text)
{
    unsigned         i = c->nspans++;
    tg_edit_span_t  *s = c->spans;

    for ( ; i > 0 && s[i - 1].start > start; i--) {
        s[i] = s[i - 1];
    }

    s[i].start = start;
    s[i].end = end;
    s[i].text = text;
}


/*
 * Blanks a member with the comma before it; the first one that is left, with
 * the comma behind it.  Those of one edit in their order.
 */
static void
tg_compose_blank(tg_compose_t *c, const tg_member_t *m)
{
    bool      first = m->comma == TG_JSON_NOWHERE || m->comma < c->covered;
    bool      last = m->next == c->root_end;
    uint64_t  end = first && !last ? m->next + 1 : m->end;

    tg_compose_span(c, first ? m->key : m->comma, end, tg_str_null);

    c->covered = end;
    c->kept = c->kept && !(first && last);
}


/* What is absent is at TG_JSON_NOWHERE, the end of all. */
static void
tg_compose_blanks(tg_compose_t *c, const tg_request_info_t *info)
{
    unsigned            n = 0, i;
    const tg_member_t  *m, *list[TG_MOVED];
    const tg_member_t  *places[TG_MOVED] = {
        [TG_MOVED_MODEL] = &info->model_member,
        [TG_MOVED_OPTIONS] = &info->stream_options_member,
        [TG_MOVED_LIMITS] = &info->limits_member
    };

    for (unsigned k = 0; k < TG_MOVED; k++) {
        m = places[k];

        if (!(c->moved >> k & 1) || m->key == TG_JSON_NOWHERE) {
            continue;
        }

        for (i = n++; i > 0 && list[i - 1]->key > m->key; i--) {
            list[i] = list[i - 1];
        }

        list[i] = m;
    }

    for (i = 0; i < n; i++) {
        tg_compose_blank(c, list[i]);
    }
}


static void
tg_compose_comma(tg_compose_t *c)
{
    if (c->kept) {
        tg_put_lit(&c->t, ",");
    }

    c->kept = true;
}


static void
tg_compose_model(tg_compose_t *c, const tg_request_info_t *info)
{
    tg_str_t  model = c->model.len != 0 ? c->model : info->model;

    if (c->model.len == 0 && info->model_member.key == TG_JSON_NOWHERE) {
        return;
    }

    tg_compose_comma(c);
    tg_put_lit(&c->t, "\"model\":\"");
    tg_put_json(&c->t, model, SIZE_MAX);
    tg_put_lit(&c->t, "\"");
}


static void
tg_compose_options(tg_compose_t *c, const tg_request_info_t *info)
{
    if (!c->ask && info->stream_options.len == 0) {
        return;
    }

    tg_compose_comma(c);
    tg_put_lit(&c->t, "\"stream_options\":");

    if (c->ask) {
        tg_put_lit(&c->t, "{");
        tg_put_siblings(&c->t, info->stream_options);
        tg_put_lit(&c->t, "\"include_usage\":true}");

    } else {
        tg_put_str(&c->t, info->stream_options);
    }
}


/* The object that the maximum is in, with it or as it came; or the maximum, at
 * the top. */
static void
tg_compose_limits(tg_compose_t *c, const tg_request_info_t *info, size_t row,
    bool add)
{
    bool      nested = tg_call_maxima[row].object.len != 0;
    tg_str_t  inside = tg_call_inside(info->limits);

    if (!add && info->limits_member.key == TG_JSON_NOWHERE) {
        return;
    }

    tg_compose_comma(c);

    if (nested) {
        tg_put_lit(&c->t, "\"");
        tg_put_str(&c->t, tg_call_maxima[row].object);
        tg_put_lit(&c->t, "\":");

        if (!add) {
            tg_put_str(&c->t, info->limits);
            return;
        }

        tg_put_lit(&c->t, "{");

        if (inside.len != 0) {
            tg_put_str(&c->t, inside);
            tg_put_lit(&c->t, ",");
        }
    }

    tg_put_lit(&c->t, "\"");
    tg_put_str(&c->t, tg_call_maxima[row].member);
    tg_put_lit(&c->t, "\":");
    tg_put_int(&c->t, c->max);

    if (nested) {
        tg_put_lit(&c->t, "}");
    }
}


/* The digits, in the call's memory. */
static tg_str_t
tg_call_max_text(tg_call_t *call, int64_t max)
{
    char  buf[TG_TEXT_INT_MAX], *end = tg_text_int(buf, max);

    return tg_dup(call->mem, tg_str_of(buf, (size_t) (end - buf)));
}


/*
 * Maxima that are too large, or that are none, are written over where they
 * stand; one that an earlier edit has written over gets back what it was.
 */
static int
tg_compose_maxima(tg_call_t *call, tg_compose_t *c,
    const tg_request_info_t *info)
{
    int64_t              value;
    tg_str_t             text;
    const tg_maximum_t  *m;

    for (unsigned i = 0; i < info->nmaxima && i < TG_MAXIMA_MAX; i++) {
        m = &info->maxima[i];
        value = m->value;

        if (c->max != 0 && (value <= 0 || value > c->max)) {
            value = c->max;
            c->written |= 1u << i;

        } else if (!(c->written >> i & 1)) {
            continue;
        }

        if (value <= 0) {
            return TG_ERROR;
        }

        text = tg_call_max_text(call, value);
        if (text.p == NULL) {
            return TG_ERROR;
        }

        tg_compose_span(c, m->start, m->end, text);
    }

    return TG_OK;
}


static int
tg_call_compose_to(tg_call_t *call, tg_compose_t *c)
{
    size_t                    row = tg_call_max_row(call);
    const tg_request_info_t  *info = tg_request_info(call->request);
    bool                      add = c->max != 0 && info->nmaxima == 0;

    if (c->model.len != 0) {
        c->moved |= 1u << TG_MOVED_MODEL;
    }

    if (c->ask) {
        c->moved |= 1u << TG_MOVED_OPTIONS;
    }

    if (add && tg_call_maxima[row].object.len != 0) {
        c->moved |= 1u << TG_MOVED_LIMITS;
    }

    for (unsigned i = 0; i < call->ncuts; i++) {
        c->spans[c->nspans++] = call->cuts[i];
    }

    tg_compose_blanks(c, info);

    if (tg_compose_maxima(call, c, info) != TG_OK) {
        return TG_ERROR;
    }

    if (c->moved >> TG_MOVED_MODEL & 1) {
        tg_compose_model(c, info);
    }

    if (c->moved >> TG_MOVED_OPTIONS & 1) {
        tg_compose_options(c, info);
    }

    if (add || c->moved >> TG_MOVED_LIMITS & 1) {
        tg_compose_limits(c, info, row, add);
    }

    tg_put_lit(&c->t, "}");

    return c->t.full ? TG_ERROR : TG_OK;
}


/* The chunk that was asked for is taken out of the stream again. */
static int
tg_call_strip_out(void *data, const char *p, size_t n, bool held)
{
    tg_call_t  *call = data;

    (void) held;

    return call->out(call->out_data, p, n);
}


static int
tg_call_strip(tg_call_t *call)
{
    if (call->strip == NULL) {
        call->strip = tg_alloc(call->mem, sizeof(tg_strip_t));
        if (call->strip == NULL) {
            return TG_ERROR;
        }

        tg_strip_init(call->strip, call->mem, tg_call_strip_out, call);
    }

    return TG_OK;
}


int64_t
tg_call_sent_max(const tg_call_t *call)
{
    int64_t                   max = call->cap_output;
    const tg_pass_t          *pass = call->pass;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (pass != NULL && pass->sent_max != 0
        && (max == 0 || pass->sent_max < max))
    {
        max = pass->sent_max;
    }

    /* A model that has less to give refuses to be asked for more. */

    if (call->routing != NULL && call->routing->naims != 0
        && call->routing->aims[call->routing->at].most > 0
        && info->max_tokens > call->routing->aims[call->routing->at].most
        && (max == 0 || call->routing->aims[call->routing->at].most < max))
    {
        max = call->routing->aims[call->routing->at].most;
    }

    return max;
}


int
tg_call_recompose(tg_call_t *call)
{
    bool     ask = tg_call_should_ask_usage(call);
    int64_t  max = tg_call_sent_max(call);

    if (!ask) {
        call->strip = NULL;
    }

    return tg_call_compose(call, ask, max) == TG_OK
           || (ask && (call->strip = NULL,
                       tg_call_compose(call, false, max)) == TG_OK)
           ? TG_OK : TG_ERROR;
}


/* The model that the body is to say; empty: what it says. */
static tg_str_t
tg_call_body_model(const tg_call_t *call)
{
    tg_str_t                  model = tg_call_sent_model(call);
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (call->routing == NULL || tg_api_path_model(call->dialect.api)) {
        return tg_str_null;
    }

    /* An Azure deployment's path says it; nobody else reads that. */

    if (info->model_member.key == TG_JSON_NOWHERE) {
        return tg_str_starts(tg_vendor_name(call->dialect.vendor),
                             tg_str("azure."))
               ? tg_str_null : model;
    }

    return tg_str_eq(info->model, model) ? tg_str_null : model;
}


int
tg_call_compose(tg_call_t *call, bool ask, int64_t max)
{
    char                     *buf;
    size_t                    size;
    tg_edit_t                *edit;
    tg_compose_t              c;
    const tg_request_info_t  *info = tg_request_info(call->request);

    memset(&c, 0, sizeof(c));
    c.ask = ask;
    c.max = max;
    c.model = tg_call_body_model(call);

    if (call->routing != NULL) {
        c.moved = call->routing->moved;
        c.written = call->routing->written;
    }

    if (!ask && max == 0 && c.model.len == 0 && c.moved == 0 && c.written == 0
        && call->ncuts == 0)
    {
        call->edit = NULL;
        return TG_OK;
    }

    if (info->root_end == TG_JSON_NOWHERE || (ask && info->stream_options_cut)
        || max > tg_call_max_room(call))
    {
        return TG_ERROR;
    }

    size = TG_TAIL_MAX + 6 * (c.model.len + info->model.len);
    edit = tg_alloc(call->mem, sizeof(tg_edit_t));
    buf = tg_alloc(call->mem, size);
    c.spans = tg_alloc(call->mem, (call->ncuts + TG_MOVED + TG_MAXIMA_MAX)
                                  * sizeof(tg_edit_span_t));
    if (edit == NULL || buf == NULL || c.spans == NULL) {
        return TG_ERROR;
    }

    c.root_end = info->root_end;
    c.kept = !info->root_empty;
    tg_text_init(&c.t, buf, size);

    if (tg_call_compose_to(call, &c) != TG_OK
        || (ask && tg_call_strip(call) != TG_OK))
    {
        return TG_ERROR;
    }

    edit->nspans = c.nspans;
    edit->spans = c.spans;
    edit->tail_at = info->root_end;
    edit->tail = tg_str_of(buf, (size_t) (c.t.p - buf));
    call->edit = edit;

    if (call->routing != NULL) {
        call->routing->composed_moved = c.moved;
        call->routing->composed_written = c.written;
    }

    return TG_OK;
}


bool
tg_call_should_ask_usage(const tg_call_t *call)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    return info->stream && !info->include_usage
           && call->scope->enable == TG_ON
           && (call->provider == NULL || call->provider->inject)
           && tg_request_inspected(call->request)
           && tg_dialect_wants_usage_option(&call->dialect);
}


const tg_edit_t *
tg_call_edit(const tg_call_t *call)
{
    return call->edit;
}
