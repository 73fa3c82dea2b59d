//! Taking a turn of one cell: load what it may look at, decide outside the writer, hand back what
//! to commit. A fault in a flow never takes the server down: a panic becomes a dead letter.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bellwether_model::event::{Alias, Event, Position};
use bellwether_model::failure::Failure;
use bellwether_model::id::{CellId, Id};
use bellwether_model::time::Time;
use serde_json::{Value as Json, json};

use super::address::message_id;
use super::prepare::{Prepared, Taker, event_input};
use super::seal::with_print;
use super::{Engine, Program, Setup, reduce};
use crate::decide::{Case, Dead, EventKey, Input, RunState, Step, Turn, decide};
use crate::flow::gatherers;
use crate::lang::{Customers, LOOKUPS_MAX, Lookups, Scope, World, addresses_in};
use crate::store::{
    Answer, CellStatus, EffectRow, EventRef, Member, Query, Snapshot, StoreError, Verdict,
};

/// What an existing cell takes a turn about.
#[derive(Debug)]
pub(crate) enum About<'a> {
    /// An event with its key came again.
    Again(&'a Event),
    /// An event addressed to it.
    Addressed(&'a Event, Option<&'a EffectRow>),
    /// A timer.
    Timer(&'a str),
    /// One of its effects was given up.
    Failed(&'a EffectRow, &'a Failure),
}

impl About<'_> {
    /// As the journal has it.
    /// As the journal has it; with a print of what came in where the journal is sealed.
    fn journalled(&self, sealed: bool) -> Json {
        let of = |event: &Event| match sealed {
            true => with_print(event_input(event), event),
            false => event_input(event),
        };
        match self {
            Self::Again(event) => of(event),
            Self::Addressed(event, effect) => {
                let mut input = of(event);
                if let Some(effect) = effect {
                    input["effect"] = json!(effect.id);
                }
                input
            }
            Self::Timer(name) => json!({ "timer": name }),
            Self::Failed(effect, failure) => json!({ "failed": effect.id, "code": failure.code }),
        }
    }
}

/// Why a cell could not take a turn.
#[derive(Debug)]
pub(crate) enum NoTurn {
    /// The cell is gone.
    Gone,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for NoTurn {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Engine {
    /// The world of a turn, without customers.
    pub(crate) fn world(&self, setup: &Setup, now: Time) -> Arc<World> {
        Arc::new(World {
            directory: Arc::clone(&setup.directory),
            now,
            ..World::default()
        })
    }

    /// The same world with answers to what a turn asked for besides.
    async fn told(&self, world: &World, missing: Vec<Query>) -> Result<Arc<World>, StoreError> {
        let answers = self.store().answer(&missing).await?;
        if answers.len() != missing.len() {
            return Err(StoreError("not everything was answered".to_owned()));
        }
        let mut known = world.lookups.known().to_vec();
        known.extend(missing.into_iter().zip(answers));
        Ok(Arc::new(World {
            lookups: Arc::new(Lookups::of(known)),
            ..world.clone()
        }))
    }

    /// The world of a turn in which these events matter. Customers are looked up only when a flow
    /// asks for them.
    pub(crate) async fn world_of(
        &self,
        setup: &Setup,
        now: Time,
        asks: bool,
        events: &[&Event],
    ) -> Result<Arc<World>, StoreError> {
        let addresses = events.iter().filter(|_| asks);
        let addresses = addresses.flat_map(|event| addresses_in(&event.envelope.data));
        let queries: Vec<Query> = addresses
            .map(|address| Query::Customer { address })
            .collect();
        if queries.is_empty() {
            return Ok(self.world(setup, now));
        }
        let mut customers = Customers::new();
        for answer in self.store().answer(&queries).await? {
            if let Answer::Customer(Some(customer)) = answer {
                customers.insert(customer.address.clone(), customer);
            }
        }
        Ok(Arc::new(World {
            directory: Arc::clone(&setup.directory),
            guests: Arc::new(Self::guests(setup, &customers)),
            customers: Arc::new(customers),
            now,
            ..World::default()
        }))
    }

    /// The world of a turn of a case that an event opened.
    async fn world_about(
        &self,
        setup: &Setup,
        now: Time,
        program: &Program,
        opened_by: &Event,
        about: &About<'_>,
    ) -> Result<Arc<World>, StoreError> {
        let mut events = vec![opened_by];
        if let About::Again(event) | About::Addressed(event, _) = *about {
            events.push(event);
        }
        let asks = program.flow.asks_customers();
        self.world_of(setup, now, asks, &events).await
    }

    /// The program of a cell: the version that it began with.
    fn program_of(setup: &Setup, snapshot: &Snapshot) -> Option<Arc<Program>> {
        let kept = setup.programs.get(&snapshot.program_hash);
        kept.or_else(|| setup.active.get(&snapshot.program))
            .cloned()
    }

    /// Decides and prepares a turn of an existing cell.
    pub(crate) async fn next_turn(
        &self,
        setup: &Setup,
        snapshot: &Snapshot,
        about: &About<'_>,
    ) -> Result<Prepared, NoTurn> {
        let now = self.now().max(snapshot.last_turn_at);
        if reduce::connection_of(&snapshot.program).is_some() {
            return Self::reduced(setup, snapshot, about, now).ok_or(NoTurn::Gone);
        }
        let Some(program) = Self::program_of(setup, snapshot) else {
            return Err(NoTurn::Gone);
        };
        let Some(opened_by) = snapshot.opened_by.as_ref() else {
            return Err(NoTurn::Gone);
        };
        let taker = Taker {
            cell: snapshot.cell,
            program: Arc::clone(&program),
            key: snapshot.key.clone(),
            keyed: program.flow.case.is_some(),
            epoch: snapshot.epoch,
            version: snapshot.version,
            opened_by: Some(opened_by.position),
            hop: opened_by.envelope.hop,
        };
        let closed = snapshot.status == CellStatus::Closed;
        let turn = match RunState::read(&snapshot.state) {
            Ok(state) => {
                let past = self.past(&state).await?;
                let lines = self.lines_of(snapshot, about, &program).await?;
                let mut world = self
                    .world_about(setup, now, &program, opened_by, about)
                    .await?;
                let input = match *about {
                    About::Again(event) => Input::Again(event),
                    About::Addressed(event, effect) => Input::Addressed(event, effect),
                    About::Timer(name) => Input::Timer(name),
                    About::Failed(effect, failure) => Input::Failed(effect, failure),
                };
                loop {
                    let case = Case {
                        flow: &program.flow,
                        inputs: &program.inputs,
                        cell: snapshot.cell,
                        key: &snapshot.key,
                        version: snapshot.version,
                        opened_by,
                        trigger: state.trigger.as_deref(),
                        scope: None,
                        past: &past,
                        lines: &lines,
                        world: &world,
                        now,
                    };
                    match guarded(&case, Some(&state), &input, closed) {
                        Decided::Turn(turn) => break *turn,
                        Decided::Need(missing) => world = self.told(&world, missing).await?,
                    }
                }
            }
            Err(error) => unreadable(&error),
        };
        let input = about.journalled(taker.program.asks);
        // A further copy of this mail, in another mailbox, must find the case that has seen it.
        let aliases = match about {
            About::Again(event) => message_id(&event.envelope).into_iter().collect(),
            _ => Vec::new(),
        };
        Ok(self.prepare(setup, taker, turn, &input, aliases, now).await)
    }

    /// Decides and prepares the first turn of a new cell.
    pub(crate) async fn first_turn(
        &self,
        setup: &Setup,
        opening: Opening<'_>,
        now: Time,
    ) -> Prepared {
        let key = opening.key;
        let cell = Id::derive(
            now,
            &[
                opening.program.flow.name.as_bytes(),
                key.as_bytes(),
                &opening.epoch.to_be_bytes(),
                &opening.event.envelope.seen_key(),
            ],
        );
        let past = BTreeMap::new();
        let mut world = Arc::clone(opening.world);
        // What matching worked out is used again, unless the turn has to look something up.
        let mut scope = Some(opening.scope);
        let turn = loop {
            let case = Case {
                flow: &opening.program.flow,
                inputs: &opening.program.inputs,
                cell,
                key,
                version: 0,
                opened_by: opening.event,
                trigger: opening.trigger,
                scope: scope.take(),
                past: &past,
                lines: &[],
                world: &world,
                now,
            };
            match guarded(&case, None, &Input::Open, false) {
                Decided::Turn(turn) => break *turn,
                Decided::Need(missing) => match self.told(&world, missing).await {
                    Ok(told) => world = told,
                    Err(error) => break unreadable(&format!("looking something up: {error}")),
                },
            }
        };
        let taker = Taker {
            cell,
            keyed: opening.keyed,
            program: Arc::clone(opening.program),
            key: key.to_owned(),
            epoch: opening.epoch,
            version: 0,
            opened_by: opening.at,
            hop: opening.event.envelope.hop,
        };
        let mut input = json!({ "type": opening.event.envelope.kind });
        if taker.program.asks {
            input = with_print(input, opening.event);
        }
        self.prepare(setup, taker, turn, &input, opening.aliases, now)
            .await
    }

    /// The events that a state refers to.
    async fn past(&self, state: &RunState) -> Result<BTreeMap<EventKey, Event>, StoreError> {
        let keys = state.refers_to();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let refs: Vec<EventRef> = keys.iter().filter_map(|key| event_ref(key)).collect();
        let events = self.store().events(&refs).await?;
        Ok(keys
            .into_iter()
            .zip(events)
            .filter_map(|(key, event)| Some((key, event?)))
            .collect())
    }

    /// The lines of a list, where a turn looks at them: when it leaves, and when what was sent of
    /// it
    /// was given up.
    async fn lines_of(
        &self,
        snapshot: &Snapshot,
        about: &About<'_>,
        program: &Program,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let looks = matches!(about, About::Timer(_) | About::Failed(..));
        if !looks || !gatherers::is_one(&program.flow) {
            return Ok(Vec::new());
        }
        let query = Query::Items {
            cell: snapshot.cell,
            window: gatherers::LINES.to_owned(),
        };
        let answers = self.store().answer(&[query]).await?;
        Ok(match answers.into_iter().next() {
            Some(Answer::Items(lines)) => lines,
            _ => Vec::new(),
        })
    }

    /// Takes a turn of a cell and commits it together with `with`; decides again when the cell
    /// moved meanwhile. Returns what was said, or None when the cell is gone.
    pub(crate) async fn take_turn(
        &self,
        cell: CellId,
        about: &About<'_>,
        with: Member,
        consumes: Option<Position>,
    ) -> Result<Option<Prepared>, StoreError> {
        let mut refused: Option<String> = None;
        loop {
            let Some(snapshot) = self.cell(cell).await? else {
                return Ok(None);
            };
            if let Some(reason) = &refused {
                let standing = self.stand_still(&snapshot, about, &with, consumes, reason);
                match standing.await {
                    Verdict::Done(_) => return Ok(Some(Prepared::nothing())),
                    Verdict::Stale => self.count_stale(),
                    Verdict::Duplicate { .. } => return Ok(None),
                    Verdict::Refused(reason) | Verdict::Unavailable(reason) => {
                        return Err(StoreError(reason));
                    }
                }
                continue;
            }
            let setup = self.setup();
            let mut prepared = match self.next_turn(&setup, &snapshot, about).await {
                Ok(prepared) => prepared,
                Err(NoTurn::Gone) => return Ok(None),
                Err(NoTurn::Store(error)) => return Err(error),
            };
            let mut member = with.clone();
            if let (Some(write), Some(position)) = (&mut prepared.write, consumes) {
                write.consumes.push(position);
            }
            fill(&mut member, &mut prepared);
            match self.commit_one(member).await {
                Verdict::Done(_) => {
                    self.after_commit(&mut prepared);
                    return Ok(Some(prepared));
                }
                Verdict::Stale => self.count_stale(),
                Verdict::Duplicate { .. } => return Ok(None),
                Verdict::Refused(reason) => refused = Some(reason),
                Verdict::Unavailable(reason) => return Err(StoreError(reason)),
            }
        }
    }

    /// Commits one member.
    pub(crate) async fn commit_one(&self, member: Member) -> Verdict {
        let verdicts = self.store().commit(vec![member]).await;
        verdicts
            .into_iter()
            .next()
            .unwrap_or(Verdict::Unavailable("no verdict".to_owned()))
    }
}

/// What opens a cell.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) program: &'a Arc<Program>,
    pub(crate) key: &'a str,
    /// Whether later events may have the same key.
    pub(crate) keyed: bool,
    pub(crate) epoch: u32,
    pub(crate) event: &'a Event,
    pub(crate) at: Option<Position>,
    pub(crate) trigger: Option<&'a str>,
    pub(crate) scope: Scope,
    pub(crate) world: &'a Arc<World>,
    pub(crate) aliases: Vec<Alias>,
}

/// Moves a prepared turn's writes into a member.
pub(crate) fn fill(member: &mut Member, prepared: &mut Prepared) {
    member.turns.extend(prepared.write.take());
    member.emits.append(&mut prepared.emits);
    member.dead_letters.append(&mut prepared.dead_letters);
}

/// What deciding came to.
enum Decided {
    /// A turn.
    Turn(Box<Turn>),
    /// These must be looked up first.
    Need(Vec<Query>),
}

/// `decide` under a guard: a panic is our own mistake and must not stop the server or lose the
/// event.
fn guarded<'a>(
    case: &'a Case<'a>,
    state: Option<&RunState>,
    input: &Input<'a>,
    closed: bool,
) -> Decided {
    let decided = catch_unwind(AssertUnwindSafe(|| decide(case, state, input)));
    match decided {
        Ok(Step::Turn(mut turn)) => {
            // A closed cell still answers, but never opens again.
            turn.closed |= closed;
            Decided::Turn(turn)
        }
        Ok(Step::Need(missing)) if case.world.lookups.known().len() < LOOKUPS_MAX => {
            Decided::Need(missing)
        }
        Ok(Step::Need(_)) => {
            let mut turn = unreadable("this flow looks up too many things at once");
            turn.state = state.cloned().unwrap_or_default();
            turn.closed = closed;
            Decided::Turn(Box::new(turn))
        }
        Err(_) => {
            let mut turn = unreadable("deciding this step failed inside the server");
            turn.state = state.cloned().unwrap_or_default();
            turn.closed = closed;
            Decided::Turn(Box::new(turn))
        }
    }
}

fn unreadable(reason: &str) -> Turn {
    Turn {
        dead_letters: vec![Dead::new("bug", reason)],
        closed: true,
        ..Turn::default()
    }
}

fn event_ref(key: &str) -> Option<EventRef> {
    let id: Id = key.parse().ok()?;
    Some(EventRef::Key(id.0))
}
