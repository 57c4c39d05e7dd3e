"""Where a first boot's time goes, read from what a machine says."""

from tests.lab.first_boot_times import first_boot, told

STATUS = (
    '{"v1": {"init-local": {"start": 20.0, "finished": 30.0}, "init": {"start": 35.0, "finished": 40.0}, '
    '"modules-config": {"start": 41.0, "finished": 42.0}, "modules-final": {"start": 43.0, "finished": 130.5}}}'
)
# The clock began at 1000: 10 s into a saved state's life.
PROBE = f"""
1200.000
200.0
{STATUS}
1050
1053
2
Id=lvs-agent.service ActiveEnterTimestampMonotonic=120000000  Id=nginx.service ActiveEnterTimestampMonotonic=0
1970-01-01 00:17:25 startup packages configure
1970-01-01 00:17:36 startup archives unpack
1970-01-01 00:18:00 startup packages configure
1970-01-01 00:18:01 status installed libfast:amd64 1.0
1970-01-01 00:18:31 status installed keepalived:amd64 1:2.3
1970-01-01 00:18:36 status installed python3-boto3:all 1.37
"""


def test_phases_follow_each_other_and_sum_up() -> None:
    boot = first_boot(PROBE, launched=1010.0)
    assert boot.phases == {
        "boot": 10.0, "cloud-init": 23.0, "way out, index": 7.0, "download": 3.0, "unpack": 27.0, "configure": 36.0,
        "start": 14.5,
    }  # fmt: skip
    assert boot.total == 1130.5 - 1010.0
    assert boot.slowest[:2] == (("keepalived", 30), ("python3-boto3", 5))
    assert boot.units == {"lvs-agent": 110.0}
    assert boot.failed_attempts == 2


def test_a_machine_is_told_in_two_lines() -> None:
    first, second = told("director-1", first_boot(PROBE, launched=1010.0)).splitlines()
    assert first.startswith("director-1: 120 s from power") and "unpack 27" in first
    assert "keepalived 30" in second and "lvs-agent at 110" in second
