/*
 * json_vectors.h - corners of RFC 8259.
 *
 * `is` says what the RFC says: YES must be accepted, NO must be refused, FREE
 * is left to the parser; `error` is what the scanner answers.  `jansson` names
 * the points where jansson 2.14 decides otherwise:
 *
 *   J_RANGE      numbers that a double or an int64_t can't hold are errors
 *   J_SURROGATE  a lone surrogate escape is an error
 *   J_NUL        \u0000 is an error, in values unless JSON_ALLOW_NUL, in keys
 *                always
 *   J_DEPTH      nesting may be 2,048 deep
 *   J_LENGTH     a number may have any length
 *   J_NUL_BYTE   a NUL byte behind a number or literal is overlooked
 *
 * and JSON_DECODE_ANY is needed for a root that is no object or array.
 */

#ifndef JSON_VECTORS_H
#define JSON_VECTORS_H

#include "tg_json.h"

enum { NO, YES, FREE };

enum {
    J_SAME = 0,
    J_RANGE,
    J_SURROGATE,
    J_NUL,
    J_DEPTH,
    J_LENGTH,
    J_NUL_BYTE
};

typedef struct {
    const char         *text;
    size_t              len;
    int                 is;
    tg_json_errcode_t   error;
    int                 jansson;
} vector_t;

#define T(text)        text, sizeof(text) - 1
#define GOOD(text)     { T(text), YES, TG_JSON_E_NONE, J_SAME }
#define BAD(text, e)   { T(text), NO, TG_JSON_E_##e, J_SAME }
#define ODD(text, j)   { T(text), FREE, TG_JSON_E_NONE, j }

static const vector_t  vectors[] = {

    /* values, white space */
    GOOD("{}"), GOOD("[]"), GOOD("null"), GOOD("true"), GOOD("false"),
    GOOD("\"\""), GOOD("\"a\""), GOOD("0"), GOOD("-0"), GOOD("12"),
    GOOD(" \t\r\n{ \t\r\n} \t\r\n"), GOOD(" [ ] "), GOOD("\n1\n"),
    GOOD("[1,2 , 3\n]"), GOOD("{\"a\":1,\"b\" : 2 , \"c\"\n:\n3}"),
    GOOD("{\"\":0}"), GOOD("{\"a\":1,\"a\":2}"), GOOD("[[[[]]],{\"a\":[{}]}]"),
    GOOD("[null,true,false,0,\"\",[],{}]"), GOOD("[[] ]"), GOOD("[\"\"]"),
    GOOD("{\"a\":{\"a\":{\"a\":{}}}}"), GOOD("[1]\n"), GOOD("true "),

    BAD("", EMPTY), BAD(" \n\t\r", EMPTY),
    BAD("\xef\xbb\xbf{}", SYNTAX), BAD("\xff\xfe{\0}\0", SYNTAX),
    BAD("\x0b[]", SYNTAX), BAD("\x0c[]", SYNTAX), BAD("[\x0c]", SYNTAX),
    BAD("\0", SYNTAX), BAD("[]\0", TRAILING), BAD("\x01", SYNTAX),
    BAD("\xc2\xa0[]", SYNTAX), BAD("\xe2\x81\xa0[]", SYNTAX),
    BAD("[", TRUNCATED), BAD("{", TRUNCATED), BAD("[1", TRUNCATED),
    BAD("[1,", TRUNCATED), BAD("{\"a\"", TRUNCATED),
    BAD("{\"a\":", TRUNCATED), BAD("{\"a\":1", TRUNCATED),
    BAD("{\"a\":1,", TRUNCATED), BAD("\"", TRUNCATED), BAD("\"abc", TRUNCATED),
    BAD("[\"", TRUNCATED), BAD("tru", TRUNCATED), BAD("n", TRUNCATED),
    BAD("]", SYNTAX), BAD("}", SYNTAX), BAD(",", SYNTAX), BAD(":", SYNTAX),
    BAD("[,]", SYNTAX), BAD("[,1]", SYNTAX), BAD("[1,]", SYNTAX),
    BAD("[1,,2]", SYNTAX), BAD("[1 2]", SYNTAX), BAD("[1:2]", SYNTAX),
    BAD("[}", SYNTAX), BAD("{]", SYNTAX), BAD("[1}", SYNTAX),
    BAD("{\"a\":1]", SYNTAX), BAD("[[]", TRUNCATED), BAD("[{]}", SYNTAX),
    BAD("{,}", SYNTAX), BAD("{\"a\"}", SYNTAX), BAD("{\"a\":}", SYNTAX),
    BAD("{\"a\" 1}", SYNTAX), BAD("{\"a\"::1}", SYNTAX),
    BAD("{\"a\":1,}", SYNTAX), BAD("{\"a\":1,,\"b\":2}", SYNTAX),
    BAD("{\"a\":1 \"b\":2}", SYNTAX), BAD("{a:1}", SYNTAX),
    BAD("{'a':1}", SYNTAX), BAD("{1:1}", SYNTAX), BAD("{null:1}", SYNTAX),
    BAD("{[]:1}", SYNTAX), BAD("{\"a\",\"b\"}", SYNTAX),
    BAD("{\"a\":1:2}", SYNTAX), BAD("{\"a\":1}}", TRAILING),
    BAD("[]]", TRAILING), BAD("{}{}", TRAILING), BAD("[] []", TRAILING),
    BAD("1 2", TRAILING), BAD("1,", TRAILING), BAD("\"a\" \"b\"", TRAILING),
    BAD("nulll", TRAILING), BAD("{}#", TRAILING), BAD("[]//", TRAILING),
    BAD("/**/[]", SYNTAX), BAD("[/**/]", SYNTAX), BAD("[1]x", TRAILING),
    BAD("[*]", SYNTAX), BAD("{\"a\":b}", SYNTAX), BAD("undefined", SYNTAX),
    BAD("NaN", SYNTAX), BAD("[NaN]", SYNTAX), BAD("Infinity", SYNTAX),
    BAD("-Infinity", NUMBER), BAD("[-NaN]", NUMBER), BAD("True", SYNTAX),
    BAD("tRue", SYNTAX), BAD("[nul]", SYNTAX), BAD("[truE]", SYNTAX),
    BAD("[fals]", SYNTAX), BAD("[true1]", SYNTAX), BAD("'a'", SYNTAX),
    BAD("abc", SYNTAX), BAD("\\u0022a\"", SYNTAX),
    BAD("[\"a\", 4\n:1]", SYNTAX), BAD("[\"a\nb\"]", CONTROL),
    BAD("[\\n]", SYNTAX),

    /* numbers */
    GOOD("[-0]"), GOOD("[-0.0]"), GOOD("[0.0]"), GOOD("[0e0]"),
    GOOD("[0E+0]"), GOOD("[0e-0]"), GOOD("[-1]"), GOOD("[1e5]"),
    GOOD("[1E5]"), GOOD("[1e+5]"), GOOD("[1e-5]"), GOOD("[1.5e10]"),
    GOOD("[123456789]"), GOOD("[-123.456e-7]"), GOOD("[1E+002]"),
    GOOD("[0.000000000000000000000000000000000000000000001]"),
    GOOD("9007199254740993"), GOOD("9223372036854775807"),
    GOOD("-9223372036854775808"), GOOD("[1e-400]"), GOOD("123.456"),
    GOOD("[1.0,2]"), GOOD("[10000000000000000]"), GOOD("[0,10,20]"),
    { T("1e999"), YES, TG_JSON_E_NONE, J_RANGE },
    { T("-1e+999"), YES, TG_JSON_E_NONE, J_RANGE },
    { T("[9223372036854775808]"), YES, TG_JSON_E_NONE, J_RANGE },
    { T("[-9223372036854775809]"), YES, TG_JSON_E_NONE, J_RANGE },
    { T("[100000000000000000000]"), YES, TG_JSON_E_NONE, J_RANGE },

    BAD("-", TRUNCATED), BAD("[-]", NUMBER), BAD("[+1]", SYNTAX),
    BAD("[--1]", NUMBER), BAD("[01]", NUMBER), BAD("[-01]", NUMBER),
    BAD("[00]", NUMBER), BAD("[012]", NUMBER), BAD("[1.]", NUMBER),
    BAD("[.5]", SYNTAX), BAD("[-.5]", NUMBER), BAD("[1.e5]", NUMBER),
    BAD("[1e]", NUMBER), BAD("[1e+]", NUMBER), BAD("[1e-]", NUMBER),
    BAD("[1eE2]", NUMBER), BAD("[1e1.5]", SYNTAX), BAD("[1.2.3]", SYNTAX),
    BAD("[0x1]", SYNTAX), BAD("[1a]", SYNTAX), BAD("[1-2]", SYNTAX),
    BAD("[1+2]", SYNTAX), BAD("[1 000]", SYNTAX), BAD("[0e]", NUMBER),
    BAD("[0.e1]", NUMBER), BAD("[-1x]", SYNTAX), BAD("[1e5e]", SYNTAX),
    BAD("[\xef\xbc\x91]", SYNTAX), BAD("1.", TRUNCATED), BAD("1e", TRUNCATED),
    { T("[1\0]"), NO, TG_JSON_E_SYNTAX, J_NUL_BYTE },
    { T("[true\0]"), NO, TG_JSON_E_SYNTAX, J_NUL_BYTE },
    BAD("1e-", TRUNCATED), BAD("[0.1", TRUNCATED), BAD("1x", TRAILING),
    BAD("0 1", TRAILING), BAD("01", NUMBER), BAD("[1,2.]", NUMBER),

    /* escapes */
    GOOD("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), GOOD("\"\\u0041\\u00e9\\u20AC\""),
    GOOD("\"\\ud83d\\ude00\""), GOOD("\"\\uDBFF\\uDFFF\""),
    GOOD("\"\\ud800\\udc00\""), GOOD("\"\\\\\\\\\""), GOOD("\"\\\\u0000\""),
    GOOD("\"\\\\n\""), GOOD("\"\\u0001\\u001F\""), GOOD("\"\\uFFFF\\uFFFE\""),
    GOOD("\"\\u0022\""), GOOD("\"\\u005C\""), GOOD("\"a/b\""),
    GOOD("{\"\\u0061\\n\":\"\\u0062\"}"), GOOD("\"\\uabcd\\uABCD\\uAbCd\""),
    ODD("\"\\ud800\"", J_SURROGATE), ODD("\"\\udc00\"", J_SURROGATE),
    ODD("\"\\ud800x\"", J_SURROGATE), ODD("\"\\ud800\\n\"", J_SURROGATE),
    ODD("\"\\ud800\\ud800\"", J_SURROGATE),
    ODD("\"\\udc00\\ud800\"", J_SURROGATE),
    ODD("\"\\ud800\\ud800\\udc00\"", J_SURROGATE),
    ODD("\"\\ud800\\u0041\"", J_SURROGATE),
    ODD("{\"\\uDead\":1}", J_SURROGATE),
    { T("\"\\u0000\""), YES, TG_JSON_E_NONE, J_NUL },
    { T("{\"\\u0000\":1}"), YES, TG_JSON_E_NONE, J_NUL },
    { T("{\"a\\u0000b\":\"c\\u0000d\"}"), YES, TG_JSON_E_NONE, J_NUL },

    BAD("\"\\\"", TRUNCATED), BAD("\"\\", TRUNCATED), BAD("\"\\x41\"", ESCAPE),
    BAD("\"\\a\"", ESCAPE), BAD("\"\\'\"", ESCAPE), BAD("\"\\0\"", ESCAPE),
    BAD("\"\\N\"", ESCAPE), BAD("\"\\U0041\"", ESCAPE), BAD("\"\\v\"", ESCAPE),
    BAD("\"\\u\"", ESCAPE), BAD("\"\\u1\"", ESCAPE), BAD("\"\\u12\"", ESCAPE),
    BAD("\"\\u123\"", ESCAPE), BAD("\"\\u123g\"", ESCAPE),
    BAD("\"\\u00G0\"", ESCAPE), BAD("\"\\u-123\"", ESCAPE),
    BAD("\"\\u 123\"", ESCAPE), BAD("\"\\ud800\\u\"", ESCAPE),
    BAD("\"\\ud800\\udc0\"", ESCAPE), BAD("\"\\u12", TRUNCATED),
    BAD("\"\\\n\"", ESCAPE), BAD("\"\\\xc3\xa9\"", ESCAPE),
    BAD("\"\\u\xc3\xa9\"", ESCAPE), BAD("\"\\ \"", ESCAPE),
    BAD("\"\\\\\\\"", TRUNCATED), BAD("{\"\\x\":1}", ESCAPE),
    BAD("\"\\u00:0\"", ESCAPE), BAD("\"\\u00@0\"", ESCAPE),
    BAD("\"\\u00`0\"", ESCAPE), BAD("\"\\u00/0\"", ESCAPE),

    /* control characters */
    GOOD("\"\x7f\""), GOOD("\" \""),
    BAD("\"\0\"", CONTROL), BAD("\"\x01\"", CONTROL), BAD("\"\t\"", CONTROL),
    BAD("\"\n\"", CONTROL), BAD("\"\r\"", CONTROL), BAD("\"\x1f\"", CONTROL),
    BAD("{\"a\tb\":1}", CONTROL), BAD("[\"\x1e", CONTROL),

    /* UTF-8 */
    GOOD("\"\xc2\x80\xdf\xbf\""), GOOD("\"\xe0\xa0\x80\xef\xbf\xbf\""),
    GOOD("\"\xed\x9f\xbf\xee\x80\x80\""), GOOD("\"\xf0\x90\x80\x80\""),
    GOOD("\"\xf4\x8f\xbf\xbf\""), GOOD("\"\xf0\x9f\x98\x80\""),
    GOOD("\"\xef\xbb\xbf\""), GOOD("\"\xe2\x80\xa8\xe2\x80\xa9\""),
    GOOD("{\"\xc3\xa9\":\"\xe4\xb8\xad\"}"), GOOD("\"\xef\xbf\xbe\""),
    GOOD("\"\xcc\x88\xc2\xad\""),
    BAD("\"\x80\"", UTF8), BAD("\"\xbf\"", UTF8), BAD("\"a\x80\"", UTF8),
    BAD("\"\xc0\x80\"", UTF8), BAD("\"\xc1\xbf\"", UTF8),
    BAD("\"\xc2\"", UTF8), BAD("\"\xc2", TRUNCATED), BAD("\"\xc2\xc2\"", UTF8),
    BAD("\"\xe0\x80\x80\"", UTF8), BAD("\"\xe0\x9f\xbf\"", UTF8),
    BAD("\"\xe4\xb8\"", UTF8), BAD("\"\xe4\"", UTF8),
    BAD("\"\xed\xa0\x80\"", UTF8), BAD("\"\xed\xbf\xbf\"", UTF8),
    BAD("\"\xf0\x80\x80\x80\"", UTF8), BAD("\"\xf0\x8f\xbf\xbf\"", UTF8),
    BAD("\"\xf4\x90\x80\x80\"", UTF8), BAD("\"\xf5\x80\x80\x80\"", UTF8),
    BAD("\"\xf8\x88\x80\x80\x80\"", UTF8), BAD("\"\xfe\"", UTF8),
    BAD("\"\xff\"", UTF8), BAD("\"\xf0\x9f\x98\"", UTF8),
    BAD("\"\xe4\xb8\xad\xad\"", UTF8), BAD("\"\xc3\xa9\xa9\"", UTF8),
    BAD("\"\xf0\x9f\x98\x80\x80\"", UTF8), BAD("\"\xe4\\n\"", UTF8),
    BAD("\"\xe4\n\"", UTF8), BAD("\xe4\xb8\xad", SYNTAX),
    BAD("[\"a\"\xc3\xa9]", SYNTAX), BAD("{\"\xe9\":1}", UTF8)
};

#define NVECTORS  (sizeof(vectors) / sizeof(vectors[0]))

#undef T
#undef GOOD
#undef BAD
#undef ODD

#endif /* JSON_VECTORS_H */
