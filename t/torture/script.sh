#!/bin/bash
# The fleet's protocol, its model of the store beside the script in a real Redis:
# every reply must be the same.
#
#   script.sh DIR       with test_fleet and test_fleet_histories

set -eu
dir=$(mktemp -d /tmp/fleet_script.XXXXXX)
redis-server --port 0 --unixsocket "$dir/s" --save "" --dir "$dir" \
    > "$dir/log" 2>&1 &
redis=$!
trap 'kill $redis; wait $redis; rm -rf "$dir"' EXIT

for _ in $(seq 100); do
    [ ! -S "$dir/s" ] || break
    sleep 0.05
done

export FLEET_REDIS=$dir/s FLEET_HISTORIES=25
"$1/test_fleet"
"$1/test_fleet_histories"
