#include "tg_usage.h"


void
tg_usage_init(tg_usage_t *u)
{
    memset(u, 0, sizeof(tg_usage_t));

    u->billed_input = -1;
    u->billed_output = -1;
    u->provider_cost = -1;
}
