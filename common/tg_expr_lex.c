#include "tg_expr_lex.h"

#include <stdarg.h>
#include <stdio.h>

#define TG_CARET_BEFORE   40    /* bytes of the text shown before a mistake */
#define TG_CARET_WIDTH    64    /* and in all */
#define TG_CARET_SAY      96    /* bytes of the sentence */
#define TG_DIGITS_MAX     15    /* exact in a double */


static bool
tg_lex_digit(char c)
{
    return c >= '0' && c <= '9';
}


static bool
tg_lex_name(char c)
{
    char  l = tg_lower(c);

    return (l >= 'a' && l <= 'z') || c == '_' || tg_lex_digit(c);
}


static bool
tg_lex_continues(char c)
{
    return (c & 0xc0) == 0x80;
}


int
tg_expr_caret(tg_str_t text, size_t at, tg_error_t *err, const char *fmt, ...)
{
    char     say[TG_CARET_SAY], line[TG_CARET_WIDTH + 1];
    size_t   start, n, column = 0;
    va_list  args;

    at = at < text.len ? at : text.len;
    start = at > TG_CARET_BEFORE ? at - TG_CARET_BEFORE : 0;

    while (start < at && tg_lex_continues(text.p[start])) {
        start++;
    }

    n = text.len - start < TG_CARET_WIDTH ? text.len - start : TG_CARET_WIDTH;

    while (n != 0 && start + n < text.len
           && tg_lex_continues(text.p[start + n]))
    {
        n--;
    }

    for (size_t i = 0; i < n; i++) {
        line[i] = text.p[start + i];

        if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }

        column += start + i < at && !tg_lex_continues(line[i]);
    }

    line[n] = '\0';

    va_start(args, fmt);
    (void) vsnprintf(say, sizeof(say), fmt, args);
    va_end(args);

    return tg_error(err, 0, at, "%s\n    %s\n    %*s^", say, line,
                    (int) column, "");
}


/* A literal's digits: at most 15, so that it is exact but for its fraction. */
static bool
tg_lex_digits(tg_lex_t *l, size_t *i, double *value)
{
    double  v = 0, unit = 1;
    size_t  digits = 0;
    bool    fraction = false;

    for ( /* void */ ; *i < l->text.len; (*i)++) {
        char  c = l->text.p[*i];

        if (c == '.' && !fraction && *i + 1 < l->text.len
            && tg_lex_digit(l->text.p[*i + 1]))
        {
            fraction = true;
            continue;
        }

        if (!tg_lex_digit(c)) {
            break;
        }

        v = v * 10 + (c - '0');
        unit *= fraction ? 10 : 1;
        digits++;
    }

    *value = v / unit;

    return digits <= TG_DIGITS_MAX;
}


static int
tg_lex_number(tg_lex_t *l, tg_error_t *err)
{
    bool    minus = l->text.p[l->pos] == '-';
    size_t  i = l->pos + minus;
    double  thousand = 1, kibi = 1;

    if (!tg_lex_digits(l, &i, &l->number)) {
        return tg_expr_caret(l->text, l->pos, err, "this number is too long");
    }

    l->token = TG_LEX_NUMBER;

    if (i < l->text.len) {
        switch (l->text.p[i]) {
        case 'k':
        case 'K': thousand = 1e3; kibi = 1024.0; i++; break;
        case 'm':
        case 'M': thousand = 1e6; kibi = 1048576.0; i++; break;
        case 'g':
        case 'G': thousand = 1e9; kibi = 1073741824.0; i++; break;
        case '%': l->token = TG_LEX_PERCENT; i++; break;
        default:  break;
        }
    }

    if (i < l->text.len && (tg_lex_name(l->text.p[i]) || l->text.p[i] == '.'))
    {
        return tg_expr_caret(l->text, i, err, "a number ends in k, M, G or %%,"
                             " or in nothing");
    }

    l->number = minus ? -l->number : l->number;
    l->size = l->number * kibi;
    l->number *= thousand;
    l->end = i;

    return TG_OK;
}


/* l->s: what is between the quotes, as it stands. */
static int
tg_lex_string(tg_lex_t *l, tg_error_t *err)
{
    char    quote = l->text.p[l->pos];
    size_t  i = l->pos + 1;

    while (i < l->text.len && l->text.p[i] != quote) {
        i += l->text.p[i] == '\\' && i + 1 < l->text.len ? 2 : 1;
    }

    if (i >= l->text.len) {
        return tg_expr_caret(l->text, l->pos, err,
                             "this string has no closing quote");
    }

    l->token = TG_LEX_STRING;
    l->s = tg_str_of(l->text.p + l->pos + 1, i - l->pos - 1);
    l->end = i + 1;

    return TG_OK;
}


static void
tg_lex_word(tg_lex_t *l)
{
    static const struct {
        const char      *word;
        tg_lex_token_t   token;
    } words[] = {
        { "and", TG_LEX_AND }, { "or", TG_LEX_OR }, { "not", TG_LEX_NOT },
        { "in", TG_LEX_IN }, { "true", TG_LEX_TRUE }, { "false", TG_LEX_FALSE }
    };

    size_t  i = l->pos;

    while (i < l->text.len
           && (tg_lex_name(l->text.p[i])
               || ((l->text.p[i] == '-' || l->text.p[i] == '.')
                   && i + 1 < l->text.len && tg_lex_name(l->text.p[i + 1]))))
    {
        i++;
    }

    l->token = TG_LEX_NAME;
    l->s = tg_str_of(l->text.p + l->pos, i - l->pos);
    l->end = i;

    for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
        if (tg_str_eq(l->s, tg_strz(words[k].word))) {
            l->token = words[k].token;
        }
    }
}


static int
tg_lex_sign(tg_lex_t *l, tg_error_t *err)
{
    /* longer ones first */
    static const struct {
        const char      *sign;
        tg_lex_token_t   token;
        const char      *wrong;
    } signs[] = {
        { "!~*", TG_LEX_NO_MATCH_CASELESS, NULL },
        { "!~", TG_LEX_NO_MATCH, NULL },
        { "!=", TG_LEX_NE, NULL },
        { "!", TG_LEX_END, "it is written: not" },
        { "~*", TG_LEX_MATCH_CASELESS, NULL },
        { "~", TG_LEX_MATCH, NULL },
        { "==", TG_LEX_EQ, NULL },
        { "=~", TG_LEX_END, "a regex is matched with ~" },
        { "=", TG_LEX_END, "equality is written: ==" },
        { "<>", TG_LEX_END, "inequality is written: !=" },
        { "<=", TG_LEX_LE, NULL },
        { "<", TG_LEX_LT, NULL },
        { ">=", TG_LEX_GE, NULL },
        { ">", TG_LEX_GT, NULL },
        { "&", TG_LEX_END, "it is written: and" },
        { "|", TG_LEX_END, "it is written: or" },
        { "(", TG_LEX_OPEN, NULL },
        { ")", TG_LEX_CLOSE, NULL },
        { ",", TG_LEX_COMMA, NULL }
    };

    tg_str_t  rest = tg_str_of(l->text.p + l->pos, l->text.len - l->pos);

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!tg_str_starts(rest, tg_strz(signs[i].sign))) {
            continue;
        }

        if (signs[i].wrong != NULL) {
            return tg_expr_caret(l->text, l->pos, err, "%s", signs[i].wrong);
        }

        l->token = signs[i].token;
        l->end = l->pos + strlen(signs[i].sign);
        return TG_OK;
    }

    return tg_expr_caret(l->text, l->pos, err, "this can't stand here");
}


int
tg_lex_next(tg_lex_t *l, tg_error_t *err)
{
    char  c;

    l->pos = l->end;

    while (l->pos < l->text.len
           && (l->text.p[l->pos] == ' ' || l->text.p[l->pos] == '\t'
               || l->text.p[l->pos] == '\n' || l->text.p[l->pos] == '\r'))
    {
        l->pos++;
    }

    if (l->pos == l->text.len) {
        l->token = TG_LEX_END;
        l->end = l->pos;
        return TG_OK;
    }

    c = l->text.p[l->pos];

    if (tg_lex_digit(c)
        || (c == '-' && l->pos + 1 < l->text.len
            && tg_lex_digit(l->text.p[l->pos + 1])))
    {
        return tg_lex_number(l, err);
    }

    if (c == '"' || c == '\'') {
        return tg_lex_string(l, err);
    }

    if (tg_lex_name(c)) {
        tg_lex_word(l);
        return TG_OK;
    }

    return tg_lex_sign(l, err);
}
