/*
 * tg_ledger_file.h - a ledger in a file: what both servers and the command line
 * tool do alike with it.
 *
 * The file is made under another name and linked into place when it is
 * complete; from then on it is never truncated, renamed or replaced.  All of
 * its blocks are allocated, for a sparse file on a full disk is a SIGBUS.  Not
 * on a network file system.  Mode 0600.
 *
 * Owners are open file description locks on bytes beyond the file's end, one
 * each: the kernel says who is alive, whatever container he is in, and forgets
 * nobody who died.  A lock is the process's alone because its file description
 * is opened after the fork (and closed on exec).  So a process that has joined
 * must not fork children that live on without exec.
 *
 *   master:  tg_ledger_file_open(), tg_ledger_file_chown()
 *   worker:  tg_ledger_file_join(), then f->ledger is ready; each second
 *            tg_ledger_file_check(), tg_ledger_file_flush(), tg_ledger_sweep()
 *   at exit: tg_ledger_file_close().  What is still open or unwritten is swept
 *            by those who stay.
 */

#ifndef TG_LEDGER_FILE_H
#define TG_LEDGER_FILE_H

#include "tg_ledger.h"

#include <sys/types.h>

#define TG_LEDGER_WAIT_MS   10          /* for the lock of a transaction */
#define TG_LEDGER_SETUP_MS  5000        /* for another who opens the file */
#define TG_LEDGER_LOOK_MAX  (UINT64_C(512) * 1024 * 1024)

typedef struct {
    tg_ledger_t   ledger;
    void         *map;                  /* NULL: not open */
    uint64_t      size;
    int           fd;
    int           lock_fd;              /* -1: not joined */
    dev_t         dev;
    ino_t         ino;
    char          path[4096];
    bool          fleet;
    uint64_t      wait_ms;              /* TG_LEDGER_WAIT_MS; may be changed
                                           after open */
} tg_ledger_file_t;

/*
 * Opens the ledger at `path`, an absolute name, or makes one of `size` bytes
 * (rounded down to pages).  One that is there must have that size.  After a new
 * boot of the machine it is made sound first (tg_ledger_reboot()).  The mapping
 * is inherited by forked children.  TG_ERROR, with *err and the file left as it
 * was: no ledger, another version or size, no permission, no space, NFS.  *f
 * must stay where it is until tg_ledger_file_close().
 */
int tg_ledger_file_open(tg_ledger_file_t *f, const char *path, uint64_t size,
    tg_error_t *err);

/*
 * Whether one could be made at `path`, where none is: TG_ERROR where there is
 * no such directory, or nobody may write in it.  What only this process may
 * not (EACCES) is no error: who tests a configuration need not be who runs it.
 */
int tg_ledger_file_could(const char *path, tg_error_t *err);

/* The same for a fleet's ledger (tg_ledger_fleet.h), whose node is named at
 * random. TG_ERROR also where the file is a ledger of the other kind. */
int tg_ledger_file_open_fleet(tg_ledger_file_t *f, const char *path,
    uint64_t size, tg_error_t *err);

/* Gives the file to those who will join (-1: unchanged). TG_OK, TG_ERROR. */
int tg_ledger_file_chown(tg_ledger_file_t *f, uid_t uid, gid_t gid,
    tg_error_t *err);

/*
 * Becomes an owner: once in each process that changes the ledger, after its
 * fork.  In a child of a process that has joined it gives the child a number of
 * its own.  TG_ERROR: the file was replaced, no permission, all numbers taken.
 */
int tg_ledger_file_join(tg_ledger_file_t *f, tg_error_t *err);

/*
 * Looks whether it all fits together, where it is open and nobody has joined:
 * for the master, before its workers do.  TG_OK and *r; TG_AGAIN: it is in use,
 * or so large that a start would take long, and was not looked at; TG_ERROR.
 */
int tg_ledger_file_sound(tg_ledger_file_t *f, tg_ledger_report_t *r,
    tg_error_t *err);

/* Opens an existing one, of either kind, for looking only: nothing is locked or
 * written, and nothing keeps it from changing. */
int tg_ledger_file_inspect(tg_ledger_file_t *f, const char *path,
    tg_error_t *err);

/* Whether the name still leads to the file that is mapped. TG_ERROR says what
 * became of it; the mapping goes on to work, but others may use another file.
 */
int tg_ledger_file_check(const tg_ledger_file_t *f, tg_error_t *err);

/* Asks the kernel to begin writing what has changed, and does not wait. A power
 * cut loses what was not written; nothing else does. */
void tg_ledger_file_flush(tg_ledger_file_t *f);

/* Gives up the number and the mapping. Twice is harmless. */
void tg_ledger_file_close(tg_ledger_file_t *f);

#endif /* TG_LEDGER_FILE_H */
