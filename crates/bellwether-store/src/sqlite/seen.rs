//! The memory of what was seen. Keys are hashes, so each of them written at once would change a
//! page of its own; the newest are therefore kept here and written in their order, many to a page.
//! A crash loses none: they are worked out again from the events, which are in the record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_model::event::{NewEvent, Position};
use rusqlite::{Connection, OptionalExtension, Result};

use super::book::meta;

/// Keys that gather before they are written. A start after a crash reads at most twice as many
/// events again (measured: about 4 µs each).
const GENERATION: usize = 16_384;
/// For each new key so many old ones are written, so that a generation is written well before the
/// next one is full.
const PACE: usize = 4;
/// The least that a transaction with new keys writes of a generation.
const SLICE_MIN: usize = 32;

/// The name in `meta`: every event up to this position has its key in the table.
pub(super) const SETTLED: &str = "seen_settled";

type Key = [u8; 16];

/// What is remembered of an event for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) position: Position,
    pub(super) body_hash: [u8; 16],
}

/// The keys that are not in the table yet, shared with the readers.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Arc<Mutex<Keys>>);

#[derive(Debug, Default)]
struct Keys {
    fresh: HashMap<Key, Seen>,
    /// The generation that is being written, in the order of the table.
    settling: BTreeMap<Key, Seen>,
    /// The highest position of that generation.
    settling_to: Position,
    /// What the running transaction added, and what of `settling` it wrote.
    added: Vec<Key>,
    written: Vec<Key>,
}

/// Where an event with that key stands, as far as the table knows.
pub(super) fn written(conn: &Connection, key: &Key) -> Result<Option<Seen>> {
    conn.prepare_cached("SELECT position, body_hash FROM seen WHERE key = ?1")?
        .query_row([key], |row| {
            Ok(Seen {
                position: row.get(0)?,
                body_hash: row.get(1)?,
            })
        })
        .optional()
}

impl Recent {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an event with that key stands. Memory comes first: what leaves it is in the table.
    pub(super) fn find(&self, conn: &Connection, key: &Key) -> Result<Option<Seen>> {
        match self.recall(key) {
            Some(seen) => Ok(Some(seen)),
            None => written(conn, key),
        }
    }

    /// The same from memory alone.
    pub(super) fn recall(&self, key: &Key) -> Option<Seen> {
        let keys = self.keys();
        let settling = || keys.settling.get(key);
        keys.fresh.get(key).or_else(settling).copied()
    }

    /// Remembers the key of an event that the running transaction records.
    pub(super) fn add(&self, key: Key, seen: Seen) {
        let mut keys = self.keys();
        keys.fresh.insert(key, seen);
        keys.added.push(key);
    }

    /// At the end of a transaction: writes a part of the generation that is due.
    pub(super) fn settle_some(&self, conn: &Connection) -> Result<()> {
        let mut keys = self.keys();
        if keys.added.is_empty() {
            return Ok(());
        }
        if keys.settling.is_empty() && keys.fresh.len() >= GENERATION {
            keys.close_generation();
        }
        let slice = (keys.added.len() * PACE).max(SLICE_MIN);
        keys.write(conn, slice)
    }

    /// Writes everything, so that the next start has nothing to work out. The caller commits.
    pub(super) fn settle_all(&self, conn: &Connection) -> Result<()> {
        let mut keys = self.keys();
        keys.write(conn, usize::MAX)?;
        keys.committed();
        keys.close_generation();
        keys.write(conn, usize::MAX)
    }

    /// The running transaction is durable.
    pub(super) fn committed(&self) {
        self.keys().committed();
    }

    /// The running transaction was taken back.
    pub(super) fn rolled_back(&self) {
        let mut keys = self.keys();
        keys.written.clear();
        for key in std::mem::take(&mut keys.added) {
            keys.fresh.remove(&key);
        }
    }

    /// Works out the keys of the events that are not settled.
    pub(super) fn load(&self, conn: &Connection) -> Result<()> {
        let mut statement = conn.prepare(
            "SELECT position, id, (SELECT text FROM word WHERE word.id = source),
               (SELECT text FROM word WHERE word.id = kind), data
             FROM event WHERE position > ?1",
        )?;
        let mut fresh = HashMap::new();
        let mut rows = statement.query([meta(conn, SETTLED)?])?;
        while let Some(row) = rows.next()? {
            let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
            let (id, source, kind, data) = (text(1)?, text(2)?, text(3)?, text(4)?);
            let seen = Seen {
                position: row.get(0)?,
                body_hash: NewEvent::body_hash_of(kind, data),
            };
            fresh.insert(NewEvent::seen_key_of(source, id), seen);
        }
        *self.keys() = Keys {
            fresh,
            ..Keys::default()
        };
        Ok(())
    }
}

impl Keys {
    fn close_generation(&mut self) {
        let positions = self.fresh.values().map(|seen| seen.position);
        self.settling_to = positions.max().unwrap_or(self.settling_to);
        self.settling = self.fresh.drain().collect();
    }

    fn write(&mut self, conn: &Connection, slice: usize) -> Result<()> {
        if self.settling.is_empty() {
            return Ok(());
        }
        // A key that a crash left unsettled may be in the table already: it is the same one.
        let mut insert = conn.prepare_cached(
            "INSERT INTO seen (key, position, body_hash) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO NOTHING",
        )?;
        for (key, seen) in self.settling.iter().take(slice) {
            insert.execute((key, seen.position, &seen.body_hash))?;
            self.written.push(*key);
        }
        if self.written.len() == self.settling.len() {
            conn.prepare_cached(
                "INSERT INTO meta (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute((SETTLED, self.settling_to))?;
        }
        Ok(())
    }

    fn committed(&mut self) {
        for key in self.written.drain(..) {
            self.settling.remove(&key);
        }
        self.added.clear();
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::open;

    fn event(n: u32) -> (Key, Seen) {
        let (id, data) = (format!("e{n}"), format!("{{\"n\":{n}}}"));
        let seen = Seen {
            position: i64::from(n) + 1,
            body_hash: NewEvent::body_hash_of("kind", &data),
        };
        (NewEvent::seen_key_of("source", &id), seen)
    }

    fn with_words() -> Connection {
        let conn = open::memory().unwrap();
        conn.execute_batch("INSERT INTO word (id, text) VALUES (1, 'source'), (2, 'kind')")
            .unwrap();
        conn
    }

    /// Records events in one transaction, as the writer does.
    fn record(conn: &Connection, recent: &Recent, events: std::ops::Range<u32>) {
        conn.execute_batch("BEGIN").unwrap();
        let mut insert = conn
            .prepare_cached(
                "INSERT INTO event (position, source, kind, received_at, happened_at, flow_set,
                   directory, matched, hop, id, data)
                 VALUES (?1, 1, 2, 0, 0, 0, 0, 0, 0, 'e' || ?2, '{\"n\":' || ?2 || '}')",
            )
            .unwrap();
        for n in events {
            let (key, seen) = event(n);
            assert_eq!(recent.find(conn, &key).unwrap(), None, "{n}");
            recent.add(key, seen);
            insert.execute((seen.position, n)).unwrap();
        }
        recent.settle_some(conn).unwrap();
        conn.execute_batch("COMMIT").unwrap();
        recent.committed();
    }

    fn all_found(conn: &Connection, recent: &Recent, events: u32) {
        for n in 0..events {
            let (key, seen) = event(n);
            assert_eq!(recent.find(conn, &key).unwrap(), Some(seen), "{n}");
        }
        assert_eq!(recent.find(conn, &event(events).0).unwrap(), None);
    }

    fn written(conn: &Connection) -> usize {
        let rows: i64 = conn
            .query_row("SELECT count(*) FROM seen", [], |row| row.get(0))
            .unwrap();
        usize::try_from(rows).unwrap()
    }

    #[test]
    fn every_key_is_found_while_generations_are_written_and_after_a_crash() {
        let (conn, recent) = (with_words(), Recent::default());
        let events = u32::try_from(2 * GENERATION + GENERATION / 2).unwrap();
        for start in (0..events).step_by(64) {
            record(&conn, &recent, start..start + 64);
        }
        let there = written(&conn);
        assert!((GENERATION..3 * GENERATION).contains(&there), "{there}");
        all_found(&conn, &recent, events);
        // Another process finds the same with nothing but the database.
        let later = Recent::default();
        later.load(&conn).unwrap();
        let kept = later.keys().fresh.len();
        assert!(kept <= 2 * GENERATION, "{kept}");
        all_found(&conn, &later, events);
    }

    #[test]
    fn a_crash_amid_a_generation_loses_no_key_and_writes_none_twice() {
        let (conn, recent) = (with_words(), Recent::default());
        let full = u32::try_from(GENERATION).unwrap();
        record(&conn, &recent, 0..full - 1);
        // The first slice of the generation is written with this one.
        record(&conn, &recent, full - 1..full);
        assert_eq!(written(&conn), SLICE_MIN);
        let later = Recent::default();
        later.load(&conn).unwrap();
        assert_eq!(later.keys().fresh.len(), GENERATION);
        later.settle_all(&conn).unwrap();
        assert_eq!(written(&conn), GENERATION);
        let last = Recent::default();
        last.load(&conn).unwrap();
        assert_eq!(last.keys().fresh.len(), 0);
        all_found(&conn, &last, full);
    }

    #[test]
    fn what_is_taken_back_was_never_seen() {
        let (conn, recent) = (with_words(), Recent::default());
        record(&conn, &recent, 0..3);
        let (key, seen) = event(7);
        recent.add(key, seen);
        recent.rolled_back();
        assert_eq!(recent.find(&conn, &key).unwrap(), None);
        all_found(&conn, &recent, 3);
    }
}
