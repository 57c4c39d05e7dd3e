"""`lab cloud`: the API and metadata as a process of its own, for whoever has boto3 and no machines."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request

import boto3
import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.serving import KEYS, serving
from tests.lab.under_test import LAB

pytestmark = pytest.mark.cloud


def test_an_instance_boots_in_its_time_and_finds_itself_in_its_metadata() -> None:
    with serving("--boot-delay", "0.6", "--region", "eu-west-1") as (process, endpoint):
        ec2 = boto3.client("ec2", endpoint_url=endpoint, region_name="eu-west-1", **KEYS)
        launched = ec2.run_instances(ImageId=LAB_IMAGE_ID, MinCount=1, MaxCount=1, InstanceType="t3.micro")
        instance = launched["Instances"][0]
        assert instance["State"]["Name"] == "pending"
        began = time.monotonic()
        ec2.get_waiter("instance_running").wait(
            InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
        )
        assert time.monotonic() - began > 0.4
        base = f"{endpoint}/_lab/instances/{instance['InstanceId']}/latest"
        with urllib.request.urlopen(f"{base}/meta-data/instance-id") as answer:
            assert answer.read().decode() == instance["InstanceId"]
    assert process.returncode == 0


def test_an_sdk_finds_the_credentials_of_an_instance() -> None:
    with serving("--boot-delay", "0") as (_, endpoint):
        session = boto3.Session(region_name="us-east-1", **KEYS)
        iam, ec2 = (session.client(name, endpoint_url=endpoint) for name in ("iam", "ec2"))
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName="director", AssumeRolePolicyDocument=document)
        iam.create_instance_profile(InstanceProfileName="director")
        iam.add_role_to_instance_profile(InstanceProfileName="director", RoleName="director")
        launched = ec2.run_instances(
            ImageId=LAB_IMAGE_ID,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            IamInstanceProfile={"Name": "director"},
        )
        instance_id = launched["Instances"][0]["InstanceId"]
        metadata = f"{endpoint}/_lab/instances/{instance_id}/"
        program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
        done = subprocess.run(
            [LAB.with_name("python"), "-c", program],
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.strip().endswith(f":assumed-role/director/{instance_id}"), done.stderr


def test_a_taken_port_and_a_wrong_address_are_said_in_one_line() -> None:
    with serving() as (_, endpoint):
        taken = endpoint.removeprefix("http://")
        done = subprocess.run([str(LAB), "cloud", "--listen", taken], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert f"{taken} is taken" in done.stderr and "Traceback" not in done.stderr
    wrong = subprocess.run([str(LAB), "cloud", "--listen", "4566"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "127.0.0.1:4566" in wrong.stderr.replace("\n", "")
