#!/bin/sh
# Keepalived became BACKUP: take the virtual IP off this instance's interface. The Elastic IP goes with it.
set -e
PATH=/opt/original:$PATH
# shellcheck source=/dev/null
. /opt/original/settings

# Repair: a token, for metadata is version 2 only.
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
instance=$(curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
interface=$(aws ec2 describe-instances --instance-ids "$instance")
aws ec2 unassign-private-ip-addresses --network-interface-id "$interface" --private-ip-addresses "$VIRTUAL_IP"
