-- At most one row: what this store has to do with another one. While it is being filled from there
-- ('filling'), and once it was moved there ('moved'), it has no row in `epoch`: nobody can load it,
-- write to it or renew a lease on it, whatever his version. The epoch is kept here meanwhile.
CREATE TABLE transfer (
    only_row SMALLINT PRIMARY KEY CHECK (only_row = 1),
    state    TEXT     NOT NULL CHECK (state IN ('filling', 'whole', 'moved')),
    -- What was moved, so that the same is recognised: see `Origin`.
    origin   TEXT     NOT NULL,
    epoch    BIGINT   NOT NULL,
    -- Where it was moved to, and when.
    place    TEXT,
    at       BIGINT,
    CHECK ((state = 'moved') = (place IS NOT NULL)),
    CHECK ((state = 'moved') = (at IS NOT NULL))
);

-- Of a bound that comes with a whole store no node has to hear from the log: each loads it.
ALTER TABLE bounds ALTER COLUMN changed_at SET DEFAULT 0;
