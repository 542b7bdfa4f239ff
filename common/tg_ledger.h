/*
 * tg_ledger.h - who has spent how much: never more than allowed, nothing
 * forgotten, nothing twice.
 *
 * A ledger is one piece of memory, shared by processes and by their threads,
 * mapped from a file by who hands it in (hosted/tg_ledger_file.h).  It holds
 *
 *   - entries: the counters (buckets), found by a 16-byte key;
 *   - slots: the calls in flight, with what each holds of which entry;
 *   - a redo log of one transaction.
 *
 * Everything that changes does so in transactions under one short lock: the new
 * contents of all entries and of the slot are written to the log, the log is
 * marked valid, copied to their places, marked done.  A process that dies at
 * any instruction leaves either nothing or a valid log, which the next to take
 * the lock copies again.
 *
 * The life of a call:
 *
 *   tg_ledger_hold()          an upper bound is debited from all its entries,
 *                             or from none                      slot: OPEN
 *   tg_ledger_sent()          before its first byte goes upstream
 *   tg_ledger_settle()        the bound is replaced by the actual, once
 *                                                               slot: FINAL
 *   tg_ledger_line_written()  its cost line is safe             slot: FREE
 *
 * A dead process's slots are found by tg_ledger_sweep(): not sent costs
 * nothing; sent costs what was held; FINAL has its line written again.  So
 * whatever was settled has its line, at least once, and lines written twice
 * carry the same id (in the slot's blob).
 *
 * Owners are numbered 1 to TG_LEDGER_OWNERS_MAX.  The host proves that a number
 * belongs to one living process at a time (kernel locks), and tells, of any
 * number, whether nobody has it.
 *
 * Times are milliseconds since the epoch.  Amounts are whole and not negative,
 * in the measure's unit (nano-dollars, tokens, requests, calls at a time); sums
 * saturate at INT64_MAX.
 *
 * All functions with a `tg_ledger_t *` that is not const may be called by
 * several threads of the process at once.
 */

#ifndef TG_LEDGER_H
#define TG_LEDGER_H

#include "tg_window.h"

#define TG_LEDGER_ITEMS_MAX   16     /* entries of one call */
#define TG_LEDGER_BLOB_MAX    256    /* bytes kept for a call's cost line */
#define TG_LEDGER_ALERTS_MAX  6      /* thresholds of an entry */
#define TG_LEDGER_OWNERS_MAX  1023   /* processes at a time */
#define TG_LEDGER_SIZE_MIN    (256 * 1024)
#define TG_LEDGER_SIZE_MAX    (UINT64_C(64) * 1024 * 1024 * 1024)
#define TG_LEDGER_KEY         16

/* Beside the bits of thresholds: the entry was latched. */
#define TG_LEDGER_LATCHED     0x80

/* A call that would hold more is refused.  So the sum of what all slots hold
 * cannot overflow. */
#define TG_LEDGER_AMOUNT_MAX  (INT64_C(1) << 44)
#define TG_LEDGER_SLOTS_MAX   (UINT32_C(1) << 18)

/* What the functions below return. */
enum {
    TG_LEDGER_OK      = 0,
    TG_LEDGER_REFUSED = 1,      /* what is settled leaves no room; latched */
    TG_LEDGER_PARK    = 2,      /* only other calls' holds are in the way */
    TG_LEDGER_FULL    = 3,      /* no room for an entry or a slot */
    TG_LEDGER_BUSY    = 4,      /* the lock was not to be had in time */
    TG_LEDGER_STALE   = 5,      /* the slot is not the caller's (any more), or
                                   there is no such entry: nothing was done */
    TG_LEDGER_BAD     = 6       /* the arguments make no sense, or the memory's
                                   contents don't: nothing was done */
};

/* The host's part. `baton` is handed back to both. */
typedef struct {
    /* True only where no living process has that number. */
    bool  (*owner_dead)(void *baton, uint32_t owner);

    /*
     * Called while the lock is another's: yields or sleeps for some
     * microseconds.  *since is 0 at a wait's first call and then the host's to
     * keep a time in.  False: waited long enough (10 ms), give up.
     */
    bool  (*wait)(void *baton, uint64_t *since);
    void   *baton;
} tg_ledger_host_t;

typedef struct tg_ledger_fleet_s  tg_ledger_fleet_t;    /* tg_ledger_fleet.h */

/* A process's view.  Filled in by tg_ledger_attach(); private. */
typedef struct {
    unsigned char          *base;
    uint64_t                size;
    struct tg_led_head_s   *head;
    struct tg_led_entry_s  *entries;
    struct tg_led_slot_s   *slots;
    uint32_t               *chains;
    uint32_t               *cells;
    unsigned char          *log;
    struct tg_led_fent_s   *fents;      /* these of a fleet's, else NULL */
    struct tg_led_fslot_s  *fslots;
    uint64_t               *dirty;
    const tg_ledger_fleet_t  *fleet;
    uint32_t                nentries;
    uint32_t                nslots;
    uint32_t                chain_mask;
    uint32_t                log_len;    /* of the transaction being written */
    uint32_t                log_size;
    uint32_t                hand;       /* where to look for what has ended */
    uint64_t                me;         /* incarnation << 32 | owner; 0: none,
                                           nothing can be changed */
    tg_ledger_host_t        host;
} tg_ledger_t;

/* Names one use of one slot. */
typedef struct {
    uint64_t  gen;
    uint32_t  index;
} tg_ledger_slot_t;

enum {
    TG_LEDGER_DRY_RUN    = 0x01,    /* counts, never refuses */
    TG_LEDGER_CONCURRENT = 0x02,    /* settles to 0; `used` stays 0 */
    TG_LEDGER_LATCH      = 0x04,    /* the first refusal closes the entry until
                                       tg_ledger_latch() opens it */
    TG_LEDGER_INVENTED   = 0x08     /* the subject is the client's word: its
                                       entries share half of the table, those
                                       of one `creator` a 64th */
};

/*
 * What a call takes of one bucket.
 *
 * key: a hash of what the counter is: the quota's definition (with measure,
 * window and time zone) and the subject.  Cryptographic, or at least not
 * forgeable by clients.
 *
 * window: where `now` lies (tg_window_roll()).  It takes effect if it is later
 * than the entry's own: windows never go backwards.  With idle_ms > 0 it is not
 * looked at, and the entry's window ends when for idle_ms there has been no
 * hold, no settle and no open call.
 *
 * limit: what used + held may not pass (the quota's stop=).  cap: what the
 * thresholds are percentages of.  A raise (tg_ledger_raise()) adds to both.
 *
 * alert: percentages of cap, 1 to 255, ascending, 0 where there are no more.
 */
typedef struct {
    unsigned char  key[TG_LEDGER_KEY];
    tg_window_t    window;
    int64_t        idle_ms;         /* at most TG_WINDOW_IDLE_MAX */
    int64_t        amount;
    int64_t        cap;
    int64_t        limit;
    uint32_t       flags;
    uint32_t       creator;         /* with TG_LEDGER_INVENTED: a hash of who
                                       sends that word; few may share one */
    uint8_t        alert[TG_LEDGER_ALERTS_MAX];
} tg_ledger_item_t;

/* An entry after the transaction (of one refused: as it is). */
typedef struct {
    int64_t   used;
    int64_t   held;
    int64_t   cap;                  /* raised, where it is */
    int64_t   limit;                /* the same */
    int64_t   window;               /* its start; of a settle, that of the
                                       call's admission */
    int64_t   reset;                /* its end; TG_WINDOW_NEVER */
    uint8_t   crossed;              /* bit i: alert[i] was reached just now;
                                       TG_LEDGER_LATCHED.  Once a window;
                                       confirmed by tg_ledger_alerted() */
    bool      latched;
    bool      dry;                  /* would have been refused or parked */
} tg_ledger_state_t;

typedef struct {
    tg_ledger_slot_t   slot;        /* of TG_LEDGER_OK */
    unsigned           item;        /* which one refused, parked or was full;
                                       full of slots: the number of items.  Of
                                       several that refuse the one whose reset
                                       is last, for until then it is useless to
                                       come again */
    unsigned           nstates;     /* 0 of FULL, BUSY, STALE and BAD */
    tg_ledger_state_t  states[TG_LEDGER_ITEMS_MAX];
} tg_ledger_result_t;

/* A slot, as the sweeper finds it. */
typedef struct {
    tg_ledger_slot_t   slot;        /* now the caller's */
    bool               recovered;   /* settled by a sweeper */
    bool               sent;
    int64_t            admitted;    /* when */
    unsigned           nitems;
    int64_t            actual[TG_LEDGER_ITEMS_MAX];
    tg_ledger_state_t  states[TG_LEDGER_ITEMS_MAX];     /* where recovered */
    unsigned char      keys[TG_LEDGER_ITEMS_MAX][TG_LEDGER_KEY];
                                                        /* where recovered */
    size_t             blob_len;
    unsigned char      blob[TG_LEDGER_BLOB_MAX];
} tg_ledger_swept_t;

/* True: the line is safe, the slot may go.  False: it stays FINAL and the
 * caller's, who will call tg_ledger_line_written(). */
typedef bool (*tg_ledger_swept_pt)(void *baton, const tg_ledger_swept_t *call);

/* An entry, for status and for tools. */
typedef struct {
    unsigned char  key[TG_LEDGER_KEY];
    int64_t        window, reset;
    int64_t        used, held;
    int64_t        others_used, others_held;    /* of a fleet's other nodes, as
                                       last heard; slices count as held */
    int64_t        before;          /* the start of the window before */
    int64_t        before_used, before_held;
    int64_t        cap, limit;      /* as last seen by a hold; not raised */
    int64_t        raise, raise_until;
    uint32_t       open;            /* calls */
    uint8_t        alert[TG_LEDGER_ALERTS_MAX];
    uint8_t        crossed;         /* thresholds reached in this window */
    uint8_t        pending;         /* of those, not confirmed yet */
    uint8_t        before_pending;
    bool           latched;
    bool           reserved;
    bool           concurrent;
    bool           torn;            /* of a read-only view: it was changing */
} tg_ledger_entry_t;

typedef struct {
    uint32_t  entries, entries_used, entries_invented;
    uint32_t  slots, slots_used;    /* OPEN or FINAL */
    uint64_t  recoveries;           /* locks taken over from the dead */
    uint64_t  replays;              /* of those, with a valid log */
    uint64_t  swept;                /* slots settled for the dead */
    uint64_t  full, busy, evicted;
    int64_t   created;              /* when the file was */
} tg_ledger_stats_t;

/* What tg_ledger_check() found wrong: 0 everywhere in a sound ledger. */
typedef struct {
    uint64_t  entries, slots;       /* looked at, in use */
    uint64_t  open, final;          /* slots */
    uint64_t  bad_held;             /* held is not the sum of the open slots' */
    uint64_t  bad_open;             /* count of open slots */
    uint64_t  bad_chain;            /* entries not to be found, found twice */
    uint64_t  bad_free;             /* free lists */
    uint64_t  bad_slot;             /* contents out of range */
    uint64_t  bad_entry;            /* the same */
    uint64_t  bad_count;            /* the header's totals */
    uint64_t  bad_pending;          /* of a fleet: what was asked for is not the
                                       sum of the slots' */
    uint64_t  negative;             /* amounts */
    uint64_t  broken;               /* settles, since the file was made, that
                                       found less held than their hold */
} tg_ledger_report_t;


/*
 * Makes a ledger in `size` bytes of zeros at `base`, aligned to 64.  `seed`:
 * random, against keys chosen to collide.  `boot`: see below.  TG_ERROR where
 * the size is out of range.
 */
int tg_ledger_format(void *base, uint64_t size, const unsigned char seed[16],
    const unsigned char boot[16], int64_t now, tg_error_t *err);

/*
 * A view of a ledger.  TG_ERROR, and nothing altered, where it is not one, of
 * another version or layout, or of another size.  The view can read but not
 * change anything until tg_ledger_claim().  host may be NULL for reading only.
 */
int tg_ledger_attach(tg_ledger_t *led, void *base, uint64_t size,
    const tg_ledger_host_t *host, tg_error_t *err);

/*
 * The machine's boot when the ledger was last opened, 16 bytes.  If it is
 * another one now, all that had it open are dead and the last seconds of its
 * contents may be missing in parts: tg_ledger_reboot() makes it sound again,
 * bills calls that were open at what they held (the next sweep settles them),
 * and notes the new boot.  Only while nobody else has it open.
 */
const unsigned char *tg_ledger_boot(const tg_ledger_t *led);
void tg_ledger_reboot(tg_ledger_t *led, const unsigned char boot[16]);

/* The host has proved that the process is the only one with that number. Once
 * for each proof; TG_LEDGER_OK or _BAD. */
int tg_ledger_claim(tg_ledger_t *led, uint32_t owner);

/* Whether that owner is.  incarnation 0: another one of that number than we
 * are. */
bool tg_ledger_owner_alive(const tg_ledger_t *led, uint32_t owner,
    uint32_t incarnation);

/*
 * Debits all items, 1 to TG_LEDGER_ITEMS_MAX of them with different keys, or
 * none.  blob: up to TG_LEDGER_BLOB_MAX bytes for the sweeper.  OK, REFUSED,
 * PARK, FULL, BUSY, BAD.
 */
int tg_ledger_hold(tg_ledger_t *led, int64_t now,
    const tg_ledger_item_t *items, unsigned n, const void *blob, size_t len,
    tg_ledger_result_t *r);

/*
 * What a hold would find, and would be told: OK, REFUSED, PARK, BAD, and the
 * states as they are.  Neither locks nor changes anything, so that it is out of
 * date when it returns; for tools.
 */
int tg_ledger_look(const tg_ledger_t *led, int64_t now,
    const tg_ledger_item_t *items, unsigned n, tg_ledger_result_t *r);

/* Before the first byte goes upstream. No lock. OK, STALE. */
int tg_ledger_sent(tg_ledger_t *led, tg_ledger_slot_t slot);

/*
 * Replaces the holds by `actual`, n as many as were held, in the same order,
 * even past the cap.  They count in the windows of the admission; where an
 * entry has gone on by more than one window the old one's sum is not kept.
 * blob, if not NULL, replaces the slot's.  The states are those of the windows
 * of admission; r may be NULL.  OK, STALE (settled before: harmless), BUSY (try
 * again later; with a blob it is what a sweeper finds if the process dies before
 * that), BAD.
 */
int tg_ledger_settle(tg_ledger_t *led, int64_t now, tg_ledger_slot_t slot,
    const int64_t *actual, unsigned n, const void *blob, size_t len,
    tg_ledger_result_t *r);

/* Frees n FINAL slots. Stale ones are skipped. OK, BUSY (none was freed). */
int tg_ledger_line_written(tg_ledger_t *led, const tg_ledger_slot_t *slots,
    unsigned n);

/*
 * Settles dead owners' slots and hands each to `cb`, after which it is FREE or
 * the caller's; then makes room of entries whose windows have ended.  For a
 * timer, each second.  Returns the number of slots handed over, or minus
 * TG_LEDGER_BUSY where the lock was not to be had.  Not from inside cb.
 */
int tg_ledger_sweep(tg_ledger_t *led, int64_t now, tg_ledger_swept_pt cb,
    void *baton);

/*
 * Entries for configured subjects, which then exist as long as they are
 * reserved, whatever clients invent.  A configuration takes an epoch, reserves
 * all of its subjects with it, and ends it, which gives up those of older
 * epochs. `item` as for a hold (amount is not looked at).  OK, FULL, BUSY, BAD.
 */
int tg_ledger_reserve_begin(tg_ledger_t *led, uint32_t *epoch);
int tg_ledger_reserve(tg_ledger_t *led, uint32_t epoch, int64_t now,
    const tg_ledger_item_t *item);
int tg_ledger_reserve_end(tg_ledger_t *led, uint32_t epoch);

/*
 * For administrators.  OK, STALE (no such entry), FULL, BUSY, BAD.
 *
 * latch: closes or opens.  raise: adds `amount` (negative: takes away) to cap
 * and limit until the time given (TG_WINDOW_NEVER: for good), in place of an
 * earlier raise; 0 ends one.  reset: nothing used in this window, thresholds
 * and latch as new; what calls in flight hold stays held.  A window that the
 * clock ran ahead into comes back, if no call is open.
 */
int tg_ledger_latch(tg_ledger_t *led, const unsigned char *key, bool closed);
int tg_ledger_raise(tg_ledger_t *led, int64_t now,
    const tg_ledger_item_t *item, int64_t amount, int64_t until);
int tg_ledger_reset(tg_ledger_t *led, int64_t now,
    const tg_ledger_item_t *item);

/* The alerts of these thresholds, in the window that began at `window`, are
 * safe. Those never confirmed show up as pending in tg_ledger_read() and
 * tg_ledger_each(). OK, STALE, BUSY. */
int tg_ledger_alerted(tg_ledger_t *led, const unsigned char *key,
    int64_t window, uint8_t bits);

/*
 * An entry as it is, without the lock.  Its window may have ended: then, seen
 * from now, nothing is used.  OK, STALE.
 */
int tg_ledger_read(const tg_ledger_t *led, const unsigned char *key,
    tg_ledger_entry_t *e);

/* All entries, one at a time: *i starts at 0.  False at the end. */
bool tg_ledger_each(const tg_ledger_t *led, uint32_t *i,
    tg_ledger_entry_t *e);

void tg_ledger_stats(const tg_ledger_t *led, tg_ledger_stats_t *s);

/*
 * Looks whether it all fits together.  Meaningful while nothing changes: under
 * the lock where the view has claimed a number, else as it is.  TG_ERROR: no
 * memory. OK, BUSY.
 */
int tg_ledger_check(tg_ledger_t *led, tg_mem_t *mem, tg_ledger_report_t *r);

/* How many mistakes there are now; `broken` is of the past. */
uint64_t tg_ledger_mistakes(const tg_ledger_report_t *r);

#endif /* TG_LEDGER_H */
