#include "tg_expr_parse.h"

static unsigned tg_parse_or(tg_parse_t *p);


static unsigned
tg_parse_value(tg_parse_t *p)
{
    size_t    at = p->lex.pos;
    unsigned  i;

    switch (p->lex.token) {

    case TG_LEX_STRING:
    case TG_LEX_NUMBER:
    case TG_LEX_PERCENT:
    case TG_LEX_TRUE:
    case TG_LEX_FALSE:
        return tg_parse_literal(p);

    case TG_LEX_NAME:
        return tg_parse_symbol(p);

    case TG_LEX_OPEN:
        if (++p->depth > TG_EXPR_DEPTH_MAX) {
            return tg_parse_fail(p, at, "this is nested too deep");
        }

        if (!tg_parse_step(p)) {
            return 0;
        }

        i = tg_parse_or(p);
        if (i == 0) {
            return 0;
        }

        if (p->lex.token != TG_LEX_CLOSE) {
            return tg_parse_fail(p, p->lex.pos, "here a ) is missing");
        }

        p->depth--;
        return tg_parse_step(p) ? i : 0;

    case TG_LEX_END:
        return tg_parse_fail(p, at, "the expression breaks off here");

    default:
        return tg_parse_fail(p, at, "here a value is missing");
    }
}


/* Both sides of one type; an order only where there is one. */
static bool
tg_parse_types(tg_parse_t *p, unsigned op, unsigned a, unsigned b)
{
    tg_expr_node_t  *left = &p->nodes[a], *right = &p->nodes[b];

    if (!tg_parse_coerce(p, b, left->type)
        && !tg_parse_coerce(p, a, right->type))
    {
        return tg_parse_fail(p, right->at, "this is %s, and on the left is %s",
                             tg_expr_type_name(right->type),
                             tg_expr_type_name(left->type));
    }

    if (op >= TG_EXPR_OP_LT && op <= TG_EXPR_OP_GE
        && (left->type == TG_EXPR_STRING || left->type == TG_EXPR_BOOL))
    {
        return tg_parse_fail(p, left->at, "%s is not smaller or larger than"
                             " another", tg_expr_type_name(left->type));
    }

    return true;
}


static unsigned
tg_parse_list(tg_parse_t *p, unsigned left, bool in)
{
    unsigned  i, item, last = 0;

    i = tg_parse_node(p, in ? TG_EXPR_OP_IN : TG_EXPR_OP_NOT_IN, TG_EXPR_BOOL,
                      p->nodes[left].at);
    if (i == 0 || !tg_parse_step(p)) {
        return 0;
    }

    tg_parse_child(p, i, &last, left);

    if (p->lex.token != TG_LEX_OPEN) {
        return tg_parse_fail(p, p->lex.pos, "in takes a list, such as"
                             " (\"a\", \"b\")");
    }

    do {
        if (!tg_parse_step(p)) {
            return 0;
        }

        item = tg_parse_value(p);

        if (item == 0 || !tg_parse_types(p, TG_EXPR_OP_EQ, left, item)) {
            return 0;
        }

        tg_parse_child(p, i, &last, item);

    } while (p->lex.token == TG_LEX_COMMA);

    if (p->lex.token != TG_LEX_CLOSE) {
        return tg_parse_fail(p, p->lex.pos, "here a comma or ) is missing");
    }

    return tg_parse_step(p) ? i : 0;
}


static pcre2_code *
tg_parse_regex(tg_parse_t *p, bool caseless)
{
    int                     code;
    size_t                  at = p->lex.pos + 1, offset;
    tg_str_t                s;
    pcre2_code             *re;
    PCRE2_UCHAR             why[64];
    pcre2_general_context  *general;

    if (!tg_parse_string(p, &s)) {
        return NULL;
    }

    if (p->pcre == NULL) {
        general = pcre2_general_context_create(tg_expr_pcre_alloc,
                                               tg_expr_pcre_free, p->mem);
        p->pcre = general == NULL ? NULL
                  : pcre2_compile_context_create(general);
    }

    if (p->pcre == NULL) {
        return (void) tg_parse_fail(p, at, "no memory"), NULL;
    }

    re = tg_watch_compile(p->mem, s, caseless ? PCRE2_CASELESS : 0, p->pcre,
                          &code, &offset);

    if (re == NULL) {
        (void) pcre2_get_error_message(code, why, sizeof(why));
        (void) tg_parse_fail(p, at + offset, "in this regex: %s",
                             (const char *) why);
        return NULL;
    }

    return re;
}


static unsigned
tg_parse_match(tg_parse_t *p, unsigned left, bool match, bool caseless)
{
    unsigned  i, last = 0;

    if (p->nodes[left].type != TG_EXPR_STRING) {
        return tg_parse_fail(p, p->nodes[left].at, "a regex is matched with a"
                             " string, and this is %s",
                             tg_expr_type_name(p->nodes[left].type));
    }

    i = tg_parse_node(p, match ? TG_EXPR_OP_MATCH : TG_EXPR_OP_NO_MATCH,
                      TG_EXPR_BOOL, p->nodes[left].at);
    if (i == 0 || !tg_parse_step(p)) {
        return 0;
    }

    if (p->lex.token != TG_LEX_STRING) {
        return tg_parse_fail(p, p->lex.pos, "a regex is written in quotes");
    }

    tg_parse_child(p, i, &last, left);
    p->regex = true;
    p->nodes[i].u.code = tg_parse_regex(p, caseless);

    return p->nodes[i].u.code != NULL && tg_parse_step(p) ? i : 0;
}


static unsigned
tg_parse_order(tg_parse_t *p, unsigned left, tg_expr_op_t op)
{
    unsigned  i, right, last = 0;

    i = tg_parse_node(p, op, TG_EXPR_BOOL, p->nodes[left].at);
    if (i == 0 || !tg_parse_step(p)) {
        return 0;
    }

    right = tg_parse_value(p);

    if (right == 0 || !tg_parse_types(p, op, left, right)) {
        return 0;
    }

    tg_parse_child(p, i, &last, left);
    tg_parse_child(p, i, &last, right);

    if (p->lex.token >= TG_LEX_EQ) {
        return tg_parse_fail(p, p->lex.pos, "comparisons do not chain: use"
                             " and");
    }

    return i;
}


static unsigned
tg_parse_comparison(tg_parse_t *p)
{
    unsigned  left = tg_parse_value(p);

    if (left == 0) {
        return 0;
    }

    switch (p->lex.token) {
    case TG_LEX_EQ: return tg_parse_order(p, left, TG_EXPR_OP_EQ);
    case TG_LEX_NE: return tg_parse_order(p, left, TG_EXPR_OP_NE);
    case TG_LEX_LT: return tg_parse_order(p, left, TG_EXPR_OP_LT);
    case TG_LEX_LE: return tg_parse_order(p, left, TG_EXPR_OP_LE);
    case TG_LEX_GT: return tg_parse_order(p, left, TG_EXPR_OP_GT);
    case TG_LEX_GE: return tg_parse_order(p, left, TG_EXPR_OP_GE);
    case TG_LEX_IN: return tg_parse_list(p, left, true);
    case TG_LEX_MATCH: return tg_parse_match(p, left, true, false);
    case TG_LEX_MATCH_CASELESS: return tg_parse_match(p, left, true, true);
    case TG_LEX_NO_MATCH: return tg_parse_match(p, left, false, false);
    case TG_LEX_NO_MATCH_CASELESS: return tg_parse_match(p, left, false, true);

    case TG_LEX_NOT:
        if (!tg_parse_step(p)) {
            return 0;
        }

        return p->lex.token == TG_LEX_IN ? tg_parse_list(p, left, false)
               : tg_parse_fail(p, p->lex.pos, "behind a value it is: not in");

    default:
        return left;
    }
}


static unsigned
tg_parse_not(tg_parse_t *p)
{
    size_t    at = p->lex.pos;
    unsigned  i, child, last = 0;

    if (p->lex.token != TG_LEX_NOT) {
        return tg_parse_comparison(p);
    }

    if (++p->depth > TG_EXPR_DEPTH_MAX) {
        return tg_parse_fail(p, at, "this is nested too deep");
    }

    i = tg_parse_node(p, TG_EXPR_OP_NOT, TG_EXPR_BOOL, at);
    if (i == 0 || !tg_parse_step(p)) {
        return 0;
    }

    child = tg_parse_not(p);
    if (child == 0) {
        return 0;
    }

    if (p->nodes[child].type != TG_EXPR_BOOL) {
        return tg_parse_fail(p, p->nodes[child].at, "this is %s, not a"
                             " condition: compare it with something",
                             tg_expr_type_name(p->nodes[child].type));
    }

    tg_parse_child(p, i, &last, child);
    p->depth--;

    return i;
}


/* a and b and ...: one node, or just a. */
static unsigned
tg_parse_series(tg_parse_t *p, tg_lex_token_t word, tg_expr_op_t op,
    unsigned (*part)(tg_parse_t *p))
{
    size_t    at = p->lex.pos;
    unsigned  i = 0, last = 0, first = part(p), next = first;

    if (first == 0 || p->lex.token != word) {
        return first;
    }

    i = tg_parse_node(p, op, TG_EXPR_BOOL, at);
    if (i == 0) {
        return 0;
    }

    for ( ;; ) {
        if (p->nodes[next].type != TG_EXPR_BOOL) {
            return tg_parse_fail(p, p->nodes[next].at, "this is %s, not a"
                                 " condition: compare it with something",
                                 tg_expr_type_name(p->nodes[next].type));
        }

        tg_parse_child(p, i, &last, next);

        if (p->lex.token != word) {
            return i;
        }

        if (!tg_parse_step(p)) {
            return 0;
        }

        next = part(p);
        if (next == 0) {
            return 0;
        }
    }
}


static unsigned
tg_parse_and(tg_parse_t *p)
{
    return tg_parse_series(p, TG_LEX_AND, TG_EXPR_OP_AND, tg_parse_not);
}


static unsigned
tg_parse_or(tg_parse_t *p)
{
    return tg_parse_series(p, TG_LEX_OR, TG_EXPR_OP_OR, tg_parse_and);
}


static unsigned
tg_parse_root(tg_parse_t *p)
{
    unsigned  root;

    if (!tg_parse_step(p)) {
        return 0;
    }

    root = tg_parse_or(p);
    if (root == 0) {
        return 0;
    }

    if (p->lex.token != TG_LEX_END) {
        return tg_parse_fail(p, p->lex.pos, "the expression ends before this");
    }

    if (p->nodes[root].type != TG_EXPR_BOOL) {
        return tg_parse_fail(p, p->nodes[root].at, "this is %s, not a"
                             " condition: compare it, with all of when=... in"
                             " quotes",
                             tg_expr_type_name(p->nodes[root].type));
    }

    return root;
}


static void
tg_parse_free(tg_parse_t *p)
{
    tg_expr_t  e = { .nnodes = (uint16_t) p->nnodes, .nodes = p->nodes };

    tg_expr_destroy(&e);
}


tg_expr_t *
tg_expr_compile(tg_mem_t *mem, tg_str_t text, const tg_expr_symbol_t *symbols,
    size_t nsymbols, tg_error_t *err)
{
    unsigned     root;
    tg_expr_t   *e;
    tg_parse_t   p;

    if (text.len > TG_EXPR_LEN_MAX
        || (text.len != 0 && memchr(text.p, '\0', text.len) != NULL))
    {
        (void) tg_error(err, 0, 0, "an expression has up to %d bytes, none of"
                        " them zero", TG_EXPR_LEN_MAX);
        return NULL;
    }

    e = tg_zalloc(mem, sizeof(tg_expr_t));

    memset(&p, 0, sizeof(p));
    p.mem = mem;
    p.symbols = symbols;
    p.nsymbols = nsymbols;
    p.err = err;
    p.nnodes = 1;
    p.lex.text = e == NULL ? tg_str_null : tg_dup(mem, text);

    if (p.lex.text.p == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    root = tg_parse_root(&p);

    if (root != 0) {
        e->nodes = tg_alloc(mem, p.nnodes * sizeof(tg_expr_node_t));
    }

    if (e->nodes == NULL) {
        if (root != 0) {
            (void) tg_error(err, 0, 0, "no memory");
        }

        tg_parse_free(&p);
        return NULL;
    }

    memcpy(e->nodes, p.nodes, p.nnodes * sizeof(tg_expr_node_t));
    e->text = p.lex.text;
    e->symbols = symbols;
    e->root = (uint16_t) root;
    e->nnodes = (uint16_t) p.nnodes;
    e->regex = p.regex;

    return e;
}
