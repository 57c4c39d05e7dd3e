#!/bin/sh
# Two links that belong to the directors' data path.
# vxs: IPVS tells connections by multicast only, which a VPC drops; a VXLAN carries it to each other director as unicast.
# Its MAC is this director's own by all means: made from the machine-id, clones of one image would have the same one.
# The virtual IP: packets for it are served wherever EC2 delivers them, be Keepalived MASTER there or not yet, or not any more.
set -eu
nic=$(/usr/local/lib/lvs-aws/interface.sh)
ip route replace local "${VIRTUAL_IP:?}" dev lo proto static
ip link del vxs 2>/dev/null || true
own=
others=
for director in $(echo "${DIRECTORS:?}" | tr , ' '); do
    if ip -4 -o address show dev "$nic" | grep -q " $director/"; then own=$director; else others="$others $director"; fi
done
mac=$(echo "$own" | awk -F. '{printf "02:33:%02x:%02x:%02x:%02x", $1, $2, $3, $4}')
ip link add vxs address "$mac" type vxlan id 51 dev "$nic" local "$own" dstport 4789 nolearning
for director in $others; do
    bridge fdb append 00:00:00:00:00:00 dev vxs dst "$director"
done
ip address add "$own/32" dev vxs
ip link set vxs up
# Whatever names vxs as its way (director.nft) finds its next hop there; nothing else does.
ip route add default dev vxs metric 9999
