/*
 * What calls of one application have in common: the system prompt and the tools,
 * hashed as they are written.
 *
 * That is the text of system prompts (in quotes, escaped as it came), each message
 * of that role before the first of another one (as an object, raw), and each tool
 * (the same), in the order of the body.  A message's role may come behind its
 * text: until it is known the message is hashed apart.
 */

#include "tg_request_int.h"

enum {
    TG_PREFIX_NOTHING = 0,
    TG_PREFIX_TOOL,
    TG_PREFIX_SYSTEM,           /* a string of a system prompt */
    TG_PREFIX_MESSAGE
};


void
tg_request_prefix(tg_request_t *r, const unsigned char *key)
{
    tg_request_prefix_t  *pf;

    if (r->body != TG_BODY_JSON && r->body != TG_BODY_SNIFF) {
        return;
    }

    pf = tg_alloc(r->mem, sizeof(tg_request_prefix_t));

    if (pf != NULL) {
        tg_siphash_init(&pf->hash, key);
        pf->open = TG_PREFIX_NOTHING;
        pf->past = false;
        pf->any = false;
        r->prefix = pf;
    }
}


bool
tg_request_prefix_hash(const tg_request_t *r, uint64_t *hash)
{
    const tg_request_prefix_t  *pf = r->prefix;

    if (pf == NULL || !pf->any || r->failed) {
        return false;
    }

    *hash = tg_siphash_end(&pf->hash);

    return true;
}


/* What is open is hashed up to there, which is in this piece or its end. */
static void
tg_request_prefix_to(tg_request_prefix_t *pf, uint64_t end)
{
    tg_siphash_t  *h = pf->open == TG_PREFIX_MESSAGE ? &pf->message
                                                     : &pf->hash;

    if (pf->from < pf->base) {
        pf->from = pf->base;
    }

    if (end > pf->from) {
        tg_siphash_feed(h, pf->piece + (pf->from - pf->base),
                        (size_t) (end - pf->from));
        pf->from = end;
    }
}


static void
tg_request_prefix_open(tg_request_prefix_t *pf, uint8_t what, uint64_t start)
{
    pf->open = what;
    pf->from = start;

    if (what == TG_PREFIX_MESSAGE) {
        pf->message = pf->hash;
    } else {
        pf->any = true;
    }
}


void
tg_request_prefix_begin(tg_request_t *r, const char *p)
{
    r->prefix->piece = p;
    r->prefix->base = r->info.bytes;
}


void
tg_request_prefix_cut(tg_request_t *r, size_t n)
{
    uint16_t              id;
    uint64_t              start;
    tg_request_prefix_t  *pf = r->prefix;

    if (pf->open == TG_PREFIX_NOTHING
        && tg_json_within(r->u.json, &id, &start)
        && TG_ID(id) == TG_R_SYSTEM)
    {
        tg_request_prefix_open(pf, TG_PREFIX_SYSTEM, start);
    }

    if (pf->open != TG_PREFIX_NOTHING) {
        tg_request_prefix_to(pf, pf->base + n);
    }
}


void
tg_request_prefix_message(tg_request_t *r, const tg_json_event_t *ev)
{
    tg_request_prefix_t  *pf = r->prefix;

    if (ev->type == TG_JSON_OBJECT) {
        if (!pf->past) {
            tg_request_prefix_open(pf, TG_PREFIX_MESSAGE, ev->start);
        }
        return;
    }

    if (ev->type != TG_JSON_OBJECT_END || pf->open != TG_PREFIX_MESSAGE) {
        return;
    }

    if (r->role == TG_ROLE_SYSTEM) {
        tg_request_prefix_to(pf, ev->end);
        pf->hash = pf->message;
        pf->any = true;

    } else {
        pf->past = true;
    }

    pf->open = TG_PREFIX_NOTHING;
}


/* It is known by now. */
void
tg_request_prefix_role(tg_request_t *r)
{
    tg_request_prefix_t  *pf = r->prefix;

    if (pf->open == TG_PREFIX_MESSAGE && r->role != TG_ROLE_SYSTEM) {
        pf->open = TG_PREFIX_NOTHING;
        pf->past = true;
    }
}


/* A string of a system prompt, or a tool. */
void
tg_request_prefix_value(tg_request_t *r, const tg_json_event_t *ev, bool tool)
{
    tg_request_prefix_t  *pf = r->prefix;

    switch (ev->type) {

    case TG_JSON_OBJECT:
        if (tool) {
            tg_request_prefix_open(pf, TG_PREFIX_TOOL, ev->start);
        }
        return;

    case TG_JSON_OBJECT_END:
        if (!tool || pf->open != TG_PREFIX_TOOL) {
            return;
        }
        break;

    case TG_JSON_STRING:
        if (pf->open != TG_PREFIX_SYSTEM) {
            tg_request_prefix_open(pf, TG_PREFIX_SYSTEM, ev->start);
        }
        break;

    default:
        return;
    }

    tg_request_prefix_to(pf, ev->end);
    pf->open = TG_PREFIX_NOTHING;
}
