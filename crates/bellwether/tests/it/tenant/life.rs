//! One life: a tenant with the server that watches it, and what may happen to both. What must be
//! said of it is in `expected.rs`, what it stands on in `ground.rs`.

use std::sync::Arc;

use bellwether_engine::run::{Engine, IN_FLIGHT, Link, Parts, Setup};
use bellwether_engine::seam::{Connections as _, Live};
use bellwether_engine::store::Owner;
use bellwether_engine::story::{StoryClock, Through};
use bellwether_model::clock::Clock as _;
use bellwether_model::connector::{Connection, Host};
use bellwether_model::failure::FailureClass;
use bellwether_model::id::Id;
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use super::expected::{Licence, MAX};
use super::ground::{Ends, Ground, Kept, Safe, Steps, Way};
use super::hints::Listener;
use super::said::Said;
use crate::world::{Dice, keys};

pub(super) const NAME: &str = "licences";
pub(super) const TENANT: &str = "life";
pub(super) const BEGINS: &str = "2026-03-02T08:00:00Z";
/// The most steps after which a process ends that is meant to.
const STEPS_MAX: usize = 40;
const STATES: [&str; 8] = [
    "purchase_phase_1",
    "purchase_phase_2",
    "downloading",
    "finalizing",
    "completed",
    "error",
    "cancelled",
    "who_knows",
];

/// What happened in lives, by number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) lives: u64,
    pub(super) events: u64,
    pub(super) crashes: u64,
    pub(super) consents: u64,
    pub(super) outages: u64,
    pub(super) renewals: u64,
    pub(super) hints: u64,
    pub(super) hints_lost: u64,
    pub(super) hints_doubled: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.lives += other.lives;
        self.events += other.events;
        self.crashes += other.crashes;
        self.consents += other.consents;
        self.outages += other.outages;
        self.renewals += other.renewals;
        self.hints += other.hints;
        self.hints_lost += other.hints_lost;
        self.hints_doubled += other.hints_doubled;
    }
}

/// One tenant with the server that watches it.
pub(super) struct Life {
    ground: Arc<Ground>,
    info: Json,
    database: Arc<Database>,
    kept: Arc<Kept>,
    clock: Arc<StoryClock>,
    engine: Engine,
    processes: u8,
    pub(super) licences: Vec<Licence>,
    /// Bought anew: the earlier licence and the later one, of which only time and a cancellation
    /// are still to come.
    pairs: Vec<(usize, usize)>,
    /// Second purchases that were cancelled.
    over: Vec<usize>,
    /// The next read begins at the start.
    cursor_lost: bool,
    /// Whether its push channel says anything, and what it said so far.
    listener: Option<Listener>,
    hints_sent: u64,
    seed: u64,
    pub(super) said: Said,
    /// What happened, for a seed that fails.
    pub(super) told: Vec<String>,
    pub(super) tally: Tally,
}

impl Life {
    pub(super) async fn begin(ground: &Arc<Ground>, seed: u64) -> Self {
        let tenant = json!({"id": TENANT, "seed": seed % 1_000, "transactions": 0});
        let info = ground.set("smintio", tenant).await;
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        let kept = Arc::new(Kept::default());
        let clock = Arc::new(StoryClock::at(Time::parse(BEGINS).unwrap()));
        let steps = Steps::endless();
        let engine = process(ground, &info, (&database, &kept, &clock), (1, steps));
        let mut life = Self {
            ground: Arc::clone(ground),
            info,
            database,
            kept,
            clock,
            engine,
            processes: 1,
            licences: Vec::new(),
            pairs: Vec::new(),
            over: Vec::new(),
            cursor_lost: false,
            listener: None,
            hints_sent: 0,
            seed,
            said: Said::default(),
            told: Vec::new(),
            tally: Tally::default(),
        };
        life.set_clock().await;
        // Nobody looks at an ID token here, and signing one costs more than a read.
        life.deed("tokens", json!({"id_seconds": 0})).await;
        life
    }

    /// From now on its push channel is listened to.
    pub(super) async fn listen(&mut self) {
        self.listener = Some(Listener::start(&self.ground, TENANT, self.connection()).await);
        self.hints_sent = self.sent().await;
    }

    fn connection(&self) -> Arc<dyn Connection> {
        Arc::clone(&self.engine.setup().links[NAME].connection)
    }

    async fn sent(&self) -> u64 {
        self.ground.show(TENANT).await["hints"].as_u64().unwrap()
    }

    async fn set_clock(&mut self) {
        let clock = json!({"start": self.clock.now().to_string(), "rate": 0.0});
        self.ground.set("clock", clock).await;
    }

    async fn deed(&mut self, deed: &str, body: Json) -> Json {
        self.told
            .push(format!("{} {deed} {body}", self.clock.now()));
        let path = format!("smintio/{TENANT}/{deed}");
        self.ground.set(&path, body).await
    }

    fn restart(&mut self, steps: Arc<Steps>) {
        self.processes = self.processes.wrapping_add(1);
        let parts = (&self.database, &self.kept, &self.clock);
        self.engine = process(&self.ground, &self.info, parts, (self.processes, steps));
    }

    /// Reads to the end; what was to be seen is seen.
    pub(super) async fn read(&mut self, everything: bool, silently: bool) {
        self.told
            .push(format!("{} read {everything}", self.clock.now()));
        assert!(self.engine.read_now(NAME).await);
        if everything {
            self.engine.sweep(NAME).await.unwrap();
        }
        self.engine.do_ready().await.unwrap();
        self.seen(everything, silently);
    }

    fn seen(&mut self, everything: bool, silently: bool) {
        let all = everything || std::mem::take(&mut self.cursor_lost);
        let now = self.clock.now();
        for licence in &mut self.licences {
            if licence.changed || (all && licence.silent) {
                licence.seen(now, silently);
            }
        }
    }

    /// Whatever the push channel said since the last time leads to as many reads at once.
    async fn heed_hints(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let sent = self.sent().await;
        let new = sent - std::mem::replace(&mut self.hints_sent, sent);
        listener.heard(sent).await;
        self.tally.hints += new;
        match new {
            0 => self.tally.hints_lost += 1,
            1 => self.read(false, false).await,
            _ => {
                self.tally.hints_doubled += 1;
                self.told.push(format!("{} hinted {new}", self.clock.now()));
                let (one, other) =
                    tokio::join!(self.engine.read_now(NAME), self.engine.read_now(NAME));
                assert!(one && other);
                self.engine.do_ready().await.unwrap();
                self.seen(false, false);
            }
        }
    }

    /// Time passes; every timer is met at its moment, now and then by a process that ends.
    pub(super) async fn pass(&mut self, length: Millis, dice: &mut Dice) {
        let (from, until) = (self.clock.now(), self.clock.now() + length);
        self.told.push(format!("{from} to {until}"));
        loop {
            if dice.below(12) == 0 {
                self.end_within(dice).await;
            }
            match self.engine.do_ready().await.unwrap() {
                Some(due) if due <= until => self.clock.move_to(due),
                _ => break,
            }
        }
        self.clock.move_to(until);
        self.engine.do_ready().await.unwrap();
        self.set_clock().await;
        for licence in &mut self.licences {
            licence.pass(from, until);
        }
    }

    /// A process that does what is ready and ends in the middle of it; another one goes on.
    async fn end_within(&mut self, dice: &mut Dice) {
        let steps = dice.below(6) as i64;
        self.told.push(format!("ends after {steps}"));
        let steps = Steps::after(steps);
        self.restart(Arc::clone(&steps));
        drop(self.engine.do_ready().await);
        self.tally.crashes += u64::from(steps.are_over());
        self.restart(Steps::endless());
    }

    pub(super) async fn buy(&mut self, dice: &mut Dice) {
        let days = [None, Some(3), Some(20), Some(45), Some(120), Some(400)][dice.below(6)];
        let state = STATES[[0, 0, 2, 4, 4, 7][dice.below(6)]];
        let ai = dice.below(4) == 0;
        let order = json!({"state": state, "valid_days": days, "ai": ai, "max_downloads": MAX,
            "restrictive": false, "editorial": false, "model_release": "released",
            "property_release": "released", "license_type": "royalty_free"});
        let uuid = self.deed("buy", order).await["uuid"].take();
        let now = self.clock.now();
        let until = days.map(|days| now + Millis::days(days));
        let licence = Licence::new(uuid.as_str().unwrap(), state, until, now, ai);
        self.licences.push(licence);
        self.heed_hints().await;
    }

    pub(super) async fn change(&mut self, dice: &mut Dice) {
        let at = dice.below(self.licences.len());
        let paired = self.pairs.iter().any(|(old, new)| at == *old || at == *new);
        if paired || self.over.contains(&at) {
            return;
        }
        let uuid = self.licences[at].uuid.clone();
        match dice.below(6) {
            0 | 1 => {
                let state = STATES[dice.below(STATES.len())];
                self.deed("step", json!({"uuid": uuid, "state": state}))
                    .await;
                let now = self.clock.now();
                self.licences[at].step(state, now);
            }
            2 => {
                let days = [2, 10, 35, 100, 300][dice.below(5)];
                let order = json!({"uuid": uuid, "days": days, "in_place": true});
                self.deed("renew", order).await;
                self.licences[at].until = Some(self.clock.now() + Millis::days(days));
                self.licences[at].changed = true;
            }
            3 if self.licences[at].state == "completed" => {
                self.deed("update", json!({"uuid": uuid})).await;
                self.licences[at].file += 1;
                self.licences[at].changed = true;
            }
            _ => {
                let by = 1 + dice.below(5) as i64;
                let silent = dice.below(3) == 0;
                self.deed("usage", json!({"uuid": uuid, "by": by, "silent": silent}))
                    .await;
                let licence = &mut self.licences[at];
                licence.current += by;
                licence.silent |= silent;
                licence.changed |= !silent;
                if silent {
                    return;
                }
            }
        }
        self.heed_hints().await;
    }

    /// The same asset is bought again, or the second purchase is cancelled. Nothing else is under
    /// way meanwhile, because what is said of both would depend on which is read first.
    pub(super) async fn renew(&mut self, dice: &mut Dice) {
        self.read(true, false).await;
        if !self.pairs.is_empty() && dice.below(3) == 0 {
            let (old, new) = self.pairs.swap_remove(dice.below(self.pairs.len()));
            let uuid = self.licences[new].uuid.clone();
            self.deed("step", json!({"uuid": uuid, "state": "cancelled"}))
                .await;
            let now = self.clock.now();
            self.licences[new].step("cancelled", now);
            self.read(false, false).await;
            self.licences[old].cover(None, now);
            self.over.push(new);
            return;
        }
        let paired = |at: &usize| self.pairs.iter().any(|(old, new)| at == old || at == new);
        let mut fit = (0..self.licences.len()).filter(|at| {
            let licence = &self.licences[*at];
            !paired(at) && licence.is_held() && licence.is_known() && licence.until.is_some()
        });
        let Some(old) = fit.next() else { return };
        let days = [5, 50, 200][dice.below(3)];
        let order = json!({"uuid": self.licences[old].uuid, "days": days});
        let uuid = self.deed("renew", order).await["uuid"].take();
        let now = self.clock.now();
        let until = now + Millis::days(days);
        let uuid = uuid.as_str().unwrap();
        // It counts no downloads, so the earlier one is narrower and never takes over from it.
        let licence = Licence::new(uuid, "completed", Some(until), now, false);
        self.licences.push(licence);
        self.tally.renewals += 1;
        self.read(false, false).await;
        self.licences[old].cover(Some(until), now);
        self.pairs.push((old, self.licences.len() - 1));
    }

    pub(super) async fn trouble(&mut self, dice: &mut Dice) {
        match dice.below(9) {
            0 => {
                self.deed("expire_cursors", json!({})).await;
                self.cursor_lost = true;
            }
            1 => drop(self.deed("tokens", json!({"expire_access": true})).await),
            2 => {
                // What comes again shows what grew in silence: nothing may be outstanding.
                self.read(true, false).await;
                self.deed("redeliver", json!({"count": 4})).await;
                self.read(false, false).await;
            }
            3 => {
                let kinds = ["too_many", "internal", "maintenance", "truncated", "locked"];
                self.deed("outage", json!({"kind": kinds[dice.below(5)]}))
                    .await;
                self.tally.outages += 1;
                assert!(self.engine.read_now(NAME).await);
                self.deed("recover", json!({})).await;
            }
            4 => self.restart(Steps::endless()),
            5 => {
                self.deed("tokens", json!({"lose_consent": true})).await;
                assert!(self.engine.read_now(NAME).await);
                self.consent_again().await;
            }
            6 => {
                let hints = [json!({"lose": 2}), json!({"double": 3})];
                self.deed("pusher", hints[dice.below(2)].clone()).await;
            }
            _ => self.crash(dice).await,
        }
    }

    /// The process ends somewhere in a read, and another one goes on. The next read alone must make
    /// up for it: reading everything would hide what a cursor that moved too early has lost.
    pub(super) async fn crash(&mut self, dice: &mut Dice) {
        let everything = dice.below(3) == 0;
        let steps = dice.below(STEPS_MAX) as i64;
        self.told.push(format!("ends in a read after {steps}"));
        let steps = Steps::after(steps);
        self.restart(Arc::clone(&steps));
        assert!(self.engine.read_now(NAME).await);
        if everything {
            drop(self.engine.sweep(NAME).await);
        }
        drop(self.engine.do_ready().await);
        self.tally.crashes += u64::from(steps.are_over());
        self.restart(Steps::endless());
        self.consent_again().await;
        self.read(everything, false).await;
        self.compare().await;
    }

    /// Somebody consents anew if the connection says that it needs it: a refresh token is lost when
    /// a process ends between its renewal and its keeping.
    async fn consent_again(&mut self) {
        let Err(failure) = self.connection().check().await else {
            return;
        };
        assert_eq!(failure.class, FailureClass::Reauthorise, "{failure}");
        self.told.push("consents".to_owned());
        self.tally.consents += 1;
        self.info = self.ground.show(TENANT).await["info"].take();
        self.kept.forget();
        self.restart(Steps::endless());
    }

    /// Everything that had to be said by now was said, once, in order, and nothing else.
    pub(super) async fn compare(&mut self) {
        self.said.look(&self.database).await;
        let mut strangers: Vec<&String> = self.said.licences().collect();
        for licence in &self.licences {
            strangers.retain(|uuid| **uuid != licence.uuid);
            let (said, course) = (self.said.of(&licence.uuid), self.told.join("\n"));
            let alone = format!(
                "LIFE={} cargo test -p bellwether --test it tenant",
                self.seed
            );
            assert_eq!(said, licence.expected, "{alone}\n{licence:#?}\n{course}");
        }
        assert!(strangers.is_empty(), "LIFE={}: {strangers:?}", self.seed);
    }
}

fn process(
    ground: &Arc<Ground>,
    info: &Json,
    parts: (&Arc<Database>, &Arc<Kept>, &Arc<StoryClock>),
    how: (u8, Arc<Steps>),
) -> Engine {
    let settings = json!({
        "tenant": TENANT, "client_id": info["client_id"], "client_secret": info["client_secret"],
        "refresh_token": info["refresh_token"], "base_url": info["feed_url"],
        "token_url": info["token_url"], "zone": "UTC", "stuck_hours": 0, "limit": 5,
        "channel_id": info["pusher"]["channel_id"], "push_key": info["pusher"]["key"],
        "push_url": info["url"],
    });
    process_with(ground, &settings, parts, how)
}

/// A process that works with these settings of the connection.
pub(super) fn process_with(
    ground: &Arc<Ground>,
    settings: &Json,
    (database, kept, clock): (&Arc<Database>, &Arc<Kept>, &Arc<StoryClock>),
    (number, steps): (u8, Arc<Steps>),
) -> Engine {
    let store = Arc::new(Through::new(
        Arc::clone(database) as _,
        Ends(Arc::clone(&steps)),
    ));
    let engine = Engine::new(Parts {
        store,
        views: database.clone(),
        flow_clock: clock.clone(),
        transport_clock: clock.clone(),
        keys: Arc::new(keys()),
        owner: Owner(Id([number; 16])),
        public_url: "https://bellwether.example".to_owned(),
        live: Live::default(),
    });
    let mut all = bellwether_connectors::all().iter();
    let def = all.find(|def| def.name == "smintio").unwrap();
    let settings = (def.settings)()
        .read(settings.as_object().unwrap())
        .unwrap();
    let host = Host {
        connection: NAME.to_owned(),
        http: Arc::new(Way {
            ground: Arc::clone(ground),
            steps: Arc::clone(&steps),
        }),
        clock: clock.clone(),
        vault: Arc::new(Safe {
            kept: Arc::clone(kept),
            steps,
        }),
        signer: Arc::new(keys()),
    };
    let link = Link {
        name: NAME.to_owned(),
        def,
        connection: (def.connect)(settings, host).unwrap(),
        slots: IN_FLIGHT,
    };
    let mut setup = Setup::empty();
    setup.links.insert(NAME.to_owned(), link);
    engine.set_up(setup);
    engine
}
