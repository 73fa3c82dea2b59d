//! How often one caller may do a thing, and how many places one address may hold. Counts live in
//! memory: a restart forgives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_model::time::{Millis, Time};

/// Callers that are counted at once; beyond that the one who began first is forgotten.
const KEYS_MAX: usize = 4096;

fn lock<T>(cell: &Mutex<T>) -> MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts within windows of time, by caller.
#[derive(Debug)]
pub(crate) struct Tally {
    max: u32,
    window: Millis,
    counts: Mutex<HashMap<String, (Time, u32)>>,
}

impl Tally {
    pub(crate) fn new(max: u32, window: Millis) -> Self {
        Self {
            max,
            window,
            counts: Mutex::default(),
        }
    }

    /// Whether the caller has none left until his window ends.
    pub(crate) fn is_spent(&self, key: &str, now: Time) -> bool {
        let counts = lock(&self.counts);
        let found = counts.get(key);
        found.is_some_and(|(begun, n)| now.since(*begun) < self.window && *n >= self.max)
    }

    /// Counts one.
    pub(crate) fn count(&self, key: &str, now: Time) {
        let mut counts = lock(&self.counts);
        if let Some((begun, n)) = counts.get_mut(key)
            && now.since(*begun) < self.window
        {
            *n = n.saturating_add(1);
            return;
        }
        if counts.len() >= KEYS_MAX {
            counts.retain(|_, (begun, _)| now.since(*begun) < self.window);
        }
        if counts.len() >= KEYS_MAX {
            let oldest = counts.iter().min_by_key(|(_, (begun, _))| *begun);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                counts.remove(&key);
            }
        }
        counts.insert(key.to_owned(), (now, 1));
    }
}

/// Places that addresses hold: so many in all, and so many for one address.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    all: usize,
    each: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    address: IpAddr,
    places: Places,
}

impl Places {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self {
            all,
            each,
            taken: Arc::default(),
        }
    }

    /// A place for an address, if there is one left for it.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let mut taken = lock(&self.taken);
        let held = taken.get(&address).copied().unwrap_or(0);
        if held >= self.each || taken.values().sum::<usize>() >= self.all {
            return None;
        }
        taken.insert(address, held + 1);
        let places = self.clone();
        Some(Place { address, places })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        if let Some(held) = taken.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_so_many_in_a_window_and_then_again() {
        let tally = Tally::new(2, Millis::minutes(1));
        let at = |seconds: u64| Time::default() + Millis::seconds(seconds);
        tally.count("a", at(0));
        assert!(!tally.is_spent("a", at(1)));
        tally.count("a", at(1));
        assert!(tally.is_spent("a", at(59)) && !tally.is_spent("b", at(59)));
        assert!(!tally.is_spent("a", at(60)));
        tally.count("a", at(60));
        assert!(!tally.is_spent("a", at(60)));
        for n in 0..2 * KEYS_MAX {
            tally.count(&n.to_string(), at(61));
        }
        assert!(lock(&tally.counts).len() <= KEYS_MAX);
    }

    #[test]
    fn one_address_leaves_places_to_others() {
        let places = Places::new(3, 2);
        let [a, b]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let held = [places.take(a), places.take(a)];
        assert!(held.iter().all(Option::is_some) && places.take(a).is_none());
        let other = places.take(b);
        assert!(other.is_some() && places.take(b).is_none(), "all are taken");
        drop(held);
        assert!(places.take(a).is_some() && places.take(b).is_some());
    }
}
