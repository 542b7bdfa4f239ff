#include "tg_json_level.h"
#include "tg_json_token.h"

/*
 * The containers that were entered here are bits of a word, the innermost one
 * bit 0; whether they are objects is entered into s->objects only where this
 * stops within them.
 */
typedef struct {
    uint64_t  kinds;    /* the bit above theirs is what they are in */
    unsigned  depth;    /* how many they are */
    unsigned  most;
} tg_json_skim_t;


/* Stops at p, where s->state is to be state. */
static const char *
tg_json_skim_stop(tg_json_t *s, const tg_json_skim_t *k, const char *p,
    uint8_t state)
{
    uint64_t  bit, *bits;

    for (unsigned i = k->depth; i-- > 0; /* void */ ) {
        bits = &s->objects[s->below / 64];
        bit = UINT64_C(1) << s->below % 64;
        *bits = (k->kinds >> i) & 1 ? *bits | bit : *bits & ~bit;
        s->below++;
    }

    s->object = k->kinds & 1;
    s->node = NULL;
    s->state = state;

    return p;
}


static void
tg_json_skim_start(const tg_json_t *s, tg_json_skim_t *k)
{
    unsigned  room = TG_JSON_DEPTH_MAX - (s->frames + s->wrap
                                          + (unsigned) s->below);

    k->kinds = s->object;
    k->depth = 0;
    k->most = room < 63 ? room : 63;
}


/* In a string from *at on, which is plain up to q.  Behind it, or behind its
 * colon; or false, and this has stopped. */
static bool
tg_json_skim_string(tg_json_t *s, tg_json_input_t *in, tg_json_skim_t *k,
    const char **at, const char *q, uint8_t state)
{
    const char  *p = *at;

    (void) tg_json_skim_stop(s, k, p, state);

    p = tg_json_long_string(s, in, p, q, state);
    *at = p;

    if (p == NULL || p > in->last) {
        return false;
    }

    if (s->state == TG_JSON_S_COLON && *p == ':') {
        *at = tg_json_token_colon(p);

    } else if (s->state != TG_JSON_S_AFTER) {
        return false;
    }

    tg_json_skim_start(s, k);

    return true;
}


tg_json_inline bool
tg_json_skim_closes(const tg_json_skim_t *k, char c)
{
    return c == ((k->kinds & 1) ? '}' : ']');
}


/* At a key.  To its value; or false, as above. */
tg_json_inline bool
tg_json_skim_key(tg_json_t *s, tg_json_input_t *in, tg_json_skim_t *k,
    const char **at)
{
    const char  *p = *at, *q;

    if (*p != '"') {
        *at = tg_json_skim_stop(s, k, p, TG_JSON_S_KEY);
        return false;
    }

    *at = p + 1;
    q = tg_json_token_plain(in, *at);

    if (!tg_json_token_quote(in, q)) {
        return tg_json_skim_string(s, in, k, at, q, TG_JSON_S_IN_KEY);
    }

    q++;

    if (*q != ':') {
        *at = tg_json_skim_stop(s, k, q, TG_JSON_S_COLON);
        return false;
    }

    *at = tg_json_token_colon(q);

    return true;
}


/* At a value that is no container; as above. */
tg_json_inline bool
tg_json_skim_scalar(tg_json_t *s, tg_json_input_t *in,
    tg_json_skim_t *k, const char **at)
{
    tg_json_type_t  type;
    const char     *p = *at, *q;

    if (*p == '"') {
        *at = p + 1;
        q = tg_json_token_plain(in, *at);

        if (!tg_json_token_quote(in, q)) {
            return tg_json_skim_string(s, in, k, at, q, TG_JSON_S_IN_STRING);
        }

        *at = q + 1;
        return true;
    }

    q = tg_json_token_word(in, p, &type);

    if (q == NULL) {
        *at = tg_json_skim_stop(s, k, p, TG_JSON_S_VALUE);
        return false;
    }

    *at = q;

    return true;
}


/* At a member or an element.  Behind its value, or, where that is a container,
 * behind its opening bracket; as above. */
tg_json_inline bool
tg_json_skim_next(tg_json_t *s, tg_json_input_t *in, tg_json_skim_t *k,
    const char **at, bool *opened)
{
    *opened = false;

    if ((k->kinds & 1) && !tg_json_skim_key(s, in, k, at)) {
        return false;
    }

    if (!tg_json_token_opens(**at)) {
        return tg_json_skim_scalar(s, in, k, at);
    }

    if (k->depth == k->most) {
        *at = tg_json_skim_stop(s, k, *at, TG_JSON_S_VALUE);
        return false;
    }

    k->kinds = k->kinds << 1 | (**at == '{');
    k->depth++;
    (*at)++;
    *opened = true;

    return true;
}


/* At the first byte: is there no value before a comma or bracket? */
static bool
tg_json_skim_behind(const tg_json_t *s, const tg_json_skim_t *k, char c)
{
    switch (s->state) {
    case TG_JSON_S_AFTER:
        return true;
    case TG_JSON_S_FIRST_KEY:
    case TG_JSON_S_FIRST_ELEMENT:
        return tg_json_skim_closes(k, c);
    default:
        return false;
    }
}


/* At what should be a closing bracket; as above. */
tg_json_inline bool
tg_json_skim_close(tg_json_t *s, tg_json_input_t *in, tg_json_skim_t *k,
    const char **at)
{
    if (!tg_json_skim_closes(k, **at)) {
        *at = tg_json_fail(s, in, *at, TG_JSON_E_SYNTAX);
        return false;
    }

    if (k->depth != 0) {
        k->kinds >>= 1;
        k->depth--;
        (*at)++;

    } else {
        *at = tg_json_close_other(s, in, *at);

        if (s->below == 0 || s->state != TG_JSON_S_AFTER) {
            return false;
        }
        tg_json_skim_start(s, k);
    }

    if (*at > in->last) {
        *at = tg_json_skim_stop(s, k, *at, TG_JSON_S_AFTER);
        return false;
    }

    return true;
}


const char *
tg_json_skim(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    tg_json_skim_t  k;
    bool            behind, opened;

    tg_json_skim_start(s, &k);
    p = tg_json_token_space(in, p);

    if (s->state > TG_JSON_S_AFTER || s->state == TG_JSON_S_COLON
        || (s->state == TG_JSON_S_VALUE && s->object))
    {
        return p;
    }

    behind = tg_json_skim_behind(s, &k, *p);

    for ( ;; ) {

        if (!behind) {
            if (!tg_json_skim_next(s, in, &k, &p, &opened)) {
                return p;
            }

            if (tg_json_token_blank(*p)) {
                p = tg_json_token_space(in, p);
            }

            if (opened && !tg_json_skim_closes(&k, *p)) {
                continue;
            }
        }

        if (*p == ',') {
            behind = false;
            p++;

        } else {
            behind = true;

            if (!tg_json_skim_close(s, in, &k, &p)) {
                return p;
            }
        }

        if (tg_json_token_blank(*p)) {
            p = tg_json_token_space(in, p);
        }
    }
}
