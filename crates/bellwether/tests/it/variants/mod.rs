//! Every story of every recipe on other ways than its own: inputs come twice or change places,
//! outcomes are never heard of, every message fails in every way, the process ends after every
//! commit. What must hold on all of them is in `rules`; the ways are made from the stories, so a
//! new recipe is covered with its tests. `VARIANTS=all` plays all of them, else a sample.

mod rules;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bellwether_engine::flow::{Flow, Position};
use bellwether_engine::seam::{Connections as _, Seals as _};
use bellwether_engine::story::{self, Fate, Fault, Scene, Sent, Stored, Story, Varied, What};
use bellwether_model::directory::Directory;
use bellwether_model::time::Millis;
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use self::rules::Account;
use crate::calls::beside;
use crate::crash::{Crashing, Ending};
use crate::story::{catalog, file, flow};

/// More commits than any story makes.
const NEVER: u64 = 1_000_000;
/// Nothing waits longer.
const LONG: Millis = Millis::days(400);
/// How many ways of a kind are gone of a story, unless all are.
const SAMPLE: usize = 1;

const CLASSES: [Fault; 7] = [
    Fault::Unregistered,
    Fault::Down,
    Fault::Timeout,
    Fault::Bounces,
    Fault::Unauthorised,
    Fault::Misconfigured,
    Fault::Broken,
];

/// The kinds of ways, in the order of the table's columns.
const KINDS: [&str; 6] = [
    "repeated",
    "swapped",
    "unheard",
    "failed",
    "ended",
    "ended, cut",
];

/// How a way differs from the story's own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    /// What comes in with this deed comes in twice.
    Repeated(usize),
    /// These deeds change places.
    Swapped(usize, usize),
    /// The message of this number arrives, and nobody here hears of that.
    Unheard(usize),
    /// The message of this number fails like this, always.
    Failed(usize, Fault),
    /// The process ends after so many commits; what had begun to leave is lost, or arrives.
    Ended(u64, bool),
}

impl Change {
    fn kind(self) -> Option<&'static str> {
        let at = match self {
            Self::Nothing => return None,
            Self::Repeated(_) => 0,
            Self::Swapped(..) => 1,
            Self::Unheard(_) => 2,
            Self::Failed(..) => 3,
            Self::Ended(_, false) => 4,
            Self::Ended(_, true) => 5,
        };
        Some(KINDS[at])
    }
}

/// A file of the recipes, or of the tests' own flows.
fn found(name: &str) -> Option<String> {
    file(name).or_else(|| beside(name))
}

/// A recipe with what its stories are played with.
struct Recipe {
    flow: Arc<Flow>,
    people: Directory,
    inputs: Json,
}

impl Recipe {
    fn all() -> Vec<Self> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes");
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
        names.sort();
        // No recipe calls another: a flow of the tests does.
        names.push("orders-signed.yaml".to_owned());
        let recipe = |name: String| Self {
            flow: flow(&name, &found(&name).unwrap()),
            people: story::directory(),
            inputs: json!({}),
        };
        names.into_iter().map(recipe).collect()
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            flow: &self.flow,
            inputs: &self.inputs,
            file: &found,
            catalog: catalog(),
            people: &self.people,
            position: Position::On,
        }
    }
}

/// What came of a way.
struct Came {
    /// What people heard, each message once.
    heard: Vec<String>,
    decisions: usize,
    messages: usize,
    commits: u64,
    /// Which deeds let something come in.
    inputs: Vec<usize>,
    broken: Vec<String>,
    /// Whether there is a message of which nobody can say if it was sent, and a dead letter of it.
    is_uncertain: bool,
}

/// A way while it is gone.
struct Way<'a> {
    change: Change,
    varied: Varied<'a>,
    database: Arc<Database>,
    crashing: Arc<Crashing>,
    ended: bool,
    broken: Vec<String>,
}

impl<'a> Way<'a> {
    fn new(recipe: &'a Recipe, story: &Story, change: Change) -> Self {
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        let ending = match change {
            Change::Ended(after, loses) => Ending::after(after, loses),
            _ => Ending::after(NEVER, false),
        };
        let crashing = Arc::new(Crashing::new(Arc::clone(&database) as _, ending));
        let stored: Stored = (Arc::clone(&crashing) as _, Arc::clone(&database) as _);
        let mut varied = Varied::new(recipe.scene(), story, stored).unwrap();
        let record = &varied.stage().record;
        crashing.between.takes_down(record);
        match change {
            Change::Unheard(number) => record.decree(number, Fate::Unheard),
            Change::Failed(number, fault) => record.decree(number, Fate::Fails(fault)),
            Change::Swapped(one, other) => varied.swap(one, other),
            _ => {}
        }
        Self {
            change,
            varied,
            database,
            crashing,
            ended: false,
            broken: Vec::new(),
        }
    }

    async fn look(&mut self) {
        let account = Account::of(&self.database).await;
        self.broken.extend(account.broken());
        for run in &account.runs {
            let engine = &self.varied.stage().engine;
            let sealed = engine.checked(run.run.id).await.unwrap().unwrap();
            if !sealed.flaws.is_empty() {
                let words = format!("seals: {} {} {sealed:?}", run.run.flow, run.run.key);
                self.broken.push(words);
            }
        }
    }

    /// If the process ended, the next one begins. Says whether it did.
    async fn begin_again(&mut self) -> bool {
        if !self.crashing.between.ended() || self.ended {
            return false;
        }
        self.ended = true;
        let stored: Stored = (
            Arc::clone(&self.database) as _,
            Arc::clone(&self.database) as _,
        );
        self.varied.next_process(stored).await.unwrap();
        self.varied.stage().settle().await.unwrap();
        self.look().await;
        true
    }

    async fn deed(&mut self, deed: usize) {
        let end = Arc::clone(&self.crashing);
        let mut done = if self.ended {
            self.varied.deed(deed).await
        } else {
            tokio::select! {
                biased;
                done = self.varied.deed(deed) => done,
                () = end.between.end_of_process() => Ok(()),
            }
        };
        if self.begin_again().await {
            done = self.varied.redo(deed).await;
            // What nobody can say was sent is tried again after a while.
            let soon = self.varied.stage().now() + Millis::seconds(30);
            self.varied.stage().pass_until(soon).await.unwrap();
        }
        if self.change == Change::Repeated(deed) {
            done = done.and(self.varied.again().await);
        }
        if let Err(message) = done
            && self.is_true_to_the_story()
        {
            self.broken
                .push(format!("deed {deed} cannot be done: {message}"));
        }
        self.look().await;
    }

    /// Whether everything that the story does must be possible.
    fn is_true_to_the_story(&self) -> bool {
        matches!(self.change, Change::Nothing | Change::Repeated(_))
    }

    async fn end(&mut self) {
        let end = Arc::clone(&self.crashing);
        let mut passed = if self.ended {
            self.varied.run_out(LONG).await
        } else {
            tokio::select! {
                biased;
                passed = self.varied.run_out(LONG) => passed,
                () = end.between.end_of_process() => Ok(true),
            }
        };
        if self.begin_again().await {
            passed = self.varied.run_out(LONG).await;
        }
        if let Err(message) = passed {
            self.broken.push(message);
        }
        self.look().await;
        if let Change::Failed(number, _) = self.change {
            self.mended(number).await;
        }
        let account = Account::of(&self.database).await;
        self.broken.extend(account.unended());
    }

    /// The providers are back and a person has looked after the connections.
    async fn mended(&mut self, number: usize) {
        let stage = self.varied.stage();
        stage.record.decree(usize::MAX, Fate::Fails(Fault::None));
        let connections: Vec<String> = stage.engine.setup().links.keys().cloned().collect();
        for connection in connections {
            stage.engine.test(&connection).await.unwrap();
        }
        let record = Arc::clone(&stage.record);
        if let Err(message) = self.varied.run_out(LONG).await {
            self.broken.push(message);
        }
        self.look().await;
        let account = Account::of(&self.database).await;
        let order = record.order();
        let sent = record.sent().clone();
        if let Some(effect) = order.get(number) {
            self.broken.extend(account.silent(*effect, &sent));
        }
    }

    async fn go(mut self) -> Came {
        for deed in 0..self.varied.deeds() {
            self.deed(deed).await;
        }
        self.end().await;
        let account = Account::of(&self.database).await;
        let record = &self.varied.stage().record;
        let sent = record.sent().clone();
        self.broken.extend(account.unmarked(&sent));
        self.broken.sort();
        self.broken.dedup();
        Came {
            heard: heard(&account, &sent),
            decisions: account.decisions(),
            is_uncertain: account.has_dead("maybe_sent"),
            messages: record.order().len(),
            commits: NEVER - self.crashing.between.left().min(NEVER),
            inputs: (0..self.varied.deeds())
                .filter(|deed| self.varied.comes_in(*deed))
                .collect(),
            broken: self.broken,
        }
    }
}

/// What people heard, each message once, whenever it was.
fn heard(account: &Account, sent: &[Sent]) -> Vec<String> {
    let mut known = std::collections::BTreeSet::new();
    let heard = sent.iter().filter(|sent| {
        matches!(sent.what, What::Push | What::Mail | What::Reply)
            && !account.is_code(sent)
            && known.insert(sent.effect)
    });
    let words = |sent: &Sent| format!("{:?} {} {:?}", sent.what, sent.who, sent.title);
    let mut out: Vec<String> = heard.map(words).collect();
    out.sort();
    out
}

/// The ways that a story can go, made from how it goes by itself.
fn ways(own: &Came) -> Vec<Change> {
    let mut out = Vec::new();
    out.extend(own.inputs.iter().map(|deed| Change::Repeated(*deed)));
    let pairs = own.inputs.windows(2);
    out.extend(pairs.map(|pair| Change::Swapped(pair[0], pair[1])));
    for number in 0..own.messages {
        out.push(Change::Unheard(number));
        out.extend(CLASSES.map(|fault| Change::Failed(number, fault)));
    }
    for commits in 1..own.commits {
        out.push(Change::Ended(commits, false));
        out.push(Change::Ended(commits, true));
    }
    out
}

/// Some of each kind, other ones for each story.
fn sampled(all: Vec<Change>, salt: usize) -> Vec<Change> {
    if option_env!("VARIANTS") == Some("all") {
        return all;
    }
    let mut out = Vec::new();
    for kind in KINDS {
        let of_kind: Vec<Change> = all
            .iter()
            .filter(|one| one.kind() == Some(kind))
            .copied()
            .collect();
        for n in 0..SAMPLE.min(of_kind.len()) {
            let at = (salt * 31 + n * (of_kind.len() / SAMPLE).max(1)) % of_kind.len();
            out.push(of_kind[at]);
        }
    }
    out
}

/// What a way may not do, measured against the story's own.
fn compared(own: &Came, came: &Came, change: Change) -> Vec<String> {
    let mut out = Vec::new();
    let same = matches!(change, Change::Repeated(_) | Change::Ended(_, false));
    if same && came.heard != own.heard {
        // Of what was in flight nobody can say what became of it; a person must look.
        let missing = own.heard.iter().filter(|line| !came.heard.contains(line));
        let missing = missing.filter(|_| !came.is_uncertain);
        let more = came.heard.iter().filter(|line| !own.heard.contains(line));
        let lines = missing
            .map(|line| format!("- {line}"))
            .chain(more.map(|line| format!("+ {line}")));
        let lines: Vec<String> = lines.collect();
        if !lines.is_empty() || !came.is_uncertain {
            out.push(format!("people hear something else: {}", lines.join("; ")));
        }
    }
    if same && came.decisions != own.decisions {
        out.push(format!(
            "{} decisions, not {}",
            came.decisions, own.decisions
        ));
    }
    out
}

/// What was found of a recipe and a kind.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    ways: usize,
    broken: usize,
}

type Table = BTreeMap<(String, &'static str), Tally>;

async fn vary(recipe: &Recipe, number: usize, table: &Mutex<Table>, said: &Mutex<Vec<String>>) {
    let story = &recipe.flow.tests[number];
    let own = Way::new(recipe, story, Change::Nothing).go().await;
    let name = &recipe.flow.name;
    if !own.broken.is_empty() {
        said.lock().unwrap().push(format!(
            "{name}: {}: {}",
            story.name,
            own.broken.join("\n    ")
        ));
    }
    for change in sampled(ways(&own), number) {
        let came = Way::new(recipe, story, change).go().await;
        let mut broken = came.broken.clone();
        broken.extend(compared(&own, &came, change));
        let mut table = table.lock().unwrap();
        let kind = change.kind().unwrap_or_default();
        let tally = table.entry((name.clone(), kind)).or_default();
        tally.ways += 1;
        if !broken.is_empty() {
            tally.broken += 1;
            said.lock().unwrap().push(format!(
                "{name}: {} ({change:?}):\n    {}",
                story.name,
                broken.join("\n    ")
            ));
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what people run this for")]
fn show(recipes: &[Recipe], table: &Table) {
    let mut head = format!("{:<24}", "ways gone, broken");
    for kind in KINDS {
        head.push_str(&format!("{kind:>14}"));
    }
    println!("{head}");
    for recipe in recipes {
        let name = &recipe.flow.name;
        let mut line = format!("{name:<24}");
        for kind in KINDS {
            let tally = table.get(&(name.clone(), kind)).copied();
            let tally = tally.unwrap_or_default();
            line.push_str(&format!("{:>10},{:>3}", tally.ways, tally.broken));
        }
        println!("{line}");
    }
}

#[test]
fn every_recipe_holds_on_every_way_that_its_stories_can_go() {
    let recipes = Recipe::all();
    let stories: Vec<(usize, usize)> = recipes
        .iter()
        .enumerate()
        .flat_map(|(at, recipe)| (0..recipe.flow.tests.len()).map(move |story| (at, story)))
        .collect();
    let next = AtomicUsize::new(0);
    let table = Mutex::new(Table::new());
    let said = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                while let Some((recipe, story)) = stories.get(next.fetch_add(1, Ordering::SeqCst)) {
                    runtime.block_on(vary(&recipes[*recipe], *story, &table, &said));
                }
            });
        }
    });
    let table = table.into_inner().unwrap();
    show(&recipes, &table);
    let said = said.into_inner().unwrap();
    assert!(said.is_empty(), "{}", said.join("\n"));
    let ways: usize = table.values().map(|tally| tally.ways).sum();
    assert!(ways > recipes.len() * KINDS.len() * 5, "{ways}");
}
