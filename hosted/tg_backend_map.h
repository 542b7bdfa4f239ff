/*
 * tg_backend_map.h - the memory of tg_backend.h: anonymous and inherited by
 * children, or a file, which survives restarts and which llmctl can look into.
 *
 *   master:  tg_backend_map_open(), before it forks; tg_backend_map_chown()
 *   worker:  the inherited mapping; tg_backends_join() with its own pid
 */

#ifndef TG_BACKEND_MAP_H
#define TG_BACKEND_MAP_H

#include "tg_backend.h"

#include <sys/types.h>

typedef struct {
    tg_backends_t  *table;      /* NULL: not open */
    size_t          size;
    int             fd;         /* -1: anonymous */
    char            path[4096]; /* empty: anonymous */
} tg_backend_map_t;

/* path NULL: anonymous. TG_OK, TG_ERROR and *err. A file is made with mode 0600,
 * all of it allocated; one that is no such file is refused, one of another
 * version is replaced. */
int tg_backend_map_open(tg_backend_map_t *m, const char *path, tg_error_t *err);
int tg_backend_map_chown(tg_backend_map_t *m, uid_t uid, gid_t gid,
    tg_error_t *err);

/* An existing file. write: for drain and resume. */
int tg_backend_map_inspect(tg_backend_map_t *m, const char *path, bool write,
    tg_error_t *err);
void tg_backend_map_close(tg_backend_map_t *m);

/* CLOCK_MONOTONIC; whether a process is alive; when this one started. */
int64_t tg_backend_now(void);
bool tg_backend_alive(int64_t pid, uint64_t start);
uint64_t tg_backend_start(void);

#endif /* TG_BACKEND_MAP_H */
