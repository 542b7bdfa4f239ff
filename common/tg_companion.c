#include "tg_companion.h"

#include <string.h>


void
tg_companion_ask(const tg_companion_meter_t *meter, void *r,
    const tg_group_conf_t *gc, tg_str_t key, tg_balance_ask_t *ask)
{
    bool  affine = gc->balance == TG_BALANCE_PREFIX_AFFINITY;

    if (meter == NULL || !meter->ask(r, affine && key.len == 0, ask)) {
        memset(ask, 0, sizeof(tg_balance_ask_t));
    }

    if (affine && key.len != 0) {
        tg_prefix_key(key, &ask->work, &ask->prefixes);
    }
}
