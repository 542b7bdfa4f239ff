/* What the nodes of a fleet tell each other: it adds up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_fleet_view.h"

#define NOW  INT64_C(1795341600000)     /* 2026-11-22T10:00:00Z */
#define DAY  INT64_C(86400000)

typedef struct {
    size_t  len;
    char    text[TG_FLEET_VIEW_TEXT];
} said_t;

static said_t           said;
static tg_spend_t      *spend;
static tg_fleet_view_t  view;


static int
setup(void **state)
{
    (void) state;
    spend = calloc(1, sizeof(tg_spend_t));
    memset(&view, 0, sizeof(view));

    return spend == NULL;
}


static int
teardown(void **state)
{
    (void) state;
    free(spend);

    return 0;
}


static int
out(void *data, const char *p, size_t n)
{
    (void) data;

    if (n > sizeof(said.text) - said.len) {
        return 1;
    }

    memcpy(said.text + said.len, p, n);
    said.len += n;

    return 0;
}


static void
pay(const char *team, const char *model, int64_t cost, int64_t when)
{
    tg_spent_t  s;

    memset(&s, 0, sizeof(s));
    s.name[TG_SPEND_TEAM] = tg_strz(team);
    s.name[TG_SPEND_MODEL] = tg_strz(model);
    s.name[TG_SPEND_PROVIDER] = tg_str("openai");
    s.cost = cost;
    s.admitted = when;
    s.now = when;
    tg_spend_count(spend, NULL, NULL, &s);
}


/* What a node with these tables says at `now`. */
static tg_str_t
say(const char *label, int64_t total, int64_t now)
{
    tg_page_t        pg;
    tg_fleet_node_t  node;

    memset(&node, 0, sizeof(node));
    (void) snprintf(node.label, sizeof(node.label), "%s", label);
    memcpy(node.config, "0123456789abcdef", 16);
    node.in_flight = 3;
    node.total = total;
    node.since = 5;
    said.len = 0;
    tg_page_init(&pg, out, NULL);
    assert_int_equal(tg_fleet_view_say(&pg, &node, spend, NULL, now), TG_OK);

    return tg_str_of(said.text, said.len);
}


static const tg_spend_top_t *
find(tg_spend_dimension_t d, const char *name)
{
    for (unsigned i = 0; i < view.n[d]; i++) {
        if (tg_str_eq(tg_str_of(view.top[d][i].name, view.top[d][i].len),
                      tg_strz(name)))
        {
            return &view.top[d][i];
        }
    }

    return NULL;
}


static int64_t
months(tg_spend_dimension_t d)
{
    int64_t  sum = view.rest[d].sum.month;

    for (unsigned i = 0; i < view.n[d]; i++) {
        sum += view.top[d][i].sum.month;
    }

    return sum;
}


static void
test_two_nodes_add_up(void **state)
{
    (void) state;

    pay("search", "gpt-4o", 700, NOW);
    pay("ads", "gpt-4o", 200, NOW - DAY);
    assert_int_equal(tg_fleet_view_hear(&view, 9, say("b", 900, NOW), NULL,
                                        NOW), TG_OK);
    pay("search", "claude", 1, NOW);
    assert_int_equal(tg_fleet_view_hear(&view, 4, say("a", 901, NOW), NULL,
                                        NOW), TG_OK);
    tg_fleet_view_done(&view, NOW);

    assert_int_equal(view.nnodes, 2);
    assert_int_equal(view.nodes[0].node, 4);
    assert_string_equal(view.nodes[0].label, "a");
    assert_string_equal(view.nodes[0].config, "0123456789abcdef");
    assert_string_equal(view.nodes[0].keys, "");
    assert_int_equal(view.nodes[1].sum.month, 900);
    assert_int_equal(view.total, 1801);
    assert_int_equal(view.in_flight, 6);
    assert_int_equal(view.sum.today, 700 + 701);
    assert_int_equal(view.sum.month, 900 + 901);
    assert_int_equal(view.sum.calls_today, 3);
    assert_int_equal(view.sum.calls_month, 5);

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        assert_int_equal(months(d), view.sum.month);
    }

    assert_int_equal(find(TG_SPEND_TEAM, "search")->sum.month, 1401);
    assert_int_equal(find(TG_SPEND_TEAM, "ads")->sum.today, 0);
    assert_int_equal(find(TG_SPEND_MODEL, "claude")->sum.today, 1);
    assert_true(view.top[TG_SPEND_TEAM][0].sum.month
                >= view.top[TG_SPEND_TEAM][1].sum.month);
}


static void
test_a_node_of_another_day_or_month_counts_as_far_as_it_fits(void **state)
{
    (void) state;

    pay("search", "gpt-4o", 700, NOW - DAY);
    assert_int_equal(tg_fleet_view_hear(&view, 1, say("a", 700, NOW - DAY + 1),
                                        NULL, NOW), TG_OK);
    assert_int_equal(view.sum.today, 0);
    assert_int_equal(view.sum.month, 700);
    assert_int_equal(view.sum.hourly, 0);
    assert_int_equal(view.in_flight, 0);
    assert_true(tg_fleet_node_away(&view.nodes[0], NOW));

    memset(&view, 0, sizeof(view));
    assert_int_equal(tg_fleet_view_hear(&view, 1, say("a", 700, NOW - DAY),
                                        NULL, NOW - DAY + 40 * DAY),
                     TG_AGAIN);
    assert_int_equal(view.nnodes, 0);

    /* A clock that is ahead, at a month's end. */

    memset(spend, 0, sizeof(*spend));
    pay("search", "gpt-4o", 700, NOW + 9 * DAY);
    assert_int_equal(tg_fleet_view_hear(&view, 1,
                                        say("a", 700, NOW + 9 * DAY), NULL,
                                        NOW), TG_OK);
    assert_int_equal(view.sum.month, 0);
    assert_int_equal(view.total, 700);
}


static void
test_names_beyond_the_room_are_summed(void **state)
{
    char     name[64];
    int64_t  cost = 0;

    (void) state;

    for (unsigned node = 0; node < 4; node++) {
        memset(spend, 0, sizeof(*spend));

        for (unsigned i = 0; i < 100; i++) {
            (void) snprintf(name, sizeof(name), "team-%u-%u", node, i);
            pay(name, "gpt-4o", 1000 + i, NOW);
            cost += 1000 + i;
        }

        assert_int_equal(tg_fleet_view_hear(&view, node, say("x", 1, NOW),
                                            NULL, NOW), TG_OK);
    }

    tg_fleet_view_done(&view, NOW);
    assert_int_equal(view.n[TG_SPEND_TEAM], TG_FLEET_VIEW_SUMS);
    assert_int_equal(view.rest[TG_SPEND_TEAM].n,
                     4 * TG_FLEET_VIEW_NAMES - TG_FLEET_VIEW_SUMS);
    assert_true(view.rest[TG_SPEND_TEAM].overflow);
    assert_int_equal(months(TG_SPEND_TEAM), cost);
    assert_int_equal(find(TG_SPEND_MODEL, "gpt-4o")->sum.month, cost);
}


static void
test_names_of_any_bytes_come_back(void **state)
{
    char  name[TG_SPEND_NAME_MAX + 1];

    (void) state;

    memset(name, '"', TG_SPEND_NAME_MAX);
    name[TG_SPEND_NAME_MAX] = '\0';
    pay(name, "</script>\\", 7, NOW);
    assert_int_equal(tg_fleet_view_hear(&view, 1, say("\"\\", 7, NOW), NULL,
                                        NOW), TG_OK);
    assert_int_equal(find(TG_SPEND_TEAM, name)->sum.month, 7);
    assert_int_equal(find(TG_SPEND_MODEL, "</script>\\")->sum.month, 7);
    assert_string_equal(view.nodes[0].label, "\"\\");
}


static void
test_the_longest_text_fits(void **state)
{
    char  name[TG_SPEND_NAME_MAX + 1];

    (void) state;

    for (unsigned i = 0; i < 200; i++) {
        memset(name, 1, TG_SPEND_NAME_MAX);     /* written as \u0001 */
        name[TG_SPEND_NAME_MAX] = '\0';
        name[0] = (char) ('A' + i % 26);
        name[1] = (char) ('A' + i / 26);
        pay(name, name, INT64_MAX / 1000, NOW);
    }

    assert_true(say("x", INT64_MAX, NOW).len < TG_FLEET_VIEW_TEXT);
    assert_int_equal(tg_fleet_view_hear(&view, 1,
                                        tg_str_of(said.text, said.len), NULL,
                                        NOW), TG_OK);
}


static void
test_what_is_no_text_changes_nothing(void **state)
{
    static const char *const  texts[] = {
        "", "x", "[]", "{}", "{\"v\":2}", "null", "{\"v\":1}",
        "{\"v\":1,\"at\":1795341600000,\"all\":[1,2,3]}",
        "{\"v\":1,\"at\":1795341600000,\"all\":[1,2,3,4,\"5\"]}",
        "{\"v\":1,\"at\":1795341600000,\"all\":[1,2,3,4,1e99]}",
        "{\"v\":1,\"at\":1795341600000,\"all\":[1,2,3,4,5"
    };

    tg_fleet_view_t  before = view;

    (void) state;

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_not_equal(tg_fleet_view_hear(&view, 1, tg_strz(texts[i]),
                                                NULL, NOW), TG_OK);
        assert_memory_equal(&view, &before, sizeof(view));
    }
}


static void
test_one_speaks_at_a_time(void **state)
{
    static tg_fleet_board_t  board;

    (void) state;

    assert_true(tg_fleet_board_due(&board, NOW));
    assert_false(tg_fleet_board_due(&board, NOW + TG_FLEET_VIEW_EVERY - 1));
    assert_true(tg_fleet_board_due(&board, NOW + TG_FLEET_VIEW_EVERY));
    assert_true(tg_fleet_board_due(&board, NOW - DAY));     /* set back */

    assert_null(tg_fleet_board_view(&board, NOW));
    tg_fleet_view_done(&view, NOW);
    view.total = 5;
    tg_fleet_board_put(&board, &view);
    assert_int_equal(tg_fleet_board_view(&board, NOW)->total, 5);
    view.total = 6;
    tg_fleet_board_put(&board, &view);
    assert_int_equal(tg_fleet_board_view(&board, NOW)->total, 6);
    assert_null(tg_fleet_board_view(&board, NOW + TG_FLEET_VIEW_AWAY + 1));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_two_nodes_add_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_a_node_of_another_day_or_month_counts_as_far_as_it_fits,
            setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_beyond_the_room_are_summed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_any_bytes_come_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_longest_text_fits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_text_changes_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_speaks_at_a_time, setup,
                                        teardown)
    };

    return cmocka_run_group_tests_name("fleet_view", tests, NULL, NULL);
}
