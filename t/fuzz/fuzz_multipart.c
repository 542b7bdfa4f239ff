/*
 * Multipart forms: any split gives the same parts and the same error.  The
 * input is the split (1 byte), the content type up to a LF, the body.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tg_multipart.h"

#define INPUT_MAX  8192

typedef struct {
    char         text[INPUT_MAX * 8];
    size_t       len;
    uint64_t     size;
    uint64_t     offset;
    const char  *error;
} fuzz_log_t;

static fuzz_log_t  first, other;


static void
expect(bool ok, const char *what)
{
    if (!ok) {
        (void) fprintf(stderr, "fuzz_multipart: %s\n", what);
        abort();
    }
}


static void
add(fuzz_log_t *log, const void *p, size_t n)
{
    expect(n <= sizeof(log->text) - log->len, "the log is full");
    memcpy(log->text + log->len, p, n);
    log->len += n;
}


static int
handler(void *data, const tg_multipart_part_t *part)
{
    fuzz_log_t  *log = data;

    expect(part->name.len <= TG_MULTIPART_NAME_MAX, "a long name");
    expect(part->value.len <= TG_MULTIPART_VALUE_MAX, "a long value");
    expect(part->file ? part->value.len == 0
                      : (part->value.len == part->size
                         || part->value.len == TG_MULTIPART_VALUE_MAX),
           "value and size disagree");

    add(log, part->file ? "F" : "T", 1);
    add(log, &part->size, sizeof(part->size));
    add(log, part->name.p, part->name.len);
    add(log, "=", 1);
    add(log, part->value.p, part->value.len);
    log->size += part->size;

    return 0;
}


static int
run(fuzz_log_t *log, tg_str_t type, const char *p, size_t n, size_t step)
{
    int             rc;
    size_t          i, k;
    tg_multipart_t  m;

    log->len = 0;
    log->size = 0;

    rc = tg_multipart_init(&m, type, handler, log);
    expect((rc == TG_OK) == (m.error == NULL), "code of init");

    for (i = 0; i < n; i += k) {
        k = step < n - i ? step : n - i;
        rc = tg_multipart_feed(&m, p + i, k);
        expect((rc == TG_OK) == (m.error == NULL), "code of feed");
    }

    rc = tg_multipart_finish(&m);
    expect((rc == TG_OK) == (m.error == NULL), "code of finish");
    expect(m.offset <= n && log->size <= m.offset, "offset or sizes");

    log->offset = m.offset;
    log->error = m.error;

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       step, n;
    tg_str_t     type;
    const char  *p, *lf;

    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }

    step = 1 + data[0] % 64;
    p = (const char *) data + 1;
    n = size - 1;

    lf = memchr(p, '\n', n);
    if (lf == NULL) {
        return 0;
    }

    type = tg_str_of(p, (size_t) (lf - p));
    n -= type.len + 1;
    p = lf + 1;

    expect(run(&first, type, p, n, n + 1) == run(&other, type, p, n, step),
           "the verdict differs by split");
    expect(first.error == other.error && first.offset == other.offset,
           "the error differs by split");
    expect(first.len == other.len
           && memcmp(first.text, other.text, first.len) == 0,
           "parts differ by split");

    return 0;
}
