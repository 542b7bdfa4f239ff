#define _GNU_SOURCE

#include "llmctl_audit.h"
#include "llmctl.h"
#include "llmctl_time.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUDIT  ".audit"


/* As the one who does it, and as whom he has it done. */
static void
put_who(json_t *line)
{
    uid_t           uid = getuid();
    char            host[256];
    const char     *sudo = getenv("SUDO_USER");
    struct passwd  *pw = getpwuid(uid);

    if (pw != NULL) {
        (void) json_object_set_new(line, "user.effective.name",
                                   json_string(pw->pw_name));
    }

    /* only root is set there by sudo; another may set it himself */

    if (uid == 0 && sudo != NULL && *sudo != '\0') {
        (void) json_object_set_new(line, "user.name", json_string(sudo));

    } else if (pw != NULL) {
        (void) json_object_set_new(line, "user.name",
                                   json_string(pw->pw_name));
    }

    (void) json_object_set_new(line, "user.id", json_integer((json_int_t) uid));

    if (gethostname(host, sizeof(host)) == 0) {
        host[sizeof(host) - 1] = '\0';
        (void) json_object_set_new(line, "host.name", json_string(host));
    }
}


static bool
append(const server_t *s, const char *path, const char *text)
{
    int          fd;
    bool         done;
    size_t       len = strlen(text);
    struct stat  st;

    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC
                    | O_NONBLOCK, 0640);
    if (fd == -1) {
        return failed(path, strerror(errno));
    }

    done = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;

    if (!done) {
        (void) fail(path, "is not a file of its own");

    } else {
        done = (geteuid() != 0
                || fchown(fd, s->st.st_uid, s->st.st_gid) == 0)
               && write(fd, text, len) == (ssize_t) len && fsync(fd) == 0;

        if (!done) {
            (void) fail(path, strerror(errno));
        }
    }

    (void) close(fd);

    return done;
}


bool
audit(const server_t *s, int64_t now, json_t *what)
{
    bool     done;
    char    *path = NULL, *text, *whole = NULL;
    json_t  *line = json_object();

    (void) json_object_set_new(line, "@timestamp", when_json(now));
    put_who(line);
    (void) json_object_update(line, what);
    json_decref(what);

    text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(line);

    if (text == NULL || asprintf(&path, "%s" AUDIT, s->path) == -1
        || asprintf(&whole, "%s\n", text) == -1)
    {
        (void) fail("audit", "out of memory");
        done = false;

    } else {
        done = append(s, path, whole);
    }

    free(text);
    free(path);
    free(whole);

    return done;
}
