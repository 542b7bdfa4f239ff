#define _GNU_SOURCE

#include "llmctl_costlog.h"
#include "llmctl.h"

#include "tg_call.h"
#include "tg_money.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELD_MAX  64


/* Clients choose some of the words: none of them may steer a terminal. */
static void
make_plain(json_t *line)
{
    char        *text;
    size_t       n;
    json_t      *v;
    const char  *name;

    json_object_foreach(line, name, v) {
        text = json_is_string(v) ? strdup(json_string_value(v)) : NULL;
        n = text == NULL ? 0 : strlen(text);

        for (size_t i = 0; i < n; i++) {
            unsigned char  c = (unsigned char) text[i];

            if (c < ' ' || c == 0x7f) {
                text[i] = '?';

            } else if (c == 0xc2 && (unsigned char) text[i + 1] < 0xa0) {
                text[i] = '?';
                text[i + 1] = '?';
            }
        }

        if (text != NULL) {
            (void) json_string_setn(v, text, n);
        }

        free(text);
    }
}


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
            make_plain(o);
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
    double         usd;
    const json_t  *v = costlog_field(line, name);

    if (json_is_integer(v)) {
        (void) snprintf(buf, COSTLOG_NUMBER_SIZE, "%lld",
                        (long long) json_integer_value(v));

    } else if (json_is_real(v)) {

        /* dollars, to the nano-dollar */

        usd = json_real_value(v);
        usd = usd < 0 ? 0 : usd > 9e9 ? 9e9 : usd;
        buf[tg_money_text(buf, (int64_t) (usd * 1e9 + 0.5))] = '\0';

    } else {
        (void) snprintf(buf, COSTLOG_NUMBER_SIZE, "?");
    }

    return buf;
}
