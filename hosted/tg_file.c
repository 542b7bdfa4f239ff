#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


static int
tg_file_read_fd(int fd, const char *path, size_t max, bool secret,
    tg_str_t *text, tg_error_t *err)
{
    char         *buf;
    size_t        size, got = 0;
    ssize_t       n;
    struct stat   st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return tg_error(err, 0, 0, "\"%s\" is a directory, or no file", path);
    }

    if ((uint64_t) st.st_size > max) {
        return tg_error(err, 0, 0, "\"%s\" is not a file of at most %zu bytes",
                        path, max);
    }

    if (secret && (st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return tg_error(err, 0, 0, "\"%s\" holds a secret and may be read by"
                        " everybody: chmod o-rw it", path);
    }

    size = (size_t) st.st_size;
    buf = malloc(size + 1);
    if (buf == NULL) {
        return tg_error(err, 0, 0, "no memory for \"%s\"", path);
    }

    while (got < size) {
        n = read(fd, buf + got, size - got);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            free(buf);
            return tg_error(err, 0, 0, "can't read \"%s\": %s", path,
                            n < 0 ? strerror(errno) : "it was cut short");
        }

        got += (size_t) n;
    }

    buf[size] = '\0';
    *text = tg_str_of(buf, size);

    return TG_OK;
}


int
tg_file_read(const char *path, size_t max, bool secret, tg_str_t *text,
    tg_error_t *err)
{
    int  fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

    if (fd == -1) {
        return tg_error(err, 0, 0, "can't open \"%s\": %s", path,
                        strerror(errno));
    }

    rc = tg_file_read_fd(fd, path, max, secret, text, err);
    (void) close(fd);

    return rc;
}


static int
tg_file_fill(int fd, tg_str_t text, int like)
{
    size_t       done = 0;
    ssize_t      n;
    struct stat  st;

    while (done < text.len) {
        n = write(fd, text.p + done, text.len - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return -1;
        }

        done += (size_t) n;
    }

    if (fstat(like, &st) != 0
        || (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0))
    {
        return -1;
    }

    return fsync(fd);
}


int
tg_file_replace(const char *path, tg_str_t text, int like, tg_error_t *err)
{
    int   fd, rc;
    char  name[4200];

    if (snprintf(name, sizeof(name), "%s.XXXXXX", path) >= (int) sizeof(name)) {
        return tg_error(err, 0, 0, "\"%s\" is too long a name", path);
    }

    fd = mkostemp(name, O_CLOEXEC);
    if (fd == -1) {
        return tg_error(err, errno, 0, "can't make \"%s\": %s", name,
                        strerror(errno));
    }

    rc = tg_file_fill(fd, text, like) == 0 && rename(name, path) == 0
         ? TG_OK
         : tg_error(err, errno, 0, "can't write \"%s\": %s", path,
                    strerror(errno));

    if (rc != TG_OK) {
        (void) unlink(name);
    }

    (void) close(fd);

    return rc;
}


bool
tg_file_changed(const char *path, tg_file_state_t *state)
{
    struct stat      st;
    tg_file_state_t  now;

    memset(&now, 0, sizeof(now));

    if (stat(path, &st) == 0) {
        now.mtime_s = st.st_mtim.tv_sec;
        now.mtime_ns = st.st_mtim.tv_nsec;
        now.size = st.st_size;
        now.ino = st.st_ino;
    }

    if (memcmp(&now, state, sizeof(now)) == 0) {
        return false;
    }

    *state = now;

    return true;
}
