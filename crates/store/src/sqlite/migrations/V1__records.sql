-- Names the file as one of ours ("Resc"), so that another program's database is never touched.
PRAGMA application_id = 0x52657363;

-- Rows are never deleted, so `seq` is the order of creation, and a cursor stays good for ever.
-- It is written out because VACUUM may renumber an implicit rowid.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Scopes are separated by single spaces.
CREATE TABLE owners (
    seq              INTEGER PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    kind             TEXT    NOT NULL CHECK (kind IN ('user', 'partner', 'operator')),
    email            TEXT    UNIQUE,
    first_name       TEXT,
    last_name        TEXT,
    tenant           TEXT,
    password_hash    TEXT,
    profile_id       INTEGER UNIQUE,
    account          TEXT,
    issuer           TEXT,
    subject          TEXT,
    name             TEXT,
    suspended_at     INTEGER,
    suspended_by     TEXT,
    not_before       INTEGER,
    token_management INTEGER NOT NULL CHECK (token_management IN (0, 1)),
    allowed_scopes   TEXT,
    created_at       INTEGER NOT NULL,
    UNIQUE (issuer, subject),
    CHECK ((suspended_at IS NULL) = (suspended_by IS NULL)),
    CHECK ((kind = 'user') = (email IS NOT NULL AND first_name IS NOT NULL AND last_name IS NOT NULL
        AND tenant IS NOT NULL AND password_hash IS NOT NULL)),
    CHECK ((kind = 'partner') = (profile_id IS NOT NULL AND account IS NOT NULL
        AND issuer IS NOT NULL AND subject IS NOT NULL)),
    CHECK ((kind = 'operator') = (name IS NOT NULL))
) STRICT;

-- A token is found by its digest or checked with its sealed secret; a revoked one needs no secret.
CREATE TABLE tokens (
    seq               INTEGER PRIMARY KEY,
    id                TEXT    NOT NULL UNIQUE,
    owner             TEXT    NOT NULL REFERENCES owners (id),
    kind              TEXT    NOT NULL CHECK (kind IN ('bearer', 'api_key', 'signing', 'admin')),
    digest            BLOB    UNIQUE CHECK (length(digest) = 32),
    sealed_secret     BLOB,
    label             TEXT,
    scopes            TEXT    NOT NULL,
    issued_at         INTEGER NOT NULL,
    expires_at        INTEGER,
    revoked_at        INTEGER,
    revoked_by        TEXT,
    revocation_reason TEXT,
    last_used_at      INTEGER,
    CHECK ((kind = 'signing') = (digest IS NULL)),
    CHECK ((kind = 'signing' AND revoked_at IS NULL) = (sealed_secret IS NOT NULL)),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    CHECK ((revoked_at IS NULL) = (revocation_reason IS NULL))
) STRICT;

CREATE INDEX tokens_by_owner ON tokens (owner, seq);
-- Those in force, to be counted at each issue.
CREATE INDEX tokens_in_force ON tokens (owner, kind, expires_at) WHERE revoked_at IS NULL;

-- One row for each time that power was taken away; `seq` is the epoch it raised.
CREATE TABLE revocation_log (
    seq     INTEGER PRIMARY KEY,
    what    TEXT    NOT NULL CHECK (what IN ('token', 'owner')),
    subject TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE TABLE epoch (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    n        INTEGER NOT NULL
) STRICT;

INSERT INTO epoch (only_row, n) VALUES (1, 0);

CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    hash    BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
