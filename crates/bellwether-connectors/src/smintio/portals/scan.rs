//! One step through what is watched: a page of a search, a look at a task, related assets. Every
//! step ends in a batch with a cursor, so that a restart goes on where it was, also in the middle
//! of a task.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use bellwether_model::failure::Failure;
use bellwether_model::feed::{Batch, Record};
use bellwether_model::id::{hash, hex};
use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use super::Portals;
use super::calls::{self, Ran, Trouble};
use super::place::{Pending, Place, Told};
use super::setup::{Matter, OFFSET_MAX, Watch};
use super::wire::{self, Page, PortalAsset};

/// What reading related assets is called when it fails.
const RELATED: &str = "portals:related";
/// Related assets that one step reads.
const LOOKUPS: usize = 20;
/// Related assets whose age is remembered within this process.
const AGES_MAX: usize = 20_000;
/// Newer versions of one asset that are told.
const NEWER_MAX: usize = 10;
/// What an unreadable record shows of itself, in bytes.
const SHOWN_MAX: usize = 4_096;

/// What is remembered between two steps, within this process: lost, it is read again.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// The page whose related assets are being read: its watch and number.
    page: Option<(String, u64, Page)>,
    /// When assets were created; None for those that nobody may see in this scan.
    ages: HashMap<String, Option<Time>>,
    /// The scan that unknown ages are about.
    scan: Time,
}

impl Aside {
    fn begin(&mut self, scan: Time) {
        if self.scan != scan {
            self.scan = scan;
            self.ages.retain(|_, age| age.is_some());
            if self.ages.len() > AGES_MAX {
                self.ages.clear();
            }
        }
    }
}

/// How far a step has come.
enum Step {
    /// The page and everything that belongs to it.
    Page(Page),
    /// The portal works on an answer, or many related assets are yet to be read.
    Later(Millis),
    /// The present watch cannot be read.
    Off(Trouble),
}

impl Portals {
    fn aside(&self) -> MutexGuard<'_, Aside> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step on from a cursor.
    pub(super) async fn step(&self, cursor: Option<&str>) -> Result<Batch, Failure> {
        let mut place = Place::read(cursor);
        let now = self.host.clock.now();
        let Some(watch) = place.settle(&self.reading.watches, now) else {
            return Ok(Batch::default());
        };
        self.aside().begin(place.began);
        let later = |place: &Place, pause| Batch {
            cursor: place.write(),
            more: true,
            pause,
            ..Batch::default()
        };
        Ok(match self.go_on(&mut place, watch, now).await? {
            Step::Later(pause) => later(&place, pause),
            Step::Page(page) => self.take(place, watch, page, now),
            Step::Off(trouble) => {
                place.trouble(format!("portals:{}", watch.name), trouble);
                place.blind = true;
                self.leave(place, Vec::new())
            }
        })
    }

    async fn go_on(&self, place: &mut Place, watch: &Watch, now: Time) -> Result<Step, Failure> {
        let kept = self.aside().page.clone();
        let kept = kept.filter(|(print, page, _)| (print, *page) == (&place.watch, place.page));
        // After a restart the page is gone whose related assets were being read.
        if kept.is_none() && place.task.as_ref().is_some_and(|task| task.asset.is_some()) {
            place.task = None;
        }
        let page = match kept {
            Some((_, _, page)) => page,
            None => match self.searched(place, watch, now).await? {
                Step::Page(page) => page,
                other => return Ok(other),
            },
        };
        let print = watch.print.clone();
        self.aside().page = Some((print, place.page, page.clone()));
        if let Some(pause) = self.look_up(place, &page, now).await? {
            return Ok(Step::Later(pause));
        }
        self.aside().page = None;
        Ok(Step::Page(page))
    }

    /// The present page of the watch.
    async fn searched(&self, place: &mut Place, watch: &Watch, now: Time) -> Result<Step, Failure> {
        let reading = &self.reading;
        let ran = match &place.task {
            Some(task) => calls::look(&self.client, reading, &task.uuid).await?,
            None => {
                let (method, arguments) = self.arguments(place, watch);
                calls::execute(&self.client, reading, method, &arguments).await?
            }
        };
        let (result, failed) = match ran {
            Ran::Done(result, failed) => (result, failed),
            Ran::Pending(uuid) => return Ok(self.wait(place, uuid, None, now)),
            Ran::Failed(trouble) => return Ok(Step::Off(trouble)),
        };
        place.task = None;
        let Some(page) = wire::page(&result, place.page, reading.page_size) else {
            let words = "the result has no assetDataObjects; is it the right method?";
            return Ok(Step::Off(Trouble::new("bad_result", words)));
        };
        for (part, trouble) in &page.errors {
            place.trouble(part.clone(), trouble.clone());
        }
        if failed && page.errors.is_empty() {
            let trouble = Trouble::new("steps_failed", "a step of the portal's task failed");
            place.trouble(format!("portals:{}", watch.name), trouble);
        }
        Ok(Step::Page(page))
    }

    fn arguments(&self, place: &Place, watch: &Watch) -> (&str, Value) {
        let methods = &self.reading.methods;
        let (method, mut arguments) = match &watch.matter {
            Matter::Search(arguments) => (&methods.search, Value::Object(arguments.clone())),
            Matter::Collection { uuid, .. } => {
                (&methods.collection, json!({ "collectionId": uuid }))
            }
        };
        arguments["page"] = place.page.into();
        arguments["pageSize"] = self.reading.page_size.into();
        if let Some(set) = &place.set {
            arguments["searchResultSetUuid"] = set.as_str().into();
        }
        (method, arguments)
    }

    /// Keeps a task that goes on, at the one pace at which it is asked for. One that takes too long
    /// is given up.
    fn wait(&self, place: &mut Place, uuid: String, asset: Option<String>, now: Time) -> Step {
        let since = place.task.as_ref().map_or(now, |task| task.since);
        if now.since(since) >= self.reading.task_patience {
            let words = "the portal works on an answer for too long; it is asked anew";
            place.task = None;
            return Step::Off(Trouble::new("task_stuck", words));
        }
        place.task = Some(Pending { uuid, since, asset });
        Step::Later(self.reading.task_poll)
    }

    /// Reads when the related versions of a page were created, as far as nobody knows it yet. Some
    /// wait means that it goes on after that.
    async fn look_up(
        &self,
        place: &mut Place,
        page: &Page,
        now: Time,
    ) -> Result<Option<Millis>, Failure> {
        let mut left = LOOKUPS;
        for id in self.unknown(page) {
            let task = place.task.as_ref();
            let ran = match task.filter(|task| task.asset.as_ref() == Some(&id)) {
                Some(task) => calls::look(&self.client, &self.reading, &task.uuid).await?,
                None if left == 0 => return Ok(Some(Millis(0))),
                None => {
                    left -= 1;
                    place.task = None;
                    let arguments = json!({"assetId": {"id": id}});
                    let method = &self.reading.methods.asset;
                    calls::execute(&self.client, &self.reading, method, &arguments).await?
                }
            };
            let age = match ran {
                Ran::Done(result, _) => {
                    let found = [&result["assetDataObject"], &result];
                    let read = found.iter().find_map(|one| wire::asset(one, None).ok());
                    read.and_then(|asset| created(&asset))
                }
                Ran::Pending(uuid) => match self.wait(place, uuid, Some(id.clone()), now) {
                    Step::Later(pause) => return Ok(Some(pause)),
                    Step::Off(trouble) => {
                        place.trouble(RELATED.to_owned(), trouble);
                        None
                    }
                    Step::Page(_) => None,
                },
                Ran::Failed(trouble) => {
                    // Nobody may see it: then it replaces nothing yet.
                    if !is_hidden(&trouble.code) {
                        place.trouble(RELATED.to_owned(), trouble);
                    }
                    None
                }
            };
            place.task = None;
            self.aside().ages.insert(id, age);
        }
        Ok(None)
    }

    /// Related versions on a page whose age nobody knows yet.
    fn unknown(&self, page: &Page) -> Vec<String> {
        let mut aside = self.aside();
        let assets = page
            .assets
            .iter()
            .filter_map(|one| wire::asset(one, None).ok());
        let assets: Vec<PortalAsset> = assets.collect();
        for asset in &assets {
            if let Some(created) = created(asset) {
                aside.ages.insert(asset.id.clone(), Some(created));
            }
        }
        let related = assets.into_iter().flat_map(|asset| asset.versions);
        let mut unknown: Vec<String> = related.filter(|id| !aside.ages.contains_key(id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Only versions that are newer than the asset, the newest first.
    fn newer(&self, mut asset: PortalAsset) -> PortalAsset {
        let aside = self.aside();
        let own = created(&asset);
        let age = |id: &String| aside.ages.get(id).copied().flatten();
        let versions = std::mem::take(&mut asset.versions);
        let mut newer: Vec<(Time, String)> = versions
            .into_iter()
            .filter_map(|id| Some((age(&id)?, id)))
            .filter(|(age, _)| own.is_some_and(|own| *age > own))
            .collect();
        newer.sort_unstable_by(|a, b| b.cmp(a));
        newer.truncate(NEWER_MAX);
        asset.versions = newer.into_iter().map(|(_, id)| id).collect();
        asset
    }

    /// The records of a page, and where to go on.
    fn take(&self, mut place: Place, watch: &Watch, page: Page, now: Time) -> Batch {
        let reading = &self.reading;
        let first = !place.known.contains_key(&watch.print);
        let mut records = Vec::new();
        for raw in &page.assets {
            match wire::asset(raw, reading.asset_url.as_deref()) {
                Ok(asset) => {
                    let asset = self.newer(asset);
                    place.count(&asset, watch, now);
                    let gone = place.plan(&asset, now);
                    records.push(self.record(&place, watch, &asset, gone));
                }
                Err(reason) => {
                    place.swallowed.unreadable += u64::from(first);
                    place.flawed |= matches!(watch.matter, Matter::Collection { .. });
                    records.push(unreadable(raw, &reason));
                }
            }
        }
        place.seen += page.assets.len() as u64;
        let next = place.page + 1;
        let deep = next * reading.page_size > OFFSET_MAX || place.seen >= reading.items;
        if page.more && !deep {
            (place.page, place.set) = (next, page.set);
            return Batch {
                records,
                cursor: place.write(),
                more: true,
                ..Batch::default()
            };
        }
        let cut = page.more || page.total.is_some_and(|total| total > place.seen);
        if let Some((told, silent)) = place.close(watch, cut, now) {
            records.push(collection(&place, watch, &told, silent));
        }
        self.leave(place, records)
    }

    fn record(&self, place: &Place, watch: &Watch, asset: &PortalAsset, gone: u64) -> Record {
        let since = place.known.get(&watch.print);
        // Where not everything is looked at, old things drift into view.
        let cut = place.seen + self.reading.page_size >= self.reading.items;
        let old = created(asset)
            .zip(since)
            .is_some_and(|(age, since)| age < *since);
        let quiet = matches!(watch.matter, Matter::Collection { .. }) || (cut && old);
        let mut id = format!("portal/{}/{}", asset.key(), asset.print());
        if gone > 0 {
            id.push_str(&format!("/back{gone}"));
        }
        Record {
            id,
            subject: format!("portal/{}", asset.key()),
            body: json!({"portal": asset, "watch": watch.name, "baseline": since.is_none(),
                "quiet": quiet}),
        }
    }

    /// Goes on to the next watch, or ends the scan with what it has to say of itself.
    fn leave(&self, mut place: Place, mut records: Vec<Record>) -> Batch {
        let more = place.next(&self.reading.watches);
        if !more {
            let scan = place.began;
            for key in place.gone() {
                records.push(Record {
                    id: format!("portal/{key}/gone/{}", scan.0),
                    subject: format!("portal/{key}"),
                    body: json!({"portal": {}, "watch": "", "gone": true}),
                });
            }
            for (part, trouble) in place.turns() {
                let link = match trouble {
                    None => json!({"part": part, "ok": true}),
                    Some(trouble) => json!({"part": part, "ok": false, "code": trouble.code,
                        "message": trouble.message,
                        "needs_person": wire::needs_person(&trouble.code)}),
                };
                records.push(Record {
                    id: format!("portal/link/{}/{}/{}", wire::key(&part), scan.0, link["ok"]),
                    subject: format!("link/{part}"),
                    body: json!({ "link": link }),
                });
            }
            if place.swallowed.watches > 0 {
                records.push(Record {
                    id: format!("portal/baseline/{}", scan.0),
                    subject: "baseline".to_owned(),
                    body: json!({ "swallowed": place.swallowed }),
                });
            }
        }
        Batch {
            records,
            cursor: place.write(),
            more,
            ..Batch::default()
        }
    }
}

/// Whether a code says that an asset is not there for us; that a task is gone says nothing of it.
fn is_hidden(code: &str) -> bool {
    let plain = code.replace('_', "").to_lowercase();
    plain.ends_with("notfound") && plain != "tasknotfound"
}

fn created(asset: &PortalAsset) -> Option<Time> {
    Time::parse(asset.created_at.as_deref()?).ok()
}

fn collection(place: &Place, watch: &Watch, told: &Told, silent: bool) -> Record {
    let uuid = match &watch.matter {
        Matter::Collection { uuid, .. } => uuid.as_str(),
        Matter::Search(_) => "",
    };
    let key = wire::key(uuid);
    Record {
        id: format!("portal/collection/{key}/{}/{}", place.began.0, told.times),
        subject: format!("collection/{key}"),
        body: json!({"collection": {"uuid": uuid, "key": key, "name": watch.name,
            "ready": told.ready, "sum": told.sum}, "baseline": silent}),
    }
}

fn unreadable(raw: &Value, reason: &str) -> Record {
    let mut shown = raw.to_string();
    let print = hash(&[shown.as_bytes()]);
    let mut end = shown.len().min(SHOWN_MAX);
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    shown.truncate(end);
    let id = format!("portal/unreadable/{}", hex(&print[..12]));
    Record {
        subject: id.clone(),
        id,
        body: json!({"unreadable": {"uuid": "", "reason": reason, "record": shown}}),
    }
}
