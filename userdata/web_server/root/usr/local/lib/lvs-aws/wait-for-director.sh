#!/bin/sh
# wait-for-director.sh SECONDS: sleep, and then until a director is active, at most a minute more.
# Without one there is no way out, and to look for it costs far less than to ask apt again and again.
sleep "$1"
tries=0
while [ "$tries" -lt 60 ]; do
    nft list set ip lvs_return active | grep -q expires && exit 0
    sleep 1
    tries=$((tries + 1))
done
