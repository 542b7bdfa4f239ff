#include "tg_call_int.h"
#include "tg_crc32.h"
#include "tg_http.h"

/* Includes what a refusal's message needs beside the error's own. */
#define TG_REFUSAL_MAX  1024

#define TG_CALL_ALIGN   sizeof(uint64_t)
#define TG_CALL_SIZE    ((sizeof(tg_call_t) + TG_CALL_ALIGN - 1)              \
                         & ~(TG_CALL_ALIGN - 1))


static void *
tg_call_alloc(void *data, size_t size)
{
    tg_call_t  *call = data;
    char       *p = call->free;
    size_t      whole = (size + TG_CALL_ALIGN - 1) & ~(TG_CALL_ALIGN - 1);

    if (whole < size || whole > (size_t) (call->free_end - p)) {
        return tg_alloc(call->host_mem, size);
    }

    call->free = p + whole;

    return p;
}


/* The call and, in the usual case, all that it will need: asked for once. */
static tg_call_t *
tg_call_chunk(tg_mem_t *mem)
{
    tg_call_t  *call = tg_alloc(mem, TG_CALL_CHUNK);

    if (call == NULL) {
        return NULL;
    }

    memset(call, 0, sizeof(tg_call_t));

    call->host_mem = mem;
    call->free = (char *) call + TG_CALL_SIZE;
    call->free_end = (char *) call + TG_CALL_CHUNK;
    call->own.alloc = tg_call_alloc;
    call->own.pool = call;
    call->mem = &call->own;

    return call;
}


static tg_str_t *
tg_call_strs(tg_call_t *call, unsigned n)
{
    return tg_zalloc(call->mem, n * sizeof(tg_str_t));
}


tg_call_t *
tg_call_create(tg_mem_t *mem, const tg_conf_t *conf, const tg_scope_t *scope,
    const tg_host_t *host, void *req, const tg_call_head_t *head,
    tg_id_source_t *ids, const tg_now_t *now)
{
    uint64_t    tick = tg_tick();
    tg_call_t  *call = tg_call_chunk(mem);

    if (call == NULL) {
        return NULL;
    }

    call->begun = tick;

    call->conf = conf;
    call->scope = scope;
    call->host = host;
    call->req = req;
    call->head = *head;
    call->start = *now;
    call->attempts = 1;

    tg_id_make(ids, now->wall_ms, call->id);

    if (conf->ntags != 0) {
        call->tags = tg_call_strs(call, conf->ntags);
        if (call->tags == NULL) {
            return NULL;
        }
    }

    if (conf->nfields != 0) {
        call->fields = tg_call_strs(call, conf->nfields);
        if (call->fields == NULL) {
            return NULL;
        }
    }

    if (scope->pass == 1) {
        call->head.upstream = tg_str_null;

    } else {
        call->provider = tg_conf_provider(conf, head->upstream);
    }

    tg_dialect_recognise(&call->asked, call->mem, head->method, head->path,
                         head->args, call->head.upstream,
                         call->provider ? call->provider->vendor : NULL);
    call->dialect = call->asked;

    call->request = tg_request_create(call->mem, &call->asked,
                                      head->content_type,
                                      head->content_encoding, conf->fields,
                                      call->fields);

    if (call->request == NULL) {
        return NULL;
    }

    if (conf->prefix.ready) {
        tg_request_prefix(call->request, conf->prefix.key);
    }

    return call;
}


bool
tg_call_wants_body(const tg_call_t *call)
{
    return tg_api_json(call->asked.api) || tg_api_multipart(call->asked.api)
           || call->conf->nfields != 0 || call->scope->pass == 1;
}


void
tg_call_body(tg_call_t *call, const char *p, size_t n)
{
    uint64_t  tick = tg_tick();

    if (call->pass != NULL && call->pass->hash) {
        call->pass->crc = tg_crc32(call->pass->crc, p, n);
    }

    (void) tg_request_feed(call->request, p, n);
    tg_call_step(call, tick);
}


void
tg_refusal_header(tg_refusal_t *refusal, tg_str_t name, tg_str_t value)
{
    tg_header_t  *h = &refusal->headers[refusal->nheaders];

    if (refusal->nheaders < TG_REFUSAL_HEADERS_MAX && value.len != 0) {
        h->name = name;
        h->value = value;
        refusal->nheaders++;
    }
}


static void
tg_call_refusal(tg_call_t *call, tg_refusal_t *refusal, unsigned status,
    tg_str_t type, tg_str_t message)
{
    char    *buf = tg_alloc(call->mem, TG_REFUSAL_MAX);
    size_t   n = 0;

    if (buf != NULL) {
        n = tg_error_body(buf, TG_REFUSAL_MAX, tg_call_shape(call), status,
                          type, message);
    }

    refusal->status = status;
    refusal->body = tg_str_of(buf, n);
    refusal->nheaders = 0;

    if (tg_api_shape(call->asked.api) == TG_SHAPE_BEDROCK) {
        tg_refusal_header(refusal, tg_str("x-amzn-errortype"),
                          tg_error_aws_type(status));
    }
}


/*
 * Refuses, or says that it would have.  The rule is the line's llm.rule and
 * the answer's error type.
 */
int
tg_call_refuse(tg_call_t *call, tg_refusal_t *refusal, unsigned status,
    tg_str_t rule, tg_str_t message)
{
    call->rule = rule;
    call->reason = tg_dup(call->mem, message);

    if (call->scope->enable == TG_DRY_RUN) {
        call->would_refuse = true;
        return TG_OK;
    }

    return tg_call_turn_away(call, refusal, status, rule, message);
}


int
tg_call_turn_away(tg_call_t *call, tg_refusal_t *refusal, unsigned status,
    tg_str_t rule, tg_str_t message)
{
    call->rule = rule;
    call->reason = tg_dup(call->mem, message);
    call->refused = true;
    tg_call_refusal(call, refusal, status, rule, message);

    return TG_ERROR;
}


static int
tg_call_missing_tag(tg_call_t *call, const tg_tag_t *tag,
    tg_refusal_t *refusal)
{
    char       buf[512];
    tg_text_t  t;

    tg_text_init(&t, buf, sizeof(buf));
    tg_put_lit(&t, "this call lacks its ");
    tg_put_str(&t, tag->name);
    tg_put_lit(&t, ", which is required here; send it as ");
    tg_put_str(&t, tag->from);

    return tg_call_refuse(call, refusal, 400, tg_str("missing_attribution"),
                          tg_str_of(buf, (size_t) (t.p - buf)));
}


/* A path of no API. */
static int
tg_call_stray(tg_call_t *call, tg_refusal_t *refusal)
{
    if (call->scope->reject_unknown) {
        return tg_call_refuse(call, refusal, 403, tg_str("unknown_operation"),
                              tg_str("this path is of no API that is"
                                     " metered here"));
    }

    /* In metering alone there is nothing that it could get round. */

    if (call->pass != NULL
        && tg_dialect_devious(call->head.method, call->head.path))
    {
        return tg_call_refuse(call, refusal, 400, tg_str("ambiguous_path"),
                              tg_str("not every server reads this path alike;"
                                     " write it as the API's documentation"
                                     " does"));
    }

    return TG_OK;
}


/* The body is complete: all that does not depend on what others do. */
static int
tg_call_judge(tg_call_t *call, tg_refusal_t *refusal)
{
    int                rc = tg_request_finish(call->request);
    const tg_tag_t    *missing;
    const tg_error_t  *error;

    missing = tg_call_resolve_tags(call);

    if (rc != TG_OK) {
        error = tg_request_error(call->request);
        return tg_call_refuse(call, refusal, 400, tg_str("invalid_request"),
                              tg_strz(error->message));
    }

    if (missing != NULL) {
        return tg_call_missing_tag(call, missing, refusal);
    }

    if (tg_api_op(call->dialect.api) == TG_OP_UNKNOWN
        && tg_call_stray(call, refusal) != TG_OK)
    {
        return TG_ERROR;
    }

    if (call->pass != NULL) {
        tg_call_who(call);

        if (tg_call_may(call, refusal) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* Where it goes, and what it says there. */
static int
tg_call_direct(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal)
{
    return tg_call_plan(call, gate, now->wall_ms, refusal) == TG_OK
           ? tg_call_planned(call, refusal) : TG_ERROR;
}


static int
tg_call_let_go(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal)
{
    int  rc = TG_OK;

    if (!call->admitted) {
        call->admitted = true;

        if (tg_call_judge(call, refusal) != TG_OK
            || tg_call_guard(call, gate, now, refusal) != TG_OK
            || tg_call_direct(call, gate, now, refusal) != TG_OK)
        {
            return TG_ERROR;
        }

    } else if (call->pass == NULL || call->pass->wait_ms == 0
               || call->pass->asking)
    {
        return TG_OK;
    }

    if (call->pass != NULL) {
        rc = tg_call_hold(call, gate, now, refusal);
    }

    return tg_call_admitted(call, rc, now, refusal);
}


int
tg_call_admit(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal)
{
    int       rc;
    uint64_t  tick = tg_tick();

    rc = tg_call_let_go(call, gate, now, refusal);
    tg_call_step(call, tick);

    return rc;
}


void
tg_call_upstream(tg_call_t *call, tg_str_t host, unsigned attempts)
{
    if (attempts > call->attempts) {
        call->attempts = attempts;
    }

    if (call->scope->pass == 1) {
        return;
    }

    if (host.len != 0 && !tg_str_eq(call->head.upstream, host)) {
        call->head.upstream = host;
        call->provider = tg_conf_provider(call->conf, host);
        tg_dialect_upstream(&call->dialect, host,
                            call->provider ? call->provider->vendor : NULL);
    }
}


static void
tg_call_answer_begin(tg_call_t *call, unsigned status, tg_str_t content_type,
    bool cached)
{
    if (call->answer != NULL || call->finished) {
        return;
    }

    call->cached = cached;
    tg_call_answered(call, status);
    call->answer = tg_answer_create_with(call->admitted
                                         ? tg_request_scanner(call->request)
                                         : NULL, call->mem, &call->dialect,
                                         tg_request_info(call->request),
                                         status, content_type);

    if (tg_call_translates(call, status, content_type)) {
        return;
    }

    if (call->answer == NULL) {
        call->strip = NULL;
        return;
    }

    if (call->strip != NULL) {

        /* Only an event stream carries the chunk that was asked for. */
        if (status == 200 && content_type.len >= 17
            && tg_str_caseeq(tg_str_of(content_type.p, 17),
                             tg_str("text/event-stream")))
        {
            tg_answer_on_event(call->answer, tg_strip_event, call->strip);

        } else {
            call->strip = NULL;
        }
    }
}


void
tg_call_answer(tg_call_t *call, unsigned status, tg_str_t content_type,
    bool cached)
{
    /* To read the clock would take as long: no part of the overhead. */

    tg_call_answer_begin(call, status, content_type, cached);
}


void
tg_call_unanswered(tg_call_t *call)
{
    call->unanswered = true;
}


bool
tg_call_wants_headers(const tg_call_t *call)
{
    return call->answer != NULL
           && tg_api_shape(call->dialect.api) == TG_SHAPE_BEDROCK;
}


void
tg_call_answer_header(tg_call_t *call, tg_str_t name, tg_str_t value)
{
    if (call->answer != NULL) {
        tg_answer_header(call->answer, name, value);
    }
}


void
tg_call_answer_hidden(tg_call_t *call)
{
    if (call->answer != NULL) {
        tg_answer_hide(call->answer);
    }
}


bool
tg_call_streams(const tg_call_t *call)
{
    return call->answer != NULL
           && (tg_answer_info(call->answer)->stream
               || tg_request_info(call->request)->stream);
}


bool
tg_call_alters(const tg_call_t *call)
{
    return call->strip != NULL || tg_call_is_foreign(call);
}


bool
tg_call_must_read(const tg_call_t *call)
{
    const tg_hop_t  *hop = tg_call_hop(call);

    return hop != NULL && hop->whole;
}


bool
tg_call_gathers(const tg_call_t *call)
{
    return tg_call_is_foreign(call) && call->routing->translator != NULL
           && tg_translator_whole(call->routing->translator);
}


static void
tg_call_take(tg_call_t *call, const char *p, size_t n, const tg_now_t *now)
{
    if (call->finished || n == 0) {
        return;
    }

    if (call->first_ns == 0) {
        call->first_ns = now->mono_ns;
    }

    if (call->answer != NULL) {
        tg_answer_feed(call->answer, p, n);
    }
}


void
tg_call_feed(tg_call_t *call, const char *p, size_t n, const tg_now_t *now)
{
    uint64_t  tick = tg_tick();

    tg_call_take(call, p, n, now);
    tg_call_step(call, tick);
}


static int
tg_call_pass_on(tg_call_t *call, const char *p, size_t n, const tg_now_t *now,
    tg_out_t out, void *data)
{
    tg_translator_t  *tr;

    if (tg_call_is_foreign(call)) {
        tr = call->routing->translator;
        tg_call_take(call, p, n, now);
        return tr == NULL ? TG_ERROR
               : tg_translator_feed(tr, p, n, out, data);
    }

    if (call->strip == NULL) {
        tg_call_take(call, p, n, now);
        return n == 0 || out(data, p, n) == 0 ? TG_OK : TG_ERROR;
    }

    call->out = out;
    call->out_data = data;

    tg_strip_begin(call->strip, p, n);
    tg_call_take(call, p, n, now);

    return tg_strip_end(call->strip);
}


int
tg_call_filter(tg_call_t *call, const char *p, size_t n, const tg_now_t *now,
    tg_out_t out, void *data)
{
    int       rc;
    uint64_t  tick = tg_tick();

    rc = tg_call_pass_on(call, p, n, now, out, data);
    tg_call_step(call, tick);

    return rc;
}


int
tg_call_filter_end(tg_call_t *call, tg_out_t out, void *data)
{
    if (tg_call_is_foreign(call)) {
        return call->routing->translator == NULL ? TG_ERROR
               : tg_translator_end(call->routing->translator, out, data);
    }

    if (call->strip == NULL) {
        return TG_OK;
    }

    call->out = out;
    call->out_data = data;

    tg_strip_begin(call->strip, "", 0);
    tg_answer_finish(call->answer);

    return tg_strip_finish(call->strip);
}


bool
tg_call_gratis(const tg_call_t *call)
{
    switch (tg_api_op(call->dialect.api)) {
    case TG_OP_COUNT_TOKENS:
    case TG_OP_BATCH:
    case TG_OP_RETRIEVE:
    case TG_OP_MODELS:
        return true;
    default:
        return false;
    }
}


tg_str_t
tg_call_model(const tg_call_t *call)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    return info->model.len != 0 ? info->model : call->asked.model;
}


tg_str_t
tg_call_sent_model(const tg_call_t *call)
{
    const tg_routing_t  *routing = call->routing;

    return routing != NULL
           && routing->aims[routing->at].model.len != 0
           ? routing->aims[routing->at].model : tg_call_model(call);
}


tg_str_t
tg_call_price_vendor(const tg_call_t *call)
{
    const tg_provider_t  *pr = call->provider;

    return tg_vendor_name(pr != NULL && pr->price != NULL
                          ? pr->price : call->dialect.vendor);
}


bool
tg_call_models(const tg_call_t *call, unsigned i, tg_str_t *model)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    *model = tg_call_model(call);

    if (i == 0) {
        return true;
    }

    if (call->asked.model.len != 0
        && !tg_str_eq(call->asked.model, *model) && --i == 0)
    {
        *model = call->asked.model;
        return true;
    }

    if (i > info->nothers) {
        return false;
    }

    *model = info->others[i - 1];

    return true;
}


static const tg_price_t *
tg_call_find_price(const tg_call_t *call, const tg_price_book_t *book,
    const tg_answer_info_t *a)
{
    tg_str_t                  sent = tg_call_sent_model(call);
    tg_str_t                  vendor = tg_call_price_vendor(call);
    const tg_price_t         *price = NULL;

    if (tg_api_path_price(call->dialect.api) && sent.len != 0) {
        price = tg_price_find(book, vendor, sent);
    }

    if (price == NULL && a->model.len != 0) {
        price = tg_price_find(book, vendor, a->model);
    }

    if (price == NULL && sent.len != 0) {
        price = tg_price_find(book, vendor, sent);
    }

    if (price == NULL && call->dialect.model.len != 0) {
        price = tg_price_find(book, vendor, call->dialect.model);
    }

    return price;
}


tg_tier_t
tg_call_tier(const tg_request_info_t *info, const tg_answer_info_t *a)
{
    tg_said_t  fast = a->fast != TG_UNSAID ? a->fast : info->fast;
    tg_said_t  us = a->us != TG_UNSAID ? a->us : info->us;
    tg_tier_t  tier = tg_tier_parse(a->service_tier.len ? a->service_tier
                                                        : info->service_tier);

    if (fast == TG_SAID_SO) {
        tier = TG_TIER_FAST | (tier & TG_TIER_US);
    }

    return us == TG_SAID_SO ? tier | TG_TIER_US : tier;
}


static void
tg_call_price(tg_call_t *call, const tg_price_book_t *book,
    const tg_answer_info_t *a)
{
    const tg_request_info_t  *info = tg_request_info(call->request);
    const tg_price_t         *price = tg_call_find_price(call, book, a);
    tg_usage_t                cached;
    const tg_usage_t         *u = &a->usage;

    /* Without a price of its own a call may still have parts at other models. */
    if (price == NULL && a->usage.extra == NULL) {
        return;
    }

    if (call->cached) {
        cached = *u;
        cached.source = TG_USAGE_CACHED;
        u = &cached;
    }

    tg_price_cost(book, price, tg_call_price_vendor(call), u,
                  tg_call_tier(info, a), &call->cost);

    if (price != NULL) {
        call->price_id = tg_dup(call->mem, tg_price_id(price));
    }

    call->cost_known = price != NULL || call->cost.total != 0;
}


/* What it would have cost where a route's dry run would have sent it. */
static void
tg_call_price_dry(tg_call_t *call, const tg_price_book_t *book,
    const tg_answer_info_t *a)
{
    tg_cost_t          cost;
    tg_routing_t      *routing = call->routing;
    const tg_price_t  *price;

    if (routing == NULL || routing->dry == NULL || !call->cost_known
        || call->cached)
    {
        return;
    }

    price = tg_call_aim_price(call, &routing->dry_aim, book);

    if (price != NULL) {
        tg_price_cost(book, price, tg_call_price_vendor(call), &a->usage,
                      TG_TIER_STANDARD, &cost);
        routing->dry_known = true;
        routing->dry_saved = call->cost.total - cost.total;
    }
}


static void
tg_call_settle(tg_call_t *call, const tg_price_book_t *book)
{
    const tg_answer_info_t  *a = tg_call_answer_info(call);

    call->usage = &a->usage;
    call->source = (uint8_t) a->usage.source;

    if (a->usage.source == TG_USAGE_NONE) {
        return;
    }

    if (tg_call_gratis(call)) {
        call->cost_known = true;
        return;
    }

    if (call->cached) {
        call->source = TG_USAGE_CACHED;
        call->cost_known = true;
    }

    if (book != NULL) {
        tg_call_price(call, book, a);
    }

    /* What the provider says it charged is the bill. */
    if (a->usage.provider_cost >= 0 && !call->cached) {
        call->cost.total = a->usage.provider_cost;
        call->cost_known = true;
        call->cost_by_provider = true;
    }

    if (book != NULL) {
        tg_call_price_dry(call, book, a);
    }
}


/* What a look at it later says of its usage is no bill, lest each look be one;
 * nor is nothing one where it could not be read. */
static bool
tg_call_goes_on(const tg_call_t *call)
{
    return call->answer != NULL && !tg_call_gratis(call) && !call->cached
           && (tg_answer_goes_on(call->answer)
               || tg_answer_hidden(call->answer));
}


void
tg_call_finish(tg_call_t *call, tg_end_t end, unsigned status,
    const tg_gate_t *gate, const tg_now_t *now)
{
    uint64_t  tick = tg_tick();

    if (call->finished) {
        return;
    }

    /* The provider has the prompt, and does not know that nobody listens. */

    if (call->answer == NULL && call->seen == NULL
        && (call->unanswered
            || (end == TG_END_CLIENT && call->pass != NULL
                && call->pass->sent)))
    {
        if (call->routing != NULL) {
            call->routing->judged = true;       /* it has not answered */
        }

        tg_call_answer_begin(call, 200, tg_str("application/json"), false);
    }

    if (call->answer != NULL) {
        tg_answer_finish(call->answer);
        tg_call_estimate(call, gate);
    }

    if (call->answer != NULL || call->seen != NULL) {
        tg_call_settle(call, gate->book);
        tg_call_learn(call, gate);
    }

    if (call->pass != NULL
        && (end == TG_END_SHUTDOWN || tg_call_goes_on(call)))
    {
        tg_call_cut_off(call);
    }

    call->finished = true;
    call->end = (uint8_t) end;
    call->end_ns = now->mono_ns;
    call->status = status != 0 ? status
                   : end == TG_END_CLIENT ? TG_HTTP_CLIENT_CLOSED : 500;

    tg_call_lost(call, gate, now);
    tg_call_gpu_settle(call, gate);

    if (call->pass != NULL) {
        tg_call_give_back(call, gate, now);
    }

    tg_call_landed(call);
    tg_call_step(call, tick);
    tg_call_overhead(call, tick);

    if (gate->tally != NULL) {
        tg_call_count(call, gate->tally);
        tg_call_spend(call, gate, now);
    }
}


void
tg_call_free(tg_call_t *call)
{
    tg_call_landed(call);

    if (call->pass != NULL) {
        tg_roster_unref(call->pass->roster);
        call->pass->roster = NULL;
    }
}


bool
tg_call_finished(const tg_call_t *call)
{
    return call->finished;
}


tg_str_t
tg_call_tag(const tg_call_t *call, unsigned i)
{
    return call->tags[i];
}


tg_str_t
tg_call_id(const tg_call_t *call)
{
    return tg_str_of(call->id, TG_ID_LEN);
}
