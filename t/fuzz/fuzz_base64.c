/*
 * Base64: any split gives the same bytes, and in place too.  The first byte of
 * the input chooses the split.
 */

#include <stdlib.h>

#include "tg_base64.h"

#define INPUT_MAX  8192


static ptrdiff_t
run(const char *p, size_t n, size_t step, char *out)
{
    size_t       i, k;
    ptrdiff_t    rc, len = 0;
    tg_base64_t  b = { 0, 0, false };

    for (i = 0; i < n; i += k) {
        k = step < n - i ? step : n - i;

        rc = tg_base64_feed(&b, p + i, k, out + len);
        if (rc < 0) {
            return -1;
        }
        len += rc;
    }

    return len;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char         a[INPUT_MAX], b[INPUT_MAX];
    size_t       n;
    ptrdiff_t    len;
    const char  *p = (const char *) data + 1;

    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }

    n = size - 1;
    len = run(p, n, n + 1, a);

    if (len > (ptrdiff_t) (n / 4 * 3 + n % 4)
        || run(p, n, 1 + data[0] % 16, b) != len
        || (len > 0 && memcmp(a, b, (size_t) len) != 0))
    {
        abort();
    }

    memcpy(b, p, n);

    if (run(b, n, n + 1, b) != len
        || (len > 0 && memcmp(a, b, (size_t) len) != 0))
    {
        abort();
    }

    return 0;
}
