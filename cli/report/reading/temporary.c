#define _GNU_SOURCE

#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>


FILE *
temporary_file(void)
{
    int          fd;
    char         path[4096];
    FILE        *f;
    const char  *dir = getenv("TMPDIR");

    dir = dir != NULL && *dir ? dir : "/var/tmp";
    fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd == -1) {

        /* not every file system has them */

        (void) snprintf(path, sizeof(path), "%.4000s/llmctl-XXXXXX", dir);
        fd = mkostemp(path, O_CLOEXEC);

        if (fd == -1) {
            return NULL;
        }

        (void) unlink(path);
    }

    f = fdopen(fd, "w+");

    if (f == NULL) {
        (void) close(fd);
    }

    return f;
}


bool
temporary_write(FILE *f, const void *p, size_t n)
{
    ssize_t      done;
    const char  *from = p;

    while (n != 0) {
        done = write(fileno(f), from, n);

        if (done == -1 && errno == EINTR) {
            continue;
        }

        if (done <= 0) {
            return false;
        }

        from += done;
        n -= (size_t) done;
    }

    return true;
}
