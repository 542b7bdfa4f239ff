#define _GNU_SOURCE

#include "llmctl_server.h"
#include "llmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


/* The ledger is for its owner's eyes: says who that is. */
static bool
denied(const server_t *s, const char *path, const char *why)
{
    struct passwd  *pw = getpwuid(s->st.st_uid);

    if (geteuid() == 0 || geteuid() == s->st.st_uid) {
        (void) fail(path, why);

    } else {
        fprintf(stderr, "llmctl: %s: %s; llmctl has to run as root or as the"
                " server's user%s%s\n", path, why, pw == NULL ? "" : ", ",
                pw == NULL ? "" : pw->pw_name);
    }

    return false;
}


/* Relative names are those of the shell that we were called from. */
static bool
find_ledger(server_t *s, const char *ledger)
{
    char        *real;
    tg_error_t   err;

    s->path = ledger == NULL ? LEDGER_DEFAULT : ledger;

    if (lstat(s->path, &s->st) == -1) {
        (void) tg_error(&err, 0, 0, "%s%s", strerror(errno), ledger != NULL
                        ? "" : "; --ledger=FILE names that of llm_ledger");
        return failed(s->path, err.message);
    }

    if (!S_ISREG(s->st.st_mode)) {
        return failed(s->path, "is not a file");
    }

    real = realpath(s->path, NULL);
    s->path = real == NULL ? NULL : tg_dupz(s->mem, tg_strz(real));
    free(real);

    return s->path != NULL || failed(ledger, "can't be found");
}


bool
server_ledger(server_t *s, const char *ledger, server_access_t access)
{
    int                rc;
    tg_error_t         err;
    tg_ledger_file_t  *f = &s->desk.ledger;

    if (s->arena == NULL) {
        s->arena = tg_arena_create(0);

        if (s->arena == NULL) {
            return failed("memory", strerror(ENOMEM));
        }

        s->mem = tg_arena_mem(s->arena);
    }

    if (!find_ledger(s, ledger)) {
        return false;
    }

    rc = tg_ledger_file_inspect(f, s->path, &err);
    s->fleet = rc == TG_OK && tg_ledger_is_fleet(&f->ledger);

    /* it is there: opening it does not make it */

    if (rc == TG_OK && access == SERVER_CHANGE) {
        tg_ledger_file_close(f);
        rc = (s->fleet ? tg_ledger_file_open_fleet : tg_ledger_file_open)
                 (f, s->path, (uint64_t) s->st.st_size, &err);
    }

    if (rc != TG_OK) {
        return denied(s, s->path, err.message);
    }

    s->desk.open = true;

    return access == SERVER_VIEW || tg_ledger_file_join(f, &err) == TG_OK
           || denied(s, s->path, err.message);
}


/* What the server left is believed where only it, or root, can have done so. */
static bool
trusted(const server_t *s, const char *path)
{
    struct stat  st;

    if (stat(path, &st) == -1) {
        if (errno == ENOENT) {
            return failed(path, "is not there: the server writes it when it"
                           " starts or reloads with this ledger");
        }
        return denied(s, path, strerror(errno));
    }

    if ((st.st_uid != 0 && st.st_uid != s->st.st_uid)
        || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    {
        return failed(path, "others than root and the ledger's owner may have"
                       " written it");
    }

    return true;
}


static bool
read_conf(server_t *s)
{
    int         rc;
    char        path[sizeof(s->desk.ledger.path) + sizeof(TG_DESK_CONF)];
    tg_str_t    text;
    tg_error_t  err;

    (void) snprintf(path, sizeof(path), "%s" TG_DESK_CONF, s->path);

    if (!trusted(s, path)) {
        return false;
    }

    if (tg_file_read(path, TG_DESK_CONF_MAX, false, &text, &err) != TG_OK) {
        return denied(s, path, err.message);
    }

    s->conf = tg_conf_create(s->mem);
    rc = s->conf == NULL ? tg_error(&err, 0, 0, "no memory")
         : tg_conf_read(s->conf, text, &err);
    free((char *) text.p);

    if (rc == TG_OK) {
        rc = tg_conf_finish(s->conf, &err);
    }

    return rc == TG_OK || failed(path, err.message);
}


static void
say(void *data, tg_desk_level_t level, const char *message)
{
    (void) data;
    (void) level;
    (void) fail("server", message);
}


bool
server_open(server_t *s, const char *ledger, server_access_t access)
{
    tg_error_t  err;

    memset(s, 0, sizeof(*s));
    s->arena = tg_arena_create(0);
    s->mem = s->arena == NULL ? NULL : tg_arena_mem(s->arena);

    if (s->mem == NULL || tg_dialect_setup(s->mem, &err) != TG_OK) {
        return failed("memory", strerror(ENOMEM));
    }

    if (!find_ledger(s, ledger) || !read_conf(s)) {
        return false;
    }

    /* what is not asked for is not read */

    for (unsigned i = 0; i < s->conf->nproviders; i++) {
        s->conf->providers[i].key_file = tg_str_null;
    }

    if (tg_desk_load(&s->desk, s->conf, s->mem, say, NULL, &err) != TG_OK) {
        return failed("configuration", err.message);
    }

    return server_ledger(s, s->path, access);
}


void
server_close(server_t *s)
{
    if (s->desk.loaded) {
        tg_desk_close(&s->desk);

    } else if (s->desk.open) {
        tg_ledger_file_close(&s->desk.ledger);
    }

    tg_conf_destroy(s->conf);
    tg_arena_destroy(s->arena);
    memset(s, 0, sizeof(*s));
}


const tg_keys_t *
server_keys(const server_t *s)
{
    return s->desk.roster == NULL ? NULL : tg_roster_keys(s->desk.roster);
}
