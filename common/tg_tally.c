#include "tg_tally.h"

#define TG_TALLY_MAGIC   UINT64_C(0x796c6c615454676c)
#define TG_TALLY_LAYOUT                                                      \
    (((uint64_t) TG_TALLY_VERSION << 32) | sizeof(tg_tally_t))


void
tg_tally_init(tg_tally_t *tally, int64_t now)
{
    tally->layout = TG_TALLY_LAYOUT;
    tally->since = now;
    tally->magic = TG_TALLY_MAGIC;
}


bool
tg_tally_sound(const tg_tally_t *tally)
{
    return tally->magic == TG_TALLY_MAGIC && tally->layout == TG_TALLY_LAYOUT;
}
