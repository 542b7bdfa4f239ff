/*
 * tg_redis_name.h - the addresses of a store's name, within a deadline.
 */

#ifndef TG_REDIS_NAME_H
#define TG_REDIS_NAME_H

#include "tg_error.h"

#include <netdb.h>
#include <stdint.h>

/* Look-ups that took too long, of one connection. NULL: none. */
typedef struct tg_redis_name_s  tg_redis_name_t;

/*
 * *found is to be freed with freeaddrinfo().  TG_ERROR and *err: there is no such
 * name, or it took longer than left_us; then the next call for that name goes on
 * with the same look-up.
 *
 * left_us 0: as long as the system's resolver takes.  A process that is going to
 * fork must have it so: else libc does the work in threads, which its children
 * would wait for in vain.  Where libc has no getaddrinfo_a() it is always so.
 */
int tg_redis_name(tg_redis_name_t **names, const char *host, uint64_t left_us,
    struct addrinfo **found, tg_error_t *err);

/* What libc is still at stays allocated. */
void tg_redis_names_free(tg_redis_name_t *names);

#endif /* TG_REDIS_NAME_H */
