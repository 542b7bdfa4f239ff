/*
 * tg_alert_record.h - the lines of the file that alerts wait in.
 *
 *   {"crc":"0a1b2c3d","id":"alert_...","at":1700000000000,"to":["..."],
 *    "body":{...}}                         to be sent to these
 *   {"crc":"0a1b2c3d","done":"alert_...","to":["..."],"how":"sent"}
 *
 * One line each.  The checksum is of all behind its comma, up to the last
 * brace: what was torn by a power cut, or written by somebody else, is known
 * for it.
 */

#ifndef TG_ALERT_RECORD_H
#define TG_ALERT_RECORD_H

#include "tg_alert.h"

#define TG_ALERT_RECORD_MAX  (TG_ALERT_BODY_MAX + 512)
#define TG_ALERT_RECORD_MIN  96         /* no line is shorter */

/* Why nothing more is to be sent there. */
typedef enum {
    TG_ALERT_HOW_NONE = 0,              /* it is to be sent */
    TG_ALERT_HOW_SENT,
    TG_ALERT_HOW_REFUSED,               /* the answer said never */
    TG_ALERT_HOW_EXPIRED
} tg_alert_how_t;

typedef struct {
    char            id[TG_ALERT_ID_LEN];
    tg_alert_how_t  how;
    int64_t         at;                 /* ms since 1970; of what is to be
                                           sent, with body */
    tg_str_t        body;               /* read: aliases the line */
    unsigned        n;                  /* at least 1 */
    char            to[TG_ALERTS_MAX][TG_ALERT_TARGET_LEN];
} tg_alert_record_t;

/* The line with its newline into buf of TG_ALERT_RECORD_MAX bytes; 0 where the
 * body is too long. */
size_t tg_alert_record_write(const tg_alert_record_t *rec, char *buf);

/* A line without its newline. TG_ERROR: it is none of ours, or torn. */
int tg_alert_record_read(tg_alert_record_t *rec, tg_str_t line);

#endif /* TG_ALERT_RECORD_H */
