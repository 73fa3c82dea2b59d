-- Bellwether's record in SQLite, schema 1. Ids are 16 bytes that sort by time, so tables keyed by
-- them grow at their end. Times are microseconds since 1970 in UTC. Hot rows hold integers and
-- blobs; names that repeat are numbers of `word`. Sizes are checked here because the database is
-- the last one who can refuse.

CREATE TABLE word (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- Numbers that the store keeps for itself: how far the projector came, the floor of positions.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  position    INTEGER PRIMARY KEY,
  source      INTEGER NOT NULL,
  kind        INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  happened_at INTEGER NOT NULL,
  flow_set    INTEGER NOT NULL,
  directory   INTEGER NOT NULL,
  matched     INTEGER NOT NULL,
  hop         INTEGER NOT NULL CHECK (hop BETWEEN 0 AND 255),
  id          TEXT NOT NULL CHECK (octet_length(id) <= 1024),
  subject     TEXT,
  -- case, cause, traceparent and aliases as one JSON object; NULL when there are none.
  extra       TEXT CHECK (extra IS NULL OR octet_length(extra) <= 65536),
  data        TEXT NOT NULL CHECK (octet_length(data) <= 65536)
) STRICT;

-- Outlives events: what was seen once never happens again.
CREATE TABLE seen (
  key       BLOB PRIMARY KEY CHECK (octet_length(key) = 16),
  position  INTEGER NOT NULL,
  body_hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Emitted events that nobody has matched against the flows yet.
CREATE TABLE route (
  position INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE cell (
  id           BLOB PRIMARY KEY CHECK (octet_length(id) = 16),
  program      INTEGER NOT NULL,
  open         INTEGER NOT NULL CHECK (open IN (0, 1)),
  keyed        INTEGER NOT NULL CHECK (keyed IN (0, 1)),
  epoch        INTEGER NOT NULL,
  version      INTEGER NOT NULL CHECK (version >= 1),
  opened_by    INTEGER,
  opened_at    INTEGER NOT NULL,
  last_turn_at INTEGER NOT NULL CHECK (last_turn_at >= opened_at),
  program_hash BLOB NOT NULL CHECK (octet_length(program_hash) = 16),
  key          TEXT NOT NULL CHECK (octet_length(key) <= 4096),
  -- Ids of the effects that were born here, 16 bytes each, oldest first; further ones in `born`.
  effects      BLOB,
  state        BLOB NOT NULL CHECK (octet_length(state) <= 65536),
  first_turn   BLOB NOT NULL,
  last_turn    BLOB
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX cell_open ON cell (program, key) WHERE open = 1 AND keyed = 1;

-- Turns between the first and the latest.
CREATE TABLE turn (
  cell    BLOB NOT NULL,
  version INTEGER NOT NULL,
  body    BLOB NOT NULL,
  PRIMARY KEY (cell, version)
) STRICT, WITHOUT ROWID;

-- Effects of cells that made more than the cell's own row lists.
CREATE TABLE born (
  cell   BLOB NOT NULL,
  effect BLOB NOT NULL,
  PRIMARY KEY (cell, effect)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
  cell     BLOB NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (cell, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE alias (
  key  BLOB PRIMARY KEY CHECK (octet_length(key) = 16),
  cell BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE timer (
  cell BLOB NOT NULL,
  name TEXT NOT NULL,
  due  INTEGER NOT NULL,
  PRIMARY KEY (cell, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX timer_due ON timer (due);

CREATE TABLE item (
  cell   BLOB NOT NULL,
  window TEXT NOT NULL,
  key    TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (cell, window, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
  scope  TEXT NOT NULL,
  window TEXT NOT NULL,
  n      INTEGER NOT NULL,
  PRIMARY KEY (scope, window)
) STRICT, WITHOUT ROWID;

CREATE TABLE effect (
  id         BLOB PRIMARY KEY CHECK (octet_length(id) = 16),
  cell       BLOB NOT NULL CHECK (octet_length(cell) = 16),
  program    INTEGER NOT NULL,
  lane       INTEGER NOT NULL,
  role       INTEGER NOT NULL,
  state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
  attempt    INTEGER NOT NULL,
  delivery   INTEGER NOT NULL,
  engagement INTEGER NOT NULL,
  reports    INTEGER NOT NULL CHECK (reports IN (0, 1)),
  not_before INTEGER,
  expires_at INTEGER,
  made_at    INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  owner      BLOB,
  order_key  BLOB CHECK (order_key IS NULL OR octet_length(order_key) = 16),
  person     TEXT,
  cancel_key TEXT,
  reason     TEXT,
  reference  TEXT,
  failure    TEXT,
  saved      TEXT,
  args       TEXT NOT NULL CHECK (octet_length(args) <= 32768),
  -- Nothing is in flight without somebody who answers for it.
  CHECK (state <> 1 OR (owner IS NOT NULL AND attempt >= 1))
) STRICT, WITHOUT ROWID;

-- Queued, started and held ones: the only secondary index of the outbox.
-- Written as OR, not IN: an IN of three makes SQLite build a list for every row that is written.
CREATE INDEX effect_lane ON effect (lane, state, not_before, id, order_key)
  WHERE (state = 0 OR state = 1 OR state = 5);

CREATE TABLE dead_letter (
  id         BLOB PRIMARY KEY CHECK (octet_length(id) = 16),
  cell       BLOB,
  effect     BLOB,
  event      INTEGER,
  code       TEXT NOT NULL,
  reason     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  settled_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE inlet (
  connection INTEGER PRIMARY KEY,
  cursor     TEXT,
  since      INTEGER,
  read_at    INTEGER,
  hinted_at  INTEGER,
  counted_at INTEGER,
  gaps       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE ledger (
  connection  INTEGER NOT NULL,
  external_id TEXT NOT NULL CHECK (octet_length(external_id) <= 1024),
  state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  attempts    INTEGER NOT NULL,
  matched     INTEGER NOT NULL CHECK (matched IN (0, 1)),
  ordinal     INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  PRIMARY KEY (connection, external_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_pending ON ledger (connection, ordinal) WHERE state = 0;

-- What `ledger` would count, kept in the same transactions: column = state, 5 = matched events.
CREATE TABLE ledger_count (
  connection INTEGER NOT NULL,
  state      INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  PRIMARY KEY (connection, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
  name  TEXT PRIMARY KEY,
  owner BLOB NOT NULL,
  until INTEGER NOT NULL,
  fence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  body    TEXT NOT NULL,
  actor   TEXT NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (kind, name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  actor  TEXT NOT NULL,
  what   TEXT NOT NULL,
  hash   TEXT NOT NULL
) STRICT;

-- One row per transaction: what it changed, for the projector, which deletes it.
CREATE TABLE change (
  number INTEGER PRIMARY KEY,
  body   BLOB NOT NULL
) STRICT;

-- The projector's tables. No personal data: lists read texts from the rows themselves.
CREATE TABLE view_run (
  program INTEGER NOT NULL,
  open    INTEGER NOT NULL,
  id      BLOB NOT NULL,
  PRIMARY KEY (program, open, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE view_notification (
  id       BLOB PRIMARY KEY,
  program  INTEGER NOT NULL,
  state    INTEGER NOT NULL,
  delivery INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE view_person (
  person TEXT NOT NULL,
  id     BLOB NOT NULL,
  PRIMARY KEY (person, id)
) STRICT, WITHOUT ROWID;

-- Which blocks of 256 positions hold events of a type, and how many.
CREATE TABLE view_event (
  kind  INTEGER NOT NULL,
  block INTEGER NOT NULL,
  n     INTEGER NOT NULL,
  PRIMARY KEY (kind, block)
) STRICT, WITHOUT ROWID;

-- Totals: (what, a, b) → n; the code beside the projector says what they mean.
CREATE TABLE tally (
  what INTEGER NOT NULL,
  a    INTEGER NOT NULL,
  b    INTEGER NOT NULL,
  n    INTEGER NOT NULL,
  PRIMARY KEY (what, a, b)
) STRICT, WITHOUT ROWID;
