#!/bin/sh
# Repair: in the place of the AWS CLI, which the image lacks, the four calls that the scripts make, each one curl. It makes
# the original faster: the CLI starts for half a second on a real machine, and for several seconds on an emulated one.
# Installed as `aws`. describe-instances prints the first interface's id, as the scripts' --query does.
set -e
# shellcheck source=/dev/null
. /opt/original/settings

command=$2
shift 2
set -- "$@" end
fields=
while [ "$1" != end ]; do
    case $1 in
    --instance-ids) fields="$fields&InstanceId.1=$2" ;;
    --network-interface-id) fields="$fields&NetworkInterfaceId=$2" ;;
    --private-ip-addresses) fields="$fields&PrivateIpAddress.1=$2" ;;
    --private-ip-address) fields="$fields&PrivateIpAddress=$2" ;;
    --allocation-id) fields="$fields&AllocationId=$2" ;;
    --allow-reassignment) fields="$fields&AllowReassignment=true" ;;
    *)
        echo "aws: $1 is none of the scripts' options" >&2
        exit 2
        ;;
    esac
    case $1 in --allow-reassignment) shift ;; *) shift 2 ;; esac
done
case $command in
describe-instances) action=DescribeInstances ;;
assign-private-ip-addresses) action=AssignPrivateIpAddresses ;;
unassign-private-ip-addresses) action=UnassignPrivateIpAddresses ;;
associate-address) action=AssociateAddress ;;
*)
    echo "aws: $command is none of the scripts' calls" >&2
    exit 2
    ;;
esac
answer=$(curl -sSf --aws-sigv4 "aws:amz:$REGION:ec2" --user "$ACCESS_KEY_ID:$SECRET_ACCESS_KEY" \
    --data "Action=$action&Version=2016-11-15$fields" "https://ec2.$REGION.amazonaws.com/")
if [ "$action" = DescribeInstances ]; then
    echo "$answer" | tr -d '\n' | sed -n 's|.*<networkInterfaceId>\(eni-[0-9a-f]*\)</networkInterfaceId>.*|\1|p'
fi
