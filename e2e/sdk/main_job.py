"""The main job, done by the official SDK: issue, use, rotate, revoke, refused.

Reads one JSON object on stdin: base_url, identity_token, expired_identity, other_identity.
Nothing of the SDK is replaced or patched; only its base URL points at the server under test.
"""

import asyncio
import json
import sys
import time

from limitless_sdk import APIError, AuthenticationError, Client, HttpClient, ValidationError
from limitless_sdk.types.api_tokens import DeriveApiTokenInput, HMACCredentials

# "Shown in the list within five seconds", and one more for a busy machine.
LAST_USED_SECONDS = 6


async def main(job):
    url = job["base_url"]
    identity = job["identity_token"]
    async with Client(base_url=url) as visitor:
        await refuses_strangers(visitor, job)
        await shows_capabilities(visitor, identity)
        first = await derive(visitor, identity, "first: Zürich 日本", ["trading"])
        defaulted = await derive(visitor, identity, None, None)
        assert defaulted.scopes == ["trading"], defaulted.scopes
        await refuses_what_is_not_allowed(visitor, identity)

    async with signing(url, first) as client:
        await uses_the_api(client, first)
        await lists(client, {first.token_id: "first: Zürich 日本", defaulted.token_id: None})
        second = await rotates(client, first, identity)

    async with signing(url, first) as old, signing(url, second) as new:
        await is_refused(old.http.get("/v1/products"))
        await is_refused(old.api_tokens.list_tokens())
        await echoes(new)
        await leaves_others_alone(url, new, job["other_identity"])
        message = await new.api_tokens.revoke_token(second.token_id)
        assert message == "API token revoked successfully", message
        await is_refused(new.http.get("/v1/products"))
        await is_refused(new.api_tokens.revoke_token(second.token_id))

    await legacy_keys(url, identity)
    print("main job done")


async def refuses_strangers(visitor, job):
    await is_refused(visitor.http.get("/v1/products"))
    await is_refused(visitor.api_tokens.get_capabilities("not-a-token"))
    await is_refused(visitor.api_tokens.get_capabilities(job["expired_identity"]))
    await is_refused(visitor.api_tokens.derive_token("a.b.c", DeriveApiTokenInput()))


async def shows_capabilities(visitor, identity):
    capabilities = await visitor.api_tokens.get_capabilities(identity)
    assert capabilities.token_management_enabled is True
    assert "trading" in capabilities.allowed_scopes
    assert 0 < capabilities.partner_profile_id < 2**31


async def derive(visitor, identity, label, scopes):
    payload = DeriveApiTokenInput(label=label, scopes=scopes)
    token = await visitor.api_tokens.derive_token(identity, payload)
    assert token.api_key == token.token_id
    assert token.created_at.endswith("Z") and token.profile.account.startswith("0x")
    return token


async def refuses_what_is_not_allowed(visitor, identity):
    async def fails(payload, *classes):
        error = await failure_of(visitor.api_tokens.derive_token(identity, payload))
        assert isinstance(error, classes), repr(error)

    await fails(DeriveApiTokenInput(label="x" * 129), ValidationError)
    await fails(DeriveApiTokenInput(scopes=["no_such_scope"]), ValidationError)
    # It needs `trading` beside it, and is not allowed to everybody either.
    delegated = DeriveApiTokenInput(scopes=["delegated_signing"])
    await fails(delegated, ValidationError, AuthenticationError)


async def uses_the_api(client, token):
    seen = await client.http.get("/v1/products", params={"q": "Zürich 日本 100%", "page": [1, 2]})
    assert seen["method"] == "GET", seen
    expected = "/v1/products?q=Z%C3%BCrich+%E6%97%A5%E6%9C%AC+100%25&page=1&page=2"
    assert seen["target"] == expected, seen["target"]
    identity = {name.lower(): value for name, value in seen["headers"].items()}
    assert identity["x-rescind-token-id"] == token.token_id, identity
    assert identity["x-rescind-profile-id"] == str(token.profile.id), identity
    assert identity["x-rescind-scopes"] == "trading", identity
    assert not any(name.startswith("lmts-") for name in identity), identity

    order = {"marketSlug": "zürich-wins", "note": "日本 ✓", "price": 0.55, "empty": {}}
    seen = await client.http.post("/v1/orders", order)
    body = json.dumps(order, separators=(",", ":"), ensure_ascii=False).encode()
    assert (seen["method"], seen["body_bytes"]) == ("POST", len(body)), seen
    seen = await client.http.delete("/v1/orders/1")
    assert seen["method"] == "DELETE", seen


async def lists(client, expected):
    tokens = await client.api_tokens.list_tokens()
    labels = {token.token_id: token.label for token in tokens}
    assert expected.items() <= labels.items(), labels
    own = client.http.get_hmac_credentials().token_id
    deadline = time.monotonic() + LAST_USED_SECONDS
    while not {t.token_id: t.last_used_at for t in await client.api_tokens.list_tokens()}[own]:
        assert time.monotonic() < deadline, "last use is not shown"
        await asyncio.sleep(0.2)


async def rotates(client, first, identity):
    """The documented order: make the new one, see it work, revoke the old one with it."""
    second = await derive(client, identity, "second", ["trading"])
    async with signing(client.http.base_url, second) as new:
        await echoes(new)
        message = await new.api_tokens.revoke_token(first.token_id)
        assert message == "API token revoked successfully", message
        await is_invalid(new.api_tokens.revoke_token(first.token_id))
        remaining = [token.token_id for token in await new.api_tokens.list_tokens()]
        assert first.token_id not in remaining and second.token_id in remaining, remaining
    return second


async def leaves_others_alone(url, client, other_identity):
    """Another partner's token is answered like an unknown one, and stays untouched."""
    async with Client(base_url=url) as visitor:
        other = await derive(visitor, other_identity, "other", None)
    await is_invalid(client.api_tokens.revoke_token(other.token_id))
    await is_invalid(client.api_tokens.revoke_token("no such/token"))
    async with signing(url, other) as other_client:
        await echoes(other_client)
        own = await other_client.api_tokens.list_tokens()
        assert [token.token_id for token in own] == [other.token_id], own


async def legacy_keys(url, identity):
    """`X-API-Key: lmts_…`, which existing bots go on using."""
    async with HttpClient(base_url=url) as visitor:
        made = await visitor.post_with_identity("/auth/api-keys", identity)
        assert made["apiKey"].startswith("lmts_") and made["createdAt"], made.keys()
        shown = await visitor.get_with_identity("/auth/api-keys", identity)
        assert shown["keyId"] == made["keyId"] and "apiKey" not in shown, shown.keys()
        async with Client(base_url=url, api_key=made["apiKey"]) as bot:
            await echoes(bot)
            # Managing tokens needs a signature, and deriving them an identity.
            await is_refused(bot.api_tokens.list_tokens())
            gone = await visitor.delete_with_identity("/auth/api-keys", identity)
            assert gone["message"] == "API key revoked successfully", gone
            await is_refused(bot.http.get("/v1/products"))
        assert await visitor.get_with_identity("/auth/api-keys", identity) is None


async def echoes(client):
    seen = await client.http.get("/v1/products")
    assert seen["target"] == "/v1/products", seen


async def is_refused(call):
    error = await failure_of(call)
    assert isinstance(error, AuthenticationError) and error.status_code == 401, repr(error)


async def is_invalid(call):
    error = await failure_of(call)
    assert isinstance(error, ValidationError) and error.status_code == 400, repr(error)
    assert error.message == "Token not found or already revoked", repr(error)


async def failure_of(call):
    try:
        answer = await call
    except APIError as error:
        return error
    raise AssertionError(f"this should have failed, and answered {answer!r}")


def signing(url, token):
    credentials = HMACCredentials(token_id=token.token_id, secret=token.secret)
    return Client(base_url=url, hmac_credentials=credentials)


asyncio.run(main(json.load(sys.stdin)))
