/*
 * tg_ledger_int.h - the layout of a ledger's memory; private to tg_ledger*.c.
 *
 *     head | owners | log | cells | chains | entries | slots
 *
 * and of a fleet, after those, what belongs to each entry and each slot:
 *
 *     fleet's entries | fleet's slots | bits of entries
 *
 * Indexes of entries and slots are stored plus one, 0 being none.  What is
 * marked "logged" changes only in a transaction.
 */

#ifndef TG_LEDGER_INT_H
#define TG_LEDGER_INT_H

#include "tg_ledger_fleet.h"

#define TG_LED_MAGIC       UINT64_C(0x52474c656c6c6f54)    /* in host order */
#define TG_LED_VERSION     2
#define TG_LED_PAGE        4096
#define TG_LED_LOG_SIZE    4096
#define TG_LED_LOG_FLEET   8192
#define TG_LED_CELLS       4096
#define TG_LED_CHAIN_MAX   1024     /* a longer one is a loop */
#define TG_LED_RECLAIM     256      /* entries looked at under one lock */
#define TG_LED_READ_AGAIN  100      /* for a reader without the lock */
#define TG_LED_GRACE       5000     /* ms that a process's clock may be late */

#define TG_LED_INVENTED(n)  ((n) / 2)
#define TG_LED_CREATOR(n)   ((n) / 64 > 0 ? (n) / 64 : 1)

enum {
    TG_LED_FREE  = 0,
    TG_LED_OPEN  = 1,
    TG_LED_FINAL = 2,
    TG_LED_ASKING = 3           /* of a fleet; what of its items is held already
                                   is in them */
};

/* Of an entry. */
enum {
    TG_LED_USED       = 0x01,
    TG_LED_CLOSED     = 0x02,
    TG_LED_CONCURRENT = 0x04,
    TG_LED_FLEET      = 0x08    /* thresholds are the fleet's matter */
};

/* Of a slot's item: flags, and above them the seconds of an idle window. */
enum {
    TG_LED_ITEM_CONCURRENT = 0x01,
    TG_LED_ITEM_UNBACKED   = 0x02,  /* of a fleet: tg_led_fslot_t.unbacked */
    TG_LED_ITEM_DRY        = 0x04,
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

/* Logged: of a fleet. */
typedef struct {
    uint64_t       seq;             /* of the last message */
    uint64_t       epoch;           /* joined, or being said hello to */
    uint64_t       fence;           /* messages up to here were before hello:
                                       what they are granted is void */
    uint64_t       nodes_version;
    int64_t        tick_at, beat_at, join_at;
    int64_t        down;            /* since; 0: not */
    int64_t        heard;
    uint32_t       joined;
    uint32_t       open;
    uint32_t       retired;
    uint32_t       drain;
    uint32_t       member;          /* has been joined once */
    uint32_t       nnodes;
    uint32_t       cursor;          /* of the entries looked at in this round */
    uint32_t       unsaid;          /* hello: some were not, in this round */
} tg_led_fvars_t;

/* Logged: a fleet's part of an entry.  All of the entry's window. */
typedef struct tg_led_fent_s {
    int64_t        slice;
    int64_t        pend;            /* of the slots that are ASKING */
    int64_t        size;            /* what a slice is filled up to */
    int64_t        flow, flow_at;   /* taken out since */
    uint64_t       sent, seen;      /* last message that names it, answer */
    int64_t        mine;            /* on record as of `seen` */
    int64_t        floor;           /* no less than that is, since `seen` */
    uint64_t       view_epoch, view_version;
    int64_t        view_total, retired;
    int64_t        oused, oowned;   /* of others, as of `seen` */
    int64_t        told;
    int64_t        heard, asked, last;  /* answered, asked, held last, when */
    int64_t        ptold;           /* pused + pheld on record */
    uint64_t       pepoch;
    uint64_t       ops_seq;         /* messages beyond tell of ops */
    int64_t        idle_ms;
    uint32_t       ops;
    uint32_t       above;           /* more than the limit is on record */
} tg_led_fent_t;

/* Logged: a fleet's part of a slot. */
typedef struct tg_led_fslot_s {
    uint64_t       seq, epoch;
    uint32_t       kind;
    uint16_t       asked;           /* bits: items the message names */
    uint16_t       required;        /* bits: those it can't do without */
    int64_t        want[TG_LEDGER_ITEMS_MAX];
    int64_t        need[TG_LEDGER_ITEMS_MAX];   /* of want, for the call */
    int64_t        unbacked[TG_LEDGER_ITEMS_MAX];   /* held, of no slice */
} tg_led_fslot_t;

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

    uint64_t       fleet  __attribute__((aligned(64)));     /* the node; 0: not
                                                               of a fleet */
    tg_led_fvars_t fvars;
    uint64_t       asks, reports, hellos, lost, granted, refused, voided;
    uint64_t       epochs, over, unbacked;
    uint64_t       nodes[TG_LEDGER_NODES_MAX];
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
_Static_assert(sizeof(tg_led_fent_t) == 192, "three cache lines");
_Static_assert((TG_LEDGER_ITEMS_MAX * 2 + 5) * sizeof(tg_led_record_t)
               + TG_LEDGER_ITEMS_MAX * (sizeof(tg_led_entry_t)
                                        + sizeof(tg_led_fent_t))
               + sizeof(tg_led_slot_t) + sizeof(tg_led_vars_t)
               + sizeof(tg_led_fslot_t) + sizeof(tg_led_fvars_t)
               <= TG_LED_LOG_FLEET, "the log holds any transaction");

/* The largest transaction: a hold of all items. */
_Static_assert((TG_LEDGER_ITEMS_MAX + 3) * sizeof(tg_led_record_t)
               + TG_LEDGER_ITEMS_MAX * sizeof(tg_led_entry_t)
               + offsetof(tg_led_slot_t, said_actual) + sizeof(tg_led_vars_t)
               <= TG_LED_LOG_SIZE, "the log holds any transaction");

typedef struct {
    uint64_t       owners, log, cells, chains, entries, slots;
    uint64_t       fents, fslots, dirty;        /* of a fleet */
    uint32_t       log_size;
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

bool tg_led_layout(uint64_t size, bool fleet, tg_led_layout_t *l);

/* tg_ledger.c */

bool tg_led_is_valid(const tg_ledger_item_t *items, unsigned n, size_t len);

/* A free slot in `vars`. TG_LEDGER_OK, _FULL, _BAD. */
int tg_led_slot_take(tg_ledger_t *led, tg_led_vars_t *vars,
    tg_led_slot_t **slot);

/* The caller's slot, in that use of it; NULL. */
tg_led_slot_t *tg_led_slot(const tg_ledger_t *led, tg_ledger_slot_t slot,
    uint32_t state);

/* Under the lock, a transaction: OPEN to FINAL, the slot's owner is the caller.
 * `actual` NULL: what was held, if sent, else 0. */
int tg_led_slot_settle(tg_ledger_t *led, int64_t now, tg_led_slot_t *s,
    const int64_t *actual, const void *blob, size_t len,
    tg_ledger_state_t *states);

/* Under the lock, a transaction: FINAL to FREE. */
void tg_led_slot_free(tg_ledger_t *led, tg_led_slot_t *s);

/* tg_ledger_fleet_entry.c: all under the lock. */

/* As tg_led_roll(), for both parts.  Idle windows are the store's to end. */
void tg_led_fleet_roll(tg_led_entry_t *e, tg_led_fent_t *f,
    const tg_window_t *window);

/* The window goes on to the one that begins at `start`. */
void tg_led_fleet_turn(tg_led_entry_t *e, tg_led_fent_t *f, int64_t start,
    int64_t until);

int64_t tg_led_owned(const tg_led_entry_t *e, const tg_led_fent_t *f);
int64_t tg_led_free(const tg_led_entry_t *e, const tg_led_fent_t *f,
    int64_t now);

/* What is on record may differ from what is. */
bool tg_led_is_untold(const tg_led_entry_t *e, const tg_led_fent_t *f,
    uint64_t epoch);

bool tg_led_is_now_untold(const tg_led_entry_t *e, const tg_led_fent_t *f,
    uint64_t epoch);
bool tg_led_is_before_untold(const tg_led_entry_t *e, const tg_led_fent_t *f,
    uint64_t epoch);

/* Before a transaction that may make it so: it is looked at by reports. */
void tg_led_mark(tg_ledger_t *led, uint32_t index);

/* What the settling of an item does to the slice; `index` from 1. */
void tg_led_fleet_settle(tg_ledger_t *led, const tg_led_slot_t *slot,
    unsigned i, int64_t actual);

/* True where less than this is free: slices are asked for exactly. */
bool tg_led_is_tight(const tg_ledger_t *led, const tg_led_entry_t *e,
    const tg_led_fent_t *f, int64_t now);

/* The state of the entry, others' share included. */
void tg_led_fleet_state(const tg_led_entry_t *e, const tg_led_fent_t *f,
    int64_t now, tg_ledger_state_t *st);

/* Writes the entry's facts to a message's item; f->sent and so on change. */
void tg_led_fleet_say(tg_led_entry_t *e, tg_led_fent_t *f, uint64_t seq,
    int64_t now, tg_ledger_message_item_t *m);

/* The next message: its number, and who and when. */
void tg_led_fleet_number(tg_ledger_t *led, tg_led_fvars_t *fv, unsigned kind,
    tg_ledger_message_t *msg);

/* Neither granted nor refused by the store: whether redis_down= lets so much
 * more through. OK, DOWN. */
int tg_led_fleet_down(const tg_ledger_t *led, const tg_led_entry_t *e,
    const tg_led_fent_t *f, int64_t need, int64_t now);

/* tg_ledger_fleet_reply.c: under the lock, a transaction: ASKING to FREE, as if
 * refused. */
int tg_led_fleet_release(tg_ledger_t *led, tg_led_slot_t *s);

#endif /* TG_LEDGER_INT_H */
