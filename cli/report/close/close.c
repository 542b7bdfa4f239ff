/* llmctl close: seals a period, and says whether it still is as it was. */

#define _GNU_SOURCE

#include "close.h"
#include "kinds.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_window.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NOON  (INT64_C(43200) * 1000)


/* The month or the day that a word names, by the zone's calendar. */
static bool
period_parse(const char *s, const tg_zone_t *zone, int64_t *since,
    int64_t *until)
{
    char              buf[16];
    int64_t           t, next;
    size_t            len = strlen(s);
    struct tm         tm;
    tg_window_t       w;
    tg_window_spec_t  spec = { len == 7 ? TG_WINDOW_MONTH : TG_WINDOW_DAY, 0 };

    memset(&tm, 0, sizeof(tm));

    if (len != 7 && len != 10) {
        return false;
    }

    (void) snprintf(buf, sizeof(buf), "%s%s", s, len == 7 ? "-15" : "");

    if (strptime(buf, "%Y-%m-%d", &tm) != buf + 10) {
        return false;
    }

    t = (int64_t) timegm(&tm) * 1000 + NOON;
    t -= (int64_t) tg_zone_offset(zone, t / 1000, &next) * 1000;
    tg_window_at(&spec, zone, t, &w);
    *since = w.start;
    *until = w.end;

    return true;
}


static bool
read_all(close_t *c)
{
    c->o.reader.kinds = READER_CALLS;
    c->o.reader.since = c->since;
    c->o.reader.until = c->until;
    seal_want(&c->o.reader.want);

    if (!reader_run(c->o.files, c->o.nfiles, &c->o.reader, seal_line,
                    &c->seal, &c->stats))
    {
        return false;
    }

    if (c->seal.full) {
        return failed("close", "there is no room for the rows, in memory and"
                               " $TMPDIR");
    }

    if (fold_failed(c->seal.nodes)) {
        return fold_too_many("close") == 0;
    }

    seal_sort(&c->seal);

    return true;
}


static bool
hash_now(close_t *c)
{
    tg_str_t      period = tg_strz(c->period), zone = tg_strz(c->zone);
    seal_about_t  about = { &period, &zone, &c->previous_hash, c->since,
                            c->until };

    return seal_hash(&c->seal, &about, c->hash)
           || failed("close", "the rows can't be read again");
}


static int
seal_write(close_t *c)
{
    bool   ok;
    char   money[TG_MONEY_TEXT_MAX];
    FILE  *to = c->o.output == NULL ? stdout : fopen(c->o.output, "wxe");

    if (to == NULL) {
        return fail(c->o.output, errno == EEXIST
                    ? "is there: a seal is never written over another"
                    : strerror(errno));
    }

    ok = manifest_write(c, to) && fflush(to) == 0 && !ferror(to);

    if (to != stdout) {
        ok &= fclose(to) == 0;
    }

    if (!ok && to != stdout) {
        (void) unlink(c->o.output);
    }

    if (ok && to != stdout) {
        printf("%s is sealed: $%.*s, %lld calls, %s\n", c->period,
               (int) tg_money_text(money, c->seal.all.nusd), money,
               (long long) c->seal.all.calls, c->hash);
    }

    if (!c->o.quiet) {
        reader_say(&c->stats);
    }

    return ok ? 0 : fail("close", "the manifest can't be written");
}


static int
seal_period(close_t *c)
{
    if (!period_parse(c->period, c->o.reader.zone, &c->since, &c->until)) {
        return fail("--period", "is a month or a day: 2026-10, 2026-10-31");
    }

    if (c->until > (int64_t) time(NULL) * 1000) {
        return fail(c->period, "is not over");
    }

    if (c->previous != NULL) {
        c->before = manifest_open(c->previous);
        if (c->before == NULL) {
            return 1;
        }

        c->previous_period = manifest_text(c->before, "period");
        c->previous_hash = manifest_text(c->before, "hash");

        if (c->previous_period.len == 0 || !manifest_sound(c->before)) {
            return fail(c->previous, "has been changed since it was sealed");
        }

        if (manifest_int(c->before, "until_ms") != c->since) {
            return fail(c->previous, "is not of the time right before");
        }
    }

    if (!read_all(c) || !hash_now(c)) {
        return 1;
    }

    return seal_write(c);
}


static int
seal_verify(close_t *c)
{
    c->period = manifest_text(c->manifest, "period").p;
    c->since = manifest_int(c->manifest, "since_ms");
    c->until = manifest_int(c->manifest, "until_ms");
    c->previous_hash = manifest_previous(c->manifest);

    if (c->period == NULL || !manifest_sound(c->manifest)) {
        return fail(c->verify, "has been changed since it was sealed");
    }

    if (c->previous != NULL) {
        c->before = manifest_open(c->previous);

        if (c->before == NULL) {
            return 1;
        }

        if (!manifest_sound(c->before)
            || !tg_str_eq(manifest_text(c->before, "hash"), c->previous_hash))
        {
            return fail(c->previous, "is not what this one was sealed upon");
        }
    }

    if (!read_all(c) || !hash_now(c)) {
        return 1;
    }

    return close_compare(c);
}


/* What a word that is among the options says; the manifest's own zone counts
 * for its days. */
static const char *
zone_given(int argc, char **argv)
{
    const char  *found = "UTC";

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--zone=", 7) == 0) {
            found = argv[i] + 7;
        } else if (strcmp(argv[i], "--zone") == 0 && i + 1 < argc) {
            found = argv[i + 1];
        }
    }

    return found;
}


static const char *
manifest_given(int argc, char **argv)
{
    const char  *found = NULL;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--verify=", 9) == 0) {
            found = argv[i] + 9;
        } else if (strcmp(argv[i], "--verify") == 0 && i + 1 < argc) {
            found = argv[i + 1];
        }
    }

    return found;
}


static int
close_run(close_t *c, int argc, char **argv)
{
    int             rc;
    const option_t  own[] = {
        { "period", &c->period, NULL }, { "previous", &c->previous, NULL },
        { "verify", &c->verify, NULL }, { NULL, NULL, NULL }
    };

    if (!report_options(&c->o, argc, argv, own, NULL)) {
        return 2;
    }

    if ((c->period == NULL) == (c->verify == NULL) || c->o.nby != 0
        || c->o.reader.nwhere != 0 || c->o.reader.since != INT64_MIN
        || c->o.reader.until != INT64_MAX)
    {
        rc = 2 * fail("close", "takes --period or --verify, and all lines");

    } else if (!seal_init(&c->seal, c->o.reader.zone, c->o.rows_memory)) {
        rc = fail("close", "no memory");

    } else {
        rc = c->verify != NULL ? seal_verify(c) : seal_period(c);
    }

    seal_free(&c->seal);
    report_options_free(&c->o);

    return rc;
}


/* The manifest's zone right behind the command's name. */
static int
close_again(close_t *c, int argc, char **argv)
{
    int    rc;
    char   word[300], **args = calloc((size_t) argc + 2, sizeof(char *));

    if (args == NULL) {
        return fail("close", "no memory");
    }

    (void) snprintf(word, sizeof(word), "--zone=%s", c->zone);
    args[0] = argv[0];
    args[1] = word;
    memcpy(args + 2, argv + 1, (size_t) (argc - 1) * sizeof(char *));
    rc = close_run(c, argc + 1, args);
    free(args);

    return rc;
}


int
close_command(int argc, char **argv)
{
    int          rc;
    close_t      c;
    const char  *verify = manifest_given(argc, argv);

    memset(&c, 0, sizeof(c));

    if (verify == NULL) {
        c.zone = zone_given(argc, argv);
        rc = close_run(&c, argc, argv);

    } else {
        c.manifest = manifest_open(verify);
        if (c.manifest == NULL) {
            return 1;
        }

        c.zone = manifest_text(c.manifest, "zone").p;
        c.zone = c.zone == NULL ? "UTC" : c.zone;
        rc = close_again(&c, argc, argv);
    }

    manifest_free(c.manifest);
    manifest_free(c.before);

    return rc;
}
