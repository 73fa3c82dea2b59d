//! What expressions look up in the store: what is known so far, and what was asked for and is not
//! known yet. The deciding code stays pure: it is run again once the answers are there.

use std::sync::{Mutex, PoisonError};

use crate::store::{Answer, Query};

/// The most different things that one turn may look up.
pub(crate) const LOOKUPS_MAX: usize = 64;

/// Answers, and questions without one.
#[derive(Debug, Default)]
pub struct Lookups {
    known: Vec<(Query, Answer)>,
    missing: Mutex<Vec<Query>>,
}

impl Lookups {
    /// With these answers.
    pub fn of(known: Vec<(Query, Answer)>) -> Self {
        Self {
            known,
            missing: Mutex::default(),
        }
    }

    /// The answer to a question. None notes that somebody asked.
    pub fn answer(&self, query: &Query) -> Option<&Answer> {
        let found = self.known.iter().find(|(known, _)| known == query);
        if found.is_none() {
            let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
            if missing.len() < LOOKUPS_MAX && !missing.contains(query) {
                missing.push(query.clone());
            }
        }
        found.map(|(_, answer)| answer)
    }

    /// What was asked for and is not known.
    pub fn missing(&self) -> Vec<Query> {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.clone()
    }

    /// The answers so far.
    pub fn known(&self) -> &[(Query, Answer)] {
        &self.known
    }
}
