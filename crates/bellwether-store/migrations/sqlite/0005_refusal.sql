-- Requests at a connection's address that were not taken: counts by reason, and the newest few.
-- The writer bounds both by connection, so nobody who has no secret can fill the disk.
CREATE TABLE refusal (
  connection INTEGER NOT NULL,
  reason     TEXT NOT NULL CHECK (octet_length(reason) BETWEEN 1 AND 64),
  message    TEXT NOT NULL CHECK (octet_length(message) <= 2048),
  n          INTEGER NOT NULL CHECK (n > 0),
  first_at   INTEGER NOT NULL,
  last_at    INTEGER NOT NULL,
  caller     TEXT NOT NULL CHECK (octet_length(caller) <= 64),
  PRIMARY KEY (connection, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusal_sample (
  number     INTEGER PRIMARY KEY,
  connection INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  reason     TEXT NOT NULL CHECK (octet_length(reason) BETWEEN 1 AND 64),
  status     INTEGER NOT NULL,
  inlet      TEXT NOT NULL CHECK (octet_length(inlet) <= 256),
  caller     TEXT NOT NULL CHECK (octet_length(caller) <= 64),
  bytes      INTEGER NOT NULL,
  hash       TEXT NOT NULL CHECK (octet_length(hash) <= 64)
) STRICT;
