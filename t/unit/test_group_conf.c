#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_backend_status.h"
#include "tg_conf.h"

#include <stdio.h>

#define SERVERS_MAX  8

static tg_arena_t  *arena;


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


/* "a b c" as words. */
static unsigned
words(const char *line, tg_str_t *args, unsigned max)
{
    unsigned     n = 0;
    const char  *end;

    while (*line != '\0') {
        assert_true(n < max);
        end = strchr(line, ' ');
        if (end == NULL) {
            end = line + strlen(line);
        }
        args[n++] = tg_str_of(line, (size_t) (end - line));
        line = *end == ' ' ? end + 1 : end;
    }

    return n;
}


static tg_str_t
full_name(void *data, tg_str_t name)
{
    static char  buf[256];

    if (name.len == 0 || name.p[0] == '/') {
        return name;
    }

    (void) snprintf(buf, sizeof(buf), "%s/%.*s", (const char *) data,
                    (int) name.len, name.p);

    return tg_strz(buf);
}


static int
say(tg_group_conf_t *gc, tg_upstream_directive_t id, const char *line,
    tg_error_t *err)
{
    tg_str_t  args[TG_ARGS_MAX];
    unsigned  n = words(line, args, TG_ARGS_MAX);

    return tg_group_conf_add(gc, tg_arena_mem(arena), id, args, n, full_name,
                             (void *) (uintptr_t) "/etc/x", err);
}


static void
said(tg_group_conf_t *gc, tg_upstream_directive_t id, const char *line)
{
    tg_error_t  err = { 0 };

    if (say(gc, id, line, &err) != TG_OK) {
        fail_msg("\"%s\" said \"%s\"", line, err.message);
    }
}


static void
begin(tg_group_conf_t *gc)
{
    assert_int_equal(tg_group_conf_init(gc, tg_arena_mem(arena), tg_str("gpu")),
                     TG_OK);
}


static int
finish(tg_group_conf_t *gc, const char *servers, tg_error_t *err)
{
    tg_str_t  list[SERVERS_MAX];
    unsigned  n = words(servers, list, SERVERS_MAX);

    return tg_group_conf_finish(gc, list, n, err);
}


static void
assert_str(tg_str_t s, const char *z)
{
    assert_int_equal(s.len, strlen(z));
    assert_memory_equal(s.p, z, s.len);
    assert_int_equal(s.p[s.len], '\0');
}


static void
test_what_is_not_said_has_its_default(void **state)
{
    tg_group_conf_t  gc;

    begin(&gc);
    assert_false(gc.said);
    assert_false(gc.check.on);
    assert_int_equal(gc.check.interval, 1000);
    assert_int_equal(gc.check.jitter, 10);
    assert_int_equal(gc.check.connect, 500);
    assert_int_equal(gc.check.timeout, 2000);
    assert_int_equal(gc.check.rise, 2);
    assert_int_equal(gc.check.fall, 3);
    assert_int_equal(gc.check.slow_start, 0);
    assert_int_equal(gc.check.max_ejected, 50);
    assert_int_equal(gc.check.stall, 120000);
    assert_int_equal(gc.check.loading, 1800000);
    assert_int_equal(gc.rest.gpus, 1000);
    assert_int_equal(gc.rest.cost_nusd, -1);
    assert_int_equal(gc.load, 125);

    said(&gc, TG_UPSTREAM_HEALTH_CHECK, "");
    assert_true(gc.said && gc.check.on && gc.check_said);
    assert_int_equal(gc.check.interval, 1000);
    (void) state;
}


static void
test_a_check_is_as_its_words_say(void **state)
{
    tg_group_conf_t  gc;

    begin(&gc);
    said(&gc, TG_UPSTREAM_HEALTH_CHECK, "interval=250ms jitter=0% connect=100ms"
         " timeout=1m rise=1 fall=100 slow_start=1m30s max_ejected=100%"
         " stall=off loading=1h tls=on host=gpu.internal:8443");
    assert_true(gc.check.on);
    assert_true(gc.check.tls);
    assert_int_equal(gc.check.interval, 250);
    assert_int_equal(gc.check.jitter, 0);
    assert_int_equal(gc.check.connect, 100);
    assert_int_equal(gc.check.timeout, 60000);
    assert_int_equal(gc.check.rise, 1);
    assert_int_equal(gc.check.fall, 100);
    assert_int_equal(gc.check.slow_start, 90000);
    assert_int_equal(gc.check.max_ejected, 100);
    assert_int_equal(gc.check.stall, 0);
    assert_int_equal(gc.check.loading, 3600000);
    assert_str(gc.check.host, "gpu.internal:8443");

    begin(&gc);
    said(&gc, TG_UPSTREAM_HEALTH_CHECK, "off fall=5");
    assert_false(gc.check.on);
    assert_true(gc.check_said);
    assert_int_equal(gc.check.fall, 5);

    /* all of it can't take less than a part of it */

    begin(&gc);
    said(&gc, TG_UPSTREAM_HEALTH_CHECK, "timeout=200ms");
    assert_int_equal(gc.check.connect, 200);
    (void) state;
}


static void
test_an_hour_of_gpus_is_exact_to_the_nano_dollar(void **state)
{
    static const struct {
        const char  *words;
        int64_t      nusd;
    } cases[] = {
        { "gpu_cost=2.10/hour", INT64_C(2100000000) },
        { "gpu_cost=2.10/hour gpus=8", INT64_C(16800000000) },
        { "gpus=0.25 gpu_cost=2.10/hour", INT64_C(525000000) },
        { "gpu_cost=0.000000001/hour", 1 },
        { "gpu_cost=0.000000001/hour gpus=0.5", 1 },
        { "gpu_cost=0.000000001/hour gpus=0.499", 0 },
        { "gpu_cost=3.333333333/hour gpus=3", INT64_C(9999999999) },
        { "gpu_cost=0/hour", 0 },
        { "gpu_cost=100000/hour gpus=1024", INT64_C(102400000000000000) },
        { "gpu_cost=99999.999999999/hour gpus=1023.999",
          INT64_C(102399899999998976) }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tg_group_conf_t  gc;

        begin(&gc);
        said(&gc, TG_UPSTREAM_BACKEND, cases[i].words);
        assert_int_equal(gc.rest.cost_nusd, cases[i].nusd);
    }

    (void) state;
}


static void
test_a_server_has_its_own_words_and_none_of_the_others(void **state)
{
    tg_error_t                err;
    tg_group_conf_t           gc;
    const tg_backend_conf_t  *bc;

    begin(&gc);
    said(&gc, TG_UPSTREAM_BACKEND, "type=vllm gpus=2 gpu_cost=2/hour"
         " instead_of=gpt-4o-mini capacity=64");
    said(&gc, TG_UPSTREAM_BACKEND, "gpu2.internal:8000 type=triton"
         " cost=prices metrics=:8002/metrics health=/v2/health/ready?x=1");
    said(&gc, TG_UPSTREAM_BACKEND, "10.0.0.7 type=ollama metrics=off");
    assert_int_equal(finish(&gc, "10.0.0.5:8000 gpu2.internal:8000"
                            " 10.0.0.6:8000 10.0.0.7:80", &err), TG_OK);

    bc = tg_group_conf_backend(&gc, tg_str("10.0.0.5:8000"));
    assert_ptr_equal(bc, &gc.rest);
    assert_int_equal(bc->type, TG_ENGINE_VLLM);
    assert_int_equal(bc->gpus, 2000);
    assert_int_equal(bc->capacity, 64);
    assert_str(bc->instead_of, "gpt-4o-mini");
    assert_false(bc->by_prices);

    bc = tg_group_conf_backend(&gc, tg_str("GPU2.internal:8000"));
    assert_int_equal(bc->type, TG_ENGINE_TRITON);
    assert_true(bc->by_prices);
    assert_int_equal(bc->gpus, 1000);
    assert_int_equal(bc->cost_nusd, -1);
    assert_int_equal(bc->metrics_port, 8002);
    assert_str(bc->metrics, "/metrics");
    assert_str(bc->health, "/v2/health/ready?x=1");

    bc = tg_group_conf_backend(&gc, tg_str("10.0.0.7:80"));
    assert_int_equal(bc->type, TG_ENGINE_OLLAMA);
    assert_true(bc->no_metrics);
    (void) state;
}


static void
test_a_server_is_told_however_it_is_written(void **state)
{
    static const struct {
        const char  *said;
        const char  *there;
        bool         same;
    } cases[] = {
        { "10.0.0.5", "10.0.0.5:80", true },
        { "10.0.0.5:80", "10.0.0.5", true },
        { "http://10.0.0.5:8000", "10.0.0.5:8000", true },
        { "10.0.0.5:8000", "http://10.0.0.5:8000/v1", true },
        { "https://gpu.internal", "gpu.internal:443", true },
        { "https://gpu.internal", "gpu.internal:80", false },
        { "GPU.internal:8000", "gpu.Internal:8000", true },
        { "10.0.0.5:8000", "10.0.0.5:8001", false },
        { "10.0.0.5:8000", "10.0.0.50:8000", false },
        { "[::1]:8000", "[::1]:8000", true },
        { "[::1]", "[::1]:80", true },
        { "[::1]:8000", "[::2]:8000", false },
        { "unix:/run/x.sock", "unix:/run/x.sock", true },
        { "unix:/run/x.sock", "unix:/run/y.sock", false },
        { "unix", "unix:/run/y.sock", false }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tg_group_conf_t  gc;

        begin(&gc);
        said(&gc, TG_UPSTREAM_BACKEND, cases[i].said);
        if ((tg_group_conf_backend(&gc, tg_strz(cases[i].there)) != &gc.rest)
            != cases[i].same)
        {
            fail_msg("%s and %s", cases[i].said, cases[i].there);
        }
    }

    (void) state;
}


static void
test_calls_are_spread_as_it_says(void **state)
{
    tg_group_conf_t  gc;

    begin(&gc);
    assert_int_equal(gc.balance, TG_BALANCE_NONE);
    said(&gc, TG_UPSTREAM_BALANCE, "least_load");
    assert_int_equal(gc.balance, TG_BALANCE_LEAST_LOAD);

    begin(&gc);
    said(&gc, TG_UPSTREAM_BALANCE, "prefix_affinity load=1.5 key=$http_x_chat");
    assert_int_equal(gc.balance, TG_BALANCE_PREFIX_AFFINITY);
    assert_int_equal(gc.load, 150);
    assert_str(gc.key, "http_x_chat");

    begin(&gc);
    said(&gc, TG_UPSTREAM_BALANCE, "prefix_affinity key=env:CHAT");
    assert_str(gc.key, "CHAT");
    (void) state;
}


static void
test_exporters_and_hooks_add_up(void **state)
{
    tg_error_t       err;
    tg_group_conf_t  gc;

    begin(&gc);
    said(&gc, TG_UPSTREAM_DCGM, "url=http://10.0.0.5:9400/metrics gpu=0,3");
    said(&gc, TG_UPSTREAM_DCGM, "url=https://dcgm/x server=10.0.0.6:8000"
         " interval=5s");
    said(&gc, TG_UPSTREAM_SCALE, "url=https://hooks.example/scale idle=15m");
    said(&gc, TG_UPSTREAM_SCALE, "url=http://127.0.0.1:1/a?b secret=file:hook"
         " saturated=1m cooldown=1h keep=0");
    assert_int_equal(finish(&gc, "10.0.0.5:8000 10.0.0.6:8000", &err), TG_OK);

    assert_int_equal(gc.ndcgm, 2);
    assert_int_equal(gc.dcgm[0]->ngpus, 2);
    assert_int_equal(gc.dcgm[0]->gpu[1], 3);
    assert_int_equal(gc.dcgm[0]->interval, 30000);
    assert_int_equal(gc.dcgm[1]->interval, 5000);
    assert_str(gc.dcgm[1]->server, "10.0.0.6:8000");

    assert_int_equal(gc.nscale, 2);
    assert_int_equal(gc.scale[0]->idle, 900000);
    assert_int_equal(gc.scale[0]->saturated, 0);
    assert_int_equal(gc.scale[0]->cooldown, 600000);
    assert_int_equal(gc.scale[0]->keep, 1);
    assert_int_equal(gc.scale[1]->keep, 0);
    assert_str(gc.scale[1]->secret_file, "/etc/x/hook");
    (void) state;
}


static void
test_bad_words_are_told_with_what_is_known(void **state)
{
    static const struct {
        tg_upstream_directive_t   id;
        const char               *line;
        const char               *part;
    } cases[] = {
        { TG_UPSTREAM_BACKEND, "", "takes: [<server>]" },
        { TG_UPSTREAM_BACKEND, "type=vlm", "not \"vlm\"" },
        { TG_UPSTREAM_BACKEND, "type=vlm", "takes auto, vllm, sglang" },
        { TG_UPSTREAM_BACKEND, "type=vllm type=vllm", "twice" },
        { TG_UPSTREAM_BACKEND, "gpus=0", "from 0.001" },
        { TG_UPSTREAM_BACKEND, "gpus=0.0001", "three decimals" },
        { TG_UPSTREAM_BACKEND, "gpus=1025", "not \"1025\"" },
        { TG_UPSTREAM_BACKEND, "gpus=-1", "from 0.001" },
        { TG_UPSTREAM_BACKEND, "gpu_cost=2.10", "<dollars>/hour" },
        { TG_UPSTREAM_BACKEND, "gpu_cost=2.10/day", "<dollars>/hour" },
        { TG_UPSTREAM_BACKEND, "gpu_cost=$2/hour", "whole nano-dollars" },
        { TG_UPSTREAM_BACKEND, "gpu_cost=0.0000000001/hour", "nano-dollars" },
        { TG_UPSTREAM_BACKEND, "gpu_cost=100001/hour", "at most 100000" },
        { TG_UPSTREAM_BACKEND, "gpu_cost=1/hour gpu_cost=1/hour", "twice" },
        { TG_UPSTREAM_BACKEND, "cost=gpu", "needs gpu_cost=" },
        { TG_UPSTREAM_BACKEND, "cost=list", "gpu or prices" },
        { TG_UPSTREAM_BACKEND, "capacity=0", "from 1 to 1000000" },
        { TG_UPSTREAM_BACKEND, "capacity=9999999", "from 1 to 1000000" },
        { TG_UPSTREAM_BACKEND, "capacity=4294967297", "from 1 to 1000000" },
        { TG_UPSTREAM_BACKEND, "instead_of=", "is empty" },
        { TG_UPSTREAM_BACKEND, "health=health", "a path from / on" },
        { TG_UPSTREAM_BACKEND, "health=/a\rb", "a path from / on" },
        { TG_UPSTREAM_BACKEND, "health=/a health=/b", "twice" },
        { TG_UPSTREAM_BACKEND, "metrics=:0/metrics", ":<port><path>" },
        { TG_UPSTREAM_BACKEND, "metrics=:65536/metrics", ":<port><path>" },
        { TG_UPSTREAM_BACKEND, "metrics=:8002", ":<port><path>" },
        { TG_UPSTREAM_BACKEND, "metrics=off metrics=/m", "twice" },
        { TG_UPSTREAM_BACKEND, "weight=2", "known are type=" },
        { TG_UPSTREAM_BACKEND, "a:1 b:2", "unknown parameter \"b:2\"" },
        { TG_UPSTREAM_HEALTH_CHECK, "interval=50ms", "from 100ms to 1h" },
        { TG_UPSTREAM_HEALTH_CHECK, "interval=2h", "not \"2h\"" },
        { TG_UPSTREAM_HEALTH_CHECK, "interval=soon", "takes a time" },
        { TG_UPSTREAM_HEALTH_CHECK, "interval=off", "takes a time" },
        { TG_UPSTREAM_HEALTH_CHECK, "interval=1s interval=1s", "twice" },
        { TG_UPSTREAM_HEALTH_CHECK, "jitter=60%", "a percentage up to 50%" },
        { TG_UPSTREAM_HEALTH_CHECK, "jitter=10", "a percentage" },
        { TG_UPSTREAM_HEALTH_CHECK, "max_ejected=0%", "from 1% to 100%" },
        { TG_UPSTREAM_HEALTH_CHECK, "rise=0", "a whole number from 1" },
        { TG_UPSTREAM_HEALTH_CHECK, "fall=-3", "a whole number from 1" },
        { TG_UPSTREAM_HEALTH_CHECK, "stall=never", "or off, not \"never\"" },
        { TG_UPSTREAM_HEALTH_CHECK, "connect=2s timeout=1s",
          "longer than timeout=" },
        { TG_UPSTREAM_HEALTH_CHECK, "tls=yes", "on or off" },
        { TG_UPSTREAM_HEALTH_CHECK, "host=a/b", "<name>[:<port>]" },
        { TG_UPSTREAM_HEALTH_CHECK, "host=a:0", "<name>[:<port>]" },
        { TG_UPSTREAM_HEALTH_CHECK, "uri=/", "known are interval=" },
        { TG_UPSTREAM_BALANCE, "round_robin", "least_load or prefix_affinity" },
        { TG_UPSTREAM_BALANCE, "least_load load=2", "of prefix_affinity" },
        { TG_UPSTREAM_BALANCE, "prefix_affinity load=1", "from 1.01 to 10" },
        { TG_UPSTREAM_BALANCE, "prefix_affinity load=11", "from 1.01 to 10" },
        { TG_UPSTREAM_BALANCE, "prefix_affinity key=chat", "a variable" },
        { TG_UPSTREAM_BALANCE, "prefix_affinity key=$", "a variable" },
        { TG_UPSTREAM_DCGM, "gpu=0", "needs url=" },
        { TG_UPSTREAM_DCGM, "url=10.0.0.5:9400", "http:// or https://" },
        { TG_UPSTREAM_DCGM, "url=http://u:p@h/", "no host that is one" },
        { TG_UPSTREAM_DCGM, "url=http://h:0/", "no host that is one" },
        { TG_UPSTREAM_DCGM, "url=http://h/ gpu=0,0", "says 0 twice" },
        { TG_UPSTREAM_DCGM, "url=http://h/ gpu=0,", "not \"\"" },
        { TG_UPSTREAM_DCGM, "url=http://h/ gpu=x", "not \"x\"" },
        { TG_UPSTREAM_DCGM,
          "url=http://h/ gpu=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
          "more than 16" },
        { TG_UPSTREAM_DCGM, "url=http://h/ interval=10ms", "from 1s to 1h" },
        { TG_UPSTREAM_SCALE, "url=https://h/ keep=1", "tells of nothing" },
        { TG_UPSTREAM_SCALE, "idle=1m keep=1", "needs url=" },
        { TG_UPSTREAM_SCALE, "url=https://h/ idle=0", "from 1s to 7d" },
        { TG_UPSTREAM_SCALE, "url=https://h/ keep=257", "from 0 to 256" },
        { TG_UPSTREAM_SCALE, "url=https://h/ idle=1m secret=abc",
          "file:<path>" },
        { TG_UPSTREAM_SCALE, "url=https://h/ url=https://h/ idle=1m",
          "twice" },
        { TG_UPSTREAM_STATE, "x", "not a directive of an upstream" }
    };

    char  line[4000];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tg_group_conf_t  gc;
        tg_error_t       err = { 0 };

        begin(&gc);
        assert_int_equal(say(&gc, cases[i].id, cases[i].line, &err), TG_ERROR);
        if (strstr(err.message, cases[i].part) == NULL) {
            fail_msg("\"%s\" said \"%s\"", cases[i].line, err.message);
        }
    }

    memset(line, '9', sizeof(line));
    for (size_t i = 9; i < sizeof(line); i += 10) {
        line[i] = 'd';
    }
    assert_int_equal(tg_conf_time(tg_str_of(line, sizeof(line))), -1);
    (void) state;
}


static void
test_twice_is_once_too_often(void **state)
{
    static const struct {
        tg_upstream_directive_t   id;
        const char               *first, *second;
        const char               *part;
    } cases[] = {
        { TG_UPSTREAM_HEALTH_CHECK, "", "rise=1", "twice here" },
        { TG_UPSTREAM_BALANCE, "least_load", "least_load", "twice here" },
        { TG_UPSTREAM_BACKEND, "gpus=1", "gpus=2", "twice without a server" },
        { TG_UPSTREAM_BACKEND, "10.0.0.5:8000", "http://10.0.0.5:8000",
          "twice for server \"http://10.0.0.5:8000\"" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tg_group_conf_t  gc;
        tg_error_t       err = { 0 };

        begin(&gc);
        said(&gc, cases[i].id, cases[i].first);
        assert_int_equal(say(&gc, cases[i].id, cases[i].second, &err),
                         TG_ERROR);
        if (strstr(err.message, cases[i].part) == NULL) {
            fail_msg("\"%s\" said \"%s\"", cases[i].second, err.message);
        }
    }

    (void) state;
}


static void
test_there_may_be_so_many_and_no_more(void **state)
{
    char             line[64];
    tg_error_t       err = { 0 };
    tg_group_conf_t  gc;

    begin(&gc);

    for (int i = 0; i < TG_GROUP_BACKENDS_MAX; i++) {
        (void) snprintf(line, sizeof(line), "10.0.0.1:%d gpus=1", 1000 + i);
        said(&gc, TG_UPSTREAM_BACKEND, line);
    }

    for (int i = 0; i < TG_GROUP_DCGM_MAX; i++) {
        said(&gc, TG_UPSTREAM_DCGM, "url=http://10.0.0.1/");
    }

    for (int i = 0; i < TG_GROUP_SCALE_MAX; i++) {
        said(&gc, TG_UPSTREAM_SCALE, "url=http://10.0.0.1/ idle=1s");
    }

    assert_int_equal(say(&gc, TG_UPSTREAM_BACKEND, "10.0.0.1:1", &err),
                     TG_ERROR);
    assert_string_equal(err.message, "more than 256 of them here");
    assert_int_equal(say(&gc, TG_UPSTREAM_DCGM, "url=http://10.0.0.1/", &err),
                     TG_ERROR);
    assert_string_equal(err.message, "more than 64 of them here");
    assert_int_equal(say(&gc, TG_UPSTREAM_SCALE, "url=http://10.0.0.1/ idle=1s",
                         &err), TG_ERROR);
    assert_string_equal(err.message, "more than 4 of them here");
    (void) state;
}


static void
test_a_server_that_is_not_there_is_told_with_those_that_are(void **state)
{
    char             servers[SERVERS_MAX][80];
    tg_str_t         list[SERVERS_MAX];
    tg_error_t       err = { 0 };
    tg_group_conf_t  gc;

    begin(&gc);
    said(&gc, TG_UPSTREAM_BACKEND, "10.0.0.9:8000 gpus=1");
    assert_int_equal(finish(&gc, "10.0.0.5:8000 10.0.0.5:8000 10.0.0.6:8000",
                            &err), TG_ERROR);
    assert_string_equal(err.message, "upstream \"gpu\" has no server"
                        " \"10.0.0.9:8000\", which llm_backend (LLMBackend)"
                        " names; it has 10.0.0.5:8000, 10.0.0.6:8000");

    for (unsigned i = 0; i < SERVERS_MAX; i++) {
        (void) snprintf(servers[i], sizeof(servers[i]),
                        "a-long-name-of-a-server-number-%u:8000", i);
        list[i] = tg_strz(servers[i]);
    }

    assert_int_equal(tg_group_conf_finish(&gc, list, SERVERS_MAX, &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "number-0:8000, a-long-name"));
    assert_string_equal(err.message + strlen(err.message) - 5, ", ...");

    begin(&gc);
    said(&gc, TG_UPSTREAM_DCGM, "url=http://dcgm.internal:9400/metrics");
    assert_int_equal(finish(&gc, "10.0.0.5:8000", &err), TG_ERROR);
    assert_non_null(strstr(err.message, "say which with server="));

    begin(&gc);
    said(&gc, TG_UPSTREAM_DCGM, "url=http://dcgm/ server=10.0.0.4");
    assert_int_equal(finish(&gc, "10.0.0.5:8000", &err), TG_ERROR);
    assert_non_null(strstr(err.message, "there are 10.0.0.5:8000"));
    (void) state;
}


static void
test_what_has_no_effect_is_warned_of(void **state)
{
    static const struct {
        const char  *check, *balance, *backend, *backend2, *scale;
        const char  *servers;
        const char  *part;      /* NULL: nothing */
    } cases[] = {
        { "", "least_load", "type=vllm gpu_cost=1/hour instead_of=gpt-4o", NULL,
          "url=https://h/ idle=1m saturated=1m", "a:1 b:1", NULL },
        { "slow_start=10s", "prefix_affinity", NULL, NULL, NULL, "a:1 b:1",
          NULL },
        { "stall=1s", NULL, NULL, NULL, NULL, "a:1 b:1",
          "shorter than two intervals" },
        { "max_ejected=100%", NULL, NULL, NULL, NULL, "a:1 b:1",
          "max_ejected=100%" },
        { "slow_start=1s", NULL, NULL, NULL, NULL, "a:1 b:1",
          "slow_start= has no effect" },
        { NULL, "least_load", NULL, NULL, NULL, "a:1 b:1",
          "calls under way alone" },
        { "off", "least_load", NULL, NULL, NULL, "a:1 b:1",
          "calls under way alone" },
        { "", "least_load", NULL, NULL, NULL, "10.0.0.5:8000 10.0.0.5:8000",
          "no effect with one server" },
        { "", NULL, "type=ollama metrics=/m", NULL, NULL, "a:1 b:1",
          "no metrics are known" },
        { "", NULL, "type=vllm instead_of=gpt-4o", NULL, NULL, "a:1 b:1",
          "compares with nothing" },
        { "", NULL, "a:1 type=vllm instead_of=gpt-4o", NULL, NULL, "a:1 b:1",
          "server a:1: instead_of=" },
        { "", NULL, "gpu_cost=1/hour", "b:1 type=vllm", NULL, "a:1 b:1",
          "server b:1 has no gpu_cost=" },
        { "", NULL, "cost=prices", NULL, NULL, "a:1 b:1",
          "cost=prices has no effect" },
        { "", NULL, "a:1 gpus=1", "gpus=1", NULL, "a:1",
          "holds for none" },
        { "", NULL, NULL, NULL, "url=https://h/ idle=1m keep=2", "a:1 b:1",
          "keep=2 is all servers" },
        { "", NULL, "type=openai", NULL, "url=https://h/ saturated=1m",
          "a:1 b:1", "saturated= has no effect" },
        { "", NULL, "type=openai capacity=8", NULL,
          "url=https://h/ saturated=1m", "a:1 b:1", NULL },
        { NULL, NULL, NULL, NULL, "url=https://h/ idle=1m", "a:1 b:1",
          "calls that pass here alone" }
    };

    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        const char *const  line[] = {
            cases[k].backend, cases[k].backend2, cases[k].check,
            cases[k].balance, cases[k].scale
        };
        const tg_upstream_directive_t  id[] = {
            TG_UPSTREAM_BACKEND, TG_UPSTREAM_BACKEND, TG_UPSTREAM_HEALTH_CHECK,
            TG_UPSTREAM_BALANCE, TG_UPSTREAM_SCALE
        };

        unsigned         i = 0;
        tg_error_t       err = { 0 };
        tg_group_conf_t  gc;

        begin(&gc);
        for (unsigned n = 0; n < 5; n++) {
            if (line[n] != NULL) {
                said(&gc, id[n], line[n]);
            }
        }
        assert_int_equal(finish(&gc, cases[k].servers, &err), TG_OK);

        if (!tg_group_conf_warning(&gc, &i, &err)) {
            err.message[0] = '\0';
        } else if (cases[k].part == NULL
                   || strstr(err.message, cases[k].part) == NULL)
        {
            fail_msg("%zu: warned of \"%s\"", k, err.message);
        } else {
            assert_memory_equal(err.message, "upstream \"gpu\": ", 16);
        }

        if (cases[k].part != NULL && err.message[0] == '\0') {
            fail_msg("%zu: no warning of \"%s\"", k, cases[k].part);
        }

        if (tg_group_conf_warning(&gc, &i, &err)) {
            fail_msg("%zu: and \"%s\"", k, err.message);
        }
    }

    (void) state;
}


static void
test_an_upstream_of_which_nothing_is_said_is_not_warned_of(void **state)
{
    unsigned         i = 0;
    tg_error_t       err;
    tg_group_conf_t  gc;

    begin(&gc);
    assert_int_equal(finish(&gc, "a:1", &err), TG_OK);
    assert_false(tg_group_conf_warning(&gc, &i, &err));
    assert_ptr_equal(tg_group_conf_backend(&gc, tg_str("a:1")), &gc.rest);
    (void) state;
}


/* The first allocation that fails is told, whichever it is. */
typedef struct {
    tg_mem_t  *mem;
    unsigned   left;
} scarce_t;


static void *
scarce(void *pool, size_t size)
{
    scarce_t  *s = pool;

    return s->left == 0 ? NULL : (s->left--, tg_alloc(s->mem, size));
}


static void
test_no_memory_is_told(void **state)
{
    static const struct {
        tg_upstream_directive_t   id;
        const char               *line;
    } cases[] = {
        { TG_UPSTREAM_BACKEND, "a:1 instead_of=x health=/h metrics=/m" },
        { TG_UPSTREAM_HEALTH_CHECK, "host=x" },
        { TG_UPSTREAM_BALANCE, "prefix_affinity key=$x" },
        { TG_UPSTREAM_DCGM, "url=http://h/ server=a:1" },
        { TG_UPSTREAM_SCALE, "url=http://h/ secret=file:/x idle=1m" }
    };

    scarce_t  s = { tg_arena_mem(arena), 0 };
    tg_mem_t  mem = { scarce, &s };

    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        int       rc = TG_ERROR;
        tg_str_t  args[TG_ARGS_MAX];
        unsigned  n = words(cases[k].line, args, TG_ARGS_MAX);

        for (unsigned room = 0; rc != TG_OK; room++) {
            tg_error_t       err = { 0 };
            tg_group_conf_t  gc;

            begin(&gc);
            s.left = room;
            assert_true(room < 16);
            rc = tg_group_conf_add(&gc, &mem, cases[k].id, args, n, NULL, NULL,
                                   &err);
            assert_true(rc == TG_OK
                        || strcmp(err.message, "no memory") == 0);
            assert_true(rc == TG_OK || room < 16);
        }
    }

    (void) state;
}


static void
test_the_state_s_file_and_the_status_format(void **state)
{
    tg_str_t            args[2] = { tg_str("run/backends"), tg_str("") };
    tg_str_t            file = tg_str_null;
    tg_error_t          err;
    tg_status_format_t  format;

    assert_int_equal(tg_upstream_state(args, 1, tg_arena_mem(arena), full_name,
                                       (void *) (uintptr_t) "/etc/x", &file,
                                       &err), TG_OK);
    assert_str(file, "/etc/x/run/backends");
    assert_int_equal(tg_upstream_state(args, 1, tg_arena_mem(arena), full_name,
                                       (void *) (uintptr_t) "/etc/x", &file,
                                       &err), TG_ERROR);
    assert_string_equal(err.message, "is given twice");

    file = tg_str_null;
    assert_int_equal(tg_upstream_state(args + 1, 1, tg_arena_mem(arena), NULL,
                                       NULL, &file, &err), TG_ERROR);

    assert_int_equal(tg_status_format(NULL, 0, false, &format, &err), TG_OK);
    assert_int_equal(format, TG_STATUS_JSON);
    args[0] = tg_str("format=prometheus");
    assert_int_equal(tg_status_format(args, 1, false, &format, &err), TG_OK);
    assert_int_equal(format, TG_STATUS_PROMETHEUS);
    args[0] = tg_str("format=xml");
    assert_int_equal(tg_status_format(args, 1, false, &format, &err), TG_ERROR);
    args[0] = tg_str("prometheus");
    assert_int_equal(tg_status_format(args, 1, false, &format, &err), TG_ERROR);
    assert_string_equal(err.message, "unknown parameter \"prometheus\"; known"
                        " are format=");
    (void) state;
}


static void
test_each_directive_has_both_spellings_and_help(void **state)
{
    for (int i = 0; i < TG_UPSTREAM_DIRECTIVES; i++) {
        const tg_directive_t  *d = &tg_upstream_directives[i];

        assert_memory_equal(d->nginx_name, "llm_", 4);
        assert_memory_equal(d->httpd_name, "LLM", 3);
        assert_true(d->contexts != 0 && d->least <= d->most);
        assert_true(d->most < TG_ARGS_MAX);
        assert_true(strlen(d->help) > 40);
    }

    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_what_is_not_said_has_its_default),
        cmocka_unit_test(test_a_check_is_as_its_words_say),
        cmocka_unit_test(test_an_hour_of_gpus_is_exact_to_the_nano_dollar),
        cmocka_unit_test(
            test_a_server_has_its_own_words_and_none_of_the_others),
        cmocka_unit_test(test_a_server_is_told_however_it_is_written),
        cmocka_unit_test(test_calls_are_spread_as_it_says),
        cmocka_unit_test(test_exporters_and_hooks_add_up),
        cmocka_unit_test(test_bad_words_are_told_with_what_is_known),
        cmocka_unit_test(test_twice_is_once_too_often),
        cmocka_unit_test(test_there_may_be_so_many_and_no_more),
        cmocka_unit_test(
            test_a_server_that_is_not_there_is_told_with_those_that_are),
        cmocka_unit_test(test_what_has_no_effect_is_warned_of),
        cmocka_unit_test(
            test_an_upstream_of_which_nothing_is_said_is_not_warned_of),
        cmocka_unit_test(test_no_memory_is_told),
        cmocka_unit_test(test_the_state_s_file_and_the_status_format),
        cmocka_unit_test(test_each_directive_has_both_spellings_and_help)
    };

    return cmocka_run_group_tests_name("group_conf", tests, setup, teardown);
}
