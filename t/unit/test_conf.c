#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_conf.h"

#include <stdio.h>

static tg_arena_t  *arena;


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;
    arena = tg_arena_create(0);

    return tg_dialect_setup(tg_arena_mem(arena), &err);
}


static int
teardown(void **state)
{
    (void) state;
    tg_arena_destroy(arena);

    return 0;
}


/* "a b c" as arguments of a directive. */
static int
say(tg_conf_t *conf, tg_scope_t *scope, tg_directive_id_t id, const char *line,
    tg_error_t *err)
{
    tg_str_t     args[32];
    unsigned     n = 0;
    const char  *end;

    while (*line != '\0') {
        end = strchr(line, ' ');
        if (end == NULL) {
            end = line + strlen(line);
        }
        args[n++] = tg_str_of(line, (size_t) (end - line));
        line = *end == ' ' ? end + 1 : end;
    }

    return tg_conf_directive(conf, scope, id, args, n, err);
}


static void
test_bad_words_are_told_with_what_is_known(void **state)
{
    static const struct {
        tg_directive_id_t   id;
        const char         *line;
        const char         *part;
    } cases[] = {
        { TG_DIRECTIVE_ENABLE, "yes", "takes on, off or dry_run" },
        { TG_DIRECTIVE_ENABLE, "on on_disconnect=later", "drain:<time>" },
        { TG_DIRECTIVE_ENABLE, "on on_disconnect=drain:0", "drain:<time>" },
        { TG_DIRECTIVE_ENABLE, "on unknown=maybe", "pass or reject" },
        { TG_DIRECTIVE_ENABLE, "on foo=1", "unknown parameter \"foo=1\"" },
        { TG_DIRECTIVE_ENABLE, "", "takes: on | off" },
        { TG_DIRECTIVE_LOG, "x buffer=1k", "from 64k to 64m" },
        { TG_DIRECTIVE_LOG, "x flush=1x", "takes a time" },
        { TG_DIRECTIVE_LOG, "x format=xml", "json or underscore" },
        { TG_DIRECTIVE_LOG, "off format=json", "stands alone" },
        { TG_DIRECTIVE_TAG, "t!m from=$x", "letters, digits" },
        { TG_DIRECTIVE_TAG, "team required", "needs from=" },
        { TG_DIRECTIVE_TAG, "team from=cookie:x", "unknown source" },
        { TG_DIRECTIVE_TAG, "team from=$a,,$b", "empty source" },
        { TG_DIRECTIVE_TAG, "team from=json:x", "json:<header>:<field>" },
        { TG_DIRECTIVE_PROVIDER, "a dialect=nobody url=http://x",
          "unknown dialect \"nobody\"" },
        { TG_DIRECTIVE_PROVIDER, "a url=ftp://x", "http:// or https://" },
        { TG_DIRECTIVE_PROVIDER, "a", "needs url=" },
        { TG_DIRECTIVE_PROVIDER, "a url=http://x stream_usage=on",
          "inject or off" },
        { TG_DIRECTIVE_QUOTA, "q per=key usd=1", "lacks its window" },
        { TG_DIRECTIVE_QUOTA, "q per=key usd=1/day when=x", "unknown name" },
        { TG_DIRECTIVE_KEYS, "k.json deny=x", "known is allow=" },
        { TG_DIRECTIVE_KEYS, "k.json allow=files", "not \"files\"" },
        { TG_DIRECTIVE_KEYS, "k.json allow=batch,", "not \"\"" },
        { TG_DIRECTIVE_LEDGER, "l size=1k", "from 256k" },
        { TG_DIRECTIVE_LEDGER, "l tz=../../etc/passwd", "a time zone" },
        { TG_DIRECTIVE_LEDGER, "l tz=/etc/localtime", "a time zone" },
        { TG_DIRECTIVE_LEDGER, "l full=maybe", "reject or allow" },
        { TG_DIRECTIVE_LEDGER, "l default_output=0", "number of tokens" },
        { TG_DIRECTIVE_LEDGER, "l radish=x", "unknown parameter" },
        { TG_DIRECTIVE_LEDGER, "l redis=x lease=maybe", "not \"maybe\"" },
        { TG_DIRECTIVE_OUTCOME, "on",
          "takes: no argument; too much is \"on\"" },
        { TG_DIRECTIVE_TAG, "team from=$a llm_tag user from=$b",
          "too much is \"user\" and what follows" },
        { TG_DIRECTIVE_PROVIDER, "a dialect=nobody url=http://x", ", ..." }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tg_conf_t   *conf = tg_conf_create(tg_arena_mem(arena));
        tg_scope_t   scope;
        tg_error_t   err = { 0 };

        tg_scope_init(&scope);
        assert_int_equal(say(conf, &scope, cases[i].id, cases[i].line, &err),
                         TG_ERROR);
        if (strstr(err.message, cases[i].part) == NULL) {
            fail_msg("\"%s\" said \"%s\"", cases[i].line, err.message);
        }
    }

    (void) state;
}


static void
test_a_location_inherits_what_it_does_not_say(void **state)
{
    tg_conf_t   *conf = tg_conf_create(tg_arena_mem(arena));
    tg_scope_t   http, server, location;
    tg_error_t   err;

    tg_scope_init(&http);
    tg_scope_init(&server);
    tg_scope_init(&location);

    assert_int_equal(say(conf, &http, TG_DIRECTIVE_LOG, "a.jsonl", &err), 0);
    assert_int_equal(say(conf, &server, TG_DIRECTIVE_ENABLE,
                         "on on_disconnect=drain:1m30s unknown=reject", &err),
                     0);
    assert_int_equal(say(conf, &location, TG_DIRECTIVE_ENABLE, "dry_run",
                         &err), 0);

    tg_scope_merge(&http, &server);
    tg_scope_merge(&server, &location);

    assert_int_equal(http.enable, TG_UNSET);
    assert_int_equal(server.enable, TG_ON);
    assert_int_equal(location.enable, TG_DRY_RUN);
    assert_int_equal(location.drain_ms, 90000);
    assert_int_equal(location.reject_unknown, 1);
    assert_int_equal(location.nlogs, 1);
    assert_true(location.own_enable);

    (void) state;
}


static void
test_times_and_sizes_are_nginx_s(void **state)
{
    assert_int_equal(tg_conf_time(tg_str("500ms")), 500);
    assert_int_equal(tg_conf_time(tg_str("1h30m")), 5400000);
    assert_int_equal(tg_conf_time(tg_str("2")), 2000);
    assert_int_equal(tg_conf_time(tg_str("")), -1);
    assert_int_equal(tg_conf_time(tg_str("s")), -1);
    assert_int_equal(tg_conf_time(tg_str("99999999999s")), -1);
    assert_int_equal(tg_conf_size(tg_str("64k")), 65536);
    assert_int_equal(tg_conf_size(tg_str("2M")), 2097152);
    assert_int_equal(tg_conf_size(tg_str("k")), -1);

    (void) state;
}


static void
test_a_provider_is_found_by_host(void **state)
{
    tg_conf_t   *conf = tg_conf_create(tg_arena_mem(arena));
    tg_scope_t   scope;
    tg_error_t   err;

    tg_scope_init(&scope);
    assert_null(tg_conf_provider(conf, tg_str("x")));

    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_PROVIDER,
                         "gpu url=http://VLLM.local:8000/v1 dialect=vllm",
                         &err), 0);
    assert_null(tg_conf_provider(conf, tg_str("x")));
    assert_string_equal(tg_conf_provider(conf,
                            tg_str("vllm.local:8000"))->name.p, "gpu");

    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_PROVIDER,
                         "default stream_usage=off", &err), 0);
    assert_string_equal(tg_conf_provider(conf, tg_str("x"))->name.p,
                        "default");
    assert_false(tg_conf_provider(conf, tg_str("x"))->inject);

    assert_true(tg_str_eq(tg_conf_host(tg_str("https://[::1]:8/x")),
                          tg_str("[::1]")));

    (void) state;
}


static void
test_what_cannot_work_is_warned_of(void **state)
{
    tg_conf_t   *conf = tg_conf_create(tg_arena_mem(arena));
    tg_error_t   w;
    unsigned     i = 0;

    assert_true(tg_conf_warning(conf, true, false, &i, &w));
    assert_non_null(strstr(w.message, "no cost line"));
    assert_true(tg_conf_warning(conf, true, false, &i, &w));
    assert_non_null(strstr(w.message, "no price list"));
    assert_false(tg_conf_warning(conf, true, false, &i, &w));

    (void) state;
}


/* The hash of a configuration that has this line alone. */
static uint64_t
hash_of(const char *line)
{
    tg_conf_t   *conf = tg_conf_create(tg_arena_mem(arena));
    tg_error_t   err;
    tg_scope_t   scope;

    tg_scope_init(&scope);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_LEDGER, line, &err),
                     TG_OK);

    return conf->hash;
}


static void
test_hosts_of_a_fleet_have_one_hash(void **state)
{
    (void) state;

    assert_int_equal(hash_of("/l redis=r fleet=f node=a"),
                     hash_of("/l redis=r fleet=f node=b"));
    assert_int_equal(hash_of("/l redis=r node=a fleet=f"),
                     hash_of("/l redis=r fleet=f"));
    assert_int_not_equal(hash_of("/l redis=r fleet=f"),
                         hash_of("/l redis=r fleet=g"));
}


static void
test_quotas_need_a_ledger_and_a_subject(void **state)
{
    tg_conf_t   *conf = tg_conf_create(tg_arena_mem(arena));
    tg_scope_t   scope;
    tg_error_t   err;
    unsigned     i = 0;

    tg_scope_init(&scope);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_QUOTA,
                         "month per=team requests=5/month", &err), TG_OK);
    assert_int_equal(tg_conf_finish(conf, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "quota \"month\" has nothing to count"
                                        " in"));

    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_LEDGER,
                         "l size=1m tz=Europe/Berlin full=allow"
                         " default_output=4096", &err), TG_OK);
    assert_int_equal(conf->ledger.size, 1048576);
    assert_int_equal(conf->ledger.default_output, 4096);
    assert_true(conf->ledger.full_allows);
    assert_int_equal(tg_conf_finish(conf, &err), TG_OK);
    assert_string_equal(conf->quotas.zone.p, "Europe/Berlin");

    assert_true(tg_conf_warning(conf, true, true, &i, &err));
    assert_non_null(strstr(err.message, "no price list"));
    assert_true(tg_conf_warning(conf, true, true, &i, &err));
    assert_non_null(strstr(err.message, "per team, but"));
    assert_false(tg_conf_warning(conf, true, true, &i, &err));
    assert_false(tg_conf_warning(conf, true, true, &i, &err));

    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_KEYS,
                         "k.json allow=batch,unknown", &err), TG_OK);
    assert_int_equal(conf->keys.allow, 1u << TG_OP_BATCH | 1u << TG_OP_UNKNOWN);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_KEYS, "k.json", &err),
                     TG_ERROR);
    i = 3;
    assert_false(tg_conf_warning(conf, true, true, &i, &err));
    tg_conf_destroy(conf);

    (void) state;
}


/* What a server writes beside its ledger, llmctl reads. */
static void
test_what_was_said_is_said_again(void **state)
{
    tg_mem_t      *mem = tg_arena_mem(arena);
    tg_str_t       text, again;
    tg_conf_t     *conf = tg_conf_create(mem), *copy = tg_conf_create(mem);
    tg_scope_t     scope;
    tg_error_t     err;
    tg_str_t       args[3];

    tg_scope_init(&scope);
    args[0] = tg_str("odd");
    args[1] = tg_str("per=all");
    args[2] = tg_str("requests=5/day");
    assert_int_equal(tg_conf_directive(conf, &scope, TG_DIRECTIVE_QUOTA, args,
                                       3, &err), TG_OK);
    args[0] = tg_str("/a \"b\"\\n\n\t;\xff\xc3\xa4#{$x}\\");
    assert_int_equal(tg_conf_directive(conf, &scope, TG_DIRECTIVE_LEDGER, args,
                                       1, &err), TG_OK);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_PRICES, "/a /b", &err),
                     TG_OK);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_PRICES, "/c", &err),
                     TG_OK);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_TAG,
                         "team from=header:x-team,key", &err), TG_OK);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_ENABLE, "on", &err),
                     TG_OK);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_LOG, "/log flush=0", &err),
                     TG_OK);
    assert_int_equal(tg_conf_finish(conf, &err), TG_OK);

    text = tg_conf_text(conf, mem);
    assert_true(text.len > 0);
    assert_null(strstr(text.p, "llm \"on\""));
    assert_int_equal(tg_conf_read(copy, text, &err), TG_OK);
    assert_int_equal(tg_conf_finish(copy, &err), TG_OK);

    assert_true(tg_str_eq(copy->ledger.file, args[0]));
    assert_int_equal(copy->nprices, 3);
    assert_true(tg_str_eq(copy->prices[2], tg_str("/c")));
    assert_int_equal(copy->quotas.n, 1);
    assert_int_equal(copy->tags[0].nsources, 2);
    assert_memory_equal(copy->quotas.list[0]->limits[0].prefix,
                        conf->quotas.list[0]->limits[0].prefix,
                        conf->quotas.list[0]->limits[0].prefix_len);

    again = tg_conf_text(copy, mem);
    assert_true(tg_str_eq(again, text));

    (void) state;
}


static void
test_a_text_that_is_cut_or_strange_is_not_read(void **state)
{
    static const char  *const bad[] = {
        "llm_tag \"a\" \"from=key\"", "llm_tag \"a\" \"from=key\"\n",
        "llm_tag \"a\" \"from=key;\n", "llm_tag \"a\\\n", "llm_tag a;\n",
        "llm_nothing \"a\";\n", "llm_tag \"a\";\n", "\"\n", "llm_tag  ;\n",
        "llm_tag \"a\" \"from=key\"; \n", "llm_tag\n"
    };

    tg_error_t  err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tg_conf_t  *conf = tg_conf_create(tg_arena_mem(arena));
        char        text[80];

        (void) snprintf(text, sizeof(text), "# so\n\n%s", bad[i]);

        if (tg_conf_read(conf, tg_strz(text), &err) == TG_OK) {
            fail_msg("it takes: %s", bad[i]);
        }

        assert_int_equal(err.offset, 3);
        assert_non_null(strstr(err.message, "line 3"));
    }

    (void) state;
}


static tg_str_t
below_root(void *data, tg_str_t name)
{
    static char  full[64];

    if (name.p[0] == '!') {
        return tg_str_null;
    }

    (void) snprintf(full, sizeof(full), "%s%.*s", (const char *) data,
                    (int) name.len, name.p);

    return tg_strz(full);
}


static void
test_names_of_files_are_the_servers_to_complete(void **state)
{
    tg_conf_t   *conf = tg_conf_create(tg_arena_mem(arena));
    tg_scope_t   scope;
    tg_error_t   err;

    tg_scope_init(&scope);
    conf->full_name = below_root;
    conf->full_name_data = "/etc/";

    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_PRICES, "a b", &err), 0);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_KEYS, "c", &err), 0);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_LEDGER, "d", &err), 0);
    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_PROVIDER,
                         "p url=https://x key=file:e", &err), 0);

    assert_string_equal(conf->prices[0].p, "/etc/a");
    assert_string_equal(conf->prices[1].p, "/etc/b");
    assert_string_equal(conf->keys.file.p, "/etc/c");
    assert_string_equal(conf->ledger.file.p, "/etc/d");
    assert_string_equal(conf->providers[0].key_file.p, "/etc/e");
    assert_non_null(strstr(tg_conf_text(conf, tg_arena_mem(arena)).p,
                           "llm_prices \"/etc/a\" \"/etc/b\";\n"
                           "llm_keys \"/etc/c\";\n"
                           "llm_ledger \"/etc/d\";\n"));

    assert_int_equal(say(conf, &scope, TG_DIRECTIVE_PRICES, "!", &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "bad file name \"!\""));

    (void) state;
}


static void
test_each_directive_has_both_spellings_and_help(void **state)
{
    for (int i = 0; i < TG_DIRECTIVES; i++) {
        const tg_directive_t  *d = &tg_directives[i];

        assert_memory_equal(d->nginx_name, "llm", 3);
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
        cmocka_unit_test(test_bad_words_are_told_with_what_is_known),
        cmocka_unit_test(test_a_location_inherits_what_it_does_not_say),
        cmocka_unit_test(test_times_and_sizes_are_nginx_s),
        cmocka_unit_test(test_a_provider_is_found_by_host),
        cmocka_unit_test(test_what_cannot_work_is_warned_of),
        cmocka_unit_test(test_hosts_of_a_fleet_have_one_hash),
        cmocka_unit_test(test_quotas_need_a_ledger_and_a_subject),
        cmocka_unit_test(test_what_was_said_is_said_again),
        cmocka_unit_test(test_a_text_that_is_cut_or_strange_is_not_read),
        cmocka_unit_test(test_names_of_files_are_the_servers_to_complete),
        cmocka_unit_test(test_each_directive_has_both_spellings_and_help)
    };

    return cmocka_run_group_tests_name("conf", tests, setup, teardown);
}
