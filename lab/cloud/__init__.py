"""The lab's AWS: EC2, IAM, STS and SSM on moto with corrections, the instance metadata service, and DNS."""
