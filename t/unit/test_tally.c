/* What calls are counted in: its file, and who counts in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tg_desk.h"

static char  dir[64], path[128];


static int
setup(void **state)
{
    (void) state;

    strcpy(dir, "/tmp/tollgate-tally-XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    (void) snprintf(path, sizeof(path), "%s/ledger.tally", dir);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    (void) unlink(path);

    return rmdir(dir);
}


static void
test_a_file_is_gone_on_with(void **state)
{
    tg_error_t        err;
    struct stat       st;
    unsigned char     secret[TG_TALLY_SECRET];
    tg_tally_file_t   f, g;

    assert_int_equal(tg_tally_file_open(&f, path, 1000, &err), TG_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, sizeof(tg_tally_t));
    assert_true(st.st_blocks * 512 >= (off_t) sizeof(tg_tally_t));
    assert_int_equal(f.tally->since, 1000);
    memcpy(secret, f.tally->secret, sizeof(secret));
    f.tally->seq = 7;

    assert_int_equal(tg_tally_file_open(&g, path, 2000, &err), TG_OK);
    assert_int_equal(g.tally->seq, 7);
    g.tally->seq++;
    assert_int_equal(f.tally->seq, 8);
    tg_tally_file_close(&f);
    tg_tally_file_close(&f);
    tg_tally_file_close(&g);

    assert_int_equal(tg_tally_file_open(&f, path, 3000, &err), TG_OK);
    assert_int_equal(f.tally->seq, 8);
    assert_int_equal(f.tally->since, 1000);
    assert_memory_equal(f.tally->secret, secret, sizeof(secret));
    tg_tally_file_close(&f);
    (void) state;
}


static void
test_another_layout_is_begun_anew_and_no_tally_is_refused(void **state)
{
    FILE             *file;
    char              kept[160];
    struct stat       st, was;
    tg_error_t        err;
    tg_tally_file_t   f, g;

    assert_int_equal(tg_tally_file_open(&f, path, 1000, &err), TG_OK);
    assert_false(f.replaced);
    f.tally->seq = 9;
    f.tally->layout++;
    assert_int_equal(tg_tally_file_open(&g, path, 2000, &err), TG_OK);
    assert_true(g.replaced);
    assert_memory_equal(g.tally->secret, f.tally->secret, TG_TALLY_SECRET);
    assert_int_equal(g.tally->seq, 0);
    assert_int_equal(g.tally->since, 2000);
    assert_int_equal(f.tally->seq, 9);          /* who has it goes on */
    (void) snprintf(kept, sizeof(kept), "%s" TG_TALLY_OLD, path);
    assert_int_equal(fstat(f.fd, &was), 0);
    assert_int_equal(stat(kept, &st), 0);
    assert_int_equal(st.st_ino, was.st_ino);
    tg_tally_file_close(&f);
    tg_tally_file_close(&g);

    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(tg_tally_file_open(&f, path, 3000, &err), TG_OK);
    assert_int_equal(f.tally->since, 3000);
    assert_int_equal(stat(kept, &st), 0);
    assert_int_equal(st.st_size, 100);
    tg_tally_file_close(&f);
    assert_int_equal(unlink(kept), 0);

    file = fopen(path, "w");
    assert_non_null(file);
    fputs("somebody's letters, and many of them", file);
    fclose(file);
    assert_int_equal(tg_tally_file_open(&f, path, 1000, &err), TG_ERROR);
    assert_null(f.tally);
    assert_string_equal(err.message, "it is no file of ours");

    assert_int_equal(tg_tally_file_open(&f, "/proc/none/x", 1, &err),
                     TG_ERROR);
    (void) state;
}


/* Opened as root, in a directory that the workers write to. */
static void
test_a_link_is_not_followed(void **state)
{
    char              other[160];
    struct stat       st;
    tg_error_t        err;
    tg_tally_file_t   f;

    (void) snprintf(other, sizeof(other), "%s/other", dir);
    assert_int_equal(tg_tally_file_open(&f, other, 1000, &err), TG_OK);
    tg_tally_file_close(&f);

    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(tg_tally_file_open(&f, path, 2000, &err), TG_ERROR);
    assert_null(f.tally);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(other), 0);
    (void) state;
}


static void
test_what_the_dead_had_in_flight_is_not(void **state)
{
    int                  status;
    pid_t                pid;
    tg_tally_t          *t = tg_tally_anonymous(1000);
    tg_tally_process_t  *own, *again;

    assert_non_null(t);
    own = tg_tally_file_join(t, NULL);
    assert_non_null(own);
    own->calls = 2;

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        own = tg_tally_file_join(t, NULL);
        own->calls = 5;
        _exit(tg_tally_file_in_flight(t, NULL) == 7 ? 0 : 1);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(tg_tally_file_in_flight(t, NULL), 2);

    /* Its place is taken over, empty. */

    again = tg_tally_file_join(t, NULL);
    assert_non_null(again);
    assert_true(again != own);
    assert_int_equal(again->calls, 0);
    assert_int_equal(tg_tally_file_in_flight(t, NULL), 2);
    (void) state;
}


static bool
all_live(void *data, int64_t number, uint64_t start)
{
    (void) data;
    (void) start;

    assert_true(number > 0);

    return true;
}


static bool
none_live(void *data, int64_t number, uint64_t start)
{
    (void) data;
    (void) start;

    assert_true(number > 0);

    return false;
}


static void
test_a_place_that_is_being_taken_is_nobody_elses(void **state)
{
    tg_tally_t          *t = tg_tally_anonymous(1000);
    tg_tally_process_t  *p = t->processes;

    p->number = -77;
    p->calls = 3;                       /* of who died there */
    assert_ptr_equal(tg_tally_join(t, 78, 1, all_live, NULL), p + 1);
    assert_int_equal(p[1].number, 78);
    assert_int_equal(tg_tally_in_flight(t, all_live, NULL), 0);

    /* He has died over it. */

    assert_ptr_equal(tg_tally_join(t, 79, 1, none_live, NULL), p);
    assert_int_equal(p->number, 79);
    assert_int_equal(p->calls, 0);
    (void) state;
}


static void
log_nothing(void *data, tg_desk_level_t level, const char *message)
{
    (void) data;
    (void) level;
    (void) message;
}


static void
test_memory_of_another_version_is_not_gone_on_with(void **state)
{
    uint64_t     old[2] = { 0, 0 };
    tg_conf_t    conf;
    tg_desk_t    desk;
    tg_tally_t  *anonymous = NULL, *first;

    memset(&conf, 0, sizeof(conf));
    memset(&desk, 0, sizeof(desk));
    desk.conf = &conf;
    desk.log = log_nothing;
    conf.prefix.off = true;

    tg_desk_tally(&desk, &anonymous, 1000);
    assert_non_null(anonymous);
    first = anonymous;
    tg_desk_tally(&desk, &anonymous, 2000);
    assert_ptr_equal(anonymous, first);

    old[0] = first->magic;
    old[1] = first->layout + 1;
    anonymous = (void *) old;
    tg_desk_tally(&desk, &anonymous, 3000);
    assert_ptr_not_equal(anonymous, old);
    assert_int_equal(desk.tally->since, 3000);
    (void) state;
}


static void
test_routes_have_counts_of_their_own(void **state)
{
    char               name[16];
    tg_route_counts_t  counts;

    (void) state;
    memset(&counts, 0, sizeof(counts));
    tg_route_count(&counts, tg_str("a"))->taken++;
    tg_route_count(&counts, tg_str("a"))->taken++;
    tg_route_count(&counts, tg_str("b"))->taken++;
    assert_int_equal(tg_route_count(&counts, tg_str("a"))->taken, 2);
    assert_int_equal(tg_route_count(&counts, tg_str("b"))->taken, 1);

    for (unsigned i = 0; i < 2 * TG_COUNTED_ROUTES; i++) {
        (void) snprintf(name, sizeof(name), "r%u", i);
        (void) tg_route_count(&counts, tg_strz(name));
    }

    assert_null(tg_route_count(&counts, tg_strz(name)));
    assert_null(tg_route_count(NULL, tg_str("a")));
    assert_int_equal(tg_route_count(&counts, tg_str("a"))->taken, 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_is_gone_on_with, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_another_layout_is_begun_anew_and_no_tally_is_refused, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_a_link_is_not_followed, setup,
                                        teardown),
        cmocka_unit_test(test_what_the_dead_had_in_flight_is_not),
        cmocka_unit_test(test_a_place_that_is_being_taken_is_nobody_elses),
        cmocka_unit_test(test_memory_of_another_version_is_not_gone_on_with),
        cmocka_unit_test(test_routes_have_counts_of_their_own)
    };

    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
