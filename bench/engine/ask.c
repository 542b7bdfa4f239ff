/*
 * ask.c - what a chat completion's body asks for, and its tokens.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

#define EN_DEPTH_MAX  32
#define EN_WORD_MAX   12                /* a longer one is several tokens */
#define EN_KEY_MAX    64

typedef struct {
    const char  *p, *end;
    en_ask_t    *ask;
    char         word[EN_WORD_MAX];
    size_t       len;
} en_reader_t;

typedef struct {
    char  text[EN_KEY_MAX];             /* longer ones are of no interest */
    bool  message;                      /* somewhere in "messages" */
} en_key_t;

static int en_value(en_reader_t *r, const en_key_t *key, unsigned depth);


static uint64_t
en_mix(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (uint8_t) p[i]) * UINT64_C(0x100000001b3);
    }

    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);

    return h ^ h >> 32;
}


int
en_ask_token(en_ask_t *ask, const char *word, size_t n)
{
    size_t     room;
    uint64_t  *hashes;

    ask->chain = en_mix(ask->chain * 31 + 7, word, n);

    if (++ask->ntokens % EN_BLOCK != 0) {
        return 0;
    }

    if (ask->nhashes == ask->room) {
        room = ask->room ? 2 * ask->room : 64;
        hashes = realloc(ask->hashes, room * sizeof(uint64_t));
        if (hashes == NULL) {
            return -1;
        }
        ask->hashes = hashes;
        ask->room = room;
    }

    ask->hashes[ask->nhashes++] = ask->chain | 1;

    return 0;
}


static int
en_word_end(en_reader_t *r)
{
    size_t  n = r->len;

    r->len = 0;

    return n != 0 ? en_ask_token(r->ask, r->word, n) : 0;
}


static int
en_char(en_reader_t *r, char c)
{
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        return en_word_end(r);
    }

    r->word[r->len++] = c;

    return r->len == EN_WORD_MAX ? en_word_end(r) : 0;
}


static void
en_blanks(en_reader_t *r)
{
    while (r->p != r->end && strchr(" \t\r\n", *r->p) != NULL && *r->p) {
        r->p++;
    }
}


static bool
en_is(en_reader_t *r, char c)
{
    en_blanks(r);

    if (r->p == r->end || *r->p != c) {
        return false;
    }

    r->p++;

    return true;
}


/* What is after the opening quote.  key: its text is put there; tokens: it is
 * counted. */
static int
en_string(en_reader_t *r, char *key, bool tokens)
{
    char    c;
    size_t  n = 0;

    while (r->p != r->end && *r->p != '"') {
        c = *r->p++;

        if (c == '\\') {
            if (r->p == r->end) {
                return -1;
            }
            c = *r->p++;
            c = c == 'n' || c == 't' || c == 'r' ? ' ' : c;
        }

        if (key != NULL && n < EN_KEY_MAX - 1) {
            key[n++] = c;
        }

        if (tokens && en_char(r, c) != 0) {
            return -1;
        }
    }

    if (key != NULL) {
        key[n] = '\0';
    }

    if (r->p == r->end) {
        return -1;
    }

    r->p++;

    return tokens ? en_word_end(r) : 0;
}


static int
en_object(en_reader_t *r, const en_key_t *in, unsigned depth)
{
    en_key_t  key = { .message = in->message };

    if (en_is(r, '}')) {
        return 0;
    }

    do {
        if (!en_is(r, '"') || en_string(r, key.text, false) != 0
            || !en_is(r, ':'))
        {
            return -1;
        }

        key.message = in->message
                      || (depth == 1 && strcmp(key.text, "messages") == 0);

        if (en_value(r, &key, depth) != 0) {
            return -1;
        }

    } while (en_is(r, ','));

    return en_is(r, '}') ? 0 : -1;
}


static int
en_array(en_reader_t *r, const en_key_t *key, unsigned depth)
{
    if (en_is(r, ']')) {
        return 0;
    }

    do {
        if (en_value(r, key, depth) != 0) {
            return -1;
        }
    } while (en_is(r, ','));

    return en_is(r, ']') ? 0 : -1;
}


/* A number, true, false, null. */
static int
en_scalar(en_reader_t *r, const en_key_t *key)
{
    char       text[32];
    size_t     n = 0;
    unsigned   number;
    en_ask_t  *ask = r->ask;

    while (r->p != r->end && n < sizeof(text) - 1
           && strchr(",]} \t\r\n", *r->p) == NULL)
    {
        text[n++] = *r->p++;
    }

    if (n == 0) {
        return -1;
    }

    text[n] = '\0';
    number = (unsigned) strtoul(text, NULL, 10);

    if (strcmp(key->text, "stream") == 0) {
        ask->stream = text[0] == 't';

    } else if (strcmp(key->text, "include_usage") == 0) {
        ask->usage = text[0] == 't';

    } else if (strcmp(key->text, "max_tokens") == 0
               || strcmp(key->text, "max_completion_tokens") == 0)
    {
        ask->max_tokens = number;

    } else if (strcmp(key->text, "min_tokens") == 0) {
        ask->min_tokens = number;
    }

    return 0;
}


static int
en_value(en_reader_t *r, const en_key_t *key, unsigned depth)
{
    bool  tokens;

    if (depth == EN_DEPTH_MAX) {
        return -1;
    }

    if (en_is(r, '{')) {
        return en_object(r, key, depth + 1);
    }

    if (en_is(r, '[')) {
        return en_array(r, key, depth + 1);
    }

    if (en_is(r, '"')) {
        tokens = key->message && (strcmp(key->text, "content") == 0
                                  || strcmp(key->text, "text") == 0
                                  || strcmp(key->text, "role") == 0);

        return en_string(r, NULL, tokens);
    }

    return en_scalar(r, key);
}


int
en_ask_read(en_ask_t *ask, const char *p, size_t n)
{
    en_key_t     key = { .message = false };
    en_reader_t  r = { .p = p, .end = p + n, .ask = ask };

    memset(ask, 0, sizeof(*ask));

    if (!en_is(&r, '{') || en_object(&r, &key, 1) != 0
        || en_ask_token(ask, "assistant", 9) != 0)
    {
        free(ask->hashes);
        ask->hashes = NULL;
        return -1;
    }

    return 0;
}
