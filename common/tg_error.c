#include "tg_error.h"

#include <stdarg.h>
#include <stdio.h>

int
tg_error(tg_error_t *err, int code, uint64_t offset, const char *fmt, ...)
{
    va_list  args;

    if (err != NULL) {
        err->code = code;
        err->offset = offset;

        va_start(args, fmt);
        (void) vsnprintf(err->message, sizeof(err->message), fmt, args);
        va_end(args);
    }

    return TG_ERROR;
}
