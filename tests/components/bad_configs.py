"""Configs that are refused, one mistake each: the tests of the settings and of the program share this table."""

from typing import Any

LEAST: dict[str, Any] = {"aws:region": "us-east-1", "imageId": "ami-0123456789abcdef0"}


def directors(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"address": address, "priority": priority} for address, priority in pairs]


def service(**fields: Any) -> dict[str, Any]:
    return {"services": [fields]}


def check(**fields: Any) -> dict[str, Any]:
    return service(healthCheck=fields)


def mail(**fields: Any) -> dict[str, Any]:
    return {
        "notification": {"smtpServer": "mail.example.com", "from": "a@example.com", "to": ["b@example.com"], **fields}
    }


def planned(first: Any, second: Any) -> dict[str, Any]:
    two = directors(("10.0.0.36", 254), ("10.0.0.56", 253))
    return {"directors": [{**two[0], "planned": first}, {**two[1], "planned": second}]}


# (what is set beside LEAST, the key of the one fault, a word of what is allowed)
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"rollout": "director-1"}, "rollout", "must be a list"),
    ({"rollout": [1]}, "rollout[0]", "name of a machine"),
    ({"rollout": ["Web-1"]}, "rollout[0]", "name of a machine"),
    ({"rollout": ["director-3"]}, "rollout[0]", "did you mean director-"),
    ({"rollout": ["web-1", "web-1"]}, "rollout[1]", "twice"),
    ({"rollout": ["web-3*"]}, "rollout[0]", "names no machine"),
    ({"rollout": ["director-1", "director-2"]}, "rollout", "one director at most, not director-1, director-2"),
    ({"rollout": ["*"]}, "rollout", "one director at most"),
    (planned(False, True), "directors[1].planned", "at least two"),
    (planned("yes", False), "directors[0].planned", "true or false"),
    ({"vpcCidr": "10.0.0.0"}, "vpcCidr", "IPv4 network"),
    ({"vpcCidr": "10.0.0.1/16"}, "vpcCidr", "IPv4 network"),
    ({"vpcCidr": "fd00::/56"}, "vpcCidr", "IPv4 network"),
    ({"vpcCidr": "10.0.0.0/8"}, "vpcCidr", "/16 to /28"),
    ({"subnetCidr": "ten"}, "subnetCidr", "IPv4 network"),
    ({"vpcCidr": "10.0.0.0/24", "subnetCidr": "10.0.0.0/23"}, "subnetCidr", "inside vpcCidr"),
    ({"subnetCidr": "10.0.0.0/29", "virtualIp": "x", "directors": [], "webServers": []}, "subnetCidr", "/16 to /28"),
    ({"availabilityZone": "eu-west-1a"}, "availabilityZone", "us-east-1a"),
    ({"availabilityZone": "us-east-1"}, "availabilityZone", "us-east-1a"),
    ({"availabilityZone": "us-east-1 a"}, "availabilityZone", "must be a zone"),
    ({"virtualIp": "10.0.0"}, "virtualIp", "IPv4 address"),
    ({"virtualIp": "10.0.1.100"}, "virtualIp", "inside subnetCidr"),
    ({"virtualIp": "10.0.0.36"}, "virtualIp", "directors[0].address"),
    ({"virtualIp": "10.0.0.80"}, "virtualIp", "webServers[0].address"),
    *(({"virtualIp": f"10.0.0.{last}"}, "virtualIp", "reserved") for last in (0, 1, 2, 3, 255)),
    ({"directors": directors(("10.0.0.36", 254))}, "directors", "2 to 254 entries"),
    ({"directors": "none"}, "directors", "list"),
    ({"directors": ["10.0.0.36", *directors(("10.0.0.56", 1))]}, "directors[0]", "object"),
    (
        {"directors": directors(("10.0.0.36", 254), ("10.0.0.56", 254))},
        "directors[1].priority",
        "directors[0].priority",
    ),
    ({"directors": directors(("10.0.0.36", 255), ("10.0.0.56", 1))}, "directors[0].priority", "1 to 254"),
    ({"directors": directors(("10.0.0.36", 0), ("10.0.0.56", 1))}, "directors[0].priority", "1 to 254"),
    ({"directors": directors(("10.0.0.36", True), ("10.0.0.56", 2))}, "directors[0].priority", "whole number"),
    ({"directors": directors(("10.0.0.36", 1.5), ("10.0.0.56", 2))}, "directors[0].priority", "whole number"),
    ({"directors": directors(("10.0.0.36", 1), ("10.0.0.36", 2))}, "directors[1].address", "directors[0].address"),
    ({"directors": directors(("10.0.0.36", 1), ("10.0.9.9", 2))}, "directors[1].address", "inside subnetCidr"),
    ({"directors": directors(("10.0.0.36", 1), ("10.0.0.2", 2))}, "directors[1].address", "reserved"),
    ({"directors": directors(("10.0.0.36", 1), (7, 2))}, "directors[1].address", "IPv4 address"),
    ({"directors": [*directors(("10.0.0.36", 1)), {"priority": 2}]}, "directors[1].address", "IPv4 address"),
    ({"directors": [*directors(("10.0.0.36", 1)), {"address": "10.0.0.56"}]}, "directors[1].priority", "1 to 254"),
    ({"directorInstanceType": "huge"}, "directorInstanceType", "instance type"),
    ({"webServerInstanceType": ""}, "webServerInstanceType", "instance type"),
    ({"webServers": []}, "webServers", "1 to 200 entries"),
    (
        {"subnetCidr": "10.0.0.0/16", "webServers": [{"address": f"10.0.7.{n}"} for n in range(201)]},
        "webServers",
        "1 to 200 entries",
    ),
    ({"webServers": [{"address": "10.0.0.56"}]}, "webServers[0].address", "directors[1].address"),
    ({"webServers": [{"address": "10.0.0.255"}]}, "webServers[0].address", "reserved"),
    ({"webServers": [{"address": "10.0.0.80", "weight": -1}]}, "webServers[0].weight", "0 to 65535"),
    ({"webServers": [{"address": "10.0.0.80", "weight": 65536}]}, "webServers[0].weight", "0 to 65535"),
    ({"webServers": [{"address": "10.0.0.80", "weight": 0}]}, "webServers[0].weight", "at least one"),
    ({"webServers": [{"address": "10.0.0.80", "wieght": 1}]}, "webServers[0].wieght", "did you mean weight?"),
    ({"imageId": ""}, "imageId", "imageName"),
    ({"imageId": "ami-XYZ"}, "imageId", "hexadecimal"),
    ({"imageName": "debian-13-amd64-*"}, "imageName", "must be empty when imageId is set"),
    ({"imageId": "", "imageName": "*"}, "imageName", "Debian"),
    ({"forwardingMode": "DR"}, "forwardingMode", "virtual IP as source"),
    ({"forwardingMode": "TUN"}, "forwardingMode", "virtual IP as source"),
    ({"forwardingMode": "nat"}, "forwardingMode", "must be NAT"),
    ({"services": []}, "services", "1 to 50 entries"),
    (service(port=0), "services[0].port", "1 to 65535"),
    (service(port=65536), "services[0].port", "1 to 65535"),
    (service(port="http"), "services[0].port", "whole number"),
    ({"services": [{"port": 80}, {"port": 80}]}, "services[1].port", "services[0].port"),
    (service(scheduler="random"), "services[0].scheduler", "wrr"),
    (service(persistenceSeconds=-1), "services[0].persistenceSeconds", "0 to 86400"),
    (service(inhibitOnFailure="yes"), "services[0].inhibitOnFailure", "true or false"),
    (service(inhibitOnFailure=1), "services[0].inhibitOnFailure", "true or false"),
    (service(ports=80), "services[0].ports", "did you mean port?"),
    (service(healthCheck="http"), "services[0].healthCheck", "object"),
    (check(kind="ssl"), "services[0].healthCheck.kind", "http, tcp, udp"),
    (check(path="healthz"), "services[0].healthCheck.path", "begin with /"),
    (check(path="/a b"), "services[0].healthCheck.path", "begin with /"),
    (check(path="/\u3000"), "services[0].healthCheck.path", "begin with /"),
    (check(path='/"'), "services[0].healthCheck.path", "begin with /"),
    (check(status=99), "services[0].healthCheck.status", "200 to 599"),
    (check(kind="tcp", path="/x"), "services[0].healthCheck.path", "kind tcp has none"),
    (check(kind="tcp", status=204), "services[0].healthCheck.status", "kind tcp has none"),
    (check(intervalSeconds=0), "services[0].healthCheck.intervalSeconds", "0.1 to 3600"),
    (check(timeoutSeconds="nan"), "services[0].healthCheck.timeoutSeconds", "0.1 to 600"),
    (check(timeoutSeconds="inf"), "services[0].healthCheck.timeoutSeconds", "0.1 to 600"),
    (check(retries=0), "services[0].healthCheck.retries", "1 to 100"),
    (check(retries=1.5), "services[0].healthCheck.retries", "whole number"),
    (check(retryDelaySeconds=-1), "services[0].healthCheck.retryDelaySeconds", "0 to 600"),
    (check(retry=1), "services[0].healthCheck.retry", "did you mean retries?"),
    ({"vrrp": {"version": 4}}, "vrrp.version", "2 to 3"),
    ({"vrrp": {"routerId": 0}}, "vrrp.routerId", "1 to 255"),
    ({"vrrp": {"routerId": 256}}, "vrrp.routerId", "1 to 255"),
    ({"vrrp": {"advertIntervalSeconds": 0.005}}, "vrrp.advertIntervalSeconds", "0.01"),
    ({"vrrp": {"advertIntervalSeconds": 0.015}}, "vrrp.advertIntervalSeconds", "steps of 0.01"),
    ({"vrrp": {"advertIntervalSeconds": 40.96}}, "vrrp.advertIntervalSeconds", "40.95"),
    ({"vrrp": {"version": 2}}, "vrrp.advertIntervalSeconds", "whole seconds"),
    ({"vrrp": {"version": 2, "advertIntervalSeconds": 1.5}}, "vrrp.advertIntervalSeconds", "whole seconds"),
    ({"vrrp": {"password": "12345678"}}, "vrrp.password", "no authentication"),
    ({"vrrp": {"version": 2, "advertIntervalSeconds": 1, "password": "123456789"}}, "vrrp.password", "8"),
    ({"vrrp": {"version": 2, "advertIntervalSeconds": 1, "password": "a b"}}, "vrrp.password", "letters or digits"),
    ({"vrrp": {"preemptDelaySeconds": 8}}, "vrrp.preemptDelaySeconds", "vrrp.preempt"),
    ({"vrrp": {"preempt": True, "preemptDelaySeconds": 1001}}, "vrrp.preemptDelaySeconds", "0 to 1000"),
    ({"vrrp": {"preemtpDelaySeconds": 8}}, "vrrp.preemtpDelaySeconds", "did you mean preemptDelaySeconds?"),
    ({"vrrp": []}, "vrrp", "object"),
    ({"notification": {"smtpServer": "m", "to": ["b@example.com"]}}, "notification.from", "mail address"),
    (mail(to=[]), "notification.to", "at least one"),
    (mail(to="ops@example.com"), "notification.to", "must be a list"),
    ({"clientCidrs": "198.51.100.0/24"}, "clientCidrs", "must be a list"),
    (mail(to=["nobody"]), "notification.to[0]", "mail address"),
    (mail(to=["b@example.com", "b@example.com"]), "notification.to[1]", "twice"),
    (mail(smtpServer="mail server"), "notification.smtpServer", "host name"),
    ({"clientCidrs": []}, "clientCidrs", "at least one"),
    ({"clientCidrs": ["::/0"]}, "clientCidrs[0]", "no IPv6"),
    ({"clientCidrs": ["10.1.2.3/8"]}, "clientCidrs[0]", "IPv4 network"),
    ({"clientCidrs": ["10.0.0.0/8", "10.0.0.0/8"]}, "clientCidrs[1]", "twice"),
    ({"clientCidrs": [f"198.51.{n}.0/24" for n in range(56)]}, "clientCidrs", "a security group has 60"),
    ({"protect": "maybe"}, "protect", "true or false"),
    ({"tags": {"Name": "mine"}}, "tags.Name", "set by the program"),
    ({"tags": {"aws:x": "1"}}, "tags.aws:x", "AWS's own"),
    ({"tags": {"cost center": "1"}}, "tags.cost center", "key of 1 to 128"),
    ({"tags": {"a/b": "1"}}, "tags.a/b", "key of 1 to 128"),
    ({"tags": {"k" * 129: "1"}}, f"tags.{'k' * 129}", "key of 1 to 128"),
    ({"tags": {"k": "v" * 257}}, "tags.k", "at most 256"),
    ({"tags": {"k": 1}}, "tags.k", "must be text"),
    ({"tags": {f"k{n}": "1" for n in range(45)}}, "tags", "at most 44"),
    ({"aws:region": "Virginia"}, "aws:region", "us-east-1"),
    ({"aws:region": ""}, "aws:region", "pulumi config set aws:region"),
    ({"aws:allowedAccountIds": ["12"]}, "aws:allowedAccountIds[0]", "12-digit"),
    ({"aws:defaultTags": "{}"}, "aws:defaultTags", "unknown key"),
    ({"virtualIP": "10.0.0.100"}, "virtualIP", "did you mean virtualIp?"),
    ({"wibble": "1"}, "wibble", "known keys are vpcCidr"),
    ({"vpcCidr": "169.254.0.0/16"}, "vpcCidr", "link-local"),
    ({"directors": []}, "directors", "2 to 254 entries"),
    ({"directorInstanceType": "t4g.micro"}, "webServerInstanceType", "must be arm64"),
    ({"webServerInstanceType": "m7g.large"}, "webServerInstanceType", "must be amd64"),
    (
        {"imageId": "", "imageName": "debian-13-amd64-*", "directorInstanceType": "c7gn.large"},
        "directorInstanceType",
        "must be amd64",
    ),
    (
        {"imageId": "", "imageName": "debian-13-arm64-*", "directorInstanceType": "a1.large"},
        "webServerInstanceType",
        "must be arm64",
    ),
    (service(port=22), "services[0].port", "22 (sshd)"),
    (service(port=53), "services[0].port", "53 (systemd-resolved)"),
    (service(protocol="sctp"), "services[0].protocol", "tcp, udp"),
    (
        service(protocol="udp", healthCheck={"port": 0}),
        "services[0].healthCheck.port",
        "the port of a tcp service here, which 80 is not",
    ),
    (
        service(protocol="udp", healthCheck={"kind": "udp"}, persistenceSeconds=60),
        "services[0].persistenceSeconds",
        "must be 0 for UDP",
    ),
    *(
        (service(port=port, protocol="udp", healthCheck={"kind": "udp"}), "services[0].port", f"{port} ({holder}")
        for port, holder in ((67, "DHCP"), (68, "DHCP"), (123, "time"), (4789, "connection sync"), (5152, "announce"))
    ),
    (
        {"services": [{"port": 80}, *[{"port": 80, "protocol": "udp", "healthCheck": {"kind": "udp"}}] * 2]},
        "services[2].port",
        "services[1].port, which is udp too",
    ),
    (
        service(port=443, healthCheck={"kind": "http"}),
        "services[0].healthCheck.kind",
        "a TLS server answers no plain request",
    ),
    (check(port=8080), "services[0].healthCheck.port", "of a tcp service here, which 8080 is not"),
    (check(kind="udp", port=0), "services[0].healthCheck.port", "of a udp service here, which 80 is not"),
    (check(port=65536), "services[0].healthCheck.port", "0 to 65535"),
    (check(payload="00"), "services[0].healthCheck.payload", "a check of kind http has none"),
    *(
        (
            service(protocol="udp", healthCheck={"kind": "udp", "payload": payload}),
            "services[0].healthCheck.payload",
            "hexadecimal digits, two a byte",
        )
        for payload in ("0g", "000", "00" * 256)
    ),
    (
        {"services": [{"port": 80}, {"port": 81, "healthCheck": {"port": 80, "path": "/healthz?x", "status": 204}}]},
        "services[1].healthCheck.status",
        "must be 200 as services[0].healthCheck.status is",
    ),
    (
        {
            "clientCidrs": [f"198.51.{n}.0/24" for n in range(18)],
            "services": [{"port": 80}, {"port": 81}, {"port": 53, "protocol": "udp", "healthCheck": {"port": 80}}],
        },
        "clientCidrs",
        "needs 61 inbound rules",
    ),
    (check(path="/", status=204), "services[0].healthCheck.status", "must be 200 where path is /"),
    (check(path="/?deep=1", status=204), "services[0].healthCheck.status", "must be 200 where path is /"),
    (check(Status=204), "services[0].healthCheck.Status", "did you mean status?"),
    (check(status=600), "services[0].healthCheck.status", "200 to 599"),
    (service(persistenceSeconds=86401), "services[0].persistenceSeconds", "0 to 86400"),
    ({"vrrp": {"version": 2, "advertIntervalSeconds": 256}}, "vrrp.advertIntervalSeconds", "0.01 to 255"),
    ({"vrrp": {"router_id": 51}}, "vrrp.router_id", "did you mean routerId?"),
    (mail(smtpPort=0), "notification.smtpPort", "1 to 65535"),
    (mail(smtpPort=65536), "notification.smtpPort", "1 to 65535"),
    (mail(smtpServer="email-smtp.eu-west-1.amazonaws.com", smtpPort=587), "notification.smtpServer", "neither TLS nor"),
    (mail(smtpServer="vpce-1.email-smtp.eu-west-1.vpce.amazonaws.com"), "notification.smtpServer", "neither TLS nor"),
    (service(scheduler="dh", inhibitOnFailure=True), "services[0].scheduler", "may have weight 0"),
    (
        {**service(scheduler="dh"), "webServers": [{"address": "10.0.0.80", "weight": 0}, {"address": "10.0.0.194"}]},
        "services[0].scheduler",
        "may have weight 0",
    ),
    (mail(smtpServ="m"), "notification.smtpServ", "did you mean smtpServer?"),
    ({"clientCidrs": ["0.0.0.0/0", "198.51.100.0/24"]}, "clientCidrs[1]", "overlap clientCidrs[0], 0.0.0.0/0"),
    ({"clientCidrs": ["10.1.0.0/16", "192.0.2.0/24", "10.0.0.0/8"]}, "clientCidrs[2]", "overlap clientCidrs[0]"),
    ({"production": "yes"}, "production", "true or false"),
    ({"production": True}, "protect", "must be true where production is true"),
    (
        {"production": True, "protect": True, "imageId": "", "imageName": "debian-13-amd64-*"},
        "imageName",
        "must be empty where production is true",
    ),
    ({"production": True, "protect": True, "imageId": ""}, "imageId", "describe-images"),
    (
        {"aws:allowedAccountIds": ["123456789012"], "aws:forbiddenAccountIds": ["210987654321"]},
        "aws:forbiddenAccountIds",
        "must be empty where aws:allowedAccountIds is set",
    ),
    ({"VPCCIDR": "10.0.0.0/16"}, "VPCCIDR", "did you mean vpcCidr?"),
]
