#include "tg_guard.h"
#include "tg_when.h"

#define TG_ARG(s)  (int) ((s).len < 80 ? (s).len : 80), (s).p

typedef struct {
    tg_guard_t  *g;
    tg_mem_t    *mem;
    tg_error_t  *err;
    bool         said;          /* something to look for */
} tg_guard_draft_t;


void
tg_guards_destroy(tg_guards_t *guards)
{
    for (unsigned i = 0; i < guards->n; i++) {
        tg_guard_t  *g = guards->list[i];

        tg_expr_destroy(g->when);

        for (unsigned k = 0; k < g->ndeny; k++) {
            tg_regex_destroy(g->deny[k]);
        }

        for (unsigned k = 0; k < g->nallow; k++) {
            tg_regex_destroy(g->allow[k]);
        }
    }
}


/* 200000, 200k, 1M */
static int
tg_guard_tokens(tg_guard_draft_t *d, const char *what, tg_str_t v, int64_t *to)
{
    int64_t   unit = 1, n;
    tg_str_t  digits = v;

    if (v.len != 0 && (v.p[v.len - 1] == 'k' || v.p[v.len - 1] == 'K')) {
        unit = 1000;
        digits.len--;

    } else if (v.len != 0 && v.p[v.len - 1] == 'M') {
        unit = 1000000;
        digits.len--;
    }

    n = digits.len > 9 ? -1 : tg_str_int(digits);

    if (n <= 0 || *to != 0) {
        return tg_error(d->err, 0, 0, "%s= takes, once, a number of tokens,"
                        " such as 8192 or 200k, not \"%.*s\"", what,
                        TG_ARG(v));
    }

    *to = n * unit;
    d->said = true;

    return TG_OK;
}


/* ~<regex>, ~*<regex> */
static int
tg_guard_regex(tg_guard_draft_t *d, const char *what, tg_str_t v,
    tg_regex_t **list, unsigned *n)
{
    bool        caseless;
    tg_error_t  why;

    if (v.len < 2 || v.p[0] != '~') {
        return tg_error(d->err, 0, 0, "%s= is written %s=~<regex>, or"
                        " %s=~*<regex> without regard to case", what, what,
                        what);
    }

    if (*n == TG_GUARD_REGEXES_MAX) {
        return tg_error(d->err, 0, 0, "more than %d times %s=",
                        TG_GUARD_REGEXES_MAX, what);
    }

    caseless = v.p[1] == '*';
    v = tg_str_of(v.p + 1 + caseless, v.len - 1 - caseless);
    list[*n] = tg_regex_compile(d->mem, v, caseless, &why);

    if (list[*n] == NULL) {
        return tg_error(d->err, 0, why.offset, "%s=: %s", what, why.message);
    }

    (*n)++;
    d->said = true;

    return TG_OK;
}


/* The next of a list with commas; false at its end. */
static bool
tg_guard_part(tg_str_t *list, tg_str_t *part)
{
    const char  *comma;

    if (list->p == NULL) {
        return false;
    }

    comma = list->len == 0 ? NULL : memchr(list->p, ',', list->len);

    if (comma == NULL) {
        *part = *list;
        list->p = NULL;
        return true;
    }

    *part = tg_str_of(list->p, (size_t) (comma - list->p));
    list->len -= part->len + 1;
    list->p = comma + 1;

    return true;
}


static int
tg_guard_pii(tg_guard_draft_t *d, tg_str_t v)
{
    unsigned  kind;
    tg_str_t  part;

    while (tg_guard_part(&v, &part)) {
        for (kind = 0; kind < TG_PII_KINDS; kind++) {
            if (tg_str_eq(part, tg_strz(tg_pii_names[kind]))) {
                break;
            }
        }

        if (kind == TG_PII_KINDS) {
            return tg_error(d->err, 0, 0, "pii= knows card, iban, email, ssn,"
                            " key and phone, not \"%.*s\"", TG_ARG(part));
        }

        d->g->pii |= 1u << kind;
    }

    d->said = true;

    return TG_OK;
}


static int
tg_guard_countries(tg_guard_draft_t *d, tg_str_t v)
{
    tg_str_t     part;
    tg_guard_t  *g = d->g;

    if (g->countries != NULL) {
        return tg_error(d->err, 0, 0, "countries= is given twice");
    }

    g->countries = tg_zalloc(d->mem, TG_GUARD_COUNTRIES_MAX * 2);
    if (g->countries == NULL) {
        return tg_error(d->err, 0, 0, "no memory");
    }

    while (tg_guard_part(&v, &part)) {
        if (part.len != 2 || part.p[0] < 'A' || part.p[0] > 'Z'
            || part.p[1] < 'A' || part.p[1] > 'Z'
            || g->ncountries == TG_GUARD_COUNTRIES_MAX)
        {
            return tg_error(d->err, 0, 0, "countries= takes codes of two"
                            " capital letters, such as DE,FR, not \"%.*s\"",
                            TG_ARG(part));
        }

        memcpy(g->countries[g->ncountries++], part.p, 2);
    }

    d->said = true;

    return TG_OK;
}


static int
tg_guard_action(tg_guard_draft_t *d, tg_str_t v)
{
    static const struct {
        const char         *name;
        tg_guard_action_t   action;
    } actions[] = {
        { "reject", TG_GUARD_REJECT }, { "redact", TG_GUARD_REDACT },
        { "flag", TG_GUARD_FLAG }, { "cap", TG_GUARD_CAP }
    };

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (tg_str_eq(v, tg_strz(actions[i].name))) {
            d->g->action = actions[i].action;
            return TG_OK;
        }
    }

    return tg_error(d->err, 0, 0, "action= takes reject, redact, flag or cap,"
                    " not \"%.*s\"", TG_ARG(v));
}


static int
tg_guard_when(tg_guard_draft_t *d, tg_str_t v)
{
    if (d->g->when != NULL) {
        return tg_error(d->err, 0, 0, "when= is given twice");
    }

    d->g->when = tg_expr_compile(d->mem, v, tg_when_symbols, TG_WHEN_SYMBOLS,
                                 d->err);

    return d->g->when == NULL ? TG_ERROR : TG_OK;
}


static int
tg_guard_param(tg_guard_draft_t *d, tg_str_t arg)
{
    tg_str_t     key, v;
    tg_guard_t  *g = d->g;
    const char  *eq = arg.len == 0 ? NULL : memchr(arg.p, '=', arg.len);

    if (tg_str_eq(arg, tg_str("dry_run"))) {
        g->dry_run = true;
        return TG_OK;
    }

    key = eq == NULL ? arg : tg_str_of(arg.p, (size_t) (eq - arg.p));
    v = eq == NULL ? tg_str_null : tg_str_of(eq + 1, arg.len - key.len - 1);

    if (eq == NULL) {
        /* none of those below */

    } else if (tg_str_eq(key, tg_str("when"))) {
        return tg_guard_when(d, v);

    } else if (tg_str_eq(key, tg_str("input_tokens"))) {
        return tg_guard_tokens(d, "input_tokens", v, &g->input_tokens);

    } else if (tg_str_eq(key, tg_str("output_tokens"))) {
        return tg_guard_tokens(d, "output_tokens", v, &g->output_tokens);

    } else if (tg_str_eq(key, tg_str("trim"))) {
        return tg_guard_tokens(d, "trim", v, &g->trim);

    } else if (tg_str_eq(key, tg_str("deny"))) {
        return tg_guard_regex(d, "deny", v, g->deny, &g->ndeny);

    } else if (tg_str_eq(key, tg_str("allow"))) {
        return tg_guard_regex(d, "allow", v, g->allow, &g->nallow);

    } else if (tg_str_eq(key, tg_str("pii"))) {
        return tg_guard_pii(d, v);

    } else if (tg_str_eq(key, tg_str("countries"))) {
        return tg_guard_countries(d, v);

    } else if (tg_str_eq(key, tg_str("action"))) {
        return tg_guard_action(d, v);
    }

    return tg_error(d->err, 0, 0, "unknown parameter \"%.*s\"; known are when=,"
                    " input_tokens=, output_tokens=, deny=~, allow=~, pii=,"
                    " countries=, trim=, action=, dry_run", TG_ARG(arg));
}


/* What can't be meant. */
static int
tg_guard_check(tg_guard_draft_t *d)
{
    tg_guard_t  *g = d->g;

    if (!d->said && g->when == NULL) {
        return tg_error(d->err, 0, 0, "guard \"%.*s\" looks for nothing: it"
                        " needs input_tokens=, output_tokens=, deny=~,"
                        " allow=~, pii=, countries=, trim= or when=",
                        TG_ARG(g->name));
    }

    if (g->action == TG_GUARD_CAP
        && (g->output_tokens == 0 || tg_guard_reads(g) || g->ncountries != 0
            || g->input_tokens != 0))
    {
        return tg_error(d->err, 0, 0, "guard \"%.*s\": action=cap is for"
                        " output_tokens= alone", TG_ARG(g->name));
    }

    if (g->action == TG_GUARD_REDACT && g->ndeny == 0 && g->pii == 0) {
        return tg_error(d->err, 0, 0, "guard \"%.*s\": action=redact needs"
                        " deny=~ or pii=: what else would be redacted",
                        TG_ARG(g->name));
    }

    return TG_OK;
}


int
tg_guards_add(tg_guards_t *guards, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    tg_guard_draft_t  d = { NULL, mem, err, false };

    if (nargs == 0 || !tg_str_is_name(args[0])) {
        return tg_error(err, 0, 0, "name \"%.*s\" is not of letters, digits, _"
                        " and -", TG_ARG(nargs == 0 ? tg_str("") : args[0]));
    }

    for (unsigned i = 0; i < guards->n; i++) {
        if (tg_str_eq(guards->list[i]->name, args[0])) {
            return tg_error(err, 0, 0, "\"%.*s\" is declared twice",
                            TG_ARG(args[0]));
        }
    }

    if (guards->n == TG_GUARDS_MAX) {
        return tg_error(err, 0, 0, "more than %d guards", TG_GUARDS_MAX);
    }

    d.g = tg_zalloc(mem, sizeof(tg_guard_t));
    if (d.g == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    /* From here on it is freed with the others. */

    guards->list[guards->n++] = d.g;
    d.g->name = tg_dup(mem, args[0]);

    for (unsigned i = 1; i < nargs; i++) {
        if (tg_guard_param(&d, args[i]) != TG_OK) {
            return TG_ERROR;
        }
    }

    return tg_guard_check(&d);
}
