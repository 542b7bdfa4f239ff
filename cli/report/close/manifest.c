#include "manifest.h"
#include "reading/temporary.h"
#include "llmctl.h"

#include <openssl/evp.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define AHEAD      ((size_t) 64 * 1024)         /* more than a row, mostly */
#define VALUE_MAX  ((size_t) 64 * 1024 * 1024)  /* bytes: a row, the files */
#define FLAGS      (JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK                  \
                    | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

struct manifest_s {
    FILE    *file;
    json_t  *head;                      /* all but the rows */
    char    *buffer;
    size_t   at, n, room;
    bool     ended;
};

typedef struct {
    manifest_t      *m;
    json_t          *head;              /* NULL: was read before */
    manifest_row_t   row;               /* NULL: they are passed over */
    void            *data;
    bool             had;               /* rows */
} walk_t;


/* So many bytes ahead, or all that there are.  False: no memory. */
static bool
look_ahead(manifest_t *m, size_t want)
{
    char    *grown;
    size_t   n;

    if (m->n - m->at >= want || m->ended) {
        return true;
    }

    if (m->at != 0) {
        memmove(m->buffer, m->buffer + m->at, m->n - m->at);
        m->n -= m->at;
        m->at = 0;
    }

    if (m->room < 2 * want) {
        grown = realloc(m->buffer, 2 * want);
        if (grown == NULL) {
            return false;
        }
        m->buffer = grown;
        m->room = 2 * want;
    }

    n = fread(m->buffer + m->n, 1, m->room - m->n, m->file);
    m->ended = m->n + n < m->room;
    m->n += n;

    return true;
}


/* The next character that is no space, or '\0'. */
static char
peek(manifest_t *m)
{
    for ( ;; ) {
        if (m->at == m->n && (!look_ahead(m, 1) || m->at == m->n)) {
            return '\0';
        }

        if (m->buffer[m->at] == '\0'
            || strchr(" \t\r\n", m->buffer[m->at]) == NULL)
        {
            return m->buffer[m->at];
        }

        m->at++;
    }
}


static bool
take(manifest_t *m, char c)
{
    bool  is = peek(m) == c && c != '\0';

    m->at += is;

    return is;
}


/* NULL: there is none, or it is too large. */
static json_t *
take_value(manifest_t *m)
{
    json_t        *v = NULL;
    size_t         want;
    json_error_t   err;

    for (want = AHEAD; v == NULL && want <= VALUE_MAX; want *= 4) {
        if (!look_ahead(m, want)) {
            return NULL;
        }

        v = json_loadb(m->buffer + m->at, m->n - m->at, FLAGS, &err);

        if (v == NULL && m->ended) {
            return NULL;
        }
    }

    m->at += v == NULL ? 0 : (size_t) err.position;

    return v;
}


/* What is no whole number is one that no seal has, rather than 0. */
static int64_t
number(const json_t *o, const char *name)
{
    const json_t  *v = json_object_get(o, name);

    return json_is_integer(v) ? json_integer_value(v) : INT64_MIN;
}


static seal_sum_t
sums_of(const json_t *o)
{
    seal_sum_t  sum = { number(o, "lines"), number(o, "calls"),
                        number(o, "nusd") };

    return sum;
}


static bool
take_row(walk_t *w)
{
    bool         ok;
    json_t      *v = take_value(w->m), *key = json_object_get(v, "key");
    seal_sum_t   sum = sums_of(v);

    ok = json_is_array(key)
         && (w->row == NULL || w->row(w->data, key, &sum));
    json_decref(v);

    return ok;
}


static bool
take_rows(walk_t *w)
{
    bool  ok;

    if (w->had || !take(w->m, '[')) {
        return false;
    }

    w->had = true;

    if (take(w->m, ']')) {
        return true;
    }

    do {
        ok = take_row(w);
    } while (ok && take(w->m, ','));

    return ok && take(w->m, ']');
}


/* "name": value */
static bool
take_member(walk_t *w)
{
    bool         ok;
    json_t      *v, *name = peek(w->m) == '"' ? take_value(w->m) : NULL;
    const char  *text = json_string_value(name);

    if (text == NULL || !take(w->m, ':')) {
        ok = false;

    } else if (strcmp(text, "rows") == 0) {
        ok = take_rows(w);

    } else {
        (void) peek(w->m);
        v = take_value(w->m);
        ok = v != NULL
             && (w->head == NULL
                 || (json_object_get(w->head, text) == NULL
                     && json_object_set(w->head, text, v) == 0));
        json_decref(v);
    }

    json_decref(name);

    return ok;
}


/* All of the file. */
static bool
walk(walk_t *w)
{
    bool         ok;
    manifest_t  *m = w->m;

    rewind(m->file);
    m->at = m->n = 0;
    m->ended = false;

    if (!take(m, '{')) {
        return false;
    }

    do {
        ok = take_member(w);
    } while (ok && take(m, ','));

    return ok && take(m, '}') && w->had && peek(m) == '\0' && m->at == m->n
           && !ferror(m->file);
}


/* One that can be read again. */
static FILE *
keep(FILE *from)
{
    bool         ok = true;
    char         copy[16384];
    FILE        *to;
    size_t       n;
    struct stat  st;

    if (fstat(fileno(from), &st) == 0 && S_ISREG(st.st_mode)) {
        return from;
    }

    to = temporary_file();

    while (ok && to != NULL && (n = fread(copy, 1, sizeof(copy), from)) != 0) {
        ok = temporary_write(to, copy, n);
    }

    ok = ok && to != NULL && !ferror(from);
    (void) fclose(from);

    if (!ok && to != NULL) {
        (void) fclose(to);
        to = NULL;
    }

    return to;
}


static bool
read_head(manifest_t *m)
{
    walk_t  w = { .m = m };

    m->head = json_object();
    w.head = m->head;

    return m->head != NULL && walk(&w)
           && number(m->head, "tollgate_close") == 1;
}


manifest_t *
manifest_open(const char *file)
{
    manifest_t  *m = calloc(1, sizeof(manifest_t));

    if (m == NULL) {
        (void) fail("close", "no memory");
        return NULL;
    }

    m->file = strcmp(file, "-") == 0 ? stdin : fopen(file, "rbe");
    m->file = m->file == NULL ? NULL : keep(m->file);

    if (m->file == NULL) {
        (void) fail(file, strerror(errno));
        manifest_free(m);
        return NULL;
    }

    if (!read_head(m)) {
        (void) fail(file, ferror(m->file) ? "can't be read"
                                          : "is no seal of llmctl close");
        manifest_free(m);
        return NULL;
    }

    return m;
}


void
manifest_free(manifest_t *m)
{
    if (m != NULL) {
        if (m->file != NULL) {
            (void) fclose(m->file);
        }

        json_decref(m->head);
        free(m->buffer);
        free(m);
    }
}


const json_t *
manifest_get(const manifest_t *m, const char *name)
{
    return json_object_get(m->head, name);
}


/* One with a zero in it is none: it is hashed, and printed, up to there. */
static tg_str_t
text_of(const json_t *v)
{
    size_t       n = json_string_length(v);
    const char  *s = json_string_value(v);

    return n != 0 && strlen(s) == n ? tg_str_of(s, n) : tg_str_null;
}


tg_str_t
manifest_text(const manifest_t *m, const char *name)
{
    return text_of(manifest_get(m, name));
}


int64_t
manifest_int(const manifest_t *m, const char *name)
{
    return number(m->head, name);
}


tg_str_t
manifest_previous(const manifest_t *m)
{
    return text_of(json_object_get(manifest_get(m, "previous"), "hash"));
}


bool
manifest_each(manifest_t *m, manifest_row_t row, void *data)
{
    walk_t  w = { .m = m, .row = row, .data = data };

    return walk(&w);
}


static bool
hash_row(void *data, const json_t *key, const seal_sum_t *sum)
{
    bool   ok;
    char  *text = json_dumps(key, JSON_COMPACT);

    ok = text != NULL && seal_hash_sums(data, text, sum);
    free(text);

    return ok;
}


static bool
hash_all(EVP_MD_CTX *ctx, manifest_t *m)
{
    tg_str_t      period = manifest_text(m, "period"),
                  zone = manifest_text(m, "zone"),
                  previous = manifest_previous(m);
    seal_sum_t    all = sums_of(manifest_get(m, "total"));
    seal_about_t  about = { &period, &zone, &previous,
                            manifest_int(m, "since_ms"),
                            manifest_int(m, "until_ms") };

    return seal_hash_head(ctx, &about, manifest_text(m, "lines_sum"), &all)
           && manifest_each(m, hash_row, ctx);
}


bool
manifest_sound(manifest_t *m)
{
    bool         ok;
    char         text[SEAL_TEXT];
    EVP_MD_CTX  *ctx = seal_hash_begin();

    ok = ctx != NULL && hash_all(ctx, m);
    ok = seal_hash_end(ctx, text) && ok;

    return ok && tg_str_eq(tg_strz(text), manifest_text(m, "hash"));
}
