#!/bin/sh
# return-path.nft marks what leaves; a mark leads to the primary address of its director, which no failover moves.
# Without a mark the way leads to the virtual IP, wherever ARP finds it. Instance metadata, time and DNS keep their own way:
# through a director they would be the director's, with the director's credentials.
set -eu
nic=$(/usr/local/lib/lvs-aws/interface.sh)
ip -4 route replace 169.254.0.0/16 via "${ROUTER:?}" dev "$nic"
if [ -n "${DNS-}" ]; then # it is outside the subnet
    ip -4 route replace "$DNS/32" via "$ROUTER" dev "$nic"
fi
ip -4 route replace default via "${VIRTUAL_IP:?}" dev "$nic"

lead() { # MARK WAY...: packets with the mark go that way
    id=$((5100 + $1))
    mark=$1
    shift
    ip -4 route replace default "$@" table "$id"
    ip -4 rule del priority "$id" 2>/dev/null || true
    ip -4 rule add fwmark "$mark" lookup "$id" priority "$id"
}
number=0
for director in $(echo "${DIRECTORS:?}" | tr , ' '); do
    number=$((number + 1))
    lead "$number" via "$director" dev "$nic"
done
# What has to wait goes round: out at lvs-hold, 100 ms later in at lvs-held, where return-path.nft looks for a way again.
# TCP would wait too, but longer each time. Of more than 1000 packets the others are refused, and TCP tries again by itself.
ip link del lvs-hold 2>/dev/null || true
mac=02:33:00:00:00:01 # on both ends: without ARP a packet is sent to its sender's own
ip link add lvs-hold mtu 65535 address "$mac" type veth peer name lvs-held mtu 65535 address "$mac"
if tc qdisc add dev lvs-hold root netem delay 100ms limit 1000; then
    (cd /proc/sys/net/ipv4/conf/lvs-held && echo 1 >accept_local && echo 1 >forwarding && echo 0 >rp_filter)
    ip link set lvs-hold arp off up
    ip link set lvs-held arp off up
    lead 255 dev lvs-hold
else # without the delay it would go round at full speed
    echo "return-path: this kernel has no netem, so nothing waits" >&2
    ip link del lvs-hold
fi
