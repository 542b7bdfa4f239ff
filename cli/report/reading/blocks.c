#define _GNU_SOURCE

#include "blocks.h"
#include "input.h"
#include "llmctl.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCKS       8
#define RECORDS      384                /* of a block, read ahead */
#define PARSERS_MAX  4
#define SOON         6                  /* records */

typedef enum {
    BLOCK_FREE = 0,
    BLOCK_FILLED,
    BLOCK_TAKEN,                        /* by a parser */
    BLOCK_PARSED
} block_state_t;

typedef struct {
    block_state_t   state;
    char           *text;               /* BLOCKS_LINE_MAX bytes: whole lines */
    size_t          n;
    size_t          at;                 /* up to here they are in records */
    uint64_t        broken;
    uint64_t        lines;              /* that were looked at */
    uint64_t        bad;                /* the first that is broken; 0: none */
    record_t       *records;
    unsigned        nrecords;
    uint64_t        taken;              /* of all files up to here, packed */
    const char     *file, *why;         /* it can't be read */
    bool            first;              /* of its file */
    bool            last;               /* nothing is in it, or behind it */
} block_t;

struct blocks_s {
    char                **files;
    int                   nfiles;
    const record_want_t  *want;
    const seen_t         *seen;
    block_t               blocks[BLOCKS];

    pthread_mutex_t       lock;         /* of the blocks' states */
    pthread_cond_t        change;
    atomic_bool           stop;
    pthread_t             reader;
    pthread_t             parsers[PARSERS_MAX];
    unsigned              nparsers;
    bool                  started;

    /* the reader's */
    char                 *carry;        /* a line's beginning */
    size_t                ncarry;
    uint64_t              filled;       /* blocks */
    uint64_t              taken;        /* bytes of the files before this one */

    uint64_t              parsing;      /* the next block, under the lock */

    /* whose lines they are */
    uint64_t              used;         /* blocks that were given back */
    block_t              *now;
    unsigned              record;
    uint64_t              bytes, broken, past;
    uint64_t              lines;        /* of this file, before this block */
    const char           *bad_file;     /* where the first broken line is */
    uint64_t              bad_line;
    uint64_t              total;        /* 0: not known */
};


/* Waits for a block to be so; false: it all stops. */
static bool
wait_for(blocks_t *b, const block_t *block, block_state_t state)
{
    bool  is;

    (void) pthread_mutex_lock(&b->lock);

    while (block->state != state && !atomic_load(&b->stop)) {
        (void) pthread_cond_wait(&b->change, &b->lock);
    }

    is = block->state == state;
    (void) pthread_mutex_unlock(&b->lock);

    return is;
}


static void
set_state(blocks_t *b, block_t *block, block_state_t state)
{
    (void) pthread_mutex_lock(&b->lock);
    block->state = state;
    (void) pthread_cond_broadcast(&b->change);
    (void) pthread_mutex_unlock(&b->lock);
}


/* A free one with what was carried over, or NULL. */
static block_t *
begin_block(blocks_t *b)
{
    block_t  *block = &b->blocks[b->filled % BLOCKS];

    if (!wait_for(b, block, BLOCK_FREE)) {
        return NULL;
    }

    memcpy(block->text, b->carry, b->ncarry);
    block->n = b->ncarry;
    b->ncarry = 0;
    block->at = 0;
    block->nrecords = 0;
    block->broken = 0;
    block->lines = 0;
    block->bad = 0;
    block->taken = 0;
    block->first = false;
    block->why = NULL;
    block->last = false;

    return block;
}


/* taken: of this file. */
static void
end_block(blocks_t *b, block_t *block, uint64_t taken)
{
    b->filled++;
    block->taken = b->taken + taken;
    set_state(b, block, BLOCK_FILLED);
}


/* Keeps whole lines; false: there is not one. */
static bool
carry_over(blocks_t *b, block_t *block)
{
    char  *last = memrchr(block->text, '\n', block->n);

    if (last == NULL) {
        return false;
    }

    b->ncarry = block->n - (size_t) (last + 1 - block->text);
    memcpy(b->carry, last + 1, b->ncarry);
    block->n -= b->ncarry;

    return true;
}


/* Without what is up to the end of a line that is too long; *skipping: it ends
 * later. */
static void
skip_line(block_t *block, bool *skipping)
{
    char  *newline = memchr(block->text, '\n', block->n);

    if (newline == NULL) {
        block->n = 0;
        return;
    }

    *skipping = false;
    block->n -= (size_t) (newline + 1 - block->text);
    memmove(block->text, newline + 1, block->n);
}


/* Up to the file's end. False: it can't be read, or it all stops. */
static bool
fill_blocks(blocks_t *b, input_t *in, const char *name)
{
    bool        skipping = false, first = true;
    block_t    *block;
    ptrdiff_t   n;
    const char *why = NULL;

    do {
        block = begin_block(b);
        if (block == NULL) {
            return false;
        }

        do {
            n = input_read(in, block->text + block->n,
                           BLOCKS_LINE_MAX - block->n, &b->stop, &why);
            block->n += n > 0 ? (size_t) n : 0;

            if (skipping) {
                skip_line(block, &skipping);
            }
        } while (n > 0 && block->n < BLOCKS_LINE_MAX);

        if (n > 0 && !carry_over(b, block)) {
            block->n = 0;
            block->broken = 1;
            block->lines = 1;
            block->bad = 1;
            skipping = true;
        }

        block->first = first;
        first = false;
        block->file = name;
        block->why = n < 0 ? why : NULL;
        end_block(b, block, input_taken(in));
    } while (n > 0);

    return n == 0 && !atomic_load(&b->stop);
}


static bool
cant_open(blocks_t *b, const char *name, const char *why)
{
    block_t  *block = begin_block(b);

    if (block != NULL) {
        block->file = name;
        block->why = why;
        end_block(b, block, 0);
    }

    return false;
}


static void *
read_files(void *data)
{
    bool        ok = true;
    block_t    *block;
    input_t    *in;
    blocks_t   *b = data;
    const char *why = NULL;

    for (int i = 0; ok && i < b->nfiles; i++) {
        in = input_open(b->files[i], &why);

        ok = in == NULL ? cant_open(b, b->files[i], why)
                        : fill_blocks(b, in, b->files[i]);

        b->taken += in == NULL ? 0 : input_taken(in);
        input_close(in);
    }

    block = ok ? begin_block(b) : NULL;

    if (block != NULL) {
        block->last = true;
        end_block(b, block, 0);
    }

    return NULL;
}


static void
count_broken(block_t *block)
{
    block->broken++;
    block->bad = block->bad == 0 ? block->lines : block->bad;
}


/* Without a byte order mark, and without the zeros that a crash leaves where
 * something was to be written: that was a line. */
static void
skip_marks(block_t *block, char **line, size_t *n)
{
    size_t  zeros = 0;

    if (*n >= 3 && memcmp(*line, "\xef\xbb\xbf", 3) == 0) {
        *line += 3;
        *n -= 3;
    }

    while (zeros < *n && (*line)[zeros] == '\0') {
        zeros++;
    }

    if (zeros != 0) {
        *line += zeros;
        *n -= zeros;
        count_broken(block);
    }
}


/* The next line of what is not in the block's records; false: it is none. */
static bool
parse_line(blocks_t *b, block_t *block, record_t *r)
{
    char    *line = block->text + block->at, *end;
    size_t   n = block->n - block->at;

    end = memchr(line, '\n', n);
    n = end == NULL ? n : (size_t) (end - line);
    block->at += n + (end != NULL);
    block->lines++;

    if (n != 0 && *line != '{') {
        skip_marks(block, &line, &n);
    }

    if (n == 0 || (n == 1 && *line == '\r')) {
        return false;
    }

    if (!record_parse(r, line, n, b->want)) {
        count_broken(block);
        return false;
    }

    if (r->text[REC_EVENT_ID].len != 0) {
        r->id = seen_bits(b->seen, r->text[REC_EVENT_ID]);
    }

    return true;
}


static block_t *
take_block(blocks_t *b)
{
    block_t  *block;

    (void) pthread_mutex_lock(&b->lock);

    for ( ;; ) {
        block = &b->blocks[b->parsing % BLOCKS];

        if (atomic_load(&b->stop)) {
            block = NULL;
            break;
        }

        if (block->state == BLOCK_FILLED) {
            b->parsing++;
            block->state = BLOCK_TAKEN;
            break;
        }

        (void) pthread_cond_wait(&b->change, &b->lock);
    }

    (void) pthread_mutex_unlock(&b->lock);

    return block;
}


static void *
parse_blocks(void *data)
{
    block_t   *block;
    blocks_t  *b = data;

    while ((block = take_block(b)) != NULL) {
        while (block->at < block->n && block->nrecords < RECORDS) {
            block->nrecords += parse_line(b, block,
                                          &block->records[block->nrecords]);
        }

        set_state(b, block, BLOCK_PARSED);
    }

    return NULL;
}


/* The files' bytes, where all of them are files. */
static uint64_t
sizes(char **files, int nfiles)
{
    uint64_t     sum = 0;
    struct stat  st;

    for (int i = 0; i < nfiles; i++) {
        if (strcmp(files[i], "-") == 0 || stat(files[i], &st) == -1
            || !S_ISREG(st.st_mode))
        {
            return 0;
        }
        sum += (uint64_t) st.st_size;
    }

    return sum;
}


static bool
start(blocks_t *b)
{
    long  cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (pthread_create(&b->reader, NULL, read_files, b) != 0) {
        return false;
    }

    b->started = true;

    while (b->nparsers < PARSERS_MAX && (long) b->nparsers < cores) {
        if (pthread_create(&b->parsers[b->nparsers], NULL, parse_blocks, b)
            != 0)
        {
            break;
        }
        b->nparsers++;
    }

    return b->nparsers != 0;
}


blocks_t *
blocks_new(char **files, int nfiles, const record_want_t *want,
    const seen_t *seen)
{
    bool       ok;
    block_t   *block;
    blocks_t  *b = calloc(1, sizeof(blocks_t));

    if (b == NULL) {
        (void) fail("report", "there is not enough memory");
        return NULL;
    }

    (void) pthread_mutex_init(&b->lock, NULL);
    (void) pthread_cond_init(&b->change, NULL);
    b->files = files;
    b->nfiles = nfiles;
    b->want = want;
    b->seen = seen;
    b->total = sizes(files, nfiles);
    b->carry = malloc(BLOCKS_LINE_MAX);
    ok = b->carry != NULL;

    for (block = b->blocks; block < b->blocks + BLOCKS; block++) {
        block->text = malloc(BLOCKS_LINE_MAX);
        block->records = malloc(RECORDS * sizeof(record_t));
        ok = ok && block->text != NULL && block->records != NULL;
    }

    if (!ok || !start(b)) {
        (void) fail("report", "there is not enough memory for threads");
        blocks_free(b);
        return NULL;
    }

    return b;
}


void
blocks_free(blocks_t *b)
{
    if (b == NULL) {
        return;
    }

    (void) pthread_mutex_lock(&b->lock);
    atomic_store(&b->stop, true);
    (void) pthread_cond_broadcast(&b->change);
    (void) pthread_mutex_unlock(&b->lock);

    if (b->started) {
        (void) pthread_join(b->reader, NULL);
    }

    while (b->nparsers != 0) {
        (void) pthread_join(b->parsers[--b->nparsers], NULL);
    }

    for (unsigned i = 0; i < BLOCKS; i++) {
        free(b->blocks[i].text);
        free(b->blocks[i].records);
    }

    (void) pthread_mutex_destroy(&b->lock);
    (void) pthread_cond_destroy(&b->change);
    free(b->carry);
    free(b);
}


static void
count_block(blocks_t *b, const block_t *block)
{
    b->lines = block->first ? 0 : b->lines;

    if (b->broken == 0 && block->broken != 0) {
        b->bad_file = block->file;
        b->bad_line = b->lines + block->bad;
    }

    b->lines += block->lines;
    b->broken += block->broken;
    b->bytes += block->n;
    b->past = block->taken;
}


/* Gives back the one in hand, and waits for the next. */
static void
next_block(blocks_t *b)
{
    if (b->now != NULL) {
        count_block(b, b->now);
        b->used++;
        set_state(b, b->now, BLOCK_FREE);
    }

    b->now = &b->blocks[b->used % BLOCKS];
    b->record = 0;
    (void) wait_for(b, b->now, BLOCK_PARSED);
}


/* Another core has made the records, and ids are looked up in a large table. */
static void
look_ahead(const blocks_t *b, const block_t *block)
{
    unsigned  soon = b->record + SOON, later = soon + SOON;

    if (later < block->nrecords) {
        __builtin_prefetch(&block->records[later].id);
    }

    if (soon < block->nrecords && block->records[soon].id != 0) {
        seen_soon(b->seen, block->records[soon].id);
    }
}


record_t *
blocks_next(blocks_t *b, bool *failed)
{
    block_t   *block;
    record_t  *r;

    for ( ;; ) {
        block = b->now;

        if (block != NULL && b->record < block->nrecords) {
            look_ahead(b, block);
            return &block->records[b->record++];
        }

        if (block != NULL && block->at < block->n) {

            /* short lines, more than there were records for */

            r = &block->records[0];

            if (parse_line(b, block, r)) {
                return r;
            }
            continue;
        }

        if (block != NULL && (block->last || block->why != NULL)) {
            break;
        }

        next_block(b);
    }

    if (block->why != NULL) {
        *failed = true;
        (void) fail(block->file, block->why);
    }

    return NULL;
}


uint64_t
blocks_bytes(const blocks_t *b)
{
    return b->bytes;
}


uint64_t
blocks_broken(const blocks_t *b, const char **file, uint64_t *line)
{
    *file = b->bad_file;
    *line = b->bad_line;

    return b->broken;
}


double
blocks_part(const blocks_t *b)
{
    return b->total == 0 ? -1 : (double) b->past / (double) b->total;
}
