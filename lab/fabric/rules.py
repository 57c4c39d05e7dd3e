"""Why the fabric drops a frame: the names the drop counters go by."""

from __future__ import annotations

from enum import StrEnum


class DropRule(StrEnum):
    """A reason to drop, counted by interface: the sender's, or the receiver's where the comment says so."""

    MALFORMED = "malformed"  # shorter than its headers say
    ETHERTYPE = "ethertype"  # neither ARP, IPv4 nor IPv6
    IPV6 = "ipv6"  # the lab's VPCs have IPv4 only
    SOURCE_MAC = "src-mac"  # the Ethernet source is not the interface's own
    SOURCE_CHECK = "src-check"  # source/destination check, sender's side: the source is not an address of the sender
    DESTINATION_CHECK = "dst-check"  # the receiver's: its check is on and the destination is not an address of it
    MULTICAST = "multicast-or-broadcast"  # a VPC carries neither
    UNKNOWN_MAC = "unknown-dmac"  # no other interface of the subnet and not the router
    GRATUITOUS_ARP_REQUEST = "garp-request"
    GRATUITOUS_ARP_REPLY = "garp-reply"
    ARP_REPLY = "arp-reply-ignored"  # only the fabric answers ARP
    ARP_NO_OWNER = "arp-no-owner"  # nobody in the subnet has the address asked for
    ARP_OWN = "arp-own"  # asked for an address of its own
    DHCP = "dhcp-unanswered"  # a DHCP message that has no answer (RFC 2131)
    LINK_SERVICE_SOURCE = "link-service-source"  # to a link service from an address that is not the sender's
    LINK_LOCAL = "link-local-no-service"  # 169.254.0.0/16 beyond the metadata service
    ROUTER = "to-router"  # the VPC router answers nothing but ARP and DHCP
    NO_ROUTE = "no-route"
    BLACKHOLE = "blackhole"  # the route's target is gone, or of a kind the lab does not have
    NO_SUCH_PRIVATE_IP = "no-such-private-ip"  # a local route and no interface with that address
    GATEWAY_FOREIGN_SOURCE = "igw-source-not-an-address-of-this-eni"
    GATEWAY_NO_PUBLIC_SOURCE = "igw-no-eip-for-source"
    GATEWAY_NO_PUBLIC_DESTINATION = "wan-in-no-eip"  # to a public address that no interface has
    NO_SUCH_HOST = "internet-no-such-host"  # the lab's internet has no such network
    SERVICE_FOREIGN_SOURCE = "svc-source-not-a-link-service"  # the namespace tried to reach a VPC by the back door
    MTU = "mtu"  # bigger than the way allows; answered with ICMP where it must not be fragmented, else only dropped
    FRAGMENT = "fragment-without-first"  # a later fragment before (or 30 s after) the first, so without known ports
    GROUP_EGRESS = "sg-egress"
    GROUP_INGRESS = "sg-ingress"  # the receiver's
    TRACKING_FULL = "conntrack-allowance-exceeded"  # of the interface that tracks
    FAULT_BLOCKED = "fault-blocked"  # somebody wants it lost (`Block`); the receiver's where it comes from outside
    NO_MACHINE = "noport"  # the receiver's: its machine is not connected
    QUEUE_FULL = "queue-full"  # the receiver's: it does not take its frames fast enough
