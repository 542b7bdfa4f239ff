#include "serverconf_int.h"
#include "llmctl.h"

#include <stdlib.h>

#define NGINX_WORD_MAX  65536

/* Where a file has come to. */
typedef struct {
    serverconf_at_t   at;
    const char       *p;
    const char       *end;
    unsigned          blocks;           /* that were open before */
    unsigned          n;
    tg_str_t          words[SERVERCONF_WORDS];
    char              buf[NGINX_WORD_MAX];
} nginx_file_t;


static void
skip_blank(nginx_file_t *f)
{
    while (f->p < f->end) {
        if (*f->p == '#') {
            while (f->p < f->end && *f->p != '\n') {
                f->p++;
            }
            continue;
        }

        if (*f->p != ' ' && *f->p != '\t' && *f->p != '\r' && *f->p != '\n') {
            return;
        }

        f->at.line += *f->p++ == '\n';
    }
}


static bool
word_ends(const nginx_file_t *f, char quote)
{
    switch (*f->p) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case ';':
        return quote == 0;
    case '{':
        return quote == 0 && f->p[-1] != '$';
    default:
        return quote != 0 && *f->p == quote;
    }
}


/* A backslash goes before what it hides, and before letters of its own. */
static char
unescape(nginx_file_t *f, bool *kept)
{
    static const char  from[] = "\"'\\trn", to[] = "\"'\\\t\r\n";
    const char        *s = strchr(from, f->p[1]);

    *kept = f->p[1] == '\0' || s == NULL;

    return *kept ? '\\' : to[s - from];
}


/* As ngx_conf_read_token() reads it. */
static bool
read_word(nginx_file_t *f, tg_str_t *word)
{
    bool    kept;
    char    quote = *f->p == '"' || *f->p == '\'' ? *f->p : 0;
    char   *buf = f->buf;
    size_t  n = 0;

    f->p += quote != 0;

    for ( ; f->p < f->end && !word_ends(f, quote); f->p++) {
        f->at.line += *f->p == '\n';

        if (n + 2 >= NGINX_WORD_MAX) {
            return serverconf_failed(&f->at, "a word is too long");
        }

        if (*f->p == '\\' && f->p + 1 < f->end) {
            buf[n++] = unescape(f, &kept);
            f->p++;
            f->at.line += *f->p == '\n';

            if (kept) {
                buf[n++] = *f->p;
            }
            continue;
        }

        buf[n++] = *f->p;
    }

    if (f->p == f->end) {
        return serverconf_failed(&f->at, "it ends within a directive");
    }

    f->p += quote != 0;
    *word = tg_dup(f->at.r->mem, tg_str_of(buf, n));

    return word->p != NULL || serverconf_failed(&f->at, "out of memory");
}


/* "location = /v1/", "location ~ ^/v1": the last word. */
static bool
open_block(nginx_file_t *f)
{
    int       place = serverconf_now(f->at.r);
    tg_str_t  name = f->n == 0 ? tg_str_null : f->words[0];

    if (place >= 0) {
        if (tg_str_eq(name, tg_str("server"))) {
            place = serverconf_add(&f->at, tg_str_null, false);

        } else if (tg_str_eq(name, tg_str("location"))) {
            place = serverconf_add(&f->at, f->words[f->n - 1], true);

        } else if (!tg_str_eq(name, tg_str("http"))) {
            place = -1;
        }
    }

    return place != -2 && serverconf_open(&f->at, place);
}


static bool
directive(nginx_file_t *f)
{
    if (f->n == 2 && tg_str_eq(f->words[0], tg_str("include"))) {
        return serverconf_now(f->at.r) < 0
               || serverconf_include(&f->at, f->words[1], true,
                                     serverconf_nginx);
    }

    return serverconf_now(f->at.r) < 0
           || serverconf_directive(&f->at, f->words, f->n);
}


/* One word, or what ends a directive. */
static bool
step(nginx_file_t *f)
{
    bool      ok;
    tg_str_t  word;

    switch (*f->p) {

    case ';':
        ok = directive(f);
        break;

    case '{':
        ok = open_block(f);
        break;

    case '}':
        ok = f->n != 0
             ? serverconf_failed(&f->at, "a block ends within a directive")
             : f->at.r->nblocks > f->blocks
               || serverconf_failed(&f->at,
                                    "a block ends that was not begun");
        f->at.r->nblocks -= f->at.r->nblocks > f->blocks;
        break;

    default:
        if (!read_word(f, &word)) {
            return false;
        }

        /* No directive of ours has as many. */

        if (f->n < SERVERCONF_WORDS) {
            f->words[f->n++] = word;
        }
        return true;
    }

    f->n = 0;
    f->p++;

    return ok;
}


static bool
read_nginx(nginx_file_t *f)
{
    tg_str_t  text;

    if (!serverconf_text(&f->at, f->at.name, &text)) {
        return false;
    }

    f->p = text.p;
    f->end = text.p + text.len;
    f->at.line = 1;

    for (skip_blank(f); f->p < f->end; skip_blank(f)) {
        if (!step(f)) {
            return false;
        }
    }

    return (f->n == 0 && f->at.r->nblocks == f->blocks)
           || serverconf_failed(&f->at, "it ends within a block or directive");
}


bool
serverconf_nginx(serverconf_read_t *r, const char *name)
{
    bool           ok;
    nginx_file_t  *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return failed(name, "out of memory");
    }

    f->at.r = r;
    f->at.name = name;
    f->blocks = r->nblocks;
    ok = read_nginx(f);
    free(f);

    return ok;
}
