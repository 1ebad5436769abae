-- By which certificate (SHA-256 of its DER) a member proves itself at `address`. Whoever may write
-- these rows is whom all nodes trust anyway.
ALTER TABLE members ADD COLUMN certificate BYTEA CHECK (octet_length(certificate) = 32);
