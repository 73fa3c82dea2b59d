//! The memory of one asset of a portal: whether people may see it, which version they know, what
//! replaces it. An asset that is not found for a while and found again is the same one: nothing is
//! said of it.

use bellwether_model::reduce::{Cause, Derived, Memory, Reduced};
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::portals::PortalAsset;
use super::super::{PUBLISHED, REPLACED, UPDATED};
use super::payload::{Severity, known};

/// The one timer of an asset: when it will be published.
const PUBLISH: &str = "publish";
/// Replacements of one asset that are remembered.
const REPLACED_MAX: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    asset: PortalAsset,
    watch: String,
    /// Whether it is settled that it can be seen: said, or passed over in silence.
    out: bool,
    /// Replacements that are settled.
    replaced: Vec<String>,
    /// It was to be published and is not found any more: then it is not.
    gone: bool,
    /// The end of a time in which it was published before.
    ended: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Told {
    portal: PortalAsset,
    watch: String,
    /// The first read: nothing is said.
    #[serde(default)]
    baseline: bool,
    /// Seeing it for the first time says nothing.
    #[serde(default)]
    quiet: bool,
    /// It is not found any more; nothing else is said.
    #[serde(default)]
    gone: bool,
}

struct Turn {
    kept: Kept,
    emits: Vec<Derived>,
    now: Time,
}

pub(super) fn turn(memory: &Memory<'_>) -> Reduced {
    let before: Option<Kept> = memory
        .kept
        .and_then(|(_, kept)| serde_json::from_value(kept.clone()).ok());
    let first = before.is_none();
    let mut turn = Turn {
        kept: before.unwrap_or_default(),
        emits: Vec::new(),
        now: memory.now,
    };
    match memory.cause {
        Cause::Event(event) => {
            let told = serde_json::from_value::<Told>((*event.envelope.data).clone());
            let Ok(told) = told else {
                return unchanged(memory);
            };
            if told.gone {
                if first {
                    return unchanged(memory);
                }
                turn.kept.gone = true;
            } else if first {
                turn.meet(told);
            } else {
                turn.take(told);
            }
        }
        Cause::Timer(_) if first => return unchanged(memory),
        Cause::Timer(_) => turn.publish(),
    }
    Reduced {
        timers: vec![(PUBLISH.to_owned(), turn.due())],
        keep: serde_json::to_value(&turn.kept).unwrap_or_default(),
        emits: turn.emits,
        ends: false,
    }
}

fn unchanged(memory: &Memory<'_>) -> Reduced {
    Reduced {
        keep: memory.kept.map_or(Value::Null, |(_, kept)| kept.clone()),
        ..Reduced::default()
    }
}

fn at(text: Option<&String>) -> Option<Time> {
    Time::parse(text?).ok()
}

impl Turn {
    fn from(&self) -> Option<Time> {
        at(self.kept.asset.publish_from.as_ref())
    }

    fn until(&self) -> Option<Time> {
        at(self.kept.asset.publish_until.as_ref())
    }

    fn is_visible(&self) -> bool {
        self.from().is_none_or(|from| from <= self.now)
            && self.until().is_none_or(|until| until > self.now)
    }

    /// When it will be published, if that lies ahead.
    fn due(&self) -> Option<Time> {
        self.from()
            .filter(|from| !self.kept.out && !self.kept.gone && *from > self.now)
    }

    /// Seen for the first time: what it was replaced by before is no news.
    fn meet(&mut self, told: Told) {
        let silent = told.baseline || told.quiet;
        self.kept.replaced.clone_from(&told.portal.versions);
        (self.kept.asset, self.kept.watch) = (told.portal, told.watch);
        if silent {
            self.kept.out = self.is_visible();
        } else {
            self.publish();
        }
    }

    fn take(&mut self, told: Told) {
        self.kept.gone = false;
        let before = std::mem::replace(&mut self.kept.asset, told.portal);
        let asset = &mut self.kept.asset;
        // What is not known now was not taken back.
        asset.version = asset.version.take().or_else(|| before.version.clone());
        asset.etag = asset.etag.take().or_else(|| before.etag.clone());
        asset.name = asset.name.take().or_else(|| before.name.clone());
        self.open_again(&before);
        if told.baseline {
            self.kept.out |= self.is_visible();
            self.settle_replaced();
            return;
        }
        if self.kept.out && self.is_visible() {
            self.update(&before);
            self.replace();
        } else {
            self.settle_replaced();
            self.publish();
        }
    }

    /// A new date ahead, or a new time after one that was over, is another publication.
    fn open_again(&mut self, before: &PortalAsset) {
        let moved = self.kept.asset.publish_from != before.publish_from;
        let ahead = self.from().is_some_and(|from| from > self.now);
        let over = at(before.publish_until.as_ref()).is_some_and(|until| until <= self.now);
        let opened = over && self.kept.asset.publish_until != before.publish_until;
        if opened {
            self.kept.ended.clone_from(&before.publish_until);
        }
        if (moved && ahead) || opened {
            self.kept.out = false;
        }
    }

    fn publish(&mut self) {
        if self.kept.out || self.kept.gone || !self.is_visible() {
            return;
        }
        self.kept.out = true;
        let from = self.kept.asset.publish_from.clone();
        let point = from.as_deref().unwrap_or("seen");
        let id = match &self.kept.ended {
            None => format!("published/{point}"),
            Some(ended) => format!("published/{point}/after/{ended}"),
        };
        let matter = known(vec![
            ("what", "asset_published".into()),
            ("publish_from", json!(from)),
            ("publish_until", json!(self.kept.asset.publish_until)),
        ]);
        self.say(PUBLISHED, &id, matter);
    }

    fn update(&mut self, before: &PortalAsset) {
        let asset = &self.kept.asset;
        let changed = |old: &Option<String>, new: &Option<String>| {
            old.as_ref()
                .zip(new.as_ref())
                .is_some_and(|(old, new)| old != new)
        };
        if !changed(&before.version, &asset.version) && !changed(&before.etag, &asset.etag) {
            return;
        }
        let number =
            |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
        let matter = known(vec![
            ("what", "asset_version".into()),
            ("old_version", json!(number(&before.version))),
            ("new_version", json!(number(&asset.version))),
            ("modified_at", json!(asset.modified_at)),
        ]);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let id = format!("updated/{}/{}", text(&asset.version), text(&asset.etag));
        self.say(UPDATED, &id, matter);
    }

    fn replace(&mut self) {
        let new = self.settle_replaced();
        if let Some(newest) = new.first() {
            let matter = known(vec![
                ("what", "asset_replaced".into()),
                ("replacement_asset_id", json!(newest)),
            ]);
            self.say(REPLACED, &format!("replaced/{newest}"), matter);
        }
    }

    /// Takes notice of replacements; those that are new, the newest first.
    fn settle_replaced(&mut self) -> Vec<String> {
        let settled = &mut self.kept.replaced;
        let versions = self.kept.asset.versions.iter();
        let new: Vec<String> = versions
            .filter(|id| !settled.contains(id))
            .cloned()
            .collect();
        settled.extend(new.iter().cloned());
        let many = settled.len().saturating_sub(REPLACED_MAX);
        settled.drain(..many);
        new
    }

    fn say(&mut self, kind: &'static str, id: &str, matter: Value) {
        let asset = &self.kept.asset;
        let shown = known(vec![
            ("id", json!(asset.id)),
            ("name", json!(asset.name)),
            ("content_type", json!(asset.content_type)),
            ("thumbnail_url", json!(asset.thumbnail_url)),
            ("url", json!(asset.url)),
        ]);
        let actor = known(vec![("name", json!(asset.modified_by))]);
        let data = json!({"asset": shown, "transaction": {}, "actor": actor,
            "severity": Severity::Info.word(), "change": matter});
        self.emits.push(Derived {
            kind,
            id: format!("portal/{}/{id}", asset.key()),
            time: self.now,
            data: std::sync::Arc::new(data),
        });
    }
}
