/*
 * share.c - what is really to be done here, for who may know it.
 */

#include "engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


#define EN_SEATS_MAX  256


static en_share_t *
en_share_open(void)
{
    int          fd;
    en_share_t  *share;

    fd = open(en_conf.share, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(en_share_t)) != 0) {
        perror(en_conf.share);
        exit(1);
    }

    share = mmap(NULL, sizeof(en_share_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                 fd, 0);
    close(fd);

    if (share == MAP_FAILED) {
        perror(en_conf.share);
        exit(1);
    }

    share->pid = getpid();
    share->prefill_ns = (int64_t) (en_conf.prefill_us * 1000 / en_conf.speed);

    return share;
}


/* Of a token that is written by as many as there are seats. */
static double
en_decode_us(void)
{
    return en_conf.base_us / (double) en_conf.seqs + en_conf.decode_us;
}


/* Microseconds of an engine all of whose seats are taken. */
static double
en_work(const en_list_t *list)
{
    double    us = 0;
    unsigned  prefill;

    for (const en_seq_t *s = list->head; s != NULL; s = s->next) {
        prefill = s->made != 0 && s->runs ? 0
                  : s->prompt + s->made - s->computed;
        us += prefill * en_conf.prefill_us
              + (s->output - s->made) * en_decode_us();
    }

    return us;
}


/* Microseconds until a seat is free for one more: each of those that wait takes
 * the one that is free first, for as long as it will really need it. */
static double
en_seat(void)
{
    double           step = en_decode_us() * (double) en_conf.seqs, first;
    double           free_at[EN_SEATS_MAX] = { 0 };
    unsigned         n = 0, least, seats = (unsigned) en_conf.seqs;
    const en_seq_t  *s;

    if (seats > EN_SEATS_MAX) {
        return 0;
    }

    for (s = en_model.running.head; s != NULL && n < seats; s = s->next) {
        free_at[n++] = (s->output - s->made) * step;
    }

    for (s = en_model.waiting.head; ; s = s->next) {
        least = 0;
        for (unsigned i = 1; i < seats; i++) {
            least = free_at[i] < free_at[least] ? i : least;
        }

        first = free_at[least];

        if (s == NULL) {
            return first;
        }

        free_at[least] += s->output * step + s->prompt * en_conf.prefill_us;
    }
}


void
en_share(void)
{
    static en_share_t  *share;

    if (en_conf.share[0] == '\0') {
        return;
    }

    if (share == NULL) {
        share = en_share_open();
    }

    share->work_ns = (int64_t) ((en_seat() * (double) en_conf.seqs
                                 + en_work(&en_model.running)
                                 + en_work(&en_model.waiting))
                                * 1000 / en_conf.speed);
    share->running = en_model.running.n;
    share->waiting = en_model.waiting.n;
    share->kv_ppm = INT64_C(1000000)
                    * (en_model.kv.n - en_model.kv.nfree) / en_model.kv.n;
    share->steps = (int64_t) en_model.steps;
    share->late_ns = en_model.late_ns;
    share->late_max_ns = en_model.late_max;
    share->busy_ns = en_model.busy_ns;
    share->prompt_tokens = (int64_t) en_model.prompt_tokens;
    share->output_tokens = (int64_t) en_model.output_tokens;
    share->queries = (int64_t) en_model.queries;
    share->hits = (int64_t) en_model.hits;
    share->preempted = (int64_t) en_model.preempted;
    share->magic = EN_SHARE_MAGIC;
}
