#!/usr/bin/env bash
# Name the owner: the director that EC2 sends the Elastic IP's traffic to at this moment.
#   pulumi stack output --json | examples/ops/owner.sh
set -euo pipefail

outputs=$(cat "${1:--}")
jq -e '.outputsVersion == 1' <<<"$outputs" >/dev/null || { echo "these are not outputs of version 1" >&2; exit 2; }
address=$(aws ec2 describe-addresses --output json \
  --region "$(jq -r '.region' <<<"$outputs")" \
  --allocation-ids "$(jq -r '.elasticIpAllocationId' <<<"$outputs")")
interface=$(jq -r '.Addresses[0].NetworkInterfaceId // empty' <<<"$address")
owner=$(jq -r --arg interface "$interface" '.directors[] | select(.interfaceId == $interface) | .name' <<<"$outputs")
if [[ -z $owner ]]; then
  echo "no director has the Elastic IP; EC2 says: ${interface:-no interface}" >&2
  exit 1
fi
echo "$owner"
