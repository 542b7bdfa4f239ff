/*
 * json_oracle.h - the scanner against jansson 2.14: the same texts are JSON, and
 * all wanted values are the same, but for the points named in json_vectors.h.
 *
 * Each text is scanned whole, in pieces of 1 byte and of 7.  What differs is
 * printed.
 */

#ifndef JSON_ORACLE_H
#define JSON_ORACLE_H

#include "json_vectors.h"
#include "json_watch.h"

#include <jansson.h>

#define ORACLE_PATH    4000     /* longest path that is followed */
#define ORACLE_DIFFER  (-1)     /* not one of json_vectors.h's points */

typedef struct {
    tg_json_want_t         *want;       /* sorted by path */
    size_t                  n;
    const tg_json_paths_t  *paths;
} oracle_t;

typedef struct {
    uint64_t                values;     /* that jansson finds, and agree */
    uint64_t                refused;    /* texts that neither takes for JSON */
    uint64_t                repeated;   /* have a name twice: jansson keeps but
                                           the last, values aren't compared */
    uint64_t                point[J_NUL_BYTE + 1];
    uint64_t                differ;
} oracle_tally_t;


static int
oracle_order(const void *a, const void *b)
{
    return strcmp(((const tg_json_want_t *) a)->path,
                  ((const tg_json_want_t *) b)->path);
}


/* The paths must live as long as the oracle; the options are all that is
 * changed in them.  False where they can't be compiled. */
static inline bool
oracle_init(oracle_t *o, tg_mem_t *mem, const tg_json_want_t *wants, size_t n,
    tg_error_t *err)
{
    o->n = n;
    o->want = tg_alloc(mem, n * sizeof(tg_json_want_t));

    if (o->want == NULL) {
        return tg_error(err, 0, 0, "out of memory") == TG_OK;
    }

    memcpy(o->want, wants, n * sizeof(tg_json_want_t));
    qsort(o->want, n, sizeof(tg_json_want_t), oracle_order);

    for (size_t i = 0; i < n; i++) {
        o->want[i].id = (uint16_t) (i + 1);
        o->want[i].options &= TG_JSON_COUNT | TG_JSON_TEXT;
    }

    o->paths = tg_json_paths(mem, o->want, n, err);

    return o->paths != NULL;
}


/* What jansson calls an error and RFC 8259 does not. */
static int
oracle_jansson_point(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_numeric_overflow:
        return J_RANGE;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return J_NUL;
    case json_error_stack_overflow:
        return J_DEPTH;
    default:
        return strstr(e->text, "invalid Unicode") != NULL ? J_SURROGATE
                                                          : J_SAME;
    }
}


/*
 * Returns the point where they differ, J_SAME, or ORACLE_DIFFER.  j: what
 * jansson made of the text, or NULL, and then e says why; error: the scanner's.
 */
static inline int
oracle_point(const char *text, size_t len, const json_t *j,
    const json_error_t *e, int error)
{
    int  point;

    if ((j != NULL) == (error == TG_JSON_E_NONE)) {
        return J_SAME;
    }

    if (j == NULL) {
        point = oracle_jansson_point(e);
    } else {
        point = error == TG_JSON_E_DEPTH ? J_DEPTH
                : error == TG_JSON_E_LONG_NUMBER ? J_LENGTH
                : memchr(text, '\0', len) != NULL ? J_NUL_BYTE : J_SAME;
    }

    if (point != J_SAME) {
        return point;
    }

    fprintf(stderr, "%.*s\nscanner: %s\njansson: %s\n", (int) len, text,
            tg_json_strerror((tg_json_errcode_t) error),
            j != NULL ? "accepts" : e->text);

    return ORACLE_DIFFER;
}


static size_t
oracle_cut_length(const char *p, size_t len)
{
    if (len > TG_JSON_VALUE_MAX) {
        for (len = TG_JSON_VALUE_MAX; (p[len] & 0xc0) == 0x80; len--) {
            /* void */
        }
    }

    return len;
}


static void
oracle_log_string(watch_t *w, const json_t *j, unsigned options)
{
    const char  *p = json_string_value(j);
    size_t       len = json_string_length(j);

    watch_add(w, "S ", 2);

    if (options & TG_JSON_TEXT) {
        watch_add(w, p, len);

    } else if (!(options & TG_JSON_COUNT)) {
        watch_add(w, p, oracle_cut_length(p, len));
    }
}


static void
oracle_log(watch_t *w, const json_t *j, const tg_json_want_t *want,
    unsigned index, bool end)
{
    watch_printf(w, "%u@%u ", want->id, index);

    switch (json_typeof(j)) {
    case JSON_STRING:
        oracle_log_string(w, j, want->options);
        break;
    case JSON_INTEGER:
        watch_printf(w, "# %" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        watch_printf(w, "# %.17g", json_real_value(j));
        break;
    case JSON_OBJECT:
        watch_add(w, end ? "} " : "{ ", 2);
        break;
    case JSON_ARRAY:
        watch_add(w, end ? "] " : "[ ", 2);
        break;
    default:
        watch_printf(w, "%c ", json_is_true(j) ? 't'
                               : json_is_false(j) ? 'f' : 'n');
    }

    watch_add(w, "\n", 1);
}


static void
oracle_add_name(char *path, const char *key)
{
    size_t  n = strlen(path);

    if (n != 0) {
        path[n++] = '.';
    }

    for ( /* void */ ; *key != '\0' && n + 3 < ORACLE_PATH; key++) {
        if (strchr(".[]\\", *key) != NULL) {
            path[n++] = '\\';
        }
        path[n++] = *key;
    }

    path[n] = '\0';
}


/* Logs the wanted values below j, which is at path; returns their number. */
static uint64_t
oracle_walk(const oracle_t *o, watch_t *w, json_t *j, char *path,
    unsigned index)
{
    const tg_json_want_t   name = { .path = path }, *want;
    size_t                 len = strlen(path), i;
    uint64_t               n = 0;
    const char            *key;
    json_t                *value;

    want = bsearch(&name, o->want, o->n, sizeof(name), oracle_order);

    if (want != NULL) {
        oracle_log(w, j, want, index, false);
        n++;
    }

    if (ORACLE_PATH - len > 1000 && json_is_object(j)) {
        json_object_foreach(j, key, value) {
            if (*key == '\0') {
                continue;           /* no path can name it */
            }

            oracle_add_name(path, key);
            n += oracle_walk(o, w, value, path, index);
            path[len] = '\0';
        }
    }

    if (ORACLE_PATH - len > 1000 && json_is_array(j)) {
        json_array_foreach(j, i, value) {
            memcpy(path + len, "[]", 3);
            n += oracle_walk(o, w, value, path, (unsigned) i);
            path[len] = '\0';
        }
    }

    if (want != NULL && (json_is_object(j) || json_is_array(j))) {
        oracle_log(w, j, want, index, true);
    }

    return n;
}


/* Scans in all three ways; false where the logs differ, which is printed. */
static bool
oracle_scan(const oracle_t *o, watch_t *w, unsigned flags, const char *text,
    size_t len, int *error)
{
    static const cut_t  cuts[] = { { 0, 1 }, { 0, 7 } };
    watch_t             cut = { .values_only = true };
    bool                same = true;
    int                 rc;

    w->values_only = true;
    *error = watch_scan(w, o->paths, flags, text, len, (cut_t) { 0, 0 });

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]) && same; i++) {
        rc = watch_scan(&cut, o->paths, flags, text, len, cuts[i]);
        same = rc == *error && cut.len == w->len
               && memcmp(cut.p, w->p, w->len) == 0;

        if (!same) {
            fprintf(stderr, "%.*s\nwhole: %s\n%s\nby %zu: %s\n%s\n", (int) len,
                    text, tg_json_strerror((tg_json_errcode_t) *error), w->p,
                    cuts[i].size, tg_json_strerror((tg_json_errcode_t) rc),
                    cut.p);
        }
    }

    free(cut.p);

    return same;
}


/*
 * What jansson reads of input that is a sequence of documents (by flags, as of
 * a scanner): their list, the caller's to free, or NULL and *e.
 */
static json_t *
oracle_load(const char *text, size_t len, unsigned flags, size_t options,
    json_error_t *e)
{
    json_t  *list, *j;
    size_t   at = 0;

    if (flags & TG_JSON_ELEMENTS) {
        return json_loadb(text, len, options, e);
    }

    list = json_array();

    if (!(flags & TG_JSON_LINES)) {
        j = json_loadb(text, len, options | JSON_DECODE_ANY, e);

        if (j == NULL || json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }

        return list;
    }

    for ( ;; ) {
        at += strspn(text + at, " \t\r\n");
        if (at >= len) {
            return list;
        }

        j = json_loadb(text + at, len - at, options | JSON_DISABLE_EOF_CHECK,
                       e);

        if (j == NULL || json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }

        at += (size_t) e->position;
    }
}


/* The values alone: both take the text for JSON. */
static bool
oracle_values(const oracle_t *o, const watch_t *mine, unsigned flags,
    const char *text, size_t len, oracle_tally_t *tally)
{
    watch_t        theirs = { .p = NULL };
    char           path[ORACLE_PATH] = "";
    json_error_t   e;
    json_t        *list, *j;
    size_t         i;
    uint64_t       n = 0;
    bool           same;

    list = oracle_load(text, len, flags, JSON_REJECT_DUPLICATES, &e);

    if (list == NULL) {
        tally->repeated++;
        return true;
    }

    watch_clear(&theirs);

    json_array_foreach(list, i, j) {
        n += oracle_walk(o, &theirs, j, path, 0);
    }

    same = mine->len == theirs.len && memcmp(mine->p, theirs.p, mine->len) == 0;

    if (same) {
        tally->values += n;
    } else {
        fprintf(stderr, "%.*s\nscanner:\n%s\njansson:\n%s\n", (int) len, text,
                mine->p, theirs.p);
    }

    json_decref(list);
    free(theirs.p);

    return same;
}


/*
 * text must be followed by a NUL byte.  flags are the scanner's: 0, or
 * TG_JSON_ELEMENTS where the root is an array, or TG_JSON_LINES where documents
 * are objects or arrays.  Returns the point where the verdicts differ, J_SAME,
 * or ORACLE_DIFFER; counts all that into tally.
 */
static inline int
oracle_compare(const oracle_t *o, unsigned flags, const char *text,
    size_t len, oracle_tally_t *tally)
{
    watch_t        mine = { .values_only = true };
    json_error_t   e;
    json_t        *list;
    int            error, point;
    bool           same;

    same = oracle_scan(o, &mine, flags, text, len, &error);

    list = oracle_load(text, len, flags, 0, &e);
    point = oracle_point(text, len, list, &e, error);
    json_decref(list);

    if (point == J_SAME && error == TG_JSON_E_NONE) {
        same &= oracle_values(o, &mine, flags, text, len, tally);
    }

    if (!same) {
        point = ORACLE_DIFFER;
    }

    if (point == ORACLE_DIFFER) {
        tally->differ++;
    } else if (point != J_SAME) {
        tally->point[point]++;
    } else if (error != TG_JSON_E_NONE) {
        tally->refused++;
    }

    free(mine.p);

    return point;
}

#endif /* JSON_ORACLE_H */
