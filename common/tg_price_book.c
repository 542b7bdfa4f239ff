#include "tg_price_int.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define TG_PRICE_SLOTS_MIN  64
#define TG_PRICE_HASH_HEX   16

#define TG_PRICE_STARTS     64              /* words of a bitmap */

struct tg_price_book_s {
    tg_arena_t       *arena;
    tg_mem_t         *mem;
    tg_price_memo_t  *memo;
    EVP_MD_CTX       *sha;          /* of the texts so far */
    char              hash[TG_PRICE_HASH_HEX + 1];

    tg_price_t      **slots;        /* open addressing, at most half full */
    size_t            nslots;       /* a power of two */
    size_t            nmodels;

    tg_price_t       *first;
    tg_price_wild_t  *wild;         /* longest first */
    size_t            nwild;

    /* what precedes the first '/' in a key: a bit of its hash */
    uint64_t          starts[TG_PRICE_STARTS];
};


static int
tg_price_digest(tg_price_book_t *book, tg_str_t text)
{
    int            rc;
    unsigned       len = 0;
    EVP_MD_CTX    *copy;
    unsigned char  md[EVP_MAX_MD_SIZE];

    copy = EVP_MD_CTX_new();
    if (copy == NULL) {
        return TG_ERROR;
    }

    rc = EVP_DigestUpdate(book->sha, text.p, text.len) == 1
         && EVP_MD_CTX_copy_ex(copy, book->sha) == 1
         && EVP_DigestFinal_ex(copy, md, &len) == 1
         && len >= TG_PRICE_HASH_HEX / 2;

    EVP_MD_CTX_free(copy);

    if (!rc) {
        return TG_ERROR;
    }

    for (size_t i = 0; i < TG_PRICE_HASH_HEX / 2; i++) {
        (void) snprintf(book->hash + 2 * i, 3, "%02x", md[i]);
    }

    return TG_OK;
}


tg_price_book_t *
tg_price_book_create(void)
{
    tg_price_book_t  *book;

    book = calloc(1, sizeof(tg_price_book_t));
    if (book == NULL) {
        return NULL;
    }

    book->arena = tg_arena_create(TG_PRICE_MEMORY_MAX);
    book->sha = EVP_MD_CTX_new();
    book->memo = tg_price_memo_create();

    if (book->arena == NULL || book->sha == NULL || book->memo == NULL
        || EVP_DigestInit_ex(book->sha, EVP_sha256(), NULL) != 1)
    {
        tg_price_book_destroy(book);
        return NULL;
    }

    book->mem = tg_arena_mem(book->arena);
    book->nslots = TG_PRICE_SLOTS_MIN;
    book->slots = tg_zalloc(book->mem, book->nslots * sizeof(tg_price_t *));

    if (book->slots == NULL || tg_price_digest(book, tg_str("")) != TG_OK) {
        tg_price_book_destroy(book);
        return NULL;
    }

    return book;
}


void
tg_price_book_destroy(tg_price_book_t *book)
{
    if (book == NULL) {
        return;
    }

    tg_price_memo_destroy(book->memo);
    EVP_MD_CTX_free(book->sha);
    tg_arena_destroy(book->arena);
    free(book);
}


size_t
tg_price_book_models(const tg_price_book_t *book)
{
    return book->nmodels;
}


tg_str_t
tg_price_book_hash(const tg_price_book_t *book)
{
    return tg_str_of(book->hash, TG_PRICE_HASH_HEX);
}


tg_price_memo_t *
tg_price_book_memo(const tg_price_book_t *book)
{
    return book->memo;
}


tg_price_t *
tg_price_first(const tg_price_book_t *book)
{
    return book->first;
}


const tg_price_wild_t *
tg_price_wild(const tg_price_book_t *book)
{
    return book->wild;
}


static int
tg_price_level_order(const void *one, const void *two)
{
    const tg_price_level_t  *a = one, *b = two;

    if (a->tier != b->tier) {
        return a->tier < b->tier ? -1 : 1;
    }

    return a->above > b->above ? -1 : a->above < b->above;
}


/* True where a rate from `first` to before `end` is listed. */
static bool
tg_price_has(const tg_price_draft_t *d, unsigned first, unsigned end)
{
    for (size_t i = 0; i < d->nlevels; i++) {
        for (unsigned k = first; k < end; k++) {
            if (d->levels[i].fusd[k] >= 0) {
                return true;
            }
        }
    }

    return false;
}


/* Of the key in lower case. */
static uint64_t
tg_price_key_hash(tg_str_t key)
{
    const uint64_t  odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t        h = key.len * odd, w;
    const char     *p = key.p, *end = key.p + key.len;

    for ( ; end - p >= 8; p += 8) {
        memcpy(&w, p, 8);
        h = (h ^ tg_lower8(w)) * odd;
        h ^= h >> 32;
    }

    w = 0;

    if (p < end) {
        memcpy(&w, p, (size_t) (end - p));
    }

    h = (h ^ tg_lower8(w)) * odd;

    return h ^ h >> 32;
}


/* False where the key has no '/'. */
static bool
tg_price_start(tg_str_t key, size_t *word, uint64_t *bit)
{
    uint64_t     h;
    const char  *slash = memchr(key.p, '/', key.len);

    if (slash == NULL) {
        return false;
    }

    h = tg_price_key_hash(tg_str_of(key.p, (size_t) (slash - key.p)));
    *word = h % TG_PRICE_STARTS;
    *bit = UINT64_C(1) << (h / TG_PRICE_STARTS % 64);

    return true;
}


bool
tg_price_starts(const tg_price_book_t *book, tg_str_t prefix)
{
    size_t    word;
    uint64_t  bit;

    return !tg_price_start(prefix, &word, &bit)
           || (book->starts[word] & bit) != 0;
}


static tg_price_t *
tg_price_probe(const tg_price_book_t *book, tg_str_t key, uint64_t hash,
    bool exact)
{
    size_t       i;
    tg_price_t  *price, *similar = NULL;

    for (i = (size_t) hash & (book->nslots - 1); book->slots[i] != NULL;
         i = (i + 1) & (book->nslots - 1))
    {
        price = book->slots[i];

        if (price->hash != hash) {
            continue;
        }

        if (tg_str_eq(price->id, key)) {
            return price;
        }

        if (similar == NULL && tg_str_caseeq(price->id, key)) {
            similar = price;
        }
    }

    return exact ? NULL : similar;
}


tg_price_t *
tg_price_get(const tg_price_book_t *book, tg_str_t key)
{
    return tg_price_probe(book, key, tg_price_key_hash(key), false);
}


static void
tg_price_seat(tg_price_t **slots, size_t nslots, tg_price_t *price)
{
    size_t  i = (size_t) price->hash & (nslots - 1);

    while (slots[i] != NULL) {
        i = (i + 1) & (nslots - 1);
    }

    slots[i] = price;
}


static int
tg_price_grow(tg_price_book_t *book)
{
    size_t        n = book->nslots * 2;
    tg_price_t  **slots;

    slots = tg_zalloc(book->mem, n * sizeof(tg_price_t *));
    if (slots == NULL) {
        return TG_ERROR;
    }

    for (tg_price_t *p = book->first; p != NULL; p = p->next) {
        tg_price_seat(slots, n, p);
    }

    book->slots = slots;
    book->nslots = n;

    return TG_OK;
}


static int
tg_price_add_wild(tg_price_book_t *book, tg_price_t *price)
{
    const char       *star;
    tg_price_wild_t  *w, **at;

    w = tg_alloc(book->mem, sizeof(tg_price_wild_t));
    if (w == NULL) {
        return TG_ERROR;
    }

    for (at = &book->wild; *at != NULL; at = &(*at)->next) {
        if ((*at)->price->id.len <= price->id.len) {
            break;
        }
    }

    star = memchr(price->id.p, '*', price->id.len);

    w->price = price;
    w->start = tg_str_of(price->id.p, (size_t) (star - price->id.p));
    w->next = *at;
    *at = w;
    book->nwild++;

    return TG_OK;
}


/* A new, empty entry of that key, known to index and wildcards. */
static tg_price_t *
tg_price_enter(tg_price_book_t *book, tg_str_t id, uint64_t hash)
{
    size_t       word;
    uint64_t     bit;
    tg_price_t  *price;

    if (book->nmodels * 2 >= book->nslots && tg_price_grow(book) != TG_OK) {
        return NULL;
    }

    price = tg_zalloc(book->mem, sizeof(tg_price_t));
    if (price == NULL) {
        return NULL;
    }

    price->hash = hash;
    price->id = tg_dup(book->mem, id);

    if (price->id.p == NULL) {
        return NULL;
    }

    if (memchr(id.p, '*', id.len) != NULL
        && tg_price_add_wild(book, price) != TG_OK)
    {
        return NULL;
    }

    if (tg_price_start(id, &word, &bit)) {
        book->starts[word] |= bit;
    }

    price->next = book->first;
    book->first = price;
    book->nmodels++;
    tg_price_seat(book->slots, book->nslots, price);

    return price;
}


int
tg_price_put(const tg_price_load_t *load, tg_price_draft_t *d)
{
    uint64_t           hash;
    tg_price_t        *price;
    tg_price_book_t   *book = load->book;
    tg_price_level_t  *levels;

    if (d->id.len == 0 || d->id.len > TG_PRICE_NAME_MAX) {
        return tg_price_complain(load, d->id, "", "has a name of no or too"
                                 " many characters");
    }

    if (book->nwild == TG_PRICE_WILD_MAX) {
        return tg_price_complain(load, d->id, "", "is one wildcard too many");
    }

    qsort(d->levels, d->nlevels, sizeof(tg_price_level_t),
          tg_price_level_order);

    hash = tg_price_key_hash(d->id);
    price = tg_price_probe(book, d->id, hash, true);

    if (price == NULL) {
        price = tg_price_enter(book, d->id, hash);
    }

    levels = tg_alloc(book->mem, d->nlevels * sizeof(tg_price_level_t));

    if (price == NULL || levels == NULL) {
        return tg_error(load->err, TG_PRICE_MEMORY, 0, "out of memory");
    }

    memcpy(levels, d->levels, d->nlevels * sizeof(tg_price_level_t));

    price->levels = levels;
    price->nlevels = d->nlevels;
    price->max_input = d->max_input;
    price->max_output = d->max_output;
    price->keep = d->keep;
    price->own_keep = d->own_keep;
    price->us = d->us;
    price->tokens = tg_price_has(d, 0, TG_RATE_TOKENS);
    price->request = tg_price_has(d, TG_RATE_REQUEST, TG_RATE_REQUEST + 1);

    return TG_OK;
}


static json_t *
tg_price_parse(const tg_price_load_t *load, tg_str_t text, size_t flags)
{
    char          file[64], what[128];
    json_t       *root;
    json_error_t  e;

    root = json_loadb(text.p, text.len, flags | JSON_DECODE_INT_AS_REAL, &e);

    if (root == NULL) {
        (void) tg_price_shown(file, sizeof(file), load->name);
        (void) tg_price_shown(what, sizeof(what), tg_strz(e.text));
        (void) tg_error(load->err, TG_PRICE_SYNTAX,
                        e.line > 0 ? (uint64_t) e.line : 0,
                        "%s: line %d: %s", file, e.line, what);
    }

    return root;
}


int
tg_price_book_add(tg_price_book_t *book, tg_str_t name, tg_str_t text,
    tg_error_t *err)
{
    int              rc;
    json_t          *root;
    tg_price_load_t  load = { book, name, err };

    if (text.len > TG_PRICE_TEXT_MAX) {
        return tg_price_complain(&load, tg_str_null, "",
                                 "is larger than 64 MiB");
    }

    tg_price_memo_clear(book->memo);

    if (tg_price_digest(book, text) != TG_OK) {
        return tg_error(err, TG_PRICE_MEMORY, 0, "SHA-256 failed");
    }

    root = tg_price_parse(&load, text, 0);

    if (root != NULL && json_object_get(root, "tollgate_prices") != NULL) {

        /* ours is short enough to look again for what was said twice */

        json_decref(root);
        root = tg_price_parse(&load, text, JSON_REJECT_DUPLICATES);
        if (root == NULL) {
            return TG_ERROR;
        }

        rc = tg_price_load_own(&load, root);

    } else if (root == NULL) {
        return TG_ERROR;

    } else {
        rc = tg_price_load_litellm(&load, root);
    }

    json_decref(root);

    return rc;
}
