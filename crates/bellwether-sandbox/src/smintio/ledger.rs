//! The feed as data: which transaction lies where, so that a reader who goes on from a cursor sees
//! each one once more whenever it changed. What never changed is made from the seed when it is
//! read, so a feed of any length costs memory only for its changes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ids::{self, Draw};
use super::record::Lpt;

/// Transactions that a tenant can begin with.
pub(crate) const SEEDED_LIMIT: u64 = 10_000_000;
/// Transactions that may be new or changed; then the control surface refuses more.
pub(crate) const CHANGED_LIMIT: usize = 200_000;
/// A cursor keeps this many bits beside the place, so that one place has many cursors.
const SALT_BITS: u32 = 8;

/// Why a page cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadCursor {
    /// Nobody gave it out.
    Unknown,
    /// It was good once.
    TooOld,
}

/// A tenant's transactions in the order of their last change.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) seed: u64,
    seeded: u64,
    /// When the last seeded transaction was bought.
    born: Timestamp,
    buyers: usize,
    /// Every seeded licence is held, and its one term ends within so many days after the last was
    /// bought.
    ahead_days: Option<u32>,
    /// New and changed ones by number.
    changed: BTreeMap<u64, Lpt>,
    place_of: BTreeMap<u64, u64>,
    at_place: BTreeMap<u64, u64>,
    last_number: u64,
    last_place: u64,
    epoch: u64,
    salt: Draw,
}

impl Ledger {
    /// A ledger that holds `seeded` transactions from the start.
    pub(crate) fn new(seed: u64, seeded: u64, born: Timestamp, buyers: usize) -> Self {
        let seeded = seeded.min(SEEDED_LIMIT);
        Self {
            seed,
            seeded,
            born,
            buyers,
            ahead_days: None,
            changed: BTreeMap::new(),
            place_of: BTreeMap::new(),
            at_place: BTreeMap::new(),
            last_number: seeded,
            last_place: seeded,
            epoch: 0,
            salt: Draw::new(seed, u64::MAX),
        }
    }

    /// Makes every seeded licence one that is held and ends in the future.
    pub(crate) fn hold(&mut self, ahead_days: u32) {
        self.ahead_days = Some(ahead_days.max(1));
    }

    /// How many transactions there are.
    pub(crate) fn count(&self) -> u64 {
        self.last_number
    }

    fn has_room(&self) -> bool {
        self.changed.len() < CHANGED_LIMIT
    }

    /// The transaction of this number.
    pub(crate) fn get(&self, number: u64) -> Option<Lpt> {
        if let Some(lpt) = self.changed.get(&number) {
            return Some(lpt.clone());
        }
        if !(1..=self.seeded).contains(&number) {
            return None;
        }
        let mut lpt = Lpt::seeded(self.seed, number, self.seeded, self.born, self.buyers);
        if let Some(days) = self.ahead_days {
            lpt.hold(self.born, days);
        }
        Some(lpt)
    }

    /// The transaction of this uuid.
    pub(crate) fn find(&self, uuid: &str) -> Option<Lpt> {
        self.get(ids::number("lpt", self.seed, uuid)?)
    }

    /// The number that the next new transaction gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_number + 1
    }

    /// Puts a new or changed transaction at the end of the feed; false when there is no room.
    pub(crate) fn put(&mut self, lpt: Lpt) -> bool {
        let number = lpt.number;
        if !self.keep(lpt) {
            return false;
        }
        self.last_place += 1;
        if let Some(before) = self.place_of.insert(number, self.last_place) {
            self.at_place.remove(&before);
        }
        self.at_place.insert(self.last_place, number);
        true
    }

    /// Changes a transaction where it lies: a reader sees it only when it reads everything again.
    pub(crate) fn put_silently(&mut self, lpt: Lpt) -> bool {
        let number = lpt.number;
        let placed = self.place_of.contains_key(&number);
        if !self.keep(lpt) {
            return false;
        }
        if !placed {
            self.place_of.insert(number, number);
            self.at_place.insert(number, number);
        }
        true
    }

    fn keep(&mut self, lpt: Lpt) -> bool {
        if !self.has_room() && !self.changed.contains_key(&lpt.number) {
            return false;
        }
        self.last_number = self.last_number.max(lpt.number);
        self.changed.insert(lpt.number, lpt);
        true
    }

    /// At most `most` transactions after a place, and the place of the last of them.
    pub(crate) fn after(&self, place: u64, most: usize) -> (Vec<Lpt>, u64) {
        let mut found = Vec::with_capacity(most);
        let mut end = place;
        let mut next = place + 1;
        while found.len() < most && next <= self.last_place {
            let number = match self.at_place.get(&next) {
                Some(number) => Some(*number),
                // A seeded one lies at its number until it moves.
                None => (next <= self.seeded && !self.place_of.contains_key(&next)).then_some(next),
            };
            if let Some(lpt) = number.and_then(|number| self.get(number)) {
                found.push(lpt);
                end = next;
            }
            next = if next < self.seeded {
                next + 1
            } else {
                // Behind the seeded part only what changed has a place.
                let later = self.at_place.range(next + 1..).next();
                later.map_or(self.last_place + 1, |(place, _)| *place)
            };
        }
        (found, end)
    }

    /// The newest in the feed first, at most `most`, after passing over `skip`.
    pub(crate) fn newest(&self, skip: usize, most: usize) -> Vec<Lpt> {
        let moved = self
            .at_place
            .range(self.seeded + 1..)
            .rev()
            .map(|(_, n)| *n);
        let seeded = (1..=self.seeded).rev().filter(|n| {
            let place = self.place_of.get(n);
            place.is_none_or(|place| *place <= self.seeded)
        });
        let numbers = moved.chain(seeded).skip(skip).take(most);
        numbers.filter_map(|number| self.get(number)).collect()
    }

    /// Everything bought for this collection among what is new or changed.
    pub(crate) fn collection(&self, name: &str) -> Vec<Lpt> {
        let all = self.changed.values();
        all.filter(|lpt| lpt.collection.as_deref() == Some(name))
            .cloned()
            .collect()
    }

    /// A cursor behind this place; two calls give two texts.
    pub(crate) fn cursor(&mut self, place: u64) -> String {
        let salt = self.salt.below(1 << SALT_BITS);
        ids::uuid(
            "cursor",
            self.seed + self.epoch,
            (place << SALT_BITS) | salt,
        )
    }

    /// The place behind which a cursor reads on.
    pub(crate) fn place(&self, cursor: &str) -> Result<u64, BadCursor> {
        let read = |epoch| ids::number("cursor", self.seed + epoch, cursor);
        if let Some(number) = read(self.epoch) {
            return Ok(number >> SALT_BITS);
        }
        let once = (0..self.epoch).rev().take(64).any(|e| read(e).is_some());
        Err(if once {
            BadCursor::TooOld
        } else {
            BadCursor::Unknown
        })
    }

    /// Every cursor that was given out is too old from now on.
    pub(crate) fn expire_cursors(&mut self) {
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(count: u64) -> Ledger {
        let born = Timestamp::from_second(1_800_000_000).expect("in range");
        Ledger::new(9, count, born, 3)
    }

    fn numbers(ledger: &Ledger, from: u64) -> Vec<u64> {
        let mut all = Vec::new();
        let mut place = from;
        loop {
            let (page, end) = ledger.after(place, 7);
            if page.is_empty() {
                return all;
            }
            all.extend(page.iter().map(|lpt| lpt.number));
            place = end;
        }
    }

    #[test]
    fn a_change_moves_to_the_end_and_is_given_once() {
        let mut ledger = ledger(30);
        assert_eq!(numbers(&ledger, 0), (1..=30).collect::<Vec<_>>());
        let changed = ledger.get(5).expect("there");
        assert!(ledger.put(changed.clone()) && ledger.put(changed));
        let new = Lpt::begun(ledger.next_number(), "New", Timestamp::UNIX_EPOCH);
        assert!(ledger.put(new));
        assert_eq!(numbers(&ledger, 30), [5, 31]);
        let whole = numbers(&ledger, 0);
        assert_eq!(whole.len(), 31, "{whole:?}");
        assert_eq!(whole[whole.len() - 2..], [5, 31]);
        let newest: Vec<u64> = ledger.newest(0, 3).iter().map(|l| l.number).collect();
        assert_eq!(newest, [31, 5, 30]);
    }

    #[test]
    fn a_silent_change_is_seen_only_by_reading_again() {
        let mut ledger = ledger(10);
        for number in [3, 3] {
            let mut lpt = ledger.get(number).expect("there");
            lpt.version += 1;
            assert!(ledger.put_silently(lpt));
        }
        assert_eq!(numbers(&ledger, 10), [0; 0]);
        assert_eq!(numbers(&ledger, 0), (1..=10).collect::<Vec<_>>());
        assert_eq!(ledger.get(3).map(|l| l.version), Some(3));
    }

    #[test]
    fn licences_that_are_held_all_end_ahead() {
        let mut ledger = ledger(300);
        ledger.hold(100);
        for number in 1..=300 {
            let lpt = ledger.get(number).expect("there");
            assert_eq!((lpt.state.as_str(), lpt.terms.len()), ("completed", 1));
            let until = lpt.terms[0].valid_until.expect("an end");
            assert!(until > ledger.born, "{number}");
        }
    }

    #[test]
    fn cursors_are_read_back_until_they_are_too_old() {
        let mut ledger = ledger(10);
        let cursors = [ledger.cursor(4), ledger.cursor(4), ledger.cursor(4)];
        for cursor in &cursors {
            assert_eq!(ledger.place(cursor), Ok(4));
        }
        ledger.expire_cursors();
        assert_eq!(ledger.place(&cursors[0]), Err(BadCursor::TooOld));
        assert_eq!(ledger.place("made-up"), Err(BadCursor::Unknown));
    }
}
