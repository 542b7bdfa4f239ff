#include "tg_prom.h"

#include <math.h>

/* Powers of ten that a double has exactly. */
#define TG_PROM_EXACT  22


static inline bool
tg_prom_blank(char c)
{
    return c == ' ' || c == '\t';
}


static inline bool
tg_prom_digit(char c)
{
    return c >= '0' && c <= '9';
}


static inline bool
tg_prom_name_char(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || tg_prom_digit(c)
           || c == '_' || c == ':';
}


static const char *
tg_prom_blanks(const char *p, const char *last)
{
    while (p < last && tg_prom_blank(*p)) {
        p++;
    }

    return p;
}


static const char *
tg_prom_name(const char *p, const char *last)
{
    if (p < last && tg_prom_digit(*p)) {
        return p;
    }

    while (p < last && tg_prom_name_char(*p)) {
        p++;
    }

    return p;
}


/* Behind the closing quote of the string at p; NULL: there is none. */

static const char *
tg_prom_quoted(const char *p, const char *last)
{
    for (p++; p < last; p++) {

        if (*p == '"') {
            return p + 1;
        }

        if (*p == '\\') {
            p++;
        }
    }

    return NULL;
}


/* One of name="value" at *p, which goes behind it; false: it is none. */

static bool
tg_prom_pair(const char **p, const char *last, tg_str_t *name, tg_str_t *value)
{
    const char  *s = tg_prom_blanks(*p, last), *end;

    end = tg_prom_name(s, last);
    *name = tg_str_of(s, (size_t) (end - s));

    s = tg_prom_blanks(end, last);

    if (name->len == 0 || s == last || *s != '=') {
        return false;
    }

    s = tg_prom_blanks(s + 1, last);

    if (s == last || *s != '"') {
        return false;
    }

    end = tg_prom_quoted(s, last);

    if (end == NULL) {
        return false;
    }

    *value = tg_str_of(s + 1, (size_t) (end - s) - 2);
    *p = tg_prom_blanks(end, last);

    return true;
}


/* What is between the braces, the first of which is at p: behind the last one;
 * NULL: these are no labels. */

static const char *
tg_prom_labels(const char *p, const char *last, tg_str_t *labels)
{
    tg_str_t     name, value;
    const char  *start = ++p;

    for ( ;; ) {
        p = tg_prom_blanks(p, last);

        if (p < last && *p == '}') {
            *labels = tg_str_of(start, (size_t) (p - start));
            return p + 1;
        }

        if (!tg_prom_pair(&p, last, &name, &value) || p == last) {
            return NULL;
        }

        if (*p == ',') {
            p++;

        } else if (*p != '}') {
            return NULL;
        }
    }
}


static bool
tg_prom_word(const char *p, const char *last, tg_str_t word)
{
    return tg_str_caseeq(tg_str_of(p, (size_t) (last - p)), word);
}


/* The digits at *p, as many of them as the mantissa holds, and how many were
 * passed over. */

static bool
tg_prom_digits(const char **p, const char *last, uint64_t *mantissa,
    int *dropped)
{
    const char  *s = *p;

    for ( ; s < last && tg_prom_digit(*s); s++) {

        if (*mantissa <= (UINT64_MAX - 9) / 10) {
            *mantissa = *mantissa * 10 + (uint64_t) (*s - '0');

        } else {
            (*dropped)++;
        }
    }

    if (s == *p) {
        return false;
    }

    *p = s;

    return true;
}


static bool
tg_prom_exponent(const char *p, const char *last, int *exponent)
{
    int       sign = 1, dropped = 0;
    uint64_t  n = 0;

    if (p < last && (*p == '+' || *p == '-')) {
        sign = *p == '-' ? -1 : 1;
        p++;
    }

    if (!tg_prom_digits(&p, last, &n, &dropped) || p != last) {
        return false;
    }

    *exponent += sign * (n > 999 ? 999 : (int) n);

    return true;
}


static double
tg_prom_scale(uint64_t mantissa, int exponent)
{
    double  v = (double) mantissa;

    static const double  ten[TG_PROM_EXACT + 1] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
        1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
    };

    if (mantissa == 0) {
        return v;
    }

    for ( ; exponent > TG_PROM_EXACT; exponent -= TG_PROM_EXACT) {
        v *= ten[TG_PROM_EXACT];
    }

    for ( ; exponent < -TG_PROM_EXACT; exponent += TG_PROM_EXACT) {
        v /= ten[TG_PROM_EXACT];
    }

    return exponent < 0 ? v / ten[-exponent] : v * ten[exponent];
}


static bool
tg_prom_number(const char *p, const char *last, double *value)
{
    int          exponent = 0, ignored = 0;
    bool         digits, minus = false;
    uint64_t     mantissa = 0;
    const char  *s;

    if (p < last && (*p == '+' || *p == '-')) {
        minus = *p++ == '-';
    }

    if (tg_prom_word(p, last, tg_str("inf"))
        || tg_prom_word(p, last, tg_str("infinity")))
    {
        *value = minus ? -(double) INFINITY : (double) INFINITY;
        return true;
    }

    if (tg_prom_word(p, last, tg_str("nan"))) {
        *value = (double) NAN;
        return true;
    }

    digits = tg_prom_digits(&p, last, &mantissa, &exponent);

    if (p < last && *p == '.') {
        s = ++p;

        if (tg_prom_digits(&p, last, &mantissa, &ignored)) {
            exponent -= (int) (p - s) - ignored;
            digits = true;
        }
    }

    if (!digits) {
        return false;
    }

    if (p < last && (*p | 0x20) == 'e') {

        if (!tg_prom_exponent(p + 1, last, &exponent)) {
            return false;
        }

    } else if (p != last) {
        return false;
    }

    *value = tg_prom_scale(mantissa, exponent);
    *value = minus ? -*value : *value;

    return true;
}


/* A value, and behind it a time and an exemplar. */

static bool
tg_prom_value(const char *p, const char *last, double *value)
{
    double       time;
    const char  *end;

    for (end = p; end < last && !tg_prom_blank(*end); end++) { /* void */ }

    if (!tg_prom_number(p, end, value)) {
        return false;
    }

    p = tg_prom_blanks(end, last);

    if (p == last || *p == '#') {
        return true;
    }

    for (end = p; end < last && !tg_prom_blank(*end); end++) { /* void */ }

    if (!tg_prom_number(p, end, &time)) {
        return false;
    }

    p = tg_prom_blanks(end, last);

    return p == last || *p == '#';
}


static bool
tg_prom_parse(const char *p, const char *last, tg_prom_sample_t *sample)
{
    const char  *end = tg_prom_name(p, last);

    sample->name = tg_str_of(p, (size_t) (end - p));
    sample->labels = tg_str("");

    if (end == p) {
        return false;
    }

    p = tg_prom_blanks(end, last);

    if (p < last && *p == '{') {
        p = tg_prom_labels(p, last, &sample->labels);

        if (p == NULL) {
            return false;
        }

    } else if (p == end) {
        return false;
    }

    return tg_prom_value(tg_prom_blanks(p, last), last, &sample->value);
}


/* A whole line, without its newline. */

static void
tg_prom_line(tg_prom_t *pr, const char *p, size_t n)
{
    const char        *last = p + n;
    tg_prom_sample_t   sample;

    if (n > TG_PROM_LINE_MAX) {
        pr->bad++;
        return;
    }

    while (last > p && (tg_prom_blank(last[-1]) || last[-1] == '\r')) {
        last--;
    }

    p = tg_prom_blanks(p, last);

    if (p == last || *p == '#') {
        return;
    }

    if (!tg_prom_parse(p, last, &sample)) {
        pr->bad++;
        return;
    }

    pr->samples++;
    pr->sample(pr->data, &sample);
}


/* Of a line's first TG_PROM_HEAD bytes. */

static inline bool
tg_prom_passed(const tg_prom_t *pr, const char *p)
{
    return *p == '#'
           || (pr->wanted != NULL && !tg_prom_blank(*p)
               && !pr->wanted(pr->data, p));
}


/* Goes on with a line that was cut; returns what is behind it. */

static const char *
tg_prom_rest(tg_prom_t *pr, const char *p, const char *last)
{
    size_t       n;
    const char  *eol = memchr(p, '\n', (size_t) (last - p)),
                *end = eol != NULL ? eol : last;

    if (!pr->skipping && pr->held < TG_PROM_HEAD) {
        n = TG_PROM_HEAD - pr->held;
        n = n < (size_t) (end - p) ? n : (size_t) (end - p);

        memcpy(pr->line + pr->held, p, n);
        pr->held += n;
        p += n;

        pr->skipping = pr->held == TG_PROM_HEAD && tg_prom_passed(pr, pr->line);
    }

    if (!pr->skipping) {
        n = (size_t) (end - p);

        if (n > TG_PROM_LINE_MAX - pr->held) {
            pr->skipping = true;
            pr->bad++;

        } else {
            memcpy(pr->line + pr->held, p, n);
            pr->held += n;
        }
    }

    if (eol == NULL) {
        return last;
    }

    if (!pr->skipping) {
        tg_prom_line(pr, pr->line, pr->held);
    }

    pr->held = 0;
    pr->skipping = false;

    return eol + 1;
}


static void
tg_prom_hold(tg_prom_t *pr, const char *p, size_t n)
{
    if (n >= TG_PROM_HEAD && tg_prom_passed(pr, p)) {
        pr->skipping = true;
        return;
    }

    if (n > TG_PROM_LINE_MAX) {
        pr->skipping = true;
        pr->bad++;
        return;
    }

    memcpy(pr->line, p, n);
    pr->held = n;
}


void
tg_prom_init(tg_prom_t *pr, tg_prom_sample_pt sample, tg_prom_wanted_pt wanted,
    void *data)
{
    pr->sample = sample;
    pr->wanted = wanted;
    pr->data = data;
    pr->bytes = 0;
    pr->samples = 0;
    pr->bad = 0;
    pr->first = '\0';
    pr->skipping = false;
    pr->held = 0;
}


int
tg_prom_feed(tg_prom_t *pr, const char *p, size_t n)
{
    size_t       len;
    const char  *last, *eol;

    if (n == 0) {
        return TG_OK;
    }

    if (n > TG_PROM_MAX - pr->bytes) {
        return TG_ERROR;
    }

    last = p + n;
    pr->bytes += n;

    for (eol = p; eol < last && pr->first == '\0'; eol++) {
        if (!tg_prom_blank(*eol) && *eol != '\r' && *eol != '\n') {
            pr->first = *eol != '\0' ? *eol : '?';
        }
    }

    if (pr->held != 0 || pr->skipping) {
        p = tg_prom_rest(pr, p, last);
    }

    while (p < last) {
        len = (size_t) (last - p);
        eol = memchr(p, '\n', len);

        if (eol == NULL) {
            tg_prom_hold(pr, p, len);
            break;
        }

        len = (size_t) (eol - p);

        if (len < TG_PROM_HEAD || !tg_prom_passed(pr, p)) {
            tg_prom_line(pr, p, len);
        }

        p = eol + 1;
    }

    return TG_OK;
}


int
tg_prom_end(tg_prom_t *pr)
{
    if (pr->held != 0 && !pr->skipping) {
        tg_prom_line(pr, pr->line, pr->held);
    }

    pr->held = 0;
    pr->skipping = false;

    return pr->first == '\0' || pr->first == '#'
           || (tg_prom_name_char(pr->first) && !tg_prom_digit(pr->first))
           ? TG_OK : TG_ERROR;
}


static bool
tg_prom_unescape(tg_str_t s, char *buf, size_t size, tg_str_t *value)
{
    char    c;
    size_t  n = 0;

    for (size_t i = 0; i < s.len; i++) {
        c = s.p[i];

        if (c == '\\' && i + 1 < s.len
            && (s.p[i + 1] == '\\' || s.p[i + 1] == '"' || s.p[i + 1] == 'n'))
        {
            c = s.p[++i] == 'n' ? '\n' : s.p[i];
        }

        if (n == size) {
            return false;
        }

        buf[n++] = c;
    }

    *value = tg_str_of(buf, n);

    return true;
}


bool
tg_prom_label(tg_str_t labels, tg_str_t name, char *buf, size_t size,
    tg_str_t *value)
{
    tg_str_t     key, raw;
    const char  *p = labels.p, *last = labels.p + labels.len;

    while (p < last && tg_prom_pair(&p, last, &key, &raw)) {

        if (tg_str_eq(key, name)) {
            return tg_prom_unescape(raw, buf, size, value);
        }

        if (p < last && *p == ',') {
            p++;
        }
    }

    return false;
}
