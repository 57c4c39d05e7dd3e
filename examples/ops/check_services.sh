#!/usr/bin/env bash
# Ask every service that has a page for it, as a client does; UDP services are passed over. Fails if one does not answer with success in five seconds.
#   pulumi stack output --json | examples/ops/check_services.sh
set -euo pipefail

outputs=$(cat "${1:--}")
jq -e '.outputsVersion == 1' <<<"$outputs" >/dev/null || { echo "these are not outputs of version 1" >&2; exit 2; }
failed=0
while read -r url; do
  if code=$(curl --silent --show-error --fail --output /dev/null --write-out '%{http_code}' --max-time 5 "$url"); then
    echo "$url $code"
  else
    echo "$url does not answer" >&2
    failed=1
  fi
done < <(jq -r '.services[].url | select(startswith("http"))' <<<"$outputs")
exit "$failed"
