/*
 * conf.c - what an engine is, and what is wrong with it.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

en_conf_t  en_conf = {
    .model = "meta-llama/Llama-3.1-8B-Instruct",
    .speed = 1,
    .seqs = 16,
    .budget = 2048,
    .blocks = 2048,
    .base_us = 12000,
    .decode_us = 250,
    .prefill_us = 60,
    .context_us = 40,
    .interval = 1,
    .prefix = 1,
    .health = 200,
    .full_as = 503,
};

typedef struct {
    const char  *name;
    char         kind;          /* l: long, d: double, s: string, e: words */
    size_t       offset;
    size_t       size;
    const char  *words;         /* by number, each ends with a blank */
} en_option_t;

#define EN_LONG(name)     { #name, 'l', offsetof(en_conf_t, name), 0, NULL }
#define EN_DOUBLE(name)   { #name, 'd', offsetof(en_conf_t, name), 0, NULL }
#define EN_STRING(name)   { #name, 's', offsetof(en_conf_t, name),            \
                            sizeof(en_conf.name), NULL }
#define EN_WORDS(name, w) { #name, 'e', offsetof(en_conf_t, name), 0, w }

static const en_option_t  en_options[] = {
    EN_LONG(port), EN_LONG(ctl),
    EN_WORDS(type, "vllm sglang llamacpp "),
    EN_STRING(model), EN_STRING(log), EN_STRING(share), EN_DOUBLE(speed),
    EN_LONG(seqs), EN_LONG(budget), EN_LONG(blocks), EN_DOUBLE(base_us),
    EN_DOUBLE(decode_us), EN_DOUBLE(prefill_us), EN_DOUBLE(context_us),
    EN_LONG(interval), EN_LONG(prefix),
    EN_LONG(hang), EN_LONG(stall), EN_LONG(loading), EN_LONG(health),
    EN_LONG(health_ms), EN_WORDS(metrics, "ok fail garbage off hang huge "),
    EN_LONG(metrics_ms), EN_LONG(stale), EN_LONG(old), EN_LONG(sleeping),
    EN_LONG(full), EN_LONG(full_as), EN_LONG(error),
    EN_WORDS(reset, "off accept request stream "), EN_LONG(refuse),
    EN_LONG(die),
};


static const char *
en_set_word(long *place, const char *words, const char *value)
{
    size_t       n = strlen(value), len;
    long         i = 0;

    for (const char *w = words; *w != '\0'; w += len + 1, i++) {
        len = strcspn(w, " ");
        if (len == n && memcmp(w, value, n) == 0) {
            *place = i;
            return NULL;
        }
    }

    return "no such word";
}


static const char *
en_set_option(const en_option_t *o, const char *value)
{
    char   *place = (char *) &en_conf + o->offset, *end = NULL;
    long    l;
    double  d;

    switch (o->kind) {

    case 's':
        if (strlen(value) >= o->size) {
            return "too long";
        }
        strcpy(place, value);
        return NULL;

    case 'e':
        return en_set_word((long *) (void *) place, o->words, value);

    case 'd':
        d = strtod(value, &end);
        if (end == value || *end != '\0' || !(d >= 0 && d < 1e9)) {
            return "no such number";
        }
        *(double *) (void *) place = d;
        return NULL;

    default:
        l = strtol(value, &end, 10);
        if (end == value || *end != '\0' || l < 0 || l > 1000000000) {
            return "no such number";
        }
        *(long *) (void *) place = l;
        return NULL;
    }
}


const char *
en_set(const char *word)
{
    size_t  n = strcspn(word, "=");

    for (size_t i = 0; i < sizeof(en_options) / sizeof(en_options[0]); i++) {
        if (strlen(en_options[i].name) == n && word[n] == '='
            && memcmp(en_options[i].name, word, n) == 0)
        {
            return en_set_option(&en_options[i], word + n + 1);
        }
    }

    return "no such name";
}
