#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cut.h"
#include "engine_texts.h"
#include "tg_dcgm.h"

typedef struct {
    int64_t  gpus, util, used, free, power;     /* -1: not known */
} want_t;


static tg_gpu_facts_t
read_page(tg_str_t page, const char *gpus, const char *host, cut_t cut)
{
    size_t           n;
    tg_error_t       err;
    tg_dcgm_conf_t   dc;
    tg_gpu_facts_t   facts;
    tg_dcgm_read_t  *dr = malloc(sizeof(*dr));

    assert_non_null(dr);
    memset(dr, 0xa5, sizeof(*dr));
    memset(&dc, 0, sizeof(dc));

    for ( ; *gpus != '\0'; gpus++) {
        dc.gpu[dc.ngpus++] = (uint16_t) (*gpus - '0');
    }

    if (strstr(host, "://") != NULL) {
        dc.url = tg_strz(host);

    } else {
        dc.server = tg_strz(host);
    }

    tg_dcgm_begin(dr, &dc);

    for (size_t at = 0; at < page.len; at += n) {
        n = cut_piece(cut, at, page.len);
        assert_int_equal(tg_dcgm_feed(dr, page.p + at, n), TG_OK);
    }

    assert_int_equal(tg_dcgm_end(dr, &facts, &err), TG_OK);
    free(dr);

    return facts;
}


static void
check(tg_str_t page, const char *gpus, const char *host, want_t w)
{
    cut_t           cut = { 0, 0 };
    tg_gpu_facts_t  f;

    for (size_t at = 0; at <= page.len; at++) {
        cut.at = at;
        cut.size = at == page.len;

        f = read_page(page, gpus, host, cut);

        assert_int_equal(f.known & 1u ? f.util : -1, w.util);
        assert_int_equal(f.known & 2u ? f.memory_used : -1, w.used);
        assert_int_equal(f.known & 4u ? f.memory_free : -1, w.free);
        assert_int_equal(f.known & 8u ? f.power_mw : -1, w.power);
        assert_int_equal(f.known & 16u ? f.gpus : -1, w.gpus);
    }
}


static void
test_gpus_are_summed_and_shared_ones_count_once(void **state)
{
    const tg_str_t  page = tg_str(PAGE_DCGM);

    (void) state;

    check(page, "", "", (want_t) { 2, 690000, 86310, 75690, 512750 });
    check(page, "01", "", (want_t) { 2, 690000, 86310, 75690, 512750 });
    check(page, "0", "gpu-a:8000", (want_t) { 1, 970000, 75310, 5690, 412250 });
    check(page, "1", "elsewhere",
          (want_t) { 1, 410000, 11000, 70000, 100500 });
    check(page, "7", "", (want_t) { -1, -1, -1, -1, -1 });
}


static void
test_slices_are_the_whole_and_draw_power_once(void **state)
{
    (void) state;

    check(tg_str(PAGE_DCGM_MIG), "0", "",
          (want_t) { 2, 500000, 31000, 49000, 300000 });
}


static void
test_hosts_of_one_page_are_told_apart(void **state)
{
    const tg_str_t  page = tg_str(PAGE_DCGM PAGE_DCGM_MIG);

    (void) state;

    check(page, "0", "gpu-a:8000", (want_t) { 1, 970000, 75310, 5690, 412250 });
    check(page, "", "gpu-b", (want_t) { 2, 500000, 31000, 49000, 300000 });
    check(page, "", "http://gpu-b:9400/metrics",
          (want_t) { 2, 500000, 31000, 49000, 300000 });
    check(page, "0", "",
          (want_t) { 3, (970000 + 800000 + 200000) / 3, 106310, 54690,
                     712250 });
}


static void
test_what_is_missing_or_nonsense_is_not_known(void **state)
{
    (void) state;

    check(tg_str(""), "", "", (want_t) { -1, -1, -1, -1, -1 });
    check(tg_str("DCGM_FI_DEV_FB_USED{UUID=\"x\"} 5\n"), "", "",
          (want_t) { -1, -1, -1, -1, -1 });
    check(tg_str("DCGM_FI_DEV_FB_USED{gpu=\"0\"} 7\n"
                 "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\"} NaN\n"
                 "DCGM_FI_DEV_FB_FREE{gpu=\"0\"} 9223372036854775794\n"
                 "DCGM_FI_DEV_POWER_USAGE{gpu=\"0\"} -1\n"
                 "DCGM_FI_DEV_GPU_UTIL{gpu=\"99999\"} 5\n"
                 "DCGM_FI_DEV_GPU_UTIL{gpu=\"0x1\"} 5\n"), "", "",
          (want_t) { 1, -1, 7, -1, -1 });
}


static void
test_more_gpus_than_there_is_room_for_are_left_out(void **state)
{
    size_t          n = 0;
    tg_gpu_facts_t  f;
    static char     page[64 * 1000];

    (void) state;

    for (unsigned i = 0; i < 1000; i++) {
        n += (size_t) snprintf(page + n, sizeof(page) - n,
                               "DCGM_FI_DEV_FB_USED{gpu=\"%u\"} 1\n", i);
    }

    f = read_page(tg_str_of(page, n), "", "", (cut_t) { 0, 100 });
    assert_int_equal(f.gpus, TG_DCGM_SEEN_MAX);
    assert_int_equal(f.memory_used, TG_DCGM_SEEN_MAX);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_gpus_are_summed_and_shared_ones_count_once),
        cmocka_unit_test(test_slices_are_the_whole_and_draw_power_once),
        cmocka_unit_test(test_hosts_of_one_page_are_told_apart),
        cmocka_unit_test(test_what_is_missing_or_nonsense_is_not_known),
        cmocka_unit_test(test_more_gpus_than_there_is_room_for_are_left_out)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
