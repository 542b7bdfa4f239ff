#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_redis_name.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TG_REDIS_NAMES_MAX  16          /* at a time */


/* A store's name is looked up for streams. */
static void
tg_redis_hints(struct addrinfo *hints, int flags)
{
    memset(hints, 0, sizeof(*hints));
    hints->ai_flags = flags;
    hints->ai_family = AF_UNSPEC;
    hints->ai_socktype = SOCK_STREAM;
}


static int
tg_redis_looked_up(const char *host, int rc, tg_error_t *err)
{
    return rc == 0 ? TG_OK
           : tg_error(err, 0, 0, "\"%s\" has no address: %s", host,
                      gai_strerror(rc));
}


static int
tg_redis_name_plain(const char *host, int flags, struct addrinfo **found,
    tg_error_t *err)
{
    struct addrinfo  hints;

    tg_redis_hints(&hints, flags);

    return tg_redis_looked_up(host, getaddrinfo(host, NULL, &hints, found),
                              err);
}


#ifdef __GLIBC__

struct tg_redis_name_s {
    tg_redis_name_t  *next;
    struct gaicb      ask;
    struct addrinfo   hints;
    char              host[];
};


static tg_redis_name_t *
tg_redis_name_begin(const char *host)
{
    size_t            len = strlen(host) + 1;
    struct gaicb     *list[1];
    tg_redis_name_t  *name = calloc(1, sizeof(*name) + len);

    if (name == NULL) {
        return NULL;
    }

    memcpy(name->host, host, len);
    tg_redis_hints(&name->hints, 0);
    name->ask.ar_name = name->host;
    name->ask.ar_request = &name->hints;
    list[0] = &name->ask;

    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        free(name);
        return NULL;
    }

    return name;
}


static uint64_t
tg_redis_name_clock(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}


/* True where it is done. */
static bool
tg_redis_name_wait(const tg_redis_name_t *name, uint64_t left_us)
{
    uint64_t             end = tg_redis_name_clock() + left_us, now;
    struct timespec      t;
    const struct gaicb  *list[1] = { &name->ask };

    while (gai_error(&((tg_redis_name_t *) name)->ask) == EAI_INPROGRESS) {
        now = tg_redis_name_clock();

        if (now >= end) {
            return false;
        }

        t.tv_sec = (time_t) ((end - now) / 1000000);
        t.tv_nsec = (long) ((end - now) % 1000000) * 1000;
        (void) gai_suspend(list, 1, &t);
    }

    return true;
}


int
tg_redis_name(tg_redis_name_t **names, const char *host, uint64_t left_us,
    struct addrinfo **found, tg_error_t *err)
{
    int                rc;
    unsigned           n = 0;
    tg_redis_name_t   *name, **at = names;

    if (left_us == 0) {
        return tg_redis_name_plain(host, 0, found, err);
    }

    /* An address is nobody's to look up. */

    if (tg_redis_name_plain(host, AI_NUMERICHOST, found, err) == TG_OK) {
        return TG_OK;
    }

    while (*at != NULL && strcmp((*at)->host, host) != 0) {
        at = &(*at)->next;
        n++;
    }

    if (*at == NULL) {
        *at = n < TG_REDIS_NAMES_MAX ? tg_redis_name_begin(host) : NULL;
    }

    name = *at;

    if (name == NULL) {
        return tg_error(err, 0, 0, "\"%s\" can't be looked up", host);
    }

    if (!tg_redis_name_wait(name, left_us)) {
        return tg_error(err, 0, 0, "looking up \"%s\" took too long", host);
    }

    *at = name->next;
    rc = gai_error(&name->ask);
    *found = name->ask.ar_result;
    free(name);

    return tg_redis_looked_up(host, rc, err);
}


void
tg_redis_names_free(tg_redis_name_t *names)
{
    tg_redis_name_t  *next;

    for ( ; names != NULL; names = next) {
        next = names->next;

        switch (gai_cancel(&names->ask)) {
        case EAI_CANCELED:
            free(names);
            break;
        case EAI_ALLDONE:
            if (gai_error(&names->ask) == 0) {
                freeaddrinfo(names->ask.ar_result);
            }
            free(names);
            break;
        }
    }
}

#else

int
tg_redis_name(tg_redis_name_t **names, const char *host, uint64_t left_us,
    struct addrinfo **found, tg_error_t *err)
{
    (void) names;
    (void) left_us;

    return tg_redis_name_plain(host, 0, found, err);
}


void
tg_redis_names_free(tg_redis_name_t *names)
{
    (void) names;
}

#endif
