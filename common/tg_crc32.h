/*
 * tg_crc32.h - the CRC-32 of IEEE 802.3, as in gzip and AWS event streams
 * (polynomial 0xedb88320 reflected; RFC 1952 section 8).
 */

#ifndef TG_CRC32_H
#define TG_CRC32_H

#include "tg_str.h"

/*
 * The checksum of what `crc` is the checksum of, followed by n bytes at p.
 * Begin with 0.
 */
uint32_t tg_crc32(uint32_t crc, const void *p, size_t n);

#endif /* TG_CRC32_H */
