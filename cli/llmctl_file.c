#include "llmctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


int
fail(const char *what, const char *why)
{
    fprintf(stderr, "llmctl: %s: %s\n", what, why);

    return 1;
}


bool
failed(const char *what, const char *why)
{
    (void) fail(what, why);

    return false;
}


char *
read_file(const char *name, size_t max, size_t *size)
{
    FILE    *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    char    *text = NULL, *grown;
    size_t   room = 0, n;

    if (f == NULL) {
        (void) fail(name, strerror(errno));
        return NULL;
    }

    *size = 0;

    do {
        if (*size + 1 >= room) {
            room = room == 0 ? 65536 : room * 2;
            grown = room / 2 > max ? NULL : realloc(text, room);
            if (grown == NULL) {
                (void) fail(name, "is too large");
                free(text);
                fclose(f);
                return NULL;
            }
            text = grown;
        }

        n = fread(text + *size, 1, room - *size - 1, f);
        *size += n;
    } while (n != 0);

    if (ferror(f)) {
        (void) fail(name, "can't be read");
        free(text);
        text = NULL;
    }

    fclose(f);

    if (text != NULL && *size > max) {
        (void) fail(name, "is too large");
        free(text);
        text = NULL;
    }

    if (text != NULL) {
        text[*size] = '\0';
    }

    return text;
}
