#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_alert_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TG_ALERT_BUFFER      65536
#define TG_ALERT_ENTRIES     256            /* to begin with */
#define TG_ALERT_COMPACT_MS  100            /* to wait for those who append */


int
tg_alert_queue_open(tg_alert_queue_t *q, const char *ledger,
    const tg_conf_alerts_t *targets, tg_error_t *err)
{
    memset(q, 0, sizeof(*q));
    q->fd = -1;
    q->max = TG_ALERT_SPOOL_MAX;
    q->ntargets = targets->n;

    for (unsigned i = 0; i < targets->n; i++) {
        memcpy(q->targets[i], targets->list[i].id, TG_ALERT_TARGET_LEN);
    }

    q->buf = malloc(TG_ALERT_BUFFER);
    if (q->buf == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    return tg_alert_spool_open(&q->spool, ledger, err);
}


void
tg_alert_queue_close(tg_alert_queue_t *q)
{
    if (q->fd != -1) {
        close(q->fd);
        q->fd = -1;
    }

    q->sender = false;
    tg_alert_spool_close(&q->spool);
    free(q->entries);
    free(q->buf);
    q->entries = NULL;
    q->buf = NULL;
}


static void
tg_alert_queue_forget(tg_alert_queue_t *q)
{
    q->n = 0;
    q->offset = 0;
    q->newest = 0;
    q->skipping = false;
    memset(q->chains, 0, sizeof(q->chains));
}


static bool
tg_alert_queue_in_place(const tg_alert_queue_t *q)
{
    struct stat  here, there;

    return q->fd != -1 && fstat(q->fd, &here) == 0
           && stat(q->spool.path, &there) == 0 && here.st_dev == there.st_dev
           && here.st_ino == there.st_ino;
}


int
tg_alert_queue_claim(tg_alert_queue_t *q, tg_error_t *err)
{
    int  rc;

    if (!tg_alert_queue_in_place(q)) {

        if (q->fd != -1) {
            close(q->fd);
        }

        q->sender = false;
        q->fd = open(q->spool.path,
                     O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        if (q->fd == -1) {
            return tg_error(err, errno, 0, "%s can't be opened: %s",
                            q->spool.path, strerror(errno));
        }
    }

    if (q->sender) {
        return TG_OK;
    }

    rc = tg_alert_file_lock(q->fd, TG_ALERT_LOCK_SEND, 0);

    if (rc == TG_OK) {
        q->sender = true;
        tg_alert_queue_forget(q);

    } else if (rc == TG_ERROR) {
        return tg_error(err, errno, 0, "%s can't be locked: %s",
                        q->spool.path, strerror(errno));
    }

    return rc;
}


/* An id is a hash already. */
static uint32_t *
tg_alert_queue_chain(tg_alert_queue_t *q, const char *id)
{
    uint32_t  h = 0;

    for (unsigned i = TG_ALERT_ID_LEN - 8; i < TG_ALERT_ID_LEN; i++) {
        h = h * 31 + (unsigned char) id[i];
    }

    return &q->chains[h % TG_ALERT_CHAINS];
}


static tg_alert_entry_t *
tg_alert_queue_find(tg_alert_queue_t *q, const char *id)
{
    uint32_t  i = *tg_alert_queue_chain(q, id);

    while (i != 0 && memcmp(q->entries[i - 1].id, id, TG_ALERT_ID_LEN) != 0) {
        i = q->entries[i - 1].next;
    }

    return i == 0 ? NULL : &q->entries[i - 1];
}


/* Others' targets, too: after a reload another process may be about to take
 * over who knows them. */
static uint32_t
tg_alert_queue_bit(tg_alert_queue_t *q, const char *target)
{
    for (unsigned i = 0; i < q->ntargets; i++) {
        if (memcmp(q->targets[i], target, TG_ALERT_TARGET_LEN) == 0) {
            return UINT32_C(1) << i;
        }
    }

    if (q->ntargets == TG_ALERT_TARGETS) {
        return 0;
    }

    memcpy(q->targets[q->ntargets], target, TG_ALERT_TARGET_LEN);

    return UINT32_C(1) << q->ntargets++;
}


/* The file's cap is one of the table, too: no line is shorter than _MIN. */
static tg_alert_entry_t *
tg_alert_queue_push(tg_alert_queue_t *q)
{
    uint32_t           room;
    tg_alert_entry_t  *entries;

    if (q->n == q->room) {
        room = q->room == 0 ? TG_ALERT_ENTRIES : 2 * q->room;

        entries = realloc(q->entries, room * sizeof(*entries));
        if (entries == NULL) {
            return NULL;
        }

        q->entries = entries;
        q->room = room;
    }

    return &q->entries[q->n++];
}


static void
tg_alert_queue_line(tg_alert_queue_t *q, tg_str_t line, int64_t off)
{
    uint32_t           bits = 0, *chain;
    tg_alert_entry_t  *e;
    tg_alert_record_t  rec;

    if (line.len == 0) {
        return;
    }

    if (tg_alert_record_read(&rec, line) != TG_OK) {
        q->torn++;
        return;
    }

    for (unsigned i = 0; i < rec.n; i++) {
        bits |= tg_alert_queue_bit(q, rec.to[i]);
    }

    e = tg_alert_queue_find(q, rec.id);

    if (rec.how != TG_ALERT_HOW_NONE) {
        if (e != NULL) {
            e->todo &= ~bits;
        }
        return;
    }

    if (e != NULL) {
        return;
    }

    e = tg_alert_queue_push(q);
    if (e == NULL) {
        q->dropped++;
        return;
    }

    chain = tg_alert_queue_chain(q, rec.id);
    memcpy(e->id, rec.id, sizeof(e->id));
    e->next = *chain;
    e->todo = bits;
    e->off = off;
    e->len = (uint32_t) line.len;
    e->at = rec.at;
    *chain = q->n;

    if (rec.at > q->newest) {
        q->newest = rec.at;
    }
}


/* n bytes of the file from q->offset; true: there was a whole line. */
static bool
tg_alert_queue_lines(tg_alert_queue_t *q, size_t n)
{
    size_t       start = 0, len;
    const char  *nl;

    while ((nl = memchr(q->buf + start, '\n', n - start)) != NULL) {
        len = (size_t) (nl - q->buf) - start;

        if (!q->skipping) {
            tg_alert_queue_line(q, tg_str_of(q->buf + start, len),
                                q->offset + (int64_t) start);
        }

        q->skipping = false;
        start += len + 1;
    }

    if (start == 0 && n == TG_ALERT_BUFFER) {
        q->torn += !q->skipping;
        q->skipping = true;
        start = n;
    }

    q->offset += (int64_t) start;

    return start != 0;
}


static int
tg_alert_queue_scan(tg_alert_queue_t *q, tg_error_t *err)
{
    ssize_t      n;
    struct stat  st;

    if (fstat(q->fd, &st) == -1) {
        return tg_error(err, errno, 0, "stat failed: %s", strerror(errno));
    }

    /* Somebody else has emptied it. */
    if (st.st_size < q->offset) {
        tg_alert_queue_forget(q);
    }

    do {
        n = pread(q->fd, q->buf, TG_ALERT_BUFFER, q->offset);

        if (n == -1) {
            return tg_error(err, errno, 0, "%s can't be read: %s",
                            q->spool.path, strerror(errno));
        }

    } while (n > 0 && tg_alert_queue_lines(q, (size_t) n));

    return TG_OK;
}


/* That nothing more is to be sent there is kept in the file, as far as that
 * can be written: else it would be sent again after a restart. */
static void
tg_alert_queue_note(tg_alert_queue_t *q, tg_alert_entry_t *e, uint32_t bits,
    tg_alert_how_t how)
{
    tg_error_t         err;
    tg_alert_record_t  rec;

    bits &= e->todo;
    memset(&rec, 0, sizeof(rec));

    for (unsigned i = 0; i < q->ntargets && rec.n < TG_ALERTS_MAX; i++) {
        if (bits & UINT32_C(1) << i) {
            memcpy(rec.to[rec.n++], q->targets[i], TG_ALERT_TARGET_LEN);
        }
    }

    e->todo &= ~bits;

    if (rec.n != 0) {
        memcpy(rec.id, e->id, sizeof(rec.id));
        rec.how = how;
        (void) tg_alert_spool_add(&q->spool, &rec, &err);
    }
}


int
tg_alert_queue_read(tg_alert_queue_t *q, int64_t now, tg_error_t *err)
{
    if (tg_alert_queue_scan(q, err) != TG_OK) {
        return TG_ERROR;
    }

    for (uint32_t i = 0; i < q->n; i++) {
        if (q->entries[i].todo != 0
            && now - q->entries[i].at > TG_ALERT_LIFE_MS)
        {
            q->expired++;
            tg_alert_queue_note(q, &q->entries[i], UINT32_MAX,
                                TG_ALERT_HOW_EXPIRED);
        }
    }

    return TG_OK;
}


const tg_alert_entry_t *
tg_alert_queue_next(const tg_alert_queue_t *q, unsigned target, uint32_t *i)
{
    uint32_t  at;

    for (uint32_t k = 0; k < q->n; k++) {
        at = (uint32_t) (((uint64_t) *i + k) % q->n);

        if (q->entries[at].todo & UINT32_C(1) << target) {
            *i = at;
            return &q->entries[at];
        }
    }

    return NULL;
}


int
tg_alert_queue_record(tg_alert_queue_t *q, const tg_alert_entry_t *e,
    tg_alert_record_t *rec)
{
    if (e->len <= TG_ALERT_BUFFER
        && pread(q->fd, q->buf, e->len, e->off) == (ssize_t) e->len
        && tg_alert_record_read(rec, tg_str_of(q->buf, e->len)) == TG_OK
        && memcmp(rec->id, e->id, sizeof(rec->id)) == 0
        && rec->how == TG_ALERT_HOW_NONE)
    {
        return TG_OK;
    }

    q->torn++;
    q->entries[e - q->entries].todo = 0;

    return TG_ERROR;
}


void
tg_alert_queue_done(tg_alert_queue_t *q, const char id[TG_ALERT_ID_LEN],
    unsigned target, tg_alert_how_t how)
{
    tg_alert_entry_t  *e = tg_alert_queue_find(q, id);

    if (e != NULL) {
        tg_alert_queue_note(q, e, UINT32_C(1) << target, how);
    }
}


/* What is to be sent yet, without the targets that are done with it, into buf
 * of `size` bytes. */
static size_t
tg_alert_queue_survivors(tg_alert_queue_t *q, char *buf, size_t size)
{
    char               line[TG_ALERT_RECORD_MAX];
    size_t             n = 0, len;
    unsigned           k;
    tg_alert_entry_t  *e;
    tg_alert_record_t  rec;

    for (uint32_t i = 0; i < q->n; i++) {
        e = &q->entries[i];

        if (e->todo == 0 || tg_alert_queue_record(q, e, &rec) != TG_OK) {
            continue;
        }

        k = 0;

        for (unsigned t = 0; t < rec.n; t++) {
            if (e->todo & tg_alert_queue_bit(q, rec.to[t])) {
                memmove(rec.to[k++], rec.to[t], TG_ALERT_TARGET_LEN);
            }
        }

        rec.n = k;
        len = tg_alert_record_write(&rec, line);

        if (k != 0 && len != 0 && len <= size - n) {
            memcpy(buf + n, line, len);
            n += len;
        }
    }

    return n;
}


/* Of what is to be sent yet: bytes. */
static int64_t
tg_alert_queue_live(const tg_alert_queue_t *q)
{
    int64_t  size = 0;

    for (uint32_t i = 0; i < q->n; i++) {
        if (q->entries[i].todo != 0) {
            size += (int64_t) q->entries[i].len + 1;
        }
    }

    return size;
}


/*
 * Those that stay are written behind the file's end, then over its beginning,
 * then it is cut off behind them.  Whoever reads it in between finds each of
 * them, some twice.
 */
static void
tg_alert_queue_rewrite(tg_alert_queue_t *q, int64_t end, int64_t live)
{
    char    *buf = malloc((size_t) live + 1);
    size_t   n;

    if (buf == NULL) {
        return;
    }

    /* What was torn there is ended. */
    buf[0] = '\n';
    n = tg_alert_queue_survivors(q, buf + 1, (size_t) live);

    if ((int64_t) n > end
        || pwrite(q->fd, buf, n + 1, end) != (ssize_t) n + 1)
    {
        (void) !ftruncate(q->fd, end);

    } else if (pwrite(q->fd, buf + 1, n, 0) == (ssize_t) n
               && ftruncate(q->fd, (off_t) n) == 0)
    {
        tg_alert_queue_forget(q);
        (void) tg_alert_queue_scan(q, NULL);
    }

    free(buf);
}


/* Under the lock: nobody appends. */
static void
tg_alert_queue_shorten(tg_alert_queue_t *q)
{
    int64_t      live;
    struct stat  st;

    if (tg_alert_queue_scan(q, NULL) != TG_OK || fstat(q->fd, &st) == -1) {
        return;
    }

    live = tg_alert_queue_live(q);

    for (uint32_t i = 0; i < q->n && live > q->max / 2; i++) {
        if (q->entries[i].todo != 0) {
            live -= (int64_t) q->entries[i].len + 1;
            q->entries[i].todo = 0;
            q->dropped++;
        }
    }

    if (live != 0) {
        tg_alert_queue_rewrite(q, st.st_size, live);

    } else if (ftruncate(q->fd, 0) == 0) {
        tg_alert_queue_forget(q);
    }
}


void
tg_alert_queue_compact(tg_alert_queue_t *q, int64_t now)
{
    bool     due;
    int64_t  live;

    if (q->offset == 0) {
        return;
    }

    live = tg_alert_queue_live(q);

    if (live == 0) {
        due = q->offset >= q->max / 2 || now - q->newest >= TG_ALERT_QUIET_MS;

    } else {
        due = q->offset >= q->max
              || (q->offset >= q->max / 2 && live <= q->offset / 2);
    }

    if (due && tg_alert_file_lock(q->fd, TG_ALERT_LOCK_WRITE,
                                  TG_ALERT_COMPACT_MS)
               == TG_OK)
    {
        tg_alert_queue_shorten(q);
        tg_alert_file_unlock(q->fd, TG_ALERT_LOCK_WRITE);
    }
}
