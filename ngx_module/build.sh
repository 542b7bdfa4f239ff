#!/bin/bash
# Builds the nginx modules.
#
#   build.sh DIR dynamic       DIR/ngx_http_llm_module.so and
#                              DIR/ngx_http_llm_upstream_module.so
#   build.sh DIR static        DIR/nginx, with both linked in
#
# From Debian's nginx-dev, or from the tree that NGINX_SRC names (a release or a
# checkout). SAN and CC as in the Makefile.

set -eu

dir=$1
kind=$2
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
src=${NGINX_SRC:-}
tree=$dir/tree-$kind

# What a Debian package is built with.
cc_opt="-g -O2 -fstack-protector-strong -Wformat -Werror=format-security \
-D_FORTIFY_SOURCE=2 -fPIC ${SAN:-}"
ld_opt="-Wl,-z,relro -Wl,-z,now -fPIC ${SAN:-}"

# Another version of nginx needs another tree, though it is at the same place.
from="$src $(cksum < "${src:-/usr/share/nginx/src}/src/core/nginx.h")"

if [ ! -f "$tree/configure" ] || [ "$(cat "$tree/.from" 2>/dev/null)" != "$from" ]
then
    rm -rf "$tree"
    if [ -n "$src" ]; then
        cp -rL "$src" "$tree"
        [ -f "$tree/configure" ] || ln -s auto/configure "$tree/configure"
    else
        cp -rL /usr/share/nginx/src "$tree"
    fi
    echo "$from" > "$tree/.from"
    rm -rf "$tree/objs" "$tree/Makefile"
fi

cd "$tree"

# Not those of a make -j around this one, of whose job server make warns.
unset MAKEFLAGS MFLAGS

flags=(--with-compat --with-threads --with-http_ssl_module --with-http_v2_module
       --with-http_auth_request_module --with-http_gunzip_module
       --with-http_sub_module
       --with-debug)
if [ -f conf_flags ]; then
    . ./conf_flags
    flags=("${NGX_CONF_FLAGS[@]}")
fi

list=$(ls "$top"/common/*.c "$top"/hosted/*.c "$top"/ngx_module/*.c; cat "$top/config")
if [ ! -f objs/Makefile ] || [ "$(cat objs/.list 2>/dev/null)" != "$list $cc_opt" ]
then
    case $kind in
    dynamic)  add=--add-dynamic-module=$top ;;
    static)   add=--add-module=$top ;;
    esac

    ./configure "${flags[@]}" ${CC:+--with-cc="$CC"} --with-cc-opt="$cc_opt" \
        --with-ld-opt="$ld_opt" "$add" > "$dir/configure.log" 2>&1 \
        || { tail -20 "$dir/configure.log"; exit 1; }
    echo "$list $cc_opt" > objs/.list
fi

if [ "$kind" = dynamic ]; then
    env -u MAKEFLAGS make -s -f objs/Makefile modules -j2 > "$dir/make.log" 2>&1 \
        || { grep -B2 -A6 -E 'error|warning' "$dir/make.log" | head -60; exit 1; }
    grep -A4 warning: "$dir/make.log" && exit 1
    # A server may have the old one mapped.
    for so in ngx_http_llm_upstream_module.so ngx_http_llm_module.so; do
        cp "objs/$so" "$dir/.new"
        mv "$dir/.new" "$dir/$so"
    done
else
    env -u MAKEFLAGS make -s -f objs/Makefile -j2 > "$dir/make.log" 2>&1 \
        || { grep -B2 -A6 -E 'error|warning' "$dir/make.log" | head -60; exit 1; }
    cp objs/nginx "$dir/"
fi
