#!/bin/sh
# nginx's logs: what has grown to 100 MB becomes the old one, in place of the one before.
# Debian's rule for them is daily, whatever their size, and is followed only where logrotate is installed.
set -eu
full=$(find /var/log/nginx -name '*.log' -size +100000000c)
[ -n "$full" ] || exit 0
for log in $full; do
    mv -f "$log" "$log.1"
done
nginx -s reopen
