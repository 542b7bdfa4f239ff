#!/bin/bash
# Builds the httpd module with what apxs tells.
#
#   build.sh DIR               DIR/mod_llm.so
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

objects=
for source in "$top"/apache_module/*.c "$top"/hosted/*.c; do
    object=$dir/$(basename "$source" .c).o
    # shellcheck disable=SC2086
    $cc $cc_opt $warn $headers -c "$source" -o "$object"
    objects="$objects $object"
done

# shellcheck disable=SC2086
$cc $cc_opt -shared -Wl,-z,relro -Wl,-z,now -Wl,--exclude-libs,ALL \
    -o "$dir/mod_llm.so" $objects "$core" -ljansson -lssl -lcrypto -lpcre2-8 -lz -lcurl \
    -lmaxminddb $redis_libs -lpthread
