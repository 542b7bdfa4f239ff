#include "tg_window_int.h"

#define TG_ZONE_HEADER   44
#define TG_ZONE_TIMES    20000      /* transitions of a file */
#define TG_ZONE_OFFSET   (26 * 3600)

typedef struct {
    uint32_t              isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
    const unsigned char  *data;
    size_t                len;
} tg_tzif_t;


static uint32_t
tg_zone_u32(const unsigned char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static int64_t
tg_zone_i64(const unsigned char *p)
{
    return (int64_t) ((uint64_t) tg_zone_u32(p) << 32 | tg_zone_u32(p + 4));
}


/* A header and the data block after it, whose times have `width` bytes.
 * Returns where the block ends, NULL: cut short. */
static const unsigned char *
tg_zone_block(const unsigned char *p, const unsigned char *end, unsigned width,
    tg_tzif_t *t)
{
    uint64_t  len;

    if (end - p < TG_ZONE_HEADER || memcmp(p, "TZif", 4) != 0) {
        return NULL;
    }

    t->isutcnt = tg_zone_u32(p + 20);
    t->isstdcnt = tg_zone_u32(p + 24);
    t->leapcnt = tg_zone_u32(p + 28);
    t->timecnt = tg_zone_u32(p + 32);
    t->typecnt = tg_zone_u32(p + 36);
    t->charcnt = tg_zone_u32(p + 40);
    t->data = p + TG_ZONE_HEADER;

    len = (uint64_t) t->timecnt * (width + 1) + (uint64_t) t->typecnt * 6
          + t->charcnt + (uint64_t) t->leapcnt * (width + 4)
          + t->isstdcnt + t->isutcnt;

    if (len > (uint64_t) (end - t->data)) {
        return NULL;
    }

    return t->data + len;
}


static int
tg_zone_times(tg_mem_t *mem, const tg_tzif_t *t, tg_zone_t *z,
    tg_error_t *err)
{
    int32_t               offset;
    const unsigned char  *index = t->data + (size_t) t->timecnt * 8;
    const unsigned char  *types = index + t->timecnt;

    z->changes = tg_alloc(mem, (t->timecnt + 1) * sizeof(tg_zone_change_t));
    if (z->changes == NULL) {
        return tg_error(err, 0, 0, "out of memory");
    }

    for (uint32_t i = 0; i <= t->timecnt; i++) {
        /* The first type is what holds before the first transition. */
        uint32_t  type = i == 0 ? 0 : index[i - 1];

        if (type >= t->typecnt) {
            return tg_error(err, 0, 0, "a transition to an unknown type");
        }

        offset = (int32_t) tg_zone_u32(types + (size_t) type * 6);

        if (offset <= -TG_ZONE_OFFSET || offset >= TG_ZONE_OFFSET) {
            return tg_error(err, 0, 0, "an offset of more than a day");
        }

        z->changes[i].offset = offset;
        z->changes[i].at = i == 0 ? INT64_MIN
                                  : tg_zone_i64(t->data + (size_t) (i - 1) * 8);

        if (i > 0 && z->changes[i].at <= z->changes[i - 1].at) {
            return tg_error(err, 0, 0, "transitions that are not in order");
        }
    }

    z->nchanges = t->timecnt + 1;

    return TG_OK;
}


int
tg_zone_parse(tg_mem_t *mem, tg_str_t bytes, tg_zone_t **zone,
    tg_error_t *err)
{
    tg_zone_t            *z;
    tg_tzif_t             t;
    const unsigned char  *p = (const unsigned char *) bytes.p, *end, *nl;

    if (bytes.len < TG_ZONE_HEADER || memcmp(p, "TZif", 4) != 0) {
        return tg_error(err, 0, 0, "it is not a TZif file");
    }

    end = p + bytes.len;

    if (p[4] < '2') {
        return tg_error(err, 0, 0, "it is a TZif file of version 1, "
                        "which ends in 2037");
    }

    p = tg_zone_block(p, end, 4, &t);
    p = p == NULL ? NULL : tg_zone_block(p, end, 8, &t);

    if (p == NULL || p == end || *p++ != '\n') {
        return tg_error(err, 0, 0, "it is cut short");
    }

    if (t.leapcnt != 0) {
        return tg_error(err, 0, 0, "it counts leap seconds");
    }

    if (t.typecnt == 0 || t.timecnt > TG_ZONE_TIMES) {
        return tg_error(err, 0, 0, "it has no or too many transitions");
    }

    nl = memchr(p, '\n', (size_t) (end - p));

    if (nl == NULL) {
        return tg_error(err, 0, 0, "its footer is cut short");
    }

    z = tg_zalloc(mem, sizeof(*z));
    if (z == NULL) {
        return tg_error(err, 0, 0, "out of memory");
    }

    if (tg_zone_times(mem, &t, z, err) != TG_OK) {
        return TG_ERROR;
    }

    if (tg_zone_rule(tg_str_of((const char *) p, (size_t) (nl - p)), z)
        != TG_OK)
    {
        return tg_error(err, 0, 0, "its footer is no POSIX TZ string");
    }

    *zone = z;

    return TG_OK;
}


int32_t
tg_zone_offset(const tg_zone_t *zone, int64_t t, int64_t *until)
{
    size_t                   low = 0, high, mid;
    const tg_zone_change_t  *last;

    *until = INT64_MAX;

    if (zone == NULL) {
        return 0;
    }

    last = &zone->changes[zone->nchanges - 1];

    if (t >= last->at && zone->has_rule) {
        return tg_zone_rule_offset(zone, t, until);
    }

    for (high = zone->nchanges; high - low > 1; ) {
        mid = low + (high - low) / 2;

        if (zone->changes[mid].at <= t) {
            low = mid;
        } else {
            high = mid;
        }
    }

    if (high < zone->nchanges) {
        *until = zone->changes[high].at;
    }

    return zone->changes[low].offset;
}
