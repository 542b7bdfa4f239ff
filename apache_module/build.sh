#!/bin/bash
# Builds the httpd modules with what apxs tells.
#
#   build.sh DIR               DIR/mod_llm.so, DIR/mod_llm_upstream.so
#
# LIBTG names the core's archive; SAN and CC as in the Makefile, APXS for another
# httpd than the system's.

set -eu

dir=$1
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
core=${LIBTG:-$top/build/libtg.a}
apxs=${APXS:-apxs}
cc=${CC:-$($apxs -q CC)}

# What a Debian package is built with, and our own warnings for our own files.
cc_opt="-std=gnu11 -g -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIC"
[ -z "${SAN:-}" ] || cc_opt="-std=gnu11 -g -O1 -fPIC $SAN"
warn="-Wall -Wextra -Wformat=2 -Werror"
headers="-I$top/common -I$top/hosted -isystem $($apxs -q INCLUDEDIR) $($apxs -q EXTRA_CPPFLAGS)
    $($apxs -q APR_INCLUDEDIR 2> /dev/null | sed 's/^/-isystem /')
    $($apxs -q APU_INCLUDEDIR 2> /dev/null | sed 's/^/-isystem /')"

# Redis with TLS where hiredis has it.
redis_libs=-lhiredis
if [ -f /usr/include/hiredis/hiredis_ssl.h ]; then
    redis_libs="-lhiredis -lhiredis_ssl -lssl"
    cc_opt="$cc_opt -DTG_REDIS_TLS"
fi

meter= upstream= hosted=
for source in "$top"/apache_module/*.c "$top"/hosted/*.c; do
    object=$dir/$(basename "$source" .c).o
    # shellcheck disable=SC2086
    $cc $cc_opt $warn $headers -c "$source" -o "$object"
    case $source in
    */hosted/*)           hosted="$hosted $object" ;;
    */mod_llm_upstream*)  upstream="$upstream $object" ;;
    *)                    meter="$meter $object" ;;
    esac
done

# Of what both modules have, each has its own: nothing of it is to be seen, for
# httpd loads them into one namespace.
rm -f "$dir/hosted.a"
# shellcheck disable=SC2086
ar rcs "$dir/hosted.a" $hosted

# shellcheck disable=SC2086
link() {
    so=$1
    shift
    $cc $cc_opt -shared -Wl,-z,relro -Wl,-z,now -Wl,--exclude-libs,ALL \
        -Wl,--as-needed -o "$dir/$so" "$@" "$dir/hosted.a" "$core" \
        -ljansson -lssl -lcrypto -lpcre2-8 -lz -lcurl -lmaxminddb $redis_libs \
        -lpthread -lm
}

# shellcheck disable=SC2086
link mod_llm.so $meter
# shellcheck disable=SC2086
link mod_llm_upstream.so $upstream
