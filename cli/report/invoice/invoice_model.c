/* What one model is called. */

#include "invoice.h"

#define WORDS_MAX  16

typedef struct {
    char      text[INVOICE_MODEL_SIZE];
    tg_str_t  words[WORDS_MAX];
    unsigned  n;
} name_t;


static bool
digits(tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
    }

    return s.len != 0;
}


/* In small letters, without what stands behind a comma or before a slash. */
static void
name_read(name_t *name, tg_str_t s)
{
    char    ch;
    size_t  n = 0;

    for (size_t i = 0; i < s.len && s.p[i] != ',' && s.p[i] != '|'; i++) {
        ch = s.p[i];

        if (ch == '/') {
            n = 0;
            continue;
        }

        if (n < sizeof(name->text)) {
            name->text[n++] = ch >= 'A' && ch <= 'Z' ? (char) (ch + 32)
                              : ch == ' ' || ch == '_' || ch == '.'
                                || ch == ':' ? '-' : ch;
        }
    }

    name->n = 0;

    for (size_t i = 0, from = 0; i <= n; i++) {
        if (i < n && name->text[i] != '-') {
            continue;
        }
        if (i > from && name->n < WORDS_MAX) {
            name->words[name->n++] = tg_str_of(name->text + from, i - from);
        }
        from = i + 1;
    }
}


/* A date or "latest" at its end: which release it was. */
static void
name_cut(name_t *name)
{
    unsigned   n = name->n;
    tg_str_t  *w = name->words;

    if (n > 1 && (tg_str_eq(w[n - 1], tg_str("latest"))
                  || (w[n - 1].len == 8 && digits(w[n - 1])
                      && memcmp(w[n - 1].p, "20", 2) == 0)))
    {
        name->n = n - 1;

    } else if (n > 3 && w[n - 3].len == 4 && digits(w[n - 3])
               && w[n - 2].len == 2 && digits(w[n - 2]) && w[n - 1].len == 2
               && digits(w[n - 1]))
    {
        name->n = n - 3;
    }
}


/* Anthropic's older ids have the number before the family's name. */
static void
name_turn(name_t *name)
{
    unsigned   from = 1, to;
    tg_str_t   word, *w = name->words;

    if (name->n < 3 || !tg_str_eq(w[0], tg_str("claude"))) {
        return;
    }

    for (to = from; to < name->n && digits(w[to]); to++) {
        /* the number */
    }

    if (to == from || to == name->n) {
        return;
    }

    word = w[to];

    for ( ; to > from; to--) {
        w[to] = w[to - 1];
    }

    w[from] = word;
}


tg_str_t
invoice_model(char *buf, tg_str_t s)
{
    size_t  len = 0;
    name_t  name;

    name_read(&name, s);
    name_cut(&name);
    name_turn(&name);

    for (unsigned i = 0; i < name.n; i++) {
        if (len + name.words[i].len + 1 > INVOICE_MODEL_SIZE) {
            break;
        }
        if (i != 0) {
            buf[len++] = '-';
        }
        memcpy(buf + len, name.words[i].p, name.words[i].len);
        len += name.words[i].len;
    }

    return tg_str_of(buf, len);
}
