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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(
            test_slot_comes_free_though_the_lock_was_not_to_be_had, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_slot_of_the_dead_comes_free,
                                        setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
