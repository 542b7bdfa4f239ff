#include "tg_expr_int.h"

/* Of the interpreter, where there is no machine code; its frames then stay in
 * pcre2_match()'s own stack frame. */
#define TG_EXPR_HEAP_KIB  20

typedef enum {
    TG_FALSE = 0,
    TG_TRUE,
    TG_UNKNOWN
} tg_truth_t;

struct tg_expr_scratch_s {
    pcre2_general_context  *general;
    pcre2_match_context    *match;
    pcre2_match_data       *data;
    tg_watch_t              watch;
};

typedef struct {
    const tg_expr_t    *e;
    tg_expr_scratch_t  *scratch;
    tg_expr_get_t       get;
    void               *data;
} tg_expr_run_t;

static tg_truth_t tg_expr_truth(const tg_expr_run_t *run, unsigned i);
static bool tg_expr_value(const tg_expr_run_t *run, unsigned i,
    tg_expr_value_t *v);


void *
tg_expr_pcre_alloc(size_t n, void *mem)
{
    return tg_alloc(mem, n);
}


void
tg_expr_pcre_free(void *p, void *mem)
{
    (void) p;
    (void) mem;
}


void
tg_expr_destroy(tg_expr_t *e)
{
    tg_expr_node_t  *n;

    for (unsigned i = 0; e != NULL && i < e->nnodes; i++) {
        n = &e->nodes[i];

        if ((n->op == TG_EXPR_OP_MATCH || n->op == TG_EXPR_OP_NO_MATCH)
            && n->u.code != NULL)
        {
            pcre2_code_free(n->u.code);
            n->u.code = NULL;
        }
    }
}


bool
tg_expr_uses(const tg_expr_t *e, unsigned symbol)
{
    for (unsigned i = 1; i < e->nnodes; i++) {
        if (e->nodes[i].op == TG_EXPR_OP_SYMBOL
            && e->nodes[i].symbol == symbol)
        {
            return true;
        }
    }

    return false;
}


tg_str_t
tg_expr_text(const tg_expr_t *e)
{
    return e->text;
}


bool
tg_expr_needs_scratch(const tg_expr_t *e)
{
    return e->regex;
}


int
tg_expr_bind(tg_expr_t *e, unsigned symbol, tg_expr_bind_t bind, void *data,
    tg_error_t *err)
{
    const char      *wrong;
    tg_expr_node_t  *arg;

    for (unsigned i = 1; i < e->nnodes; i++) {
        if (e->nodes[i].op != TG_EXPR_OP_SYMBOL
            || e->nodes[i].symbol != symbol || e->nodes[i].first == 0)
        {
            continue;
        }

        arg = &e->nodes[e->nodes[i].first];
        wrong = bind(data, arg->u.s, &arg->handle);

        if (wrong != NULL) {
            return tg_expr_caret(e->text, arg->at, err, "\"%.*s\" %s",
                                 arg->u.s.len < 48 ? (int) arg->u.s.len : 48,
                                 arg->u.s.p, wrong);
        }
    }

    return TG_OK;
}


/* Whether one of the node's children is the symbol. */
static bool
tg_expr_compares(const tg_expr_t *e, const tg_expr_node_t *n, unsigned symbol)
{
    if (n->op != TG_EXPR_OP_EQ && n->op != TG_EXPR_OP_NE
        && n->op != TG_EXPR_OP_IN && n->op != TG_EXPR_OP_NOT_IN)
    {
        return false;
    }

    for (unsigned k = n->first; k != 0; k = e->nodes[k].next) {
        if (e->nodes[k].op == TG_EXPR_OP_SYMBOL
            && e->nodes[k].symbol == symbol)
        {
            return true;
        }
    }

    return false;
}


int
tg_expr_compared(const tg_expr_t *e, unsigned symbol, tg_expr_compared_t wrong,
    void *data, tg_error_t *err)
{
    const char            *why;
    tg_expr_run_t          run = { e, NULL, NULL, NULL };
    tg_expr_value_t        v;
    const tg_expr_node_t  *n;

    for (unsigned i = 1; i < e->nnodes; i++) {
        if (!tg_expr_compares(e, &e->nodes[i], symbol)) {
            continue;
        }

        for (unsigned k = e->nodes[i].first; k != 0; k = n->next) {
            n = &e->nodes[k];

            if (n->op != TG_EXPR_OP_LITERAL) {
                continue;
            }

            (void) tg_expr_value(&run, k, &v);

            if (n->type == TG_EXPR_STRING && v.s.len == 0) {
                continue;               /* is it known? */
            }

            why = wrong(data, &v);

            if (why != NULL) {
                return tg_expr_caret(e->text, n->at, err, "%s", why);
            }
        }
    }

    return TG_OK;
}


tg_expr_scratch_t *
tg_expr_scratch(tg_mem_t *mem)
{
    tg_expr_scratch_t  *s = tg_zalloc(mem, sizeof(tg_expr_scratch_t));

    if (s == NULL) {
        return NULL;
    }

    s->general = pcre2_general_context_create(tg_expr_pcre_alloc,
                                              tg_expr_pcre_free, mem);
    if (s->general == NULL) {
        return NULL;
    }

    s->match = pcre2_match_context_create(s->general);
    s->data = pcre2_match_data_create(1, s->general);

    if (s->match == NULL || s->data == NULL) {
        return NULL;
    }

    (void) pcre2_set_match_limit(s->match, TG_EXPR_MATCH_LIMIT);
    (void) pcre2_set_heap_limit(s->match, TG_EXPR_HEAP_KIB);
    (void) pcre2_set_callout(s->match, tg_watch_callout, &s->watch);

    return s;
}


void
tg_expr_watch(tg_expr_scratch_t *s, int64_t (*clock)(void))
{
    memset(&s->watch, 0, sizeof(tg_watch_t));

    s->watch.clock = clock;
    s->watch.budget = TG_EXPR_BUDGET_NS;

    (void) pcre2_set_match_limit(s->match, clock == NULL ? TG_EXPR_MATCH_LIMIT
                                           : TG_EXPR_TIMED_LIMIT);
}


static bool
tg_expr_value(const tg_expr_run_t *run, unsigned i, tg_expr_value_t *v)
{
    unsigned               nargs = 0;
    tg_expr_value_t        args[TG_EXPR_ARGS_MAX];
    const tg_expr_node_t  *n = &run->e->nodes[i];

    memset(v, 0, sizeof(tg_expr_value_t));

    if (n->op != TG_EXPR_OP_SYMBOL) {
        v->handle = n->handle;

        switch (n->type) {
        case TG_EXPR_BOOL:   v->b = n->u.b; break;
        case TG_EXPR_STRING:
        case TG_EXPR_NAME:   v->s = n->u.s; break;
        case TG_EXPR_SIZE:   v->n = n->u.number.size; break;
        default:             v->n = n->u.number.n; break;
        }

        return true;
    }

    for (unsigned k = n->first; k != 0 && nargs < TG_EXPR_ARGS_MAX;
         k = run->e->nodes[k].next)
    {
        (void) tg_expr_value(run, k, &args[nargs++]);
    }

    return run->get(run->data, n->symbol, nargs ? args : NULL, v)
           && v->n == v->n;
}


static int
tg_expr_order(const tg_expr_value_t *a, const tg_expr_value_t *b,
    tg_expr_type_t type)
{
    switch (type) {
    case TG_EXPR_STRING:
        return !tg_str_eq(a->s, b->s);
    case TG_EXPR_BOOL:
        return a->b != b->b;
    default:
        return a->n < b->n ? -1 : a->n > b->n;
    }
}


static bool
tg_expr_holds(tg_expr_op_t op, int order)
{
    switch (op) {
    case TG_EXPR_OP_EQ: return order == 0;
    case TG_EXPR_OP_NE: return order != 0;
    case TG_EXPR_OP_LT: return order < 0;
    case TG_EXPR_OP_LE: return order <= 0;
    case TG_EXPR_OP_GT: return order > 0;
    default:            return order >= 0;
    }
}


/* A condition in parentheses is a value as well: (a and b) == c. */
static bool
tg_expr_operand(const tg_expr_run_t *run, unsigned i, tg_expr_value_t *v)
{
    tg_truth_t  t;

    if (run->e->nodes[i].op >= TG_EXPR_OP_LITERAL) {
        return tg_expr_value(run, i, v);
    }

    t = tg_expr_truth(run, i);
    memset(v, 0, sizeof(tg_expr_value_t));
    v->b = t == TG_TRUE;

    return t != TG_UNKNOWN;
}


static tg_truth_t
tg_expr_compare(const tg_expr_run_t *run, const tg_expr_node_t *n)
{
    const tg_expr_node_t  *left = &run->e->nodes[n->first];
    tg_expr_value_t        a, b;

    if (!tg_expr_operand(run, n->first, &a)
        || !tg_expr_operand(run, left->next, &b))
    {
        return TG_UNKNOWN;
    }

    return tg_expr_holds(n->op, tg_expr_order(&a, &b, left->type)) ? TG_TRUE
                                                                   : TG_FALSE;
}


/* One of the list that is not known leaves open whether it is in it. */
static tg_truth_t
tg_expr_in(const tg_expr_run_t *run, const tg_expr_node_t *n)
{
    const tg_expr_node_t  *left = &run->e->nodes[n->first];
    tg_expr_value_t        a, b;
    tg_truth_t             found = TG_FALSE;

    if (!tg_expr_operand(run, n->first, &a)) {
        return TG_UNKNOWN;
    }

    for (unsigned i = left->next; i != 0; i = run->e->nodes[i].next) {
        if (!tg_expr_operand(run, i, &b)) {
            found = TG_UNKNOWN;

        } else if (tg_expr_order(&a, &b, left->type) == 0) {
            found = TG_TRUE;
            break;
        }
    }

    if (n->op == TG_EXPR_OP_IN || found == TG_UNKNOWN) {
        return found;
    }

    return found == TG_TRUE ? TG_FALSE : TG_TRUE;
}


static tg_truth_t
tg_expr_match(const tg_expr_run_t *run, const tg_expr_node_t *n)
{
    int              rc;
    size_t           len;
    const char      *p;
    tg_expr_value_t  v;

    if (run->scratch == NULL || !tg_expr_value(run, n->first, &v)) {
        return TG_UNKNOWN;
    }

    p = v.s.len == 0 ? "" : v.s.p;
    len = v.s.len < TG_EXPR_SUBJECT_MAX ? v.s.len : TG_EXPR_SUBJECT_MAX;
    tg_watch_text(&run->scratch->watch, len);

    rc = pcre2_match(n->u.code, (PCRE2_SPTR) p, len, 0,
                     len < v.s.len ? PCRE2_NOTEOL : 0, run->scratch->data,
                     run->scratch->match);

    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) {
        return TG_UNKNOWN;
    }

    return (rc >= 0) == (n->op == TG_EXPR_OP_MATCH) ? TG_TRUE : TG_FALSE;
}


/* `settles` is the truth that decides at once. */
static tg_truth_t
tg_expr_all(const tg_expr_run_t *run, const tg_expr_node_t *n,
    tg_truth_t settles)
{
    tg_truth_t  t, all = settles == TG_TRUE ? TG_FALSE : TG_TRUE;

    for (unsigned i = n->first; i != 0; i = run->e->nodes[i].next) {
        t = tg_expr_truth(run, i);

        if (t == settles) {
            return t;
        }

        if (t == TG_UNKNOWN) {
            all = t;
        }
    }

    return all;
}


/* As deep as the parser allowed. */
static tg_truth_t
tg_expr_truth(const tg_expr_run_t *run, unsigned i)
{
    tg_truth_t             t;
    tg_expr_value_t        v;
    const tg_expr_node_t  *n = &run->e->nodes[i];

    switch (n->op) {

    case TG_EXPR_OP_OR:
        return tg_expr_all(run, n, TG_TRUE);

    case TG_EXPR_OP_AND:
        return tg_expr_all(run, n, TG_FALSE);

    case TG_EXPR_OP_NOT:
        t = tg_expr_truth(run, n->first);
        return t == TG_UNKNOWN ? t : t == TG_TRUE ? TG_FALSE : TG_TRUE;

    case TG_EXPR_OP_IN:
    case TG_EXPR_OP_NOT_IN:
        return tg_expr_in(run, n);

    case TG_EXPR_OP_MATCH:
    case TG_EXPR_OP_NO_MATCH:
        return tg_expr_match(run, n);

    case TG_EXPR_OP_LITERAL:
    case TG_EXPR_OP_SYMBOL:
        return !tg_expr_value(run, i, &v) ? TG_UNKNOWN
               : v.b ? TG_TRUE : TG_FALSE;

    default:
        return tg_expr_compare(run, n);
    }
}


bool
tg_expr_eval(const tg_expr_t *e, tg_expr_scratch_t *scratch, tg_expr_get_t get,
    void *data)
{
    tg_expr_run_t  run = { e, scratch, get, data };

    return tg_expr_truth(&run, e->root) == TG_TRUE;
}
