//! A flow as it is understood after parsing: plain data, every expression and text compiled. How it
//! is read from YAML is in `flow/read`; what it does is in `decide`.

use std::sync::Arc;

use bellwether_model::connector::ThresholdDef;
use bellwether_model::time::Millis;

use crate::lang::{Expr, Text};

/// A flow definition. Immutable; known to cells by its hash.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence or two.
    pub about: String,
    /// Hash of the canonical definition; cells refer to it.
    pub hash: [u8; 16],
    /// The file's text: the truth from which the rest is derived.
    pub source: Arc<str>,
    /// What is filled in when it is switched on.
    pub inputs: Vec<Input>,
    /// What starts it.
    pub when: Vec<Trigger>,
    /// Named values, worked out when first needed.
    pub lets: Vec<(String, Expr)>,
    /// What counts as the same matter; None: each event is its own.
    pub case: Option<Expr>,
    /// Whether a matter that is over begins nothing when it comes once more.
    pub only_once: bool,
    /// The group of which only one flow takes an event.
    pub group: Option<super::Group>,
    /// How many messages a person gets in one case.
    pub at_most: AtMost,
    /// What it does.
    pub steps: Block,
    /// Its tests, as nodes: read by the story runner.
    pub tests: Vec<crate::story::Story>,
    /// What gathers the lines of its digests: a flow of its own for each, with a case per reader.
    pub gatherers: Vec<Arc<Flow>>,
}

impl Flow {
    /// Whether it looks for customers. Their register is only read for flows that do.
    pub(crate) fn asks_customers(&self) -> bool {
        self.source.contains("customer(")
    }

    /// The column where what stands behind the dash of a line begins.
    pub(crate) fn column_of(&self, line: usize) -> usize {
        let text = self.source.lines().nth(line.saturating_sub(1));
        let text = text.unwrap_or_default();
        let content = text.trim_start_matches([' ', '-']);
        text.chars().count() - content.chars().count() + 1
    }
}

/// How many messages a person gets in one case; None: as many as the steps say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtMost {
    /// Pushes, on however many devices.
    pub push: Option<u32>,
    /// Mails.
    pub mail: Option<u32>,
}

/// One input of a recipe.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its key.
    pub name: String,
    /// What it holds.
    pub kind: InputKind,
    /// What the form says.
    pub label: Option<String>,
    /// The value when none is given, as plain data.
    pub default: Option<serde_json::Value>,
}

/// What an input holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A connection, possibly of one connector only.
    Connection(Option<String>),
    /// Who: `role legal`, `alice`, `manager of sender`.
    Who,
    /// One line.
    Text,
    /// A number.
    Number,
    /// Numbers.
    Numbers,
    /// Yes or no.
    Bool,
    /// `30 minutes`, `2 working days`.
    Duration,
    /// `08:30`.
    Time,
    /// `08:30`, `Fri 16:00`: a time of day on certain days.
    Schedule,
    /// An amount with currency.
    Money,
    /// Rows with typed columns, in order.
    Table(Vec<(String, InputKind)>),
}

/// One start condition.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its name, when several are told apart by `trigger`.
    pub name: Option<String>,
    /// Event types.
    pub events: Vec<String>,
    /// The connection that it must come from, as an expression (`inputs.mailbox`).
    pub source: Option<Expr>,
    /// The condition.
    pub condition: Option<Expr>,
    /// The thresholds at which its events are heard, for each kind of threshold that they have.
    pub thresholds: Vec<Wanted>,
}

/// Thresholds of one kind that a trigger hears of.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The kind.
    pub def: &'static ThresholdDef,
    /// Which.
    pub numbers: Numbers,
}

/// Where the numbers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// The flow hands over none: the connector's.
    Default,
    /// They are written in the flow.
    Written(Vec<i64>),
    /// They are filled in as this input.
    Input(String),
}

/// Steps that run one after the other.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// In order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Unique in the flow: written, or derived from verb and object. State names steps by it.
    pub id: String,
    /// What it does.
    pub verb: Verb,
    /// Line in the file, for messages.
    pub line: usize,
}

/// The verbs that the language has so far.
#[derive(Clone, Debug)]
pub enum Verb {
    /// One message to each person.
    Push(Message),
    /// A mail to each person.
    Mail(Message),
    /// An answer in the thread of a mail.
    Reply(Reply),
    /// Adds and removes labels of a mail.
    Label(Label),
    /// A request to another system.
    Http(Box<super::Request>),
    /// A question that is decided once.
    Ask(Box<Ask>),
    /// Waits for an event.
    Wait(Wait),
    /// What happens, from here on, each time that an event comes while the run is open.
    Meanwhile(Box<super::Meanwhile>),
    /// Waits for time to pass.
    Pause(Length),
    /// One of two ways.
    If(If),
    /// A branch for each of a list.
    Each(Box<super::Each>),
    /// Several branches side by side.
    Together(super::Together),
    /// An event of our own.
    Emit(Emit),
    /// Another flow does a part of it.
    Call(Box<super::Call>),
    /// Ends the run.
    Stop,
    /// Puts the matter on the list of things not done.
    DeadLetter(Text),
    /// A line on a list that each reader gets once, at his own time.
    Digest(Arc<Digest>),
    /// Gathers such lines until the list leaves: the one step of a gatherer.
    Gather(Arc<Digest>),
}

/// `digest:`. Lines are worked out when they are put on the list, because the matter may be over
/// by the time that it leaves.
#[derive(Clone, Debug)]
pub struct Digest {
    /// Who gets a list.
    pub who: Expr,
    /// When it leaves, in each reader's zone.
    pub at: Moment,
    /// Whether the line is taken off the list instead: the matter is done.
    pub drop: Option<Expr>,
    /// What a line says: labels and values.
    pub row: Vec<(String, Expr)>,
    /// By what lines are sorted, smallest first; without it in the order in which they came.
    pub order: Option<Expr>,
    /// What happens when it leaves: steps that do not wait.
    pub then: Block,
}

/// When something that comes again and again comes.
#[derive(Clone, Debug)]
pub enum Moment {
    /// Written in the flow.
    Fixed(Schedule),
    /// An input of type `schedule` or `time`.
    Given(Expr),
    /// So long after the first line.
    After(Length),
}

/// A time of day on certain days, on the wall clock of whoever it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Which days.
    pub days: Days,
    /// The time of day.
    pub time: jiff::civil::Time,
}

/// Which days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Days {
    /// Every day, also when he does not work.
    All,
    /// Those on which he works.
    Working,
    /// These days of the week, 1 = Monday; when he does not work on one, his next working day.
    Of(Vec<i8>),
}

/// `push:` and `mail:`.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who.
    pub to: Expr,
    /// Title of a push, subject of a mail.
    pub title: Text,
    /// The body.
    pub text: Option<Text>,
    /// Where a tap leads; None: the hosted page.
    pub link: Option<Expr>,
    /// `high` disturbs quiet hours.
    pub importance: Importance,
    /// Whether it leaves at once, in quiet hours too.
    pub urgent: bool,
    /// Events with which it goes away again.
    pub withdraw_on: Vec<String>,
    /// Full, brief or hidden text outside the page.
    pub privacy: Privacy,
    /// Whether the list's rows stand below the text, with all of them attached.
    pub table: bool,
    /// When it is no longer worth showing; absent: whenever.
    pub valid_until: Option<Expr>,
    /// What it is about: a later one with the same words takes its place on the phone.
    pub replaces: Option<Expr>,
    /// What happens when it cannot be sent: None = dead letter.
    pub on_error: Option<Block>,
}

/// How loud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Importance {
    /// Held back in quiet hours.
    #[default]
    Normal,
    /// Disturbs.
    High,
}

/// How much of the text leaves the hosted page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// Title and text.
    #[default]
    Full,
    /// The title only.
    Brief,
    /// Neither: "A confirmation waits".
    Hidden,
}

/// `reply:`.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The mail that is answered (the noun, normally `mail`).
    pub mail: Expr,
    /// The answer.
    pub text: Text,
    /// What happens when it cannot be sent.
    pub on_error: Option<Block>,
}

/// `label:`.
#[derive(Clone, Debug)]
pub struct Label {
    /// The mail.
    pub mail: Expr,
    /// Labels to add.
    pub add: Vec<Text>,
    /// Labels to remove.
    pub remove: Vec<Text>,
}

/// `ask:`.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who decides.
    pub who: Expr,
    /// The push's title.
    pub title: Text,
    /// The push's text.
    pub text: Option<Text>,
    /// Label → value: the page and the evidence.
    pub show: Vec<(String, Expr)>,
    /// The buttons, in order.
    pub choices: Vec<Choice>,
    /// Who must not decide (people or mail addresses).
    pub not_by: Vec<Expr>,
    /// Whether only those who are asked may decide, away or not: nobody stands in for them.
    pub in_person: Option<Expr>,
    /// Whether further events of the same matter are only noted, instead of shown anew.
    pub told_once: bool,
    /// Whether a further event of the same matter settles it, so that nobody need decide.
    pub over_if: Option<Expr>,
    /// Whether the decider must be signed in.
    pub sign_in: Option<Expr>,
    /// The ladder when nobody answers, in order of time; ends in `Expire`.
    pub if_silent: Vec<Rung>,
    /// What follows, by ending: each choice that closes, and `expire`; `withdrawn` and
    /// `over` if written.
    pub then: Vec<(String, Block)>,
    /// How loud.
    pub importance: Importance,
    /// Whether it leaves at once, in quiet hours too.
    pub urgent: bool,
    /// How many must agree.
    pub need: super::Need,
    /// How much of the text leaves the hosted page.
    pub privacy: Privacy,
    /// Instead of a push for each: one list for each person, with buttons in every row.
    pub list: Option<Arc<Digest>>,
}

/// One button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its id, such as `approve`.
    pub id: String,
    /// What the button says: the id in words unless written.
    pub label: String,
    /// The same by language, where it is written in several.
    pub labels: Vec<(String, String)>,
    /// Whether a comment goes with it.
    pub comment: CommentRule,
    /// Whether the matter stays open (a question back to the requester).
    pub keeps_open: bool,
}

impl Choice {
    /// What the button says to a reader of this language.
    pub fn label_for(&self, language: &str) -> &str {
        crate::lang::in_language(&self.labels, language).unwrap_or(&self.label)
    }
}

/// Whether a comment goes with a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommentRule {
    /// No field.
    None,
    /// A field.
    #[default]
    Optional,
    /// A field that must be filled.
    Required,
}

/// One rung of the ladder.
#[derive(Clone, Debug)]
pub struct Rung {
    /// How long after the question left.
    pub after: Span,
    /// What happens.
    pub act: RungAct,
}

/// What happens on a rung.
#[derive(Clone, Debug)]
pub enum RungAct {
    /// Ask the same people again.
    Remind,
    /// Ask the deputy too.
    Deputy,
    /// Ask these people too.
    Who(Expr),
    /// It is over: ending `expire`.
    Expire,
}

/// A length of time as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// `4 hours`, `30 minutes`, `2 days`: by the clock.
    Clock(Millis),
    /// `4 working hours`, `30 working minutes`: counted only while the person works.
    Working(Millis),
    /// `2 working days`: the same time of day, that many working days later.
    WorkingDays(u32),
}

/// A length of time, as the flow says it or as an input gives it.
#[derive(Clone, Debug)]
pub enum Length {
    /// Written in the flow.
    Fixed(Span),
    /// An input of type `duration`.
    Given(Expr),
}

/// `wait:`.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Event types.
    pub events: Vec<String>,
    /// The condition over `it`.
    pub condition: Option<Expr>,
    /// When it is given up; default 30 days.
    pub up_to: Length,
    /// Whose working time counts; None: that of the directory's owner.
    pub whose: Option<Expr>,
    /// The name under which the event (or `timed_out`) is known afterwards.
    pub name: Option<String>,
}

/// `if:`.
#[derive(Clone, Debug)]
pub struct If {
    /// The condition.
    pub condition: Expr,
    /// When it holds.
    pub then: Block,
    /// When it does not.
    pub otherwise: Block,
}

/// `emit:`.
#[derive(Clone, Debug)]
pub struct Emit {
    /// The event type.
    pub event: String,
    /// The payload's leaves.
    pub data: Vec<(String, Expr)>,
}
