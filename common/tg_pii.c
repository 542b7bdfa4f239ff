#include "tg_pii_int.h"

#define TG_DIGITS_MAX   19      /* of a card */
#define TG_IBAN_MIN     15
#define TG_IBAN_MAX     34
#define TG_LOCAL_MAX    TG_PII_BACK
#define TG_DOMAIN_MAX   255

const char *const  tg_pii_names[TG_PII_KINDS] = {
    "card", "iban", "email", "ssn", "key", "phone"
};

/* First digits of a card's number, from `low` to `high`, and how many there are
 * in all: bit n for n. */
#define TG_LEN(n)  (UINT32_C(1) << (n))
#define TG_16_19   (TG_LEN(16) | TG_LEN(17) | TG_LEN(18) | TG_LEN(19))

typedef struct {
    uint32_t  low, high;
    uint32_t  digits;
    uint32_t  lengths;
} tg_issuer_t;

/* https://en.wikipedia.org/wiki/Payment_card_number, 2026-01 */
static const tg_issuer_t  tg_issuers[] = {
    { 4, 4, 1, TG_LEN(13) | TG_LEN(16) | TG_LEN(19) },      /* Visa */
    { 51, 55, 2, TG_LEN(16) },                              /* Mastercard */
    { 2221, 2720, 4, TG_LEN(16) },
    { 34, 34, 2, TG_LEN(15) },                              /* Amex */
    { 37, 37, 2, TG_LEN(15) },
    { 300, 305, 3, TG_16_19 | TG_LEN(14) },                 /* Diners */
    { 309, 309, 3, TG_16_19 | TG_LEN(14) },
    { 36, 36, 2, TG_16_19 | TG_LEN(14) },
    { 38, 39, 2, TG_16_19 | TG_LEN(14) },
    { 6011, 6011, 4, TG_16_19 },                            /* Discover */
    { 644, 649, 3, TG_16_19 },
    { 65, 65, 2, TG_16_19 },
    { 3528, 3589, 4, TG_16_19 },                            /* JCB */
    { 62, 62, 2, TG_16_19 },                                /* UnionPay */
    { 2200, 2204, 4, TG_16_19 },                            /* Mir */
    { 60, 60, 2, TG_LEN(16) },                              /* RuPay */
    { 81, 82, 2, TG_LEN(16) },
    { 5018, 5018, 4, TG_16_19 | TG_LEN(12) | TG_LEN(13) },  /* Maestro */
    { 5020, 5020, 4, TG_16_19 | TG_LEN(12) | TG_LEN(13) },
    { 5038, 5038, 4, TG_16_19 | TG_LEN(12) | TG_LEN(13) },
    { 5893, 5893, 4, TG_16_19 | TG_LEN(12) | TG_LEN(13) },
    { 6304, 6304, 4, TG_16_19 | TG_LEN(12) | TG_LEN(13) },
    { 6759, 6759, 4, TG_16_19 | TG_LEN(12) | TG_LEN(13) },
    { 6761, 6763, 4, TG_16_19 | TG_LEN(12) | TG_LEN(13) }
};

/* Lengths by country: https://www.swift.com/standards/data-standards/iban */
static const char  tg_ibans[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27"
    "DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28"
    "IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
    "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24"
    "SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

typedef struct {
    tg_str_t         text;
    const char      *end;
    unsigned         kinds;
    const char      *behind[TG_PII_KINDS];  /* what was found last */
    tg_pii_found_t   found;
    void            *data;
} tg_finder_t;


static int
tg_pii_tell(tg_finder_t *f, tg_pii_t kind, const char *from, const char *to)
{
    f->behind[kind] = to;

    return f->found(f->data, kind, (size_t) (from - f->text.p),
                    (size_t) (to - f->text.p));
}


static bool
tg_pii_wanted(const tg_finder_t *f, tg_pii_t kind, const char *p)
{
    return (f->kinds >> kind & 1) != 0 && p >= f->behind[kind];
}


/* Behind what may part two groups of digits; p, where there is none. */
static const char *
tg_pii_gap(const tg_finder_t *f, const char *p)
{
    if (p < f->end && (*p == ' ' || *p == '-')) {
        return p + 1;
    }

    if (f->end - p >= 2 && memcmp(p, "\xc2\xa0", 2) == 0) {
        return p + 2;
    }

    if (f->end - p >= 3 && (memcmp(p, "\xe2\x80\x91", 3) == 0
                            || memcmp(p, "\xe2\x80\x93", 3) == 0
                            || memcmp(p, "\xe2\x80\xaf", 3) == 0))
    {
        return p + 3;
    }

    return p;
}


static bool
tg_pii_luhn(const char *digits, unsigned n)
{
    unsigned  sum = 0, d;

    for (unsigned i = 0; i < n; i++) {
        d = (unsigned) (digits[n - 1 - i] - '0');
        d = (i & 1) == 0 ? d : d < 5 ? 2 * d : 2 * d - 9;
        sum += d;
    }

    return sum % 10 == 0;
}


static uint32_t
tg_pii_lengths(const char *digits, unsigned n)
{
    uint32_t  v, lengths = 0;

    for (size_t i = 0; i < sizeof(tg_issuers) / sizeof(tg_issuers[0]); i++) {
        const tg_issuer_t  *is = &tg_issuers[i];

        if (n < is->digits) {
            continue;
        }

        v = 0;

        for (unsigned k = 0; k < is->digits; k++) {
            v = v * 10 + (uint32_t) (digits[k] - '0');
        }

        lengths |= v >= is->low && v <= is->high ? is->lengths : 0;
    }

    return lengths;
}


/* p is the first digit of a group: the longest card that begins there. */
static int
tg_pii_card(tg_finder_t *f, const char *p)
{
    char         digits[TG_DIGITS_MAX];
    unsigned     n = 0;
    uint32_t     lengths;
    const char  *q = p, *next, *ends[TG_DIGITS_MAX + 1] = { NULL };

    while (n < TG_DIGITS_MAX && q < f->end && tg_pii_digit(*q)) {
        digits[n++] = *q++;

        if (q == f->end || !tg_pii_digit(*q)) {
            ends[n] = tg_pii_ends(f->text, q) ? q : NULL;
            next = tg_pii_gap(f, q);
            if (next == q) {
                break;
            }
            q = next;
        }
    }

    lengths = tg_pii_lengths(digits, n);

    for ( ; n >= 12; n--) {
        if (ends[n] != NULL && (lengths >> n & 1) && tg_pii_luhn(digits, n)) {
            return tg_pii_tell(f, TG_PII_CARD, p, ends[n]);
        }
    }

    return 0;
}


/* 123-45-6789; https://www.ssa.gov/employer/randomization.html */
static int
tg_pii_ssn(tg_finder_t *f, const char *p)
{
    static const char  shape[] = "ddd-dd-dddd";

    if ((size_t) (f->end - p) < sizeof(shape) - 1
        || (p[3] != '-' && p[3] != ' ') || p[6] != p[3]
        || !tg_pii_ends(f->text, p + sizeof(shape) - 1)
        || (f->end - p > 12 && p[11] == '-' && tg_pii_digit(p[12])))
    {
        return 0;
    }

    for (unsigned i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == 'd' && !tg_pii_digit(p[i])) {
            return 0;
        }
    }

    if (p[0] == '9' || memcmp(p, "000", 3) == 0 || memcmp(p, "666", 3) == 0
        || memcmp(p + 4, "00", 2) == 0 || memcmp(p + 7, "0000", 4) == 0)
    {
        return 0;
    }

    return tg_pii_tell(f, TG_PII_SSN, p, p + sizeof(shape) - 1);
}


/* +49 (0)30 1234-567, (202) 555-0123, 202-555-0123 */
static int
tg_pii_phone(tg_finder_t *f, const char *p)
{
    bool         plus = *p == '+', gaps = false;
    unsigned     n = 0;
    const char  *q = p + plus, *last = p;

    while (q < f->end && n <= 16 && q - p < TG_PII_BACK) {
        if (tg_pii_digit(*q)) {
            n++;
            last = ++q;
            continue;
        }

        if (q == last || (*q == '(' && q - last < 2)
            || ((*last == ')') && q - last == 1))
        {
            if (*q == ' ' || *q == '-' || *q == '.' || *q == '(' || *q == ')'
                || *q == '/')
            {
                gaps = true;
                q++;
                continue;
            }
        }

        break;
    }

    if (!tg_pii_ends(f->text, last)) {
        return 0;
    }

    if (plus ? n >= 8 && n <= 15 && p[1] != '0'
             : n == 10 && gaps && (*p == '(' ? p[4] == ')' && last - p < 16
                                   : (p[3] == '-' || p[3] == '.')
                                     && p[7] == p[3]))
    {
        return tg_pii_tell(f, TG_PII_PHONE, p, last);
    }

    return 0;
}


static unsigned
tg_pii_iban_length(char a, char b)
{
    for (const char *p = tg_ibans; *p != '\0'; p += 4) {
        if (p[0] == a && p[1] == b) {
            return (unsigned) (p[2] - '0') * 10 + (unsigned) (p[3] - '0');
        }
    }

    return 0;
}


static char
tg_pii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c & ~0x20) : c;
}


/* p is a letter that begins a word. */
static int
tg_pii_iban(tg_finder_t *f, const char *p)
{
    char         s[TG_IBAN_MAX], c;
    unsigned     n = 0, want, sum = 0;
    const char  *q = p;

    if (f->end - p < TG_IBAN_MIN || !tg_pii_letter(p[1])
        || !tg_pii_digit(p[2]) || !tg_pii_digit(p[3]))
    {
        return 0;
    }

    want = tg_pii_iban_length(tg_pii_upper(p[0]), tg_pii_upper(p[1]));

    while (n < want && q < f->end) {
        if (!tg_pii_alnum(*q)) {
            if (n % 4 != 0 || tg_pii_gap(f, q) == q) {
                return 0;
            }
            q = tg_pii_gap(f, q);
            continue;
        }
        s[n++] = tg_pii_upper(*q++);
    }

    if (want == 0 || n < want || !tg_pii_ends(f->text, q)) {
        return 0;
    }

    for (unsigned i = 0; i < n; i++) {
        c = s[(i + 4) % n];
        sum = tg_pii_digit(c) ? sum * 10 + (unsigned) (c - '0')
              : sum * 100 + (unsigned) (c - 'A') + 10;
        sum %= 97;
    }

    return sum == 1 ? tg_pii_tell(f, TG_PII_IBAN, p, q) : 0;
}


static bool
tg_pii_local(char c)
{
    return tg_pii_alnum(c) || (c & 0x80) || c == '.' || c == '_' || c == '+'
           || c == '-' || c == '%' || c == '\'';
}


/* p is the @. */
static int
tg_pii_email(tg_finder_t *f, const char *p)
{
    const char  *from = p, *q = p + 1, *dot = NULL;

    while (from > f->text.p && p - from < TG_LOCAL_MAX
           && tg_pii_local(from[-1]))
    {
        from--;
    }

    while (from < p && (*from == '.' || *from == '\'' || *from == '-')) {
        from++;
    }

    while (q < f->end && q - p < TG_DOMAIN_MAX
           && (tg_pii_alnum(*q) || (*q & 0x80) || *q == '-' || *q == '.'))
    {
        if (*q == '.' && (q == p + 1 || q[-1] == '.')) {
            break;
        }
        q++;
    }

    while (q > p && (q[-1] == '.' || q[-1] == '-')) {
        q--;
    }

    for (const char *d = p; d < q; d++) {
        dot = *d == '.' ? d : dot;
    }

    if (from == p || dot == NULL || q - dot < 3 || tg_pii_digit(dot[1])
        || from < f->behind[TG_PII_EMAIL])
    {
        return 0;
    }

    return tg_pii_tell(f, TG_PII_EMAIL, from, q);
}


static int
tg_pii_number(tg_finder_t *f, const char *p)
{
    int  rc = 0;

    if (!tg_pii_begins(f->text, p)
        || (p - f->text.p >= 2 && p[-1] == '.' && tg_pii_digit(p[-2])))
    {
        return 0;                       /* of a word, or of a fraction */
    }

    if (tg_pii_wanted(f, TG_PII_CARD, p)) {
        rc = tg_pii_card(f, p);
    }

    if (rc == 0 && tg_pii_wanted(f, TG_PII_SSN, p)
        && (p == f->text.p || p[-1] != '-'))
    {
        rc = tg_pii_ssn(f, p);
    }

    if (rc == 0 && tg_pii_wanted(f, TG_PII_PHONE, p)
        && (p == f->text.p || (p[-1] != '-' && p[-1] != '.')))
    {
        rc = tg_pii_phone(f, p);
    }

    return rc;
}


static int
tg_pii_word(tg_finder_t *f, const char *p)
{
    int     rc = 0;
    size_t  n;

    if (!tg_pii_begins(f->text, p)) {
        return 0;
    }

    if (tg_pii_wanted(f, TG_PII_KEY, p)) {
        n = tg_pii_key(f->text, p);
        rc = n == 0 ? 0 : tg_pii_tell(f, TG_PII_KEY, p, p + n);
    }

    if (rc == 0 && tg_pii_letter(*p) && tg_pii_wanted(f, TG_PII_IBAN, p)) {
        rc = tg_pii_iban(f, p);
    }

    return rc;
}


/* Of words: letters, digits, _ and what is not ASCII. */
static const uint8_t  tg_pii_words[256] = {
    ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['_'] = 1,
    [0x80 ... 0xff] = 1
};


/* p is of a word, which may begin there. Returns what found() did. */
static int
tg_pii_in_word(tg_finder_t *f, const char *p)
{
    return tg_pii_digit(*p) ? tg_pii_number(f, p)
           : tg_pii_letter(*p) ? tg_pii_word(f, p) : 0;
}


int
tg_pii_find(tg_str_t text, size_t from, size_t to, unsigned kinds,
    tg_pii_found_t found, void *data)
{
    int          rc = 0;
    bool         ascii;
    const char  *p = text.p + from, *end = text.p + to;
    tg_finder_t  f;

    memset(&f, 0, sizeof(f));
    f.text = text;
    f.end = text.p + text.len;
    f.kinds = kinds;
    f.found = found;
    f.data = data;

    for (unsigned i = 0; i < TG_PII_KINDS; i++) {
        f.behind[i] = text.p;
    }

    while (rc == 0 && p < end) {

        if (tg_pii_words[(uint8_t) *p]) {
            rc = tg_pii_in_word(&f, p);

            /* Within a word none begins, but behind what is not ASCII. */

            do {
                ascii = (*p & 0x80) == 0;
                p++;
            } while (p < end && tg_pii_words[(uint8_t) *p]
                     && (ascii || (*p & 0x80)));
            continue;
        }

        switch (*p) {

        case '-':
            rc = tg_pii_word(&f, p);
            break;

        case '@':
            rc = (kinds >> TG_PII_EMAIL & 1) ? tg_pii_email(&f, p) : 0;
            break;

        case '+':
        case '(':
            if (tg_pii_wanted(&f, TG_PII_PHONE, p)
                && tg_pii_begins(text, p))
            {
                rc = tg_pii_phone(&f, p);
            }
            break;

        default:
            break;
        }

        p++;
    }

    return rc;
}
