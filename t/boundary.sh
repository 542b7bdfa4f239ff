#!/bin/bash
# The boundary of common/: no header of a server or of hiredis, and no symbol but
# those of libc without I/O, jansson, PCRE2, libmaxminddb and libcrypto.

set -u
cd "$(dirname "$0")/.."
bad=0

if grep -nE '#[ ]*include[ ]*[<"](ngx_|nginx|httpd|http_|ap_|apr|mod_|hiredis|zlib)' common/*; then
    echo "boundary: a server's header in common/"
    bad=1
fi

if grep -nwE 'ngx_[a-z_]+|ap_[a-z_]+|apr_[a-z_]+|redis[A-Z][a-zA-Z]+' common/*.c common/*.h; then
    echo "boundary: a server's name in common/"
    bad=1
fi

# malloc and string functions, and the compilers' own helpers.
libc='malloc|calloc|realloc|free|mem(cpy|move|set|cmp|chr|mem)|(__)?mem(cpy|move|set)_chk'
libc="$libc|str(len|cmp|ncmp|chr|rchr|str|cpy|nlen)|strto(l|ll|ul|ull|d)|str(c)?spn|strpbrk|(__)?v?snprintf(_chk)?"
libc="$libc|qsort|bsearch|gmtime_r|llround|llrint|round|floor|ceil|fabs|pow|isnan|isinf"
libc="$libc|abort|__stack_chk_fail|__assert_fail|__errno_location"
own='tg_.*|_GLOBAL_OFFSET_TABLE_|__cpu_model|__cpu_indicator_init|__(udiv|div|mod|umod|divmod|udivmod)ti[34]|__mulodi4|__muloti4|__popcountdi2|__(clz|ctz)di2'
tools='__(asan|ubsan|lsan|sanitizer|gcov|llvm)_.*'
libs='json_.*|jsonp_.*|pcre2_.*|MMDB_.*|EVP_.*|CRYPTO_memcmp|SHA256.*|OPENSSL_cleanse'

if nm -u "$1" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u \
    | grep -vxE "($libc|$own|$tools|$libs)"; then
    echo "boundary: the symbols above are not for common/"
    bad=1
fi

[ $bad = 0 ] && echo "boundary: common/ knows no server"
exit $bad
