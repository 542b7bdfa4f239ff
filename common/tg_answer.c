#include "tg_answer_int.h"

/* What the content type says; the first byte may say otherwise. */
static void
tg_answer_content_type(tg_answer_t *a, tg_str_t type)
{
    static const tg_str_t  lines[] = {
        TG_STR("application/x-ndjson"), TG_STR("application/ndjson"),
        TG_STR("application/stream+json"), TG_STR("application/jsonl"),
        TG_STR("application/x-jsonl"), TG_STR("application/x-json-stream"),
        TG_STR("application/jsonlines")
    };

    char      buf[64];
    size_t    n = 0;
    tg_str_t  s;

    if (tg_str_eq(type, tg_str("application/json"))) {
        return;
    }

    while (n < type.len && n < sizeof(buf) && type.p[n] != ';') {
        buf[n] = tg_lower(type.p[n]);
        n++;
    }

    while (n > 0 && (buf[n - 1] == ' ' || buf[n - 1] == '\t')) {
        n--;
    }

    s = tg_str_of(buf, n);

    if (tg_str_eq(s, tg_str("text/event-stream"))) {
        a->info.stream = true;
        return;
    }

    if (tg_str_eq(s, tg_str("application/vnd.amazon.eventstream"))) {
        a->framing = TG_FRAMING_EVENTSTREAM;
        a->info.stream = true;

    } else if (tg_str_match(s, tg_str("audio/*"))
               || tg_str_match(s, tg_str("image/*"))
               || tg_str_match(s, tg_str("video/*")))
    {
        a->framing = TG_FRAMING_OPAQUE;

    } else if (tg_str_match(s, tg_str("text/*"))) {
        a->text = true;
    }

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (tg_str_eq(s, lines[i])) {
            a->lines = true;
            a->info.stream = a->api->merge != TG_MERGE_SUM;
        }
    }
}


/* json_flags: of the scanner; offset: of the first byte that is not blank. */
static void
tg_answer_open(tg_answer_t *a, tg_framing_t framing, unsigned json_flags,
    uint64_t offset)
{
    a->framing = framing;
    a->json_flags = json_flags | TG_JSON_LAX;

    if (framing == TG_FRAMING_OPAQUE) {
        return;
    }

    if (framing == TG_FRAMING_EVENTSTREAM) {
        a->u.eventstream = tg_alloc(a->mem, sizeof(tg_eventstream_t));

        if (a->u.eventstream == NULL) {
            a->framing = TG_FRAMING_OPAQUE;
            return;
        }

        a->info.stream = true;
        tg_eventstream_init(a->u.eventstream, tg_answer_frame, a);
    }

    tg_json_init(a->json, tg_api_answer_paths(a->api), a->json_flags,
                 tg_answer_read, a);

    if (framing == TG_FRAMING_SSE) {
        a->info.stream = true;
        tg_sse_init(&a->u.sse, tg_answer_sse, a);
        a->u.sse.offset = offset;
        a->u.sse.event_start = offset;
    }
}


/* What only few answers need. */
static int
tg_answer_create_more(tg_answer_t *a)
{
    if (a->api->merge == TG_MERGE_SUM) {
        a->sum = tg_alloc(a->mem, sizeof(tg_usage_t));
        if (a->sum == NULL) {
            return TG_ERROR;
        }

        tg_usage_init(a->sum);
    }

    if ((a->api->flags & TG_API_WRAPPED) && a->status < 400) {
        a->wrapper = tg_alloc(a->mem, sizeof(tg_json_t));
        if (a->wrapper == NULL) {
            return TG_ERROR;
        }

        tg_json_init(a->wrapper, tg_wrapper_paths(), 0, tg_answer_wrapped, a);
    }

    return TG_OK;
}


tg_answer_t *
tg_answer_create_with(tg_json_t *json, tg_mem_t *mem, const tg_dialect_t *d,
    const tg_request_info_t *req, unsigned status, tg_str_t content_type)
{
    tg_answer_t  *a;

    struct {
        tg_answer_t  answer;
        tg_json_t    json;
    } *both;

    if (json != NULL) {
        a = tg_alloc(mem, sizeof(tg_answer_t));

    } else {
        both = tg_alloc(mem, sizeof(*both));
        a = both == NULL ? NULL : &both->answer;
        json = both == NULL ? NULL : &both->json;
    }

    if (a == NULL) {
        return NULL;
    }

    memset(a, 0, offsetof(tg_answer_t, doc.counts.v));

    a->mem = mem;
    a->api = d->api;
    a->req = req;
    a->quirks = d->vendor->quirks & d->api->quirks;
    a->status = status;
    a->json = json;
    a->info.error = status >= 400;
    a->info.usage.billed_input = -1;
    a->info.usage.billed_output = -1;
    a->info.usage.provider_cost = -1;
    a->doc.null_start = a->doc.null_end = TG_JSON_NOWHERE;
    a->counts.present = 0;

    tg_answer_content_type(a, content_type);

    if (tg_answer_create_more(a) != TG_OK) {
        return NULL;
    }

    if (a->framing != TG_FRAMING_SNIFF) {
        tg_answer_open(a, a->framing, 0, 0);
    }

    return a;
}


tg_answer_t *
tg_answer_create(tg_mem_t *mem, const tg_dialect_t *d,
    const tg_request_info_t *req, unsigned status, tg_str_t content_type)
{
    return tg_answer_create_with(NULL, mem, d, req, status, content_type);
}


void
tg_answer_header(tg_answer_t *a, tg_str_t name, tg_str_t value)
{
    static const struct {
        tg_str_t  name;
        unsigned  id;
    } counts[] = {
        { TG_STR("x-amzn-bedrock-input-token-count"), TG_A_METRIC_INPUT },
        { TG_STR("x-amzn-bedrock-output-token-count"), TG_A_METRIC_OUTPUT },
        { TG_STR("x-amzn-bedrock-cache-read-input-token-count"),
          TG_A_METRIC_READ },
        { TG_STR("x-amzn-bedrock-cache-write-input-token-count"),
          TG_A_METRIC_WRITE }
    };

    const char  *colon;

    if (name.len < 7 || !tg_str_caseeq(tg_str_of(name.p, 7),
                                       tg_str("x-amzn-")))
    {
        return;
    }

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (tg_str_caseeq(name, counts[i].name)) {
            tg_counts_read(&a->counts, counts[i].id, value);
            return;
        }
    }

    if (tg_str_caseeq(name, tg_str("x-amzn-errortype"))) {
        colon = memchr(value.p, ':', value.len);
        if (colon != NULL) {
            value.len = (size_t) (colon - value.p);
        }
        tg_answer_error_word(a, 6, value);

    } else if (tg_str_caseeq(name, tg_str("x-amzn-requestid"))) {
        tg_answer_keep(a, &a->info.id, &a->id_changes, value);
    }
}


void
tg_answer_on_event(tg_answer_t *a, tg_answer_event_handler_t handler,
    void *data)
{
    a->handler = handler;
    a->data = data;
}


/* Documents: after an error the next line is tried. */
static void
tg_answer_json(tg_answer_t *a, const char *p, size_t n)
{
    const char  *next;
    uint64_t     at;

    while (n != 0) {
        if (a->resync) {
            next = memchr(p, '\n', n);
            if (next == NULL) {
                return;
            }

            n -= (size_t) (next - p) + 1;
            p = next + 1;
            a->resync = false;
            tg_answer_restart(a);
        }

        if (tg_json_feed(a->json, p, n) == TG_OK) {
            a->fed += n;
            return;
        }

        tg_answer_doc_end(a);

        if (!a->lines && !(a->api->flags & TG_API_LINES)) {
            a->framing = TG_FRAMING_OPAQUE;
            return;
        }

        at = a->json->error_offset - a->fed;
        if (at > n) {
            at = n;
        }

        p += at;
        n -= (size_t) at;
        a->resync = true;
    }
}


/* Tells the framing by the first byte that is not blank. */
static void
tg_answer_sniff(tg_answer_t *a, char c, uint64_t offset)
{
    bool  asked = a->req != NULL && a->req->stream;

    switch (c) {

    case '{':
        tg_answer_open(a, TG_FRAMING_JSON, TG_JSON_LINES, offset);

        if (asked && a->status < 300 && (a->api->flags & TG_API_LINES)) {
            a->info.stream = true;
        }
        return;

    case '[':
        tg_answer_open(a, TG_FRAMING_JSON, TG_JSON_ELEMENTS, offset);

        if ((a->api->flags & TG_API_ARRAY) && a->status < 300) {
            a->info.stream = true;
        }
        return;

    case 'd':       /* data, event, id, retry, a comment */
    case 'e':
    case 'i':
    case 'r':
    case ':':
        if (!a->text || asked) {
            tg_answer_open(a, TG_FRAMING_SSE, 0, offset);
            return;
        }
        break;

    case '\0':
        if (a->api->shape == TG_SHAPE_BEDROCK
            && (a->api->flags & TG_API_STREAMS))
        {
            tg_answer_open(a, TG_FRAMING_EVENTSTREAM, 0, offset);
            return;
        }
        break;

    default:
        break;
    }

    tg_answer_open(a, a->info.stream && !a->lines ? TG_FRAMING_SSE
                                                  : TG_FRAMING_OPAQUE,
                   0, offset);
}


void
tg_answer_feed(tg_answer_t *a, const char *p, size_t n)
{
    static const char  bom[] = "\xef\xbb\xbf";

    while (a->framing == TG_FRAMING_SNIFF && n != 0) {
        if (a->bom < 3 && a->info.bytes == a->bom && *p == bom[a->bom]) {
            a->bom++;

        } else if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\n') {
            tg_answer_sniff(a, *p, a->info.bytes);
            continue;
        }

        a->info.bytes++;
        p++;
        n--;
    }

    a->info.bytes += n;

    switch (a->framing) {

    case TG_FRAMING_JSON:
        tg_answer_json(a, p, n);
        break;

    case TG_FRAMING_SSE:
        (void) tg_sse_feed(&a->u.sse, p, n);
        break;

    case TG_FRAMING_EVENTSTREAM:
        if (tg_eventstream_feed(a->u.eventstream, p, n) != TG_OK) {
            a->framing = TG_FRAMING_OPAQUE;
        }
        break;

    default:
        break;
    }
}


/* The last that was said of its state is that it has not ended. */
static bool
tg_answer_unended(const tg_answer_t *a)
{
    const tg_str_t  *state;

    if (a->info.nfinish == 0) {
        return false;
    }

    state = &a->info.finish[a->info.nfinish - 1];

    return tg_str_eq(*state, tg_str("queued"))
           || tg_str_eq(*state, tg_str("in_progress"));
}


bool
tg_answer_goes_on(const tg_answer_t *a)
{
    return !a->info.stream && a->info.usage.source == TG_USAGE_NONE
           && tg_answer_unended(a);
}


static bool
tg_answer_cancelled(const tg_answer_t *a)
{
    return !a->info.stream && a->info.nfinish != 0
           && tg_str_eq(a->info.finish[0], tg_str("cancelled"));
}


static void
tg_answer_estimate(tg_answer_t *a)
{
    tg_usage_t  *u = &a->info.usage;

    if (!(a->api->flags & TG_API_ESTIMATE) || a->blocked
        || tg_answer_goes_on(a) || tg_answer_cancelled(a)
        || (a->info.error && a->info.text_bytes == 0))
    {
        return;
    }

    if (a->req != NULL) {
        u->input = tg_usage_estimate(a->req->text_bytes, 0);
        a->guessed_input = true;
    }

    if (a->api->op != TG_OP_EMBEDDINGS) {
        u->output = tg_usage_estimate(a->info.text_bytes, 0);
        a->guessed_output = true;
    }

    if (u->input != 0 || u->output != 0) {
        u->source = TG_USAGE_ESTIMATED;
    }
}


static void
tg_answer_settle(tg_answer_t *a)
{
    tg_usage_t  *u = &a->info.usage;
    int64_t      guess;

    if (a->status < 200 || a->status >= 300) {
        return;
    }

    if (a->api->merge == TG_MERGE_SUM) {
        *u = *a->sum;

    } else {
        tg_usage_read(&a->counts, a->quirks, a->api->flags, u);
    }

    u->extra = a->extras;

    if (u->source == TG_USAGE_NONE) {
        tg_answer_estimate(a);

    } else if (!tg_counts_has(&a->counts, TG_A_OUTPUT)
               && !tg_counts_has(&a->counts, TG_A_METRIC_OUTPUT)
               && tg_counts_has(&a->counts, TG_A_START_OUTPUT))
    {
        /* cut off behind the start of a stream */

        guess = tg_usage_estimate(a->info.text_bytes, 0);
        a->guessed_output = true;
        a->told_output = u->output;
        if (u->output < guess) {
            u->output = guess;
        }
        u->source = TG_USAGE_ESTIMATED;
    }

    /* the recording has no usage; what was read out has been asked for */

    if (a->api->op == TG_OP_SPEECH && u->source == TG_USAGE_NONE
        && a->req != NULL && !a->info.error && a->info.bytes != 0)
    {
        u->characters = tg_usage_estimate(a->req->text_bytes, 1000);
        u->input = tg_usage_estimate(a->req->text_bytes, 0);
        a->guessed_input = true;
        u->source = TG_USAGE_ESTIMATED;
    }

    /* pictures are billed one by one, unless by token */

    if (a->pictures != 0 && u->input == 0 && u->output == 0) {
        u->images = (int64_t) a->pictures;
        if (u->source == TG_USAGE_NONE) {
            u->source = TG_USAGE_ESTIMATED;
        }
    }
}


void
tg_answer_finish(tg_answer_t *a)
{
    if (a->finished) {
        return;
    }

    a->finished = true;

    if (a->framing == TG_FRAMING_SSE) {
        (void) tg_sse_finish(&a->u.sse);

    } else if (a->framing == TG_FRAMING_JSON) {
        tg_answer_doc_end(a);
    }

    if (a->info.events > 1 && a->framing == TG_FRAMING_JSON
        && (a->api->flags & TG_API_LINES) && a->api->merge != TG_MERGE_SUM)
    {
        a->info.stream = true;
    }

    tg_answer_settle(a);

    if (!a->info.stream) {
        a->info.complete |= a->info.events != 0
                            || a->framing == TG_FRAMING_OPAQUE;

    } else if (a->info.nfinish != 0 && !tg_answer_unended(a)
               && (!(a->api->flags & TG_API_OPTIONS)
                   || a->info.usage.source == TG_USAGE_REPORTED))
    {
        a->info.complete = true;
    }
}


void
tg_answer_calibrate(tg_answer_t *a, int64_t prompt, int64_t answer)
{
    int64_t      guess;
    tg_usage_t  *u = &a->info.usage;

    if (u->source != TG_USAGE_ESTIMATED) {
        return;
    }

    if (a->guessed_input && prompt > 0) {
        u->input = tg_usage_estimate(a->req->text_bytes, prompt);
    }

    if (a->guessed_output && answer > 0) {
        guess = tg_usage_estimate(a->info.text_bytes, answer);
        u->output = guess > a->told_output ? guess : a->told_output;
    }
}


void
tg_answer_hide(tg_answer_t *a)
{
    a->hidden = true;
}


bool
tg_answer_hidden(const tg_answer_t *a)
{
    return a->hidden && a->status >= 200 && a->status < 300
           && (a->api->flags & TG_API_ESTIMATE)
           && a->info.usage.source != TG_USAGE_REPORTED;
}


const tg_answer_info_t *
tg_answer_info(const tg_answer_t *a)
{
    return &a->info;
}
