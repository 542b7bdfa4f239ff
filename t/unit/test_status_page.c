#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "tg_status_show.h"

#define NOON  INT64_C(1773144000000)            /* 2026-03-10T12:00Z */
#define DAY   INT64_C(86400000)

typedef struct {
    char    *text;
    size_t   len;
} shown_t;

typedef struct {
    tg_arena_t         *arena;
    tg_status_facts_t   facts;
} scene_t;


static int
take(void *data, const char *p, size_t n)
{
    shown_t  *s = data;

    s->text = realloc(s->text, s->len + n + 1);
    memcpy(s->text + s->len, p, n);
    s->len += n;
    s->text[s->len] = '\0';

    return 0;
}


static void
begin(scene_t *s)
{
    tg_error_t   err;
    tg_conf_t   *conf;

    memset(s, 0, sizeof(*s));
    s->arena = tg_arena_create(0);
    conf = tg_conf_create(tg_arena_mem(s->arena));
    conf->node = tg_str("edge-1<&>");
    assert_int_equal(tg_conf_finish(conf, &err), TG_OK);

    s->facts.conf = conf;
    s->facts.tally = calloc(1, sizeof(tg_tally_t));
    s->facts.wall_ms = NOON;
    tg_tally_init(s->facts.tally, NOON - DAY,
                  (const unsigned char *) "0123456789abcdef0123456789abcdef");
}


static void
end(scene_t *s)
{
    free(s->facts.tally);
    tg_conf_destroy((tg_conf_t *) (uintptr_t) s->facts.conf);
    tg_arena_destroy(s->arena);
}


static shown_t
show(const scene_t *s, tg_status_format_t format)
{
    shown_t  shown = { NULL, 0 };

    assert_int_equal(tg_status_page(&s->facts, format, take, &shown), TG_OK);

    return shown;
}


static void
spend(scene_t *s, tg_str_t team, int64_t cost, int64_t at)
{
    tg_spent_t  spent = {
        .name = { team, tg_str("k1"), tg_str("gpt"), tg_str("openai") },
        .cost = cost, .admitted = at, .now = at
    };

    tg_spend_count(&s->facts.tally->spend, NULL, NULL, &spent);
}


static void
same_hash(const tg_header_t *csp, const char *directive, const char *text)
{
    char           want[128];
    unsigned char  md[SHA256_DIGEST_LENGTH], b64[64];

    (void) SHA256((const unsigned char *) text, strlen(text), md);
    (void) EVP_EncodeBlock(b64, md, sizeof(md));
    (void) snprintf(want, sizeof(want), "%s 'sha256-%s'", directive,
                    (char *) b64);

    if (strstr(csp->value.p, want) == NULL) {
        fail_msg("the policy has to have %s", want);
    }
}


static void
test_the_policy_knows_the_script_and_the_style(void **state)
{
    bool         found = false;
    unsigned     n;
    tg_header_t  h[TG_STATUS_HEADERS_MAX];

    (void) state;

    n = tg_status_headers(TG_STATUS_HTML, h);

    for (unsigned i = 0; i < n; i++) {
        if (tg_str_eq(h[i].name, tg_str("content-security-policy"))) {
            found = true;
            same_hash(&h[i], "script-src", tg_status_script);
            same_hash(&h[i], "style-src", tg_status_style);
            assert_null(strstr(h[i].value.p, "unsafe"));
        }
    }

    assert_true(found);

    /* Nor could they end their elements. */

    assert_null(strstr(tg_status_script, "</"));
    assert_null(strchr(tg_status_style, '<'));
}


static void
test_names_are_escaped(void **state)
{
    char     emoji[97];
    scene_t  s;
    shown_t  page;

    (void) state;

    begin(&s);

    for (int i = 0; i < 24; i++) {
        memcpy(emoji + 4 * i, "\xf0\x9f\x92\xb8", 5);
    }

    spend(&s, tg_str("<script>alert(1)</script>"), 1, NOON);
    spend(&s, tg_str("\" onload='x' &"), 1, NOON);
    spend(&s, tg_str("a\xe2\x80\xaegnp.exe\xff\x01"), 1, NOON);
    spend(&s, tg_strz(emoji), 1, NOON);

    page = show(&s, TG_STATUS_HTML);
    assert_null(strstr(page.text, "<script>alert"));
    assert_non_null(strstr(page.text, "<bdi>&lt;script&gt;alert(1)&lt;/script"
                                      "&gt;</bdi>"));
    assert_non_null(strstr(page.text, "data-k=\"=&quot; onload=&#39;x&#39;"
                                      " &amp;\""));
    assert_null(strstr(page.text, "\xe2\x80\xae"));
    assert_non_null(strstr(page.text, "<bdi>a\xef\xbf\xbdgnp.exe\xef\xbf\xbd"
                                      "\xef\xbf\xbd</bdi>"));
    assert_non_null(strstr(page.text, emoji));
    assert_non_null(strstr(page.text, "edge-1&lt;&amp;&gt;"));
    free(page.text);
    end(&s);
}


static void
dollars(int64_t nusd, const char *exact, const char *about)
{
    shown_t    shown = { NULL, 0 };
    tg_page_t  pg;

    tg_page_init(&pg, take, &shown);
    tg_html_usd(&pg, nusd);
    tg_html_raw(&pg, "|");
    tg_html_usd_about(&pg, nusd);
    assert_int_equal(tg_page_end(&pg), TG_OK);

    assert_non_null(strstr(shown.text, exact));
    assert_non_null(strstr(strchr(shown.text, '|'), about));
    free(shown.text);
}


static void
test_dollars_are_exact(void **state)
{
    (void) state;

    dollars(0, "value=\"0\">$0.00<small></small>", "$0.00<");
    dollars(1, "value=\"0.000000001\">$0.00<small>0000001</small>", "$0.00<");
    dollars(1234567890123, "value=\"1234.567890123\">$1,234.56"
                           "<small>7890123</small>", "$1,234.57<");
    dollars(-2500000000, "value=\"-2.5\">\xe2\x88\x92$2.50<", "$2.50<");
    dollars(12345678, "$0.01<small>2345678</small>",
            "$0.01<small>23</small>");
    dollars(INT64_MAX, "$9,223,372,036.85<small>4775807</small>",
            "$9,223,372,036.85<");
    dollars(INT64_MIN, "$9,223,372,036.85<small>4775808</small>",
            "$9,223,372,036.85<");
}


static int64_t
number(json_t *o, const char *name)
{
    json_t  *v = json_object_get(o, name);

    assert_true(json_is_integer(v));

    return json_integer_value(v);
}


/* Made up by clients for months: the page stays small, the sums exact. */
static void
test_the_page_stays_small(void **state)
{
    char      name[64];
    json_t   *root, *spent, *team, *one, *others;
    size_t    i;
    int64_t   sum = 0;
    scene_t   s;
    shown_t   page;

    (void) state;

    begin(&s);

    for (int k = 0; k < 30000; k++) {
        (void) snprintf(name, sizeof(name), "<%d>&&&&&&&&&&&&&&&&&&&&&&", k);
        spend(&s, tg_strz(name), 1000 + k, NOON - (k % 3) * DAY);
    }

    page = show(&s, TG_STATUS_HTML);
    assert_true(page.len < 128 * 1024);
    free(page.text);

    page = show(&s, TG_STATUS_JSON);
    assert_true(page.len < 64 * 1024);
    root = json_loads(page.text, 0, NULL);
    assert_non_null(root);
    spent = json_object_get(root, "spend");
    team = json_object_get(json_object_get(spent, "by"), "team");
    others = json_object_get(team, "others");

    json_array_foreach(json_object_get(team, "top"), i, one) {
        sum += number(one, "month_nusd");
    }

    assert_int_equal(i, TG_STATUS_TOP);
    assert_true(json_is_true(json_object_get(others, "overflow")));
    sum += number(others, "month_nusd");
    assert_int_equal(sum, number(spent, "month_nusd"));
    assert_int_equal(sum, INT64_C(30000) * 1000
                          + INT64_C(30000) * 29999 / 2);
    json_decref(root);
    free(page.text);
    end(&s);
}


/* Of the same figures, the same digits. */
static void
test_both_forms_say_the_same(void **state)
{
    char      want[64];
    json_t   *root, *spent;
    scene_t   s;
    shown_t   html, json;

    (void) state;

    begin(&s);
    spend(&s, tg_str("a"), 1234567891, NOON);
    spend(&s, tg_str("b"), 77000000003, NOON - DAY);
    html = show(&s, TG_STATUS_HTML);
    json = show(&s, TG_STATUS_JSON);
    root = json_loads(json.text, 0, NULL);
    spent = json_object_get(root, "spend");

    assert_int_equal(number(spent, "today_nusd"), 1234567891);
    assert_int_equal(number(spent, "yesterday_nusd"), 77000000003);
    assert_int_equal(number(spent, "month_nusd"), 78234567894);
    (void) snprintf(want, sizeof(want), "<dd id=\"today\"><data value=\""
                                        "1.234567891\">");
    assert_non_null(strstr(html.text, want));
    assert_non_null(strstr(html.text, "<dd id=\"month\"><data value=\""
                                      "78.234567894\">"));

    json_decref(root);
    free(html.text);
    free(json.text);
    end(&s);
}


static int
refuse(void *data, const char *p, size_t n)
{
    (void) data;
    (void) p;
    (void) n;

    return 1;
}


static void
test_who_hangs_up_is_told_of(void **state)
{
    scene_t  s;

    (void) state;

    begin(&s);
    assert_int_equal(tg_status_page(&s.facts, TG_STATUS_HTML, refuse, NULL),
                     TG_ERROR);
    end(&s);
}


static void
test_a_fleets_names_add_up(void **state)
{
    shown_t           shown;
    scene_t           s;
    tg_fleet_view_t  *view = calloc(1, sizeof(*view));
    const unsigned    d = TG_SPEND_TEAM;

    (void) state;

    begin(&s);
    view->at = NOON;

    for (unsigned i = 0; i < TG_STATUS_TOP + 2; i++) {
        view->top[d][i].len = 1;
        view->top[d][i].name[0] = (char) ('a' + i);
        view->top[d][i].sum.month = 7000000000;
    }

    view->n[d] = TG_STATUS_TOP + 2;
    view->rest[d].sum.month = 3000000000;
    tg_fleet_board_put(&s.facts.tally->fleet, view);

    shown = show(&s, TG_STATUS_HTML);
    assert_non_null(strstr(shown.text, "<bdi>l</bdi>"));
    assert_null(strstr(shown.text, "<bdi>m</bdi>"));
    assert_non_null(strstr(shown.text, "<th scope=\"row\">others"));
    assert_non_null(strstr(shown.text, "<data value=\"17\">"));

    free(shown.text);
    free(view);
    end(&s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_the_policy_knows_the_script_and_the_style),
        cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_dollars_are_exact),
        cmocka_unit_test(test_the_page_stays_small),
        cmocka_unit_test(test_both_forms_say_the_same),
        cmocka_unit_test(test_who_hangs_up_is_told_of),
        cmocka_unit_test(test_a_fleets_names_add_up)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
