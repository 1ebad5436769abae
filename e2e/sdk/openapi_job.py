"""The admin API's own description, held against the running server by Schemathesis: thousands of
requests that follow it, and as many that break it in one place.

Reads one JSON object on stdin: admin_url, admin_token, data (a folder to work in). Exits with what
Schemathesis says.
"""

import json
import os
import sys
from pathlib import Path

import requests
from schemathesis.cli import schemathesis

HERE = Path(__file__).parent


def main(job):
    admin = requests.Session()
    admin.headers["Authorization"] = f"Bearer {job['admin_token']}"

    def make(path, body):
        answer = admin.post(f"{job['admin_url']}{path}", json=body, timeout=10)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    user = make("/v1/users", {"email": "schema@example.com", "password": "long enough"})
    # By the environment: arguments can be read by every process of the machine.
    os.environ |= {
        "RESCIND_ADMIN_TOKEN": job["admin_token"],
        "RESCIND_USER": user,
        "RESCIND_PARTNER": make("/v1/partners", {"subject": "schema"}),
        "RESCIND_OPERATOR": make("/v1/operators", {"name": "schema"}),
        "RESCIND_TOKEN": make("/v1/tokens", {"owner_id": user, "kind": "bearer"}),
    }
    # Where Schemathesis looks for its configuration's hooks, and keeps what it remembers.
    os.chdir(job["data"])
    for name in ["openapi.toml", "openapi_hooks.py"]:
        Path(name).write_text((HERE / name).read_text())
    options = ["--config-file", "openapi.toml", "run", "--no-color", "--continue-on-failure"]
    where = f"{job['admin_url']}/v1/openapi.json"
    schemathesis.main([*options, where])


main(json.load(sys.stdin))
