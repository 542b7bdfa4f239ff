#include "tg_request_int.h"

static const tg_member_t  tg_no_member = {
    TG_JSON_NOWHERE, TG_JSON_NOWHERE, TG_JSON_NOWHERE, TG_JSON_NOWHERE,
    TG_JSON_NOWHERE
};


tg_error_t *
tg_request_fault(tg_request_t *r)
{
    if (r->error == NULL) {
        r->error = tg_alloc(r->mem, sizeof(tg_error_t));
    }

    return r->error;
}


static int
tg_request_open_json(tg_request_t *r, bool sniff)
{
    const tg_api_t         *api = r->d->api;
    const tg_json_paths_t  *paths;

    r->u.json = tg_alloc(r->mem, sizeof(tg_json_t));
    if (r->u.json == NULL) {
        return TG_ERROR;
    }

    paths = r->fields != NULL ? r->fields->paths[tg_api_index(api)]
                              : tg_api_request_paths(api);

    tg_json_init(r->u.json, paths, 0, tg_request_json, r);
    r->body = sniff ? TG_BODY_SNIFF : TG_BODY_JSON;

    return TG_OK;
}


static int
tg_request_open_form(tg_request_t *r, tg_str_t type)
{
    if (!(r->d->api->flags & TG_API_MULTIPART)) {
        return TG_OK;
    }

    r->u.multipart = tg_alloc(r->mem, sizeof(tg_multipart_t));
    if (r->u.multipart == NULL) {
        return TG_ERROR;
    }

    if (tg_multipart_init(r->u.multipart, type, tg_request_form, r) == TG_OK) {
        r->body = TG_BODY_MULTIPART;
    }

    return TG_OK;
}


/* What the headers say of the body. */
static int
tg_request_open(tg_request_t *r, tg_str_t type, tg_str_t encoding)
{
    size_t    n = 0;
    char      buf[64];
    tg_str_t  lower;

    if (encoding.len != 0 && !tg_str_caseeq(encoding, tg_str("identity"))) {
        return TG_OK;
    }

    r->optional = !(r->d->api->flags & TG_API_JSON);
    r->json = tg_str_eq(type, tg_str("application/json"));

    if (!r->json) {

        while (n < type.len && n < sizeof(buf) && type.p[n] != ';') {
            buf[n] = tg_lower(type.p[n]);
            n++;
        }

        lower = tg_str_of(buf, n);

        if (tg_str_match(lower, tg_str("multipart/*"))) {
            r->optional = false;
            return tg_request_open_form(r, type);
        }

        r->json = tg_str_match(lower, tg_str("*json*"));

        if (r->optional && !r->json) {
            return TG_OK;
        }
    }

    return tg_request_open_json(r, !r->json && n != 0);
}


tg_request_t *
tg_request_create(tg_mem_t *mem, const tg_dialect_t *d, tg_str_t content_type,
    tg_str_t content_encoding, const tg_request_fields_t *fields,
    tg_str_t *values)
{
    tg_request_t  *r = tg_alloc(mem, sizeof(tg_request_t));

    if (r == NULL) {
        return NULL;
    }

    memset(r, 0, sizeof(tg_request_t));

    r->mem = mem;
    r->d = d;
    r->fields = fields;
    r->values = fields != NULL ? values : NULL;
    r->info.model = d->model;
    r->info.stream = d->stream || (d->api->flags & TG_API_BY_DEFAULT);
    r->info.max_tokens = -1;
    r->info.thinking_budget = -1;
    r->info.n = 1;
    r->info.elsewhere = (d->api->flags & TG_API_STORED) != 0;
    r->max_calls = -1;
    r->info.model_member = tg_no_member;
    r->info.stream_options_member = tg_no_member;
    r->info.limits_member = tg_no_member;
    r->info.root_end = TG_JSON_NOWHERE;

    if (r->values != NULL && fields->n != 0) {
        memset(r->values, 0, fields->n * sizeof(tg_str_t));
    }

    return tg_request_open(r, content_type, content_encoding) == TG_OK ? r
                                                                       : NULL;
}


tg_json_t *
tg_request_scanner(tg_request_t *r)
{
    tg_json_t  *json = NULL;

    if (r->body == TG_BODY_JSON || r->body == TG_BODY_SNIFF) {
        json = r->u.json;
        r->closed = true;
    }

    return json;
}


/* Notes whether the root is {} and, where the type is in doubt, whether it is
 * an object at all. */
static void
tg_request_sniff(tg_request_t *r, const char *p, size_t n)
{
    for (size_t i = 0; i < n && r->root < 2; i++) {
        if (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r') {
            continue;
        }

        if (r->root == 0 && p[i] != '{') {
            if (r->body == TG_BODY_SNIFF) {
                r->body = TG_BODY_NONE;
            }
            r->root = 2;
            return;
        }

        r->info.root_empty = r->root == 1 && p[i] == '}';
        r->root++;
    }

    if (r->root != 0 && r->body == TG_BODY_SNIFF) {
        r->body = TG_BODY_JSON;
    }
}


static int
tg_request_json_error(tg_request_t *r)
{
    tg_json_t  *s = r->u.json;

    if (r->failed) {
        return r->optional ? TG_OK : TG_ERROR;      /* the handler stopped it */
    }

    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return TG_OK;
    }

    return tg_error(tg_request_fault(r), (int) s->error, s->error_offset,
                    "request body is not valid JSON at byte %llu: %s",
                    (unsigned long long) s->error_offset,
                    tg_json_strerror(s->error));
}


static int
tg_request_form_error(tg_request_t *r)
{
    tg_multipart_t  *m = r->u.multipart;

    if (r->failed) {
        return TG_ERROR;
    }

    /* not a form at all: nothing was read that might be read otherwise */

    if (!r->parts) {
        r->body = TG_BODY_NONE;
        return TG_OK;
    }

    r->failed = true;

    return tg_error(tg_request_fault(r), TG_REQUEST_ERROR_MULTIPART, m->offset,
                    "request body is not a valid form at byte %llu: %s",
                    (unsigned long long) m->offset,
                    m->error != NULL ? m->error : "malformed");
}


int
tg_request_feed(tg_request_t *r, const char *p, size_t n)
{
    int  rc = TG_OK;

    if (r->failed || r->closed) {
        r->info.bytes += n;
        return r->optional || !r->failed ? TG_OK : TG_ERROR;
    }

    if (r->root < 2
        && (r->body == TG_BODY_JSON || r->body == TG_BODY_SNIFF))
    {
        tg_request_sniff(r, p, n);
    }

    if (r->body == TG_BODY_MULTIPART) {
        if (tg_multipart_feed(r->u.multipart, p, n) != TG_OK) {
            rc = tg_request_form_error(r);
        }

    } else if (r->body != TG_BODY_NONE) {
        if (r->prefix != NULL) {
            tg_request_prefix_begin(r, p);
        }

        if (tg_json_feed(r->u.json, p, n) != TG_OK) {
            rc = tg_request_json_error(r);

        } else if (r->prefix != NULL) {
            tg_request_prefix_cut(r, n);
        }
    }

    r->info.bytes += n;

    if (r->failed) {
        return r->optional ? TG_OK : TG_ERROR;
    }

    return rc;
}


int
tg_request_finish(tg_request_t *r)
{
    r->info.own_prompt = (r->d->vendor->quirks & TG_QUIRK_OWN_PROMPT) != 0;

    if (r->failed) {
        return r->optional ? TG_OK : TG_ERROR;
    }

    if (r->info.bytes == 0 || r->closed) {
        return TG_OK;           /* a GET, a cancellation */
    }

    switch (r->body) {

    case TG_BODY_NONE:
        return TG_OK;

    case TG_BODY_MULTIPART:
        if (tg_multipart_finish(r->u.multipart) != TG_OK) {
            return tg_request_form_error(r);
        }
        return TG_OK;

    default:
        if (tg_json_finish(r->u.json) != TG_OK) {
            return tg_request_json_error(r);
        }
        return r->failed && !r->optional ? TG_ERROR : TG_OK;
    }
}


const tg_request_info_t *
tg_request_info(const tg_request_t *r)
{
    return &r->info;
}


const tg_error_t *
tg_request_error(const tg_request_t *r)
{
    static const tg_error_t  exhausted = {
        TG_REQUEST_ERROR_MEMORY, 0,
        "out of memory while reading the request body"
    };

    static const tg_error_t  none;

    if (r->optional) {
        return &none;
    }

    return r->error != NULL ? r->error : r->failed ? &exhausted : &none;
}


bool
tg_request_inspected(const tg_request_t *r)
{
    return r->info.bytes == 0
           || (r->body != TG_BODY_NONE && r->body != TG_BODY_SNIFF
               && !r->failed);
}
