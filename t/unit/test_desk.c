#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "tg_desk.h"
#include "tg_ledger_int.h"

static char  dir[64], path[96];


static bool
line_is_safe(void *baton, const tg_ledger_swept_t *call)
{
    (void) call;
    ++*(unsigned *) baton;

    return true;
}


static bool
no_line_is_written(void *baton, const tg_ledger_swept_t *call)
{
    (void) baton;
    (void) call;
    fail();

    return false;
}


static int
setup(void **state)
{
    (void) state;
    snprintf(dir, sizeof(dir), "/tmp/desk.XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    snprintf(path, sizeof(path), "%s/ledger", dir);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    (void) unlink(path);

    return rmdir(dir);
}


/* A desk whose ledger one call has been held in. */
static void
begin(tg_desk_t *desk, tg_conf_t *conf, tg_ledger_slot_t *slot)
{
    tg_error_t          err;
    tg_ledger_item_t    it;
    tg_ledger_result_t  r;

    memset(desk, 0, sizeof(*desk));
    memset(conf, 0, sizeof(*conf));
    desk->conf = conf;
    assert_int_equal(tg_ledger_file_open(&desk->ledger, path, 512 * 1024, &err),
                     TG_OK);
    assert_int_equal(tg_ledger_file_join(&desk->ledger, &err), TG_OK);
    desk->joined = true;

    memset(&it, 0, sizeof(it));
    it.key[0] = 'x';
    it.window.end = TG_WINDOW_NEVER;
    it.amount = 10;
    it.cap = it.limit = 100;
    assert_int_equal(tg_ledger_hold(&desk->ledger.ledger, 1, &it, 1, "b", 1,
                                    &r), TG_LEDGER_OK);
    *slot = r.slot;
}


static uint32_t
slots_used(const tg_desk_t *desk)
{
    tg_ledger_stats_t  s;

    tg_ledger_stats(&desk->ledger.ledger, &s);

    return s.slots_used;
}


static void
test_slot_comes_free_though_the_lock_was_not_to_be_had(void **state)
{
    int64_t           actual = 4;
    tg_conf_t         conf;
    tg_desk_t         desk;
    tg_error_t        err;
    tg_ledger_file_t  other;
    tg_ledger_slot_t  slot;

    (void) state;
    begin(&desk, &conf, &slot);
    assert_int_equal(tg_ledger_file_open(&other, path, 512 * 1024, &err),
                     TG_OK);
    assert_int_equal(tg_ledger_file_join(&other, &err), TG_OK);
    assert_int_equal(tg_ledger_settle(&desk.ledger.ledger, 1, slot, &actual, 1,
                                      NULL, 0, NULL), TG_LEDGER_OK);

    assert_int_equal(tg_led_lock(&other.ledger), TG_LEDGER_OK);
    tg_desk_written(&desk, &slot, 1);
    tg_led_unlock(&other.ledger);
    assert_int_equal(slots_used(&desk), 1);

    tg_desk_tick(&desk, 2, no_line_is_written, NULL);
    assert_int_equal(slots_used(&desk), 0);

    tg_ledger_file_close(&other);
    tg_ledger_file_close(&desk.ledger);
}


static void
test_slot_of_the_dead_comes_free(void **state)
{
    unsigned          lines = 0;
    tg_conf_t         conf;
    tg_desk_t         desk;
    tg_error_t        err;
    tg_ledger_slot_t  slot;

    (void) state;
    begin(&desk, &conf, &slot);
    tg_ledger_file_close(&desk.ledger);
    assert_int_equal(tg_ledger_file_open(&desk.ledger, path, 512 * 1024, &err),
                     TG_OK);
    assert_int_equal(tg_ledger_file_join(&desk.ledger, &err), TG_OK);

    tg_desk_tick(&desk, 2, line_is_safe, &lines);
    assert_int_equal(lines, 1);
    assert_int_equal(slots_used(&desk), 0);
    tg_ledger_file_close(&desk.ledger);
}


static void
log_nothing(void *data, tg_desk_level_t level, const char *message)
{
    (void) data;
    (void) level;
    (void) message;
}


/* A server's process. */
static void
serve(tg_desk_t *desk, tg_conf_t *conf)
{
    tg_error_t   err;
    tg_tally_t  *anonymous = NULL;

    memset(desk, 0, sizeof(*desk));
    memset(conf, 0, sizeof(*conf));
    desk->conf = conf;
    desk->log = log_nothing;
    desk->loaded = true;
    conf->prefix.off = true;
    assert_int_equal(pthread_mutex_init(&desk->lock, NULL), 0);
    assert_int_equal(tg_ledger_file_open(&desk->ledger, path, 512 * 1024, &err),
                     TG_OK);
    desk->open = true;
    tg_desk_tally(desk, &anonymous, 1000);
    assert_null(anonymous);
    assert_int_equal(tg_desk_join(desk, 1000, &err), TG_OK);
    assert_non_null(desk->process);
}


static int64_t
in_flight(tg_desk_t *desk)
{
    int64_t            n;
    tg_now_t           now = { 1000, 1000 };
    tg_status_facts_t  facts;

    tg_desk_facts(desk, NULL, NULL, &now, &facts);
    n = facts.in_flight;
    tg_desk_facts_end(&facts);

    return n;
}


/* Of one number, as they may be in two containers that share the file. */
static void
test_processes_are_not_known_by_their_numbers(void **state)
{
    char                 tally[sizeof(path) + sizeof(TG_TALLY_SUFFIX)];
    tg_conf_t            conf[3];
    tg_desk_t            desk[3];
    tg_tally_process_t  *left;

    (void) state;
    serve(&desk[0], &conf[0]);
    serve(&desk[1], &conf[1]);
    assert_int_not_equal(desk[0].process - desk[0].tally->processes,
                         desk[1].process - desk[1].tally->processes);
    desk[0].process->calls = 2;
    desk[1].process->calls = 3;
    assert_int_equal(in_flight(&desk[0]), 5);
    assert_int_equal(in_flight(&desk[1]), 5);

    /* Its place is the next one's. */

    left = desk[0].tally->processes
           + (desk[1].process - desk[1].tally->processes);
    tg_desk_leave(&desk[1], 2000);
    tg_desk_close(&desk[1]);
    assert_int_equal(in_flight(&desk[0]), 2);

    serve(&desk[2], &conf[2]);
    assert_int_equal(left->calls, 0);
    assert_int_equal(desk[2].process - desk[2].tally->processes,
                     left - desk[0].tally->processes);
    assert_int_equal(in_flight(&desk[2]), 2);

    for (unsigned i = 0; i < 3; i += 2) {
        tg_desk_leave(&desk[i], 2000);
        tg_desk_close(&desk[i]);
    }

    (void) snprintf(tally, sizeof(tally), "%s" TG_TALLY_SUFFIX, path);
    assert_int_equal(unlink(tally), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(
            test_slot_comes_free_though_the_lock_was_not_to_be_had, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_slot_of_the_dead_comes_free,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_processes_are_not_known_by_their_numbers, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
