/*
 * Any bytes as a line of a cost log.  Nothing beyond it is read or written, and
 * where jansson takes the line, too, it finds the same cost and team.
 */

#include "../../cli/report/line/record.h"

#include "tg_rfc3339.h"

#include <jansson.h>
#include <stdlib.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const record_want_t  all = { UINT64_MAX, UINT64_MAX, true };


static bool
is_ascii(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] >= 0x80) {
            return false;
        }
    }

    return true;
}


/* A field that is there once, by one of its names. */
static const json_t *
only(const json_t *o, const char *name, const char *under)
{
    const json_t  *a = json_object_get(o, name), *b = json_object_get(o, under);

    return a != NULL && b != NULL ? NULL : a != NULL ? a : b;
}


static void
compare(const record_t *r, const json_t *o)
{
    const json_t  *v = only(o, "llm.cost.total_nusd", "llm_cost_total_nusd");

    if (json_is_integer(v)) {
        REQUIRE(r->number[REC_COST] == json_integer_value(v));
    }

    v = only(o, "llm.team", "llm_team");

    if (json_is_string(v)) {
        REQUIRE(tg_str_eq(r->text[REC_TEAM],
                          tg_str_of(json_string_value(v),
                                    json_string_length(v))));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      *line = malloc(size + (size == 0));
    bool       taken;
    json_t    *o;
    record_t   r;

    REQUIRE(line != NULL);

    if (size != 0) {
        memcpy(line, data, size);
    }

    taken = record_parse(&r, line, size, &all);

    if (taken) {
        REQUIRE(r.time >= 0 && r.ntags <= RECORD_TAGS_MAX);
        REQUIRE(r.time == tg_rfc3339_parse(r.text[REC_TIMESTAMP]));

        for (unsigned i = 0; i < REC_TEXTS; i++) {
            REQUIRE(r.text[i].len == 0
                    || (r.text[i].p >= line
                        && r.text[i].p + r.text[i].len <= line + size)
                    || r.text[i].len <= 5);     /* true, false */
        }
    }

    if (taken && is_ascii(data, size)) {

        /* names that are there twice are taken twice, here */

        o = json_loadb((const char *) data, size,
                       JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

        if (o != NULL) {
            REQUIRE(json_is_object(o));
            compare(&r, o);
            json_decref(o);
        }
    }

    free(line);

    return 0;
}
