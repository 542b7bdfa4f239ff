#include "tg_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TG_ERROR_HERE  "<here>"
#define TG_ERROR_EDGE  (sizeof("\n    ") - 1)


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


/* Bytes of the first n characters. */
static size_t
tg_error_bytes(const char *text, size_t n)
{
    size_t  i = 0;

    while (text[i] != '\0' && ((text[i] & 0xc0) == 0x80 || n-- != 0)) {
        i++;
    }

    return i;
}


void
tg_error_one_line(tg_error_t *err)
{
    char    line[sizeof(err->message)], *text, *below;
    size_t  at, len;

    text = strstr(err->message, "\n    ");
    below = text == NULL ? NULL : strstr(text + 1, "\n    ");

    if (below == NULL || err->message[strlen(err->message) - 1] != '^') {
        return;
    }

    *text = '\0';
    *below = '\0';
    text += TG_ERROR_EDGE;
    below += TG_ERROR_EDGE;
    at = tg_error_bytes(text, strlen(below) - 1);

    len = (size_t) snprintf(line, sizeof(line), "%s: %.*s" TG_ERROR_HERE "%s",
                            err->message, (int) at, text, text + at);
    len = len < sizeof(line) ? len : sizeof(line) - 1;
    memcpy(err->message, line, len);
    err->message[len] = '\0';
}
