//! What holds in every schedule: inputs that come twice change nothing, a process may end after any
//! commit, sending may fail in any way. No run is ever stuck without anything that moves it on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bellwether_engine::seam::{Connections as _, Intake as _};
use bellwether_engine::store::{CellRef, EffectState, ListQuery, RunDetail, Store, Views};
use bellwether_engine::story::{Fault, Stage, What};
use bellwether_model::connector::Role;
use bellwether_model::directory::Away;
use bellwether_model::event::NewEvent;
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::crash::{Crashing, Ending};
use crate::world::{Dice, Play, answer, mail, order, sent, tap};

/// How many schedules are made up.
const SCHEDULES: u64 = 60;
/// How many things happen in each.
const LENGTH: usize = 14;
/// Nothing waits longer.
const LONG: Millis = Millis::days(60);

fn database(url: &str) -> Arc<Database> {
    Arc::new(bellwether_store::open(url).unwrap())
}

async fn runs(database: &Database) -> Vec<RunDetail> {
    database.projected().await;
    let query = ListQuery {
        limit: 1000,
        ..ListQuery::default()
    };
    let page = database.runs(query).await.unwrap();
    let mut out = Vec::new();
    for row in page.items {
        out.push(database.run(row.id).await.unwrap().unwrap());
    }
    out
}

/// What must hold at any moment when nothing is in progress.
async fn holds(database: &Database, about: &str) {
    let query = ListQuery {
        limit: 1000,
        ..ListQuery::default()
    };
    let runs = runs(database).await;
    let dead = database.dead_letters(query).await.unwrap().items;
    for run in &runs {
        let id = run.run.id;
        let loaded = database.load(&[CellRef::Id(id)]).await.unwrap();
        let inbox = loaded[0].as_ref().is_some_and(|cell| cell.has_inbox);
        let unfinished = run.effects.iter().any(|effect| {
            matches!(
                effect.state,
                EffectState::Queued | EffectState::Started | EffectState::Held
            )
        });
        let dead = dead.iter().any(|dead| dead.run == Some(id));
        let moves = !run.timers.is_empty() || inbox || unfinished || dead;
        assert!(run.run.status == "closed" || moves, "{about}: {run:#?}");
        let state = serde_json::to_string(&run.state).unwrap();
        let decided = state.matches("\"decided\":").count();
        assert!(decided <= 1, "{about}: {state}");
        let args = |effect: &bellwether_engine::store::EffectRow| -> Json {
            serde_json::from_str(&effect.args).unwrap()
        };
        // Nobody hears of one turn twice on the same channel.
        for turn in &run.journal {
            let of_turn = turn.body["effects"].as_array().cloned().unwrap_or_default();
            let mut heard: BTreeMap<(String, String), u32> = BTreeMap::new();
            for effect in &run.effects {
                let this = json!(effect.id);
                if !of_turn.contains(&this) || args(effect)["kind"] == "update" {
                    continue;
                }
                let person = effect.person.clone().unwrap_or_default();
                *heard
                    .entry((person, effect.role_word().to_owned()))
                    .or_default() += 1;
            }
            assert!(
                heard.values().all(|count| *count == 1),
                "{about}: {heard:?} {turn:?}"
            );
        }
        // One answer, at most.
        let answers = run.effects.iter().filter(|effect| {
            effect.role == Role::Reply
                && effect.person.is_none()
                && args(effect)["reply_token"].is_null()
        });
        assert!(answers.count() <= 1, "{about}: {run:#?}");
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Deed {
    Comes(NewEvent),
    Taps {
        who: &'static str,
        id: String,
        choice: &'static str,
    },
    Replies {
        who: &'static str,
        id: String,
        text: &'static str,
    },
    Withdraws {
        of: usize,
        id: String,
    },
    Waits(Millis),
    Fails(&'static str, Fault),
    Leaves(&'static str),
}

/// A schedule: the same for the same seed.
fn schedule(seed: u64, stage: &Stage) -> Vec<Deed> {
    let mut dice = Dice::new(seed + 77);
    let mut out = Vec::new();
    let mut came: Vec<NewEvent> = Vec::new();
    let people = ["alice", "dora", "carl", "ivan"];
    for n in 0..LENGTH {
        let id = format!("d{n}");
        let who = people[dice.below(people.len())];
        let deed = match if came.is_empty() { 0 } else { dice.below(14) } {
            0 | 1 => {
                let number = ["PO-1", "PO-2", "PO-3"][dice.below(3)];
                let amount = ["900,00 EUR", "9.000,00 EUR", "unknown"][dice.below(3)];
                let from = ["ariba@example.com", "eve@example.net"][dice.below(2)];
                let fields = json!({
                    "from": { "address": from }, "text": format!("Amount: {amount}"),
                    "subject": format!("Purchase order {number}"),
                });
                let event = mail(stage.now(), &id, &fields);
                came.push(event.clone());
                Deed::Comes(event)
            }
            // The same mail, and the same mail in another mailbox.
            2 => Deed::Comes(came[dice.below(came.len())].clone()),
            3 => {
                let mut event = came[dice.below(came.len())].clone();
                event.id = format!("m:{id}");
                let mut data = (*event.data).clone();
                data["mail"]["id"] = json!(id);
                data["mail"]["thread_id"] = json!(format!("t-{id}"));
                event.data = Arc::new(data);
                Deed::Comes(event)
            }
            4 => Deed::Withdraws {
                of: dice.below(came.len()),
                id,
            },
            5..=7 => {
                let choice = ["approve", "reject", "question"][dice.below(3)];
                Deed::Taps { who, id, choice }
            }
            8 | 9 => {
                let text = ["Approve", "Abgelehnt\nno", "Hm", "It is for line 3"][dice.below(4)];
                let who = ["alice", "dora", "ariba@example.com"][dice.below(3)];
                Deed::Replies { who, id, text }
            }
            10 | 11 => Deed::Waits(Millis::minutes([10, 200, 1500, 6000][dice.below(4)])),
            12 => {
                let faults = [
                    Fault::None,
                    Fault::Unregistered,
                    Fault::Down,
                    Fault::Timeout,
                    Fault::Broken,
                ];
                Deed::Fails(
                    ["push", "mail"][dice.below(2)],
                    faults[dice.below(faults.len())],
                )
            }
            _ => Deed::Leaves(who),
        };
        out.push(deed);
    }
    out
}

/// Does one thing, `times` times over where it is an input.
async fn perform(stage: &mut Stage, deed: &Deed, came: &mut Vec<NewEvent>, times: usize) {
    match deed {
        Deed::Comes(event) => {
            came.push(event.clone());
            for _ in 0..times {
                stage.engine.submit(event.clone()).await.unwrap();
            }
        }
        Deed::Withdraws { of, id } => {
            let opened = &came[*of % came.len()].data["mail"];
            let fields = json!({
                "from": opened["from"], "thread_id": opened["thread_id"],
                "subject": opened["subject"], "in_reply_to": opened["rfc_message_id"],
                "new_text": "Withdrawn", "text": "Withdrawn",
            });
            let event = mail(stage.now(), id, &fields);
            for _ in 0..times {
                stage.engine.submit(event.clone()).await.unwrap();
            }
        }
        Deed::Taps { who, id, choice } => {
            if let Some(push) = sent(stage, What::Push, who).pop() {
                for _ in 0..times {
                    tap(stage, &push, id, choice).await;
                }
            }
        }
        Deed::Replies { who, id, text } => {
            let ours = [What::Mail, What::Reply].map(|what| sent(stage, what, who));
            let ours = ours
                .into_iter()
                .flatten()
                .max_by_key(|sent| (sent.at, sent.effect));
            if let Some(ours) = ours {
                let event = answer(stage.now(), id, &ours, text, &json!({}));
                for _ in 0..times {
                    stage.engine.submit(event.clone()).await.unwrap();
                }
            }
        }
        Deed::Waits(length) => stage.pass_until(stage.now() + *length).await.unwrap(),
        Deed::Fails(channel, fault) => stage.record.fail(channel, "", *fault),
        Deed::Leaves(who) => {
            let today = stage
                .now()
                .timestamp()
                .to_zoned(jiff::tz::TimeZone::UTC)
                .date();
            let until = today.checked_add(jiff::Span::new().days(3)).unwrap();
            stage.change_people(|directory| {
                let person = directory.people.get_mut(*who).unwrap();
                person.away.push(Away::new(today, until));
            });
        }
    }
    stage.settle().await.unwrap();
}

/// Plays a schedule to its end. What was sent, in words.
async fn whole(play: &Play, seed: u64, times: usize) -> Vec<String> {
    let database = database("sqlite::memory:");
    let mut stage = play.stage((Arc::clone(&database) as _, Arc::clone(&database) as _));
    let deeds = schedule(seed, &stage);
    let mut came = Vec::new();
    for (n, deed) in deeds.iter().enumerate() {
        perform(&mut stage, deed, &mut came, times).await;
        if times == 1 {
            holds(&database, &format!("seed {seed}, after {n} of {deeds:#?}")).await;
        }
    }
    for channel in ["push", "mail"] {
        stage.record.fail(channel, "", Fault::None);
    }
    let closed = stage.run_out(LONG).await.unwrap();
    let about = format!("seed {seed}, at the end of {deeds:#?}");
    holds(&database, &about).await;
    for run in runs(&database).await {
        let given_up = run
            .effects
            .iter()
            .any(|effect| effect.state == EffectState::Queued);
        assert!(run.run.status == "closed" && !given_up, "{about}: {run:#?}");
    }
    assert!(closed, "{about}");
    let all = stage.record.sent();
    let line = |sent: &bellwether_engine::story::Sent| {
        format!(
            "{} {:?} {} {:?} {:?}",
            sent.at, sent.what, sent.who, sent.title, sent.text
        )
    };
    // Links have the present time in them, which is the same in both.
    all.iter().map(line).collect()
}

#[tokio::test]
async fn in_any_schedule_runs_move_on_and_repeated_inputs_change_nothing() {
    let play = Play::approval();
    let mut things = 0;
    for seed in 0..SCHEDULES {
        let once = whole(&play, seed, 1).await;
        let twice = whole(&play, seed, 2).await;
        assert_eq!(once, twice, "seed {seed}");
        things += once.len();
    }
    // The schedules really do something.
    assert!(things > usize::try_from(SCHEDULES).unwrap() * 4, "{things}");
}

#[tokio::test]
async fn whatever_way_sending_fails_somebody_hears_of_it() {
    let play = Play::approval();
    let faults = [
        Fault::None,
        Fault::Unregistered,
        Fault::Down,
        Fault::Timeout,
        Fault::Bounces,
        Fault::Unauthorised,
        Fault::Misconfigured,
        Fault::Broken,
    ];
    for push in faults {
        for by_mail in faults {
            let about = format!("push {push:?}, mail {by_mail:?}");
            let database = database("sqlite::memory:");
            let stage = play.stage((Arc::clone(&database) as _, Arc::clone(&database) as _));
            stage.record.fail("push", "", push);
            stage.record.fail("mail", "", by_mail);
            stage
                .engine
                .submit(order(stage.now(), "PO-1", "9,00 EUR"))
                .await
                .unwrap();
            stage.settle().await.unwrap();
            holds(&database, &about).await;
            stage
                .pass_until(stage.now() + Millis::days(1))
                .await
                .unwrap();
            holds(&database, &about).await;
            // The providers are back and a person has looked after both connections.
            for (channel, connection) in [("push", "phones"), ("mail", "mailbox")] {
                stage.record.fail(channel, "", Fault::None);
                stage.engine.test(connection).await.unwrap();
            }
            let closed = stage.run_out(LONG).await.unwrap();
            holds(&database, &about).await;
            assert!(closed, "{about}");
            let reached =
                sent(&stage, What::Push, "alice").len() + sent(&stage, What::Mail, "alice").len();
            assert!(reached > 0 || !stage.dead_letters().is_empty(), "{about}");
            let told = sent(&stage, What::Reply, "ariba@example.com").len();
            assert!(told == 1, "{about}: {told}");
        }
    }
}

/// What happens in the crash test, in order.
async fn act(stage: &Stage, step: usize, begun: Time) -> Result<(), String> {
    match step {
        0 => {
            let event = order(stage.now(), "PO-1", "9,00 EUR");
            let taken = stage.engine.submit(event).await;
            taken.map_err(|error| error.to_string())?;
        }
        1 => {
            // The reminder, then the deputy.
            let later = begun + Millis::hours(25);
            stage
                .pass_until(later)
                .await
                .map_err(|error| error.to_string())?;
        }
        _ => {
            let push = sent(stage, What::Push, "dora")
                .pop()
                .ok_or("no push came")?;
            let told = tap(stage, &push, "the tap", "approve").await;
            if told != "decided" {
                return Err(told);
            }
        }
    }
    stage
        .settle()
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Doubles only where an attempt was in flight, and marked so.
fn doubles_are_marked(stage: &Stage, run: &RunDetail, about: &str) {
    let mut times: BTreeMap<_, u32> = BTreeMap::new();
    for sent in stage.record.sent().iter() {
        *times.entry(sent.effect).or_default() += 1;
    }
    for effect in &run.effects {
        let times = times.get(&Some(effect.id)).copied().unwrap_or_default();
        assert!(times <= 1 || effect.attempt > 1, "{about}: {effect:?}");
        if effect.state == EffectState::Done {
            assert!(times >= 1, "{about}: {effect:?}");
        }
    }
}

/// Ends the process after `after` commits and starts the next one. How many commits were left.
async fn crashed(play: &Play, after: u64, loses: bool) -> u64 {
    let about = format!("after {after} commits, what leaves is lost: {loses}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash");
    // What an earlier run left behind when it failed.
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    let url = format!("sqlite:{}", folder.join("record.db").display());
    let mut database = database(&url);
    let crashing = Arc::new(Crashing::new(
        Arc::clone(&database) as _,
        Ending::after(after, loses),
    ));
    let mut stage = play.stage((Arc::clone(&crashing) as _, Arc::clone(&database) as _));
    crashing.between.takes_down(&stage.record);
    let begun = stage.now();
    let mut step = 0;
    let mut again = false;
    while step < 3 {
        let done = act(&stage, step, begun).await;
        if crashing.between.ended() && !again {
            again = true;
            database.close();
            database = self::database(&url);
            let stored = (Arc::clone(&database) as _, Arc::clone(&database) as _);
            stage = Stage::next_process(play.scene(), stored, &stage)
                .await
                .unwrap();
            stage.settle().await.unwrap();
            holds(&database, &about).await;
            // What nobody can say was sent is tried again after a while.
            let soon = stage.now() + Millis::minutes(1);
            stage.pass_until(soon).await.unwrap();
            // Whoever got no answer sends it again.
            continue;
        }
        assert_eq!(done, Ok(()), "{about}, step {step}");
        step += 1;
    }
    let closed = stage.run_out(LONG).await.unwrap();
    holds(&database, &about).await;
    assert!(closed, "{about}");
    let all = runs(&database).await;
    assert_eq!(all.len(), 1, "{about}");
    let decisions = all[0]
        .journal
        .iter()
        .filter(|turn| turn.body.to_string().contains("\"decided\""))
        .count();
    assert_eq!(decisions, 1, "{about}");
    doubles_are_marked(&stage, &all[0], &about);
    let replies = sent(&stage, What::Reply, "ariba@example.com").len();
    let dead = database
        .dead_letters(ListQuery {
            limit: 10,
            ..ListQuery::default()
        })
        .await
        .unwrap();
    let marked = dead.items.iter().any(|dead| dead.code == "maybe_sent");
    assert!(
        replies == 1 || (replies == 0 && loses && marked),
        "{about}: {replies} {dead:?}"
    );
    database.close();
    std::fs::remove_dir_all(&folder).unwrap();
    crashing.between.left()
}

#[tokio::test]
async fn a_process_may_end_after_any_commit() {
    let play = Play::approval();
    let all = 1_000 - crashed(&play, 1_000, false).await;
    assert!(all > 10, "{all}");
    for after in 1..all {
        for loses in [false, true] {
            crashed(&play, after, loses).await;
        }
    }
}
