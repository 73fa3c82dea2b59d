//! The stage of a story: an engine with one flow switched on, on a clock that is moved by hand.
//! Tests of the engine use it too, so it knows nothing of YAML.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bellwether_model::clock::Clock as _;
use bellwether_model::connector::Connection;
use bellwether_model::directory::Directory;
use bellwether_model::id::Id;
use bellwether_model::time::{Millis, Time};
use serde_json::{Map, Value as Json};

use super::watch::{Watched, Watcher};
use super::world::{MAILBOX, PHONES as PHONES_DEF, Record, Recorder, StoryClock};
use super::{Scene, Stored};
use crate::flow::{Active, FlowSet, InputKind, Position, check_inputs};
use crate::lang::Value;
use crate::run::{Engine, Keyring, Link, Parts, Program, Setup};
use crate::seam::Live;
use crate::store::{Owner, StoreError};
use crate::yaml::Problem;

/// The connection of everybody's phones.
pub const PHONES: &str = "phones";
/// The key of links in stories.
pub const OWNER_KEY: [u8; 32] = [7; 32];
/// When stories begin: a Monday, 10:00 in Vienna.
const BEGINS: Time = Time::from_millis(1_772_442_000_000);
/// Effects in flight per connection: stories never wait for a slot.
const SLOTS: usize = 4096;
/// How often something may become due without time passing.
const STANDSTILL_MAX: u32 = 10_000;

/// An engine on a stage.
#[derive(Debug)]
pub struct Stage {
    /// The engine.
    pub engine: Engine,
    /// Its clock, for flow time and transport time.
    pub clock: Arc<StoryClock>,
    /// What was sent, and how sending fails.
    pub record: Arc<Record>,
    pub(super) watched: Arc<Watched>,
    pub(super) directory: Directory,
    pub(super) catalog: crate::flow::Catalog,
    pub(super) flow: Arc<crate::flow::Flow>,
    inputs: Value,
    position: Position,
    process: u64,
}

/// The inputs with something fitting for what is not given: the owner of stories, a connection
/// named like its input.
fn filled(scene: Scene<'_>) -> Json {
    let mut given = scene.inputs.as_object().cloned().unwrap_or_default();
    for input in &scene.flow.inputs {
        if given.contains_key(&input.name) || input.default.is_some() {
            continue;
        }
        let value = match &input.kind {
            InputKind::Connection(_) => Json::from(input.name.as_str()),
            InputKind::Who => Json::from(scene.people.owner.as_deref().unwrap_or("ivan")),
            _ => continue,
        };
        given.insert(input.name.clone(), value);
    }
    Json::Object(given)
}

impl Stage {
    /// An engine over this store, with the scene's flow switched on.
    ///
    /// # Errors
    /// The inputs do not fit.
    pub fn new(scene: Scene<'_>, stored: Stored) -> Result<Self, Vec<Problem>> {
        let clock = Arc::new(StoryClock::at(BEGINS));
        Self::of(scene, stored, clock, Arc::new(Record::default()), 1)
    }

    /// The engine of the next process: over the same record, at the same time, after the process of
    /// `before` ended in whatever state. What that one left in flight is cleared up.
    ///
    /// # Errors
    /// As for [`Stage::new`].
    pub async fn next_process(
        scene: Scene<'_>,
        stored: Stored,
        before: &Self,
    ) -> Result<Self, Vec<Problem>> {
        let scene = Scene {
            people: &before.directory,
            ..scene
        };
        let (clock, record) = (Arc::clone(&before.clock), Arc::clone(&before.record));
        let stage = Self::of(scene, stored, clock, record, before.process + 1)?;
        stage.engine.rescue().await;
        Ok(stage)
    }

    fn of(
        scene: Scene<'_>,
        stored: Stored,
        clock: Arc<StoryClock>,
        record: Arc<Record>,
        process: u64,
    ) -> Result<Self, Vec<Problem>> {
        let (store, views) = stored;
        let inputs = check_inputs(scene.flow, &filled(scene), scene.file)?;
        let watched = Arc::new(Watched::new(store, Watcher::default()));
        let engine = Engine::new(Parts {
            store: Arc::clone(&watched) as _,
            views,
            flow_clock: Arc::clone(&clock) as _,
            transport_clock: Arc::clone(&clock) as _,
            keys: Arc::new(Keyring::new(vec![(1, OWNER_KEY)])),
            owner: Owner(Id::derive(BEGINS, &[b"story", &process.to_be_bytes()])),
            public_url: "https://bellwether.example".to_owned(),
            live: Live::default(),
        });
        let stage = Self {
            engine,
            clock,
            record,
            watched,
            directory: scene.people.clone(),
            catalog: scene.catalog,
            flow: Arc::clone(scene.flow),
            inputs,
            position: scene.position,
            process,
        };
        stage.set_up();
        Ok(stage)
    }

    /// Other inputs from now on, over those of the scene.
    pub(super) fn change_inputs(
        &mut self,
        scene: Scene<'_>,
        changes: &Json,
    ) -> Result<(), Vec<Problem>> {
        let mut given: Map<String, Json> = filled(scene).as_object().cloned().unwrap_or_default();
        for (name, value) in changes.as_object().into_iter().flatten() {
            given.insert(name.clone(), value.clone());
        }
        self.inputs = check_inputs(scene.flow, &Json::Object(given), scene.file)?;
        self.set_up();
        Ok(())
    }

    /// Other people from now on.
    pub fn change_people(&mut self, change: impl FnOnce(&mut Directory)) {
        change(&mut self.directory);
        self.directory.settle();
        self.directory.version += 1;
        self.set_up();
    }

    /// The connections that the flow's inputs name, else one mailbox.
    fn mailboxes(&self) -> Vec<String> {
        let of = |name: &str| {
            let value = self.inputs.get_attr(name).ok()?;
            value.as_str().map(str::to_owned)
        };
        let inputs = self.flow.inputs.iter();
        let names = inputs.filter(|input| matches!(input.kind, InputKind::Connection(_)));
        let mut names: Vec<String> = names.filter_map(|input| of(&input.name)).collect();
        if names.is_empty() {
            names.push("mailbox".to_owned());
        }
        names
    }

    /// The connection whose mail starts the flow.
    pub fn mailbox(&self) -> String {
        self.mailboxes().swap_remove(0)
    }

    fn set_up(&self) {
        let connection: Arc<dyn Connection> = Arc::new(Recorder {
            record: Arc::clone(&self.record),
            clock: Arc::clone(&self.clock),
        });
        let mut links = BTreeMap::new();
        let mut link = |name: String, def| {
            let made = Link {
                name: name.clone(),
                def,
                connection: Arc::clone(&connection),
                slots: SLOTS,
            };
            links.insert(name, made);
        };
        for name in self.mailboxes() {
            link(name, &MAILBOX);
        }
        link(PHONES.to_owned(), &PHONES_DEF);
        let program = Arc::new(Program::new(Arc::clone(&self.flow), self.inputs.clone()));
        let active = Active {
            flow: Arc::clone(&self.flow),
            inputs: self.inputs.clone(),
            position: self.position,
        };
        self.record.know(&self.directory);
        let mut programs = self.engine.setup().programs.clone();
        programs.insert(program.hash, Arc::clone(&program));
        self.engine.set_up(Setup {
            flows: FlowSet::new(1, vec![active]),
            programs,
            active: HashMap::from([(self.flow.name.clone(), program)]),
            directory: Arc::new(self.directory.clone()),
            roles: Setup::roles_of(&links),
            links,
        });
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Does everything that can be done without time passing. Returns when the next thing is due.
    ///
    /// # Errors
    /// The store failed.
    pub async fn settle(&self) -> Result<Option<Time>, StoreError> {
        loop {
            self.engine.drained().await;
            let before = self.watched.seen().commits;
            let mut next = self.engine.do_ready().await?;
            for lane in self.engine.lanes() {
                lane.looking();
                let (more, due) = self.engine.claim_some(&lane).await?;
                lane.more(more);
                next = [next, due].into_iter().flatten().min();
            }
            self.engine.drained().await;
            if self.watched.seen().commits == before {
                return Ok(next);
            }
        }
    }

    /// Lets time pass until `to`, doing on the way what falls due.
    ///
    /// # Errors
    /// The store failed, or something falls due again and again without time passing.
    pub async fn pass_until(&self, to: Time) -> Result<(), StoreError> {
        let mut standing = 0;
        loop {
            let now = self.now();
            match self.settle().await? {
                Some(due) if due <= to => {
                    standing = if due > now { 0 } else { standing + 1 };
                    if standing > STANDSTILL_MAX {
                        let message = format!("something is due again and again at {now}");
                        return Err(StoreError(message));
                    }
                    self.clock.move_to(due.max(now + Millis(1)));
                }
                _ => {
                    self.clock.move_to(to);
                    self.settle().await?;
                    return Ok(());
                }
            }
        }
    }

    /// Lets time pass until nothing is open or nothing more is due, at most so long. Says whether
    /// every run has ended.
    ///
    /// # Errors
    /// As for [`Stage::pass_until`].
    pub async fn run_out(&self, at_most: Millis) -> Result<bool, StoreError> {
        let end = self.now() + at_most;
        loop {
            let next = self.settle().await?;
            match next {
                Some(due) if due <= end => self.pass_until(due.max(self.now())).await?,
                _ => return Ok(self.open_runs() == 0),
            }
        }
    }

    /// How many runs are open.
    pub fn open_runs(&self) -> usize {
        self.watched.seen().open.len()
    }

    /// The codes of all dead letters so far.
    pub fn dead_letters(&self) -> Vec<String> {
        let seen = self.watched.seen();
        seen.dead_letters
            .iter()
            .map(|dead| dead.code.clone())
            .collect()
    }

    /// What the journals noted so far: what and why.
    pub fn notes(&self) -> Vec<(String, String)> {
        let seen = self.watched.seen();
        let pair =
            |note: &crate::decide::Note| (note.what.clone(), note.why.clone().unwrap_or_default());
        seen.notes.iter().map(pair).collect()
    }
}
