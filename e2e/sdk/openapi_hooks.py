"""What Schemathesis must be told of this API: formats that it does not know."""

import ipaddress
import itertools
import json
import os
import re

import schemathesis
from hypothesis import strategies as st

OWNERS = {"bearer": "RESCIND_USER", "api_key": "RESCIND_PARTNER", "signing": "RESCIND_PARTNER"}
COUNTER = itertools.count()
V4 = st.integers(0, 2**32 - 1)
# 2000::/3: no IPv4 address in disguise, which is refused.
V6 = st.integers(2**125, 2**126 - 1)


def blocks(addresses, bits):
    pairs = st.tuples(addresses, st.integers(0, bits))
    return pairs.map(lambda pair: str(ipaddress.ip_network(pair, strict=False)))


schemathesis.openapi.format("cidr", blocks(V4, 32) | blocks(V6, 128))
schemathesis.openapi.format("ip", st.ip_addresses().map(str))


@schemathesis.deserializer("application/jsonl")
def lines(_, response):
    """Each line by itself; the schema is that of one."""
    entries = [json.loads(line) for line in response.text.splitlines()]
    return entries[-1]


@schemathesis.hook
def map_body(_, body):
    """A token for an owner that there is, and that can have it, where one is asked for."""
    if isinstance(body, dict) and re.fullmatch("[A-Za-z0-9_-]{1,64}", str(body.get("owner_id"))):
        owner = OWNERS.get(str(body.get("kind")))
        return body | {"owner_id": os.environ[owner]} if owner else body
    return body


@schemathesis.hook
def map_headers(_, headers):
    """Takes a new key each time, where one is sent that can be read: the examples are sent again
    and again, and only the first would do anything."""
    key = (headers or {}).get("Idempotency-Key", "")
    if re.fullmatch("[!-~]{1,200}", str(key)):
        headers["Idempotency-Key"] = f"{key}-{next(COUNTER)}"
    return headers
