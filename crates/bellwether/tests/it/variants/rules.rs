//! What must hold of every run on every way that a story can go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bellwether_engine::store::{
    CellRef, EffectRow, EffectState, ListQuery, RunDetail, Store as _, Views as _,
};
use bellwether_engine::story::{Sent, What};
use bellwether_model::connector::Role;
use bellwether_model::id::EffectId;
use bellwether_model::time::Millis;
use bellwether_store::Database;
use serde_json::Value as Json;

/// The same words to the same person again within this time are a double.
const SOON: Millis = Millis::minutes(1);

/// Everything that the record has.
pub(super) struct Account {
    pub(super) runs: Vec<RunDetail>,
    /// The codes of dead letters, by run.
    dead: Vec<(Option<bellwether_model::id::CellId>, String)>,
    inbox: BTreeSet<bellwether_model::id::CellId>,
}

fn all() -> ListQuery {
    ListQuery {
        limit: 1000,
        ..ListQuery::default()
    }
}

impl Account {
    pub(super) async fn of(database: &Arc<Database>) -> Self {
        database.projected().await;
        let mut runs = Vec::new();
        let mut inbox = BTreeSet::new();
        for row in database.runs(all()).await.unwrap().items {
            runs.push(database.run(row.id).await.unwrap().unwrap());
            let loaded = database.load(&[CellRef::Id(row.id)]).await.unwrap();
            if loaded[0].as_ref().is_some_and(|cell| cell.has_inbox) {
                inbox.insert(row.id);
            }
        }
        let dead = database.dead_letters(all()).await.unwrap().items;
        let dead = dead.into_iter().map(|dead| (dead.run, dead.code)).collect();
        Self { runs, dead, inbox }
    }

    /// Every run that is open has something that moves it on.
    fn stuck(&self) -> impl Iterator<Item = String> {
        let open = self.runs.iter().filter(|run| run.run.status != "closed");
        open.filter(|run| {
            let id = run.run.id;
            let unfinished = run.effects.iter().any(|effect| {
                use EffectState::{Held, Queued, Started};
                matches!(effect.state, Queued | Started | Held)
            });
            let dead = self.dead.iter().any(|(run, _)| *run == Some(id));
            run.timers.is_empty() && !self.inbox.contains(&id) && !unfinished && !dead
        })
        .map(|run| format!("stuck: {} {}", run.run.flow, run.run.key))
    }

    /// Nobody hears the same words about one matter twice, on the same channel, at the same time.
    fn doubled(&self) -> Vec<String> {
        let mut out = Vec::new();
        for run in &self.runs {
            let mut heard: BTreeMap<(String, String, String), &EffectRow> = BTreeMap::new();
            for effect in run.effects.iter().filter(|effect| is_heard(effect)) {
                let args: Json = serde_json::from_str(&effect.args).unwrap();
                let word = |name: &str| args[name].as_str().unwrap_or_default().to_owned();
                // Each of a person's devices shows a push once.
                let person = effect.person.as_deref().unwrap_or_default();
                let who = format!("{person} {} {}", args["address"], args["to"]);
                let words = format!(
                    "{}{} {}",
                    word("title"),
                    word("subject"),
                    unlinked(&word("text"))
                );
                let key = (who, effect.role_word().to_owned(), words);
                if let Some(before) = heard.insert(key.clone(), effect)
                    && effect.made_at.since(before.made_at) < SOON
                {
                    out.push(format!(
                        "doubled: {} to {} by {}",
                        key.2.trim(),
                        key.0,
                        key.1
                    ));
                }
            }
        }
        out
    }

    /// Between two decisions about one question it was asked anew.
    fn decided_twice(&self) -> Vec<String> {
        let mut out = Vec::new();
        for run in &self.runs {
            let mut decided = BTreeSet::new();
            for note in notes(run) {
                match note.0.as_str() {
                    "decided" if !decided.insert(note.1.clone()) => {
                        out.push(format!("decided twice: {} {}", run.run.key, note.1));
                    }
                    "asked" => {
                        decided.remove(&note.1);
                    }
                    _ => {}
                }
            }
        }
        out
    }

    /// What must hold whenever nothing is in progress.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut out: Vec<String> = self.stuck().collect();
        out.extend(self.doubled());
        out.extend(self.decided_twice());
        out
    }

    /// Every run has ended, and nothing is on its way.
    pub(super) fn unended(&self) -> Vec<String> {
        let open = self.runs.iter().filter(|run| run.run.status != "closed");
        let runs = open.map(|run| format!("never ends: {} {}", run.run.flow, run.run.key));
        let effects = self.runs.iter().flat_map(|run| &run.effects);
        let waiting = effects.filter(|effect| {
            use EffectState::{Held, Queued, Started};
            matches!(effect.state, Queued | Started | Held)
        });
        let effects = waiting.map(|effect| format!("never leaves: {}", effect.args));
        runs.chain(effects).collect()
    }

    /// A message that its reader never got is known to somebody: it has a dead letter, or he (or
    /// whoever stands in) was told in another way, or the flow itself says what happens then.
    pub(super) fn silent(&self, effect: EffectId, sent: &[Sent]) -> Vec<String> {
        let run = self
            .runs
            .iter()
            .find(|run| run.effects.iter().any(|each| each.id == effect));
        let Some(run) = run else {
            return Vec::new();
        };
        let lost = run.effects.iter().find(|each| each.id == effect);
        let Some(lost) = lost.filter(|lost| is_heard(lost)) else {
            return Vec::new();
        };
        let arrived = sent.iter().any(|sent| sent.effect == Some(effect));
        let dead = self.dead.iter().any(|(of, _)| *of == Some(run.run.id));
        let later = |sent: &&Sent| {
            sent.at >= lost.made_at && matches!(sent.what, What::Push | What::Mail | What::Reply)
        };
        let told = sent.iter().filter(later).any(|sent| {
            let of_run = run.effects.iter().any(|each| sent.effect == Some(each.id));
            of_run && sent.effect != Some(effect)
        });
        let handled = notes(run).iter().any(|(what, _)| what == "on_error");
        // Taken back, or its time passed, which the flow itself had set.
        use EffectState::{Cancelled, Expired, Suppressed};
        let withdrawn = matches!(lost.state, Cancelled | Expired | Suppressed);
        if arrived || dead || told || withdrawn || handled {
            return Vec::new();
        }
        vec![format!("lost in silence: {lost:?}")]
    }

    /// Whether there is a dead letter of this kind.
    pub(super) fn has_dead(&self, code: &str) -> bool {
        self.dead.iter().any(|(_, of)| of == code)
    }

    /// Whether a message is one that somebody asked for: a code.
    pub(super) fn is_code(&self, sent: &Sent) -> bool {
        let effects = self.runs.iter().flat_map(|run| &run.effects);
        let mut of_it = effects.filter(|effect| sent.effect == Some(effect.id));
        of_it.any(|effect| !is_heard(effect))
    }

    /// How often anything was decided.
    pub(super) fn decisions(&self) -> usize {
        let notes = self.runs.iter().flat_map(notes);
        notes.filter(|(what, _)| what == "decided").count()
    }

    /// Only a message whose attempt was in flight may have been sent twice, and it says so.
    pub(super) fn unmarked(&self, sent: &[Sent]) -> Vec<String> {
        let mut times: BTreeMap<_, u32> = BTreeMap::new();
        for sent in sent {
            *times.entry(sent.effect).or_default() += 1;
        }
        let effects = self.runs.iter().flat_map(|run| &run.effects);
        let bad = effects.filter(|effect| {
            let times = times.get(&Some(effect.id)).copied().unwrap_or_default();
            let is_done = effect.state == EffectState::Done;
            (times > 1 && effect.attempt < 2) || (is_done && times == 0)
        });
        bad.map(|effect| format!("sent twice unmarked, or never: {effect:?}"))
            .collect()
    }
}

/// Whether a person hears it: no label, no silent push that replaces another, and no code, which
/// he asks for himself as often as he likes.
fn is_heard(effect: &EffectRow) -> bool {
    let args: Json = serde_json::from_str(&effect.args).unwrap();
    matches!(effect.role, Role::Push | Role::Mail | Role::Reply)
        && args["kind"] != "update"
        && args["code_for"].is_null()
}

/// What the journal notes, and at which step.
fn notes(run: &RunDetail) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for turn in &run.journal {
        for note in turn.body["notes"].as_array().into_iter().flatten() {
            let word = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
            out.push((word("what"), word("step")));
        }
    }
    out
}

/// A text without the tokens of its links, of which each message has its own.
fn unlinked(text: &str) -> String {
    let mut parts = text.split("/n/");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        out.push_str("/n/");
        out.push_str(&part[end.unwrap_or(part.len())..]);
    }
    out
}
