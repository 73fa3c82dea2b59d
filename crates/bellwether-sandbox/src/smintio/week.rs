//! An agency's week as a script: purchases, approvals, a rejected request, a licence that runs out
//! and is renewed, counters that fill up, a sync outage, a campaign. A seed decides names, people
//! and hours; the same seed always tells the same week. Steps are played by whoever asks for them,
//! at any pace: nothing here waits.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::ids::Draw;
use super::tenant::Tenant;

const MOTIFS: [&str; 6] = [
    "Alpine sunrise",
    "Harbour lights",
    "Team at the press",
    "Glacier lake",
    "Market day",
    "Old tram",
];
const CAMPAIGNS: [&str; 4] = [
    "Autumn trail",
    "Winter service",
    "Open house",
    "Spring range",
];
const REASONS: [&str; 3] = [
    "The licence does not cover print.",
    "Use the logo pack of 2026 instead.",
    "The campaign ended last week.",
];
/// Minutes of a working day.
const DAY: i64 = 24 * 60;

/// One step of the week.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Minutes after the week's Monday, 08:00.
    pub(crate) minute: i64,
    pub(crate) words: String,
    pub(crate) deed: &'static str,
    pub(crate) body: Value,
    /// Name under which the answer's uuid or task is kept for later steps.
    keep: Option<&'static str>,
}

impl Step {
    pub(crate) fn shown(&self) -> Value {
        json!({"minute": self.minute, "words": self.words, "deed": self.deed})
    }
}

/// How far a tenant's week is.
#[derive(Debug, Default)]
pub(crate) struct Week {
    seed: Option<u64>,
    next: usize,
    kept: BTreeMap<&'static str, Value>,
}

/// Which week, and how much of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(default)]
    pub(crate) seed: u64,
    /// Steps to play; all that are left without a number.
    pub(crate) steps: Option<usize>,
    /// Plays the week from its beginning again.
    #[serde(default)]
    pub(crate) again: bool,
}

/// Who and what the week is about.
struct Cast<'a> {
    buyers: &'a [String],
    first: usize,
    campaign: &'static str,
    reason: &'static str,
}

impl Cast<'_> {
    fn motif(&self, number: usize) -> &'static str {
        MOTIFS[(self.first + number) % MOTIFS.len()]
    }

    fn person(&self, number: usize) -> String {
        let at = number % self.buyers.len().max(1);
        self.buyers.get(at).cloned().unwrap_or_default()
    }
}

/// Writes steps down, each some minutes after its hour.
struct Pen {
    draw: Draw,
    steps: Vec<Step>,
}

impl Pen {
    fn tell(
        &mut self,
        hour: (i64, i64),
        words: &str,
        deed: &'static str,
        body: Value,
    ) -> &mut Step {
        let minutes = i64::try_from(self.draw.below(40)).unwrap_or(0);
        let at = self.steps.len();
        self.steps.push(Step {
            minute: hour.0 * DAY + hour.1 * 60 + minutes,
            words: words.to_owned(),
            deed,
            body,
            keep: None,
        });
        &mut self.steps[at]
    }
}

/// Writes the script; `$name` stands for what an earlier step kept under that name.
pub(crate) fn script(seed: u64, buyers: &[String]) -> Vec<Step> {
    let mut draw = Draw::new(seed, 77);
    let first = draw.below(MOTIFS.len() as u64);
    let cast = Cast {
        buyers,
        first: usize::try_from(first).unwrap_or(0),
        campaign: draw.one(&CAMPAIGNS),
        reason: draw.one(&REASONS),
    };
    let steps = Vec::new();
    let mut pen = Pen { draw, steps };
    monday(&mut pen, &cast);
    tuesday(&mut pen, &cast);
    wednesday(&mut pen, &cast);
    thursday(&mut pen, &cast);
    friday(&mut pen, &cast);
    pen.steps
}

fn on(name: &str) -> Value {
    json!({"uuid": name})
}

/// Two purchases, and a request that is declined.
fn monday(pen: &mut Pen, cast: &Cast<'_>) {
    let (a, b) = (cast.motif(0), cast.motif(1));
    let buy = json!({"name": a, "by": cast.person(0), "restrictive": true, "ai": true,
        "valid_days": 400, "max_downloads": 10});
    pen.tell(
        (0, 0),
        &format!("{a} is bought; its terms are strict"),
        "buy",
        buy,
    )
    .keep = Some("$a");
    let buy = json!({"name": b, "by": cast.person(1), "valid_days": 31, "max_users": 5});
    pen.tell((0, 1), &format!("{b} is bought for a month"), "buy", buy)
        .keep = Some("$b");
    let ask = json!({"asset": "Logo pack 2026", "by": cast.person(2), "reviewer": cast.person(0)});
    pen.tell((0, 2), "a download is asked for", "request", ask)
        .keep = Some("$t");
    pen.tell((0, 3), &format!("{a} is approved"), "approve", on("$a"));
    pen.tell((0, 4), &format!("{a} is delivered"), "deliver", on("$a"));
    let task = json!({"task": "$t", "reason": cast.reason});
    pen.tell((0, 6), "the request is declined", "reject", task);
}

/// The second purchase arrives and is published; a permission is given.
fn tuesday(pen: &mut Pen, cast: &Cast<'_>) {
    let b = cast.motif(1);
    pen.tell((1, 0), &format!("{b} is approved"), "approve", on("$b"));
    pen.tell((1, 1), &format!("{b} is delivered"), "deliver", on("$b"));
    pen.tell((1, 2), &format!("{b} is published"), "publish", on("$b"));
    let ask = json!({"asset": b, "by": cast.person(3), "reviewer": cast.person(0),
        "kind": "request-permission"});
    pen.tell((1, 4), "a permission is asked for", "request", ask)
        .keep = Some("$u");
    let task = json!({"task": "$u"});
    pen.tell((1, 5), "the permission is given", "approve", task.clone());
    pen.tell((1, 6), "the file is ready", "deliver", task);
}

/// The feed is away while a counter fills up.
fn wednesday(pen: &mut Pen, cast: &Cast<'_>) {
    let a = cast.motif(0);
    let down = json!({"kind": "unavailable", "area": "clapi", "times": 0});
    pen.tell((2, 0), "the feed goes away", "outage", down);
    let most = json!({"uuid": "$a", "counter": "downloads", "current": 8});
    pen.tell(
        (2, 1),
        &format!("{a} is used eight times of ten"),
        "usage",
        most,
    );
    pen.tell((2, 3), "the feed comes back", "recover", json!({}));
    let full = json!({"uuid": "$a", "counter": "downloads", "current": 10});
    pen.tell((2, 4), &format!("{a} may be used no more"), "usage", full);
}

/// A campaign is nearly complete; a licence nears its end.
fn thursday(pen: &mut Pen, cast: &Cast<'_>) {
    let (b, campaign) = (cast.motif(1), cast.campaign);
    let gather = json!({"name": campaign, "assets": 4, "by": cast.person(1)});
    pen.tell(
        (3, 0),
        &format!("the campaign {campaign} is gathered"),
        "campaign",
        gather,
    );
    let part = json!({"name": campaign, "assets": 3});
    pen.tell(
        (3, 2),
        "three of its four pictures come",
        "campaign_finish",
        part,
    );
    pen.tell((3, 4), &format!("{b} gets a new file"), "update", on("$b"));
    let soon = json!({"uuid": "$b", "days": 6});
    pen.tell((3, 5), &format!("{b} ends in six days"), "expire", soon);
}

/// The campaign is complete; a purchase fails and comes after all; a licence is over and bought
/// again.
fn friday(pen: &mut Pen, cast: &Cast<'_>) {
    let (a, b, c) = (cast.motif(0), cast.motif(1), cast.motif(2));
    let last = json!({"name": cast.campaign});
    let words = format!("the campaign {} is complete", cast.campaign);
    pen.tell((4, 0), &words, "campaign_finish", last);
    let buy = json!({"name": c, "by": cast.person(0), "odd": ["unknown_enum"]});
    let words = format!("{c} is bought with terms nobody knows");
    pen.tell((4, 1), &words, "buy", buy).keep = Some("$c");
    pen.tell((4, 2), &format!("{c} fails"), "fail", on("$c"));
    let words = format!("{c} is delivered after all");
    pen.tell((4, 3), &words, "deliver", on("$c"));
    // Since yesterday, so that it is past in every zone.
    let over = json!({"uuid": "$b", "days": -1});
    let words = format!("the licence of {b} is over");
    pen.tell((4, 4), &words, "expire", over);
    let anew = json!({"uuid": "$b", "days": 365});
    pen.tell((4, 5), &format!("{b} is bought again"), "renew", anew)
        .keep = Some("$d");
    let replace = json!({"uuid": "$a", "by": "$d"});
    pen.tell((4, 6), &format!("{b} replaces {a}"), "replace", replace);
}

/// The script for a tenant's people.
pub(crate) fn script_for(tenant: &Tenant, seed: u64) -> Vec<Step> {
    let named = tenant.buyers.iter().filter(|b| !b.person.is_empty());
    let people: Vec<String> = named.map(|b| b.person.clone()).collect();
    script(seed, &people)
}

impl Week {
    /// The next step with everything filled in; none at the end of the week.
    pub(crate) fn take(&mut self, script: &[Step]) -> Option<Step> {
        let mut step = script.get(self.next)?.clone();
        self.next += 1;
        let fields = step.body.as_object_mut().into_iter().flatten();
        for (_, value) in fields {
            if let Some(kept) = value.as_str().and_then(|name| self.kept.get(name)) {
                *value = kept.clone();
            }
        }
        Some(step)
    }

    /// Keeps what later steps refer to.
    pub(crate) fn keep(&mut self, step: &Step, answer: &Value) {
        if let Some(name) = step.keep {
            let found = [&answer["uuid"], &answer["id"]];
            let value = found.into_iter().find(|v| v.is_string());
            self.kept.insert(name, value.cloned().unwrap_or_default());
        }
    }

    /// Begins a week unless it is this one that goes on.
    pub(crate) fn begin(&mut self, seed: u64, again: bool) {
        if self.seed != Some(seed) || again {
            *self = Self {
                seed: Some(seed),
                ..Self::default()
            };
        }
    }

    pub(crate) fn left(&self, script: &[Step]) -> usize {
        script.len().saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_week_in_order() {
        let people = ["alice".to_owned(), "dora".to_owned()];
        let tell = |seed| -> Vec<String> {
            let script = script(seed, &people);
            script
                .iter()
                .map(|s| format!("{} {}", s.minute, s.words))
                .collect()
        };
        assert_eq!(tell(1), tell(1));
        assert_ne!(tell(1), tell(2));
        let script = script(1, &people);
        assert!(script.windows(2).all(|w| w[0].minute < w[1].minute));
        assert!(script.len() > 20);
    }

    #[test]
    fn steps_are_filled_in_from_what_was_kept() {
        let script = script(1, &["alice".to_owned()]);
        let mut week = Week::default();
        week.begin(1, false);
        let first = week.take(&script).expect("a step");
        week.keep(&first, &json!({"uuid": "u-1"}));
        let later = std::iter::from_fn(|| week.take(&script)).find(|s| s.deed == "approve");
        assert_eq!(later.expect("an approval").body["uuid"], "u-1");
        week.begin(1, false);
        assert!(week.left(&script) < script.len(), "it goes on");
        week.begin(1, true);
        assert_eq!(week.left(&script), script.len());
    }
}
