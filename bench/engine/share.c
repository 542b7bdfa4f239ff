/*
 * share.c - what is really to be done here, for who may know it.
 */

#include "engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


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


/* Microseconds that a list's sequences still take; batch: how many decode
 * together. */
static double
en_work(const en_list_t *list, double batch)
{
    double    us = 0;
    unsigned  prefill, decode;

    for (const en_seq_t *s = list->head; s != NULL; s = s->next) {
        prefill = s->made != 0 && s->runs ? 0
                  : s->prompt + s->made - s->computed;
        decode = s->output - s->made;
        us += prefill * en_conf.prefill_us
              + decode * (en_conf.base_us / batch + en_conf.decode_us);
    }

    return us;
}


void
en_share(void)
{
    double              batch;
    unsigned            n = en_model.running.n + en_model.waiting.n;
    static en_share_t  *share;

    if (en_conf.share[0] == '\0') {
        return;
    }

    if (share == NULL) {
        share = en_share_open();
    }

    batch = n < (unsigned) en_conf.seqs ? n : (double) en_conf.seqs;
    batch = batch > 1 ? batch : 1;

    share->work_ns = (int64_t) ((en_work(&en_model.running, batch)
                                 + en_work(&en_model.waiting, batch))
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
