-- Who uses which asset in which document, and which people the users of other systems are. Both
-- are read from these rows themselves; neither is written on the way of an ordinary event.
CREATE TABLE usage (
  number     INTEGER PRIMARY KEY,
  asset      TEXT NOT NULL CHECK (octet_length(asset) BETWEEN 1 AND 1024),
  -- Empty: `user` is a person of the directory.
  connection TEXT NOT NULL CHECK (octet_length(connection) <= 1024),
  user       TEXT NOT NULL CHECK (octet_length(user) BETWEEN 1 AND 1024),
  document   TEXT NOT NULL CHECK (octet_length(document) <= 4096),
  how        INTEGER NOT NULL CHECK (how BETWEEN 0 AND 4),
  source     TEXT NOT NULL CHECK (octet_length(source) <= 1024),
  since      INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL CHECK (seen_at >= since),
  ended_at   INTEGER CHECK (ended_at IS NULL OR ended_at >= seen_at),
  UNIQUE (asset, connection, user, document)
) STRICT;

CREATE INDEX usage_user ON usage (connection, user);
CREATE INDEX usage_document ON usage (document);

CREATE TABLE identity (
  number     INTEGER PRIMARY KEY,
  connection TEXT NOT NULL CHECK (octet_length(connection) BETWEEN 1 AND 1024),
  user       TEXT NOT NULL CHECK (octet_length(user) BETWEEN 1 AND 1024),
  name       TEXT NOT NULL CHECK (octet_length(name) <= 1024),
  person     TEXT,
  -- Shown to somebody who decides, never used.
  proposed   TEXT,
  why        TEXT,
  seen       INTEGER NOT NULL,
  first_seen INTEGER,
  last_seen  INTEGER,
  mapped_by  TEXT,
  mapped_at  INTEGER,
  UNIQUE (connection, user)
) STRICT;

CREATE INDEX identity_person ON identity (person) WHERE person IS NOT NULL;
