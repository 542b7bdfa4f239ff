#include "tg_webhook.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#define TG_WEBHOOK_FILE_MAX  4096


/* A small file of secrets into buf; -1 and *err. */
static ssize_t
tg_webhook_read(const char *path, char *buf, tg_error_t *err)
{
    int          fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t      n = -1;
    struct stat  st;

    if (fd == -1 || fstat(fd, &st) == -1) {
        (void) tg_error(err, errno, 0, "%s can't be opened: %s", path,
                        strerror(errno));

    } else if (!S_ISREG(st.st_mode)) {
        (void) tg_error(err, 0, 0, "%s is not a file", path);

    } else if (st.st_mode & S_IRWXO) {
        (void) tg_error(err, 0, 0, "%s holds a secret and all the world has"
                        " rights to it: chmod o= it", path);

    } else if (st.st_size > TG_WEBHOOK_FILE_MAX) {
        (void) tg_error(err, 0, 0, "%s is larger than %d bytes", path,
                        TG_WEBHOOK_FILE_MAX);

    } else {
        n = read(fd, buf, TG_WEBHOOK_FILE_MAX);

        if (n == -1) {
            (void) tg_error(err, errno, 0, "%s can't be read: %s", path,
                            strerror(errno));
        }
    }

    if (fd != -1) {
        close(fd);
    }

    return n;
}


static int
tg_webhook_load_one(tg_conf_alert_t *a, tg_mem_t *mem, tg_str_t file,
    bool routing, char *buf, tg_error_t *err)
{
    int         rc;
    ssize_t     n;
    tg_str_t    text;
    tg_error_t  why;

    if (file.len == 0) {
        return TG_OK;
    }

    n = tg_webhook_read(file.p, buf, err);
    if (n == -1) {
        return TG_ERROR;
    }

    text = tg_str_of(buf, (size_t) n);
    rc = routing ? tg_conf_alert_routing_key(a, mem, text, &why)
                 : tg_conf_alert_secrets(a, text, &why);

    return rc == TG_OK ? TG_OK
           : tg_error(err, 0, 0, "%s: %s", file.p, why.message);
}


int
tg_webhook_load(tg_conf_alerts_t *targets, tg_mem_t *mem, tg_error_t *err)
{
    int               rc = TG_OK;
    char              buf[TG_WEBHOOK_FILE_MAX];
    tg_conf_alert_t  *a;

    for (unsigned i = 0; i < targets->n && rc == TG_OK; i++) {
        a = &targets->list[i];
        rc = tg_webhook_load_one(a, mem, a->secret_file, false, buf, err);

        if (rc == TG_OK) {
            rc = tg_webhook_load_one(a, mem, a->routing_file, true, buf, err);
        }
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


int
tg_webhook_load_secret(tg_conf_alert_t *target, tg_error_t *err)
{
    int   rc;
    char  buf[TG_WEBHOOK_FILE_MAX];

    rc = tg_webhook_load_one(target, NULL, target->secret_file, false, buf,
                             err);
    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}
