"""IAM as strict as AWS: every call of a known principal is authenticated and authorized before it is carried out.

`gate` asks: `signature` whether the caller is who it says, `principals` who that is and what its policies are,
`requests` what the call is about (by the tables `ec2_actions`, `ec2_resources`, `iam_actions`), `evaluation` whether
the policies (`policy`, `conditions`, `matching`) allow it. `refusals` has the answers. `iam_answers` lets the simulator
answer from the same evaluation. Pure: matching, conditions, policy, evaluation, signature, simulation.
"""
