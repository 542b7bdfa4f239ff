#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TG_REDIS_PASSWORD_MAX  512


void
tg_redis_forget(char *password)
{
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
        free(password);
    }
}


static int
tg_redis_password_read(int fd, const char *name, char **password,
    tg_error_t *err)
{
    char         line[TG_REDIS_PASSWORD_MAX + 1];
    size_t       len;
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        return tg_error(err, 0, 0, "\"%s\" is not a file", name);
    }

    if (st.st_mode & S_IRWXO) {
        return tg_error(err, 0, 0, "\"%s\" is open to others: chmod o= it",
                        name);
    }

    n = read(fd, line, sizeof(line) - 1);

    if (n < 0) {
        return tg_error(err, errno, 0, "\"%s\" can't be read: %s", name,
                        strerror(errno));
    }

    line[n] = '\0';
    len = strcspn(line, "\r\n");
    line[len] = '\0';

    if (len == 0 || len == TG_REDIS_PASSWORD_MAX) {
        return tg_error(err, 0, 0, "\"%s\" must have a password in its first "
                        "line, of less than %d bytes", name,
                        TG_REDIS_PASSWORD_MAX);
    }

    *password = strdup(line);
    explicit_bzero(line, sizeof(line));

    return *password != NULL ? TG_OK : tg_error(err, 0, 0, "no memory");
}


int
tg_redis_password(const tg_fleet_options_t *options, char **password,
    tg_error_t *err)
{
    int  fd, rc;

    *password = NULL;

    if (options->password_file[0] == '\0') {
        return TG_OK;
    }

    fd = open(options->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1) {
        return tg_error(err, errno, 0, "\"%s\" can't be opened: %s",
                        options->password_file, strerror(errno));
    }

    rc = tg_redis_password_read(fd, options->password_file, password, err);
    close(fd);

    return rc;
}
