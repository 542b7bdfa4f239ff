/*
 * tg_prom.h - reads Prometheus' text exposition format, as it arrives.
 *
 * Source: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4,
 * and the OpenMetrics 1.0 text format as far as it is the same (exemplars and
 * `# EOF` are passed over).  Lines that no engine sends but some could (blanks
 * at ends, CRLF, timestamps) are read; a line that is none is counted and
 * passed over, as is one longer than TG_PROM_LINE_MAX.
 *
 * No allocation; memory is the struct.  Time is linear in the input.
 */

#ifndef TG_PROM_H
#define TG_PROM_H

#include "tg_error.h"

#define TG_PROM_LINE_MAX  4096
#define TG_PROM_HEAD      14                    /* bytes that wanted() sees */
#define TG_PROM_MAX       (16 * 1024 * 1024)    /* bytes of a page */

/* A sample; valid during the call.  labels: as written, between the braces. */
typedef struct {
    tg_str_t  name;
    tg_str_t  labels;
    double    value;            /* may be NaN or infinite */
} tg_prom_sample_t;

typedef void (*tg_prom_sample_pt)(void *data, const tg_prom_sample_t *sample);

/*
 * Tells which names are of interest, by the first TG_PROM_HEAD bytes of a line:
 * false, and the line is passed over without being read.  A shorter line is
 * read, a comment is not.  NULL: all.
 */
typedef bool (*tg_prom_wanted_pt)(void *data, const char *p);

typedef struct {
    tg_prom_sample_pt  sample;
    tg_prom_wanted_pt  wanted;
    void              *data;
    uint64_t           bytes;
    uint64_t           samples;         /* lines that were, wanted ones */
    uint64_t           bad;             /* lines that were nothing */
    char               first;           /* of the page that is no white space */
    bool               skipping;        /* the rest of a line */
    size_t             held;            /* of a line that is cut */
    char               line[TG_PROM_LINE_MAX];
} tg_prom_t;

void tg_prom_init(tg_prom_t *pr, tg_prom_sample_pt sample,
    tg_prom_wanted_pt wanted, void *data);

/* TG_OK; TG_ERROR past TG_PROM_MAX. */
int tg_prom_feed(tg_prom_t *pr, const char *p, size_t n);

/* The last line may lack its newline.  TG_OK; TG_ERROR: it began like neither a
 * name nor a comment, and was no such text (HTML, JSON). */
int tg_prom_end(tg_prom_t *pr);

/* The value of a label, unescaped into buf; false where it is not there or does
 * not fit. */
bool tg_prom_label(tg_str_t labels, tg_str_t name, char *buf, size_t size,
    tg_str_t *value);

#endif /* TG_PROM_H */
