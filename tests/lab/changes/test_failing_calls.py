"""An error at each API call of `up` and `destroy` in turn: the next one goes on from there, and nothing is left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from lab.cloud.local import LocalCloud
from lab.engine.deploy import DeploymentError
from lab.provider import AwsProvider
from tests.lab.changes.stack import OwnStack
from tests.lab.provider.test_stacks import leftovers

pytestmark = pytest.mark.cloud

SETTINGS = ("webServers=[{address: 10.0.0.80}]",)
SAMPLE = 17  # calls from one tried to the next in the short run; the long one tries every call


class Calls:
    """Counts a provider's calls; the one with number `fail_at` (from 0) is refused without being made."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._endpoint = cloud.endpoint
        self._lock = threading.Lock()
        self.begin(None)

    def begin(self, fail_at: int | None) -> None:
        """Count anew."""
        self.count = 0
        self.fail_at = fail_at
        self.refused: str | None = None

    def provider(self) -> AwsProvider:
        return AwsProvider(endpoint_url=self._endpoint, session=self._session)

    def _session(self) -> boto3.Session:
        made = boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab", region_name="us-east-1")
        made.events.register("before-call", self._before)
        return made

    def _before(self, model: Any, **_: Any) -> Any:
        with self._lock:
            number = self.count
            self.count += 1
            if number != self.fail_at:
                return None
            self.refused = model.name
        return SimpleNamespace(status_code=403), {
            "Error": {"Code": "UnauthorizedOperation", "Message": "refused by the test"},
            "ResponseMetadata": {},
        }


@pytest.fixture
def calls(cloud: LocalCloud) -> Calls:
    return Calls(cloud)


every = pytest.mark.parametrize(
    "step",
    [
        pytest.param(SAMPLE, id="some"),
        # Measured: about 5 minutes a test on a quiet machine.
        pytest.param(1, id="every", marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
    ],
)


@every
def test_an_error_at_a_call_of_up(
    step: int, calls: Calls, cloud: LocalCloud, tmp_path: Path, client: Callable[[str], Any]
) -> None:
    before = leftovers(client)
    own = OwnStack(tmp_path, calls.provider())
    wanted = own.up(*SETTINGS)
    count, there = calls.count, len(leftovers(client))
    assert count > 60
    for number in range(0, count, step):
        cloud.account.reset()
        own.state.unlink()
        calls.begin(number)
        with pytest.raises(DeploymentError, match="refused by the test"):
            own.up(*SETTINGS)
        assert calls.refused is not None
        done = own.up(*SETTINGS)
        assert sum(done.summary.values()) == sum(wanted.summary.values()), (number, calls.refused)
        assert len(leftovers(client)) == there, (number, calls.refused)  # nothing was made twice
        assert done.outputs.keys() == wanted.outputs.keys()
        again = own.up(*SETTINGS)
        assert again.summary.keys() == {"same"}, (number, calls.refused, again.summary)
        own.destroy()
        assert leftovers(client) == before, (number, calls.refused)


@every
def test_an_error_at_a_call_of_destroy(step: int, calls: Calls, tmp_path: Path, client: Callable[[str], Any]) -> None:
    before = leftovers(client)
    own = OwnStack(tmp_path, calls.provider())
    own.up(*SETTINGS)
    calls.begin(None)
    own.destroy()
    count = calls.count
    assert count > 30
    for number in range(0, count, step):
        own.up(*SETTINGS)
        calls.begin(number)
        with pytest.raises(DeploymentError, match="refused by the test"):
            own.destroy()
        own.destroy()
        assert leftovers(client) == before, (number, calls.refused)


@every
def test_an_error_at_a_call_while_a_director_is_replaced(
    step: int, calls: Calls, tmp_path: Path, client: Callable[[str], Any], cloud: LocalCloud
) -> None:
    own = OwnStack(tmp_path, calls.provider())
    other_image = (*SETTINGS, "imageId=ami-0deb1a13000000002", "rollout=[director-2, web-1]")
    own.up(*SETTINGS)
    calls.begin(None)
    own.up(*other_image)
    for number in range(0, calls.count, step):
        cloud.account.reset()
        own.state.unlink()
        own.up(*SETTINGS)
        calls.begin(number)
        with pytest.raises(DeploymentError, match="refused by the test"):
            own.up(*other_image)
        done = own.up(*other_image)
        assert done.outputs["pendingMachines"] == ["director-1"]
        assert not own.up(*other_image).changed, (number, calls.refused)
