#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static tg_arena_t  *arena;

enum {
    MODEL = 0, TEAM, TOKENS, MESSAGES, BYTES, TOOLS, NOWHERE, LOST, HOUR, USED,
    HEADER, PAIR, SYMBOLS
};

static const tg_expr_symbol_t  symbols[SYMBOLS] = {
    [MODEL]    = { "model", TG_EXPR_STRING, false, 0, { 0, 0 } },
    [TEAM]     = { "team", TG_EXPR_STRING, false, 0, { 0, 0 } },
    [TOKENS]   = { "input_tokens", TG_EXPR_NUMBER, false, 0, { 0, 0 } },
    [MESSAGES] = { "messages", TG_EXPR_NUMBER, false, 0, { 0, 0 } },
    [BYTES]    = { "body_bytes", TG_EXPR_SIZE, false, 0, { 0, 0 } },
    [TOOLS]    = { "tools", TG_EXPR_BOOL, false, 0, { 0, 0 } },
    [NOWHERE]  = { "country", TG_EXPR_STRING, false, 0, { 0, 0 } },
    [LOST]     = { "lost", TG_EXPR_BOOL, false, 0, { 0, 0 } },
    [HOUR]     = { "hour", TG_EXPR_NUMBER, true, 0, { 0, 0 } },
    [USED]     = { "used", TG_EXPR_PERCENT, true, 1, { TG_EXPR_NAME, 0 } },
    [HEADER]   = { "header", TG_EXPR_STRING, true, 1, { TG_EXPR_STRING, 0 } },
    [PAIR]     = { "pair", TG_EXPR_NUMBER, true, 2,
                   { TG_EXPR_STRING, TG_EXPR_SIZE } }
};


/* gpt-4o of team search, 4,000 tokens, 65,536 bytes, tools, 10 o'clock. */
static bool
get(void *data, unsigned symbol, const tg_expr_value_t *args,
    tg_expr_value_t *value)
{
    unsigned  *calls = data;

    if (calls != NULL) {
        calls[symbol]++;
    }

    switch (symbol) {
    case MODEL:    value->s = tg_str("gpt-4o"); return true;
    case TEAM:     value->s = tg_str("search"); return true;
    case TOKENS:   value->n = 4000; return true;
    case MESSAGES: value->n = 2; return true;
    case BYTES:    value->n = 65536; return true;
    case TOOLS:    value->b = true; return true;
    case HOUR:     value->n = 10; return true;
    case USED:     value->n = args[0].handle == 7 ? 81 : 20; return true;
    case PAIR:     value->n = (double) args[0].s.len + args[1].n; return true;
    case HEADER:
        value->s = tg_str("prod\xff");
        return tg_str_eq(args[0].s, tg_str("x-env"));
    default:
        return false;
    }
}


static tg_expr_t *
compile(const char *text, tg_error_t *err)
{
    return tg_expr_compile(tg_arena_mem(arena), tg_strz(text), symbols, SYMBOLS,
                           err);
}


static bool
holds(const char *text)
{
    bool                yes;
    tg_error_t          err;
    tg_expr_t          *e = compile(text, &err);
    tg_expr_scratch_t  *scratch = tg_expr_scratch(tg_arena_mem(arena));

    if (e == NULL) {
        fail_msg("%s: %s", text, err.message);
    }

    yes = tg_expr_eval(e, scratch, get, NULL);
    tg_expr_destroy(e);

    return yes;
}


static void
test_operators_mean_what_they_say(void **state)
{
    static const struct {
        const char  *text;
        bool         holds;
    } cases[] = {
        { "tools", true },
        { "not tools", false },
        { "not not tools", true },
        { "true", true },
        { "false or true", true },
        { "true or true and false", true },
        { "(true or true) and false", false },
        { "not false and false", false },
        { "input_tokens == 4000", true },
        { "input_tokens != 4000", false },
        { "input_tokens < 4001", true },
        { "input_tokens <= 3999.5", false },
        { "input_tokens > -1", true },
        { "input_tokens >= 4k", true },
        { "4000 == input_tokens", true },
        { "input_tokens > messages", true },
        { "tools == true", true },
        { "(input_tokens < 3 or tools) == tools", true },
        { "tools != (input_tokens < 3)", true },
        { "model == 'gpt-4o'", true },
        { "model == \"gpt-4\"", false },
        { "model in ('a', 'gpt-4o')", true },
        { "model in ('a')", false },
        { "model not in (\"a\", 'b')", true },
        { "model in (team, 'gpt-4o')", true },
        { "hour() in (22, 23, 10)", true },
        { "messages not in (1, 2)", false },
        { "used(team_month) > 19.5%", true },
        { "used(\"team_month\") >= 21%", false },
        { "header('x-env') ~ '^prod'", true },
        { "pair('abc', 1k) == 1027", true },
        { "model=='gpt-4o'and tools", true }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (holds(cases[i].text) != cases[i].holds) {
            fail_msg("%s", cases[i].text);
        }
    }

    (void) state;
}


static void
test_a_thousand_is_1024_where_bytes_are_meant(void **state)
{
    assert_true(holds("body_bytes == 64k"));
    assert_true(holds("64k == body_bytes"));
    assert_true(holds("body_bytes in (1, 64K)"));
    assert_true(holds("input_tokens == 4k"));
    assert_true(holds("body_bytes < 1M and input_tokens < 1M and 1G > 1M"));
    assert_true(holds("body_bytes == 0.0625m"));

    (void) state;
}


static void
test_regexes_match_bytes_with_and_without_case(void **state)
{
    assert_true(holds("model ~ 'gpt-4'"));
    assert_true(holds("model ~ \"^gpt-\\d(o|$)\""));
    assert_false(holds("model ~ '^GPT'"));
    assert_true(holds("model ~* '^GPT'"));
    assert_true(holds("model !~ '^GPT'"));
    assert_false(holds("model !~* '^GPT'"));
    assert_true(holds("header(\"x-env\") ~ '\\xff$'"));
    assert_true(holds("'it\\'s' ~ \"^it's$\""));
    assert_true(holds("'a.b\\\\' ~ '^a\\.b\\\\\\\\$'"));

    (void) state;
}


static void
test_a_regex_that_runs_away_is_unknown(void **state)
{
    char                subject[4096], text[8192];
    tg_expr_t          *e;
    tg_error_t          err;
    tg_expr_scratch_t  *scratch = tg_expr_scratch(tg_arena_mem(arena));

    memset(subject, 'a', sizeof(subject) - 1);
    subject[sizeof(subject) - 1] = '\0';
    (void) snprintf(text, sizeof(text), "'%.3000s' ~ '^(a+)+$' "
                    "or '%.50sb' !~ '^(a|aa)+(a|aa)+(a|aa)+$'", subject,
                    subject);

    e = compile(text, &err);
    assert_non_null(e);
    assert_true(tg_expr_needs_scratch(e));
    (void) tg_expr_eval(e, scratch, get, NULL);
    tg_expr_destroy(e);

    e = compile("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' !~"
                " '^(a|aa|aaa)+(a|aa)+(a|aaa)+$'", &err);
    assert_non_null(e);
    assert_false(tg_expr_eval(e, scratch, get, NULL));
    assert_false(tg_expr_eval(e, NULL, get, NULL));
    tg_expr_destroy(e);

    (void) state;
}


static void
test_what_is_not_known_is_neither_true_nor_false(void **state)
{
    static const struct {
        const char  *text;
        bool         holds;
    } cases[] = {
        { "country == 'DE'", false },
        { "not (country == 'DE')", false },
        { "country != 'DE'", false },
        { "country in ('DE')", false },
        { "country not in ('DE')", false },
        { "country ~ 'D'", false },
        { "country !~ 'D'", false },
        { "lost", false },
        { "not lost", false },
        { "lost or tools", true },
        { "tools or lost", true },
        { "not (lost and not tools)", true },
        { "not (not tools and lost)", true },
        { "lost and tools", false },
        { "not (lost or not tools)", false },
        { "lost == lost", false },
        { "(lost and false) == false", true },
        { "model in (country, 'gpt-4o')", true },
        { "model not in (country, 'gpt-4o')", false },
        { "not (model in (country, 'b'))", false },
        { "model not in (country, 'b')", false },
        { "header('x-none') == ''", false }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (holds(cases[i].text) != cases[i].holds) {
            fail_msg("%s", cases[i].text);
        }
    }

    (void) state;
}


static void
test_what_is_decided_is_not_asked_for(void **state)
{
    unsigned     calls[SYMBOLS] = { 0 };
    tg_expr_t   *e;
    tg_error_t   err;

    e = compile("(not tools and hour() == 1) or tools or used(x) > 1%", &err);
    assert_non_null(e);
    assert_true(tg_expr_eval(e, NULL, get, calls));
    assert_int_equal(calls[HOUR], 0);
    assert_int_equal(calls[USED], 0);
    assert_int_equal(calls[TOOLS], 2);

    assert_true(tg_expr_uses(e, USED));
    assert_false(tg_expr_uses(e, MODEL));
    assert_false(tg_expr_needs_scratch(e));

    (void) state;
}


/* In the message the caret is under the `|` that is marked in the text. */
static void
test_a_mistake_has_a_caret_under_it(void **state)
{
    static const struct {
        const char  *text;
        const char  *says;
    } cases[] = {
        { "|", "breaks off here" },
        { "|  ", "breaks off" },
        { "tools and|", "breaks off" },
        { "tools |tools", "ends before this" },
        { "|input_tokens", "a number, not a condition" },
        { "tools and |input_tokens", "not a condition" },
        { "|model or tools", "a string, not a condition" },
        { "not |model", "not a condition" },
        { "|input_token < 3", "is it input_tokens" },
        { "team == |search", "a string is in quotes" },
        { "|tag.app == 'x'", "a tag is written tag(name)" },
        { "tools |= true", "equality is written: ==" },
        { "tools |&& tools", "it is written: and" },
        { "tools ||| tools", "it is written: or" },
        { "|!tools", "it is written: not" },
        { "input_tokens |<> 3", "!=" },
        { "model |=~ 'a'", "matched with ~" },
        { "input_tokens < |'3'", "this is a string, and on the left is a number" },
        { "used(a) > |80", "on the left is a percentage" },
        { "body_bytes > |80%", "this is a percentage" },
        { "body_bytes > |input_tokens", "this is a number" },
        { "|model < 'a'", "not smaller or larger" },
        { "|tools < true", "not smaller or larger" },
        { "1 < input_tokens |< 3", "do not chain" },
        { "model in |'a'", "takes a list" },
        { "model in (|)", "value is missing" },
        { "model in ('a' |'b')", "comma or )" },
        { "model in ('a', |3)", "this is a number" },
        { "model |in", "" },
        { "model not |tools", "not in" },
        { "(tools|", "a ) is missing" },
        { "tools and |)", "value is missing" },
        { "used|", "used is written used(...)" },
        { "used(|)", "takes a name here" },
        { "used(|3)", "takes a name here" },
        { "hour(|3) == 3", "is to be closed" },
        { "header(|x) == 'a'", "takes a string" },
        { "pair('a'|) == 1", "takes 2 arguments" },
        { "pair('a', |5%) == 1", "takes a size in bytes" },
        { "model|('a')", "takes no arguments" },
        { "model == |'a", "no closing quote" },
        { "model ~ '(a|'", "in this regex" },
        { "model ~ 'a(?|'", "in this regex" },
        { "model ~ |model", "written in quotes" },
        { "|input_tokens ~ 'a'", "matched with a string" },
        { "input_tokens < 3|x", "a number ends in" },
        { "input_tokens < 3.5.|2", "" },
        { "input_tokens < |1234567890123456", "too long" },
        { "tools |;", "can't stand here" },
        { "model == 'h\xc3\xa4' |x", "ends before this" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char  *mark = strchr(cases[i].text, '|'), *line, *caret;
        char         text[128];
        size_t       at = (size_t) (mark - cases[i].text), column = 0;
        tg_error_t   err = { 0 };

        (void) snprintf(text, sizeof(text), "%.*s%s", (int) at, cases[i].text,
                        mark + 1);

        if (compile(text, &err) != NULL) {
            fail_msg("\"%s\" was taken", text);
        }

        if (strstr(err.message, cases[i].says) == NULL) {
            fail_msg("\"%s\" said %s", text, err.message);
        }

        if (cases[i].says[0] == '\0') {
            continue;
        }

        line = strchr(err.message, '\n');
        assert_non_null(line);
        caret = strchr(line + 1, '\n');
        assert_non_null(caret);

        if (strncmp(line + 5, text, strlen(text)) != 0) {
            fail_msg("\"%s\" is shown as %s", text, err.message);
        }

        for (size_t k = 0; k < at; k++) {
            column += (text[k] & 0xc0) != 0x80;
        }

        if (text[0] != '\0' && text[strspn(text, " ")] != '\0'
            && (strlen(caret + 1) != column + 5
                || caret[strlen(caret) - 1] != '^'))
        {
            fail_msg("\"%s\" at %zu: %s", text, at, err.message);
        }
    }

    (void) state;
}


static void
test_a_mistake_can_be_told_in_one_line(void **state)
{
    static const char *const  cases[][2] = {
        { "team == search", "unknown name \"search\"; a string is in quotes:"
          " team == <here>search" },
        { "model == 'h\xc3\xa4' x", "the expression ends before this:"
          " model == 'h\xc3\xa4' <here>x" },
        { "tools and", "the expression breaks off here: tools and<here>" },
    };

    tg_error_t  err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(compile(cases[i][0], &err));
        tg_error_one_line(&err);
        assert_string_equal(err.message, cases[i][1]);
        tg_error_one_line(&err);
        assert_string_equal(err.message, cases[i][1]);
    }

    (void) state;
}


static void
test_the_caret_of_a_long_text_is_in_a_part_of_it(void **state)
{
    char         text[2048];
    tg_error_t   err;
    const char  *caret, *line;

    text[0] = '\0';
    for (int i = 0; i < 100; i++) {
        strcat(text, "tools and ");
    }
    strcat(text, "wrong_name and tools and tools and tools and tools and tools"
                 " and tools and tools and tools and tools and tools");

    assert_null(compile(text, &err));
    line = strchr(err.message, '\n') + 5;
    caret = strchr(line, '\n') + 5;
    assert_memory_equal(line + strlen(caret) - 1, "wrong_name", 10);
    assert_int_equal(err.offset, 1000);

    (void) state;
}


static void
test_size_and_depth_have_an_end(void **state)
{
    char        text[TG_EXPR_LEN_MAX + 2];
    tg_error_t  err;
    size_t      n;

    memset(text, ' ', sizeof(text));
    assert_null(tg_expr_compile(tg_arena_mem(arena),
                                tg_str_of(text, sizeof(text)), symbols,
                                SYMBOLS, &err));
    assert_non_null(strstr(err.message, "4096"));

    for (n = 0; n < 40; n++) {
        text[n] = '(';
    }
    text[n] = '\0';
    assert_null(compile(text, &err));
    assert_non_null(strstr(err.message, "nested too deep"));

    text[0] = '\0';
    for (n = 0; n < 40; n++) {
        strcat(text, "not ");
    }
    assert_null(compile(strcat(text, "tools"), &err));
    assert_non_null(strstr(err.message, "nested too deep"));

    text[0] = '\0';
    for (n = 0; n < 300; n++) {
        strcat(text, "tools or ");
    }
    assert_null(compile(strcat(text, "tools"), &err));
    assert_non_null(strstr(err.message, "too many parts"));

    assert_null(tg_expr_compile(tg_arena_mem(arena),
                                tg_str_of("tools\0", 6), symbols, SYMBOLS,
                                &err));
    assert_null(tg_expr_compile(tg_arena_mem(arena), tg_str_null, symbols,
                                SYMBOLS, &err));

    (void) state;
}


static const char *
bind(void *data, tg_str_t name, uintptr_t *handle)
{
    if (!tg_str_eq(name, tg_strz(data))) {
        return "is the name of no quota";
    }

    *handle = 7;

    return NULL;
}


static void
test_arguments_are_bound_once_they_are_known(void **state)
{
    char         month[] = "month", day[] = "day";
    tg_expr_t   *e;
    tg_error_t   err;

    e = compile("used(month) > 80%", &err);
    assert_non_null(e);
    assert_false(tg_expr_eval(e, NULL, get, NULL));
    assert_int_equal(tg_expr_bind(e, USED, bind, day, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "\"month\" is the name of no quota"));
    assert_int_equal(err.offset, 5);
    assert_int_equal(tg_expr_bind(e, USED, bind, month, &err), TG_OK);
    assert_true(tg_expr_eval(e, NULL, get, NULL));

    (void) state;
}


static void
test_memory_that_runs_out_is_an_error(void **state)
{
    unsigned  failed = 0;

    for (size_t limit = 64; limit < 16384; limit += 96) {
        tg_arena_t         *small = tg_arena_create(limit);
        tg_expr_t          *e = NULL;
        tg_error_t          err = { 0 };

        if (small != NULL) {
            e = tg_expr_compile(tg_arena_mem(small),
                                tg_str("model ~ '^a' and team == 'b' and"
                                       " used(x) > 1%"), symbols, SYMBOLS,
                                &err);
            failed += e == NULL;
            (void) tg_expr_scratch(tg_arena_mem(small));
        }

        tg_expr_destroy(e);
        tg_arena_destroy(small);
    }

    assert_true(failed > 1);

    (void) state;
}


static int
setup(void **state)
{
    (void) state;
    arena = tg_arena_create(0);

    return arena == NULL;
}


static int
teardown(void **state)
{
    (void) state;
    tg_arena_destroy(arena);

    return 0;
}


static int64_t
a_clock(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


static bool
get_long(void *data, unsigned symbol, const tg_expr_value_t *args,
    tg_expr_value_t *value)
{
    (void) symbol;
    (void) args;
    value->s = *(tg_str_t *) data;

    return true;
}


/* Of each place at which it may match the effort is limited, and there are
 * many. */
static void
test_a_regex_over_a_long_text_ends_in_time(void **state)
{
    char               *p = malloc(200000);
    int64_t             start;
    tg_str_t            text = tg_str_of(p, 200000);
    tg_error_t          err;
    tg_expr_t          *e;
    tg_expr_scratch_t  *scratch = tg_expr_scratch(tg_arena_mem(arena));

    memset(p, 'a', 200000);
    e = compile("model ~ '(a+)+[^a]' or not (model ~ '(a|aa)+[^a]')", &err);
    assert_non_null(e);

    tg_expr_watch(scratch, a_clock);
    start = a_clock();
    assert_false(tg_expr_eval(e, scratch, get_long, &text));
    assert_true(a_clock() - start < 1000000000);

    /* The next call has its own time. */

    tg_expr_destroy(e);
    e = compile("model ~ 'a{3}b?$'", &err);
    assert_false(tg_expr_eval(e, scratch, get_long, &text));
    tg_expr_watch(scratch, a_clock);
    text.len = 500;
    assert_true(tg_expr_eval(e, scratch, get_long, &text));

    tg_expr_destroy(e);
    free(p);
    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_operators_mean_what_they_say),
        cmocka_unit_test(test_a_thousand_is_1024_where_bytes_are_meant),
        cmocka_unit_test(test_regexes_match_bytes_with_and_without_case),
        cmocka_unit_test(test_a_regex_that_runs_away_is_unknown),
        cmocka_unit_test(test_what_is_not_known_is_neither_true_nor_false),
        cmocka_unit_test(test_what_is_decided_is_not_asked_for),
        cmocka_unit_test(test_a_mistake_has_a_caret_under_it),
        cmocka_unit_test(test_a_mistake_can_be_told_in_one_line),
        cmocka_unit_test(test_the_caret_of_a_long_text_is_in_a_part_of_it),
        cmocka_unit_test(test_size_and_depth_have_an_end),
        cmocka_unit_test(test_arguments_are_bound_once_they_are_known),
        cmocka_unit_test(test_memory_that_runs_out_is_an_error),
        cmocka_unit_test(test_a_regex_over_a_long_text_ends_in_time)
    };

    return cmocka_run_group_tests_name("expr", tests, setup, teardown);
}
