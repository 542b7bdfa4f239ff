/*
 * tg_tally_file.h - the memory of tg_tally.h: a file, which outlives restarts and
 * kill -9, or anonymous and inherited by children.
 *
 *   master:  tg_tally_file_open() or tg_tally_anonymous(), before it forks
 *   worker:  the inherited mapping; tg_tally_file_join()
 */

#ifndef TG_TALLY_FILE_H
#define TG_TALLY_FILE_H

#include "tg_ledger_file.h"
#include "tg_tally.h"

#include <sys/types.h>

#define TG_TALLY_SUFFIX  ".tally"       /* behind the ledger's name */
#define TG_TALLY_OLD     ".old"         /* behind that */

typedef struct {
    tg_tally_t  *tally;         /* NULL: not open */
    int          fd;
    bool         replaced;      /* one of another version: it is kept as .old */
} tg_tally_file_t;

/*
 * Opens the file at `path`, an absolute name, or makes one, mode 0600, with all
 * of its blocks.  One of another version is put away as .old for a new one with its
 * secret, in the place of what was put away before; one that is no such file is
 * refused.  now: milliseconds since 1970.  TG_OK, TG_ERROR.
 */
int tg_tally_file_open(tg_tally_file_t *f, const char *path, int64_t now,
    tg_error_t *err);
int tg_tally_file_chown(tg_tally_file_t *f, uid_t uid, gid_t gid,
    tg_error_t *err);
void tg_tally_file_close(tg_tally_file_t *f);

/* It is shorter than it was: what is gone is mapped still, and a SIGBUS. */
bool tg_tally_file_cut(const tg_tally_file_t *f);

/* Never given back: for as long as the processes live.  NULL: no memory. */
tg_tally_t *tg_tally_anonymous(int64_t now);

/*
 * This process's own place in it, or NULL; what is in flight in all of them.
 * owners: of a file, the ledger beside it, which this process has joined.  It
 * knows who is alive by the kernel's locks, in whatever container; numbers of
 * processes, which memory that is inherited goes by (NULL), are of one.
 */
tg_tally_process_t *tg_tally_file_join(tg_tally_t *tally,
    tg_ledger_file_t *owners);
int64_t tg_tally_file_in_flight(tg_tally_t *tally, tg_ledger_file_t *owners);

#endif /* TG_TALLY_FILE_H */
