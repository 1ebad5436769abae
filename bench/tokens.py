"""Texts of tokens, and the mix in which they are shown."""

import random, string, zlib

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
# Of twenty that are shown, one is revoked and one is unknown.
VALID, REVOKED, UNKNOWN = 18, 1, 1


def key():
    """The text of a partner's key of Rescind, as well made as any: a prefix, 32 characters of base62, and six of their
    CRC-32. Nobody has issued it yet."""
    return well_made("lmts_", letters(32))


def well_made(prefix, body):
    """A body of 32 characters of base62, and its check."""
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = BASE62[digit] + check
    return prefix + body + check


def letters(count):
    return "".join(random.choices(BASE62, k=count))


def mixed(valid, revoked, unknown):
    """All of them, the few strewn evenly among the many, so that any stretch of requests has its share."""
    def strewn(tokens, phase):
        return [((at + phase) / max(len(tokens), 1), token) for at, token in enumerate(tokens)]
    placed = strewn(valid, 0.1) + strewn(revoked, 0.4) + strewn(unknown, 0.7)
    return [token for _, token in sorted(placed, key=lambda one: one[0])]
