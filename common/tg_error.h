/*
 * tg_error.h - an error is data: a code, where it is, and a sentence.
 *
 * The core never logs; who receives the error decides.  Messages are complete
 * English clauses without a final period, never contain secrets, and are cut at
 * the size of the buffer.
 */

#ifndef TG_ERROR_H
#define TG_ERROR_H

#include "tg_str.h"

/* Return codes of the core's functions. */
enum {
    TG_OK      = 0,
    TG_ERROR   = -1,     /* a tg_error_t or the object's own error says why */
    TG_AGAIN   = -2      /* more input is needed */
};

typedef struct {
    int       code;             /* of the module that set it, 0 if none */
    uint64_t  offset;           /* byte offset in the input, or line number */
    char      message[240];     /* NUL-terminated */
} tg_error_t;

/* Sets *err (may be NULL) and returns TG_ERROR. */
int tg_error(tg_error_t *err, int code, uint64_t offset, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * A message that shows its place by a caret in a line of its own, as one line
 * with "<here>" there, for a log that has a line for each message.  Others stay
 * as they are.
 */
void tg_error_one_line(tg_error_t *err);

#endif /* TG_ERROR_H */
