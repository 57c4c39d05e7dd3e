"""keepalived.conf(5) of one director. All directors get the same but for name, priority, address and peers."""

from userdata.archive import slim_configuration
from userdata.templates import fill
from userdata.values import Director, HealthCheck, LoadBalancer, Service, WebServer

SCHEDULER_OPTIONS = {"sh": "sh-fallback", "mh": "mh-fallback"}
"""Where hashing chose a web server of weight 0, take another one: without, its clients are refused (ip_vs_sh.c)."""


def keepalived_config(balancer: LoadBalancer, director: Director) -> str:
    """The configuration for Keepalived 2.3, ending in a newline.

    Both IPVS tables list the web servers in the same order: schedulers such as mh depend on it.
    """
    vrrp, notification = balancer.vrrp, balancer.notification
    others = balancer.others(director)
    if vrrp.preempt:
        preemption = f"preempt_delay {vrrp.preempt_delay_seconds}" if vrrp.preempt_delay_seconds else ""
    else:
        # A director that was stopped and resumed must not take back: the address has moved.
        preemption = f"nopreempt\ntimer_expired_backup {max(other.priority for other in others)}"
    text = fill(
        "director/keepalived.conf.j2",
        name=director.name,
        version=vrrp.version,
        notification=""
        if notification is None
        else fill(
            "director/notification.conf.j2",
            recipients=notification.recipients,
            sender=notification.sender,
            smtp_server=notification.smtp_server,
            smtp_port=notification.smtp_port,
        ),
        preemption=preemption,
        router_id=vrrp.router_id,
        priority=director.priority,
        advert_interval=_seconds(vrrp.advert_interval_seconds),
        authentication="" if vrrp.password is None else fill("director/authentication.conf.j2", password=vrrp.password),
        address=director.address,
        peers=[other.address for other in others],
        virtual_ip=balancer.virtual_ip,
        virtual_servers=[_virtual_server(balancer, service) for service in balancer.services],
    )
    # What is not asked for leaves an empty line.
    return slim_configuration(text)


def _seconds(value: float) -> str:
    """Microseconds are what Keepalived counts in; it reads no exponents."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _virtual_server(balancer: LoadBalancer, service: Service) -> str:
    check = service.health_check
    return fill(
        "director/virtual-server.conf.j2",
        virtual_ip=balancer.virtual_ip,
        port=service.port,
        protocol=service.protocol.upper(),
        scheduler=service.scheduler,
        scheduler_option=SCHEDULER_OPTIONS.get(service.scheduler, ""),
        persistence=f"persistence_timeout {service.persistence_seconds}" if service.persistence_seconds else "",
        interval=_seconds(check.interval_seconds),
        timeout=_seconds(check.timeout_seconds),
        retries=check.retries,
        retry_delay=_seconds(check.retry_delay_seconds),
        real_servers=[_real_server(balancer, service, web_server) for web_server in balancer.web_servers],
    )


def _real_server(balancer: LoadBalancer, service: Service, web_server: WebServer) -> str:
    return fill(
        "director/real-server.conf.j2",
        address=web_server.address,
        port=service.port,
        weight=web_server.weight,
        inhibit_on_failure="inhibit_on_failure" if service.inhibit_on_failure else "",
        check=_check(balancer, service.health_check),
    )


def _check(balancer: LoadBalancer, check: HealthCheck) -> str:
    port = f"connect_port {check.port}" if check.port else ""
    if check.kind == "tcp":
        return fill("director/tcp-check.conf.j2", port=port)
    if check.kind == "udp":
        question = f"payload {check.payload}\nrequire_reply" if check.payload else ""
        return fill("director/udp-check.conf.j2", port=port, question=question)
    return fill(
        "director/http-check.conf.j2",
        virtual_ip=balancer.virtual_ip,
        path=check.path,
        status=check.status,
        port=port,
    )
