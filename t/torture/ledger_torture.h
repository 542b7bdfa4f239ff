/*
 * ledger_torture.h - what is true, and held against what the ledger says;
 * private to ledger_torture.c and ledger_truth.c.
 */

#ifndef LEDGER_TORTURE_H
#define LEDGER_TORTURE_H

#include "tg_ledger_file.h"

#define SIZE       (8 * 1024 * 1024)
#define PROCS_MAX  64
#define ITEMS      6
#define SUMS       32           /* counters without end */
#define TIGHT      8
#define CONC       128
#define FLIGHT     18           /* calls of a thread */
#define SLOTS      4096
#define SPEED      50           /* times as fast as the clock */
#define WINDOW     1000         /* ms, 20 of them real */
#define TIGHT_CAP  100000
#define CONC_CAP   2
#define SUBJECTS   1000000

typedef struct {
    uint64_t  word;             /* last generation << 1 | copy that counts */
    int64_t   sums[2][SUMS];
    int64_t   last[ITEMS];      /* the line of that generation */
} book_t;

typedef struct {
    uint64_t  gen;              /* written last */
    int64_t   actual[ITEMS];
} bill_t;

/* What can go wrong. */
typedef enum {
    LIMITS = 0,
    MONEY,
    LINES,
    WINDOWS,
    CALLS,
    LEFT,
    KINDS
} kind_t;

typedef struct {
    book_t    book[SLOTS];
    bill_t    bill[SLOTS];
    uint64_t  wrong[KINDS];
    uint64_t  holds, settles, lines, again, refused, parked, full, busy,
              recovered, given_back, granted, samples;
} truth_t;

typedef struct {
    uint32_t  sum[3];
    uint32_t  check;
    int64_t   hold[ITEMS];
} blob_t;

/* Shared by all processes, and the ledger. */
extern truth_t           *truth;
extern tg_ledger_file_t   file;

int64_t now_us(void);
int64_t now_ms(void);           /* the ledger's clock, which runs fast */
void count(uint64_t *n);
void wrong(kind_t kind, const char *what, tg_ledger_slot_t slot);
uint32_t blob_check(const blob_t *b);

/* Writes the line: it is in the book at the one store of the word. */
void line_write(tg_ledger_slot_t slot, bool recovered, bool sent,
    const int64_t *actual, const blob_t *b);

void key_of(unsigned char *key, const char *kind, uint64_t n);
void item_of(tg_ledger_item_t *it, const char *kind, uint64_t n,
    int64_t amount, int64_t cap);

/* When all is over and swept. */
void finish(void);
void report(unsigned procs, uint64_t kills, double seconds);

/* Prints what was wrong; the sum of it. */
uint64_t verdict(void);

#endif /* LEDGER_TORTURE_H */
