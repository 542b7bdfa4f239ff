#define _GNU_SOURCE

#include "llmctl_costlog.h"
#include "llmctl.h"

#include "tg_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELD_MAX  64


bool
costlog_read(const char *name, const char *word, costlog_line_t line,
    void *data)
{
    FILE     *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rbe");
    char     *text = NULL;
    bool      more = true, broken;
    size_t    size = 0;
    json_t   *o;
    ssize_t   n;

    if (f == NULL) {
        return failed(name, strerror(errno));
    }

    while (more && (n = getline(&text, &size, f)) > 0) {
        if (n > TG_LINE_MAX || strstr(text, word) == NULL) {
            continue;
        }

        o = json_loadb(text, (size_t) n, 0, NULL);

        if (json_is_object(o)) {
            more = line(data, o);
        }

        json_decref(o);
    }

    broken = ferror(f) != 0;
    free(text);

    if (f != stdin) {
        (void) fclose(f);
    }

    return !broken || failed(name, "can't be read");
}


const json_t *
costlog_field(const json_t *line, const char *name)
{
    char           under[FIELD_MAX];
    size_t         i;
    const json_t  *v = json_object_get(line, name);

    if (v != NULL) {
        return v;
    }

    name += *name == '@';

    for (i = 0; name[i] != '\0' && i < sizeof(under) - 1; i++) {
        under[i] = name[i] == '.' ? '_' : name[i];
    }

    under[i] = '\0';

    return json_object_get(line, under);
}


const char *
costlog_text(const json_t *line, const char *name)
{
    return json_string_value(costlog_field(line, name));
}


int64_t
costlog_int(const json_t *line, const char *name)
{
    return json_integer_value(costlog_field(line, name));
}


const char *
costlog_number(char *buf, const json_t *line, const char *name)
{
    const json_t  *v = costlog_field(line, name);

    if (json_is_integer(v)) {
        (void) snprintf(buf, COSTLOG_NUMBER_SIZE, "%lld",
                        (long long) json_integer_value(v));

    } else if (json_is_real(v)) {

        /* amounts of dollars, in nano-dollars below 2^53: exact */

        (void) snprintf(buf, COSTLOG_NUMBER_SIZE, "%.15g", json_real_value(v));

    } else {
        (void) snprintf(buf, COSTLOG_NUMBER_SIZE, "?");
    }

    return buf;
}
