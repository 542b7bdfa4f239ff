#include "series_lines.h"
#include "llmctl.h"

#include <stdio.h>

#define ALL  "all"


bool
series_lines_init(series_lines_t *l, report_options_t *o,
    const char *const *usual)
{
    memset(l, 0, sizeof(*l));
    l->o = o;
    l->nby = o->nby;
    memcpy(l->by, o->by, sizeof(l->by));

    for ( /* void */ ; o->nby == 0 && *usual != NULL; usual++) {
        (void) dimension_parse(&l->by[l->nby], *usual);
        dimension_want(&l->by[l->nby++], &o->reader.want);
    }

    for (unsigned i = 0; i < l->nby; i++) {
        if (dimension_is_time(&l->by[i])) {
            return failed("--by", "a series is of other dimensions than time");
        }
    }

    record_want_number(&o->reader.want, REC_COST);
    record_want_number(&o->reader.want, REC_INPUT);
    record_want_number(&o->reader.want, REC_OUTPUT);

    l->set = series_new(SERIES_MEMORY);

    return l->set != NULL
           || failed("report", "there is not enough memory");
}


void
series_lines_free(series_lines_t *l)
{
    series_free(l->set);
    l->set = NULL;
}


static void
line_of(series_lines_t *l, const char *kind, tg_str_t name)
{
    uint32_t  i;

    if (l->n == SERIES_OF_CALL) {
        return;
    }

    i = series_of(l->set, kind, name);
    l->full |= i == SERIES_NONE;
    l->of[l->n++] = i;
}


bool
series_line(series_lines_t *l, const record_t *r)
{
    char      buf[DIMENSION_SIZE], kind[80];
    tg_str_t  v;

    if (!series_settle(l->set)) {
        l->full = true;
        return false;
    }

    l->n = 0;
    l->call.hour = series_hour(l->o->reader.zone, r->time);
    l->call.cost = r->number[REC_COST];
    l->call.input = r->number[REC_INPUT];
    l->call.output = r->number[REC_OUTPUT];
    l->call.counts = record_is(r, REC_FINAL) && l->call.input > 0;

    line_of(l, ALL, tg_str(""));

    for (unsigned i = 0; i < l->nby; i++) {
        v = dimension_value(&l->by[i], r, l->o->reader.zone, buf);
        if (v.len != 0) {
            (void) snprintf(kind, sizeof(kind), "%.*s",
                            (int) l->by[i].word.len, l->by[i].word.p);
            line_of(l, kind, v);
        }
    }

    for (unsigned i = 0; l->tags && i < r->ntags; i++) {
        (void) snprintf(kind, sizeof(kind), "tag:%.*s",
                        (int) r->tags[i].name.len, r->tags[i].name.p);
        line_of(l, kind, r->tags[i].value);
    }

    if (l->full) {
        return false;
    }

    /* A clock that was years off would make the others' series as long. */
    if (series_cell(l->set, l->of[0], l->call.hour) == NULL) {
        l->odd++;
        l->n = 0;
        return true;
    }

    l->full = !series_add(l->set, l->of, l->n, &l->call);

    return !l->full;
}


const char *
series_said(char *buf, size_t size, const series_t *s)
{
    (void) snprintf(buf, size, "%s%s%s", s->kind, *s->name == '\0' ? "" : " ",
                    s->name);

    return buf;
}


void
series_lines_note(const series_lines_t *l, table_t *t)
{
    char      text[160];
    uint64_t  n = series_given_up(l->set);

    (void) snprintf(text, sizeof(text), "%u series were kept",
                    series_count(l->set));

    if (n != 0) {
        (void) snprintf(text, sizeof(text), "%u series were kept; %llu others,"
                        " which spent least, are in \"all\" alone",
                        series_count(l->set), (unsigned long long) n);
    }

    table_note(t, "series", text);

    if (l->odd != 0) {
        (void) snprintf(text, sizeof(text), "%llu lines are left out: their"
                        " times are years from the others'",
                        (unsigned long long) l->odd);
        table_note(t, "left_out", text);
    }
}


uint32_t
series_find(series_set_t *set, const char *kind, tg_str_t name)
{
    for (uint32_t i = 0; i < series_count(set); i++) {
        if (strcmp(series_at(set, i)->kind, kind) == 0
            && tg_str_eq(tg_strz(series_at(set, i)->name), name))
        {
            return i;
        }
    }

    return SERIES_NONE;
}
