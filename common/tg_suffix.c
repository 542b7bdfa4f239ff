#include "tg_suffix.h"


/* Those that end in less than what makes the kind are of every kind. */
static bool
tg_suffix_of_kind(tg_suffix_t x, unsigned kind)
{
    uint32_t  last;

    memcpy(&last, (char *) &x.mask + sizeof(last), sizeof(last));

    return last != UINT32_MAX || tg_suffix_kind(x.tail) == kind;
}


int
tg_suffixes(tg_suffixes_t *t, tg_mem_t *mem, const tg_suffix_t *suffix,
    size_t n)
{
    size_t     total = 0;
    uint16_t  *list;

    if (n > TG_SUFFIX_MAX) {
        return TG_ERROR;
    }

    for (unsigned kind = 0; kind < TG_SUFFIX_KINDS; kind++) {
        for (size_t i = 0; i < n; i++) {
            total += tg_suffix_of_kind(suffix[i], kind);
        }
    }

    list = tg_alloc(mem, (total + 1) * sizeof(uint16_t));
    if (list == NULL) {
        return TG_ERROR;
    }

    t->suffix = suffix;
    t->list = list;
    total = 0;

    for (unsigned kind = 0; kind < TG_SUFFIX_KINDS; kind++) {
        t->first[kind] = (uint16_t) total;

        for (size_t i = 0; i < n; i++) {
            if (tg_suffix_of_kind(suffix[i], kind)) {
                list[total++] = (uint16_t) i;
            }
        }
    }

    t->first[TG_SUFFIX_KINDS] = (uint16_t) total;

    return TG_OK;
}
