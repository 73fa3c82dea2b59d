//! What may happen in a story and what may be expected, as plain data with places. Reading it from
//! YAML is in `read`, doing it in `play`.

use bellwether_model::directory::Customer;
use bellwether_model::failure::Failure;
use jiff::civil;
use serde_json::Value as Json;

use crate::flow::Span;

/// Line and column.
pub(super) type Place = (usize, usize);

/// One element of a story's list.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) place: Place,
    /// Moving time first, then the rest in the order of the file.
    pub(super) deeds: Vec<(Place, Deed)>,
    pub(super) expect: Option<(Place, Vec<Expectation>)>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// `at:` the clock moves on to an instant.
    At(Moment),
    /// `after:` the clock moves on by a length of time.
    After(Span),
    /// `people:` somebody is different, or new.
    People(Vec<(String, Json)>),
    /// `customers:` the register has them like this from now on.
    Customers(Vec<Customer>),
    /// `away:` somebody is on leave from now until a day.
    Away(Vec<(String, civil::Date)>),
    /// `inputs:` the flow is switched on with other inputs.
    Inputs(Json),
    /// `faults:` a channel fails from now on; the person is empty for everybody.
    Faults(Vec<(&'static str, String, Fault)>),
    /// `mail:` a mail comes in.
    Mail(Box<MailWords>),
    /// `replies:` somebody answers the latest mail that he got from the flow.
    Replies(Vec<(String, MailWords)>),
    /// `happens:` an event of any type.
    Happens(Happening),
    /// `tap:` buttons of the latest push, on the phone.
    Tap(Vec<Pressing>),
    /// `press:` buttons of the page behind the latest message.
    Press(Vec<Pressing>),
    /// `console:` decided for somebody by an operator.
    Console(Vec<Pressing>),
    /// `opens:` somebody opens the page.
    Opens(Vec<String>),
    /// `signs_in:` somebody has a code sent to him and enters it on the page.
    SignsIn(Vec<String>),
    /// `reads:` somebody reads the latest mail in his mailbox.
    Reads(Vec<String>),
}

/// A date with time, or a time today or else tomorrow, with or without a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) date: Option<civil::Date>,
    pub(super) time: civil::Time,
    pub(super) zone: Option<String>,
}

/// Buttons that one person presses, in order, each with its comment.
#[derive(Clone, Debug)]
pub(super) struct Pressing {
    pub(super) person: String,
    pub(super) choices: Vec<(String, String)>,
}

/// An event that is no mail.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    pub(super) kind: String,
    pub(super) fields: Json,
    pub(super) times: usize,
}

/// Who wrote a mail: proved, refuted, or nothing known (no verdict of the receiving server).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Proof {
    #[default]
    Pass,
    Fail,
    Absent,
}

/// Whose reply token a mail carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Token {
    /// A new mail none, a reply that of the mail that it answers.
    #[default]
    Own,
    Absent,
    Forged,
    /// That of the latest mail of ours whose subject has these words.
    Of(String),
}

/// What a story says about a mail. What it does not say is as in the sample of its type.
#[derive(Clone, Debug, Default)]
pub(super) struct MailWords {
    pub(super) event: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) reply_to: Vec<String>,
    pub(super) subject: Option<String>,
    pub(super) text: String,
    pub(super) labels: Vec<String>,
    pub(super) attachments: Vec<String>,
    pub(super) mailbox: Option<String>,
    pub(super) forwarded_from: Option<String>,
    pub(super) list: Option<String>,
    pub(super) auto: Option<String>,
    pub(super) auth: Proof,
    pub(super) token: Token,
    pub(super) html_only: bool,
    pub(super) dsn: bool,
    /// Words of the subject of an earlier mail, in whose thread this one is.
    pub(super) thread_of: Option<String>,
    /// Words of the subject of an earlier mail, of which this one is another copy.
    pub(super) same_as: Option<String>,
}

/// How a channel fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It does not.
    #[default]
    None,
    /// The address is not known (any more).
    Unregistered,
    /// The provider is down: surely not sent.
    Down,
    /// No answer came: it may have been sent.
    Timeout,
    /// The mail comes back.
    Bounces,
    /// The provider wants a person to consent again.
    Unauthorised,
    /// The provider wants another set-up.
    Misconfigured,
    /// The connector fails by a mistake of its own.
    Broken,
}

/// The words for faults.
pub(super) const FAULTS: [(&str, Fault); 8] = [
    ("none", Fault::None),
    ("unregistered", Fault::Unregistered),
    ("down", Fault::Down),
    ("timeout", Fault::Timeout),
    ("bounces", Fault::Bounces),
    ("unauthorised", Fault::Unauthorised),
    ("misconfigured", Fault::Misconfigured),
    ("broken", Fault::Broken),
];

impl Fault {
    /// What the connection answers.
    pub(super) fn failure(self) -> Option<Failure> {
        Some(match self {
            Self::None => return None,
            Self::Unregistered => Failure::reject(
                "unknown_recipient",
                "no device of this person is registered",
            ),
            Self::Down => Failure::retry("unavailable", "the provider does not answer", None),
            Self::Timeout => Failure::maybe("no_answer", "no answer came in time"),
            Self::Bounces => Failure::reject("bounced", "the mail came back"),
            Self::Unauthorised => Failure::reauthorise("consent", "consent was taken back"),
            Self::Misconfigured => Failure::misconfigured("set_up", "a right is missing"),
            Self::Broken => Failure::bug("broken", "the connector made a mistake"),
        })
    }
}

/// What is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Push,
    Mail,
    Reply,
    Label,
    Http,
    DeadLetter,
    Emit,
    /// A silent push that replaces what is no longer right.
    Withdrawn,
    /// What the page behind the latest message shows now.
    Page,
    /// What somebody was told when he pressed a button.
    Told,
    /// A note in the journal.
    Noted,
}

/// The key of each kind of expectation, and whether it names somebody.
pub(super) const WANTED: [(&str, Wanted, bool); 11] = [
    ("push", Wanted::Push, true),
    ("mail", Wanted::Mail, true),
    ("reply", Wanted::Reply, true),
    ("label", Wanted::Label, false),
    ("http", Wanted::Http, false),
    ("dead_letter", Wanted::DeadLetter, false),
    ("emit", Wanted::Emit, false),
    ("withdrawn", Wanted::Withdrawn, true),
    ("page", Wanted::Page, true),
    ("told", Wanted::Told, true),
    ("noted", Wanted::Noted, false),
];

/// The words for faults.
pub(crate) fn fault_words() -> Vec<&'static str> {
    FAULTS.iter().map(|(word, _)| *word).collect()
}

/// The words for what is expected.
pub(crate) fn wanted_words() -> Vec<&'static str> {
    WANTED.iter().map(|(word, ..)| *word).collect()
}

/// One expectation.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    pub(super) place: Place,
    pub(super) wanted: Wanted,
    /// The person or address; else the words of what names nobody.
    pub(super) object: String,
    pub(super) title: Option<String>,
    pub(super) text: Option<String>,
    pub(super) at: Option<Moment>,
}
