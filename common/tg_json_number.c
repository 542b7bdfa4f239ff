#include "tg_json_int.h"
#include "tg_json_decode.h"

/* States of a number, named for what was last; and what ends it. */
enum {
    TG_JSON_N_NONE = 0,
    TG_JSON_N_MINUS,
    TG_JSON_N_ZERO,
    TG_JSON_N_INT,
    TG_JSON_N_DOT,
    TG_JSON_N_FRAC,
    TG_JSON_N_E,
    TG_JSON_N_SIGN,
    TG_JSON_N_EXP,
    TG_JSON_N_STOP,
    TG_JSON_N_BAD
};

#define M  TG_JSON_N_MINUS
#define Z  TG_JSON_N_ZERO
#define I  TG_JSON_N_INT
#define D  TG_JSON_N_DOT
#define F  TG_JSON_N_FRAC
#define E  TG_JSON_N_E
#define G  TG_JSON_N_SIGN
#define X  TG_JSON_N_EXP
#define S  TG_JSON_N_STOP
#define B  TG_JSON_N_BAD

static const uint8_t  tg_json_number_next[9][7] = {
    /*           other  0  1-9  .  eE  +  -  */
    /* none  */  {  B,  Z,  I,  B,  B,  B,  M },
    /* minus */  {  B,  Z,  I,  B,  B,  B,  B },
    /* zero  */  {  S,  B,  B,  D,  E,  S,  S },
    /* int   */  {  S,  I,  I,  D,  E,  S,  S },
    /* dot   */  {  B,  F,  F,  B,  B,  B,  B },
    /* frac  */  {  S,  F,  F,  S,  E,  S,  S },
    /* e     */  {  B,  X,  X,  B,  B,  G,  G },
    /* sign  */  {  B,  X,  X,  B,  B,  B,  B },
    /* exp   */  {  S,  X,  X,  S,  S,  S,  S }
};

#undef M
#undef Z
#undef I
#undef D
#undef F
#undef E
#undef G
#undef X
#undef S
#undef B


static inline unsigned
tg_json_number_class(char c)
{
    if (c >= '0' && c <= '9') {
        return c == '0' ? 1 : 2;
    }

    switch (c) {
    case '.':
        return 3;
    case 'e': case 'E':
        return 4;
    case '+':
        return 5;
    case '-':
        return 6;
    default:
        return 0;
    }
}


bool
tg_json_number_complete(const tg_json_t *s)
{
    return tg_json_number_next[s->scalar][0] == TG_JSON_N_STOP;
}


const char *
tg_json_number(tg_json_t *s, const tg_json_input_t *in, const char *p,
    bool *more)
{
    const char  *begin = p;
    unsigned     state = s->scalar, next = state;
    ptrdiff_t    room = TG_JSON_NUMBER_MAX - s->number_len;

    for ( /* void */ ; p < in->end; p++) {
        next = tg_json_number_next[state][tg_json_number_class(*p)];

        if (next >= TG_JSON_N_STOP) {
            break;
        }

        if (p - begin == room) {
            return tg_json_fail(s, in, p, TG_JSON_E_LONG_NUMBER);
        }

        state = next;
    }

    if (next == TG_JSON_N_BAD) {
        return tg_json_fail(s, in, p, TG_JSON_E_NUMBER);
    }

    *more = next != TG_JSON_N_STOP;

    if (*more) {
        s->state = TG_JSON_S_IN_NUMBER;
        s->scalar = (uint8_t) state;
        s->number_len = (uint16_t) (s->number_len + (p - begin));

        if (tg_json_wanted(s)) {
            tg_json_event_digits(s, begin, p);
        }
    }

    return p;
}


const char *
tg_json_number_begin(tg_json_t *s, const tg_json_input_t *in, const char *p,
    bool *more)
{
    tg_json_decode_init(&s->decode);
    s->scalar = TG_JSON_N_NONE;
    s->number_len = 0;

    return tg_json_number(s, in, p, more);
}


const char *
tg_json_number_skip(const char *p, const char *end, tg_json_errcode_t *err)
{
    const char  *begin = p;
    unsigned     state = TG_JSON_N_NONE, next;

    for ( /* void */ ; p < end; p++, state = next) {
        next = tg_json_number_next[state][tg_json_number_class(*p)];

        if (next >= TG_JSON_N_STOP) {
            break;
        }

        if (p - begin == TG_JSON_NUMBER_MAX) {
            *err = TG_JSON_E_LONG_NUMBER;
            return p;
        }
    }

    *err = TG_JSON_E_NONE;

    if (p < end && tg_json_number_next[state][tg_json_number_class(*p)]
                   == TG_JSON_N_BAD)
    {
        *err = TG_JSON_E_NUMBER;

    } else if (tg_json_number_next[state][0] != TG_JSON_N_STOP) {
        *err = TG_JSON_E_TRUNCATED;
    }

    return p;
}
