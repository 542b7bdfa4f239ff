#include "serverconf_int.h"

#include <ctype.h>

typedef struct {
    serverconf_at_t   at;
    const char       *p;
    const char       *end;
    unsigned          blocks;           /* that were open before */
    unsigned          n;
    tg_str_t          words[SERVERCONF_WORDS];
} httpd_file_t;


/* Behind the line that begins at p, with those that a backslash adds to it. */
static const char *
line_end(const char *p, const char *last)
{
    const char  *end = p;

    while (end < last) {
        end = memchr(end, '\n', (size_t) (last - end));

        if (end == NULL) {
            return last;
        }

        if (end == p || end[-1] != '\\') {
            return end;
        }

        end++;
    }

    return last;
}


/* The next line; its p is NULL where memory is exhausted. */
static tg_str_t
read_line(httpd_file_t *f)
{
    char        *buf, *q;
    const char  *end = line_end(f->p, f->end);

    q = buf = tg_alloc(f->at.r->mem, (size_t) (end - f->p) + 1);
    f->at.line++;

    for ( ; buf != NULL && f->p < end; f->p++) {
        if (*f->p == '\\' && f->p + 1 < end && f->p[1] == '\n') {
            f->at.line++;
            f->p++;
            continue;
        }

        *q++ = *f->p;
    }

    f->p = end + 1;

    return buf == NULL ? tg_str_null
           : tg_str_trim(tg_str_of(buf, (size_t) (q - buf)));
}


/* As ap_getword_conf(): a quoted word may have quotes and backslashes behind a
 * backslash. */
static bool
read_word(httpd_file_t *f, const char **p, const char *end, tg_str_t *word)
{
    char    *buf = tg_alloc(f->at.r->mem, (size_t) (end - *p) + 1), quote;
    size_t   n = 0;

    if (buf == NULL) {
        return serverconf_failed(&f->at, "out of memory");
    }

    quote = **p == '"' || **p == '\'' ? *(*p)++ : 0;

    for ( ; *p < end; (*p)++) {
        if (quote != 0 ? **p == quote : isspace((unsigned char) **p)) {
            break;
        }

        if (**p == '\\' && *p + 1 < end
            && ((*p)[1] == '\\' || (quote != 0 && (*p)[1] == quote)))
        {
            (*p)++;
        }

        buf[n++] = **p;
    }

    *p += quote != 0 && *p < end;
    buf[n] = '\0';
    *word = tg_str_of(buf, n);

    return true;
}


static bool
read_words(httpd_file_t *f, tg_str_t line)
{
    const char  *p = line.p, *end = line.p + line.len;

    f->n = 0;

    while (p < end) {
        if (isspace((unsigned char) *p)) {
            p++;
            continue;
        }

        if (f->n == SERVERCONF_WORDS) {
            return true;                /* none of ours has as many */
        }

        if (!read_word(f, &p, end, &f->words[f->n++])) {
            return false;
        }
    }

    return true;
}


static bool
named(tg_str_t word, const char *name)
{
    return tg_str_caseeq(word, tg_strz(name));
}


/* "<Location "/v1/">": words[0] is "<Location", the last ends with ">". */
static bool
open_section(httpd_file_t *f)
{
    int        place = serverconf_now(f->at.r);
    tg_str_t   name = f->words[0], *last = &f->words[f->n - 1];

    if (last->len != 0 && last->p[last->len - 1] == '>') {
        last->len--;
        f->n -= last->len == 0;
    }

    name = tg_str_of(name.p + 1, f->n == 1 ? f->words[0].len - 1
                                           : name.len - 1);

    if (place >= 0) {
        if (named(name, "VirtualHost")) {
            place = serverconf_add(&f->at, tg_str_null, false);

        } else if (named(name, "Location") || named(name, "LocationMatch")
                   || named(name, "Directory")
                   || named(name, "DirectoryMatch"))
        {
            place = serverconf_add(&f->at, f->n > 1 ? f->words[f->n - 1]
                                                    : tg_str_null, true);

        } else if ((named(name, "IfModule") || named(name, "IfDefine"))
                   && f->n > 1 && f->words[1].len != 0
                   && f->words[1].p[0] == '!')
        {
            place = -1;                 /* what is there where we are not */

        } else if (!named(name, "IfModule") && !named(name, "IfDefine")
                   && !named(name, "IfVersion") && !named(name, "IfFile")
                   && !named(name, "IfSection") && !named(name, "IfDirective"))
        {
            place = -1;
        }
    }

    return place != -2 && serverconf_open(&f->at, place);
}


static bool
directive(httpd_file_t *f)
{
    bool       must;
    tg_str_t  *w = f->words;

    if (w[0].p[0] == '<') {
        if (w[0].len > 1 && w[0].p[1] == '/') {
            if (f->at.r->nblocks == f->blocks) {
                return serverconf_failed(&f->at, "a section ends that was not"
                                         " begun");
            }
            f->at.r->nblocks--;
            return true;
        }

        return open_section(f);
    }

    if (serverconf_now(f->at.r) < 0) {
        return true;
    }

    if (f->n == 2 && named(w[0], "ServerRoot")) {
        f->at.r->root = w[1].p;
        return true;
    }

    must = named(w[0], "Include");

    if (f->n == 2 && (must || named(w[0], "IncludeOptional"))) {
        return serverconf_include(&f->at, w[1], must, serverconf_httpd);
    }

    return serverconf_directive(&f->at, w, f->n);
}


bool
serverconf_httpd(serverconf_read_t *r, const char *name)
{
    tg_str_t      text, line;
    httpd_file_t  f;

    memset(&f, 0, sizeof(f));
    f.at.r = r;
    f.at.name = name;
    f.blocks = r->nblocks;

    if (!serverconf_text(&f.at, name, &text)) {
        return false;
    }

    f.p = text.p;
    f.end = text.p + text.len;

    while (f.p < f.end) {
        line = read_line(&f);

        if (line.p == NULL) {
            return serverconf_failed(&f.at, "out of memory");
        }

        if (line.len == 0 || line.p[0] == '#') {
            continue;
        }

        if (!read_words(&f, line) || (f.n != 0 && !directive(&f))) {
            return false;
        }
    }

    return r->nblocks == f.blocks
           || serverconf_failed(&f.at, "it ends within a section");
}
