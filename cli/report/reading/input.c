#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PACKED  (256 * 1024)
#define GZIP    (15 + 16)               /* zlib's word for it */

typedef enum {
    INPUT_NEW = 0,
    INPUT_PLAIN,
    INPUT_PACKED,                       /* within a member */
    INPUT_BETWEEN                       /* behind one */
} input_state_t;

struct input_s {
    int             fd;
    input_state_t   state;
    bool            ended;
    bool            inflating;          /* z is to be freed */
    uint64_t        taken;
    z_stream        z;
    unsigned char   packed[PACKED];
};


input_t *
input_open(const char *name, const char **why)
{
    input_t  *in = calloc(1, sizeof(input_t));

    if (in == NULL) {
        *why = "there is not enough memory";
        return NULL;
    }

    in->fd = strcmp(name, "-") == 0 ? dup(STDIN_FILENO)
                                    : open(name, O_RDONLY | O_CLOEXEC);

    if (in->fd == -1) {
        *why = strerror(errno);
        free(in);
        return NULL;
    }

    (void) posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);

    return in;
}


void
input_close(input_t *in)
{
    if (in != NULL) {
        if (in->inflating) {
            (void) inflateEnd(&in->z);
        }
        (void) close(in->fd);
        free(in);
    }
}


uint64_t
input_taken(const input_t *in)
{
    return in->taken;
}


static ptrdiff_t
read_some(input_t *in, void *to, size_t room, const atomic_bool *stop,
    const char **why)
{
    ssize_t        n;
    struct pollfd  p = { .fd = in->fd, .events = POLLIN };

    do {
        while (poll(&p, 1, 100) == 0) {
            if (atomic_load(stop)) {
                return 0;
            }
        }

        n = read(in->fd, to, room);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        *why = strerror(errno);
        return -1;
    }

    in->taken += (uint64_t) n;
    in->ended = n == 0;

    return n;
}


/* More of the packed bytes behind those that are left. */
static bool
more_packed(input_t *in, const atomic_bool *stop, const char **why)
{
    ptrdiff_t  n;

    if (in->z.avail_in != 0) {
        memmove(in->packed, in->z.next_in, in->z.avail_in);
    }

    in->z.next_in = in->packed;
    n = read_some(in, in->packed + in->z.avail_in, PACKED - in->z.avail_in,
                  stop, why);

    if (n > 0) {
        in->z.avail_in += (unsigned) n;
    }

    return n >= 0;
}


/* The first bytes say what it is. */
static bool
look(input_t *in, const atomic_bool *stop, const char **why)
{
    in->z.next_in = in->packed;

    while (in->z.avail_in < 2 && !in->ended && !atomic_load(stop)) {
        if (!more_packed(in, stop, why)) {
            return false;
        }
    }

    if (in->z.avail_in < 2 || in->packed[0] != 0x1f || in->packed[1] != 0x8b) {
        in->state = INPUT_PLAIN;
        return true;
    }

    in->state = INPUT_PACKED;
    in->inflating = inflateInit2(&in->z, GZIP) == Z_OK;
    *why = "there is not enough memory";

    return in->inflating;
}


static ptrdiff_t
read_plain(input_t *in, char *to, size_t room, const atomic_bool *stop,
    const char **why)
{
    size_t  n = in->z.avail_in;

    if (n == 0) {
        return in->ended ? 0 : read_some(in, to, room, stop, why);
    }

    n = n < room ? n : room;
    memcpy(to, in->z.next_in, n);
    in->z.next_in += n;
    in->z.avail_in -= (unsigned) n;

    return (ptrdiff_t) n;
}


/* Behind a member there is another, or zeros, or nothing. False: it is
 * something else. */
static bool
next_member(input_t *in)
{
    while (in->z.avail_in != 0 && *in->z.next_in == 0) {
        in->z.next_in++;
        in->z.avail_in--;
    }

    if (in->z.avail_in == 0) {
        return true;
    }

    in->state = INPUT_PACKED;

    return *in->z.next_in == 0x1f && inflateReset(&in->z) == Z_OK;
}


static ptrdiff_t
read_packed(input_t *in, char *to, size_t room, const atomic_bool *stop,
    const char **why)
{
    int  rc;

    in->z.next_out = (unsigned char *) to;
    in->z.avail_out = (unsigned) room;

    while (in->z.avail_out == room) {
        if (in->z.avail_in == 0 && !in->ended
            && !more_packed(in, stop, why))
        {
            return -1;
        }

        if (in->z.avail_in == 0) {
            *why = "is cut off";
            return in->state == INPUT_BETWEEN || atomic_load(stop) ? 0 : -1;
        }

        *why = "is damaged";

        if (in->state == INPUT_BETWEEN) {
            if (!next_member(in)) {
                return -1;
            }
            continue;
        }

        rc = inflate(&in->z, Z_NO_FLUSH);

        if (rc == Z_STREAM_END) {
            in->state = INPUT_BETWEEN;
        } else if (rc != Z_OK) {
            return -1;
        }
    }

    return (ptrdiff_t) (room - in->z.avail_out);
}


ptrdiff_t
input_read(input_t *in, char *to, size_t room, const atomic_bool *stop,
    const char **why)
{
    if (in->state == INPUT_NEW && !look(in, stop, why)) {
        return -1;
    }

    return in->state == INPUT_PLAIN ? read_plain(in, to, room, stop, why)
                                    : read_packed(in, to, room, stop, why);
}
