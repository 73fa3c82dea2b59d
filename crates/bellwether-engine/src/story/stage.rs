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

use super::drive;
use super::watch::{Watched, Watcher};
use super::world::{MAILBOX, PHONES as PHONES_DEF, Record, Recorder, StoryClock};
use super::{Scene, Stored};
use crate::flow::{Active, Flow, FlowSet, InputKind, Position, calls, check_inputs, read};
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
    /// The flows that it calls, as far as they stand beside it.
    called: Vec<Active>,
    position: Position,
    process: u64,
}

/// The inputs with something fitting for what is not given.
fn filled(scene: Scene<'_>) -> Json {
    filled_for(scene, scene.flow, scene.inputs)
}

/// The owner of stories, a connection named like its input.
fn filled_for(scene: Scene<'_>, flow: &Flow, given: &Json) -> Json {
    let mut given = given.as_object().cloned().unwrap_or_default();
    for input in &flow.inputs {
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

/// The flows that a flow calls, with those that they call, from the files beside it. What is not
/// there is not switched on in the story either.
fn called_by(scene: Scene<'_>) -> Result<Vec<Active>, Vec<Problem>> {
    let mut found: Vec<Active> = Vec::new();
    let mut wanted: Vec<String> = names_called(scene.flow);
    while let Some(name) = wanted.pop() {
        let known = name == scene.flow.name || found.iter().any(|one| one.flow.name == name);
        let file = format!("{name}.yaml");
        let Some(text) = (scene.file)(&file).filter(|_| !known) else {
            continue;
        };
        let flow = Arc::new(read(&text, &file, &scene.catalog)?);
        wanted.extend(names_called(&flow));
        let inputs = filled_for(scene, &flow, &Json::Null);
        found.push(Active {
            inputs: check_inputs(&flow, &inputs, scene.file)?,
            flow,
            position: scene.position,
        });
    }
    Ok(found)
}

fn names_called(flow: &Flow) -> Vec<String> {
    let calls = calls::of(flow).into_iter();
    calls.map(|(_, call)| call.flow.clone()).collect()
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
        record.cut_off(false);
        let mut stage = Self::of(scene, stored, clock, record, before.process + 1)?;
        stage.inputs = before.inputs.clone();
        stage.set_up();
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
        let called = called_by(scene)?;
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
            called,
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
        let mut switched_on = HashMap::new();
        let others = self.called.iter();
        let others = others.map(|one| Program::new(Arc::clone(&one.flow), one.inputs.clone()));
        for program in others.map(Arc::new).chain([program]) {
            programs.insert(program.hash, Arc::clone(&program));
            switched_on.insert(program.flow.name.clone(), program);
        }
        let flows = self.called.iter().cloned().chain([active]).collect();
        self.engine.set_up(Setup {
            flows: FlowSet::new(1, flows),
            programs,
            active: switched_on,
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
        drive::settle(&self.engine, || self.watched.seen().commits).await
    }

    /// Lets time pass until `to`, doing on the way what falls due.
    ///
    /// # Errors
    /// The store failed, or something falls due again and again without time passing.
    pub async fn pass_until(&self, to: Time) -> Result<(), StoreError> {
        let commits = || self.watched.seen().commits;
        let passed = drive::pass_until(&self.engine, &self.clock, commits, to);
        passed.await.map(drop)
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
