/*
 * tg_dcgm.h - NVIDIA's DCGM exporter read into what is shown of a backend's
 * GPUs.
 *
 * Source: docs.nvidia.com/datacenter/dcgm, dcgm-exporter, in November 2026.  A
 * GPU that is cut into MIG slices has a series of each, by GPU_I_ID; slices
 * have no DCGM_FI_DEV_GPU_UTIL, so that DCGM_FI_PROF_GR_ENGINE_ACTIVE takes its
 * place, and their power is that of the whole GPU.  Several series of one GPU
 * (of pods that share it) count once.
 */

#ifndef TG_DCGM_H
#define TG_DCGM_H

#include "tg_backend.h"

#define TG_DCGM_SEEN_MAX  128           /* GPUs and slices of a page; others are
                                           left out */

/* A GPU or a slice; tg_dcgm.c's. */
typedef struct {
    uint16_t  gpu;
    int32_t   slice;                    /* -1: all of the GPU */
    bool      ours;                     /* of the host that was asked for */
    uint32_t  host;                     /* a hash of its name */
    uint32_t  known;
    int64_t   value[5];
} tg_dcgm_gpu_t;

typedef struct {
    unsigned       ngpus;               /* that are asked for; 0: all */
    uint16_t       gpu[TG_DCGM_GPUS_MAX];
    tg_str_t       host;
    unsigned       nseen;
    tg_dcgm_gpu_t  seen[TG_DCGM_SEEN_MAX];
    tg_prom_t      prom;
} tg_dcgm_read_t;

/*
 * dc says which GPUs: of a page of several hosts those whose Hostname or hostname
 * is the host of server=, or of url= without one, if there are any, else all. It
 * has to live as long as the reading.
 */
void tg_dcgm_begin(tg_dcgm_read_t *dr, const tg_dcgm_conf_t *dc);

/* As tg_engine_feed(), tg_engine_end(). */
int tg_dcgm_feed(tg_dcgm_read_t *dr, const char *p, size_t n);
int tg_dcgm_end(tg_dcgm_read_t *dr, tg_gpu_facts_t *facts, tg_error_t *err);

#endif /* TG_DCGM_H */
