#!/bin/sh
# Keepalived became MASTER: the virtual IP to this instance's interface, then the Elastic IP to the virtual IP.
# As in the design it is from: no second try, no look whether it worked, no lock against the other script.
set -e
PATH=/opt/original:$PATH
# shellcheck source=/dev/null
. /opt/original/settings

# Repair: a token, for metadata is version 2 only.
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
instance=$(curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
interface=$(aws ec2 describe-instances --instance-ids "$instance")
aws ec2 assign-private-ip-addresses --network-interface-id "$interface" --private-ip-addresses "$VIRTUAL_IP" --allow-reassignment
# Repair: the allocation's id; it was in a variable named after the association's.
aws ec2 associate-address --allocation-id "$ALLOCATION_ID" --network-interface-id "$interface" --private-ip-address "$VIRTUAL_IP"
