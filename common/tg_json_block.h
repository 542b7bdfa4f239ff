/*
 * tg_json_block.h - the insides of JSON strings, 64 bytes at a time.
 *
 * Not a header of its own: tg_json_string_x86.c includes it once for each
 * instruction set, with TG_V naming the functions, tg_v a vector of 32 bytes
 * and TG_TARGET its attributes.
 *
 * A block's bytes are turned into 64-bit masks, bit i for byte i.  What reaches
 * into the next block is carried along: whether its first byte is escaped, and
 * which of its first bytes have to be hex digits.  UTF-8 is validated by three
 * table lookups for each pair of neighbours (Keiser and Lemire, "Validating
 * UTF-8 In Less Than One Instruction Per Byte", 2021).
 */

/* Errors of a byte after the one before it, as bits of the three tables. */
#ifndef TG_U_SHORT

#define TG_U_SHORT      0x01    /* a lead byte, then no continuation */
#define TG_U_LONG       0x02    /* ASCII, then a continuation */
#define TG_U_OVER3      0x04    /* e0 80..9f */
#define TG_U_LARGE      0x08    /* f4 90..bf, f5..ff 90..bf */
#define TG_U_SURROGATE  0x10    /* ed a0..bf */
#define TG_U_OVER2      0x20    /* c0, c1 */
#define TG_U_OVER4      0x40    /* f0 80..8f, and f5..ff 80..8f */
#define TG_U_TWO        0x80    /* two continuations: right only as the third
                                   or fourth byte */
#define TG_U_ANY        (TG_U_SHORT | TG_U_LONG | TG_U_TWO)
#define TG_U_CONT       (TG_U_LONG | TG_U_OVER2 | TG_U_TWO)

/* By the high nibble of the byte before. */
static const uint8_t  tg_utf8_before_high[16] = {
    TG_U_LONG, TG_U_LONG, TG_U_LONG, TG_U_LONG,
    TG_U_LONG, TG_U_LONG, TG_U_LONG, TG_U_LONG,
    TG_U_TWO, TG_U_TWO, TG_U_TWO, TG_U_TWO,
    TG_U_SHORT | TG_U_OVER2,
    TG_U_SHORT,
    TG_U_SHORT | TG_U_OVER3 | TG_U_SURROGATE,
    TG_U_SHORT | TG_U_LARGE | TG_U_OVER4
};

/* By its low nibble. */
static const uint8_t  tg_utf8_before_low[16] = {
    TG_U_ANY | TG_U_OVER2 | TG_U_OVER3 | TG_U_OVER4,
    TG_U_ANY | TG_U_OVER2,
    TG_U_ANY,
    TG_U_ANY,
    TG_U_ANY | TG_U_LARGE,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4 | TG_U_SURROGATE,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4,
    TG_U_ANY | TG_U_LARGE | TG_U_OVER4
};

/* By the high nibble of the byte itself. */
static const uint8_t  tg_utf8_high[16] = {
    TG_U_SHORT, TG_U_SHORT, TG_U_SHORT, TG_U_SHORT,
    TG_U_SHORT, TG_U_SHORT, TG_U_SHORT, TG_U_SHORT,
    TG_U_CONT | TG_U_OVER3 | TG_U_OVER4,
    TG_U_CONT | TG_U_OVER3 | TG_U_LARGE,
    TG_U_CONT | TG_U_SURROGATE | TG_U_LARGE,
    TG_U_CONT | TG_U_SURROGATE | TG_U_LARGE,
    TG_U_SHORT, TG_U_SHORT, TG_U_SHORT, TG_U_SHORT
};

/*
 * Classes of bytes, as (high nibble's bits & low nibble's bits): 0x0f what may
 * follow a backslash, 0x70 hex digits.
 */
static const uint8_t  tg_class_high[16] = {
    0, 0, 0x01, 0x10, 0x20, 0x02, 0x44, 0x08, 0, 0, 0, 0, 0, 0, 0, 0
};

static const uint8_t  tg_class_low[16] = {
    0x10, 0x70, 0x7d, 0x70, 0x78, 0x78, 0x74, 0x10,
    0x10, 0x10, 0x00, 0x00, 0x02, 0x00, 0x04, 0x01
};

typedef struct {
    uint64_t  escaped;      /* bit 0: the next block's first byte is */
    uint64_t  hex;          /* the next block's bytes that must be hex */
} tg_block_carry_t;

typedef struct {
    uint64_t  quote;
    uint64_t  backslash;
    uint64_t  bad;
} tg_block_t;


/*
 * The bytes that are escaped, from the backslashes: in each run of them every
 * second one, and the byte behind a run of odd length.
 */
static inline uint64_t
tg_block_escaped(uint64_t backslash, uint64_t *carry)
{
    const uint64_t  even = UINT64_C(0x5555555555555555);
    uint64_t        first, runs, even_runs, escaped;

    backslash &= ~*carry;
    first = backslash & ~(backslash << 1);
    runs = backslash | (backslash << 1);

    /* the addition ripples through the runs that begin at even places */
    even_runs = backslash ^ (backslash + (first & even));
    escaped = (even_runs & ~even) | ((runs ^ even_runs) & even) | *carry;

    *carry = (backslash & ~even_runs) >> 63;

    return escaped;
}

#endif


TG_TARGET static inline uint64_t
TG_V(class)(tg_v a, tg_v b, uint8_t class)
{
    tg_v      zero = TG_V(set1)(0);
    uint32_t  ma, mb;

    ma = TG_V(mask)(TG_V(eq)(TG_V(and)(a, TG_V(set1)(class)), zero));
    mb = TG_V(mask)(TG_V(eq)(TG_V(and)(b, TG_V(set1)(class)), zero));

    return ~((uint64_t) mb << 32 | ma);
}


TG_TARGET static inline uint64_t
TG_V(eq64)(tg_v a, tg_v b, uint8_t c)
{
    tg_v  v = TG_V(set1)(c);

    return (uint64_t) TG_V(mask)(TG_V(eq)(b, v)) << 32
           | TG_V(mask)(TG_V(eq)(a, v));
}


/* Finds the escapes: clears what is escaped from quote, adds to bad. */
TG_TARGET static inline void
TG_V(escapes)(tg_block_t *m, tg_v a, tg_v b, tg_block_carry_t *carry)
{
    uint64_t  escaped, u, hex;
    tg_v      ca, cb;

    escaped = tg_block_escaped(m->backslash, &carry->escaped);
    m->quote &= ~escaped;

    ca = TG_V(and)(TG_V(lookup)(tg_class_high, TG_V(high)(a)),
                   TG_V(lookup)(tg_class_low, TG_V(low)(a)));
    cb = TG_V(and)(TG_V(lookup)(tg_class_high, TG_V(high)(b)),
                   TG_V(lookup)(tg_class_low, TG_V(low)(b)));

    m->bad |= escaped & ~TG_V(class)(ca, cb, 0x0f);

    u = escaped & TG_V(eq64)(a, b, 'u');
    hex = carry->hex;

    if ((u | hex) != 0) {
        hex |= u << 1 | u << 2 | u << 3 | u << 4;
        m->bad |= hex & ~TG_V(class)(ca, cb, 0x70);
        carry->hex = u >> 63 | u >> 62 | u >> 61 | u >> 60;
    }
}


TG_TARGET static inline uint32_t
TG_V(utf8)(tg_v v, tg_v before)
{
    tg_v  b1, pair, third;

    b1 = TG_V(prev1)(v, before);

    pair = TG_V(and)(TG_V(lookup)(tg_utf8_before_high, TG_V(high)(b1)),
                     TG_V(lookup)(tg_utf8_before_low, TG_V(low)(b1)));
    pair = TG_V(and)(pair, TG_V(lookup)(tg_utf8_high, TG_V(high)(v)));

    /* bit 7 where a third or fourth byte belongs, which is TG_U_TWO's */
    third = TG_V(or)(TG_V(subs)(TG_V(prev2)(v, before), 0xe0 - 0x80),
                     TG_V(subs)(TG_V(prev3)(v, before), 0xf0 - 0x80));
    third = TG_V(and)(third, TG_V(set1)(0x80));

    return ~TG_V(mask)(TG_V(eq)(TG_V(xor)(third, pair), TG_V(set1)(0)));
}


TG_TARGET static inline bool
TG_V(open)(tg_v last)
{
    static const uint8_t  most[32] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xdf, 0xbf
    };

    return TG_V(exceeds)(last, most);
}


TG_TARGET const char *
TG_V(tg_json_string)(tg_json_string_t *st, const char *p, const char *end)
{
    tg_block_carry_t  carry = { 0, 0 }, before;
    const char       *start = p;
    tg_block_t        m;
    uint64_t          below, high;
    tg_v              a, b, sa, sb, last;
    bool              open = false;

    last = TG_V(set1)(0);
    before = carry;

    for ( /* void */ ; end - p >= 64; p += 64) {
        a = TG_V(load)(p);
        b = TG_V(load)(p + 32);
        sa = TG_V(special)(a);
        sb = TG_V(special)(b);

        if ((TG_V(mask)(TG_V(or)(sa, sb)) == 0)
            && (carry.escaped | carry.hex) == 0 && !open)
        {
            last = TG_V(set1)(0);
            continue;
        }

        before = carry;
        high = (uint64_t) TG_V(mask)(b) << 32 | TG_V(mask)(a);
        m.quote = TG_V(eq64)(a, b, '"');
        m.backslash = TG_V(eq64)(a, b, '\\');
        m.bad = ((uint64_t) TG_V(mask)(TG_V(less)(b)) << 32
                 | TG_V(mask)(TG_V(less)(a))) & ~high;

        if ((m.backslash | carry.escaped | carry.hex) != 0) {
            TG_V(escapes)(&m, a, b, &carry);
        }

        if (high != 0 || open) {
            m.bad |= (uint64_t) TG_V(utf8)(b, a) << 32 | TG_V(utf8)(a, last);
            last = b;
            open = TG_V(open)(b);

        } else {
            last = TG_V(set1)(0);
        }

        below = m.quote ^ (m.quote - 1);        /* all where there is none */

        if ((m.bad & below) != 0) {
            carry = before;
            break;
        }

        if (m.quote != 0) {
            return p + __builtin_ctzll(m.quote);
        }
    }

    if (carry.escaped != 0) {
        st->escape = 1;

    } else if (carry.hex != 0) {
        st->escape = (uint8_t) (65 - __builtin_clzll(carry.hex));
    }

    return tg_json_string_tail(st, start, p);
}
