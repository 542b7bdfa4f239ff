#define _GNU_SOURCE

#include "fold.h"
#include "llmctl.h"
#include "reading/hash.h"

#include <stdlib.h>
#include <string.h>

#define FOLD_KEY_MAX    16384
#define FOLD_BLOCK      ((size_t) 1024 * 1024)
#define FOLD_TABLE_MIN  1024

/* Behind it the value, then the key. */
typedef struct {
    uint64_t  hash;
    uint32_t  key_len;
    uint32_t  pad;
} fold_item_t;

typedef struct fold_block_s {
    struct fold_block_s  *next;
    size_t                used;
    size_t                size;
    unsigned char         bytes[];
} fold_block_t;

struct fold_s {
    hash_key_t      secret;
    size_t          value;              /* rounded up to 8 */
    size_t          n, room;            /* of items */
    fold_item_t   **items;
    uint32_t       *table;              /* index + 1; 0: free */
    size_t          mask;
    fold_block_t   *blocks;
    size_t          bytes;
    bool            failed;
    size_t          key_len;
    unsigned char   key[FOLD_KEY_MAX];
};


static unsigned char *
item_key(const fold_t *f, const fold_item_t *item)
{
    return (unsigned char *) (item + 1) + f->value;
}


fold_t *
fold_new(size_t value)
{
    fold_t  *f = calloc(1, sizeof(fold_t));

    if (f == NULL) {
        return NULL;
    }

    f->value = (value + 7) & ~(size_t) 7;
    f->mask = FOLD_TABLE_MIN - 1;
    f->table = calloc(FOLD_TABLE_MIN, sizeof(uint32_t));

    if (f->table == NULL || !hash_key_make(&f->secret)) {
        free(f->table);
        free(f);
        return NULL;
    }

    return f;
}


void
fold_free(fold_t *f)
{
    fold_block_t  *b, *next;

    if (f == NULL) {
        return;
    }

    for (b = f->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }

    free(f->items);
    free(f->table);
    free(f);
}


void
fold_key(fold_t *f)
{
    f->key_len = 0;
}


/* Big-endian, the sign turned round, so that bytes compare as numbers do. */
void
fold_int(fold_t *f, int64_t v)
{
    uint64_t  u = (uint64_t) v ^ UINT64_C(0x8000000000000000);

    if (FOLD_KEY_MAX - f->key_len < 8) {
        f->failed = true;
        return;
    }

    for (int i = 56; i >= 0; i -= 8) {
        f->key[f->key_len++] = (unsigned char) (u >> i);
    }
}


/* Ends in a zero; zeros and ones within become two bytes that sort alike. */
void
fold_str(fold_t *f, tg_str_t s)
{
    unsigned char  ch;

    if ((FOLD_KEY_MAX - f->key_len - 1) / 2 < s.len) {
        f->failed = true;
        return;
    }

    for (size_t i = 0; i < s.len; i++) {
        ch = (unsigned char) s.p[i];
        if (ch <= 1) {
            f->key[f->key_len++] = 1;
            ch++;
        }
        f->key[f->key_len++] = ch;
    }

    f->key[f->key_len++] = 0;
}


static bool
table_double(fold_t *f)
{
    size_t     size = (f->mask + 1) * 2, at;
    uint32_t  *table = calloc(size, sizeof(uint32_t));

    if (table == NULL) {
        return false;
    }

    for (size_t i = 0; i < f->n; i++) {
        at = f->items[i]->hash & (size - 1);
        while (table[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        table[at] = (uint32_t) i + 1;
    }

    free(f->table);
    f->table = table;
    f->mask = size - 1;

    return true;
}


static void *
block_take(fold_t *f, size_t n)
{
    void          *p;
    fold_block_t  *b = f->blocks;

    n = (n + 7) & ~(size_t) 7;

    if (b == NULL || b->size - b->used < n) {
        if (f->bytes + FOLD_BLOCK > FOLD_BYTES_MAX) {
            return NULL;
        }

        b = malloc(sizeof(fold_block_t) + FOLD_BLOCK);
        if (b == NULL) {
            return NULL;
        }

        b->next = f->blocks;
        b->used = 0;
        b->size = FOLD_BLOCK;
        f->blocks = b;
        f->bytes += FOLD_BLOCK;
    }

    p = b->bytes + b->used;
    b->used += n;

    return p;
}


static fold_item_t *
item_new(fold_t *f, uint64_t hash)
{
    size_t         room = f->room == 0 ? 256 : f->room * 2;
    fold_item_t   *item, **items;

    if (f->n == FOLD_KEYS_MAX) {
        return NULL;
    }

    if (f->n == f->room) {
        items = realloc(f->items, room * sizeof(fold_item_t *));
        if (items == NULL) {
            return NULL;
        }
        f->items = items;
        f->room = room;
    }

    item = block_take(f, sizeof(fold_item_t) + f->value + f->key_len);
    if (item == NULL) {
        return NULL;
    }

    item->hash = hash;
    item->key_len = (uint32_t) f->key_len;
    memset(item + 1, 0, f->value);
    memcpy(item_key(f, item), f->key, f->key_len);
    f->items[f->n++] = item;

    return item;
}


void *
fold_value(fold_t *f)
{
    size_t        at;
    uint64_t      hash;
    fold_item_t  *item;

    if (f->failed || ((f->n + 1) * 2 > f->mask && !table_double(f))) {
        f->failed = true;
        return NULL;
    }

    hash = hash_bytes(&f->secret, f->key, f->key_len);

    for (at = hash & f->mask; f->table[at] != 0; at = (at + 1) & f->mask) {
        item = f->items[f->table[at] - 1];

        if (item->hash == hash && item->key_len == f->key_len
            && memcmp(item_key(f, item), f->key, f->key_len) == 0)
        {
            return item + 1;
        }
    }

    item = item_new(f, hash);
    if (item == NULL) {
        f->failed = true;
        return NULL;
    }

    f->table[at] = (uint32_t) f->n;

    return item + 1;
}


bool
fold_failed(const fold_t *f)
{
    return f->failed;
}


size_t
fold_count(const fold_t *f)
{
    return f->n;
}


static int
by_key(const void *a, const void *b, void *data)
{
    const fold_t       *f = data;
    const fold_item_t  *one = *(fold_item_t *const *) a;
    const fold_item_t  *two = *(fold_item_t *const *) b;
    size_t              n = one->key_len < two->key_len ? one->key_len
                                                        : two->key_len;
    int                 rc = memcmp(item_key(f, one), item_key(f, two), n);

    return rc != 0 ? rc : one->key_len < two->key_len ? -1
                          : one->key_len > two->key_len;
}


void
fold_sort(fold_t *f)
{
    if (f->n != 0) {
        qsort_r(f->items, f->n, sizeof(fold_item_t *), by_key, f);
    }
}


void *
fold_at(const fold_t *f, size_t i, fold_key_t *key)
{
    if (key != NULL) {
        key->p = item_key(f, f->items[i]);
        key->end = key->p + f->items[i]->key_len;
    }

    return f->items[i] + 1;
}


int64_t
fold_next_int(fold_key_t *key)
{
    uint64_t  u = 0;

    for (int i = 0; i < 8 && key->p < key->end; i++) {
        u = u << 8 | *key->p++;
    }

    return (int64_t) (u ^ UINT64_C(0x8000000000000000));
}


tg_str_t
fold_next_str(fold_key_t *key, char *buf, size_t size)
{
    size_t         n = 0;
    unsigned char  ch;

    while (key->p < key->end && *key->p != 0) {
        ch = *key->p++;

        if (ch == 1 && key->p < key->end) {
            ch = (unsigned char) (*key->p++ - 1);
        }

        if (n < size) {
            buf[n++] = (char) ch;
        }
    }

    if (key->p < key->end) {
        key->p++;
    }

    return tg_str_of(buf, n);
}


int
fold_too_many(const char *what)
{
    return fail(what, "there are too many different rows for the memory: take"
                      " fewer dimensions, or a shorter time");
}
