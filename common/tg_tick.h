/*
 * tg_tick.h - the processor's own clock, which takes a few nanoseconds to read
 * where a system's takes tens: of an unknown rate, and only good for differences
 * that are compared with each other.
 */

#ifndef TG_TICK_H
#define TG_TICK_H

#include <stdint.h>

/* Always 0 where there is none. */
static inline uint64_t
tg_tick(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t  t;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r" (t));

    return t;
#else
    return 0;
#endif
}

#endif /* TG_TICK_H */
