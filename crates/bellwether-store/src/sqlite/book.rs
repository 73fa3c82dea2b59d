//! What the writer keeps in memory between transactions: the next position, the numbers of words,
//! and what the running transaction has to add up at its end. No members and no verdicts here.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension};

use super::change::{Change, ChangeLog};
use super::seen::Recent;

/// Words kept in memory. Names of flows, connections and types are few; should a database have
/// more, the rest is looked up in its table.
const WORDS_MAX: usize = 10_000;

/// The writer's memory.
#[derive(Debug)]
pub(super) struct Book {
    words: HashMap<String, i64>,
    new_words: Vec<String>,
    next_word: i64,
    next_position: i64,
    next_change: i64,
    next_ordinal: i64,
    /// The keys of recent events, shared with the readers.
    pub(super) seen: Recent,
    /// What the running transaction did to lists.
    pub(super) log: ChangeLog,
    /// What the running transaction did to the counts of ledgers, by (connection, column).
    pub(super) ledger: BTreeMap<(i64, u8), i64>,
    /// Events that came again and are not yet in a change row.
    pub(super) duplicates: i64,
    duplicates_before: i64,
    data_version: i64,
}

/// A number that changes when another connection has written to the file.
fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Names in `meta`.
pub(super) const PROJECTED: &str = "projected_change";
/// The highest position that the projector has seen; positions never come again below it.
pub(super) const POSITION_FLOOR: &str = "position_floor";

/// A number of the store's own; zero when it was never written.
pub(super) fn meta(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

/// Writes a number that means nothing.
pub(super) fn probe(conn: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES ('probe', 1)
               ON CONFLICT (name) DO UPDATE SET value = value + 1";
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

impl Book {
    /// Reads where an existing database stands.
    pub(super) fn load(conn: &Connection, seen: Recent) -> rusqlite::Result<Self> {
        seen.load(conn)?;
        let top = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        let position = top("SELECT coalesce(max(position), 0) FROM event")?;
        let change = top("SELECT coalesce(max(number), 0) FROM change")?;
        let mut words = HashMap::new();
        let mut statement = conn.prepare("SELECT text, id FROM word ORDER BY id LIMIT ?1")?;
        let rows = statement.query_map([i64::try_from(WORDS_MAX).unwrap_or(0)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        for row in rows {
            let (text, id) = row?;
            words.insert(text, id);
        }
        Ok(Self {
            words,
            new_words: Vec::new(),
            next_word: top("SELECT coalesce(max(id), 0) FROM word")? + 1,
            next_position: position.max(meta(conn, POSITION_FLOOR)?) + 1,
            next_change: change.max(meta(conn, PROJECTED)?) + 1,
            // Only what is pending has an order; its index is short, the ledger may be long.
            next_ordinal: top("SELECT coalesce(max(ordinal), 0) FROM ledger WHERE state = 0")? + 1,
            seen,
            log: ChangeLog::default(),
            ledger: BTreeMap::new(),
            duplicates: 0,
            duplicates_before: 0,
            data_version: data_version(conn)?,
        })
    }

    /// At the beginning of each transaction: if another process has written to the file, what is
    /// in memory is read again, so that its positions and words are never used twice.
    pub(super) fn refresh(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if data_version(conn)? == self.data_version {
            return Ok(());
        }
        let (duplicates, before) = (self.duplicates, self.duplicates_before);
        *self = Self::load(conn, self.seen.clone())?;
        self.duplicates = duplicates;
        self.duplicates_before = before;
        Ok(())
    }

    /// The next place in the record. Not given back when the transaction fails: holes are allowed.
    pub(super) fn position(&mut self) -> i64 {
        let position = self.next_position;
        self.next_position += 1;
        position
    }

    /// The next place in the order of discovery of ledgers.
    pub(super) fn ordinal(&mut self) -> i64 {
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        ordinal
    }

    /// The number of the latest change row.
    pub(super) fn last_change(&self) -> i64 {
        self.next_change - 1
    }

    /// The number of a word, if it has one.
    pub(super) fn known(&self, conn: &Connection, text: &str) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.words.get(text) {
            return Ok(Some(*id));
        }
        conn.prepare_cached("SELECT id FROM word WHERE text = ?1")?
            .query_row([text], |row| row.get(0))
            .optional()
    }

    /// The number of a word; it gets one with the running transaction if it has none.
    pub(super) fn word(&mut self, conn: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.words.get(text) {
            return Ok(*id);
        }
        if let Some(id) = self.known(conn, text)? {
            return Ok(id);
        }
        let id = self.next_word;
        conn.prepare_cached("INSERT INTO word (id, text) VALUES (?1, ?2)")?
            .execute((id, text))?;
        self.next_word += 1;
        if self.words.len() < WORDS_MAX {
            self.words.insert(text.to_owned(), id);
            self.new_words.push(text.to_owned());
        }
        Ok(id)
    }

    /// Adds to a count of a connection's ledger, written at the end of the transaction.
    pub(super) fn count(&mut self, connection: i64, column: u8, n: i64) {
        *self.ledger.entry((connection, column)).or_insert(0) += n;
    }

    /// Writes what the running transaction has to add up: ledger counts and its one change row.
    pub(super) fn finish(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.seen.settle_some(conn)?;
        for ((connection, column), n) in std::mem::take(&mut self.ledger) {
            conn.prepare_cached(
                "INSERT INTO ledger_count (connection, state, n) VALUES (?1, ?2, ?3)
                 ON CONFLICT (connection, state) DO UPDATE SET n = n + excluded.n",
            )?
            .execute((connection, column, n))?;
        }
        if self.log.is_empty() {
            return Ok(());
        }
        self.note_duplicates();
        conn.prepare_cached("INSERT INTO change (number, body) VALUES (?1, ?2)")?
            .execute((self.next_change, self.log.body()))?;
        Ok(())
    }

    /// Moves the count of repeats into the change row; false when there were none.
    pub(super) fn note_duplicates(&mut self) -> bool {
        let any = self.duplicates > 0;
        if any {
            self.log.push(Change::Duplicates(self.duplicates));
            self.duplicates = 0;
        }
        any
    }

    /// The transaction is durable. True when it has a change row.
    pub(super) fn committed(&mut self) -> bool {
        let wrote = !self.log.is_empty();
        if wrote {
            self.next_change += 1;
        }
        self.duplicates_before = self.duplicates;
        self.seen.committed();
        self.log.clear();
        self.new_words.clear();
        wrote
    }

    /// The transaction was taken back: so is everything that it had added up.
    pub(super) fn rolled_back(&mut self) {
        self.duplicates = self.duplicates_before;
        self.seen.rolled_back();
        self.log.clear();
        self.ledger.clear();
        for word in self.new_words.drain(..) {
            self.words.remove(&word);
        }
    }
}
