/* Backends as JSON. */

#include "tg_backend_status_int.h"


static void
tg_json_text(tg_text_t *t, const char *name, tg_str_t s)
{
    tg_put_lit(t, "\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":");

    if (s.p == NULL) {
        tg_put_lit(t, "null");
        return;
    }

    tg_put_lit(t, "\"");
    tg_put_json(t, s, 4 * TG_BACKEND_NAME_MAX);
    tg_put_lit(t, "\"");
}


static void
tg_json_bool(tg_text_t *t, const char *name, bool is)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_str(t, is ? tg_str("\":true") : tg_str("\":false"));
}


/* A moment of our clock as a time of day; 0: there was none. */
static void
tg_json_moment(const tg_status_t *s, tg_text_t *t, const char *name,
    int64_t at)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));

    if (at == 0) {
        tg_put_lit(t, "\":null");
        return;
    }

    tg_put_lit(t, "\":\"");
    tg_put_time(t, s->wall_ms - (s->now - at) / 1000000);
    tg_put_lit(t, "\"");
}


static void
tg_json_numbers(tg_status_t *s, const tg_status_backend_t *sb)
{
    int64_t                   v;
    tg_text_t                *t = &s->page.text;
    const char               *group = NULL;
    const tg_status_field_t  *f;

    for (unsigned i = 0; i < TG_STATUS_FIELDS; i++) {
        f = &tg_status_fields[i];
        v = sb->value[i];

        if (f->group == NULL) {
            continue;
        }

        tg_status_room(s);

        if (group == NULL || strcmp(group, f->group) != 0) {
            tg_put_str(t, group == NULL ? tg_str(",\"") : tg_str("},\""));
            group = f->group;
            tg_put_str(t, tg_strz(group));
            tg_put_lit(t, "\":{\"");
        } else {
            tg_put_lit(t, ",\"");
        }

        tg_put_str(t, tg_strz(f->json));
        tg_put_lit(t, "\":");

        if (v == TG_STATUS_UNKNOWN) {
            tg_put_lit(t, "null");
        } else if (f->scale == 0) {
            tg_put_int(t, v);
        } else {
            tg_put_decimal(t, v, f->scale);
        }
    }

    tg_put_lit(t, "}");
}


static void
tg_json_backend(tg_status_t *s, const tg_status_backend_t *sb)
{
    static const tg_str_t  drains[] = {
        { NULL, 0 }, TG_STR("admin"), TG_STR("idle")
    };

    tg_text_t                *t = &s->page.text;
    const tg_backend_view_t  *v = &sb->view;

    tg_put_lit(t, "{");
    tg_json_text(t, "server", tg_backend_server(sb->backend));
    tg_put_lit(t, ",");
    tg_json_text(t, "engine", tg_status_engine(sb));
    tg_put_lit(t, ",");
    tg_json_text(t, "state", tg_backend_state_name(v->state));
    tg_json_bool(t, "usable", v->usable);
    tg_json_bool(t, "ejected", v->ejected);
    tg_put_lit(t, ",");
    tg_json_text(t, "drained", drains[v->drain]);
    tg_json_bool(t, "configured", v->configured);

    tg_status_room(s);
    tg_json_moment(s, t, "since", v->since);
    tg_json_moment(s, t, "checked", v->checked);
    tg_json_moment(s, t, "metrics_read", v->scraped);
    tg_json_bool(t, "metrics_fresh", v->fresh);
    tg_put_lit(t, ",");
    tg_json_text(t, "why", v->why[0] == '\0' ? tg_str_null : tg_strz(v->why));

    tg_json_numbers(s, sb);
    tg_put_lit(t, "}");
}


static void
tg_json_group(tg_status_t *s, tg_group_t *g)
{
    bool                 saturated;
    uint32_t             level;
    unsigned             n = 0;
    const char          *sep = "";
    tg_text_t           *t = &s->page.text;
    tg_status_backend_t  sb;

    tg_status_room(s);
    tg_put_lit(t, "{");
    tg_json_text(t, "upstream", tg_group_name(g));
    tg_json_bool(t, "healthy", tg_group_healthy(s->table, g));
    saturated = tg_group_saturated(s->table, g, &level);
    tg_json_bool(t, "saturated", saturated);
    tg_put_lit(t, ",\"saturation\":");
    tg_put_decimal(t, level, 3);
    tg_put_lit(t, ",\"servers\":[");

    while (!s->page.failed && tg_status_next(s, g, &n, &sb)) {
        tg_status_room(s);
        tg_put_str(t, tg_strz(sep));
        tg_json_backend(s, &sb);
        sep = ",\n";
    }

    tg_put_lit(t, "]}");
}


void
tg_status_json(tg_status_t *s)
{
    int64_t      ticked = tg_backends_ticked(s->table);
    const char  *sep = "";
    tg_text_t   *t = &s->page.text;
    tg_group_t  *g;

    tg_put_lit(t, "{\"schema\":1,\"time\":\"");
    tg_put_time(t, s->wall_ms);
    tg_put_lit(t, "\"");
    tg_json_bool(t, "watched", s->now - ticked <= TG_LEASE_NS);
    tg_json_moment(s, t, "watched_until", ticked);
    tg_put_lit(t, ",\"upstreams\":[");

    for (unsigned i = 0; (g = tg_backends_group_at(s->table, i)) != NULL; i++) {
        if (tg_status_group(s, g)) {
            tg_status_room(s);
            tg_put_str(t, tg_strz(sep));
            tg_json_group(s, g);
            sep = ",\n";
        }
    }

    tg_status_room(s);
    tg_put_lit(t, "]}\n");
}
