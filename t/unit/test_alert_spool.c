#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tg_alert_queue.h"

#define NOW  INT64_C(1767225600000)

static char              dir[64], ledger[96], path[112];
static tg_conf_alerts_t  two;


static int
setup(void **state)
{
    (void) state;
    snprintf(dir, sizeof(dir), "/tmp/alert_spool.XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    snprintf(ledger, sizeof(ledger), "%s/ledger", dir);
    snprintf(path, sizeof(path), "%s%s", ledger, TG_ALERT_SPOOL_SUFFIX);
    memset(&two, 0, sizeof(two));
    two.n = 2;
    memcpy(two.list[0].id, "aaaaaaaaaaaaaaaa", TG_ALERT_TARGET_LEN);
    memcpy(two.list[1].id, "bbbbbbbbbbbbbbbb", TG_ALERT_TARGET_LEN);

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
name(char *id, unsigned i)
{
    char  text[TG_ALERT_ID_LEN + 1];

    snprintf(text, sizeof(text), "alert_%032x", i * 2654435761u);
    memcpy(id, text, TG_ALERT_ID_LEN);
}


/* Number i, to target 1, 2 or both (bits 1 and 2), with a body of that size. */
static int
add(tg_alert_spool_t *spool, unsigned i, unsigned targets, size_t size)
{
    char               body[TG_ALERT_BODY_MAX];
    tg_error_t         err;
    tg_alert_record_t  rec;

    memset(&rec, 0, sizeof(rec));
    memset(body, 'x', size);
    memcpy(body, "{\"text\":\"", 9);
    memcpy(body + size - 2, "\"}", 2);
    name(rec.id, i);
    rec.at = NOW;
    rec.body = tg_str_of(body, size);

    for (unsigned t = 0; t < 2; t++) {
        if (targets & 1u << t) {
            memcpy(rec.to[rec.n++], two.list[t].id, TG_ALERT_TARGET_LEN);
        }
    }

    return tg_alert_spool_add(spool, &rec, &err);
}


static void
add_ok(tg_alert_queue_t *q, unsigned i, unsigned targets)
{
    assert_int_equal(add(&q->spool, i, targets, 200), TG_OK);
}


static void
open_ok(tg_alert_queue_t *q)
{
    tg_error_t  err;

    if (tg_alert_queue_open(q, ledger, &two, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }
}


static void
sender_ok(tg_alert_queue_t *q)
{
    tg_error_t  err;

    open_ok(q);
    assert_int_equal(tg_alert_queue_claim(q, &err), TG_OK);
}


static void
read_ok(tg_alert_queue_t *q)
{
    tg_error_t  err;

    if (tg_alert_queue_read(q, NOW, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }
}


static unsigned
left(const tg_alert_queue_t *q, unsigned target)
{
    unsigned  n = 0;

    for (uint32_t i = 0; i < q->n; i++) {
        n += q->entries[i].todo >> target & 1;
    }

    return n;
}


static void
done(tg_alert_queue_t *q, unsigned i, unsigned target)
{
    char  id[TG_ALERT_ID_LEN];

    name(id, i);
    tg_alert_queue_done(q, id, target, TG_ALERT_HOW_SENT);
}


static void
write_raw(const char *text, size_t n)
{
    int  fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

    assert_true(fd != -1 && write(fd, text, n) == (ssize_t) n);
    close(fd);
}


static int64_t
size_of(void)
{
    struct stat  st;

    return stat(path, &st) == 0 ? (int64_t) st.st_size : -1;
}


static void
test_what_was_not_sent_is_there_for_the_next_sender(void **state)
{
    uint32_t           i = 0;
    tg_alert_queue_t   q;
    tg_alert_record_t  rec;

    (void) state;
    sender_ok(&q);
    add_ok(&q, 1, 3);
    add_ok(&q, 2, 1);
    add_ok(&q, 3, 2);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 2);
    assert_int_equal(left(&q, 1), 2);
    done(&q, 1, 0);
    assert_int_equal(left(&q, 0), 1);
    tg_alert_queue_close(&q);

    sender_ok(&q);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 1);
    assert_int_equal(left(&q, 1), 2);
    assert_int_equal(tg_alert_queue_record(&q, tg_alert_queue_next(&q, 0, &i),
                                           &rec), TG_OK);
    assert_int_equal(i, 1);
    assert_int_equal(rec.body.len, 200);

    /* Round and round. */
    i++;
    assert_ptr_equal(tg_alert_queue_next(&q, 0, &i), &q.entries[1]);
    done(&q, 2, 0);
    assert_null(tg_alert_queue_next(&q, 0, &i));
    tg_alert_queue_close(&q);
}


static void
test_one_at_a_time_is_the_sender(void **state)
{
    pid_t             pid;
    int               ready[2];
    char              c;
    tg_error_t        err;
    tg_alert_queue_t  q, other;

    (void) state;
    sender_ok(&q);
    open_ok(&other);
    assert_int_equal(tg_alert_queue_claim(&other, &err), TG_AGAIN);
    assert_int_equal(tg_alert_queue_claim(&q, &err), TG_OK);
    tg_alert_queue_close(&q);
    assert_int_equal(tg_alert_queue_claim(&other, &err), TG_OK);
    tg_alert_queue_close(&other);

    /* And the kernel knows when he is dead. */
    assert_int_equal(pipe(ready), 0);
    pid = fork();

    if (pid == 0) {
        if (tg_alert_queue_open(&q, ledger, &two, &err) != TG_OK
            || tg_alert_queue_claim(&q, &err) != TG_OK
            || write(ready[1], "x", 1) != 1)
        {
            _exit(1);
        }
        pause();
    }

    assert_int_equal(read(ready[0], &c, 1), 1);
    open_ok(&q);
    assert_int_equal(tg_alert_queue_claim(&q, &err), TG_AGAIN);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(tg_alert_queue_claim(&q, &err), TG_OK);
    tg_alert_queue_close(&q);
    close(ready[0]);
    close(ready[1]);
}


static void
test_torn_and_foreign_lines_are_passed_over(void **state)
{
    char              *big = malloc(300000);
    tg_alert_queue_t   q;

    (void) state;
    sender_ok(&q);
    add_ok(&q, 1, 1);
    write_raw("hello\n\n{\"crc\":\"00000000\",\"id\":\"x\"}\n", 35);
    add_ok(&q, 2, 1);

    /* Somebody was killed in the midst of a line; the next one ends it. */
    write_raw("{\"crc\":\"12345678\",\"id\":\"alert_", 30);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 2);
    assert_int_equal(q.torn, 2);
    add_ok(&q, 3, 1);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 3);
    assert_int_equal(q.torn, 3);

    /* A line that does not end. */
    memset(big, 'y', 300000);
    write_raw(big, 300000);
    read_ok(&q);
    add_ok(&q, 4, 1);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 4);
    assert_int_equal(q.torn, 4);
    free(big);
    tg_alert_queue_close(&q);
}


static void
test_the_same_id_is_sent_once(void **state)
{
    tg_alert_queue_t  q;

    (void) state;
    sender_ok(&q);
    add_ok(&q, 7, 1);
    add_ok(&q, 7, 1);
    read_ok(&q);
    assert_int_equal(q.n, 1);
    done(&q, 7, 0);
    add_ok(&q, 7, 1);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 0);
    tg_alert_queue_close(&q);

    sender_ok(&q);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 0);
    tg_alert_queue_close(&q);
}


static void
test_it_is_emptied_when_all_is_done_and_quiet(void **state)
{
    tg_alert_queue_t  q;

    (void) state;
    sender_ok(&q);
    add_ok(&q, 1, 3);
    read_ok(&q);
    tg_alert_queue_compact(&q, NOW + TG_ALERT_QUIET_MS);
    assert_true(size_of() > 0);
    done(&q, 1, 0);
    tg_alert_queue_compact(&q, NOW + TG_ALERT_QUIET_MS);
    assert_true(size_of() > 0);
    done(&q, 1, 1);
    tg_alert_queue_compact(&q, NOW + TG_ALERT_QUIET_MS - 1);
    assert_true(size_of() > 0);
    tg_alert_queue_compact(&q, NOW + TG_ALERT_QUIET_MS);
    assert_int_equal(size_of(), 0);

    add_ok(&q, 2, 1);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 1);
    tg_alert_queue_close(&q);
}


static void
test_what_one_target_has_not_got_survives_shortening(void **state)
{
    tg_alert_queue_t  q;

    (void) state;
    sender_ok(&q);
    q.max = 20000;

    for (unsigned i = 0; i < 40; i++) {
        add_ok(&q, i, 3);
    }

    read_ok(&q);

    for (unsigned i = 0; i < 40; i++) {
        done(&q, i, 0);
        if (i < 36) {
            done(&q, i, 1);
        }
    }

    read_ok(&q);
    tg_alert_queue_compact(&q, NOW);
    assert_true(size_of() < 2000);
    assert_int_equal(q.dropped, 0);
    assert_int_equal(q.n, 4);
    assert_int_equal(left(&q, 0), 0);
    assert_int_equal(left(&q, 1), 4);
    tg_alert_queue_close(&q);

    sender_ok(&q);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 0);
    assert_int_equal(left(&q, 1), 4);
    assert_int_equal(q.torn, 0);
    tg_alert_queue_close(&q);
}


static void
test_past_the_cap_the_oldest_are_dropped_and_counted(void **state)
{
    char              id[TG_ALERT_ID_LEN];
    unsigned          n = 100;
    uint32_t          i = 0;
    tg_alert_queue_t  q;

    (void) state;
    sender_ok(&q);
    q.max = 20000;

    for (unsigned k = 0; k < n; k++) {
        add_ok(&q, k, 1);
    }

    read_ok(&q);
    assert_true(size_of() > q.max);
    tg_alert_queue_compact(&q, NOW);
    assert_true(size_of() <= q.max);
    assert_true(q.dropped > n / 4 && q.dropped < n);
    assert_true(size_of() > q.max / 2 - 500);
    assert_int_equal(left(&q, 0), n - q.dropped);
    name(id, (unsigned) q.dropped);
    assert_memory_equal(tg_alert_queue_next(&q, 0, &i)->id, id, sizeof(id));
    tg_alert_queue_close(&q);
}


static void
test_a_full_spool_refuses(void **state)
{
    int               rc = TG_OK;
    unsigned          i;
    tg_alert_queue_t  q;

    (void) state;
    open_ok(&q);

    for (i = 0; i < 1000 && rc == TG_OK; i++) {
        rc = add(&q.spool, i, 1, TG_ALERT_BODY_MAX - 8);
    }

    assert_int_equal(rc, TG_ERROR);
    assert_true(size_of() <= 2 * TG_ALERT_SPOOL_MAX);
    assert_true(i > TG_ALERT_SPOOL_MAX / TG_ALERT_BODY_MAX);

    /* A sender makes room, and knows how many are lost. */
    assert_int_equal(tg_alert_queue_claim(&q, NULL), TG_OK);
    read_ok(&q);
    tg_alert_queue_compact(&q, NOW);
    assert_int_equal(left(&q, 0) + q.dropped, i - 1);
    assert_int_equal(add(&q.spool, i, 1, 200), TG_OK);
    tg_alert_queue_close(&q);
}


/* Behind the old lines, and then over their beginning, the new ones are
 * written: cut at any byte of that, each is found. */
static void
test_a_kill_while_it_is_shortened_loses_nothing(void **state)
{
    int               fd;
    char              id[TG_ALERT_ID_LEN], old[20000], new[20000];
    ssize_t           nold, nnew;
    uint32_t          at;
    tg_alert_queue_t  q;

    (void) state;
    sender_ok(&q);

    for (unsigned k = 0; k < 20; k++) {
        add_ok(&q, k, 1);
    }

    read_ok(&q);

    for (unsigned k = 1; k < 19; k++) {
        done(&q, k, 0);
    }

    read_ok(&q);
    fd = open(path, O_RDWR);
    nold = pread(fd, old, sizeof(old), 0);
    q.max = q.offset;
    tg_alert_queue_compact(&q, NOW);
    nnew = pread(fd, new, sizeof(new), 0);
    assert_true(nnew > 0 && nnew < nold / 2);
    assert_int_equal(left(&q, 0), 2);
    assert_int_equal(q.dropped, 0);
    tg_alert_queue_close(&q);

    for (ssize_t cut = 0; cut <= 2 * nnew; cut += 7) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, old, (size_t) nold, 0), nold);

        if (cut <= nnew) {
            assert_int_equal(pwrite(fd, new, (size_t) cut, nold), cut);

        } else {
            assert_int_equal(pwrite(fd, new, (size_t) nnew, nold), nnew);
            assert_int_equal(pwrite(fd, new, (size_t) (cut - nnew), 0),
                             cut - nnew);
        }

        sender_ok(&q);
        read_ok(&q);
        at = 0;
        assert_int_equal(left(&q, 0), 2);
        name(id, 0);
        assert_memory_equal(tg_alert_queue_next(&q, 0, &at)->id, id,
                            sizeof(id));
        at++;
        name(id, 19);
        assert_memory_equal(tg_alert_queue_next(&q, 0, &at)->id, id,
                            sizeof(id));
        tg_alert_queue_close(&q);
    }

    close(fd);
}


static void
append_many(unsigned from, unsigned n)
{
    tg_error_t        err;
    tg_alert_spool_t  spool;

    if (tg_alert_spool_open(&spool, ledger, &err) != TG_OK) {
        _exit(1);
    }

    for (unsigned i = from; i < from + n; i++) {
        while (add(&spool, i, 1, 200) != TG_OK) {
            usleep(1000);
        }
        usleep(i % 4 * 700);
    }

    _exit(0);
}


static void
test_nothing_is_lost_while_others_append(void **state)
{
    enum { PROCESSES = 3, EACH = 400 };

    char              seen[PROCESSES * EACH] = { 0 }, id[TG_ALERT_ID_LEN];
    char              ids[PROCESSES * EACH][TG_ALERT_ID_LEN];
    int               status;
    pid_t             pids[PROCESSES];
    uint32_t          at = 0;
    unsigned          n = 0, shortened = 0;
    int64_t           before;
    tg_alert_queue_t  q;
    const tg_alert_entry_t  *e;

    (void) state;
    sender_ok(&q);
    q.max = 1000000;

    for (unsigned i = 0; i < PROCESSES * EACH; i++) {
        name(ids[i], i);
    }

    for (unsigned p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        if (pids[p] == 0) {
            append_many(p * EACH, EACH);
        }
    }

    for (unsigned turn = 0; turn < 20000 && n < PROCESSES * EACH; turn++) {
        read_ok(&q);

        while ((e = tg_alert_queue_next(&q, 0, &at)) != NULL) {
            memcpy(id, e->id, sizeof(id));
            tg_alert_queue_done(&q, id, 0, TG_ALERT_HOW_SENT);

            for (unsigned i = 0; i < PROCESSES * EACH; i++) {
                if (memcmp(ids[i], id, sizeof(id)) == 0) {
                    assert_int_equal(seen[i], 0);
                    seen[i] = 1;
                    n++;
                }
            }
        }

        before = q.offset;
        tg_alert_queue_compact(&q, NOW + TG_ALERT_QUIET_MS);
        shortened += q.offset < before;
        usleep(200);
    }

    for (unsigned p = 0; p < PROCESSES; p++) {
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_int_equal(status, 0);
    }

    assert_int_equal(n, PROCESSES * EACH);
    assert_int_equal(q.dropped + q.torn, 0);
    assert_true(shortened > 0);
    tg_alert_queue_close(&q);
}


static void
test_after_a_day_it_is_given_up(void **state)
{
    tg_error_t        err;
    tg_alert_queue_t  q;

    (void) state;
    sender_ok(&q);
    add_ok(&q, 1, 3);
    assert_int_equal(tg_alert_queue_read(&q, NOW + TG_ALERT_LIFE_MS, &err), 0);
    assert_int_equal(q.expired, 0);
    assert_int_equal(tg_alert_queue_read(&q, NOW + TG_ALERT_LIFE_MS + 1, &err),
                     0);
    assert_int_equal(q.expired, 1);
    assert_int_equal(left(&q, 0) + left(&q, 1), 0);
    tg_alert_queue_close(&q);

    sender_ok(&q);
    read_ok(&q);
    assert_int_equal(left(&q, 0) + left(&q, 1), 0);
    tg_alert_queue_close(&q);
}


static void
test_another_configuration_s_targets_are_left_for_it(void **state)
{
    tg_conf_alerts_t  one = two;
    tg_alert_queue_t  q;

    (void) state;
    one.n = 1;
    assert_int_equal(tg_alert_queue_open(&q, ledger, &one, NULL), TG_OK);
    assert_int_equal(tg_alert_queue_claim(&q, NULL), TG_OK);
    add_ok(&q, 1, 2);
    add_ok(&q, 2, 1);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 1);
    done(&q, 2, 0);
    tg_alert_queue_compact(&q, NOW + TG_ALERT_QUIET_MS);
    tg_alert_queue_close(&q);

    sender_ok(&q);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 0);
    assert_int_equal(left(&q, 1), 1);
    tg_alert_queue_close(&q);
}


static void
test_the_file_is_private_and_made_again(void **state)
{
    tg_error_t        err;
    struct stat       st;
    tg_alert_queue_t  q;
    tg_alert_spool_t  spool;

    (void) state;
    assert_int_equal(tg_alert_spool_make(ledger, (uid_t) -1, (gid_t) -1, &err),
                     TG_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    sender_ok(&q);
    add_ok(&q, 1, 1);
    read_ok(&q);
    assert_int_equal(unlink(path), 0);
    add_ok(&q, 2, 1);
    assert_int_equal(tg_alert_queue_claim(&q, &err), TG_OK);
    read_ok(&q);
    assert_int_equal(q.n, 1);

    /* Emptied by hand. */
    assert_int_equal(truncate(path, 0), 0);
    add_ok(&q, 3, 1);
    read_ok(&q);
    assert_int_equal(left(&q, 0), 1);
    tg_alert_queue_close(&q);

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(tg_alert_spool_open(&spool, ledger, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "others than its owner"));
    tg_alert_spool_close(&spool);
    assert_int_equal(tg_alert_spool_open(&spool, "relative", &err), TG_ERROR);
    tg_alert_spool_close(&spool);
    assert_int_equal(tg_alert_spool_open(&spool, "/nowhere/ledger", &err),
                     TG_ERROR);
    tg_alert_spool_close(&spool);
}


static void
test_a_stopped_process_delays_the_others_by_10_ms_at_most(void **state)
{
    pid_t             pid;
    int               ready[2];
    char              c;
    struct timespec   t0, t1;
    tg_error_t        err;
    tg_alert_spool_t  spool;
    tg_alert_queue_t  q;

    (void) state;
    open_ok(&q);
    assert_int_equal(pipe(ready), 0);
    pid = fork();

    if (pid == 0) {
        if (tg_alert_spool_open(&spool, ledger, &err) != TG_OK
            || tg_alert_file_lock(spool.fd, TG_ALERT_LOCK_WRITE, 0) != TG_OK
            || write(ready[1], "x", 1) != 1)
        {
            _exit(1);
        }
        pause();
    }

    assert_int_equal(read(ready[0], &c, 1), 1);
    clock_gettime(CLOCK_MONOTONIC, &t0);
    assert_int_equal(add(&q.spool, 1, 1, 200), TG_ERROR);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    assert_true((t1.tv_sec - t0.tv_sec) * 1000
                + (t1.tv_nsec - t0.tv_nsec) / 1000000 < 500);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(add(&q.spool, 1, 1, 200), TG_OK);
    tg_alert_queue_close(&q);
    close(ready[0]);
    close(ready[1]);
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_not_sent_is_there_for_the_next_sender),
        TEST(test_one_at_a_time_is_the_sender),
        TEST(test_torn_and_foreign_lines_are_passed_over),
        TEST(test_the_same_id_is_sent_once),
        TEST(test_it_is_emptied_when_all_is_done_and_quiet),
        TEST(test_what_one_target_has_not_got_survives_shortening),
        TEST(test_past_the_cap_the_oldest_are_dropped_and_counted),
        TEST(test_a_full_spool_refuses),
        TEST(test_a_kill_while_it_is_shortened_loses_nothing),
        TEST(test_nothing_is_lost_while_others_append),
        TEST(test_after_a_day_it_is_given_up),
        TEST(test_another_configuration_s_targets_are_left_for_it),
        TEST(test_the_file_is_private_and_made_again),
        TEST(test_a_stopped_process_delays_the_others_by_10_ms_at_most)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
