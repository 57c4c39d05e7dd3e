"""Telling GitHub, through its CLI `gh`: one comment a stack on a pull request, one issue a stack about drift.

`gh` fills in {owner} and {repo} from GH_REPO or the checkout, and takes the token from GH_TOKEN or its own login.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from delivery.cli import answer

AUTHOR = "github-actions[bot]"
"""Whose earlier reports are taken up: another's could be changed by that other afterwards."""


def say_on_pull_request(project: Path, number: int, mark: str, body: str) -> None:
    """Put `body` in the place of this author's comment that begins with `mark`, or add a comment."""
    comments = _pages(project, f"repos/{{owner}}/{{repo}}/issues/{number}/comments")
    mine = [each["id"] for each in comments if each["user"]["login"] == AUTHOR and each["body"].startswith(mark)]
    if mine:
        _send(project, "PATCH", f"repos/{{owner}}/{{repo}}/issues/comments/{mine[0]}", {"body": body})
    else:
        _send(project, "POST", f"repos/{{owner}}/{{repo}}/issues/{number}/comments", {"body": body})


def open_issue(project: Path, mark: str, title: str, body: str) -> None:
    """Put `body` in the place of the open issue's that begins with `mark`, or open one."""
    known = _open_issues(project, mark)
    if known:
        _send(project, "PATCH", f"repos/{{owner}}/{{repo}}/issues/{known[0]}", {"body": body})
    else:
        _send(project, "POST", "repos/{owner}/{repo}/issues", {"title": title, "body": body})


def close_issues(project: Path, mark: str, why: str) -> int:
    """Close this author's open issues that begin with `mark`, saying why; how many there were."""
    known = _open_issues(project, mark)
    for number in known:
        _send(project, "POST", f"repos/{{owner}}/{{repo}}/issues/{number}/comments", {"body": why})
        _send(project, "PATCH", f"repos/{{owner}}/{{repo}}/issues/{number}", {"state": "closed"})
    return len(known)


def _open_issues(project: Path, mark: str) -> list[int]:
    issues = _pages(project, "repos/{owner}/{repo}/issues?state=open")
    return [
        each["number"]
        for each in issues
        if each["user"]["login"] == AUTHOR and (each["body"] or "").startswith(mark) and "pull_request" not in each
    ]


def _pages(project: Path, path: str) -> list[dict[str, Any]]:
    # --slurp makes one list of the pages' lists.
    pages = json.loads(answer(("gh", "api", "--paginate", "--slurp", path), project=project))
    return [each for page in pages for each in page]


def _send(project: Path, method: str, path: str, fields: dict[str, str]) -> None:
    answer(("gh", "api", "--method", method, path, "--input", "-"), project=project, given=json.dumps(fields))
