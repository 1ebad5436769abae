-- Where tokens may be used from: CIDR blocks separated by single spaces; null is everywhere.
ALTER TABLE owners ADD COLUMN allowed_networks TEXT;
ALTER TABLE tokens ADD COLUMN allowed_networks TEXT;

-- The token whose place this one takes; and, until its first use, for how many milliseconds the old
-- one lives on from then.
ALTER TABLE tokens ADD COLUMN rotated_from TEXT REFERENCES tokens (id);
ALTER TABLE tokens ADD COLUMN overlap_from_first_use INTEGER
    CHECK (overlap_from_first_use IS NULL OR rotated_from IS NOT NULL);

CREATE INDEX tokens_by_predecessor ON tokens (rotated_from) WHERE rotated_from IS NOT NULL;
CREATE INDEX tokens_by_issue ON tokens (issued_at);
CREATE INDEX owners_by_tenant ON owners (tenant, seq) WHERE tenant IS NOT NULL;
-- Asked before and after whatever might take the last of them. Few, however many admin tokens.
CREATE INDEX administrators ON tokens (owner) WHERE kind = 'admin' AND revoked_at IS NULL
    AND instr(' ' || scopes || ' ', ' admin ') > 0;
-- Those of a set that was taken back are not in force: the count needs their times of issue too.
-- `revoked_at` is always null here; with it, the index alone answers.
DROP INDEX tokens_in_force;
CREATE INDEX tokens_in_force ON tokens (owner, kind, issued_at, expires_at, revoked_at)
    WHERE revoked_at IS NULL;

-- Tokens of a tenant that were issued before this have been taken back; the empty name is everybody.
-- An owner's own bound stands with the owner.
CREATE TABLE bounds (
    tenant     TEXT    NOT NULL PRIMARY KEY,
    not_before INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was made under an Idempotency-Key. The only rows that are ever deleted: they are forgotten
-- after a day.
CREATE TABLE idempotency (
    key     BLOB    PRIMARY KEY CHECK (length(key) = 32),
    request BLOB    NOT NULL CHECK (length(request) = 32),
    made    TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (at);

-- Whole tenants, and everything, can be taken back too. A check cannot be altered in place.
CREATE TABLE revocation_log_2 (
    seq     INTEGER PRIMARY KEY,
    what    TEXT    NOT NULL CHECK (what IN ('token', 'owner', 'tenant', 'everything')),
    subject TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

INSERT INTO revocation_log_2 SELECT seq, what, subject, reason, at FROM revocation_log;
DROP TABLE revocation_log;
ALTER TABLE revocation_log_2 RENAME TO revocation_log;
