#include "focus_commit.h"

#include "tg_money.h"

#define HOUR_MS    3600000
#define MINUTE_MS  60000
#define NANO       1000000000

typedef struct {
    int64_t  tokens;
    int64_t  told;                      /* of them, in rows */
} use_t;

/* Of a commitment in a row's period. */
typedef struct {
    int64_t  nusd;                      /* what it costs */
    int64_t  hours;                     /* by 10^-9 */
    int64_t  room;                      /* tokens */
} span_t;


bool
focus_of_tokens(focus_class_t class)
{
    return class <= FOCUS_OUTPUT || class == FOCUS_TOKENS;
}


static use_t *
use_of(fold_t *used, int64_t start, int64_t commitment)
{
    fold_key(used);
    fold_int(used, start);
    fold_int(used, commitment);

    return fold_value(used);
}


bool
focus_use(fold_t *used, int64_t start, int64_t commitment, int64_t tokens)
{
    use_t  *u = use_of(used, start, commitment);

    if (u == NULL) {
        return false;
    }

    u->tokens = tg_money_add(u->tokens, tokens);

    return true;
}


/* a * b / c, which fits. */
static int64_t
part(int64_t a, int64_t b, int64_t c)
{
    return (int64_t) ((__int128) a * b / c);
}


static span_t
span_of(const focus_row_t *row, const commitment_t *c)
{
    span_t   s;
    int64_t  from = row->start > c->from ? row->start : c->from;
    int64_t  until = row->end < c->until ? row->end : c->until;
    int64_t  ms = until > from ? until - from : 0;

    s.nusd = part(c->per_hour, ms, HOUR_MS);
    s.hours = part(ms, NANO, HOUR_MS);
    s.room = part(c->per_minute, ms, MINUTE_MS);

    return s;
}


/* Where more was used than fits, or nobody knows what fits, it is all used. */
static int64_t
room_of(const span_t *s, const use_t *u)
{
    return s->room > u->tokens ? s->room : u->tokens > 0 ? u->tokens : 1;
}


/* Parts of a running sum, so that what is rounded adds up. */
void
focus_row_used(focus_row_t *row, fold_t *used, const commitment_t *c,
    int64_t commitment)
{
    use_t    *u = use_of(used, row->start, commitment);
    span_t    s = span_of(row, c);
    int64_t   room, told;

    if (u == NULL) {
        return;
    }

    room = room_of(&s, u);
    told = u->told;
    u->told += row->quantity;

    row->kind = FOCUS_USED;
    row->commitment = c->id;
    row->effective += part(s.nusd, u->told, room) - part(s.nusd, told, room);
    row->hours = part(s.hours, u->told, room) - part(s.hours, told, room);
}


static tg_str_t
first_text(tg_str_t a, tg_str_t b)
{
    return a.len != 0 ? a : b;
}


bool
focus_row_purchase(focus_row_t *row, const commitment_t *c,
    const char *account)
{
    span_t  s = span_of(row, c);

    if (s.hours == 0) {
        return false;
    }

    row->kind = FOCUS_PURCHASE;
    row->class = FOCUS_HOURS;
    row->commitment = c->id;
    row->vendor = first_text(c->vendor, tg_str("unknown"));
    row->model = c->id;
    row->tier = first_text(c->tier, tg_str("standard"));
    row->account = account != NULL ? tg_strz(account)
                   : first_text(first_text(c->provider, c->vendor), c->id);
    row->quantity = s.hours;
    row->hours = s.hours;
    row->cost = s.nusd;
    row->list = s.nusd;
    row->effective = 0;

    return true;
}


bool
focus_row_unused(focus_row_t *row, fold_t *used, const commitment_t *c,
    int64_t commitment)
{
    use_t    *u = use_of(used, row->start, commitment);
    span_t    s = span_of(row, c);
    int64_t   room;

    if (u == NULL) {
        return false;
    }

    room = room_of(&s, u);
    row->kind = FOCUS_UNUSED;
    row->hours = s.hours - part(s.hours, u->told, room);
    row->effective = s.nusd - part(s.nusd, u->told, room);
    row->quantity = row->hours;
    row->cost = 0;
    row->list = 0;

    return row->hours > 0;
}
