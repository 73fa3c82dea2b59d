-- Customers, by address: many, read one by one on the way of an event, or page by page.
CREATE TABLE customer (
  number   INTEGER PRIMARY KEY,
  address  TEXT NOT NULL UNIQUE CHECK (octet_length(address) BETWEEN 3 AND 1024),
  name     TEXT NOT NULL CHECK (octet_length(name) <= 1024),
  app_id   TEXT NOT NULL CHECK (octet_length(app_id) <= 1024),
  language TEXT NOT NULL CHECK (octet_length(language) <= 64),
  zone     TEXT NOT NULL CHECK (octet_length(zone) <= 64),
  consent  INTEGER NOT NULL CHECK (consent BETWEEN 0 AND 2),
  said_by  TEXT NOT NULL CHECK (octet_length(said_by) <= 1024),
  said_at  INTEGER NOT NULL
) STRICT;
