//! Plays a story: does what its steps say on the stage, through the same doors that the world uses,
//! and compares after each `expect`.

use std::collections::HashMap;

use bellwether_model::directory::Customer;
use bellwether_model::event::NewEvent;
use bellwether_model::time::{Millis, Time};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::inputs::Input;
use super::people::{self, ZONE};
use super::post::{Post, Writing};
use super::stage::Stage;
use super::steps::{Deed, Expectation, Happening, MailWords, Moment, Place, Step, Wanted};
use super::world::{Sent, What};
use super::{Scene, Story, card, expect};
use crate::calendar;
use crate::seam::{Actor, ActorRole};
use crate::yaml::Problem;

/// How long a story goes on after its last step.
const LASTS: Millis = Millis::days(400);

/// A story being played.
pub(super) struct Play<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) stage: Stage,
    pub(super) post: Post,
    pub(super) problems: Vec<Problem>,
    /// What people were told when they pressed something, since the latest `expect`.
    pub(super) told: Vec<(String, String)>,
    /// The cookies of devices, by person.
    pub(super) sessions: HashMap<String, String>,
    pub(super) dead_letters: usize,
    pub(super) emits: usize,
    pub(super) notes: usize,
    pub(super) count: usize,
    /// What came in with the latest deed.
    pub(super) last: Vec<Input>,
}

/// Something in a story that cannot be done.
pub(super) type Cannot = String;

/// Plays the steps. Returns what was not as expected.
pub(super) async fn play(
    scene: Scene<'_>,
    stage: Stage,
    story: &Story,
    steps: &[Step],
) -> Vec<Problem> {
    let mut play = Play::new(scene, stage);
    let mut last = (story.line, 1);
    for step in steps {
        last = step.place;
        for (place, deed) in &step.deeds {
            if let Err(message) = play.deed(deed).await {
                play.problems.push(Problem::error(*place, message));
                return play.problems;
            }
        }
        if let Some((place, wanted)) = &step.expect {
            last = *place;
            if let Err(message) = play.expect(*place, wanted).await {
                play.problems.push(Problem::error(*place, message));
                return play.problems;
            }
        }
    }
    play.end(last).await;
    play.problems
}

impl<'a> Play<'a> {
    pub(super) fn new(scene: Scene<'a>, stage: Stage) -> Self {
        let post = Post::new(&stage.flow, stage.catalog, stage.mailbox());
        Self {
            scene,
            stage,
            post,
            problems: Vec::new(),
            told: Vec::new(),
            sessions: HashMap::new(),
            dead_letters: 0,
            emits: 0,
            notes: 0,
            count: 0,
            last: Vec::new(),
        }
    }

    /// After the last step time runs on: what nobody expected must not come later either.
    async fn end(&mut self, place: Place) {
        match self.stage.run_out(LASTS).await {
            Ok(closed) => {
                self.gather();
                let surprises = expect::surprises(place, &mut self.stage.record.sent());
                self.problems.extend(surprises);
                if !closed {
                    let message = "the run is still open after 400 days";
                    self.problems.push(Problem::error(place, message));
                }
            }
            Err(error) => self.problems.push(Problem::error(place, error.to_string())),
        }
    }

    pub(super) async fn deed(&mut self, deed: &Deed) -> Result<(), Cannot> {
        self.last.clear();
        match deed {
            Deed::At(moment) => {
                let to = self.instant(moment)?;
                self.enter(Input::Until(to)).await?;
            }
            Deed::After(span) => {
                let anyone = people::somebody("anyone");
                let to = calendar::due(self.stage.now(), *span, &anyone);
                self.enter(Input::Until(to)).await?;
            }
            Deed::People(changes) => self.people(changes)?,
            Deed::Customers(customers) => self.customers(customers).await?,
            Deed::Away(away) => self.away(away),
            Deed::Inputs(inputs) => {
                let changed = self.stage.change_inputs(self.scene, inputs);
                changed.map_err(|problems| sentences(&problems))?;
            }
            Deed::Faults(faults) => {
                for (channel, person, fault) in faults {
                    self.stage.record.fail(channel, person, *fault);
                }
            }
            Deed::Mail(words) => {
                let event = self.mail(words, None)?;
                self.submit(event).await?;
            }
            Deed::Replies(replies) => {
                for (who, words) in replies {
                    self.reply(who, words).await?;
                }
            }
            Deed::Happens(happening) => self.happens(happening).await?,
            Deed::Tap(all) => {
                for pressing in all {
                    self.tap(pressing).await?;
                }
            }
            Deed::Press(all) => {
                for pressing in all {
                    self.press(pressing).await?;
                }
            }
            Deed::Console(all) => {
                for pressing in all {
                    self.console(pressing).await?;
                }
            }
            Deed::Opens(persons) => {
                for person in persons {
                    self.open(person).await?;
                }
            }
            Deed::SignsIn(persons) => {
                for person in persons {
                    self.sign_in(person).await?;
                }
            }
            Deed::Reads(persons) => {
                for person in persons {
                    let addresses = self.stage.directory.people.get(person);
                    let addresses = addresses.map(|p| p.emails.clone()).unwrap_or_default();
                    let event = self.post.reading(&addresses, self.stage.now())?;
                    self.submit(event).await?;
                }
            }
        }
        self.settle().await
    }

    pub(super) async fn settle(&self) -> Result<(), Cannot> {
        let settled = self.stage.settle().await;
        settled.map(|_| ()).map_err(|error| error.to_string())
    }

    pub(super) async fn pass_until(&self, to: Time) -> Result<(), Cannot> {
        let passed = self.stage.pass_until(to).await;
        passed.map_err(|error| error.to_string())
    }

    async fn submit(&mut self, event: NewEvent) -> Result<(), Cannot> {
        self.enter(Input::Event(event)).await
    }

    // ---- time and people ---------------------------------------------------------------------

    /// The instant of a moment: with a date that day, without one today or else tomorrow.
    fn instant(&self, moment: &Moment) -> Result<Time, Cannot> {
        let name = moment.zone.as_deref().unwrap_or(ZONE);
        let zone = TimeZone::get(name).map_err(|error| error.to_string())?;
        let now = self.stage.now();
        let today = now.timestamp().to_zoned(zone.clone()).date();
        let on = |date: jiff::civil::Date| {
            let zoned = date.to_datetime(moment.time).to_zoned(zone.clone());
            zoned.map(|zoned| Time::from(zoned.timestamp()))
        };
        let at = on(moment.date.unwrap_or(today)).map_err(|error| error.to_string())?;
        if at >= now {
            return Ok(at);
        }
        match moment.date {
            // The clock of a new story stands still until its first step says when that is.
            Some(_) if self.post.came.is_empty() && self.count == 0 => {
                Err(format!("stories begin on {now}; choose a later time"))
            }
            Some(_) => Err(format!("it is {now} already: time does not go back")),
            None => {
                let tomorrow = today.tomorrow().map_err(|error| error.to_string())?;
                on(tomorrow).map_err(|error| error.to_string())
            }
        }
    }

    fn people(&mut self, changes: &[(String, Json)]) -> Result<(), Cannot> {
        for (id, fields) in changes {
            let person = people::changed(&self.stage.directory, id, fields)?;
            self.stage.change_people(|directory| {
                directory.people.insert(id.clone(), person);
            });
        }
        Ok(())
    }

    async fn customers(&mut self, customers: &[Customer]) -> Result<(), Cannot> {
        let written = customers.iter().map(|one| (one.clone(), false)).collect();
        let by = Actor {
            name: "story".to_owned(),
            role: ActorRole::Admin,
            means: "story",
        };
        let written = self.stage.engine.write_customers(written, &by).await;
        written.map(|_| ()).map_err(|error| error.to_string())
    }

    fn away(&mut self, away: &[(String, jiff::civil::Date)]) {
        let now = self.stage.now();
        self.stage.change_people(|directory| {
            for (id, until) in away {
                let Some(person) = directory.people.get_mut(id) else {
                    continue;
                };
                let from = now.timestamp().to_zoned(person.time_zone()).date();
                let away = bellwether_model::directory::Away::new(from, *until);
                person.away.push(away);
            }
        });
    }

    // ---- what comes in -----------------------------------------------------------------------

    fn mail(&mut self, words: &MailWords, answers: Option<&Sent>) -> Result<NewEvent, Cannot> {
        let record = self.stage.record.sent().clone();
        self.post.write(&Writing {
            words,
            directory: &self.stage.directory,
            now: self.stage.now(),
            answers,
            sent: &record,
        })
    }

    /// Answers the latest mail of ours to this person or address.
    async fn reply(&mut self, who: &str, words: &MailWords) -> Result<(), Cannot> {
        let is_his = |sent: &&Sent| {
            matches!(sent.what, What::Mail | What::Reply)
                && (sent.who == who || sent.address.eq_ignore_ascii_case(who))
        };
        let ours = self.stage.record.sent().iter().rev().find(is_his).cloned();
        let ours = ours.ok_or_else(|| format!("{who} got no mail that could be answered"))?;
        let mut words = words.clone();
        words.from.get_or_insert_with(|| ours.address.clone());
        let event = self.mail(&words, Some(&ours))?;
        self.submit(event).await?;
        self.settle().await
    }

    async fn happens(&mut self, happening: &Happening) -> Result<(), Cannot> {
        let trigger = self.stage.catalog.trigger(&happening.kind);
        for number in 1..=happening.times {
            let mut data = trigger.map_or_else(|| json!({}), |trigger| (trigger.sample)());
            let nouns = trigger.map_or(&[][..], |trigger| trigger.nouns);
            for (name, value) in happening.fields.as_object().into_iter().flatten() {
                match nouns.first() {
                    Some(noun) if !nouns.contains(&name.as_str()) => {
                        merge(&mut data[*noun][name.as_str()], value);
                    }
                    _ => merge(&mut data[name.as_str()], value),
                }
            }
            if happening.times > 1 {
                tell_apart(&mut data, nouns, number);
            }
            self.count += 1;
            let id = format!("story-{}", self.count);
            let event = NewEvent::new("story", id, &happening.kind, self.stage.now(), data);
            self.last.push(Input::Event(event));
        }
        for input in self.last.clone() {
            self.give(&input).await?;
        }
        Ok(())
    }

    // ---- expecting ---------------------------------------------------------------------------

    /// Puts what the store saw beside what connections sent.
    pub(super) fn gather(&mut self) {
        let seen = self.stage.watched.seen();
        let thing = |what, who: String, title: &str, text: &str, at| Sent {
            what,
            who,
            address: String::new(),
            title: title.to_owned(),
            text: text.to_owned(),
            at,
            effect: None,
            args: Json::Null,
            message_id: String::new(),
            expected: false,
        };
        for dead in &seen.dead_letters[self.dead_letters..] {
            let sent = thing(
                What::DeadLetter,
                String::new(),
                &dead.code,
                &dead.reason,
                dead.at,
            );
            self.stage.record.note(sent);
        }
        for (kind, text, at) in &seen.emits[self.emits..] {
            let sent = thing(What::Emit, String::new(), kind, text, *at);
            self.stage.record.note(sent);
        }
        self.dead_letters = seen.dead_letters.len();
        self.emits = seen.emits.len();
    }

    async fn expect(&mut self, place: Place, wanted: &[Expectation]) -> Result<(), Cannot> {
        self.settle().await?;
        self.gather();
        let (sent, other): (Vec<_>, Vec<_>) = wanted.iter().cloned().partition(expect::is_sent);
        let problems = expect::compare(&sent, &mut self.stage.record.sent());
        let missing = !problems.is_empty();
        self.problems.extend(problems);
        for expectation in &other {
            self.other(expectation).await?;
        }
        let surprises = expect::surprises(place, &mut self.stage.record.sent());
        if !missing {
            // What was sent instead is named already.
            self.problems.extend(surprises);
        }
        self.told.clear();
        self.notes = self.stage.watched.seen().notes.len();
        Ok(())
    }

    async fn other(&mut self, expectation: &Expectation) -> Result<(), Cannot> {
        let want = expectation.text.as_deref().unwrap_or_default();
        let found: Vec<String> = match expectation.wanted {
            Wanted::Page => vec![self.page(&expectation.object).await?],
            Wanted::Told => {
                let his = self
                    .told
                    .iter()
                    .filter(|(who, _)| *who == expectation.object);
                his.map(|(_, text)| text.clone()).collect()
            }
            _ => {
                let all = self.stage.notes();
                let new = all[self.notes..].iter();
                let words: Vec<String> = new
                    .map(|(what, why)| format!("{what} {why}").trim().to_owned())
                    .collect();
                let object = &expectation.object;
                if !words.iter().any(|note| note.contains(object.as_str())) {
                    let message = format!("the journal does not note `{object}`");
                    let hint = format!("noted: {}", words.join("; "));
                    self.problems
                        .push(Problem::error(expectation.place, message).hint(hint));
                }
                return Ok(());
            }
        };
        if !found.iter().any(|text| text.contains(want)) {
            let message = format!("{} does not read \"{want}\"", expectation.object);
            let hint = match found.as_slice() {
                [] => "nothing was said".to_owned(),
                all => format!("it says: {}", all.join(" | ").replace('\n', " · ")),
            };
            self.problems
                .push(Problem::error(expectation.place, message).hint(hint));
        }
        Ok(())
    }

    /// The page behind the latest message, without opening it: looking is not an event.
    async fn page(&mut self, person: &str) -> Result<String, Cannot> {
        let sent = self.latest(person, &[What::Push, What::Mail])?;
        let effects: Vec<_> = sent.effect.into_iter().collect();
        let engine = &self.stage.engine;
        let rows = engine.store().effects(&effects).await;
        let row = rows.map_err(|error| error.to_string())?.pop().flatten();
        let row = row.ok_or("the message is gone")?;
        let shown = engine.card(&row, self.sessions.contains_key(person)).await;
        shown
            .map(|shown| card::text(&shown))
            .map_err(|error| error.to_string())
    }
}

fn sentences(problems: &[Problem]) -> String {
    let all = problems.iter().map(|problem| problem.message.clone());
    all.collect::<Vec<_>>().join("; ")
}

/// Fields over fields; anything else replaces.
fn merge(into: &mut Json, value: &Json) {
    match (into, value) {
        (Json::Object(into), Json::Object(value)) => {
            for (name, value) in value {
                merge(into.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (into, value) => *into = value.clone(),
    }
}

/// Makes an event that comes several times another one each time: everything in it that has an id
/// has one of its own.
fn tell_apart(data: &mut Json, nouns: &[&str], number: usize) {
    for noun in nouns {
        for name in ["id", "uuid"] {
            if let Some(id) = data[*noun].get_mut(name) {
                *id = json!(format!("{}-{number}", id.as_str().unwrap_or_default()));
            }
        }
    }
}
