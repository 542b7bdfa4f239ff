#include "tg_cache_key.h"

#include "tg_call_int.h"
#include "tg_key_presented.h"
#include "tg_tree.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>


static const tg_str_t  tg_cache_objects[] = {
    TG_STR("generationConfig"), TG_STR("generation_config"),
    TG_STR("options"), TG_STR("inferenceConfig"), TG_STR("parameters")
};

static const tg_str_t  tg_cache_top_k[] = {
    TG_STR("top_k"), TG_STR("topK")
};

static const tg_str_t  tg_cache_seeds[] = {
    TG_STR("seed"), TG_STR("random_seed")
};

/* Headers by which one body means several things. */
static const tg_str_t  tg_cache_headers[] = {
    TG_STR("anthropic-version"), TG_STR("anthropic-beta"),
    TG_STR("openai-beta"), TG_STR("openai-organization"),
    TG_STR("openai-project"), TG_STR("content-type")
};

#define TG_COUNT(a)  (sizeof(a) / sizeof((a)[0]))


/* 0, 0.0, -0e5: no digit before an exponent but zeros. */
static bool
tg_cache_zero(const tg_node_t *n)
{
    tg_str_t  raw;

    if (n == NULL || n->type != TG_JSON_NUMBER) {
        return false;
    }

    raw = tg_node_raw(n);

    for (size_t i = 0; i < raw.len && (raw.p[i] | 0x20) != 'e'; i++) {
        if (raw.p[i] >= '1' && raw.p[i] <= '9') {
            return false;
        }
    }

    return true;
}


static bool
tg_cache_settles(const tg_node_t *object)
{
    int64_t  v;

    if (tg_cache_zero(tg_node_get(object, tg_str("temperature")))) {
        return true;
    }

    for (size_t i = 0; i < TG_COUNT(tg_cache_top_k); i++) {
        if (tg_node_int(tg_node_get(object, tg_cache_top_k[i]), &v) && v == 1)
        {
            return true;
        }
    }

    for (size_t i = 0; i < TG_COUNT(tg_cache_seeds); i++) {
        if (tg_node_int(tg_node_get(object, tg_cache_seeds[i]), &v)) {
            return true;
        }
    }

    return false;
}


/* Nothing of the answer is left to chance. */
static bool
tg_cache_determined(tg_call_t *call, tg_str_t body)
{
    tg_error_t        err;
    const tg_node_t  *root;

    switch (tg_api_op(call->asked.api)) {

    case TG_OP_EMBEDDINGS:
    case TG_OP_RERANK:
    case TG_OP_MODERATION:
    case TG_OP_COUNT_TOKENS:
        return true;

    case TG_OP_CHAT:
    case TG_OP_TEXT_COMPLETION:
    case TG_OP_GENERATE_CONTENT:
        break;

    default:
        return false;
    }

    root = tg_tree_parse(call->mem, body, &err);

    if (tg_cache_settles(root)) {
        return true;
    }

    for (size_t i = 0; i < TG_COUNT(tg_cache_objects); i++) {
        if (tg_cache_settles(tg_node_get(root, tg_cache_objects[i]))) {
            return true;
        }
    }

    return false;
}


/* With its length before it, so that no two lists of parts read alike. */
static void
tg_cache_part(SHA256_CTX *sha, tg_str_t part)
{
    uint64_t  n = part.len;

    (void) SHA256_Update(sha, &n, sizeof(n));
    (void) SHA256_Update(sha, part.p, part.len);
}


static void
tg_cache_tenant(SHA256_CTX *sha, const tg_call_t *call)
{
    const tg_key_t  *key = call->pass != NULL ? call->pass->key : NULL;

    if (key == NULL) {
        tg_cache_part(sha, tg_str("shown"));

        for (unsigned i = 0; i < TG_CARRIER_HEADERS; i++) {
            tg_cache_part(sha, call->host->header(call->req,
                                                  tg_carrier_headers[i]));
        }

        tg_cache_part(sha, call->head.args);

    } else if (key->org.len != 0) {
        tg_cache_part(sha, tg_str("org"));
        tg_cache_part(sha, key->org);

    } else if (key->team.len != 0) {
        tg_cache_part(sha, tg_str("team"));
        tg_cache_part(sha, key->team);

    } else {
        tg_cache_part(sha, tg_str("key"));
        tg_cache_part(sha, key->id);
    }
}


static void
tg_cache_place(SHA256_CTX *sha, const tg_call_t *call, const tg_hop_t *hop)
{
    tg_cache_part(sha, tg_api_name(call->asked.api));
    tg_cache_part(sha, tg_vendor_name(call->dialect.vendor));
    tg_cache_part(sha, call->provider != NULL ? call->provider->name
                                              : tg_str_null);

    for (size_t i = 0; i < TG_COUNT(tg_cache_headers); i++) {
        tg_cache_part(sha, call->host->header(call->req,
                                              tg_cache_headers[i]));
    }

    if (hop != NULL) {
        tg_cache_part(sha, hop->authority);
        tg_cache_part(sha, hop->path);
        tg_cache_part(sha, hop->args);

    } else {
        tg_cache_part(sha, call->head.upstream);
        tg_cache_part(sha, call->head.path);
        tg_cache_part(sha, tg_call_args(call));
    }
}


/* As it goes there; the blanks of an edit count for nothing. */
static void
tg_cache_body(SHA256_CTX *sha, tg_str_t body, const tg_edit_t *edit)
{
    uint64_t  at = 0, end = edit == NULL ? body.len : edit->tail_at;

    for (unsigned i = 0; edit != NULL && i < edit->nspans; i++) {
        tg_cache_part(sha, tg_str_of(body.p + at, edit->spans[i].start - at));
        tg_cache_part(sha, edit->spans[i].text);
        at = edit->spans[i].end;
    }

    if (at < end) {
        tg_cache_part(sha, tg_str_of(body.p + at, end - at));
    }

    if (edit != NULL) {
        tg_cache_part(sha, edit->tail);
    }
}


int
tg_call_cache_key(tg_call_t *call, tg_str_t *key)
{
    char                     *hex;
    tg_str_t                  body;
    SHA256_CTX                sha;
    const tg_hop_t           *hop = tg_call_hop(call);
    unsigned char             digest[SHA256_DIGEST_LENGTH];
    const tg_request_info_t  *info;
    static const char         digits[] = "0123456789abcdef";

    if (call->request == NULL || !tg_request_inspected(call->request)
        || !tg_api_json(call->asked.api) || call->host->body == NULL)
    {
        return TG_ERROR;
    }

    info = tg_request_info(call->request);

    if (info->elsewhere || info->uses != 0 || info->background
        || call->host->body(call->req, &body) != TG_OK || body.len == 0
        || !tg_cache_determined(call, body))
    {
        return TG_ERROR;
    }

    hex = tg_alloc(call->mem, TG_CACHE_KEY);
    if (hex == NULL) {
        return TG_ERROR;
    }

    (void) SHA256_Init(&sha);
    tg_cache_tenant(&sha, call);
    tg_cache_place(&sha, call, hop);

    if (hop != NULL && hop->whole) {
        tg_cache_part(&sha, hop->body);
    } else {
        tg_cache_body(&sha, body, tg_call_edit(call));
    }

    (void) SHA256_Final(digest, &sha);

    for (size_t i = 0; i < sizeof(digest); i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }

    *key = tg_str_of(hex, TG_CACHE_KEY);

    return TG_OK;
}


bool
tg_call_cache_whole(const tg_call_t *call)
{
    return call->source != TG_USAGE_ESTIMATED && call->answer != NULL
           && !tg_answer_info(call->answer)->cut;
}
