-- What the audit chain had come to when the epoch was raised to a number: after a restored backup, or
-- a failover that lost commits, the number is given a second time, and the mark is another one. Rows
-- from before have none, and are not told apart.

ALTER TABLE epoch ADD COLUMN mark BYTEA CHECK (octet_length(mark) = 32);
ALTER TABLE revocation_log ADD COLUMN mark BYTEA CHECK (octet_length(mark) = 32);
