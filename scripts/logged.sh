#!/bin/sh
# Run a long command with its output in a log; show the log's end only where it fails.
# usage: logged.sh "what is being done" LOG COMMAND...
set -u
what=$1
log=$2
shift 2
mkdir -p "$(dirname "$log")"
echo "$what ..."
"$@" >"$log" 2>&1 && exit 0
status=$?
if grep -qiE 'name resolution|connection (refused|reset|timed out)|failed to establish|network is unreachable|max retries exceeded|read timed out|proxyerror|temporary failure' "$log"; then
    echo "rejshand_ros: $what failed: the package index cannot be reached; check the network (and pip's index-url or proxy), then run the same command again. Log: $log" >&2
elif grep -qi 'no space left on device' "$log"; then
    echo "rejshand_ros: $what failed: the disk is full; about 2 GB are needed (8 GB with torch). Log: $log" >&2
else
    tail -n 20 "$log" >&2
    echo "rejshand_ros: $what failed (status $status). Log: $log" >&2
fi
exit 1
