#!/bin/sh
# The default route leads to the virtual IP. Instance metadata, time and DNS keep their own way: through a director
# they would be the director's, with the director's credentials.
set -eu
nic=$(/usr/local/lib/lvs-aws/interface.sh)
ip -4 route replace 169.254.0.0/16 via "${ROUTER:?}" dev "$nic"
if [ -n "${DNS-}" ]; then # it is outside the subnet
    ip -4 route replace "$DNS/32" via "$ROUTER" dev "$nic"
fi
ip -4 route replace default via "${VIRTUAL_IP:?}" dev "$nic"
