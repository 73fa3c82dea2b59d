//! What a licence that is held has come to: its files, the ends of its terms, the limits of its
//! counters, and use against them.

use std::collections::BTreeMap;

use bellwether_model::id::{hash, hex};
use bellwether_model::time::Time;
use serde_json::json;

use super::super::record::{File, Term, Transaction};
use super::super::{
    EXPIRED, EXPIRING, FIRST_USE_DUE, LIMIT_NEAR, LIMIT_REACHED, RENEWED, REPLACED, UPDATED,
    VIOLATION,
};
use super::asset::Cover;
use super::days;
use super::licence::Turn;
use super::payload::{Severity, known};
use super::terms::{Look, Said, TermMemory, Which, say_limit};

impl Turn {
    pub(super) fn files(&mut self, before: Option<Vec<File>>) {
        let (before, now) = match (before, self.kept.tx.files.clone()) {
            (Some(before), Some(now)) => (before, now),
            // Nobody knew them before, or nobody knows them now.
            (before, None) => {
                self.kept.tx.files = before;
                return;
            }
            (None, Some(_)) => return,
        };
        let find = |all: &[File], uuid: &str| all.iter().find(|file| file.uuid == uuid).cloned();
        for file in &now {
            let Some(old) = find(&before, &file.uuid) else {
                continue;
            };
            if let (Some(from), Some(to)) = (old.version, file.version)
                && to > from
            {
                let matter = known(vec![
                    ("what", "file_version".into()),
                    ("file_uuid", json!(file.uuid)),
                    ("file_name", json!(file.name)),
                    ("old_version", from.into()),
                    ("new_version", to.into()),
                ]);
                let id = format!("file/{}/v{to}", file.uuid);
                self.say(UPDATED, &id, Severity::Info, Some(("change", matter)));
            }
        }
        let gone: Vec<&File> = before
            .iter()
            .filter(|f| find(&now, &f.uuid).is_none())
            .collect();
        let new: Vec<&File> = now
            .iter()
            .filter(|f| find(&before, &f.uuid).is_none())
            .collect();
        if new.is_empty() {
            return;
        }
        let uuids: Vec<&str> = new.iter().map(|file| file.uuid.as_str()).collect();
        let print = hex(&hash(&[uuids.join(" ").as_bytes()])[..8]);
        let replaced = !gone.is_empty();
        let matter = json!({
            "what": if replaced { "files_replaced" } else { "files_added" },
            "old_files": gone, "new_files": new,
        });
        let (kind, word) = if replaced {
            (REPLACED, "replaced")
        } else {
            (UPDATED, "added")
        };
        self.say(
            kind,
            &format!("files/{word}/{print}"),
            Severity::Info,
            Some(("change", matter)),
        );
    }

    pub(super) fn dates(&mut self, bought: Option<&Transaction>) {
        let rules = self.kept.rules.clone();
        let zone = days::zone(&rules.zone);
        let bought = bought.map(|tx| {
            let at = [&tx.purchased_at, &tx.completed_at, &tx.created_at];
            let at = at.into_iter().flatten().find_map(|at| Time::parse(at).ok());
            days::day(at.unwrap_or(self.now), &zone)
        });
        let look = Look {
            rules: &rules,
            zone: &zone,
            now: self.now,
            bought,
        };
        let terms = self.kept.tx.terms.clone();
        self.kept
            .terms
            .retain(|kept| terms.iter().any(|term| term.number == kept.number));
        for term in &terms {
            let at = self
                .kept
                .terms
                .iter()
                .position(|kept| kept.number == term.number);
            let at = at.unwrap_or_else(|| {
                self.kept.terms.push(TermMemory::new(term.number));
                self.kept.terms.len() - 1
            });
            for which in [Which::FirstUse, Which::End] {
                let later = self.kept.terms[at].notice(which, which.of(term), &look);
                if later && self.is_held() {
                    self.say_renewed(which, term, None);
                }
            }
            if !self.is_held() {
                continue;
            }
            if self.is_covered(&self.kept.terms[at]) {
                if self.kept.terms[at].take_told() {
                    let cover = self.kept.cover.clone();
                    self.say_renewed(Which::End, term, cover.as_ref());
                }
                continue;
            }
            for which in [Which::FirstUse, Which::End] {
                self.say_of_term(which, at, term, &look);
            }
        }
        self.after_the_end();
    }

    fn say_of_term(&mut self, which: Which, at: usize, term: &Term, look: &Look<'_>) {
        let said = self.kept.terms[at].say(which, look);
        if (which, &said) == (Which::End, &Some(Said::Over)) {
            // What was used before this end was used by right.
            (self.kept.ended_with, self.kept.used_after_end) = (None, false);
        }
        let (Some(said), Some(until)) = (said, which.of(term)) else {
            return;
        };
        if self.say_date(which, said, term.number, until, term.name.as_deref()) && !self.silent {
            self.kept.terms[at].tell(which);
        }
    }

    /// What was told of a term no longer holds: its date is later now, or another licence takes
    /// over from it.
    fn say_renewed(&mut self, which: Which, term: &Term, cover: Option<&Cover>) {
        let number = term.number;
        let until = which.of(term).unwrap_or_default();
        let mut fields = vec![
            ("id", format!("{}/{number}", self.kept.tx.uuid).into()),
            ("sequence_number", json!(number)),
            ("term_name", json!(term.name)),
            (which.field(), until.into()),
        ];
        let mut id = format!("term/{number}/{until}/{}/renewed", which.field());
        if let Some(cover) = cover {
            id.push_str(&format!("/{}/{}", cover.by, self.kept.covers));
            fields.push(("renewed_by", json!(cover.by)));
            fields.push(("renewed_until", json!(cover.until)));
        }
        self.say(
            RENEWED,
            &id,
            Severity::Info,
            Some(("license", known(fields))),
        );
    }

    /// Whether there was anything to say.
    fn say_date(
        &mut self,
        which: Which,
        said: Said,
        number: i64,
        until: &str,
        name: Option<&str>,
    ) -> bool {
        let zone = days::zone(&self.kept.rules.zone);
        let Ok(at) = Time::parse(until) else {
            return false;
        };
        let last = days::last_day(at, &zone).to_string();
        let mut fields = vec![
            ("id", format!("{}/{number}", self.kept.tx.uuid).into()),
            ("sequence_number", json!(number)),
            ("term_name", json!(name)),
            ("last_day", json!(last)),
        ];
        let (kind, word, severity, point) = match (which, said) {
            (Which::End, Said::Over) => (EXPIRED, "expired", Severity::Critical, String::new()),
            // That the time for a first use is over says nothing: nobody knows whether it was used.
            (Which::FirstUse, Said::Over) => return false,
            (which, Said::Nearing { passed, days_left }) => {
                // What was passed unseen is told by its tightest.
                let threshold = passed.first().copied().unwrap_or_default();
                fields.push(("days_left", days_left.into()));
                fields.push(("threshold", threshold.into()));
                fields.push(("passed", json!(passed)));
                let severity = if threshold <= 1 {
                    Severity::Critical
                } else {
                    Severity::Warning
                };
                let point = format!("/{threshold}");
                match which {
                    Which::End => (EXPIRING, "expiring", severity, point),
                    Which::FirstUse => (FIRST_USE_DUE, "first_use", severity, point),
                }
            }
        };
        fields.push((which.field(), until.into()));
        let mut id = format!("term/{number}/{until}/{word}{point}");
        if self.kept.covers > 0 {
            // Another licence took over in between: what was taken back may be so again.
            id.push_str(&format!("/{}", self.kept.covers));
        }
        self.say(kind, &id, severity, Some(("license", known(fields))));
        true
    }

    /// Use that grows after every term has ended.
    fn after_the_end(&mut self) {
        let ends: Vec<_> = self
            .kept
            .terms
            .iter()
            .filter(|term| term.is_over())
            .collect();
        let covered = self.kept.terms.iter().any(|term| self.is_covered(term));
        let all = !ends.is_empty() && ends.len() == self.kept.terms.len();
        let all = all && self.is_held() && !covered;
        if !all {
            self.kept.ended_with = None;
            self.kept.used_after_end = false;
            return;
        }
        let counters = self.kept.tx.counters.iter();
        let now: BTreeMap<String, i64> = counters
            .filter_map(|(name, counter)| Some((name.clone(), counter.current?)))
            .collect();
        let Some(then) = &self.kept.ended_with else {
            self.kept.ended_with = Some(now);
            return;
        };
        let grown = now
            .iter()
            .find(|(name, count)| then.get(*name).is_some_and(|old| *count > old));
        if let Some((name, count)) = grown
            && !self.kept.used_after_end
        {
            let matter = json!({"rule": "expired_license", "counter": name, "current": count,
                "fields": [format!("current_{name}"), "license_terms.valid_until".to_owned()]});
            let until = self
                .kept
                .tx
                .terms
                .iter()
                .filter_map(|t| t.valid_until.as_deref())
                .max();
            let id = format!("violation/expired_license/{}", until.unwrap_or_default());
            self.kept.used_after_end = true;
            self.say(
                VIOLATION,
                &id,
                Severity::Critical,
                Some(("violation", matter)),
            );
        }
    }

    pub(super) fn limits(&mut self) {
        if !self.is_held() {
            return;
        }
        let percents = self.kept.rules.percents.clone();
        for (name, counter) in self.kept.tx.counters.clone() {
            let said = say_limit(&mut self.kept.limits, &name, &counter, &percents);
            let Some(said) = said else { continue };
            let mut matter = json!({"counter": name, "current": said.current, "max": said.max,
                "percent": said.percent});
            if let Some(threshold) = said.passed.last().copied() {
                let reached = threshold >= 100;
                let kind = if reached { LIMIT_REACHED } else { LIMIT_NEAR };
                let severity = if reached {
                    Severity::Critical
                } else {
                    Severity::Warning
                };
                matter["threshold"] = threshold.into();
                matter["passed"] = json!(said.passed);
                let id = format!("limit/{name}/{}/{threshold}", said.max);
                self.say(kind, &id, severity, Some(("limit", matter.clone())));
            }
            if said.exceeded {
                matter["rule"] = "limit_exceeded".into();
                matter["fields"] = json!([format!("current_{name}")]);
                let id = format!("violation/limit_exceeded/{name}/{}", said.max);
                self.say(
                    VIOLATION,
                    &id,
                    Severity::Critical,
                    Some(("violation", matter)),
                );
            }
        }
    }
}
