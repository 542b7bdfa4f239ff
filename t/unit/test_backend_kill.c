/*
 * A process is killed: at each of the instructions of what it does to the table
 * in turn.  It is run step by step, and after each step that has changed
 * something the table as it is then is what a kill would have left behind.  Those
 * who stay must find it sound: time adds up, nothing of the dead is under way,
 * nothing stays locked, and nothing that was whole is torn.
 */

#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends.h"
#include "tg_backend_int.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX    1000000
#define NOTHING_MAX  10000
#define VICTIM       2000

/* What of the table there is: the rest of it is not used. */
#define BACKENDS     4
#define SLOTS        4

typedef struct {
    tg_backends_t  *t;
    tg_group_t     *g;
    tg_backend_t   *b;
    tg_ticket_t     ticket;
    int             slot;
    int64_t         now;
    tg_group_conf_t gc;
} scene_t;

typedef void (*act_pt)(scene_t *s);

static pool_t          pool_;
static tg_backends_t  *copy, *before;    /* of a moment */
static unsigned        moments;          /* that differ */


static bool
victim_is_dead(int64_t pid, uint64_t start)
{
    (void) start;

    return pid != VICTIM;
}


/* Of one table to another, what is used of it. */
static bool
take(tg_backends_t *to, const tg_backends_t *from)
{
    bool  same;

#define PART(first, size)                                                     \
    same = same && memcmp((const void *) &to->first,                          \
                          (const void *) &from->first, (size)) == 0;          \
    memcpy((void *) &to->first, (const void *) &from->first, (size))

    same = true;
    PART(magic, offsetof(tg_backends_t, groups));
    PART(groups[0], 2 * sizeof(tg_group_t));
    PART(backends[0], BACKENDS * sizeof(tg_backend_t));
    PART(slots[0], SLOTS * sizeof(tg_be_slot_t));

    return same;
}


static void
sound(tg_backends_t *t, int64_t now)
{
    unsigned            n, calls;
    tg_group_t         *g = &t->groups[0];
    tg_ticket_t         k;
    tg_backend_t       *b;
    tg_gpu_time_t       time;
    tg_backend_load_t   l;
    tg_backend_view_t   v;

    for (unsigned i = 0; i < TG_BE_LOCK_AGE + 2; i++) {
        tg_backends_sweep(t, victim_is_dead, now);
    }

    assert_true(tg_backends_lease(t, 0, victim_is_dead, now + TG_LEASE_NS));
    tg_group_tick(t, g, &pool_.gc, now);

    for (n = 0; (b = tg_group_backend_at(t, g, n)) != NULL; n++) {
        assert_int_equal(b->lock, 0);
        assert_ptr_equal(tg_backends_find(t, g, tg_backend_server(b)), b);

        /* The survivor has two calls at the first one, and none elsewhere. */

        calls = b == &t->backends[0] ? 2 : 0;
        tg_backend_load(t, b, &pool_.gc.check, now, &l);
        assert_int_equal(l.calls, calls);
        assert_int_equal(l.tokens, calls * 15);
        assert_true(l.fresh_tokens <= l.tokens);
        tg_backend_begin(t, b, 0, NULL, now, &k);
        tg_backend_load(t, b, &pool_.gc.check, now, &l);
        assert_int_equal(l.calls, calls + 1);
        tg_backend_end(t, &k, TG_CAME_CUT, &pool_.gc.check, now);
        tg_backend_load(t, b, &pool_.gc.check, now, &l);
        assert_int_equal(l.calls, calls);

        tg_backend_time(t, b, now, &time);
        assert_int_equal(time.busy + time.idle + time.unhealthy
                         + time.sleeping, time.provisioned);

        if (n < 2 && tg_be_configured(t, b)) {
            assert_int_equal(time.provisioned, now - pool_.now);
        }

        tg_backend_view(t, b, &pool_.gc.check, now, &v);
        assert_true(v.state < TG_BACKEND_STATES);
        assert_true(strlen(v.why) < TG_BACKEND_WHY_MAX);
        assert_true(v.why[0] == '\0' || strcmp(v.why, "it said no") == 0
                    || strcmp(v.why, "calls have failed") == 0
                    || strcmp(v.why, "its weights are off the GPU") == 0);

        /* A page is there as a whole. */

        for (unsigned f = 1; f < TG_FACTS; f++) {
            assert_int_equal(v.facts.value[f], v.facts.value[0]);
        }
    }

    assert_true(n == 2 || n == 3);

    /* What it was about to make can be made. */

    b = tg_backends_backend(t, g, tg_str("10.0.0.9:8000"), now);
    assert_non_null(b);
    assert_ptr_equal(tg_backends_find(t, g, tg_str("10.0.0.9:8000")), b);
    assert_ptr_equal(tg_backends_backend(t, g, tg_str("10.0.0.9:8000"), now),
                     b);
    assert_ptr_equal(tg_group_backend_at(t, g, 2), b);
    assert_null(tg_group_backend_at(t, g, 3));
    assert_true(tg_backends_join(t, VICTIM + 1, 1) > 0);

    for (unsigned i = 0; i < BACKENDS; i++) {
        assert_true(t->backends[i].name.key == 0
                    || t->backends[i].name.key >= TG_BE_KEYS);
    }
}


/* The child's: stopped, until each step is asked for. */
static void
act(act_pt what, scene_t *s, _Atomic int *done)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
        _exit(9);
    }

    raise(SIGSTOP);
    what(s);
    atomic_store(done, 1);
    _exit(0);
}


/* The child runs to its end, one instruction at a time: so many, or -1 where there
 * are more than that, or none can be traced here. */
static int
steps(act_pt what, scene_t *s, int most, void (*moment)(scene_t *s))
{
    int           n, status;
    pid_t         pid;
    _Atomic int  *done;

    done = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(done != MAP_FAILED);

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        act(what, s, done);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    for (n = 0; WIFSTOPPED(status) && !atomic_load(done) && n < most; n++) {
        moment(s);
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }

    n = WIFSTOPPED(status) && atomic_load(done) ? n : -1;

    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }

    munmap((void *) done, sizeof(int));

    return n;
}


static void
killed_now(scene_t *s)
{
    if (take(before, s->t) && moments != 0) {
        return;
    }

    moments++;
    (void) take(copy, s->t);
    sound(copy, s->now + SECOND);
    memset((void *) copy, 0, tg_backends_size());
}


static void
nothing(scene_t *s)
{
    (void) s;
}


/* A table that children share: two backends, a survivor with two calls at the
 * first one. */
static void
scene(scene_t *s, bool joined)
{
    void         *shared;
    tg_work_t     w = { 10, 5 };
    tg_ticket_t   k;

    shared = mmap(NULL, tg_backends_size(), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);

    pool(&pool_, 2);
    memcpy(shared, (void *) pool_.t, tg_backends_size());
    memset(s, 0, sizeof(*s));
    s->t = shared;
    s->g = &s->t->groups[0];
    s->b = &s->t->backends[0];
    s->now = pool_.now + SECOND;
    s->gc = pool_.gc;
    s->slot = -1;

    for (unsigned i = 0; i < 2; i++) {
        tg_backend_begin(s->t, s->b, 0, &w, pool_.now, &k);
    }

    if (joined) {
        s->slot = tg_backends_join(s->t, VICTIM, 7);
        assert_int_equal(s->slot, 1);
        assert_true(tg_backends_lease(s->t, s->slot, NULL, s->now));
        tg_backend_begin(s->t, s->b, s->slot, &w, pool_.now, &s->ticket);
    }

    copy = calloc(1, tg_backends_size());
    before = calloc(1, tg_backends_size());
    assert_non_null(copy);
    assert_non_null(before);
}


static void
killed_in(act_pt what, bool joined)
{
    int      n;
    scene_t  s;

    /* Where the processor is emulated (valgrind), or nobody may trace, there is
     * nothing to be seen. */

    if (steps(nothing, NULL, NOTHING_MAX, nothing) == -1) {
        skip();
    }

    scene(&s, joined);
    moments = 0;
    memset((void *) before, 0, tg_backends_size());
    n = steps(what, &s, STEPS_MAX, killed_now);
    sound(s.t, s.now + SECOND);
    munmap((void *) s.t, tg_backends_size());
    free(copy);
    free(before);
    gone(&pool_);

    assert_true(n > 0);
    assert_true(moments > 2);           /* it has done something */
}


static void
begin(scene_t *s)
{
    tg_ticket_t  k;

    tg_backend_begin(s->t, s->b, s->slot, NULL, s->now, &k);
}


static void
end(scene_t *s)
{
    tg_backend_end(s->t, &s->ticket, TG_CAME_OK, &s->gc.check, s->now);
}


/* The last of those that are too many. */
static void
end_failed(scene_t *s)
{
    s->gc.check.fall = 1;
    tg_backend_end(s->t, &s->ticket, TG_CAME_FAILED, &s->gc.check, s->now);
}


static void
checked(scene_t *s)
{
    s->gc.check.fall = 1;
    tg_backend_checked(s->t, s->b, TG_HEALTH_FAILED, tg_str("it said no"),
                       &s->gc.check, s->now);
}


static void
scraped(scene_t *s)
{
    tg_engine_facts_t  f;

    memset(&f, 0, sizeof(f));
    f.known = (1 << TG_FACTS) - 1;

    for (unsigned i = 0; i < TG_FACTS; i++) {
        f.value[i] = 77;
    }

    tg_backend_scraped(s->t, s->b, &f, &s->gc.check, s->now);
}


static void
dearer(scene_t *s)
{
    tg_backend_conf_t  bc;

    memset(&bc, 0, sizeof(bc));
    bc.cost_nusd = 77;
    tg_backend_configured(s->t, s->b, &bc, s->now);
}


static void
reloaded(scene_t *s)
{
    tg_backends_generation(s->t);
    dearer(s);
}


static void
ticks(scene_t *s)
{
    tg_group_tick(s->t, s->g, &s->gc, s->now);
}


/* Who sweeps is killed as well, while he sweeps somebody who is dead. */
static void
sweeps(scene_t *s)
{
    tg_backends_sweep(s->t, victim_is_dead, s->now);
}


static void
makes(scene_t *s)
{
    tg_backends_backend(s->t, s->g, tg_str("10.0.0.9:8000"), s->now);
}


static void
joins(scene_t *s)
{
    tg_backends_join(s->t, VICTIM, 7);
}


static void
leaves(scene_t *s)
{
    tg_backends_leave(s->t, s->slot);
}


static void
drains(scene_t *s)
{
    tg_backend_drain(s->t, s->b, TG_DRAIN_ADMIN, s->now);
    tg_backend_usage(s->t, s->b, 10, 10, 5, 5);
    tg_backend_drain(s->t, s->b, TG_DRAIN_NONE, s->now);
}


#define KILLED_IN(what, joined)                                               \
    static void                                                               \
    test_killed_in_##what(void **state)                                       \
    {                                                                         \
        (void) state;                                                         \
        killed_in(what, joined);                                              \
    }

KILLED_IN(begin, true)
KILLED_IN(end, true)
KILLED_IN(end_failed, true)
KILLED_IN(checked, true)
KILLED_IN(scraped, true)
KILLED_IN(dearer, false)
KILLED_IN(reloaded, false)
KILLED_IN(ticks, true)
KILLED_IN(sweeps, true)
KILLED_IN(makes, true)
KILLED_IN(joins, false)
KILLED_IN(leaves, true)
KILLED_IN(drains, false)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_killed_in_begin),
        cmocka_unit_test(test_killed_in_end),
        cmocka_unit_test(test_killed_in_end_failed),
        cmocka_unit_test(test_killed_in_checked),
        cmocka_unit_test(test_killed_in_scraped),
        cmocka_unit_test(test_killed_in_dearer),
        cmocka_unit_test(test_killed_in_reloaded),
        cmocka_unit_test(test_killed_in_ticks),
        cmocka_unit_test(test_killed_in_sweeps),
        cmocka_unit_test(test_killed_in_makes),
        cmocka_unit_test(test_killed_in_joins),
        cmocka_unit_test(test_killed_in_leaves),
        cmocka_unit_test(test_killed_in_drains)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
