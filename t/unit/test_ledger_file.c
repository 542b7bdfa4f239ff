#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tg_ledger_file.h"
#include "tg_ledger_int.h"

#define SIZE  (512 * 1024)

static char  dir[64], path[96];


static int
setup(void **state)
{
    (void) state;
    snprintf(dir, sizeof(dir), "/tmp/ledger_file.XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    snprintf(path, sizeof(path), "%s/ledger", dir);

    return 0;
}


/* Nothing but the ledger was left in the directory. */
static int
teardown(void **state)
{
    (void) state;
    (void) unlink(path);

    return rmdir(dir);
}


static void
open_ok(tg_ledger_file_t *f)
{
    tg_error_t  err;

    if (tg_ledger_file_open(f, path, SIZE, &err) != TG_OK) {
        fail_msg("open: %s", err.message);
    }
}


static void
join_ok(tg_ledger_file_t *f)
{
    tg_error_t  err;

    if (tg_ledger_file_join(f, &err) != TG_OK) {
        fail_msg("join: %s", err.message);
    }
}


static int
hold(tg_ledger_file_t *f, tg_ledger_result_t *r)
{
    tg_ledger_item_t  it;

    memset(&it, 0, sizeof(it));
    memcpy(it.key, "the only subject", 16);
    it.window.end = TG_WINDOW_NEVER;
    it.amount = 10;
    it.cap = it.limit = 1000;

    return tg_ledger_hold(&f->ledger, 1, &it, 1, "line", 4, r);
}


static tg_ledger_entry_t
entry(tg_ledger_file_t *f)
{
    tg_ledger_entry_t  e;

    assert_int_equal(tg_ledger_read(&f->ledger, (const unsigned char *)
                                    "the only subject", &e), TG_LEDGER_OK);

    return e;
}


static void
poke(off_t at, const void *bytes, size_t len)
{
    int  fd = open(path, O_RDWR | O_CREAT, 0600);

    assert_true(fd != -1);
    assert_true(pwrite(fd, bytes, len, at) == (ssize_t) len);
    close(fd);
}


static void
test_what_was_spent_is_there_when_opened_again(void **state)
{
    int64_t             actual = 7;
    struct stat         st;
    tg_ledger_file_t    f;
    tg_ledger_result_t  r;

    (void) state;

    open_ok(&f);
    join_ok(&f);
    assert_int_equal(hold(&f, &r), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_settle(&f.ledger, 1, r.slot, &actual, 1, NULL,
                                      0, NULL), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_line_written(&f.ledger, &r.slot, 1),
                     TG_LEDGER_OK);
    tg_ledger_file_flush(&f);
    tg_ledger_file_close(&f);
    tg_ledger_file_close(&f);

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, SIZE);
    assert_true(st.st_blocks * 512 >= SIZE);

    open_ok(&f);
    assert_true(entry(&f).used == 7);
    tg_ledger_file_close(&f);
}


static void
test_another_size_is_refused_and_the_file_left_alone(void **state)
{
    struct stat       before, after;
    tg_error_t        err;
    tg_ledger_file_t  f;

    (void) state;

    open_ok(&f);
    tg_ledger_file_close(&f);
    assert_int_equal(stat(path, &before), 0);

    assert_int_equal(tg_ledger_file_open(&f, path, SIZE * 2, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "524288 bytes, not 1048576"));
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_size == after.st_size
                && before.st_ino == after.st_ino
                && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);

    assert_int_equal(tg_ledger_file_open(&f, path, 1000, &err), TG_ERROR);
    assert_int_equal(tg_ledger_file_open(&f, "ledger", SIZE, &err), TG_ERROR);
}


static void
test_what_is_no_ledger_is_refused(void **state)
{
    char              zero = 0;
    tg_error_t        err;
    tg_ledger_file_t  f;

    (void) state;

    poke(0, "something of somebody's", 23);
    assert_int_equal(tg_ledger_file_open(&f, path, SIZE, &err), TG_ERROR);
    assert_int_equal(tg_ledger_file_inspect(&f, path, &err), TG_ERROR);
    poke(SIZE - 1, &zero, 1);
    assert_int_equal(tg_ledger_file_open(&f, path, SIZE, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "not a ledger"));
    assert_int_equal(tg_ledger_file_open(&f, dir, SIZE, &err), TG_ERROR);
    assert_int_equal(tg_ledger_file_open(&f, "/nowhere/ledger", SIZE, &err),
                     TG_ERROR);
}


static void
test_a_link_is_not_followed(void **state)
{
    char              other[128];
    tg_error_t        err;
    tg_ledger_file_t  f;

    (void) state;

    snprintf(other, sizeof(other), "%s/other", dir);
    assert_int_equal(symlink(path, other), 0);
    assert_int_equal(tg_ledger_file_open(&f, other, SIZE, &err), TG_ERROR);
    assert_int_equal(unlink(other), 0);
}


static void
test_a_replaced_file_is_noticed(void **state)
{
    char              moved[128];
    tg_error_t        err;
    tg_ledger_file_t  f, g;

    (void) state;

    open_ok(&f);
    assert_int_equal(tg_ledger_file_check(&f, &err), TG_OK);
    snprintf(moved, sizeof(moved), "%s/moved", dir);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(tg_ledger_file_check(&f, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "gone"));
    open_ok(&g);
    assert_int_equal(tg_ledger_file_check(&f, &err), TG_ERROR);
    assert_int_equal(tg_ledger_file_join(&f, &err), TG_ERROR);
    assert_int_equal(tg_ledger_file_check(&g, &err), TG_OK);
    tg_ledger_file_close(&f);
    tg_ledger_file_close(&g);
    assert_int_equal(unlink(moved), 0);
}


static bool
swept(void *baton, const tg_ledger_swept_t *call)
{
    *(tg_ledger_swept_t *) baton = *call;

    return true;
}


static void
test_the_kernel_tells_the_dead_from_the_living(void **state)
{
    int                 ready[2];
    char                c;
    pid_t               pid;
    tg_ledger_file_t    f;
    tg_ledger_swept_t   call;
    tg_ledger_result_t  r;

    (void) state;

    open_ok(&f);
    assert_int_equal(pipe(ready), 0);
    pid = fork();

    if (pid == 0) {
        tg_error_t  err;

        if (tg_ledger_file_join(&f, &err) != TG_OK
            || hold(&f, &r) != TG_LEDGER_OK
            || tg_ledger_sent(&f.ledger, r.slot) != TG_LEDGER_OK
            || tg_led_lock(&f.ledger) != TG_LEDGER_OK
            || write(ready[1], "x", 1) != 1)
        {
            _exit(1);
        }

        pause();
    }

    assert_int_equal(read(ready[0], &c, 1), 1);
    join_ok(&f);
    assert_int_equal(hold(&f, &r), TG_LEDGER_BUSY);

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(tg_ledger_sweep(&f.ledger, 2, swept, &call), 1);
    assert_true(call.recovered && call.sent && call.actual[0] == 10);
    assert_true(entry(&f).used == 10 && entry(&f).held == 0);
    tg_ledger_file_close(&f);
    close(ready[0]);
    close(ready[1]);
}


static void
test_a_child_gets_a_number_of_its_own(void **state)
{
    int               status;
    pid_t             pid;
    tg_ledger_file_t  f;

    (void) state;

    open_ok(&f);
    join_ok(&f);
    pid = fork();

    if (pid == 0) {
        uint64_t    parent = f.ledger.me;
        tg_error_t  err;

        _exit(tg_ledger_file_join(&f, &err) == TG_OK
              && (uint32_t) f.ledger.me != (uint32_t) parent ? 0 : 1);
    }

    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    /* Still the parent's. */
    pid = fork();

    if (pid == 0) {
        tg_error_t        err;
        tg_ledger_file_t  g;

        _exit(tg_ledger_file_open(&g, path, SIZE, &err) == TG_OK
              && tg_ledger_file_join(&g, &err) == TG_OK
              && (uint32_t) g.ledger.me != (uint32_t) f.ledger.me ? 0 : 1);
    }

    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    tg_ledger_file_close(&f);
}


static void
test_after_a_boot_open_calls_are_billed(void **state)
{
    tg_ledger_file_t    f;
    tg_ledger_swept_t   call;
    tg_ledger_result_t  r;

    (void) state;

    open_ok(&f);
    join_ok(&f);
    assert_int_equal(hold(&f, &r), TG_LEDGER_OK);
    tg_ledger_file_close(&f);
    poke(offsetof(tg_led_head_t, boot), "another boot....", 16);

    open_ok(&f);
    join_ok(&f);
    assert_int_equal(tg_ledger_sweep(&f.ledger, 2, swept, &call), 1);
    assert_true(call.recovered && call.actual[0] == 10);
    assert_true(entry(&f).used == 10);
    tg_ledger_file_close(&f);
}


static void
test_inspection_writes_nothing(void **state)
{
    tg_error_t          err;
    tg_ledger_file_t    f, look;
    tg_ledger_result_t  r;

    (void) state;

    open_ok(&f);
    join_ok(&f);
    assert_int_equal(hold(&f, &r), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_file_inspect(&look, path, &err), TG_OK);
    assert_true(entry(&look).held == 10);
    assert_int_equal(hold(&look, &r), TG_LEDGER_BAD);
    assert_int_equal(hold(&f, &r), TG_LEDGER_OK);
    assert_true(entry(&look).held == 20);
    tg_ledger_file_close(&look);
    tg_ledger_file_close(&f);
}


#define with_dir(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        with_dir(test_what_was_spent_is_there_when_opened_again),
        with_dir(test_another_size_is_refused_and_the_file_left_alone),
        with_dir(test_what_is_no_ledger_is_refused),
        with_dir(test_a_link_is_not_followed),
        with_dir(test_a_replaced_file_is_noticed),
        with_dir(test_the_kernel_tells_the_dead_from_the_living),
        with_dir(test_a_child_gets_a_number_of_its_own),
        with_dir(test_after_a_boot_open_calls_are_billed),
        with_dir(test_inspection_writes_nothing)
    };

    return cmocka_run_group_tests_name("ledger_file", tests, NULL, NULL);
}
