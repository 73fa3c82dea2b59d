//! One licence purchase transaction: what it holds, and how one is made from a seed and a number
//! alone. How it is written on the wire is in `wire.rs`, where it lies in the feed in `ledger.rs`.

use jiff::{SignedDuration, Timestamp};

use super::ids::Draw;

/// The seven states in the order in which a purchase walks. `completed` on the wire is a fact, the
/// other spellings are inferred from the vendor's names.
pub(crate) const STATES: [&str; 7] = [
    "purchase_phase_1",
    "purchase_phase_2",
    "downloading",
    "finalizing",
    "completed",
    "error",
    "cancelled",
];
pub(crate) const COMPLETED: &str = "completed";
/// Counters of a licence, in the order of [`Lpt::counters`].
pub(crate) const COUNTERS: [&str; 3] = ["downloads", "users", "reuses"];

const SUBJECTS: [&str; 12] = [
    "Alpine sunrise",
    "Mountain hut",
    "Glacier lake",
    "Harbour at dusk",
    "Workshop team",
    "City tram",
    "Hiking family",
    "Snow groomer",
    "Cable car",
    "Market square",
    "Steel bridge",
    "Office window",
];
const PROVIDERS: [&str; 5] = [
    "getty",
    "istock",
    "shutterstock",
    "adobestock",
    "panthermedia",
];
const PROJECTS: [&str; 4] = ["Spring launch", "Annual report", "Recruiting", "Trade fair"];
const LICENSES: [&str; 4] = [
    "royalty_free",
    "royalty_free",
    "rights_managed",
    "rights_ready",
];
const RELEASES: [&str; 3] = ["released", "no_release_required", "not_released"];

/// Ways in which a record is not what a reader expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Odd {
    /// A key that no list of the vendor names.
    UnknownEnum,
    /// Fields that are not there at all.
    Absent,
    /// Fields that are null: the vendor does not know.
    Null,
    /// No uuid, a date that is none, a list that is a text: a record that cannot be read.
    Broken,
}

/// How much of something was used, and how much may be; `None` = the vendor does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    pub(crate) current: Option<i64>,
    pub(crate) most: Option<i64>,
}

/// One term of a licence. By the vendor's word terms are fixed at the purchase; the control surface
/// can change them all the same, so that an end can come when a test wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) valid_from: Option<Timestamp>,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) to_be_used_until: Option<Timestamp>,
    pub(crate) exclusivity: Option<String>,
    pub(crate) restricted_geographies: Vec<String>,
    pub(crate) usage_limits: Vec<String>,
    pub(crate) editorial: Option<bool>,
}

/// A licence purchase transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lpt {
    pub(crate) number: u64,
    /// Number of the content element; a renewal buys the same one again.
    pub(crate) element: u64,
    /// Number of the earlier transaction whose licence this one uses again.
    pub(crate) reuses: Option<u64>,
    pub(crate) state: String,
    pub(crate) version: u32,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) purchased: Option<Timestamp>,
    pub(crate) completed: Option<Timestamp>,
    /// Which of the tenant's buyers.
    pub(crate) buyer: usize,
    pub(crate) name: String,
    pub(crate) project: String,
    pub(crate) collection: Option<String>,
    pub(crate) provider: String,
    pub(crate) content_type: String,
    pub(crate) license_type: String,
    pub(crate) restrictive: Option<bool>,
    pub(crate) editorial: Option<bool>,
    pub(crate) ai: Option<bool>,
    pub(crate) model_release: Option<String>,
    pub(crate) property_release: Option<String>,
    pub(crate) terms: Vec<Term>,
    /// Downloads, users, reuses.
    pub(crate) counters: [Counter; 3],
    pub(crate) can_be_synced: Option<bool>,
    /// Versions of the files; the place in the list is the file's identity.
    pub(crate) files: Vec<u32>,
    pub(crate) odd: Vec<Odd>,
    /// When it may be seen in the portal, and until when.
    pub(crate) publish_from: Option<Timestamp>,
    pub(crate) publish_until: Option<Timestamp>,
    /// Number of the transaction whose asset replaces this one's.
    pub(crate) replaced_by: Option<u64>,
}

/// A moment some days after another.
pub(crate) fn days_after(at: Timestamp, days: i64) -> Timestamp {
    let hours = days.saturating_mul(24).clamp(-20_000_000, 20_000_000);
    at.checked_add(SignedDuration::from_hours(hours))
        .unwrap_or(at)
}

impl Lpt {
    /// A purchase that has just begun, of nothing special.
    pub(crate) fn begun(number: u64, name: &str, now: Timestamp) -> Self {
        Self {
            number,
            element: number,
            reuses: None,
            state: STATES[0].to_owned(),
            version: 1,
            created: now,
            updated: now,
            purchased: None,
            completed: None,
            buyer: 0,
            name: name.to_owned(),
            project: PROJECTS[0].to_owned(),
            collection: None,
            provider: PROVIDERS[0].to_owned(),
            content_type: "image".to_owned(),
            license_type: "royalty_free".to_owned(),
            restrictive: Some(false),
            editorial: Some(false),
            ai: Some(false),
            model_release: Some("no_release_required".to_owned()),
            property_release: Some("no_release_required".to_owned()),
            terms: vec![Term::default()],
            counters: [Counter::default(); 3],
            can_be_synced: Some(false),
            files: Vec::new(),
            odd: Vec::new(),
            publish_from: None,
            publish_until: None,
            replaced_by: None,
        }
    }

    /// The transaction of this number in the world of a seed: always the same one. `count` is how
    /// many there are, `end` when the last of them was bought.
    pub(crate) fn seeded(
        seed: u64,
        number: u64,
        count: u64,
        end: Timestamp,
        buyers: usize,
    ) -> Self {
        let mut draw = Draw::new(seed, number);
        let minutes = i64::try_from(count.saturating_sub(number)).unwrap_or(0) * 10;
        let created = end
            .checked_sub(SignedDuration::from_mins(minutes.min(20_000_000)))
            .unwrap_or(end);
        let name = format!("{} {}", draw.one(&SUBJECTS), 1_000 + number % 9_000);
        let mut lpt = Self::begun(number, &name, created);
        lpt.state = match draw.below(50) {
            0 => STATES[5],
            1 => STATES[6],
            at @ 2..=5 => STATES[usize::try_from(at - 2).unwrap_or(0)],
            _ => COMPLETED,
        }
        .to_owned();
        lpt.buyer = usize::try_from(draw.below(buyers.max(1) as u64)).unwrap_or(0);
        draw.one(&PROJECTS).clone_into(&mut lpt.project);
        if draw.once_in(6) {
            lpt.collection = Some(format!("{} images", lpt.project));
        }
        draw.one(&PROVIDERS).clone_into(&mut lpt.provider);
        draw.one(&LICENSES).clone_into(&mut lpt.license_type);
        lpt.restrictive = [Some(false), Some(false), Some(true), None][draw.below(4) as usize % 4];
        lpt.editorial = Some(draw.once_in(9));
        lpt.ai = [Some(false), Some(false), Some(true), None][draw.below(4) as usize % 4];
        lpt.model_release = Some(draw.one(&RELEASES).to_owned());
        lpt.property_release = Some(draw.one(&RELEASES).to_owned());
        lpt.terms = seeded_terms(&mut draw, created);
        for counter in &mut lpt.counters {
            counter.most = [None, Some(0), Some(10), Some(50)][draw.below(4) as usize % 4];
            counter.current = Some(i64::try_from(draw.below(9)).unwrap_or(0));
        }
        if number % 40 == 7 && number < count {
            // The reused one comes later, often in the same batch.
            lpt.reuses = Some(number + 1);
        }
        match number % 50 {
            13 => lpt.odd.push(Odd::UnknownEnum),
            23 => lpt.odd.push(Odd::Absent),
            33 => lpt.odd.push(Odd::Null),
            _ => {}
        }
        if draw.once_in(12) {
            lpt.files = vec![1, 1];
        }
        lpt.settle(created);
        lpt
    }

    /// Turns a seeded transaction into a licence that is held and whose one term ends two to
    /// `days` + 1 days after `from`.
    pub(crate) fn hold(&mut self, from: Timestamp, days: u32) {
        COMPLETED.clone_into(&mut self.state);
        let days = 2 + self.number % u64::from(days.max(1));
        self.terms = vec![Term {
            valid_from: Some(self.created),
            valid_until: Some(days_after(from, i64::try_from(days).unwrap_or(2))),
            ..Term::default()
        }];
        self.odd.clear();
        self.settle(self.created);
    }

    /// Fills in what follows from the state: dates, files, whether it can be synced.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        let at = STATES.iter().position(|state| *state == self.state);
        if matches!(at, Some(2..=4)) && self.purchased.is_none() {
            self.purchased = Some(now);
        }
        let done = self.state == COMPLETED;
        if done {
            self.completed = self.completed.or(Some(now));
            if self.files.is_empty() {
                self.files.push(1);
            }
        }
        self.can_be_synced = Some(done);
    }

    /// The state that follows; none after an end.
    pub(crate) fn next_state(&self) -> Option<&'static str> {
        let at = STATES[..4].iter().position(|state| *state == self.state)?;
        Some(STATES[at + 1])
    }

    /// Counts a change that the feed tells.
    pub(crate) fn changed(&mut self, now: Timestamp) {
        self.version += 1;
        self.updated = self.updated.max(now);
    }
}

fn seeded_terms(draw: &mut Draw, created: Timestamp) -> Vec<Term> {
    let mut terms = vec![Term {
        valid_from: Some(created),
        editorial: Some(false),
        ..Term::default()
    }];
    if !draw.once_in(3) {
        let days = 30 + i64::try_from(draw.below(1_000)).unwrap_or(0);
        terms[0].valid_until = Some(days_after(created, days));
    }
    if draw.once_in(4) {
        terms[0].to_be_used_until = Some(days_after(created, 90));
    }
    if draw.once_in(7) {
        terms[0].restricted_geographies = vec!["north_america_any".to_owned()];
        terms[0].usage_limits = vec!["copy_up_to_10000_copies".to_owned()];
    }
    if draw.once_in(10) {
        terms.push(Term {
            exclusivity: Some("exclusive_usage".to_owned()),
            valid_until: Some(days_after(created, 365)),
            ..Term::default()
        });
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_number_always_make_the_same_transaction() {
        let end = Timestamp::from_second(1_800_000_000).expect("in range");
        let make = |number| Lpt::seeded(3, number, 100, end, 4);
        assert_eq!(make(42), make(42));
        assert_ne!(make(42).name, make(43).name);
        assert!(make(1).created < make(100).created);
        assert_eq!(make(47).reuses, Some(48), "the reused one comes later");
        let states: std::collections::BTreeSet<String> = (1..=1_000)
            .map(|n| Lpt::seeded(3, n, 1_000, end, 4).state)
            .collect();
        assert_eq!(states.len(), STATES.len(), "{states:?}");
    }

    #[test]
    fn a_purchase_walks_to_its_end_and_no_further() {
        let now = Timestamp::UNIX_EPOCH;
        let mut lpt = Lpt::begun(1, "A", now);
        let mut walked = Vec::new();
        while let Some(next) = lpt.next_state() {
            next.clone_into(&mut lpt.state);
            lpt.settle(now);
            walked.push(next);
        }
        assert_eq!(walked, STATES[1..5]);
        assert_eq!((lpt.can_be_synced, lpt.files.len()), (Some(true), 1));
    }
}
