#include "tg_dialect_int.h"
#include "tg_money.h"
#include "tg_request.h"

#define TG_FIELDS_MAX      32
#define TG_STR_KEPT        256

/* An id of a want is the API's own, and the operator's field in the high byte
 * (0: none). */
#define TG_FIELD_SHIFT     8
#define TG_ID(id)          ((id) & 0xff)
#define TG_FIELD(id)       ((id) >> TG_FIELD_SHIFT)

struct tg_request_fields_s {
    size_t                  n;
    uint8_t                 same[TG_FIELDS_MAX];    /* the first of its path */
    tg_str_t                path[TG_FIELDS_MAX];
    const tg_json_paths_t  *paths[TG_APIS_MAX];
};

typedef enum {
    TG_BODY_NONE = 0,       /* not looked at */
    TG_BODY_SNIFF,          /* JSON, if it begins so */
    TG_BODY_JSON,
    TG_BODY_MULTIPART
} tg_body_t;

struct tg_request_s {
    tg_request_info_t           info;
    tg_error_t                  error;
    tg_mem_t                   *mem;
    const tg_dialect_t         *d;
    const tg_request_fields_t  *fields;
    tg_str_t                   *values;
    tg_body_t                   body;
    bool                        failed;
    bool                        parts;      /* a part of a form was read */
    bool                        optional;   /* what can't be read is passed */
    bool                        json;       /* declared as JSON */
    uint8_t                     root;       /* 1 behind {, 2 behind another */
    uint8_t                     role;       /* of the message: 1 system */
    uint64_t                    message_text;
    uint64_t                    seen;       /* ids that must be one */
    union {
        tg_json_t               json;
        tg_multipart_t          multipart;
    } u;
};


static const tg_member_t  tg_no_member = {
    TG_JSON_NOWHERE, TG_JSON_NOWHERE, TG_JSON_NOWHERE, TG_JSON_NOWHERE,
    TG_JSON_NOWHERE
};


/* The wants of an API with the operator's merged in; NULL on error. */
static const tg_json_paths_t *
tg_fields_compile(tg_mem_t *mem, const tg_request_fields_t *f,
    const tg_api_t *api, tg_error_t *err)
{
    tg_json_want_t  wants[TG_WANTS_MAX];
    ptrdiff_t       n = tg_wants_gather(api->request, wants,
                                        TG_WANTS_MAX - TG_FIELDS_MAX);
    size_t          total, k;

    if (n < 0) {
        (void) tg_error(err, 0, 0, "too many fields");
        return NULL;
    }

    total = (size_t) n;

    for (size_t i = 0; i < f->n; i++) {
        if (f->same[i] != i) {
            continue;
        }

        for (k = 0; k < (size_t) n; k++) {
            if (strcmp(wants[k].path, f->path[i].p) == 0) {
                wants[k].options &= (uint16_t) ~(TG_JSON_COUNT | TG_JSON_TEXT);
                break;
            }
        }

        if (k == (size_t) n) {
            k = total++;
            wants[k].path = f->path[i].p;
            wants[k].id = TG_R_NONE;
            wants[k].options = 0;
        }

        wants[k].id = (uint16_t) (wants[k].id
                                  | (i + 1) << TG_FIELD_SHIFT);
    }

    return tg_json_paths(mem, wants, total, err);
}


tg_request_fields_t *
tg_request_fields(tg_mem_t *mem, const tg_str_t *paths, size_t n,
    tg_error_t *err)
{
    tg_request_fields_t  *f = tg_zalloc(mem, sizeof(tg_request_fields_t));
    size_t                k;

    if (n > TG_FIELDS_MAX) {
        (void) tg_error(err, 0, 0, "more than %d fields of the request",
                        TG_FIELDS_MAX);
        return NULL;
    }

    if (f == NULL) {
        (void) tg_error(err, 0, 0, "out of memory");
        return NULL;
    }

    f->n = n;

    for (size_t i = 0; i < n; i++) {
        f->path[i].p = tg_dupz(mem, paths[i]);
        f->path[i].len = paths[i].len;

        if (f->path[i].p == NULL) {
            (void) tg_error(err, 0, 0, "out of memory");
            return NULL;
        }

        for (k = 0; !tg_str_eq(f->path[k], f->path[i]); k++) { /* void */ }

        f->same[i] = (uint8_t) k;
    }

    for (size_t i = 0; i < tg_apis(); i++) {
        f->paths[i] = tg_fields_compile(mem, f, tg_api_at(i), err);

        if (f->paths[i] == NULL) {
            return NULL;
        }
    }

    return f;
}


static int
tg_request_fail(tg_request_t *r, int code, uint64_t offset, const char *why)
{
    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return TG_OK;
    }

    return tg_error(&r->error, code, offset, "%s", why);
}


static tg_str_t
tg_request_keep(tg_request_t *r, tg_str_t s)
{
    tg_str_t  copy;

    if (s.len > TG_STR_KEPT) {
        s.len = TG_STR_KEPT;
    }

    copy = tg_dup(r->mem, s);

    if (copy.p == NULL) {
        (void) tg_request_fail(r, TG_REQUEST_ERROR_MEMORY, r->info.bytes,
                               "out of memory while reading the request body");
    }

    return copy;
}


/* A value of the wrong type where what is forwarded would be misjudged. */
static int
tg_request_type(tg_request_t *r, uint64_t offset, const char *name,
    const char *type)
{
    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return 1;
    }

    (void) tg_error(&r->error, TG_REQUEST_ERROR_TYPE, offset,
                    "\"%s\" in the request body is not %s, at byte %llu",
                    name, type, (unsigned long long) offset);
    return 1;
}


static int
tg_request_duplicate(tg_request_t *r, unsigned id, uint64_t offset)
{
    static const char *const  names[] = {
        [TG_R_MODEL] = "model", [TG_R_STREAM] = "stream",
        [TG_R_STREAM_OPTIONS] = "stream_options",
        [TG_R_INCLUDE_USAGE] = "include_usage",
        [TG_R_BACKGROUND] = "background",
        [TG_R_MAX_TOKENS] = "the largest number of tokens",
        [TG_R_N] = "the number of answers",
        [TG_R_TIER] = "service_tier"
    };

    if (id >= sizeof(names) / sizeof(names[0]) || names[id] == NULL) {
        return 0;
    }

    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return 1;
    }

    (void) tg_error(&r->error, TG_REQUEST_ERROR_DUPLICATE, offset,
                    "request body has %s twice, at byte %llu",
                    names[id], (unsigned long long) offset);
    return 1;
}


static void
tg_request_part(tg_request_t *r, tg_str_t type)
{
    static const tg_str_t  image[] = {
        TG_STR("image*"), TG_STR("input_image"), TG_STR("document*"),
        TG_STR("video*"), TG_STR("input_file"), TG_STR("file")
    };

    for (size_t i = 0; i < sizeof(image) / sizeof(image[0]); i++) {
        if (tg_str_match(type, image[i])) {
            r->info.has_images = true;
            return;
        }
    }

    if (tg_str_match(type, tg_str("*audio*"))) {
        r->info.has_audio = true;
    }
}


static void
tg_request_text(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.text_bytes += ev->raw_len;
        r->message_text += ev->raw_len;
    }
}


/* One string is one input; a list of numbers is the tokens of one. */
static void
tg_request_input(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.messages++;
        r->info.text_bytes += ev->raw_len;

    } else if (ev->type == TG_JSON_OBJECT) {
        r->info.messages++;

    } else if (ev->type == TG_JSON_NUMBER) {
        if (ev->index == 0) {
            r->info.messages++;
        }
        r->info.text_bytes += 4;
    }
}


static void
tg_request_message(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_OBJECT) {
        r->info.messages++;
        r->role = 0;
        r->message_text = 0;

    } else if (ev->type == TG_JSON_OBJECT_END) {
        if (r->role == 1) {
            r->info.system_bytes += r->message_text;
        }

    } else if (ev->type == TG_JSON_STRING) {
        r->info.messages++;
        r->info.text_bytes += ev->raw_len;
    }
}


/* Several names may be there for one number: the larger holds. */
static void
tg_request_number(int64_t *to, const tg_json_event_t *ev)
{
    int64_t  v;

    if (ev->type == TG_JSON_NUMBER || ev->type == TG_JSON_STRING) {
        v = tg_str_int(ev->value);
        if (v < 0) {
            v = tg_money_parse(ev->value, 0);
        }
        if (v > *to) {
            *to = v;
        }
    }
}


static int
tg_request_model(tg_request_t *r, const tg_json_event_t *ev)
{
    switch (ev->type) {

    case TG_JSON_STRING:
        if (ev->truncated) {
            return tg_request_type(r, ev->start, "model", "a short string");
        }

        if (!(r->d->api->flags & TG_API_PATH_MODEL)
            || r->info.model.len == 0)
        {
            r->info.model = tg_request_keep(r, ev->value);
        }
        return r->failed;

    case TG_JSON_NULL:
        return 0;

    default:
        return tg_request_type(r, ev->start, "model", "a string");
    }
}


static int
tg_request_bool(tg_request_t *r, const tg_json_event_t *ev, bool *to,
    const char *name)
{
    switch (ev->type) {

    case TG_JSON_TRUE:
        *to = true;
        return 0;

    case TG_JSON_FALSE:
        *to = false;
        return 0;

    case TG_JSON_NULL:
        return 0;

    default:
        return tg_request_type(r, ev->start, name, "true or false");
    }
}


static void
tg_request_member(tg_member_t *m, const tg_json_event_t *ev)
{
    m->key = ev->key;
    m->start = ev->start;
    m->end = ev->end;
    m->comma = ev->comma;
    m->next = ev->next;
}


static int
tg_request_options(tg_request_t *r, const tg_json_event_t *ev)
{
    switch (ev->type) {

    case TG_JSON_OBJECT_END:
        r->info.stream_options_cut = ev->truncated;
        if (!ev->truncated) {
            r->info.stream_options = tg_request_keep(r, ev->value);
        }
        return r->failed;

    case TG_JSON_NULL:
        r->info.stream_options = tg_str("null");
        return 0;

    case TG_JSON_OBJECT:
        return 0;

    default:
        return tg_request_type(r, ev->start, "stream_options", "an object");
    }
}


/* For those that only take note. */
static void
tg_request_note(tg_request_t *r, unsigned id, const tg_json_event_t *ev)
{
    bool  begins = ev->type == TG_JSON_OBJECT || ev->type == TG_JSON_STRING;

    switch (id) {

    case TG_R_TEXT:
        tg_request_text(r, ev);
        break;

    case TG_R_SYSTEM:
        if (ev->type == TG_JSON_STRING) {
            r->info.text_bytes += ev->raw_len;
            r->info.system_bytes += ev->raw_len;
        }
        break;

    case TG_R_INPUT:
        tg_request_input(r, ev);
        break;

    case TG_R_MESSAGE:
        tg_request_message(r, ev);
        break;

    case TG_R_ROLE:
        if (tg_str_eq(ev->value, tg_str("system"))
            || tg_str_eq(ev->value, tg_str("developer")))
        {
            r->role = 1;
        }
        break;

    case TG_R_PART_TYPE:
        tg_request_part(r, ev->value);
        break;

    case TG_R_MIME:
        r->info.has_audio |= tg_str_match(ev->value, tg_str("audio/*"));
        r->info.has_images |= !tg_str_match(ev->value, tg_str("audio/*"))
                              && !tg_str_match(ev->value, tg_str("text/*"));
        break;

    case TG_R_IMAGE:
        r->info.has_images |= begins;
        break;

    case TG_R_AUDIO:
        r->info.has_audio |= begins;
        break;

    case TG_R_TOOL:
        r->info.has_tools |= begins;
        break;

    case TG_R_SCHEMA:
        r->info.has_schema |= begins;
        break;

    case TG_R_FORMAT:
        r->info.has_schema |= tg_str_eq(ev->value, tg_str("json_schema"));
        break;

    default:
        break;
    }
}


static int
tg_request_value(tg_request_t *r, unsigned id, const tg_json_event_t *ev)
{
    switch (id) {

    case TG_R_ROOT:
        if (ev->type == TG_JSON_OBJECT_END) {
            r->info.root_end = ev->end - 1;
        }
        return 0;

    case TG_R_MODEL:
        return tg_request_model(r, ev);

    case TG_R_STREAM:
        return tg_request_bool(r, ev, &r->info.stream, "stream");

    case TG_R_STREAM_OPTIONS:
        return tg_request_options(r, ev);

    case TG_R_INCLUDE_USAGE:
        return tg_request_bool(r, ev, &r->info.include_usage,
                               "include_usage");

    case TG_R_BACKGROUND:
        return tg_request_bool(r, ev, &r->info.background, "background");

    case TG_R_MAX_TOKENS:
        tg_request_number(&r->info.max_tokens, ev);
        return 0;

    case TG_R_N:
        tg_request_number(&r->info.n, ev);
        return 0;

    case TG_R_THINKING:
        tg_request_number(&r->info.thinking_budget, ev);
        return 0;

    case TG_R_TIER:
        if (ev->type == TG_JSON_STRING) {
            r->info.service_tier = tg_request_keep(r, ev->value);
        }
        return r->failed;

    case TG_R_USER:
        if (ev->type == TG_JSON_STRING && r->info.user.len == 0) {
            r->info.user = tg_request_keep(r, ev->value);
        }
        return r->failed;

    default:
        tg_request_note(r, id, ev);
        return 0;
    }
}


static void
tg_request_field(tg_request_t *r, unsigned k, tg_str_t value)
{
    tg_str_t  copy;

    if (r->values == NULL || r->values[k].p != NULL) {
        return;
    }

    copy = tg_request_keep(r, value);

    for (size_t i = k; i < r->fields->n; i++) {
        if (r->fields->same[i] == k) {
            r->values[i] = copy;
        }
    }
}


static int
tg_request_json(void *data, const tg_json_event_t *ev)
{
    tg_request_t  *r = data;
    unsigned       id = TG_ID(ev->id), field = TG_FIELD(ev->id);

    switch (ev->type) {

    case TG_JSON_END_DOC:
        return 0;

    case TG_JSON_DUPLICATE:
        return tg_request_duplicate(r, id, ev->key);

    case TG_JSON_MEMBER_RANGE:
        if (id == TG_R_MODEL) {
            tg_request_member(&r->info.model_member, ev);

        } else if (id == TG_R_STREAM_OPTIONS) {
            tg_request_member(&r->info.stream_options_member, ev);
        }
        return 0;

    default:
        break;
    }

    if (field != 0) {
        switch (ev->type) {
        case TG_JSON_STRING:
        case TG_JSON_NUMBER:
            tg_request_field(r, field - 1, ev->value);
            break;
        case TG_JSON_TRUE:
            tg_request_field(r, field - 1, tg_str("true"));
            break;
        case TG_JSON_FALSE:
            tg_request_field(r, field - 1, tg_str("false"));
            break;
        default:
            break;
        }
    }

    return r->failed || tg_request_value(r, id, ev);
}


/* A form's field is read as the JSON member of its name would be. */
static int
tg_request_form(void *data, const tg_multipart_part_t *part)
{
    tg_request_t     *r = data;
    tg_json_event_t   ev;
    tg_json_want_t    wants[TG_WANTS_MAX];
    ptrdiff_t         n;
    bool              known;

    r->parts = true;

    if (part->file) {
        r->info.has_audio |= r->d->api->op == TG_OP_TRANSCRIPTION;
        r->info.has_images |= r->d->api->op == TG_OP_IMAGE;
        return 0;
    }

    memset(&ev, 0, sizeof(ev));
    ev.type = TG_JSON_STRING;
    ev.value = part->value;
    ev.raw_len = part->size;
    ev.truncated = part->size > part->value.len;
    ev.start = ev.key = r->info.bytes;

    for (size_t i = 0; r->fields != NULL && i < r->fields->n; i++) {
        if (r->fields->same[i] == i && tg_str_eq(r->fields->path[i],
                                                 part->name))
        {
            tg_request_field(r, (unsigned) i, part->value);
        }
    }

    n = tg_wants_gather(r->d->api->request, wants, TG_WANTS_MAX);

    for (ptrdiff_t i = 0; i < n; i++) {
        if (!tg_str_eq(tg_strz(wants[i].path), part->name)) {
            continue;
        }

        known = (r->seen >> wants[i].id) & 1;
        r->seen |= UINT64_C(1) << wants[i].id;

        if (known && tg_request_duplicate(r, wants[i].id, ev.start)) {
            return 1;
        }

        if (wants[i].id == TG_R_STREAM) {
            ev.type = tg_str_caseeq(part->value, tg_str("true"))
                      || tg_str_eq(part->value, tg_str("1"))
                      ? TG_JSON_TRUE : TG_JSON_FALSE;
        }

        return r->failed || tg_request_value(r, wants[i].id, &ev);
    }

    return r->failed;
}


/* What the headers say of the body. */
static void
tg_request_open(tg_request_t *r, tg_str_t type, tg_str_t encoding)
{
    const tg_api_t         *api = r->d->api;
    const tg_json_paths_t  *paths;
    size_t                  n = 0;
    char                    buf[64];
    tg_str_t                lower;

    while (n < type.len && n < sizeof(buf) && type.p[n] != ';') {
        buf[n] = tg_lower(type.p[n]);
        n++;
    }

    lower = tg_str_of(buf, n);

    if (encoding.len != 0 && !tg_str_caseeq(encoding, tg_str("identity"))) {
        return;
    }

    if (tg_str_match(lower, tg_str("multipart/*"))) {
        if ((api->flags & TG_API_MULTIPART)
            && tg_multipart_init(&r->u.multipart, type, tg_request_form, r)
               == TG_OK)
        {
            r->body = TG_BODY_MULTIPART;
        }
        return;
    }

    r->json = tg_str_match(lower, tg_str("*json*"));
    r->optional = !(api->flags & TG_API_JSON);

    if (r->optional && !r->json) {
        return;
    }

    paths = r->fields != NULL ? r->fields->paths[tg_api_index(api)]
                              : tg_api_request_paths(api);

    tg_json_init(&r->u.json, paths, 0, tg_request_json, r);
    r->body = r->json || n == 0 ? TG_BODY_JSON : TG_BODY_SNIFF;
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

    memset(r, 0, offsetof(tg_request_t, u));

    r->mem = mem;
    r->d = d;
    r->fields = fields;
    r->values = fields != NULL ? values : NULL;
    r->info.model = d->model;
    r->info.stream = d->stream || (d->api->flags & TG_API_BY_DEFAULT);
    r->info.max_tokens = -1;
    r->info.thinking_budget = -1;
    r->info.n = 1;
    r->info.model_member = tg_no_member;
    r->info.stream_options_member = tg_no_member;
    r->info.root_end = TG_JSON_NOWHERE;

    if (r->values != NULL && fields->n != 0) {
        memset(r->values, 0, fields->n * sizeof(tg_str_t));
    }

    tg_request_open(r, content_type, content_encoding);

    return r;
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
    tg_json_t  *s = &r->u.json;

    if (r->failed) {
        return r->optional ? TG_OK : TG_ERROR;      /* the handler stopped it */
    }

    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return TG_OK;
    }

    return tg_error(&r->error, (int) s->error, s->error_offset,
                    "request body is not valid JSON at byte %llu: %s",
                    (unsigned long long) s->error_offset,
                    tg_json_strerror(s->error));
}


static int
tg_request_form_error(tg_request_t *r)
{
    tg_multipart_t  *m = &r->u.multipart;

    if (r->failed) {
        return TG_ERROR;
    }

    /* not a form at all: nothing was read that might be read otherwise */

    if (!r->parts) {
        r->body = TG_BODY_NONE;
        return TG_OK;
    }

    r->failed = true;

    return tg_error(&r->error, TG_REQUEST_ERROR_MULTIPART, m->offset,
                    "request body is not a valid form at byte %llu: %s",
                    (unsigned long long) m->offset,
                    m->error != NULL ? m->error : "malformed");
}


int
tg_request_feed(tg_request_t *r, const char *p, size_t n)
{
    int  rc = TG_OK;

    if (r->failed) {
        r->info.bytes += n;
        return r->optional ? TG_OK : TG_ERROR;
    }

    if (r->root < 2 && r->body != TG_BODY_MULTIPART) {
        tg_request_sniff(r, p, n);
    }

    if (r->body == TG_BODY_MULTIPART) {
        if (tg_multipart_feed(&r->u.multipart, p, n) != TG_OK) {
            rc = tg_request_form_error(r);
        }

    } else if (r->body != TG_BODY_NONE) {
        if (tg_json_feed(&r->u.json, p, n) != TG_OK) {
            rc = tg_request_json_error(r);
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
    if (r->failed) {
        return r->optional ? TG_OK : TG_ERROR;
    }

    if (r->info.bytes == 0) {
        return TG_OK;           /* a GET, a cancellation */
    }

    switch (r->body) {

    case TG_BODY_NONE:
        return TG_OK;

    case TG_BODY_MULTIPART:
        if (tg_multipart_finish(&r->u.multipart) != TG_OK) {
            return tg_request_form_error(r);
        }
        return TG_OK;

    default:
        if (tg_json_finish(&r->u.json) != TG_OK) {
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
    return &r->error;
}


bool
tg_request_inspected(const tg_request_t *r)
{
    return r->info.bytes == 0
           || (r->body != TG_BODY_NONE && r->body != TG_BODY_SNIFF
               && !r->failed);
}
