#include "groups_int.h"

#include "tg_money.h"

#include <stdlib.h>

#define SLOTS_MIN   1024
#define PART_BITS   6                   /* of a hash: which of PARTS */
#define ALIKE       4                   /* in memory less than one of so many
                                           rows was there before: */
#define PASSES      8                   /* so many times as many are written
                                           without a look */


groups_t *
groups_new(unsigned values, size_t size, groups_add_t add, size_t memory)
{
    groups_t  *rows;

    if (values > GROUPS_VALUES_MAX || size > GROUPS_SUMS_MAX) {
        return NULL;
    }

    rows = calloc(1, sizeof(groups_t));

    if (rows == NULL) {
        return NULL;
    }

    rows->nvalues = values;
    rows->size = size;
    rows->sums = (size + 7) & ~(size_t) 7;
    rows->add = add;
    rows->memory = memory == 0 ? GROUPS_MEMORY
                   : memory < GROUPS_MEMORY_MIN ? GROUPS_MEMORY_MIN : memory;
    rows->nslots = SLOTS_MIN;
    rows->slots = calloc(rows->nslots, sizeof(group_slot_t));
    rows->arena = malloc(rows->memory + GROUP_MAX);

    if (rows->slots == NULL || rows->arena == NULL
        || !hash_key_make(&rows->key))
    {
        groups_free(rows);
        rows = NULL;
    }

    return rows;
}


void
groups_forget(groups_t *rows)
{
    free(rows->arena);
    free(rows->slots);
    free(rows->entries);
    rows->arena = NULL;
    rows->slots = NULL;
    rows->entries = NULL;
}


void
groups_free(groups_t *rows)
{
    if (rows != NULL) {
        groups_forget(rows);
        parts_free(rows->parts);
        spill_free(rows->sorted);
        free(rows);
    }
}


tg_str_t
groups_int(char *buf, int64_t v)
{
    uint64_t  u = (uint64_t) v ^ UINT64_C(0x8000000000000000);

    for (int i = 0; i < GROUPS_INT_SIZE; i++) {
        buf[i] = (char) (u >> (56 - 8 * i));
    }

    return tg_str_of(buf, GROUPS_INT_SIZE);
}


int64_t
groups_int_of(tg_str_t value)
{
    uint64_t  u = 0;

    for (size_t i = 0; i < value.len && i < GROUPS_INT_SIZE; i++) {
        u = u << 8 | (uint8_t) value.p[i];
    }

    return (int64_t) (u ^ UINT64_C(0x8000000000000000));
}


group_slot_t *
groups_find(const groups_t *rows, const group_t *row)
{
    size_t          at = row->hash & (rows->nslots - 1);
    group_slot_t   *slot;
    const group_t  *is;

    while ((slot = &rows->slots[at])->at != 0) {
        is = group_at(rows, (size_t) (slot->at - 1) * 8);

        if (slot->hash == row->hash && is->size == row->size
            && memcmp(group_key(rows, is), group_key(rows, row),
                      group_key_size(rows, row)) == 0)
        {
            break;
        }

        at = (at + 1) & (rows->nslots - 1);
    }

    return slot;
}


static bool
grow(groups_t *rows)
{
    size_t         n = rows->nslots * 2, at;
    group_slot_t  *slots = calloc(n, sizeof(group_slot_t));

    if (slots == NULL) {
        return false;
    }

    for (size_t i = 0; i < rows->nslots; i++) {
        if (rows->slots[i].at != 0) {
            at = rows->slots[i].hash & (n - 1);

            while (slots[at].at != 0) {
                at = (at + 1) & (n - 1);
            }

            slots[at] = rows->slots[i];
        }
    }

    free(rows->slots);
    rows->slots = slots;
    rows->nslots = n;

    return true;
}


void
groups_clear(groups_t *rows)
{
    memset(rows->slots, 0, rows->nslots * sizeof(group_slot_t));
    rows->used = 0;
    rows->n = 0;
    rows->nfound = 0;
}


bool
groups_lose(groups_t *rows, size_t n)
{
    size_t         room = SLOTS_MIN;
    group_slot_t  *slots;

    while (room * 3 < n * 4 && room * sizeof(group_slot_t) < rows->memory / 8) {
        room *= 2;
    }

    slots = calloc(room, sizeof(group_slot_t));

    if (slots == NULL) {
        return false;
    }

    free(rows->slots);
    rows->slots = slots;
    rows->nslots = room;
    rows->nfound = 0;

    return true;
}


void
groups_add_ints(void *to, const void *from, size_t size)
{
    int64_t        *a = to;
    const int64_t  *b = from;

    for (size_t i = 0; i < size / sizeof(int64_t); i++) {
        a[i] = tg_money_add(a[i], b[i]);
    }
}


void
groups_add(const groups_t *rows, group_t *row, const void *sums)
{
    if (rows->add != NULL) {
        rows->add(row + 1, sums);
    } else {
        groups_add_ints(row + 1, sums, rows->size);
    }
}


static inline bool
put_part(parts_t *parts, unsigned level, const group_t *row)
{
    unsigned  shift = 32 - PART_BITS * (level + 1);

    return parts_put(parts, row->hash >> shift & (PARTS - 1), row);
}


bool
groups_divide(groups_t *rows, parts_t **parts, unsigned level)
{
    group_t  *row;

    if (*parts == NULL) {
        *parts = level < GROUP_LEVELS ? parts_new() : NULL;
    }

    if (*parts == NULL) {
        return false;
    }

    for (size_t at = 0; at < rows->used; at += row->size) {
        row = group_at(rows, at);

        if (!put_part(*parts, level, row)) {
            return false;
        }
    }

    groups_clear(rows);

    return true;
}


bool
groups_keep(groups_t *rows)
{
    group_t       *row = group_at(rows, rows->used);
    group_slot_t  *slot;

    if (rows->nfound * 4 >= rows->nslots * 3 && !grow(rows)) {
        return false;
    }

    slot = groups_find(rows, row);
    slot->hash = row->hash;
    slot->at = (uint32_t) (rows->used / 8 + 1);
    rows->used += row->size;
    rows->n++;
    rows->nfound++;

    return true;
}


/* Behind the last row, with sums of zeros. */
static group_t *
make_row(groups_t *rows, const tg_str_t *values)
{
    char     *key, *begin;
    group_t  *row = group_at(rows, rows->used);
    uint16_t  len;

    memset(row + 1, 0, rows->sums);
    begin = group_key(rows, row);
    key = begin;

    for (unsigned i = 0; i < rows->nvalues; i++) {
        len = (uint16_t) (values[i].len < GROUPS_VALUE_SIZE ? values[i].len
                                                          : GROUPS_VALUE_SIZE);
        memcpy(key, &len, 2);

        if (len != 0) {
            memcpy(key + 2, values[i].p, len);
        }

        key += 2 + len;
    }

    while ((key - begin) % 8 != 0) {
        *key++ = '\0';
    }

    row->size = (parts_size_t) (key - (char *) row);
    row->hash = (uint32_t) hash_bytes(&rows->key, begin,
                                      (size_t) (key - begin));

    return row;
}


/* Before *row, which is new: the memory is full. */
static bool
make_room(groups_t *rows, const group_t *row)
{
    size_t  n = rows->n;

    if (!groups_divide(rows, &rows->parts, 0)) {
        return false;
    }

    rows->passes = rows->again < n / ALIKE ? n * PASSES : 0;
    rows->again = 0;
    memmove(rows->arena, row, row->size);

    return true;
}


bool
groups_take(groups_t *rows, const tg_str_t *values, const void *sums)
{
    group_t       *row = make_row(rows, values);
    group_slot_t  *slot;

    if (rows->passes != 0) {
        rows->passes--;
        groups_add(rows, row, sums);

        return put_part(rows->parts, 0, row);
    }

    slot = groups_find(rows, row);

    if (slot->at != 0) {
        groups_add(rows, group_at(rows, (size_t) (slot->at - 1) * 8), sums);
        rows->again++;
        return true;
    }

    groups_add(rows, row, sums);

    return (groups_fits(rows, 1, row->size) || make_room(rows, row))
           && groups_keep(rows);
}


bool
groups_take_line(groups_t *rows, const dimension_t *by,
    const struct tg_zone_s *zone, const record_t *r, const void *sums)
{
    char      buf[GROUPS_VALUES_MAX][DIMENSION_SIZE];
    tg_str_t  values[GROUPS_VALUES_MAX];

    for (unsigned i = 0; i < rows->nvalues; i++) {
        values[i] = dimension_value(&by[i], r, zone, buf[i]);
    }

    return groups_take(rows, values, sums);
}
