//! The world of a backtest: an engine with the one flow, in a store of its own, on a clock that
//! follows the record. Its connections send nothing; they answer what the record says.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_model::BoxFuture;
use bellwether_model::connector::{Action, Checked, Connection, Outcome};
use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::id::{CellId, Id};
use bellwether_model::time::Time;

use super::Trial;
use super::past::Past;
use crate::flow::{Active, FlowSet, Position};
use crate::run::{Arriving, Engine, Link, Parts, Setup, message_id};
use crate::seam::{IntakeError, Live};
use crate::store::{Answer, CellRef, Member, Owner, Query, Store, StoreError, Verdict};
use crate::story::{Between, Stored, StoryClock, Through, drive};

/// Effects in flight per connection: nothing waits for a slot.
const SLOTS: usize = 4096;

/// The engine of a backtest.
pub(super) struct Stage {
    engine: Engine,
    clock: Arc<StoryClock>,
    store: Arc<Through<Aside>>,
    /// When the next thing falls due.
    due: Option<Time>,
}

impl Stage {
    pub(super) fn new(real: &Engine, trial: &Trial, scratch: Stored, past: &Arc<Past>) -> Self {
        let clock = Arc::new(StoryClock::at(trial.from));
        let aside = Aside {
            commits: AtomicU64::new(0),
            record: Arc::clone(&real.inner.parts.store),
            given: Mutex::default(),
        };
        let store = Arc::new(Through::new(scratch.0, aside));
        let engine = Engine::new(Parts {
            store: Arc::clone(&store) as _,
            views: scratch.1,
            flow_clock: Arc::clone(&clock) as _,
            transport_clock: Arc::clone(&clock) as _,
            keys: Arc::clone(&real.inner.parts.keys),
            owner: Owner(Id::derive(trial.from, &[b"backtest"])),
            public_url: real.inner.parts.public_url.clone(),
            live: Live::default(),
        });
        engine.set_up(set_up(&real.setup(), trial, past));
        Self {
            engine,
            clock,
            store,
            due: None,
        }
    }

    /// The clock moves on to `to`; what falls due on the way is done.
    pub(super) async fn until(&mut self, to: Time) -> Result<(), StoreError> {
        if self.due.is_none_or(|due| due > to) {
            self.clock.move_to(to);
            return Ok(());
        }
        let commits = || self.store.between.commits.load(Ordering::Relaxed);
        self.due = drive::pass_until(&self.engine, &self.clock, commits, to).await?;
        Ok(())
    }

    /// An event comes in, as it did at `at`: events that came together are recorded in any order.
    /// It is kept only if the flow does something with it.
    pub(super) async fn take(&mut self, event: NewEvent, at: Time) -> Result<(), StoreError> {
        let before = self.store.between.commits.load(Ordering::Relaxed);
        self.store.between.comes(&event);
        let arriving = Arriving {
            replayed: Some(at),
            ..Arriving::of(event)
        };
        match self.engine.take_in(arriving).await {
            Ok(_) => {}
            Err(IntakeError::Store(why)) => return Err(StoreError(why)),
            // What the record took once and would not be taken any more starts nothing.
            Err(error) => tracing::debug!("not replayed: {error}"),
        }
        if self.store.between.commits.load(Ordering::Relaxed) != before {
            let commits = || self.store.between.commits.load(Ordering::Relaxed);
            self.due = drive::settle(&self.engine, commits).await?;
        }
        Ok(())
    }

    /// From now on nothing begins any more; what has begun goes on.
    pub(super) fn close_doors(&self, flow: &str) {
        let before = self.engine.setup();
        let mut setup = Setup::clone(&before);
        // What gathers its lists goes on.
        let closed = setup.active.values().map(|program| Active {
            flow: Arc::clone(&program.flow),
            inputs: program.inputs.clone(),
            position: match program.flow.name == flow {
                true => Position::Off,
                false => Position::On,
            },
        });
        let elsewhere = before.flows.elsewhere().clone();
        setup.flows = FlowSet::new(2, closed.collect()).with_answers_from(elsewhere);
        self.engine.set_up(setup);
    }
}

/// The real set-up with the one flow, and with connections that answer from the record.
fn set_up(real: &Setup, trial: &Trial, past: &Arc<Past>) -> Setup {
    let replayed = |link: &Link| Link {
        name: link.name.clone(),
        def: link.def,
        connection: Arc::new(Replayed(Arc::clone(past))) as Arc<dyn Connection>,
        slots: SLOTS,
    };
    let links: BTreeMap<String, Link> = real
        .links
        .iter()
        .map(|(name, link)| (name.clone(), replayed(link)))
        .collect();
    let program = Arc::clone(&trial.program);
    let active = Active {
        flow: Arc::clone(&program.flow),
        inputs: program.inputs.clone(),
        position: Position::On,
    };
    // What other flows answered is in the record.
    let elsewhere = real.flows.callable().map(str::to_owned);
    Setup {
        flows: FlowSet::new(1, vec![active]).with_answers_from(elsewhere.collect()),
        programs: HashMap::from([(program.hash, Arc::clone(&program))]),
        active: HashMap::from([(program.flow.name.clone(), program)]),
        directory: Arc::clone(&real.directory),
        links,
        roles: real.roles.clone(),
    }
}

/// A connection that sends nothing.
#[derive(Debug)]
struct Replayed(Arc<Past>);

impl Connection for Replayed {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(std::future::ready(Ok(Checked {
            identity: "the record".to_owned(),
        })))
    }

    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.0.outcome(action))
    }
}

/// Beside the store of a backtest: names that the record knows mean the same run here, and what is
/// looked up about customers and users is looked up where it is.
#[derive(Debug)]
struct Aside {
    commits: AtomicU64,
    record: Arc<dyn Store>,
    /// The name of the mail that comes in, unless we sent it: the record has it from this very mail
    /// or from a later copy, so nobody could know it by then.
    given: Mutex<Option<Alias>>,
}

impl Aside {
    fn comes(&self, event: &NewEvent) {
        let is_ours = event.data["mail"]["own"] == true;
        let given = message_id(event).filter(|_| !is_ours);
        *self.given() = given;
    }

    fn given(&self) -> MutexGuard<'_, Option<Alias>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Between for Aside {
    fn commit<'a>(
        &'a self,
        store: &'a dyn Store,
        members: Vec<Member>,
    ) -> BoxFuture<'a, Vec<Verdict>> {
        Box::pin(async move {
            let verdicts = store.commit(members).await;
            let done = verdicts
                .iter()
                .filter(|one| matches!(one, Verdict::Done(_)));
            let done = u64::try_from(done.count()).unwrap_or(u64::MAX);
            self.commits.fetch_add(done, Ordering::Relaxed);
            verdicts
        })
    }

    fn resolve<'a>(
        &'a self,
        store: &'a dyn Store,
        aliases: &'a [Alias],
    ) -> BoxFuture<'a, Result<Vec<Option<CellId>>, StoreError>> {
        Box::pin(async move {
            let mut found = store.resolve(aliases).await?;
            if found.iter().all(Option::is_some) {
                return Ok(found);
            }
            let recorded = self.record.resolve(aliases).await?;
            let given = self.given().clone();
            for ((here, there), alias) in found.iter_mut().zip(recorded).zip(aliases) {
                if let (None, Some(cell)) = (&here, there)
                    && given.as_ref() != Some(alias)
                {
                    let known = store.load(&[CellRef::Id(cell)]).await?;
                    *here = known[0].as_ref().map(|snapshot| snapshot.cell);
                }
            }
            Ok(found)
        })
    }

    fn answer<'a>(
        &'a self,
        store: &'a dyn Store,
        queries: &'a [Query],
    ) -> BoxFuture<'a, Result<Vec<Answer>, StoreError>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(queries.len());
            for query in queries {
                let from = match query {
                    Query::UsersOf { .. } | Query::Customer { .. } | Query::Outcome { .. } => {
                        &*self.record
                    }
                    Query::Items { .. } | Query::Counter { .. } => store,
                };
                answers.extend(from.answer(std::slice::from_ref(query)).await?);
            }
            Ok(answers)
        })
    }
}
