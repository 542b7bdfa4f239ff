/*
 * tg_ledger_int.h - the layout of a ledger's memory; private to tg_ledger*.c.
 *
 *     head | owners | log | cells | chains | entries | slots
 *
 * Indexes of entries and slots are stored plus one, 0 being none.  What is
 * marked "logged" changes only in a transaction.
 */

#ifndef TG_LEDGER_INT_H
#define TG_LEDGER_INT_H

#include "tg_ledger.h"

#define TG_LED_MAGIC       UINT64_C(0x52474c656c6c6f54)    /* in host order */
#define TG_LED_VERSION     2
#define TG_LED_PAGE        4096
#define TG_LED_LOG_SIZE    4096
#define TG_LED_CELLS       4096
#define TG_LED_CHAIN_MAX   1024     /* a longer one is a loop */
#define TG_LED_RECLAIM     256      /* entries looked at under one lock */
#define TG_LED_GRACE       5000     /* ms that a process's clock may be late */

#define TG_LED_INVENTED(n)  ((n) / 2)
#define TG_LED_CREATOR(n)   ((n) / 64 > 0 ? (n) / 64 : 1)

enum {
    TG_LED_FREE  = 0,
    TG_LED_OPEN  = 1,
    TG_LED_FINAL = 2
};

/* Of an entry. */
enum {
    TG_LED_USED       = 0x01,
    TG_LED_CLOSED     = 0x02,
    TG_LED_CONCURRENT = 0x04
};

/* Of a slot's item: flags, and above them the seconds of an idle window. */
enum {
    TG_LED_ITEM_CONCURRENT = 0x01,
    TG_LED_ITEM_SHIFT      = 8
};

typedef struct tg_led_head_s   tg_led_head_t;
typedef struct tg_led_entry_s  tg_led_entry_t;
typedef struct tg_led_slot_s   tg_led_slot_t;

struct tg_led_entry_s {
    unsigned char  key[TG_LEDGER_KEY];
    int64_t        window, until;
    int64_t        used, held;
    int64_t        before, pused, pheld;    /* the window before */
    int64_t        cap, limit;
    int64_t        raise, raise_until;
    uint8_t        alert[TG_LEDGER_ALERTS_MAX];
    uint16_t       cell;            /* of the creator, plus one; 0: none */
    uint32_t       next;            /* of its chain, or of the free list */
    uint32_t       opens;           /* slots that are OPEN and name it */
    uint32_t       epoch;           /* reserved by; 0: not.  Not logged */
    uint8_t        crossed, pending, ppending;
    uint8_t        flags;
};

typedef struct {
    uint32_t       entry;
    uint32_t       flags;
    int64_t        window;          /* of the admission */
    int64_t        amount;          /* OPEN: held; FINAL: actual */
} tg_led_item_t;

struct tg_led_slot_s {
    uint64_t       owner;           /* incarnation << 32 | number */
    uint64_t       gen;
    int64_t        admitted;
    uint32_t       state;
    uint32_t       sent;            /* set by its owner without the lock */
    uint32_t       next;            /* of the free list */
    uint16_t       nitems;
    uint16_t       blob_len;
    uint32_t       recovered;
    uint32_t       said;            /* as sent; 1: what is below holds */
    uint32_t       said_len;
    uint32_t       unused[3];
    tg_led_item_t  items[TG_LEDGER_ITEMS_MAX];
    unsigned char  blob[TG_LEDGER_BLOB_MAX];

    /* What its owner would settle it for, had he the lock. */
    int64_t        said_actual[TG_LEDGER_ITEMS_MAX];
    unsigned char  said_blob[TG_LEDGER_BLOB_MAX];
};

/* Logged. */
typedef struct {
    uint32_t       free_entry, free_slot;
    uint32_t       fresh_entry, fresh_slot;     /* once used */
    uint32_t       nused, ninvented;            /* entries */
    uint32_t       nbusy;                       /* slots not FREE */
    uint32_t       epoch;
} tg_led_vars_t;

struct tg_led_head_s {
    uint64_t       magic;
    uint32_t       version;
    uint32_t       entry_size, slot_size;
    uint32_t       nentries, nslots, nchains;
    uint64_t       size;
    int64_t        created;
    uint64_t       seed[2];
    unsigned char  boot[16];

    uint64_t       lock  __attribute__((aligned(64)));
    uint64_t       seq;             /* odd: the log is valid */
    uint32_t       log_len;
    uint32_t       incarnation;
    tg_led_vars_t  vars;

    uint64_t       recoveries  __attribute__((aligned(64)));
    uint64_t       replays, swept, full, busy, evicted, broken;
};

/* What precedes each image in the log. */
typedef struct {
    uint64_t       offset;          /* from the base */
    uint64_t       len;
} tg_led_record_t;

_Static_assert(sizeof(tg_led_entry_t) == 128, "an entry is two cache lines");
_Static_assert(sizeof(tg_led_slot_t) == 1088, "a slot is 17 cache lines");
_Static_assert(sizeof(tg_led_head_t) <= TG_LED_PAGE, "the head is a page");
_Static_assert(sizeof(tg_led_vars_t) == 32, "the vars are logged whole");

/* The largest transaction: a hold of all items. */
_Static_assert((TG_LEDGER_ITEMS_MAX + 3) * sizeof(tg_led_record_t)
               + TG_LEDGER_ITEMS_MAX * sizeof(tg_led_entry_t)
               + offsetof(tg_led_slot_t, said_actual) + sizeof(tg_led_vars_t)
               <= TG_LED_LOG_SIZE, "the log holds any transaction");

typedef struct {
    uint64_t       owners, log, cells, chains, entries, slots;
    uint32_t       nentries, nslots, nchains;
} tg_led_layout_t;


/* tg_ledger_log.c */

/* TG_LEDGER_OK, _BUSY; _BAD for a view that can't write. */
int tg_led_lock(tg_ledger_t *led);
void tg_led_unlock(tg_ledger_t *led);

/* Under the lock: begin, take images, alter them, commit.  What is not
 * committed has not happened.  An image starts as a copy of its target. */
void tg_led_begin(tg_ledger_t *led);
void *tg_led_image(tg_ledger_t *led, void *target, size_t len);
void tg_led_commit(tg_ledger_t *led);

/* Copies a valid log to where it belongs.  `wary`: only records that name whole
 * entries, slots and variables as they are. */
void tg_led_replay(tg_ledger_t *led, bool wary);

/* True where the process that was `word` has died. */
bool tg_led_dead(const tg_ledger_t *led, uint64_t word);

/* A reader's side of head->seq: begin waits, within reason, for an even one;
 * true of end: what was read in between is of one moment. */
uint64_t tg_led_read_begin(const tg_ledger_t *led);
bool tg_led_read_end(const tg_ledger_t *led, uint64_t seq);

/* tg_ledger_table.c */

/* Its index plus one, 0: none, UINT32_MAX: the chain is broken. */
uint32_t tg_led_find(const tg_ledger_t *led, const unsigned char *key);

/* Into the cache: the chain's head; then, with it there, its first entry. */
void tg_led_prefetch(const tg_ledger_t *led, const unsigned char *key,
    bool entry);

uint32_t *tg_led_chain(const tg_ledger_t *led, const unsigned char *key);

/* The count of a creator's entries; cell from 1. */
uint32_t *tg_led_cell(const tg_ledger_t *led, uint32_t cell);

/*
 * Under the lock, a transaction of its own: an entry for the item, with nothing
 * used.  Room is made where there is none, but never of the `n` entries kept.
 * TG_LEDGER_OK and *index (plus one), _FULL, _BAD.
 */
int tg_led_create(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item,
    const uint32_t *kept, unsigned n, uint32_t *index);

/* Under the lock: looks at that many entries for some to free. */
void tg_led_reclaim(tg_ledger_t *led, int64_t now, unsigned steps);

/* tg_ledger_entry.c */

bool tg_led_item_valid(const tg_ledger_item_t *item);

/* What a call would find at `now`; e NULL is a new entry. */
void tg_led_view(const tg_led_entry_t *e, const tg_ledger_item_t *item,
    int64_t now, tg_ledger_state_t *state);

/* The entry goes on to the item's window, if that is later. */
void tg_led_roll(tg_led_entry_t *e, const tg_ledger_item_t *item,
    int64_t now);

/* The idle window lasts from now. */
void tg_led_touch(tg_led_entry_t *e, int64_t now, int64_t idle_ms);

/* Takes over the item's cap, limit and thresholds. */
void tg_led_declare(tg_led_entry_t *e, const tg_ledger_item_t *item);

/* Marks thresholds that `used` has reached, or those of 100% where `refused`;
 * returns the new ones. */
uint8_t tg_led_cross(tg_led_entry_t *e, int64_t now, bool refused);

/* Replaces the hold of a slot's item by the actual; `opens` goes down by one.
 * False: less was held, which can't be; it is settled nevertheless. */
bool tg_led_entry_settle(tg_led_entry_t *e, const tg_led_item_t *item,
    int64_t now, int64_t actual, tg_ledger_state_t *state);

int64_t tg_led_add(int64_t a, int64_t b);       /* saturating */

/* Above as below 0 nothing is lost: cap, or limit, with the raise of now. */
int64_t tg_led_raised(const tg_led_entry_t *e, int64_t amount, int64_t now);

/* tg_ledger_open.c */

bool tg_led_layout(uint64_t size, tg_led_layout_t *l);

/* tg_ledger.c */

/* Under the lock, a transaction: OPEN to FINAL, the slot's owner is the caller.
 * `actual` NULL: what was held, if sent, else 0. */
int tg_led_slot_settle(tg_ledger_t *led, int64_t now, tg_led_slot_t *s,
    const int64_t *actual, const void *blob, size_t len,
    tg_ledger_state_t *states);

/* Under the lock, a transaction: FINAL to FREE. */
void tg_led_slot_free(tg_ledger_t *led, tg_led_slot_t *s);

#endif /* TG_LEDGER_INT_H */
