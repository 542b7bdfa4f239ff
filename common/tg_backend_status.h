/*
 * tg_backend_status.h - upstreams, backends and GPU money as JSON and in
 * Prometheus' format; for the status location and for llmctl backend.
 */

#ifndef TG_BACKEND_STATUS_H
#define TG_BACKEND_STATUS_H

#include "tg_backend.h"
#include "tg_out.h"
#include "tg_status.h"

/* gc: those of the configuration, by name; NULL (llmctl): what the table has is
 * enough.  wall_ms: now, since 1970.  Writes nothing to the table.  Returns
 * TG_OK, or TG_ERROR where out() said so or there is no memory. */
int tg_backend_status(tg_backends_t *t, const tg_group_conf_t *const *gc,
    unsigned ngc, tg_status_format_t format, int64_t now, int64_t wall_ms,
    tg_out_t out, void *data);

#endif /* TG_BACKEND_STATUS_H */
