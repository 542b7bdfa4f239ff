#include "seal.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_window.h"

#include <openssl/sha.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX  1024
#define SPOKEN    8192          /* what is hashed of a line */
#define CHUNK     65536

static const unsigned char  texts[] = {
    REC_TEAM, REC_KEY, REC_VENDOR, REC_PROVIDER, REC_ASKED_MODEL
};

const char *const  seal_dimensions[] = {
    "day", "team", "key", "vendor", "provider", "asked_model", NULL
};


void
seal_add(seal_sum_t *to, const seal_sum_t *from)
{
    to->lines = tg_money_add(to->lines, from->lines);
    to->calls = tg_money_add(to->calls, from->calls);
    to->nusd = tg_money_add(to->nusd, from->nusd);
}


static void
add_sums(void *to, const void *from)
{
    seal_add(to, from);
}


bool
seal_init(seal_t *s, const struct tg_zone_s *zone, size_t memory)
{
    memset(s, 0, sizeof(*s));
    s->zone = zone;
    s->rows = groups_new(1 + sizeof(texts), sizeof(seal_sum_t), add_sums,
                         memory);
    s->nodes = fold_new(sizeof(seal_node_t));

    return s->rows != NULL && s->nodes != NULL;
}


void
seal_free(seal_t *s)
{
    groups_free(s->rows);
    fold_free(s->nodes);
}


void
seal_want(record_want_t *want)
{
    for (size_t i = 0; i < sizeof(texts); i++) {
        record_want_text(want, texts[i]);
    }

    record_want_text(want, REC_EVENT_ID);
    record_want_text(want, REC_NODE);
    record_want_number(want, REC_COST);
    record_want_number(want, REC_SEQ);
}


/* A sum of hashes: the same in any order, and no line can be twice or away. */
static void
sum_add(unsigned char *sum, const unsigned char *hash)
{
    unsigned  carry = 0;

    for (int i = SEAL_HASH; i-- > 0; ) {
        carry += (unsigned) sum[i] + hash[i];
        sum[i] = (unsigned char) carry;
        carry >>= 8;
    }
}


static size_t
put_text(char *buf, size_t n, tg_str_t s)
{
    size_t  len = s.len < TEXT_MAX ? s.len : TEXT_MAX;

    if (len != 0) {
        memcpy(buf + n, s.p, len);
    }

    buf[n + len] = '\0';

    return n + len + 1;
}


static void
line_hash(const record_t *r, int64_t cost, unsigned char *hash)
{
    int     len;
    char    buf[SPOKEN];
    size_t  n = 0;

    n = put_text(buf, n, r->text[REC_EVENT_ID]);

    for (size_t i = 0; i < sizeof(texts); i++) {
        n = put_text(buf, n, r->text[texts[i]]);
    }

    len = snprintf(buf + n, sizeof(buf) - n, "%lld %lld %d",
                   (long long) r->time, (long long) cost,
                   record_is(r, REC_FINAL));

    (void) SHA256((unsigned char *) buf, n + (size_t) len, hash);
}


static void
line_day(seal_t *s, int64_t time)
{
    tg_window_t       w;
    tg_window_spec_t  day = { TG_WINDOW_DAY, 0 };

    if (time < s->day || time >= s->next) {
        tg_window_at(&day, s->zone, time, &w);
        s->day = w.start;
        s->next = w.end;
    }
}


static bool
line_node(seal_t *s, const record_t *r)
{
    int64_t       seq = r->number[REC_SEQ];
    seal_node_t  *n;

    fold_key(s->nodes);
    fold_str(s->nodes, r->text[REC_NODE]);
    n = fold_value(s->nodes);

    if (n == NULL) {
        return false;
    }

    if (record_has(r, REC_SEQ)) {
        n->first = n->lines == 0 || seq < n->first ? seq : n->first;
        n->last = n->lines == 0 || seq > n->last ? seq : n->last;
    }

    n->lines++;

    return true;
}


bool
seal_line(void *data, const record_t *r)
{
    char           day[GROUPS_INT_SIZE];
    int64_t        cost = record_has(r, REC_COST) ? r->number[REC_COST] : 0;
    seal_t        *s = data;
    tg_str_t       values[1 + sizeof(texts)];
    seal_sum_t     sum = { 1, record_is(r, REC_FINAL), cost };
    unsigned char  hash[SEAL_HASH];

    line_day(s, r->time);
    values[0] = groups_int(day, s->day);

    for (size_t i = 0; i < sizeof(texts); i++) {
        values[i + 1] = r->text[texts[i]];
    }

    s->full = !groups_take(s->rows, values, &sum);

    if (s->full || !line_node(s, r)) {
        return false;
    }

    seal_add(&s->all, &sum);
    line_hash(r, cost, hash);
    sum_add(s->sum, hash);

    return true;
}


void
seal_sort(seal_t *s)
{
    fold_sort(s->nodes);
}


/* The date that the zone's clocks show in the middle of the day. */
static json_t *
json_day(const seal_t *s, int64_t ms)
{
    char       buf[16];
    time_t     t;
    int64_t    until;
    struct tm  tm;

    t = (time_t) (ms / 1000 + tg_zone_offset(s->zone, ms / 1000 + 43200, &until)
                  + 43200);
    (void) gmtime_r(&t, &tm);
    (void) strftime(buf, sizeof(buf), "%Y-%m-%d", &tm);

    return json_string(buf);
}


static json_t *
json_value(tg_str_t s)
{
    char    *hex;
    size_t   n = 0;
    json_t  *v = json_stringn(s.p, s.len);

    if (v != NULL) {
        return v;
    }

    /* no UTF-8 */

    hex = malloc(2 * s.len + 2);
    if (hex == NULL) {
        return NULL;
    }

    hex[n++] = 'x';
    for (size_t i = 0; i < s.len; i++) {
        n += (size_t) sprintf(hex + n, "%02x", (unsigned char) s.p[i]);
    }

    v = json_stringn(hex, n);
    free(hex);

    return v;
}


typedef struct {
    const seal_t  *s;
    seal_row_t     row;
    void          *data;
    bool           ended;
} each_t;


static bool
row_told(void *data, const tg_str_t *values, const void *sums)
{
    char    *text;
    each_t  *e = data;
    json_t  *row = json_array();

    (void) json_array_append_new(row, json_day(e->s, groups_int_of(values[0])));

    for (size_t n = 0; n < sizeof(texts); n++) {
        (void) json_array_append_new(row, json_value(values[n + 1]));
    }

    text = json_array_size(row) == sizeof(texts) + 1
           ? json_dumps(row, JSON_COMPACT) : NULL;
    json_decref(row);
    e->ended = text == NULL || !e->row(e->data, text, sums);
    free(text);

    return !e->ended;
}


bool
seal_each(seal_t *s, seal_row_t row, void *data)
{
    each_t  e = { s, row, data, false };

    return groups_each(s->rows, NULL, row_told, &e) && !e.ended;
}


static void
hex_text(const unsigned char *bytes, char *text)
{
    for (int i = 0; i < SEAL_HASH; i++) {
        (void) sprintf(text + 2 * i, "%02x", bytes[i]);
    }
}


void
seal_sum(const seal_t *s, char *text)
{
    hex_text(s->sum, text);
}


EVP_MD_CTX *
seal_hash_begin(void)
{
    EVP_MD_CTX  *ctx = EVP_MD_CTX_new();

    if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }

    return ctx;
}


bool
seal_hash_sums(EVP_MD_CTX *ctx, const char *key, const seal_sum_t *sum)
{
    int   n;
    char  buf[120];

    n = snprintf(buf, sizeof(buf), " %lld %lld %lld\n",
                 (long long) sum->lines, (long long) sum->calls,
                 (long long) sum->nusd);

    return EVP_DigestUpdate(ctx, key, strlen(key)) == 1
           && EVP_DigestUpdate(ctx, buf, (size_t) n) == 1;
}


bool
seal_hash_head(EVP_MD_CTX *ctx, const seal_about_t *about, tg_str_t lines_sum,
    const seal_sum_t *all)
{
    int   n;
    char  head[700];

    n = snprintf(head, sizeof(head), "tollgate close 1\n%.*s\n%.*s\n"
                 "%lld %lld\n%.*s\n%.*s\n",
                 (int) about->period->len, about->period->p,
                 (int) about->zone->len, about->zone->p,
                 (long long) about->since, (long long) about->until,
                 (int) about->previous->len, about->previous->p,
                 (int) lines_sum.len, lines_sum.p);

    return (size_t) n < sizeof(head)
           && EVP_DigestUpdate(ctx, head, (size_t) n) == 1
           && seal_hash_sums(ctx, "total", all);
}


bool
seal_hash_end(EVP_MD_CTX *ctx, char *text)
{
    bool           ok;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    ok = ctx != NULL && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
    EVP_MD_CTX_free(ctx);

    if (ok) {
        hex_text(hash, text);
    }

    return ok;
}


static bool
hash_row(void *data, const char *key, const seal_sum_t *sum)
{
    return seal_hash_sums(data, key, sum);
}


bool
seal_hash(seal_t *s, const seal_about_t *about, char *text)
{
    bool         ok;
    char         sum[SEAL_TEXT];
    EVP_MD_CTX  *ctx = seal_hash_begin();

    seal_sum(s, sum);
    ok = ctx != NULL && seal_hash_head(ctx, about, tg_strz(sum), &s->all)
         && seal_each(s, hash_row, ctx);

    return seal_hash_end(ctx, text) && ok;
}


bool
seal_hash_file(const char *file, char *text, int64_t *bytes)
{
    bool            ok;
    FILE           *f = fopen(file, "rbe");
    size_t          n;
    EVP_MD_CTX     *ctx = seal_hash_begin();
    unsigned char   buf[CHUNK];

    *bytes = 0;
    ok = f != NULL && ctx != NULL;

    while (ok && (n = fread(buf, 1, sizeof(buf), f)) != 0) {
        ok = EVP_DigestUpdate(ctx, buf, n) == 1;
        *bytes += (int64_t) n;
    }

    ok = ok && !ferror(f);
    ok = seal_hash_end(ctx, text) && ok;

    if (f != NULL) {
        (void) fclose(f);
    }

    return ok || failed(file, strerror(errno));
}
