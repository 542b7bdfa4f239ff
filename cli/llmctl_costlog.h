/*
 * llmctl_costlog.h - cost lines, read back.
 */

#ifndef LLMCTL_COSTLOG_H
#define LLMCTL_COSTLOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* False ends the reading. */
typedef bool (*costlog_line_t)(void *data, const json_t *line);

/*
 * Hands over each line of the file ("-": stdin) that has `word` in it and is a
 * JSON object; others are passed over.  Control characters have become question
 * marks.  False with a message said.
 */
bool costlog_read(const char *name, const char *word, costlog_line_t line,
    void *data);

/*
 * A field by its name in the JSON format, also of a line in the underscore
 * format.  NULL where there is none; of the text, too, where it is no string.
 */
const json_t *costlog_field(const json_t *line, const char *name);
const char *costlog_text(const json_t *line, const char *name);
int64_t costlog_int(const json_t *line, const char *name);      /* 0: none */

/* "12.5" dollars or "200": a number of the line; "?" where there is none.
 * Returns buf. */
#define COSTLOG_NUMBER_SIZE  32
const char *costlog_number(char *buf, const json_t *line, const char *name);

#endif /* LLMCTL_COSTLOG_H */
