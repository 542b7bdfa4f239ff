#include "input.h"
#include "unpack.h"

#include "tg_str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKED  (256 * 1024)
#define LOOK    4                       /* bytes that say what it is */

typedef enum {
    INPUT_NEW = 0,
    INPUT_PLAIN,
    INPUT_PACKED,                       /* within a member */
    INPUT_BETWEEN                       /* behind one */
} input_state_t;

struct input_s {
    int                   fd;
    input_state_t         state;
    bool                  ended;
    uint64_t              taken;
    unpack_t             *unpack;
    const unsigned char  *next;         /* what was read, and not looked at */
    size_t                n;
    unsigned char         packed[UNPACK_BACK + PACKED];
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
        unpack_free(in->unpack);
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


/* More of the bytes as they are, behind those that are left. */
static bool
more(input_t *in, const atomic_bool *stop, const char **why)
{
    ptrdiff_t       n;
    unsigned char  *first = in->packed + UNPACK_BACK;

    if (in->next != first && in->next != NULL) {
        memmove(in->packed, in->next - UNPACK_BACK, UNPACK_BACK + in->n);
    }

    in->next = first;
    n = read_some(in, first + in->n, PACKED - in->n, stop, why);
    in->n += n > 0 ? (size_t) n : 0;

    return n >= 0;
}


/* What is no text, by how it begins (each format's specification); NULL: it may
 * be. */
static const char *
foreign(const unsigned char *p, size_t n)
{
    static const struct {
        tg_str_t     begin;
        const char  *why;
    } formats[] = {
        { TG_STR("\x28\xb5\x2f\xfd"), "is packed by zstd: zstd -dc it, and"
          " give - for its name" },
        { TG_STR("\xfd" "7zX"), "is packed by xz: xz -dc it, and give - for its"
          " name" },
        { TG_STR("BZh"), "is packed by bzip2: bzip2 -dc it, and give - for its"
          " name" },
        { TG_STR("PK\x03\x04"), "is a zip archive: unzip -p it, and give - for"
          " its name" },
        { TG_STR("\xff\xfe"), "is no UTF-8, but UTF-16" },
        { TG_STR("\xfe\xff"), "is no UTF-8, but UTF-16" }
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (tg_str_starts(tg_str_of((const char *) p, n), formats[i].begin)) {
            return formats[i].why;
        }
    }

    return NULL;
}


/* The first bytes say what it is. */
static bool
look(input_t *in, const atomic_bool *stop, const char **why)
{
    while (in->n < LOOK && !in->ended && !atomic_load(stop)) {
        if (!more(in, stop, why)) {
            return false;
        }
    }

    *why = foreign(in->next, in->n);

    if (*why != NULL) {
        return false;
    }

    if (in->n < 2 || in->next[0] != 0x1f || in->next[1] != 0x8b) {
        in->state = INPUT_PLAIN;
        return true;
    }

    in->state = INPUT_PACKED;
    in->unpack = unpack_new();
    *why = "there is not enough memory";

    return in->unpack != NULL;
}


static ptrdiff_t
read_plain(input_t *in, char *to, size_t room, const atomic_bool *stop,
    const char **why)
{
    size_t  n = in->n;

    if (n == 0) {
        return in->ended ? 0 : read_some(in, to, room, stop, why);
    }

    n = n < room ? n : room;
    memcpy(to, in->next, n);
    in->next += n;
    in->n -= n;

    return (ptrdiff_t) n;
}


/* Behind a member there is another, or zeros, or nothing. False: it is
 * something else. */
static bool
next_member(input_t *in)
{
    while (in->n != 0 && *in->next == 0) {
        in->next++;
        in->n--;
    }

    if (in->n == 0) {
        return true;
    }

    in->state = INPUT_PACKED;
    unpack_again(in->unpack);

    return *in->next == 0x1f;
}


static ptrdiff_t
read_packed(input_t *in, char *to, size_t room, const atomic_bool *stop,
    const char **why)
{
    char         *p = to;
    size_t        left = room;
    unpack_rc_t   rc;

    while (left == room) {
        if (in->n == 0 && !in->ended && !more(in, stop, why)) {
            return -1;
        }

        if (in->n == 0 && (in->state == INPUT_BETWEEN || atomic_load(stop))) {
            return 0;
        }

        *why = "is damaged";

        if (in->state == INPUT_BETWEEN) {
            if (!next_member(in)) {
                return -1;
            }
            continue;
        }

        rc = unpack(in->unpack, &in->next, &in->n, &p, &left);

        if (rc == UNPACK_MORE && left == room && in->n == 0 && in->ended) {
            *why = "is cut off";
            rc = UNPACK_BAD;
        }

        if (rc == UNPACK_BAD) {
            return -1;
        }

        if (rc == UNPACK_END) {
            in->state = INPUT_BETWEEN;
        }
    }

    return (ptrdiff_t) (room - left);
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
