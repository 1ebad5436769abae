"""Introspection and revocation, done by Authlib: an OAuth client that knows nothing of Rescind.

Reads one JSON object on stdin: base_url, verify_url, admin_token, email, password. Nothing of
Authlib is replaced or patched.
"""

import json
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session

METHODS = ["client_secret_basic", "client_secret_post"]


def main(job):
    introspect, revoke = (f"{job['verify_url']}/v1/{name}" for name in ["introspect", "revoke"])
    for method in METHODS:
        token = log_in(job)
        client = session(job["admin_token"], method)
        shows_an_active_token(client, introspect, token, job["email"])
        shows_nothing_of_a_foreign_one(client, introspect)
        lets_in_nobody_else(introspect, token, method)
        revokes(client, introspect, revoke, job, token)
        again = client.revoke_token(revoke, token=token)
        assert (again.status_code, again.content) == (200, b""), again.text
        refuses_an_operators_token(client, revoke, job["admin_token"])
    print("oauth job done")


def session(secret, method):
    return OAuth2Session(
        "a resource server: with a colon",
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )


def log_in(job):
    credentials = {"email": job["email"], "password": job["password"]}
    answer = requests.post(f"{job['base_url']}/auth/token", json=credentials, timeout=10)
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    assert use(job, token) == 200
    return token


def use(job, token):
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{job['base_url']}/v1/orders", headers=headers, timeout=10).status_code


def shows_an_active_token(client, introspect, token, email):
    for hint in ["access_token", None]:
        answer = client.introspect_token(introspect, token=token, token_type_hint=hint)
        assert answer.status_code == 200, answer.text
        facts = answer.json()
        assert facts["active"] is True, facts
        assert (facts["username"], facts["token_type"]) == (email, "Bearer"), facts
        assert facts["sub"] == facts["client_id"] and facts["jti"], facts
        assert isinstance(facts["exp"], int) and facts["exp"] > facts["iat"], facts


def shows_nothing_of_a_foreign_one(client, introspect):
    for token in ["nobody's", "a b&c=d", "%"]:
        answer = client.introspect_token(introspect, token=token)
        assert (answer.status_code, answer.json()) == (200, {"active": False}), answer.text


def lets_in_nobody_else(introspect, token, method):
    for secret in ["nonsense", token]:
        answer = session(secret, method).introspect_token(introspect, token=token)
        assert answer.status_code == 401, answer.text
        assert answer.json()["error"] == "invalid_client", answer.text


def revokes(client, introspect, revoke, job, token):
    answer = client.revoke_token(revoke, token=token, token_type_hint="access_token")
    assert (answer.status_code, answer.content) == (200, b""), answer.text
    assert use(job, token) == 401
    answer = client.introspect_token(introspect, token=token)
    assert answer.json() == {"active": False}, answer.text


def refuses_an_operators_token(client, revoke, admin_token):
    answer = client.revoke_token(revoke, token=admin_token)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "unsupported_token_type", answer.text


main(json.load(sys.stdin))
