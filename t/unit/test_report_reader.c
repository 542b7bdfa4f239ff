#include "reading/blocks.h"
#include "reading/gaps.h"
#include "rows/groups.h"
#include "kind/report.h"
#include "reading/seen.h"

#include "tg_window.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>

#define CALL                                                                  \
    "{\"@timestamp\":\"2026-11-01T23:30:00.250Z\",\"llm.schema\":1,"          \
    "\"event.id\":\"01a1-1\",\"llm.seq\":7,\"llm.final\":true,"               \
    "\"llm.team\":\"a \\\"b\\\" \\u00fc\\ud83d\\ude00\","                    \
    "\"llm.tags.app\":\"x\","                                                \
    "\"gen_ai.request.model\":\"gpt\",\"gen_ai.response.finish_reasons\":"    \
    "[\"stop\",\"length\"],\"llm.usage.extra\":[{\"type\":\"a]\",\"n\":[1]}],"\
    "\"gen_ai.usage.input_tokens\":12,\"llm.cost.saved\":0.000000001,"        \
    "\"llm.route_dry_saved\":-1.5,\"llm.cost.total_nusd\":9007199254740993,"  \
    "\"llm.gpu_seconds\":1.5e-3,\"llm.node\":\"n\"}"

static const record_want_t  all = { UINT64_MAX, UINT64_MAX, true };


/* From memory without a byte behind it, so that a sanitizer sees the end. */
static bool
parse_n(record_t *r, const char *line, size_t n)
{
    static char  *copy;

    free(copy);
    copy = malloc(n + (n == 0));
    assert_non_null(copy);
    memcpy(copy, line, n);

    return record_parse(r, copy, n, &all);
}


static bool
parse(record_t *r, const char *line)
{
    return parse_n(r, line, strlen(line));
}


static void
is(tg_str_t s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.p == NULL ? "" : s.p, text, s.len);
}


static void
test_a_line_s_fields(void **state)
{
    record_t  r;

    (void) state;
    assert_true(parse(&r, CALL));
    assert_true(r.time == INT64_C(1793575800250));
    is(r.text[REC_EVENT_ID], "01a1-1");
    is(r.text[REC_TEAM], "a \"b\" \u00fc\U0001f600");
    is(r.text[REC_FINISH], "stop");
    assert_int_equal(r.ntags, 1);
    is(r.tags[0].name, "app");
    is(r.tags[0].value, "x");
    assert_true(record_is(&r, REC_FINAL));
    assert_false(record_is(&r, REC_STREAM));
    assert_int_equal(r.number[REC_INPUT], 12);
    assert_true(r.number[REC_COST] == INT64_C(9007199254740993));
    assert_int_equal(r.number[REC_COST_SAVED], 1);
    assert_int_equal(r.number[REC_DRY_SAVED], -1500000000);
    assert_int_equal(r.number[REC_GPU_NS], 1500000);
    assert_true(record_has(&r, REC_SEQ));
    assert_false(record_has(&r, REC_OUTPUT));
}


static void
test_a_line_with_underscores_is_the_same(void **state)
{
    record_t  r;

    (void) state;
    assert_true(parse(&r, " { \"timestamp\" : \"2026-11-01T23:30:00.250Z\" ,"
                          " \"event_id\": \"e\", \"llm_tags_a_b\": \"v\","
                          " \"gen_ai_usage_cache_read_input_tokens\": 3,"
                          " \"llm_final\": true, \"user_id\": 17 } \r"));
    is(r.text[REC_EVENT_ID], "e");
    is(r.tags[0].name, "a_b");
    assert_int_equal(r.number[REC_CACHE_READ], 3);
    assert_true(record_is(&r, REC_FINAL));
    is(r.text[REC_USER], "17");
}


/* Whatever was the line before. */
static void
test_fields_in_any_order(void **state)
{
    char         line[512];
    record_t     r;
    const char  *parts[] = {
        "\"@timestamp\":\"2026-11-01T00:00:00Z\"", "\"event.id\":\"e\"",
        "\"llm.team\":\"t\"", "\"x\":{\"llm.team\":\"no\"}",
        "\"llm.cost.total_nusd\":5"
    };

    (void) state;

    for (unsigned i = 0; i < 5 * 5 * 5; i++) {
        unsigned  order[] = { i % 5, i / 5 % 5, i / 25 };

        (void) snprintf(line, sizeof(line), "{%s,%s,%s,%s,%s}",
                        parts[order[0]], parts[order[1]], parts[order[2]],
                        parts[0], parts[1]);
        assert_true(parse(&r, line));
        is(r.text[REC_EVENT_ID], "e");
        is(r.text[REC_TEAM], order[0] == 2 || order[1] == 2 || order[2] == 2
                             ? "t" : "");
    }
}


static void
test_no_part_of_a_line_is_one(void **state)
{
    char      two[2 * sizeof(CALL)];
    record_t  r;

    (void) state;

    for (size_t n = 0; n < sizeof(CALL) - 1; n++) {
        assert_false(parse_n(&r, CALL, n));

        memcpy(two, CALL, n);
        memcpy(two + n, CALL, sizeof(CALL));
        assert_int_equal(parse(&r, two), n == 0);
        assert_int_equal(parse(&r, &CALL[n]), n == 0);
    }
}


static void
test_what_is_no_line(void **state)
{
    static const char *const  lines[] = {
        "", "{}", "[]", "null", "x",
        "{\"@timestamp\":\"2026-11-01T00:00:00Z\"}",        /* of what? */
        "{\"@timestamp\":\"2026-11-31T00:00:00Z\",\"llm.schema\":1}",
        "{\"@timestamp\":\"1969-12-31T23:59:59Z\",\"llm.schema\":1}",
        "{\"@timestamp\":1793489400,\"llm.schema\":1}",
        "{\"llm.schema\":1}",
#define LINE  "{\"@timestamp\":\"2026-11-01T00:00:00Z\",\"llm.schema\":1"
        LINE, LINE "}}", LINE ",}", LINE "},", LINE "} {}", LINE "]",
        LINE ",\"a\":{}", LINE ",\"a\":[1}}", LINE ",\"a\"}", LINE ",\"a\":}",
        LINE ",\"a\":01}", LINE ",\"a\":1.}", LINE ",\"a\":1e}",
        LINE ",\"a\":-}", LINE ",\"a\":+1}", LINE ",\"a\":nul}",
        LINE ",\"a\":tru}", LINE ",\"a\":\"\\x\"}", LINE ",\"a\":\"\\u12g4\"}",
        LINE ",\"a\":\"\t\"}", LINE ",\"a\":\"\\\"}", LINE ",a:1}",
        LINE ",\"llm.cost.total_nusd\":9223372036854775808}",
        LINE ",\"llm.cost.total_nusd\":\"much\"}"
    };

    record_t  r;

    (void) state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_false(parse(&r, lines[i]));
    }

    assert_true(parse(&r, LINE "}"));
    assert_true(parse(&r, LINE ",\"a\":null,\"b\":\"\\ud800\",\"c\":[{}]}"));
    assert_true(parse(&r, LINE ",\"llm.cost.total_nusd\":9.2e18}"));
    assert_true(r.number[REC_COST] == INT64_C(9200000000000000000));
}


static void
value(const char *word, const record_t *r, const tg_zone_t *zone,
    const char *expected)
{
    char         buf[DIMENSION_SIZE];
    dimension_t  d;

    assert_true(dimension_parse(&d, word));
    is(dimension_value(&d, r, zone, buf), expected);
}


static void
test_dimensions(void **state)
{
    record_t     r;
    dimension_t  d;

    (void) state;
    assert_true(parse(&r, CALL));
    value("day", &r, NULL, "2026-11-01");
    value("hour", &r, NULL, "2026-11-01T23:00");
    value("week", &r, NULL, "2026-W44");
    value("month", &r, NULL, "2026-11");
    value("model", &r, NULL, "gpt");
    value("tag:app", &r, NULL, "x");
    value("tag:none", &r, NULL, "");
    value("tag:team", &r, NULL, "a \"b\" \u00fc\U0001f600");
    value("llm.seq", &r, NULL, "7");
    value("llm.final", &r, NULL, "true");
    value("status", &r, NULL, "");
    assert_false(dimension_parse(&d, "colour"));
    assert_false(dimension_parse(&d, "tag:"));
}


static void
test_days_of_a_zone(void **state)
{
    char         rule[] = "TZif2" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                          "TZif2" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
                          "\0\0\0\0\0\0UTC\0\nCET-1CEST,M3.5.0,M10.5.0/3\n";
    record_t     r;
    tg_zone_t   *zone;
    tg_error_t   err;
    tg_arena_t  *arena = tg_arena_create(0);

    (void) state;
    assert_int_equal(tg_zone_parse(tg_arena_mem(arena),
                                   tg_str_of(rule, sizeof(rule) - 1), &zone,
                                   &err), TG_OK);
    assert_true(parse(&r, CALL));
    value("day", &r, zone, "2026-11-02");
    value("hour", &r, zone, "2026-11-02T00:00");
    value("week", &r, zone, "2026-W45");
    tg_arena_destroy(arena);
}


static bool
before(seen_t *s, tg_str_t id, bool *broken)
{
    return seen_before(s, seen_bits(s, id), broken);
}


/* Every id is known again, and no other, whether it is in a file by now or
 * not. */
static void
test_ids_are_seen_once(void **state)
{
    int      n;
    char     id[40];
    bool     broken = false;
    seen_t  *s = seen_new(1024);

    (void) state;
    assert_non_null(s);

    for (int i = 0; i < 40000; i++) {
        n = snprintf(id, sizeof(id), "01a1df08-cefc-77f2-a740-%012d-1", i);
        assert_false(before(s, tg_str_of(id, (size_t) n), &broken));

        n = snprintf(id, sizeof(id), "01a1df08-cefc-77f2-a740-%012d-1",
                     i * 7919 % (i + 1));
        assert_true(before(s, tg_str_of(id, (size_t) n), &broken));
    }

    assert_false(broken);
    seen_free(s);
}


static void
add(void *to, const void *from)
{
    *(int64_t *) to += *(const int64_t *) from;
}


static void
dearest(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    (void) values;
    rank[0] = ~*(const int64_t *) sums;
}


typedef struct {
    int64_t   sum, last;
    unsigned  rows;
    bool      by_cost;
    char      key[32];
} rows_seen_t;


static bool
one_row(void *data, const tg_str_t *values, const void *sums)
{
    char          key[32];
    int64_t       v = *(const int64_t *) sums;
    rows_seen_t  *s = data;

    (void) snprintf(key, sizeof(key), "%.*s", (int) values[0].len,
                    values[0].p);
    is(values[1], "2026-11-01");

    if (s->rows++ != 0) {
        assert_true(s->by_cost ? v <= s->last : strcmp(s->key, key) < 0);
    }

    s->sum += v;
    s->last = v;
    memcpy(s->key, key, sizeof(key));

    return true;
}


static void
group_lines(int rows, bool by_cost)
{
    int          n;
    char         team[32];
    int64_t      sum = 0, v;
    record_t     r;
    groups_t    *g;
    dimension_t  by[2];
    rows_seen_t  seen = { .by_cost = by_cost };

    assert_true(dimension_parse(&by[0], "team"));
    assert_true(dimension_parse(&by[1], "day"));
    g = groups_new(2, sizeof(int64_t), add, GROUPS_MEMORY_MIN);
    assert_non_null(g);
    assert_true(parse(&r, CALL));

    for (int i = 0; i < 2 * rows; i++) {
        n = snprintf(team, sizeof(team), "team-%d", i % rows);
        r.text[REC_TEAM] = tg_str_of(team, (size_t) n);
        v = i * INT64_C(1000003) % 99991;
        sum += v;
        assert_true(groups_take_line(g, by, NULL, &r, &v));
    }

    for (int i = 0; i < 2; i++) {
        seen.rows = 0;
        seen.sum = 0;
        assert_true(groups_each(g, by_cost ? dearest : NULL, one_row, &seen));
        assert_int_equal(seen.rows, rows);
        assert_true(seen.sum == sum);
    }

    groups_free(g);
}


static void
test_rows_beyond_the_memory(void **state)
{
    (void) state;
    group_lines(30000, false);
    group_lines(30000, true);
    group_lines(700000, true);         /* parts that have to be divided */
}


/* A line of a node that ended at so many minutes. */
static void
line_of(gaps_t *g, const char *node, int64_t seq, int64_t minute)
{
    record_t  r;

    memset(&r, 0, sizeof(r));
    r.text[REC_NODE] = tg_strz(node);
    r.number[REC_SEQ] = seq;
    r.number[REC_DURATION] = INT64_C(30000000000);
    r.has = UINT64_C(1) << REC_SEQ | UINT64_C(1) << REC_DURATION;
    r.flags = 1 << REC_FINAL;
    r.time = minute * 60000 - 30000;
    assert_true(gaps_take(g, &r));
}


static void
test_gaps(void **state)
{
    gaps_t  *g = gaps_new();

    (void) state;

    /* in any order, with 50 to 59 missing; each node by itself */

    for (int64_t i = 200; i > 100; i--) {
        line_of(g, "a", i, i);
        line_of(g, "b", 3 * i, i);
    }

    for (int64_t i = 20; i <= 100; i++) {
        if (i < 50 || i > 59) {
            line_of(g, "a", i, i);
        }
    }

    assert_int_equal(gaps_missing(g), 10 + 2 * 99);
    assert_int_equal(gaps_nodes(g), 2);

    /* anew from 1: what is between 30 and 20 is not missing */

    for (int64_t i = 1; i <= 30; i++) {
        line_of(g, "a", i, 1000 + i);
    }

    assert_int_equal(gaps_missing(g), 10 + 2 * 99);

    /* nor is it where nothing of it was there before, but for the time */

    for (int64_t i = 1; i <= 30; i++) {
        line_of(g, "b", i, 2000 + i);
    }

    assert_int_equal(gaps_missing(g), 10 + 2 * 99);
    gaps_free(g);
}


static void
test_gaps_of_many(void **state)
{
    gaps_t  *g = gaps_new();

    (void) state;

    for (int64_t i = 0; i < 3 * GAPS_SPANS_MAX; i++) {
        line_of(g, "a", 1 + 2 * i, i);
    }

    assert_int_equal(gaps_missing(g), 3 * GAPS_SPANS_MAX - 1);
    gaps_free(g);
}


typedef struct {
    unsigned  lines;
    unsigned  stop;
    char      ids[256];
} taken_t;


static bool
take_id(void *data, const record_t *r)
{
    taken_t  *t = data;
    size_t    n = strlen(t->ids);

    (void) snprintf(t->ids + n, sizeof(t->ids) - n, "%.*s ",
                    (int) r->text[REC_EVENT_ID].len, r->text[REC_EVENT_ID].p);

    return ++t->lines != t->stop;
}


static char *
file_of(const char *text, size_t n, bool packed)
{
    int     fd;
    char    path[] = "/tmp/test_report_XXXXXX", *name;
    gzFile  gz;

    fd = mkstemp(path);
    assert_true(fd != -1);

    if (packed) {
        gz = gzdopen(fd, "wb");
        assert_int_equal(gzwrite(gz, text, (unsigned) n), n);
        assert_int_equal(gzclose(gz), Z_OK);
    } else {
        assert_int_equal(write(fd, text, n), n);
        (void) close(fd);
    }

    name = strdup(path);
    assert_non_null(name);

    return name;
}


static void
set_options(reader_options_t *o)
{
    memset(o, 0, sizeof(*o));
    o->kinds = READER_CALLS;
    o->since = INT64_MIN;
    o->until = INT64_MAX;
}


/* Takes the files away, too. */
static bool
run(char **files, int n, const reader_options_t *o, taken_t *t,
    reader_stats_t *stats)
{
    bool  ok = reader_run(files, n, o, take_id, t, stats);

    for (int i = 0; i < n; i++) {
        (void) unlink(files[i]);
        free(files[i]);
    }

    return ok;
}


#define L(id, more)                                                           \
    "{\"@timestamp\":\"2026-11-0" id "T00:00:00Z\",\"event.id\":\"" id "\""   \
    ",\"llm.team\":\"t" id "\",\"llm.cost.total_nusd\":1" id more "}"

static void
test_files_of_all_kinds(void **state)
{
    char              *files[3];
    taken_t            t = { 0 };
    reader_stats_t     stats;
    reader_options_t   o;
    static const char  one[] = L("1", "") "\r\n\n" L("2", "") "\ntorn",
                       two[] = L("2", "") "\n" L("3", "") "\n"
                               L("4", ",\"event.kind\":\"outcome\"") "\n",
                       three[] = L("5", "");

    (void) state;
    set_options(&o);
    files[0] = file_of(one, sizeof(one) - 1, false);
    files[1] = file_of(two, sizeof(two) - 1, true);
    files[2] = file_of(three, sizeof(three) - 1, false);

    assert_true(run(files, 3, &o, &t, &stats));
    assert_string_equal(t.ids, "1 2 3 5 ");
    assert_int_equal(stats.lines, 6);
    assert_int_equal(stats.handed, 4);
    assert_int_equal(stats.duplicates, 1);
    assert_int_equal(stats.broken, 1);
    assert_int_equal(stats.cost, 11 + 12 + 13 + 15);
    assert_int_equal(stats.bytes, sizeof(one) + sizeof(two) + sizeof(three)
                                  - 3);
}


static void
test_what_is_asked_for(void **state)
{
    char              *files[1];
    taken_t            t = { 0 };
    reader_stats_t     stats;
    reader_options_t   o;
    static const char  lines[] = L("1", "") "\n" L("2", "") "\n" L("3", "") "\n"
                                 L("4", "") "\n" L("5", "") "\n" L("6", "");

    (void) state;
    set_options(&o);
    o.since = INT64_C(1793577600000);           /* the 2nd */
    o.until = o.since + 4 * 86400000;
    o.nwhere = 2;
    assert_true(dimension_parse(&o.where[0].dimension, "team"));
    o.where[0].value = tg_str("t*");
    assert_true(dimension_parse(&o.where[1].dimension, "team"));
    o.where[1].value = tg_str("t3");
    o.where[1].not = true;
    files[0] = file_of(lines, sizeof(lines) - 1, false);

    assert_true(run(files, 1, &o, &t, &stats));
    assert_string_equal(t.ids, "2 4 5 ");
    assert_int_equal(stats.lines, 6);
    assert_true(stats.first == o.since);
    assert_true(stats.last == o.until - 86400000);
}


static void
test_a_line_that_is_too_long(void **state)
{
    char              *files[1], *text;
    size_t             n = 0, longest = 3 * BLOCKS_LINE_MAX;
    taken_t            t = { 0 };
    reader_stats_t     stats;
    reader_options_t   o;

    (void) state;
    set_options(&o);
    text = malloc(longest + 1024);
    assert_non_null(text);
    n += (size_t) sprintf(text, "%s\n{\"", L("1", ""));
    memset(text + n, 'x', longest);
    n += longest;
    n += (size_t) sprintf(text + n, "\n%s\n", L("2", ""));
    files[0] = file_of(text, n, true);
    free(text);

    assert_true(run(files, 1, &o, &t, &stats));
    assert_string_equal(t.ids, "1 2 ");
    assert_int_equal(stats.broken, 1);
}


/* More short lines than a block has records for, over many blocks. */
static void
test_many_lines(void **state)
{
    char              *files[2], *text = malloc(16 * 1024 * 1024);
    size_t             n = 0;
    taken_t            t = { 0 };
    reader_stats_t     stats;
    reader_options_t   o;

    (void) state;
    assert_non_null(text);
    set_options(&o);

    for (int i = 0; i < 100000; i++) {
        n += (size_t) sprintf(text + n, "{\"@timestamp\":"
                              "\"2026-11-01T00:00:00Z\",\"event.id\":\"%d\","
                              "\"llm.seq\":%d,\"llm.cost.total_nusd\":%d}\n",
                              i, i + 1, i);
    }

    files[0] = file_of(text, n, false);
    files[1] = file_of(text, n, true);
    free(text);

    assert_true(run(files, 2, &o, &t, &stats));
    assert_int_equal(t.lines, 100000);
    assert_int_equal(stats.duplicates, 100000);
    assert_int_equal(stats.missing, 0);
    assert_true(stats.cost == INT64_C(99999) * 50000);
}


static void
test_reading_that_ends_early(void **state)
{
    char              *files[1], *text = malloc(8 * 1024 * 1024);
    size_t             n = 0;
    taken_t            t = { .stop = 3 };
    reader_stats_t     stats;
    reader_options_t   o;

    (void) state;
    assert_non_null(text);
    set_options(&o);

    for (int i = 0; i < 50000; i++) {
        n += (size_t) sprintf(text + n, "{\"@timestamp\":"
                              "\"2026-11-01T00:00:00Z\",\"event.id\":\"%d\"}\n",
                              i);
    }

    files[0] = file_of(text, n, false);
    free(text);
    assert_true(run(files, 1, &o, &t, &stats));
    assert_string_equal(t.ids, "0 1 2 ");
}


static void
test_files_that_cant_be_read(void **state)
{
    int                fd;
    char              *files[2];
    taken_t            t = { 0 };
    reader_stats_t     stats;
    reader_options_t   o;
    static const char  line[] = L("1", "") "\n";

    (void) state;
    set_options(&o);
    files[0] = file_of(line, sizeof(line) - 1, false);
    files[1] = strdup("/nowhere/llm.jsonl");
    assert_false(run(files, 2, &o, &t, &stats));
    assert_string_equal(t.ids, "1 ");

    /* gzip that is cut off */

    files[0] = file_of(line, sizeof(line) - 1, true);
    fd = truncate(files[0], 60);
    assert_int_equal(fd, 0);
    assert_false(run(files, 1, &o, &t, &stats));
}


static void
test_gzip_of_several_members(void **state)
{
    int                fd;
    char              *files[2], copy[4096];
    ssize_t            n;
    taken_t            t = { 0 };
    reader_stats_t     stats;
    reader_options_t   o;
    static const char  one[] = L("1", "") "\n", two[] = L("2", "") "\n";

    (void) state;
    set_options(&o);
    files[0] = file_of(one, sizeof(one) - 1, true);
    files[1] = file_of(two, sizeof(two) - 1, true);

    fd = open(files[1], O_RDONLY);
    n = read(fd, copy, sizeof(copy));
    assert_true(n > 0);
    (void) close(fd);
    (void) unlink(files[1]);
    free(files[1]);

    fd = open(files[0], O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, copy, (size_t) n), n);
    (void) close(fd);

    assert_true(run(files, 1, &o, &t, &stats));
    assert_string_equal(t.ids, "1 2 ");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_s_fields),
        cmocka_unit_test(test_a_line_with_underscores_is_the_same),
        cmocka_unit_test(test_fields_in_any_order),
        cmocka_unit_test(test_no_part_of_a_line_is_one),
        cmocka_unit_test(test_what_is_no_line),
        cmocka_unit_test(test_dimensions),
        cmocka_unit_test(test_days_of_a_zone),
        cmocka_unit_test(test_ids_are_seen_once),
        cmocka_unit_test(test_rows_beyond_the_memory),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_gaps_of_many),
        cmocka_unit_test(test_files_of_all_kinds),
        cmocka_unit_test(test_what_is_asked_for),
        cmocka_unit_test(test_a_line_that_is_too_long),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_reading_that_ends_early),
        cmocka_unit_test(test_files_that_cant_be_read),
        cmocka_unit_test(test_gzip_of_several_members)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
