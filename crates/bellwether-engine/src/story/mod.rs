//! Stories: a flow's tests. Things happen, time passes, people tap, then something is expected;
//! what is sent and not expected fails. The engine is the real one on a clock that is moved by
//! hand, and connections write down instead of sending.

mod card;
pub(crate) mod drive;
mod expect;
mod hands;
mod inputs;
mod people;
mod play;
mod post;
mod read;
mod read_mail;
mod sample;
mod stage;
mod steps;
mod through;
mod vary;
mod watch;
mod world;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use bellwether_model::directory::Directory;
use serde_json::Value as Json;

use crate::flow::{Catalog, Flow, Position};
use crate::store::{Store, Views};
use crate::yaml::Problem;

pub use people::directory;
pub use sample::sample;
pub use stage::{OWNER_KEY, PHONES, Stage};
pub use steps::Fault;
pub(crate) use steps::{fault_words, wanted_words};
pub use through::{Between, Through};
pub use vary::Varied;
pub use world::{Fate, Record, Sent, StoryClock, What};

/// One test of a flow.
#[derive(Clone, Debug)]
pub struct Story {
    /// What it shows, in words.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// What happens and what is expected, in order.
    pub steps: Vec<crate::yaml::Node>,
}

/// A store with its lists, as a story's engine needs them.
pub type Stored = (Arc<dyn Store>, Arc<dyn Views>);

/// Opens a new, empty store for each story.
pub trait Bench: Sync {
    /// A store that nobody else uses.
    ///
    /// # Errors
    /// It could not be opened; every story then fails with this sentence.
    fn open(&self) -> Result<Stored, String>;
}

impl<F: Fn() -> Result<Stored, String> + Sync> Bench for F {
    fn open(&self) -> Result<Stored, String> {
        self()
    }
}

/// What the stories of a flow are played with.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The flow.
    pub flow: &'a Arc<Flow>,
    /// What is filled in; what is missing gets a value that fits stories.
    pub inputs: &'a Json,
    /// Reads a file that an input names, beside the flow.
    pub file: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Event types with their samples.
    pub catalog: Catalog,
    /// The people.
    pub people: &'a Directory,
    /// Whether the flow acts.
    pub position: Position,
}

impl Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene")
            .field("flow", &self.flow.name)
            .finish_non_exhaustive()
    }
}

/// How one story went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryResult {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// Whether everything was as expected, and nothing else was sent.
    pub passed: bool,
    /// What was not, with the place in the file.
    pub problems: Vec<Problem>,
    /// How long it took, in microseconds of the real clock.
    pub micros: u64,
}

/// What is wrong with the way in which a flow's stories are written. Nothing is played.
pub fn check(flow: &Flow, catalog: &Catalog, people: &Directory) -> Vec<Problem> {
    let mut out = Vec::new();
    for story in &flow.tests {
        if let Err(problems) = read::story(story, flow, catalog, people) {
            out.extend(problems);
        }
    }
    out.truncate(crate::yaml::PROBLEMS_MAX);
    out
}

/// Plays all stories of a flow, one after the other, each with a new store. Blocks the caller; a
/// thread with a runtime of its own does the work, so that it may be called from anywhere.
pub fn run(scene: Scene<'_>, bench: &dyn Bench) -> Vec<StoryResult> {
    std::thread::scope(|scope| {
        let played = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            let stories = scene.flow.tests.iter();
            match runtime {
                Ok(runtime) => stories
                    .map(|story| runtime.block_on(one(scene, story, bench)))
                    .collect(),
                Err(error) => stories
                    .map(|story| failed(story, format!("no runtime could be started: {error}")))
                    .collect(),
            }
        });
        played.join().unwrap_or_else(|_| {
            let ended = |story| failed(story, "the server failed while this was played".to_owned());
            scene.flow.tests.iter().map(ended).collect()
        })
    })
}

fn failed(story: &Story, message: String) -> StoryResult {
    StoryResult {
        name: story.name.clone(),
        line: story.line,
        passed: false,
        problems: vec![Problem::error((story.line, 1), message)],
        micros: 0,
    }
}

async fn one(scene: Scene<'_>, story: &Story, bench: &dyn Bench) -> StoryResult {
    let started = Instant::now();
    let problems = match read::story(story, scene.flow, &scene.catalog, scene.people) {
        Err(problems) => problems,
        Ok(steps) => match bench.open() {
            Err(error) => return failed(story, format!("the store could not be opened: {error}")),
            Ok(stored) => match Stage::new(scene, stored) {
                Err(problems) => problems
                    .into_iter()
                    .map(|problem| Problem {
                        line: story.line,
                        column: 1,
                        ..problem
                    })
                    .collect(),
                Ok(stage) => play::play(scene, stage, story, &steps).await,
            },
        },
    };
    StoryResult {
        name: story.name.clone(),
        line: story.line,
        passed: problems.is_empty(),
        problems,
        micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}
