/* Backends in Prometheus' text format, version 0.0.4. */

#include "tg_backend_status_int.h"
#include "tg_metrics.h"

#include <stdlib.h>

/* A name, and each of its bytes escaped. */
#define TG_UP_LABEL  (2 * TG_BACKEND_NAME_MAX)

typedef struct {
    const tg_group_t    *group;
    const tg_backend_t  *backend;
    tg_str_t             engine;
    int64_t              value[TG_STATUS_FIELDS];
} tg_up_row_t;

typedef struct {
    unsigned      n;
    tg_up_row_t  *rows;
} tg_up_rows_t;


static void
tg_up_label(tg_text_t *t, tg_str_t s)
{
    char  buf[TG_UP_LABEL];

    tg_put(t, buf, tg_labels_value(buf, s, sizeof(buf)));
}


static void
tg_up_family(tg_status_t *s, const char *name, const char *type,
    const char *help)
{
    tg_page_family(&s->page, "llm_upstream_", name, type, help);
}


/* A sample up to its value; b NULL: of an upstream. label: another, or NULL. */
static void
tg_up_sample(tg_status_t *s, const char *name, const tg_group_t *g,
    const tg_backend_t *b, const char *label, tg_str_t value)
{
    tg_text_t  *t = &s->page.text;

    tg_status_room(s);
    tg_put_lit(t, "llm_upstream_");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "{upstream=\"");
    tg_up_label(t, tg_group_name(g));

    if (b != NULL) {
        tg_put_lit(t, "\",server=\"");
        tg_up_label(t, tg_backend_server(b));
    }

    if (label != NULL) {
        tg_put_lit(t, "\",");
        tg_put_str(t, tg_strz(label));
        tg_put_lit(t, "=\"");
        tg_put_str(t, value);
    }

    tg_put_lit(t, "\"} ");
}


static void
tg_up_value(tg_status_t *s, int64_t value, unsigned scale)
{
    if (scale == 0) {
        tg_put_int(&s->page.text, value);
    } else {
        tg_put_decimal(&s->page.text, value, scale);
    }

    tg_put_lit(&s->page.text, "\n");
}


/* Of the upstreams: *value is thousandths. */
typedef void (*tg_up_group_pt)(const tg_status_t *s, tg_group_t *g,
    int64_t *value);


static void
tg_up_healthy(const tg_status_t *s, tg_group_t *g, int64_t *value)
{
    *value = tg_group_healthy(s->table, g) ? 1000 : 0;
}


static void
tg_up_saturated(const tg_status_t *s, tg_group_t *g, int64_t *value)
{
    *value = tg_group_saturated(s->table, g, NULL) ? 1000 : 0;
}


static void
tg_up_level(const tg_status_t *s, tg_group_t *g, int64_t *value)
{
    uint32_t  level;

    (void) tg_group_saturated(s->table, g, &level);
    *value = level;
}


static void
tg_up_groups(tg_status_t *s, const char *name, const char *help,
    tg_up_group_pt get)
{
    int64_t      v;
    tg_group_t  *g;

    tg_up_family(s, name, "gauge", help);

    for (unsigned i = 0; (g = tg_backends_group_at(s->table, i)) != NULL; i++) {
        if (tg_status_group(s, g)) {
            get(s, g, &v);
            tg_up_sample(s, name, g, NULL, NULL, tg_str_null);
            tg_up_value(s, v, 3);
        }
    }
}


/* Samples of one name: fields from f on, n of them. */
static void
tg_up_fields(tg_status_t *s, const tg_up_rows_t *all,
    const tg_status_field_t *f, unsigned n)
{
    int64_t             v;
    const tg_up_row_t  *r;

    tg_up_family(s, f->prometheus, f->type, f->help);

    for (r = all->rows; r < all->rows + all->n && !s->page.failed; r++) {
        for (unsigned m = 0; m < n; m++) {
            v = r->value[f + m - tg_status_fields];

            if (v != TG_STATUS_UNKNOWN) {
                tg_up_sample(s, f->prometheus, r->group, r->backend, f->label,
                             tg_strz(f[m].json));
                tg_up_value(s, v, f->scale);
            }
        }
    }
}


static void
tg_up_info(tg_status_t *s, const tg_up_rows_t *all)
{
    const tg_up_row_t  *r;

    tg_up_family(s, "backend_info", "gauge", "What engine the server has.");

    for (r = all->rows; r < all->rows + all->n && !s->page.failed; r++) {
        tg_up_sample(s, "backend_info", r->group, r->backend, "engine",
                     r->engine);
        tg_up_value(s, 1, 0);
    }
}


static void
tg_up_backends(tg_status_t *s, const tg_up_rows_t *all)
{
    unsigned                  n;
    const tg_status_field_t  *f, *end = tg_status_fields + TG_STATUS_FIELDS;

    for (f = tg_status_fields; f < end; f += n) {
        n = 1;

        if (f->prometheus == NULL) {
            continue;
        }

        while (f + n < end && f[n].prometheus != NULL
               && strcmp(f[n].prometheus, f->prometheus) == 0)
        {
            n++;
        }

        tg_up_fields(s, all, f, n);
    }
}


/* Looked at once: the format wants each name for all of them. */
static bool
tg_up_rows(const tg_status_t *s, tg_up_rows_t *all)
{
    unsigned              k;
    tg_group_t           *g;
    tg_up_row_t          *r;
    tg_status_backend_t   sb;

    all->n = 0;
    all->rows = malloc(TG_BACKENDS_MAX * sizeof(tg_up_row_t));

    if (all->rows == NULL) {
        return false;
    }

    for (unsigned i = 0; (g = tg_backends_group_at(s->table, i)) != NULL; i++) {
        for (k = 0; all->n < TG_BACKENDS_MAX
                    && tg_status_next(s, g, &k, &sb); all->n++)
        {
            r = &all->rows[all->n];
            r->group = g;
            r->backend = sb.backend;
            r->engine = tg_status_engine(&sb);
            memcpy(r->value, sb.value, sizeof(r->value));
        }
    }

    return true;
}


void
tg_status_prometheus(tg_status_t *s)
{
    tg_up_rows_t  all;

    if (!tg_up_rows(s, &all)) {
        s->page.failed = true;
        return;
    }

    tg_up_groups(s, "healthy", "Whether any server may be used.",
                 tg_up_healthy);
    tg_up_groups(s, "saturated", "Whether it counts as full.",
                 tg_up_saturated);
    tg_up_groups(s, "saturation_ratio", "How full it is: 1 is full.",
                 tg_up_level);
    tg_up_info(s, &all);
    tg_up_backends(s, &all);

    free(all.rows);
}
