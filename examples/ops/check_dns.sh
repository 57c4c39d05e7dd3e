#!/usr/bin/env bash
# Say whether a name in DNS leads to the load balancer, and to nothing else.
#   pulumi stack output --json | examples/ops/check_dns.sh www.example.com
set -euo pipefail

[[ $# -ge 1 ]] || { echo "usage: check_dns.sh NAME [OUTPUTS.json]" >&2; exit 2; }
outputs=$(cat "${2:--}")
jq -e '.outputsVersion == 1' <<<"$outputs" >/dev/null || { echo "these are not outputs of version 1" >&2; exit 2; }
wanted=$(jq -r '.elasticIp' <<<"$outputs")
# An alias is followed: its name ends in a dot, the addresses do not.
answer=$(dig +short "$1" A)
found=$(sed '/\.$/d' <<<"$answer" | paste -sd ' ')
if [[ $found != "$wanted" ]]; then
  echo "$1 should be $wanted, and is ${found:-nothing}" >&2
  exit 1
fi
echo "$1 is $wanted"
