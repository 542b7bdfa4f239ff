/* Backends in Prometheus' text format, version 0.0.4. */

#include "tg_backend_status_int.h"


/* The inside of a label's value: what JSON would escape by a number, the format
 * has no escape for. */
static void
tg_page_label(tg_text_t *t, tg_str_t s)
{
    char    clean[TG_BACKEND_NAME_MAX + 1];
    size_t  n = s.len < sizeof(clean) ? s.len : sizeof(clean);

    for (size_t i = 0; i < n; i++) {
        unsigned char  c = (unsigned char) s.p[i];
        bool           c1 = i != 0 && c < 0xa0 && c >= 0x80
                            && (unsigned char) s.p[i - 1] == 0xc2;
        bool           line = i > 1 && (c == 0xa8 || c == 0xa9)
                              && memcmp(s.p + i - 2, "\xe2\x80", 2) == 0;

        clean[i] = c < ' ' || c == 0x7f || c1 || line ? '?' : (char) c;
    }

    tg_put_json(t, tg_str_of(clean, n), 4 * sizeof(clean));
}


static void
tg_page_family(tg_status_t *s, const char *name, const char *type,
    const char *help)
{
    tg_text_t  *t = &s->text;

    tg_status_room(s);
    tg_put_lit(t, "# HELP llm_upstream_");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, " ");
    tg_put_str(t, tg_strz(help));
    tg_put_lit(t, "\n# TYPE llm_upstream_");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, " ");
    tg_put_str(t, tg_strz(type));
    tg_put_lit(t, "\n");
}


/* A sample up to its value; b NULL: of an upstream. label: another, or NULL. */
static void
tg_page_sample(tg_status_t *s, const char *name, const tg_group_t *g,
    const tg_backend_t *b, const char *label, tg_str_t value)
{
    tg_text_t  *t = &s->text;

    tg_status_room(s);
    tg_put_lit(t, "llm_upstream_");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "{upstream=\"");
    tg_page_label(t, tg_group_name(g));

    if (b != NULL) {
        tg_put_lit(t, "\",server=\"");
        tg_page_label(t, tg_backend_server(b));
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
tg_page_value(tg_status_t *s, int64_t value, unsigned scale)
{
    if (scale == 0) {
        tg_put_int(&s->text, value);
    } else {
        tg_put_decimal(&s->text, value, scale);
    }

    tg_put_lit(&s->text, "\n");
}


/* Of the upstreams: *value is thousandths. */
typedef void (*tg_page_group_pt)(const tg_status_t *s, tg_group_t *g,
    int64_t *value);


static void
tg_page_healthy(const tg_status_t *s, tg_group_t *g, int64_t *value)
{
    *value = tg_group_healthy(s->table, g) ? 1000 : 0;
}


static void
tg_page_saturated(const tg_status_t *s, tg_group_t *g, int64_t *value)
{
    *value = tg_group_saturated(s->table, g, NULL) ? 1000 : 0;
}


static void
tg_page_level(const tg_status_t *s, tg_group_t *g, int64_t *value)
{
    uint32_t  level;

    (void) tg_group_saturated(s->table, g, &level);
    *value = level;
}


static void
tg_page_groups(tg_status_t *s, const char *name, const char *help,
    tg_page_group_pt get)
{
    int64_t      v;
    tg_group_t  *g;

    tg_page_family(s, name, "gauge", help);

    for (unsigned i = 0; (g = tg_backends_group_at(s->table, i)) != NULL; i++) {
        if (tg_status_group(s, g)) {
            get(s, g, &v);
            tg_page_sample(s, name, g, NULL, NULL, tg_str_null);
            tg_page_value(s, v, 3);
        }
    }
}


/* Samples of one name: fields from f on, n of them. */
static void
tg_page_fields(tg_status_t *s, const tg_status_field_t *f, unsigned n)
{
    int64_t              v;
    unsigned             k;
    tg_group_t          *g;
    tg_status_backend_t  sb;

    tg_page_family(s, f->prometheus, f->type, f->help);

    for (unsigned i = 0; (g = tg_backends_group_at(s->table, i)) != NULL; i++) {
        for (k = 0; !s->failed && tg_status_next(s, g, &k, &sb); ) {
            for (unsigned m = 0; m < n; m++) {
                v = sb.value[f + m - tg_status_fields];

                if (v != TG_STATUS_UNKNOWN) {
                    tg_page_sample(s, f->prometheus, g, sb.backend, f->label,
                                   tg_strz(f[m].json));
                    tg_page_value(s, v, f->scale);
                }
            }
        }
    }
}


static void
tg_page_info(tg_status_t *s)
{
    unsigned             k;
    tg_group_t          *g;
    tg_status_backend_t  sb;

    tg_page_family(s, "backend_info", "gauge", "What engine the server has.");

    for (unsigned i = 0; (g = tg_backends_group_at(s->table, i)) != NULL; i++) {
        for (k = 0; !s->failed && tg_status_next(s, g, &k, &sb); ) {
            tg_page_sample(s, "backend_info", g, sb.backend, "engine",
                           tg_status_engine(&sb));
            tg_page_value(s, 1, 0);
        }
    }
}


void
tg_status_prometheus(tg_status_t *s)
{
    unsigned                  n;
    const tg_status_field_t  *f, *end = tg_status_fields + TG_STATUS_FIELDS;

    tg_page_groups(s, "healthy", "Whether any server may be used.",
                   tg_page_healthy);
    tg_page_groups(s, "saturated", "Whether it counts as full.",
                   tg_page_saturated);
    tg_page_groups(s, "saturation_ratio", "How full it is: 1 is full.",
                   tg_page_level);
    tg_page_info(s);

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

        tg_page_fields(s, f, n);
    }
}
