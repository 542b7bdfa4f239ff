#include "tg_expr_parse.h"

#define TG_SUGGEST_MAX   2      /* edits between a name and the one meant */
#define TG_SUGGEST_NAME  32


const char *
tg_expr_type_name(unsigned type)
{
    switch (type) {
    case TG_EXPR_BOOL:    return "a condition";
    case TG_EXPR_NUMBER:  return "a number";
    case TG_EXPR_SIZE:    return "a size in bytes";
    case TG_EXPR_PERCENT: return "a percentage, such as 80%";
    case TG_EXPR_STRING:  return "a string";
    case TG_EXPR_NAME:    return "a name";
    default:              return "nothing";
    }
}


bool
tg_parse_step(tg_parse_t *p)
{
    return tg_lex_next(&p->lex, p->err) == TG_OK;
}


unsigned
tg_parse_node(tg_parse_t *p, tg_expr_op_t op, tg_expr_type_t type, size_t at)
{
    tg_expr_node_t  *n;

    if (p->nnodes == TG_EXPR_NODES_MAX) {
        return tg_parse_fail(p, at, "this expression has too many parts");
    }

    n = &p->nodes[p->nnodes];
    memset(n, 0, sizeof(tg_expr_node_t));
    n->op = (uint8_t) op;
    n->type = (uint8_t) type;
    n->at = (uint16_t) at;

    return p->nnodes++;
}


/* Appends to the children; *last is the one before, 0 at first. */
void
tg_parse_child(tg_parse_t *p, unsigned parent, unsigned *last, unsigned child)
{
    if (*last == 0) {
        p->nodes[parent].first = (uint16_t) child;

    } else {
        p->nodes[*last].next = (uint16_t) child;
    }

    *last = child;
}


/* Edits that make one name of the other, as far as they matter here. */
static unsigned
tg_parse_distance(tg_str_t a, tg_str_t b)
{
    unsigned  row[TG_SUGGEST_NAME + 1], diagonal, above, best;

    if (a.len > TG_SUGGEST_NAME || b.len > TG_SUGGEST_NAME) {
        return TG_SUGGEST_NAME;
    }

    for (unsigned k = 0; k <= b.len; k++) {
        row[k] = k;
    }

    for (unsigned i = 1; i <= a.len; i++) {
        diagonal = row[0];
        row[0] = i;

        for (unsigned k = 1; k <= b.len; k++) {
            above = row[k];
            best = diagonal + (tg_lower(a.p[i - 1]) != tg_lower(b.p[k - 1]));
            best = best < above + 1 ? best : above + 1;
            best = best < row[k - 1] + 1 ? best : row[k - 1] + 1;
            row[k] = best;
            diagonal = above;
        }
    }

    return row[b.len];
}


static unsigned
tg_parse_unknown(tg_parse_t *p, tg_str_t name, size_t at)
{
    unsigned     d, least = TG_SUGGEST_MAX + 1;
    const char  *meant = NULL;

    for (size_t i = 0; i < p->nsymbols; i++) {
        d = tg_parse_distance(name, tg_strz(p->symbols[i].name));

        if (d < least && d < name.len) {
            least = d;
            meant = p->symbols[i].name;
        }
    }

    name.len = name.len < TG_SUGGEST_NAME ? name.len : TG_SUGGEST_NAME;

    if (tg_str_starts(name, tg_str("tag."))) {
        return tg_parse_fail(p, at, "unknown name \"%.*s\"; a tag is written"
                             " tag(name)", (int) name.len, name.p);
    }

    if (meant != NULL) {
        return tg_parse_fail(p, at, "unknown name \"%.*s\"; is it %s?",
                             (int) name.len, name.p, meant);
    }

    return tg_parse_fail(p, at, "unknown name \"%.*s\"; a string is in quotes",
                         (int) name.len, name.p);
}


/* The string with its quoted quotes, in mem. */
bool
tg_parse_string(tg_parse_t *p, tg_str_t *out)
{
    char      quote = p->lex.text.p[p->lex.pos], *to;
    tg_str_t  s = p->lex.s;
    size_t    n = 0;

    to = tg_alloc(p->mem, s.len + 1);
    if (to == NULL) {
        return tg_parse_fail(p, p->lex.pos, "no memory");
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\\' && i + 1 < s.len) {
            if (s.p[i + 1] != quote) {
                to[n++] = s.p[i];
            }
            i++;
        }

        to[n++] = s.p[i];
    }

    to[n] = '\0';
    *out = tg_str_of(to, n);

    return true;
}


/* The literal at hand, and on. */
unsigned
tg_parse_literal(tg_parse_t *p)
{
    unsigned         i;
    tg_lex_t        *l = &p->lex;
    tg_expr_type_t   type;

    switch (l->token) {
    case TG_LEX_STRING:  type = TG_EXPR_STRING; break;
    case TG_LEX_NUMBER:  type = TG_EXPR_NUMBER; break;
    case TG_LEX_PERCENT: type = TG_EXPR_PERCENT; break;
    default:             type = TG_EXPR_BOOL; break;
    }

    i = tg_parse_node(p, TG_EXPR_OP_LITERAL, type, l->pos);
    if (i == 0) {
        return 0;
    }

    p->nodes[i].end = (uint16_t) l->end;

    if (type == TG_EXPR_STRING) {
        if (!tg_parse_string(p, &p->nodes[i].u.s)) {
            return 0;
        }

    } else if (type == TG_EXPR_BOOL) {
        p->nodes[i].u.b = l->token == TG_LEX_TRUE;

    } else {
        p->nodes[i].u.number.n = l->number;
        p->nodes[i].u.number.size = l->size;
    }

    return tg_parse_step(p) ? i : 0;
}


/* Makes what has been read one of `type`, where it may be. */
bool
tg_parse_coerce(tg_parse_t *p, unsigned i, unsigned type)
{
    tg_expr_node_t  *n = &p->nodes[i];

    if (n->type == type) {
        return true;
    }

    if (n->op == TG_EXPR_OP_LITERAL && n->type == TG_EXPR_NUMBER
        && type == TG_EXPR_SIZE)
    {
        n->type = TG_EXPR_SIZE;
        return true;
    }

    return false;
}


static unsigned
tg_parse_arg(tg_parse_t *p, const tg_expr_symbol_t *symbol, unsigned k)
{
    unsigned         i;
    tg_lex_t        *l = &p->lex;
    tg_expr_type_t   type = symbol->args[k];

    if (type == TG_EXPR_NAME && l->token == TG_LEX_NAME) {
        i = tg_parse_node(p, TG_EXPR_OP_LITERAL, type, l->pos);
        if (i == 0) {
            return 0;
        }

        p->nodes[i].end = (uint16_t) l->end;
        p->nodes[i].u.s = tg_dup(p->mem, l->s);

        if (p->nodes[i].u.s.p == NULL) {
            return tg_parse_fail(p, l->pos, "no memory");
        }

        return tg_parse_step(p) ? i : 0;
    }

    switch (l->token) {

    case TG_LEX_STRING:
    case TG_LEX_NUMBER:
    case TG_LEX_PERCENT:
    case TG_LEX_TRUE:
    case TG_LEX_FALSE:
        i = tg_parse_literal(p);
        if (i == 0) {
            return 0;
        }

        if (type == TG_EXPR_NAME && p->nodes[i].type == TG_EXPR_STRING) {
            p->nodes[i].type = TG_EXPR_NAME;
        }

        if (tg_parse_coerce(p, i, type)) {
            return i;
        }

        return tg_parse_fail(p, p->nodes[i].at, "%s() takes %s here",
                             symbol->name, tg_expr_type_name(type));

    default:
        return tg_parse_fail(p, l->pos, "%s() takes %s here", symbol->name,
                             tg_expr_type_name(type));
    }
}


static bool
tg_parse_args(tg_parse_t *p, unsigned node, const tg_expr_symbol_t *symbol)
{
    unsigned  arg, last = 0;

    if (p->lex.token != TG_LEX_OPEN) {
        return tg_parse_fail(p, p->lex.pos, "%s is written %s(%s)",
                             symbol->name, symbol->name,
                             symbol->nargs ? "..." : "");
    }

    if (!tg_parse_step(p)) {
        return false;
    }

    for (unsigned k = 0; k < symbol->nargs && k < TG_EXPR_ARGS_MAX; k++) {
        if (k != 0) {
            if (p->lex.token != TG_LEX_COMMA) {
                return tg_parse_fail(p, p->lex.pos, "%s() takes %u arguments",
                                     symbol->name, symbol->nargs);
            }

            if (!tg_parse_step(p)) {
                return false;
            }
        }

        arg = tg_parse_arg(p, symbol, k);
        if (arg == 0) {
            return false;
        }

        tg_parse_child(p, node, &last, arg);
    }

    if (p->lex.token != TG_LEX_CLOSE) {
        return tg_parse_fail(p, p->lex.pos, "%s(%s is to be closed with )",
                             symbol->name, symbol->nargs ? "..." : "");
    }

    p->nodes[node].end = (uint16_t) p->lex.end;

    return tg_parse_step(p);
}


unsigned
tg_parse_symbol(tg_parse_t *p)
{
    size_t                   at = p->lex.pos, k;
    tg_str_t                 name = p->lex.s;
    unsigned                 i;
    const tg_expr_symbol_t  *symbol;

    for (k = 0; k < p->nsymbols; k++) {
        if (tg_str_eq(name, tg_strz(p->symbols[k].name))) {
            break;
        }
    }

    if (k == p->nsymbols) {
        return tg_parse_unknown(p, name, at);
    }

    symbol = &p->symbols[k];
    i = tg_parse_node(p, TG_EXPR_OP_SYMBOL, symbol->type, at);
    if (i == 0) {
        return 0;
    }

    p->nodes[i].symbol = (uint16_t) k;
    p->nodes[i].end = (uint16_t) p->lex.end;

    if (!tg_parse_step(p)) {
        return 0;
    }

    if (symbol->call) {
        return tg_parse_args(p, i, symbol) ? i : 0;
    }

    if (p->lex.token == TG_LEX_OPEN) {
        return tg_parse_fail(p, p->lex.pos, "%s takes no arguments",
                             symbol->name);
    }

    return i;
}
