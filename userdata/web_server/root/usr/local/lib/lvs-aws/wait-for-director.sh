#!/bin/sh
# wait-for-director.sh SECONDS: sleep, and then until a director owns the virtual IP, at most a minute more.
# Without one there is no way out. To ask the network for its address costs far less than to ask apt again and again.
sleep "$1"
virtual_ip=$(sed -n 's/^VIRTUAL_IP=//p' /etc/lvs-aws/network.env)
tries=0
while [ "$tries" -lt 60 ]; do
    bash -c "echo >/dev/udp/$virtual_ip/9" 2>/dev/null # whatever is sent, the kernel asks who has the address
    sleep 1
    ip -4 neigh show "$virtual_ip" | grep -q lladdr && exit 0
    tries=$((tries + 1))
done
