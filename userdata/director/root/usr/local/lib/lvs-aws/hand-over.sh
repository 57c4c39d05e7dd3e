#!/bin/sh
# Before Keepalived stops, another director gets the virtual IP, while packets are still served here: nothing is lost.
# FAULT is what makes the others claim it; the address has left when the agent says so. Then sync has its last word.
run=/run/lvs-aws
[ -e "$run/agent/owner" ] || exit 0
cp "$run/penalty" "$run/penalty.before"
echo -254 >"$run/penalty"
tries=0
while [ -e "$run/agent/owner" ] && [ "$tries" -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
sleep 3
