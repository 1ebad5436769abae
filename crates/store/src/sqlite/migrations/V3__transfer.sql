-- At most one row: what this store has to do with another one. While it is being filled from there
-- ('filling'), and once it was moved there ('moved'), it has no row in `epoch`: nobody can load it or
-- write to it, whatever his version. The epoch is kept here meanwhile.
CREATE TABLE transfer (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    state    TEXT    NOT NULL CHECK (state IN ('filling', 'whole', 'moved')),
    -- What was moved, so that the same is recognised: see `Origin`.
    origin   TEXT    NOT NULL,
    epoch    INTEGER NOT NULL,
    -- Where it was moved to, and when.
    place    TEXT,
    at       INTEGER,
    CHECK ((state = 'moved') = (place IS NOT NULL)),
    CHECK ((state = 'moved') = (at IS NOT NULL))
) STRICT;
