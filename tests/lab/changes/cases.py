"""The changes an operator makes, as updates one after the other: docs/changes.md is this table with what was seen."""

from __future__ import annotations

from dataclasses import dataclass

TWO_DIRECTORS = "{address: 10.0.0.36, priority: 254}, {address: 10.0.0.56, priority: 253}"
THIRD = "address: 10.0.0.57, priority: 252"
WEB = "{address: 10.0.0.80}, {address: 10.0.0.194}"
FIRST, SECOND = "rollout=[director-2]", "rollout=[director-1]"
HALF, OTHER_HALF = "rollout=[director-2, web-1]", "rollout=[director-1, web-2]"
ONE_BY_ONE = "two updates, each with one switch at most"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change: the settings (KEY=VALUE) of each update in turn, on a stack with the settings of `before`.

    `refused` says that its first update is refused where nobody is named (no `rollout` beside the default). `clients`
    is what clients notice.
    """

    title: str
    updates: tuple[tuple[str, ...], ...]
    before: tuple[str, ...] = ()
    refused: bool = False
    clients: str


def of_directors(title: str, *settings: str, clients: str = ONE_BY_ONE, before: tuple[str, ...] = ()) -> Change:
    """A change of what both directors are made from: one after the other."""
    updates = ((*settings, FIRST), (*settings, SECOND))
    return Change(title=title, updates=updates, before=before, refused=True, clients=clients)


def of_all(title: str, *settings: str, clients: str) -> Change:
    """A change of what all machines are made from: half of them, then the other half."""
    return Change(title=title, updates=((*settings, HALF), (*settings, OTHER_HALF)), refused=True, clients=clients)


THREE_WEB = f"webServers=[{WEB}, {{address: 10.0.0.195}}]"
DRAINED = f"webServers=[{WEB}, {{address: 10.0.0.195, weight: 0}}]"
THREE_DIRECTORS = f"directors=[{TWO_DIRECTORS}, {{{THIRD}}}]"
PLANNED = f"directors=[{TWO_DIRECTORS}, {{{THIRD}, planned: true}}]"

CHANGES = (
    Change(title="nothing: a second `pulumi up`", updates=((),), clients="nothing"),
    Change(
        title="clients' networks (`clientCidrs`)",
        updates=(("clientCidrs=[198.51.100.0/24, 203.0.113.0/24]",),),
        clients="nothing; who is no longer listed cannot connect",
    ),
    Change(title="`protect`", updates=(("protect=true",),), clients="nothing"),
    Change(title="tags", updates=(("tags={Team: web}",),), clients="nothing"),
    of_directors("add a web server (at the end of `webServers`)", THREE_WEB),
    Change(
        title="remove the last web server: weight 0 first, then out of the list",
        before=(THREE_WEB,),
        updates=((DRAINED, FIRST), (DRAINED, SECOND), (FIRST,)),
        refused=True,
        clients="nothing beyond a switch an update: it has no connections any more when it goes",
    ),
    of_directors("weight of a web server", "webServers=[{address: 10.0.0.80, weight: 10}, {address: 10.0.0.194}]"),
    of_directors("health check: interval, time-out, retries", "services=[{port: 80, healthCheck: {retries: 3}}]"),
    of_all(
        "health check: another page",
        "services=[{port: 80, healthCheck: {path: /ready}}]",
        clients="two switches; half the web servers serve until the second director is there",
    ),
    of_directors("scheduler, persistence", "services=[{port: 80, scheduler: wlc, persistenceSeconds: 60}]"),
    of_directors("`vrrp`: preemption, advert interval", "vrrp={preempt: true, preemptDelaySeconds: 30}"),
    of_directors(
        "`vrrp`: router id, version",
        "vrrp={routerId: 52}",
        clients="until the second update neither director hears the other and both claim: in a maintenance window",
    ),
    of_directors("mail (`notification`)", "notification={smtpServer: mail, from: a@b.test, to: [c@b.test]}"),
    Change(
        title="instance type of the directors",
        updates=(("directorInstanceType=t3.small", FIRST), ("directorInstanceType=t3.small", SECOND)),
        refused=True,
        clients="two updates; a director is stopped and started, one switch at most each",
    ),
    Change(
        title="instance type of the web servers, all at once (`rollout: [web-*]`, the default)",
        updates=(("webServerInstanceType=t3.small",),),
        clients="outage until the first is up again; name them one by one in `rollout` to have none",
    ),
    of_all(
        "image (`imageId`)",
        "imageId=ami-0deb1a13000000002",
        clients="two switches; half the web servers serve until the others are up",
    ),
    of_all(
        "a second service",
        "services=[{port: 80}, {port: 8080}]",
        clients="two switches; half the web servers serve until the others are up",
    ),
    Change(
        title="add a third director (at the end of `directors`): planned first, made last",
        updates=((PLANNED, HALF), (PLANNED, OTHER_HALF), (THREE_DIRECTORS,)),
        refused=True,
        clients="two switches, half the web servers serve meanwhile; nothing when the third comes",
    ),
    Change(
        title="remove the third director: planned first, then out of the list",
        before=(THREE_DIRECTORS,),
        updates=((PLANNED,), (HALF,), (OTHER_HALF,)),
        clients="a switch if it was the owner; then two switches, half the web servers serve meanwhile",
    ),
)
