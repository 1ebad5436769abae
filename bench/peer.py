"""One of those that are set side by side in the part "peers": how it is asked, how it revokes, and how it gets the tokens
that are shown to it."""

import os
from dataclasses import dataclass
from typing import Callable
from load import Case, Token, listed, one_round, opened, revoked, written
from tokens import REVOKED, UNKNOWN, VALID, mixed

BY_KEY = "GET / HTTP/1.1\nHost: bench\nX-API-Key: {token}\n\n"
DELETES = "DELETE / HTTP/1.1\nHost: bench\nX-API-Key: {token}\n\n"


@dataclass
class Peer:
    name: str
    settings: str           # how it was set up
    servers: list           # whose CPU and memory count
    make: Callable          # so many tokens: their texts, and by what ids the server knows them
    unknown: Callable       # a text that might be one and is none
    address: str            # who is asked to verify
    revoker: str            # who is told to revoke
    watched: list           # every node
    request: str = BY_KEY
    revocation: str = DELETES
    accepts: int = 204
    refuses: int = 401
    shown: int = None       # tokens at most
    beforehand: int = None  # has each token shown once before it is measured, so many a second

    def prepare(self, settings, directory):
        """Has it make the tokens and revoke some of them."""
        shown, spare = min(settings.tokens, self.shown or settings.tokens), 2 * settings.rounds * settings.revocations
        valid, gone, unknown = (shown * part // (VALID + REVOKED + UNKNOWN) for part in (VALID, REVOKED, UNKNOWN))
        made = [Token(text, self.accepts, id) for text, id in self.make(valid + gone + spare)]
        valid, gone, self.spare = made[:valid], made[valid:valid + gone], made[valid + gone:]
        for token in gone:
            token.status = self.refuses
        unknown = [Token(self.unknown(), self.refuses) for _ in range(unknown)]
        tokens = written(directory, "tokens", listed(mixed(valid, gone, unknown)))
        self.case = Case(self.name, self.servers, self.address, self.request, tokens, f"{self.settings}; {len(made):,} tokens")
        revoked(self.case, directory, self.revoker, self.revocation, gone)
        if self.beforehand:
            opened(self.case, directory, self.beforehand, max(1, shown / self.beforehand))
        return self

    def one_round(self, settings, scratch):
        """Verification under load; then revocations, one half while nothing else happens, the other half watched."""
        figures = one_round(self.case, scratch, settings.seconds)
        now, self.spare = self.spare[:2 * settings.revocations], self.spare[2 * settings.revocations:]
        quiet = revoked(self.case, scratch, self.revoker, self.revocation, now[::2])
        watched = revoked(self.case, scratch, self.revoker, self.revocation, now[1::2], self.watched)
        return figures | {"revocation": quiet["p50_us"] / 1e6, "revocation_p99": quiet["p99_us"] / 1e6,
                          "late": watched["longest_late_us"] / 1e6, "late_share": watched["late"] / watched["revocations"]}
