-- Every transaction that writes (but those on `members`) begins by locking the row of `epoch`, so
-- they come one after the other. Rows are never deleted (but of `idempotency` and `members`), and
-- `seq` is drawn under that lock: it is the order of creation, and a cursor stays good for ever.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Scopes and CIDR blocks are separated by single
-- spaces. Texts compare by their bytes: a language's order changes with the C library, and an index
-- in the old order no longer finds what is there.
-- `changed_at` is the epoch of the last change to a row that verifiers may hold; null if none has
-- been since it was made. What changed after an epoch is what a node that is there must hear.
CREATE TABLE owners (
    seq              BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id               TEXT    COLLATE "C" NOT NULL UNIQUE,
    kind             TEXT    COLLATE "C" NOT NULL CHECK (kind IN ('user', 'partner', 'operator')),
    email            TEXT    COLLATE "C" UNIQUE,
    first_name       TEXT,
    last_name        TEXT,
    tenant           TEXT    COLLATE "C",
    password_hash    TEXT,
    profile_id       INTEGER UNIQUE,
    account          TEXT,
    issuer           TEXT    COLLATE "C",
    subject          TEXT    COLLATE "C",
    name             TEXT,
    suspended_at     BIGINT,
    suspended_by     TEXT,
    not_before       BIGINT,
    token_management BOOLEAN NOT NULL,
    allowed_scopes   TEXT    COLLATE "C",
    allowed_networks TEXT    COLLATE "C",
    created_at       BIGINT  NOT NULL,
    changed_at       BIGINT,
    UNIQUE (issuer, subject),
    CHECK ((suspended_at IS NULL) = (suspended_by IS NULL)),
    CHECK ((kind = 'user') = (email IS NOT NULL AND first_name IS NOT NULL AND last_name IS NOT NULL
        AND tenant IS NOT NULL AND password_hash IS NOT NULL)),
    CHECK ((kind = 'partner') = (profile_id IS NOT NULL AND account IS NOT NULL
        AND issuer IS NOT NULL AND subject IS NOT NULL)),
    CHECK ((kind = 'operator') = (name IS NOT NULL))
);

CREATE INDEX owners_by_tenant ON owners (tenant, seq) WHERE tenant IS NOT NULL;
CREATE INDEX owners_by_change ON owners (changed_at) WHERE changed_at IS NOT NULL;

-- A token is found by its digest or checked with its sealed secret; a revoked one needs no secret.
CREATE TABLE tokens (
    seq                    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                     TEXT   COLLATE "C" NOT NULL UNIQUE,
    owner                  TEXT   COLLATE "C" NOT NULL REFERENCES owners (id),
    kind                   TEXT   COLLATE "C" NOT NULL
        CHECK (kind IN ('bearer', 'api_key', 'signing', 'admin')),
    digest                 BYTEA  UNIQUE CHECK (length(digest) = 32),
    sealed_secret          BYTEA,
    label                  TEXT,
    scopes                 TEXT   COLLATE "C" NOT NULL,
    issued_at              BIGINT NOT NULL,
    expires_at             BIGINT,
    allowed_networks       TEXT   COLLATE "C",
    -- The token whose place this one takes; and, until its first use, for how many milliseconds the
    -- old one lives on from then.
    rotated_from           TEXT   COLLATE "C" REFERENCES tokens (id),
    overlap_from_first_use BIGINT,
    revoked_at             BIGINT,
    revoked_by             TEXT,
    revocation_reason      TEXT,
    last_used_at           BIGINT,
    changed_at             BIGINT,
    CHECK ((kind = 'signing') = (digest IS NULL)),
    CHECK ((kind = 'signing' AND revoked_at IS NULL) = (sealed_secret IS NOT NULL)),
    CHECK (overlap_from_first_use IS NULL OR rotated_from IS NOT NULL),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    CHECK ((revoked_at IS NULL) = (revocation_reason IS NULL))
);

CREATE INDEX tokens_by_owner ON tokens (owner, seq);
CREATE INDEX tokens_by_predecessor ON tokens (rotated_from) WHERE rotated_from IS NOT NULL;
CREATE INDEX tokens_by_issue ON tokens (issued_at);
CREATE INDEX tokens_by_change ON tokens (changed_at) WHERE changed_at IS NOT NULL;
-- Those in force, to be counted at each issue.
CREATE INDEX tokens_in_force ON tokens (owner, kind, issued_at, expires_at)
    WHERE revoked_at IS NULL;
-- Asked before and after whatever might take the last of them. Few, however many admin tokens.
CREATE INDEX administrators ON tokens (owner) WHERE kind = 'admin' AND revoked_at IS NULL
    AND position(' admin ' IN ' ' || scopes || ' ') > 0;

-- Tokens of a tenant that were issued before this have been taken back; the empty name is everybody.
-- An owner's own bound stands with the owner.
CREATE TABLE bounds (
    tenant     TEXT   COLLATE "C" PRIMARY KEY,
    not_before BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE INDEX bounds_by_change ON bounds (changed_at);

-- One row for each change to what verifiers hold; `seq` is the epoch it raised.
CREATE TABLE revocation_log (
    seq     BIGINT PRIMARY KEY,
    what    TEXT   NOT NULL CHECK (what IN ('token', 'owner', 'tenant', 'everything')),
    subject TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    at      BIGINT NOT NULL
);

-- The one row whose lock is the right to write.
CREATE TABLE epoch (
    only_row SMALLINT PRIMARY KEY CHECK (only_row = 1),
    n        BIGINT   NOT NULL
);

INSERT INTO epoch (only_row, n) VALUES (1, 0);

CREATE TABLE audit (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    detail  TEXT   NOT NULL,
    hash    BYTEA  NOT NULL CHECK (length(hash) = 32)
);

-- What was made under an Idempotency-Key; forgotten after a day.
CREATE TABLE idempotency (
    key     BYTEA  PRIMARY KEY CHECK (length(key) = 32),
    request BYTEA  NOT NULL CHECK (length(request) = 32),
    made    TEXT   NOT NULL,
    at      BIGINT NOT NULL
);

CREATE INDEX idempotency_by_age ON idempotency (at);

-- Who may hold a lease. Each start of a node has a row of its own: one that was replaced under its
-- name may still be running somewhere, and its lease must be waited for as well.
CREATE TABLE members (
    node        TEXT   COLLATE "C" NOT NULL,
    incarnation BIGINT NOT NULL,
    lease_ms    BIGINT NOT NULL CHECK (lease_ms > 0),
    applied     BIGINT NOT NULL,
    renewals    BIGINT NOT NULL,
    address     TEXT,
    PRIMARY KEY (node, incarnation)
);
