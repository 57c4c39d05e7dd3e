#!/bin/sh
# interface.sh: print the network card's name (ens5, enX0, ...): the one that leads to instance metadata.
# Right after boot there is no route yet: up to a minute is waited for it.
set -u
tries=0
while :; do
    name=$(ip -4 route get 169.254.169.254 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    case $name in
    '' | lo) ;;
    *)
        echo "$name"
        exit 0
        ;;
    esac
    tries=$((tries + 1))
    if [ "$tries" -ge 300 ]; then
        echo "interface: no route to instance metadata (169.254.169.254) within a minute" >&2
        exit 1
    fi
    sleep 0.2
done
