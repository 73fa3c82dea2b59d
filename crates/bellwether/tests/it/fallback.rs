//! Made-up schedules of the recipe that makes sure that things arrive: mails that are read or not,
//! pushes of others that leave, fail, are opened or not, in any order and twice, while both
//! channels fail in any way. Nobody hears more than once per channel of one matter, whoever was not
//! reached in time is, and when nothing works the owner knows.

use std::sync::Arc;

use bellwether_engine::seam::{Connections as _, Intake as _};
use bellwether_engine::store::{ListQuery, Views as _};
use bellwether_engine::story::{Fault, Sent, Stage, What};
use bellwether_model::event::NewEvent;
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::story::{file, flow};
use crate::world::{Dice, Play, mail};

const SCHEDULES: u64 = 1_000;
const FLOW: &str = "make-sure-it-arrives";
const READER: &str = "carl";
const OWNER: &str = "ivan";
/// Until a mail must be read, in working time, which all schedules begin in.
const WITHIN: Millis = Millis::minutes(30);
/// Until a push that left must show a sign of life.
const ALIVE: Millis = Millis::minutes(20);
/// Until it is clear that no other device took it.
const OTHERS: Millis = Millis::minutes(2);

/// What comes when.
#[derive(Clone, Debug)]
struct Schedule {
    /// Minutes after the beginning, and what: of the mail, or of the push.
    of_mail: Vec<(u64, &'static str)>,
    of_push: Vec<(u64, &'static str)>,
    push: Fault,
    mail: Fault,
    /// When the providers work again, if they do before everything is over.
    mended: Option<u64>,
}

const FAULTS: [Fault; 10] = [
    Fault::None,
    Fault::None,
    Fault::None,
    Fault::Unregistered,
    Fault::Down,
    Fault::Timeout,
    Fault::Bounces,
    Fault::Unauthorised,
    Fault::Misconfigured,
    Fault::Broken,
];

impl Schedule {
    fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed + 4_000);
        let mut at = |most: usize| u64::try_from(dice.below(most)).unwrap();
        let came = at(60);
        let mut of_mail = vec![(came, "gmail.message.received")];
        if at(3) > 0 {
            of_mail.push((came + at(120), "gmail.message.read"));
        }
        let mut of_push = Vec::new();
        let left = at(60);
        for _ in 0..=at(3) {
            let what =
                ["push.sent", "push.failed", "push.expired"][usize::try_from(at(3)).unwrap()];
            of_push.push((left + at(3), what));
        }
        if at(2) > 0 {
            let what = ["push.opened", "push.acted"][usize::try_from(at(2)).unwrap()];
            // It may be heard of before it is heard that the push left.
            of_push.push(((left + at(60)).saturating_sub(2), what));
        }
        let fault = |dice: &mut Dice| FAULTS[dice.below(FAULTS.len())];
        let mended = (dice.below(3) == 0).then(|| u64::try_from(dice.below(300)).unwrap());
        Self {
            push: fault(&mut dice),
            mail: fault(&mut dice),
            of_mail,
            of_push,
            mended,
        }
    }

    /// Everything in the order of time; with every third seed each thing comes twice.
    fn all(&self, twice: bool) -> Vec<(u64, &'static str)> {
        let mut all: Vec<_> = self.of_mail.iter().chain(&self.of_push).copied().collect();
        if twice {
            all.extend(all.clone());
        }
        all.extend(self.mended.map(|at| (at, "mended")));
        all.sort_by_key(|(at, _)| *at);
        all
    }

    fn first(&self, kinds: &[&str]) -> Option<u64> {
        let all = self.of_mail.iter().chain(&self.of_push);
        let of_kind = all.filter(|(_, kind)| kinds.contains(kind));
        of_kind.map(|(at, _)| *at).min()
    }

    fn works(&self) -> bool {
        self.push == Fault::None && self.mail == Fault::None
    }
}

fn of_mail(now: Time, kind: &str) -> NewEvent {
    let fields = json!({
        "subject": "Line 3 stopped", "labels": ["Critical"], "mailbox": "carl@example.com",
        "to": [{ "address": "carl@example.com" }],
    });
    let mut event = mail(now, "critical", &fields);
    event.id = format!("critical-{kind}");
    event.kind = kind.to_owned();
    event
}

fn of_push(now: Time, kind: &str, number: u64) -> NewEvent {
    let push = json!({
        "notification": format!("n-{number}"), "person": READER, "title": "Pump 7 leaks",
        "text": "Since ten", "case": "A-1", "flow": "operational-alert", "importance": "high",
        "question": false, "reason": "the device is gone",
    });
    let id = format!("{kind}-{number}");
    NewEvent::new("story", id, kind, now, json!({ "push": push }))
}

struct Night {
    stage: Stage,
    database: Arc<Database>,
    began: Time,
}

impl Night {
    fn new(play: &Play) -> Self {
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        let stage = play.stage((Arc::clone(&database) as _, Arc::clone(&database) as _));
        let began = stage.now();
        Self {
            stage,
            database,
            began,
        }
    }

    async fn mend(&self) {
        for channel in ["push", "mail"] {
            self.stage.record.fail(channel, "", Fault::None);
        }
        let names: Vec<String> = self.stage.engine.setup().links.keys().cloned().collect();
        for name in names {
            self.stage.engine.test(&name).await.unwrap();
        }
    }

    async fn play(&self, schedule: &Schedule, twice: bool) {
        // The owner's own phone works, so that it can be seen that he is told.
        self.stage.record.fail("push", READER, schedule.push);
        self.stage.record.fail("mail", READER, schedule.mail);
        for (at, what) in schedule.all(twice) {
            let due = self.began + Millis::minutes(at);
            self.stage.pass_until(due).await.unwrap();
            let event = match what {
                "mended" => {
                    for channel in ["push", "mail"] {
                        self.stage.record.fail(channel, READER, Fault::None);
                    }
                    self.mend().await;
                    continue;
                }
                "gmail.message.received" | "gmail.message.read" => of_mail(self.began, what),
                _ => of_push(self.began, what, at),
            };
            self.stage.engine.submit(event).await.unwrap();
            self.stage.settle().await.unwrap();
        }
        self.stage.run_out(Millis::days(5)).await.unwrap();
        self.mend().await;
        self.stage.run_out(Millis::days(60)).await.unwrap();
    }

    /// What somebody heard on a channel, each message once.
    fn heard(&self, what: What, who: &str, title: &str) -> Vec<Sent> {
        let all = self.stage.record.sent();
        let mut out: Vec<Sent> = Vec::new();
        for sent in all.iter() {
            let his = sent.what == what && sent.who == who && sent.title.contains(title);
            if his && !out.iter().any(|one| one.effect == sent.effect) {
                out.push(sent.clone());
            }
        }
        out
    }

    async fn open(&self) -> Vec<Json> {
        self.database.projected().await;
        let query = ListQuery {
            limit: 100,
            ..ListQuery::default()
        };
        let runs = self.database.runs(query).await.unwrap().items;
        let open = runs.into_iter().filter(|run| run.status != "closed");
        open.map(|run| json!(run.key)).collect()
    }
}

/// How many matters were told on the other channel, and how many to the owner.
#[derive(Debug, Default)]
struct Sum {
    by_push: usize,
    by_mail: usize,
    by_owner: usize,
    quiet: usize,
}

/// What must be so of the mail that comes in.
fn of_the_mail(night: &Night, schedule: &Schedule, about: &str, sum: &mut Sum) {
    let pushes = night.heard(What::Push, READER, "Line 3 stopped");
    let owner = night.heard(What::Push, OWNER, "could not be reached");
    let of_it = owner.iter().filter(|sent| sent.text.contains("Line 3"));
    let told = of_it.count();
    assert!(
        pushes.len() <= 1 && told <= 1,
        "{about}: {pushes:#?} {told}"
    );
    let came = schedule.first(&["gmail.message.received"]).unwrap();
    let read = schedule.first(&["gmail.message.read"]);
    let due = night.began + Millis::minutes(came) + WITHIN;
    let in_time = read.is_some_and(|read| night.began + Millis::minutes(read) < due);
    if in_time {
        assert!(pushes.is_empty() && told == 0, "{about}: {pushes:#?}");
        sum.quiet += 1;
        return;
    }
    if schedule.push == Fault::None {
        assert_eq!(pushes.len(), 1, "{about}");
        assert_eq!(pushes[0].at, due, "{about}");
        sum.by_push += 1;
    } else {
        // Late, because the provider came back, or told to the owner, or read meanwhile.
        let known = pushes.len() + told + usize::from(read.is_some());
        let dead = night.stage.dead_letters().len();
        assert!(known + dead > 0, "{about}");
        sum.by_owner += told;
    }
}

/// What must be so of the push of another flow.
fn of_the_push(night: &Night, schedule: &Schedule, about: &str, sum: &mut Sum) {
    let mails = night.heard(What::Mail, READER, "Pump 7 leaks");
    let owner = night.heard(What::Push, OWNER, "could not be reached");
    let of_it = owner.iter().filter(|sent| sent.text.contains("Pump 7"));
    let told = of_it.count();
    assert!(mails.len() <= 1 && told <= 1, "{about}: {mails:#?} {told}");
    let sign = schedule.first(&["push.opened", "push.acted"]);
    let first = schedule.first(&["push.sent", "push.failed", "push.expired"]);
    let first = first.unwrap();
    let at = |minutes: u64| night.began + Millis::minutes(minutes);
    let latest = at(first) + OTHERS + ALIVE;
    match sign {
        Some(sign) if sign <= first => {
            assert!(mails.is_empty() && told == 0, "{about}: {mails:#?}");
            sum.quiet += 1;
        }
        None if schedule.mail == Fault::None => {
            assert_eq!(mails.len(), 1, "{about}");
            assert!(mails[0].at >= at(first) + OTHERS, "{about}");
            assert!(mails[0].at <= latest, "{about}: {:?}", mails[0].at);
            sum.by_mail += 1;
        }
        None => {
            let dead = night.stage.dead_letters().len();
            assert!(mails.len() + told + dead > 0, "{about}");
            sum.by_owner += told;
        }
        // Somebody opened it before or after the mail left.
        Some(_) => assert!(mails.iter().all(|mail| mail.at <= latest) || !schedule.works()),
    }
}

#[tokio::test]
async fn in_any_schedule_each_channel_speaks_once_at_most_and_nobody_is_lost() {
    let play = Play {
        flow: flow(
            "make-sure-it-arrives.yaml",
            &file("make-sure-it-arrives.yaml").unwrap(),
        ),
        ..Play::approval()
    };
    let mut sum = Sum::default();
    for seed in 0..SCHEDULES {
        let schedule = Schedule::of(seed);
        let about = format!("seed {seed}: {schedule:?}");
        let night = Night::new(&play);
        night.play(&schedule, seed % 3 == 0).await;
        of_the_mail(&night, &schedule, &about, &mut sum);
        of_the_push(&night, &schedule, &about, &mut sum);
        assert!(night.open().await.is_empty(), "{about}");
        // What it sent itself never began anything: two matters, and no more than four messages
        // and two words to the owner of each.
        let sent = night.stage.record.sent();
        let of_its_own = sent.iter().filter(|sent| sent.args["flow"] == FLOW);
        assert!(of_its_own.count() <= 8, "{about}");
    }
    println!("{SCHEDULES} schedules: {sum:?}");
    assert!(sum.by_push > 100 && sum.by_mail > 100 && sum.by_owner > 100 && sum.quiet > 100);
}
