/* The table's memory: files that are made, found, refused and replaced; and
 * processes that share it. */

#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tg_backend_map.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIDS   8
#define NAMES  40

static char  dir[64], path[128];


static int
setup(void **state)
{
    (void) state;
    snprintf(dir, sizeof(dir), "/tmp/tg_map.XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    snprintf(path, sizeof(path), "%s/backends", dir);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    (void) unlink(path);

    return rmdir(dir);          /* nothing else was left there */
}


static void
begun(tg_backend_map_t *m)
{
    tg_error_t  err;

    if (tg_backend_map_open(m, path, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }
}


static tg_backend_t *
backend(tg_backend_map_t *m)
{
    tg_group_t  *g = tg_backends_group(m->table, tg_str("gpu"));

    assert_non_null(g);

    return tg_backends_backend(m->table, g, tg_str("10.0.0.1:8000"),
                               tg_backend_now());
}


static void
test_anonymous_memory_is_shared_with_children(void **state)
{
    int               status;
    pid_t             pid;
    tg_backend_map_t  m;

    (void) state;
    assert_int_equal(tg_backend_map_open(&m, NULL, NULL), TG_OK);
    assert_int_equal(tg_backend_map_chown(&m, 1, 1, NULL), TG_OK);

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        _exit(tg_backends_group(m.table, tg_str("gpu")) == NULL);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_non_null(tg_backends_find_group(m.table, tg_str("gpu")));
    tg_backend_map_close(&m);
    tg_backend_map_close(&m);
}


static void
test_a_file_survives(void **state)
{
    struct stat        st;
    tg_backend_t      *b;
    tg_check_conf_t    cc;
    tg_backend_map_t   m, looking;
    tg_backend_view_t  v;

    (void) state;
    memset(&cc, 0, sizeof(cc));
    begun(&m);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true((uint64_t) st.st_blocks * 512 >= tg_backends_size());
    assert_int_equal(tg_backend_map_chown(&m, getuid(), getgid(), NULL),
                     TG_OK);
    b = backend(&m);
    tg_backend_drain(m.table, b, TG_DRAIN_ADMIN, tg_backend_now());

    /* llmctl, which may only look. */

    assert_int_equal(tg_backend_map_inspect(&looking, path, false, NULL),
                     TG_OK);
    b = tg_backends_find(looking.table,
                         tg_backends_find_group(looking.table,
                                                tg_str("gpu")),
                         tg_str("10.0.0.1:8000"));
    assert_non_null(b);
    tg_backend_view(looking.table, b, &cc, tg_backend_now(), &v);
    assert_int_equal(v.drain, TG_DRAIN_ADMIN);
    tg_backend_map_close(&looking);

    /* And resume. */

    assert_int_equal(tg_backend_map_inspect(&looking, path, true, NULL),
                     TG_OK);
    b = tg_group_backend_at(looking.table,
                            tg_backends_group_at(looking.table, 0), 0);
    tg_backend_drain(looking.table, b, TG_DRAIN_IDLE, tg_backend_now());
    tg_backend_map_close(&looking);
    tg_backend_map_close(&m);

    begun(&m);
    tg_backend_view(m.table, backend(&m), &cc, tg_backend_now(), &v);
    assert_int_equal(v.drain, TG_DRAIN_IDLE);
    tg_backend_map_close(&m);
}


static void
write_file(const char *text, size_t n)
{
    int  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd != -1);
    assert_int_equal(write(fd, text, n), (ssize_t) n);
    close(fd);
}


static void
test_another_file_is_refused_and_left_alone(void **state)
{
    char              buf[16];
    int               fd;
    tg_error_t        err;
    tg_backend_map_t  m;

    (void) state;
    write_file("precious", 8);
    assert_int_equal(tg_backend_map_open(&m, path, &err), TG_ERROR);
    assert_string_equal(err.message, "it is not a table of backends");
    assert_int_equal(tg_backend_map_inspect(&m, path, false, &err), TG_ERROR);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, buf, sizeof(buf)), 8);
    close(fd);
    unlink(path);

    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(tg_backend_map_open(&m, path, &err), TG_ERROR);
    unlink(path);

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(tg_backend_map_open(&m, path, &err), TG_ERROR);
    unlink(path);

    assert_int_equal(tg_backend_map_inspect(&m, path, false, &err), TG_ERROR);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(tg_backend_map_open(&m, "backends", &err), TG_ERROR);
    assert_int_equal(tg_backend_map_open(&m, "/nonexistent/x", &err),
                     TG_ERROR);
}


/* Whoever has the old one open goes on with it. */
static void
test_one_of_another_version_is_replaced(void **state)
{
    int               fd;
    uint64_t          version = 99;
    struct stat       before, after;
    tg_error_t        err;
    tg_backend_map_t  old, m;

    (void) state;
    begun(&old);
    assert_non_null(backend(&old));
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &version, 8, 32), 8);
    close(fd);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(tg_backend_map_inspect(&m, path, false, &err), TG_ERROR);
    assert_string_equal(err.message, "it is a table of another version");

    begun(&m);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode & 07777, 0600);
    assert_null(tg_backends_find_group(m.table, tg_str("gpu")));
    assert_non_null(tg_backends_find_group(old.table, tg_str("gpu")));
    tg_backend_map_close(&m);
    tg_backend_map_close(&old);
}


/* All open it, and make the same things, at once: each finds the others'. */
static void
make_all(unsigned kid)
{
    char               name[32];
    tg_group_t        *g;
    tg_backend_map_t   m;

    if (tg_backend_map_open(&m, path, NULL) != TG_OK) {
        _exit(1);
    }

    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "upstream%u", i % 5);
        g = tg_backends_group(m.table, tg_strz(name));

        snprintf(name, sizeof(name), "10.0.0.%u:8000", i);

        if (g == NULL
            || tg_backends_backend(m.table, g, tg_strz(name),
                                   tg_backend_now()) == NULL)
        {
            _exit(2);
        }
    }

    _exit(tg_backends_join(m.table, 5000 + kid, 1) < 0 ? 3 : 0);
}


static void
test_many_make_the_same_at_once(void **state)
{
    int               status;
    pid_t             pids[KIDS];
    unsigned          n = 0;
    tg_group_t       *g;
    tg_backend_map_t  m;

    (void) state;

    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < KIDS; i++) {
            pids[i] = fork();
            assert_true(pids[i] != -1);

            if (pids[i] == 0) {
                make_all(i);
            }
        }

        for (unsigned i = 0; i < KIDS; i++) {
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }

        begun(&m);

        for (n = 0; (g = tg_backends_group_at(m.table, n)) != NULL; n++) {
            for (unsigned i = 0; i < NAMES / 5; i++) {
                assert_non_null(tg_group_backend_at(m.table, g, i));
            }

            assert_null(tg_group_backend_at(m.table, g, NAMES / 5));
        }

        assert_int_equal(n, 5);
        tg_backend_map_close(&m);
        unlink(path);
    }
}


static void
test_who_is_alive(void **state)
{
    pid_t      pid;
    uint64_t   start = tg_backend_start();
    siginfo_t  info;

    (void) state;
    assert_true(start != 0);
    assert_true(tg_backend_alive(getpid(), start));
    assert_true(tg_backend_alive(getpid(), 0));
    assert_false(tg_backend_alive(getpid(), start + 1));
    assert_true(tg_backend_alive(1, 0));

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        _exit(0);
    }

    /* Dead, though nobody has waited for it yet. */

    assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(tg_backend_alive(pid, 0));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(tg_backend_alive(pid, 0));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_anonymous_memory_is_shared_with_children),
        cmocka_unit_test_setup_teardown(test_a_file_survives, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_another_file_is_refused_and_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_one_of_another_version_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_make_the_same_at_once,
                                        setup, teardown),
        cmocka_unit_test(test_who_is_alive)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
