//! The contract between the engine and a provider's code. One const [`ConnectorDef`] per provider
//! declares everything; docs, lint, forms, checks and contract tests loop over them. No provider is
//! named here.

use std::fmt::Debug;
use std::sync::Arc;

use serde_json::Value;

use crate::BoxFuture;
use crate::clock::Clock;
use crate::event::{Alias, NewEvent};
use crate::failure::Failure;
use crate::feed::Feed;
use crate::http::{Http, RawAnswer, RawRequest};
use crate::id::EffectId;
use crate::notification::Delivery;
use crate::reduce::Reducer;
use crate::secret::Secret;
use crate::spec::{Settings, Spec};
use crate::time::{Millis, Time};

/// Everything about one provider, as data.
#[derive(Debug)]
pub struct ConnectorDef {
    /// The key in configuration, docs and metric labels.
    pub name: &'static str,
    /// The company or product behind it, as people call it.
    pub title: &'static str,
    /// What it connects to, in a sentence.
    pub summary: &'static str,
    /// What somebody does at the provider before it can be connected, in a sentence or two.
    pub needs: &'static str,
    /// What it was written from and what was tried, in a sentence or two: how far its marks of
    /// `verified` can be relied on.
    pub basis: &'static str,
    /// The fields of a connection.
    pub settings: fn() -> Spec,
    /// How a connection authenticates.
    pub auth: AuthSpec,
    /// The event types that it brings.
    pub triggers: &'static [TriggerDef],
    /// Numbers that a flow may hand over to some of them with `with:`.
    pub thresholds: &'static [ThresholdDef],
    /// What it can do.
    pub actions: &'static [ActionDef],
    /// The inlets under `/hooks/{connection}/…`.
    pub inlets: &'static [InletDef],
    /// What it makes of its own records over time, if single events do not say enough.
    pub reduce: Option<Reducer>,
    /// Makes a connection. Does no I/O: the first call is `check` or whatever is needed first.
    pub connect: fn(Settings, Host) -> Result<Arc<dyn Connection>, Failure>,
}

/// How a connection authenticates at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthSpec {
    /// Not at all, or by a signature on each request.
    None,
    /// User and password.
    Basic,
    /// OAuth 2 authorisation code with refresh token.
    OAuthCode {
        /// Where a person consents.
        authorize: &'static str,
        /// Where tokens are made.
        token: &'static str,
        /// The scopes asked for.
        scopes: &'static [&'static str],
    },
    /// OAuth 2 client credentials (or Basic, as the settings say).
    ClientCredentials,
}

/// One event type.
#[derive(Debug)]
pub struct TriggerDef {
    /// The dotted type.
    pub event: &'static str,
    /// When it happens, in a sentence.
    pub summary: &'static str,
    /// The top-level keys of `data`: the nouns that it brings to a flow.
    pub nouns: &'static [&'static str],
    /// JSON Schema of `data`. A field with `"x-whole": true` is only known once the whole item was
    /// read: lint says so where a condition needs it first.
    pub schema: fn() -> Value,
    /// A sample of `data` that fits the schema.
    pub sample: fn() -> Value,
    /// A MiniJinja template that says the event in a sentence.
    pub sentence: &'static str,
    /// Whether the provider's public documents say that it is like this; false where it is our
    /// convention.
    pub verified: bool,
}

/// Numbers at which something is told, such as days before an end. Each flow hands over its own;
/// the connector tells of all that any flow wants, and each flow hears of its own alone.
#[derive(Debug, PartialEq, Eq)]
pub struct ThresholdDef {
    /// The name under `with:`.
    pub name: &'static str,
    /// What they are, in a sentence.
    pub summary: &'static str,
    /// The event types that tell of them.
    pub events: &'static [&'static str],
    /// For a flow that hands over none.
    pub default: &'static [i64],
    /// The greatest that may be asked for; the least is 1.
    pub most: i64,
    /// Where the payload lists the thresholds that were passed, as a JSON pointer.
    pub passed: &'static str,
}

/// What an action is for; flows speak of roles (`push`, `reply`), never of providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// One message to one person's device.
    Push,
    /// A new mail.
    Mail,
    /// An answer in a thread that began elsewhere.
    Reply,
    /// Labels on a message.
    Label,
    /// A request to a system of our own, which is no message to anybody.
    Http,
}

/// One thing that a connector can do.
#[derive(Debug)]
pub struct ActionDef {
    /// Its name within the connector.
    pub name: &'static str,
    /// What it is for.
    pub role: Role,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The arguments.
    pub input: fn() -> Spec,
    /// Arguments that work as they stand.
    pub sample: fn() -> Value,
    /// Whether an unknown outcome can be found out afterwards with `reconcile`.
    pub reconciles: bool,
    /// Whether the provider's public documents say how it is called; false where a part of it is
    /// our convention.
    pub verified: bool,
}

/// One way in for requests that the provider makes.
#[derive(Debug)]
pub struct InletDef {
    /// The rest of the path after the connection's name; empty for the plain webhook.
    pub name: &'static str,
    /// What comes in and how it proves itself, in a sentence or two.
    pub summary: &'static str,
    /// Whether a public document says that it is like this; false where it is our convention.
    pub verified: bool,
}

/// What a connection is given to work with. It never builds these itself.
#[derive(Clone, Debug)]
pub struct Host {
    /// The connection's name.
    pub connection: String,
    /// The way out.
    pub http: Arc<dyn Http>,
    /// Transport time.
    pub clock: Arc<dyn Clock>,
    /// Where rotating secrets are kept.
    pub vault: Arc<dyn Vault>,
    /// Proves that a header or address was made by us.
    pub signer: Arc<dyn Signer>,
}

/// Durable keeping of secrets that the provider changes (a rotated refresh token).
pub trait Vault: Send + Sync + Debug {
    /// The latest secret kept under (connection, name), if any.
    fn get<'a>(
        &'a self,
        connection: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Secret>, Failure>>;

    /// Keeps a secret. Committed when this returns: a rotated refresh token is kept before the
    /// access token that came with it is used.
    fn put<'a>(
        &'a self,
        connection: &'a str,
        name: &'a str,
        secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>>;
}

/// A keyed MAC under the server's own key.
pub trait Signer: Send + Sync + Debug {
    /// A MAC over `purpose` and `parts`, as 22 url-safe characters.
    fn sign(&self, purpose: &str, parts: &[&str]) -> String;

    /// Whether `mac` is the MAC of these parts, compared in constant time; old keys still verify.
    fn verify(&self, purpose: &str, parts: &[&str], mac: &str) -> bool;
}

/// A live connection to a provider. One value serves all calls at once.
pub trait Connection: Send + Sync + Debug {
    /// The cheapest call that proves that the credentials and the set-up work.
    ///
    /// # Errors
    /// The failure that any other call would meet.
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>>;

    /// The source of events that is read by polling, if this connection has one.
    fn source(&self) -> Option<&dyn Source> {
        None
    }

    /// The sources of whole records, if this connection has such instead. Each has a name of its
    /// own and is read by itself: one that waits or fails stops no other.
    fn feeds(&self) -> Vec<&dyn Feed> {
        Vec::new()
    }

    /// Performs an action once. Called only after `started` was committed for this attempt.
    ///
    /// # Errors
    /// The class says what the engine does next; `MaybeDone` whenever it may have been done.
    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>>;

    /// Finds out what became of an attempt whose outcome is unknown. Called only for actions with
    /// `reconciles`, before anything is sent again; changes nothing visible at the provider.
    ///
    /// # Errors
    /// The question could not be asked; it will be asked again.
    fn reconcile<'a>(
        &'a self,
        action: &'a Action<'a>,
    ) -> BoxFuture<'a, Result<Reconciled, Failure>> {
        let _ = action;
        Box::pin(std::future::ready(Ok(Reconciled::Unknown)))
    }

    /// Whether the provider will report on deliveries by its own reference: then references are
    /// kept where such reports can find them.
    fn reports_status(&self) -> bool {
        false
    }

    /// Reads one inbound request: authenticates it, then says what it means. Does no I/O; nothing
    /// is answered to the caller before what it means has been committed.
    ///
    /// # Errors
    /// The answer to give at once: 401 not authentic, 400 malformed, 404 no such inlet.
    fn receive(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        let _ = request;
        Err(RawAnswer::error(
            404,
            "no_such_inlet",
            "this connection takes nothing in here",
        ))
    }
}

/// What a successful check found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whom or what we are connected as, such as an address.
    pub identity: String,
}

/// One action to perform.
#[derive(Debug)]
pub struct Action<'a> {
    /// Which of the connector's actions.
    pub name: &'a str,
    /// The idempotency key: the same in every attempt.
    pub effect: EffectId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// When the flow asked for it first, in transport time.
    pub since: Time,
    /// The arguments, links already filled in.
    pub args: &'a Value,
    /// What an earlier attempt saved with [`Progress::save`].
    pub saved: Option<&'a Value>,
    /// Saves progress durably in the middle of an attempt.
    pub progress: &'a dyn Progress,
}

/// Durable progress within one attempt.
pub trait Progress: Send + Sync + Debug {
    /// Committed when this returns: the id of a draft before the draft is sent.
    ///
    /// # Errors
    /// It could not be committed, or the attempt is no longer ours: stop without sending.
    fn save(&self, saved: Value) -> BoxFuture<'_, Result<(), Failure>>;
}

/// What a provider said to a performed action.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How far delivery is known to have come.
    pub delivery: Delivery,
    /// The provider's own id for it, if it gave one.
    pub reference: Option<String>,
    /// Names under which answers to it will arrive (a thread, a Message-ID).
    pub aliases: Vec<Alias>,
}

/// What became of an attempt whose outcome was unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Reconciled {
    /// It was done.
    Done(Outcome),
    /// It was surely not done: it may be tried again.
    NotDone,
    /// Nobody can say: `maybe_sent`, and the flow's policy decides.
    Unknown,
}

/// What an inbound request means.
#[derive(Clone, Debug, PartialEq)]
pub enum Inbound {
    /// An event, to be deduplicated and matched.
    Event(NewEvent),
    /// Something new may be there: read the source now. Recorded and coalesced, never an event.
    Hint,
    /// What a person did with a notification, as a companion app reports it.
    Engagement(EngagementReport),
    /// What the provider says about a delivery.
    Status(StatusReport),
}

/// A companion app's report. Person and case come from the token, never from the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngagementReport {
    /// The app's own id of this report: the same id twice is recorded once.
    pub id: String,
    /// The notification's own token.
    pub token: Secret,
    /// What happened.
    pub what: EngagementKind,
    /// The hash of the content that was shown, as the push carried it.
    pub shown: String,
    /// When, by the device's clock: shown to people, never compared.
    pub at: Option<Time>,
    /// Which device.
    pub device: String,
}

/// What a person did with a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngagementKind {
    /// It reached the device.
    Received,
    /// It was opened.
    Opened,
    /// A button was pressed.
    Acted {
        /// The choice.
        choice: String,
        /// The comment, possibly empty.
        comment: String,
    },
    /// It was swiped away.
    Dismissed,
}

/// A provider's word about a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// The provider's id, as [`Outcome::reference`] had it, or our notification id.
    pub reference: String,
    /// How far it came.
    pub delivery: Delivery,
    /// The provider's own words.
    pub detail: String,
}

/// A source that is read by polling, in two steps: ids first, with the cursor; then one by one.
pub trait Source: Send + Sync {
    /// How often to look when nothing hints.
    fn poll_every(&self) -> Millis;

    /// How often to compare the provider's own listing with the ledger.
    fn sweep_every(&self) -> Millis;

    /// Step 1: the ids that came since `cursor`. Without a cursor: no ids and the present cursor,
    /// so that watching begins now. The engine commits ids and cursor in one transaction.
    ///
    /// # Errors
    /// As for any call; nothing is lost, the same cursor is asked again.
    fn discover<'a>(
        &'a self,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Discovered, Failure>>;

    /// Step 2: one id, fetched and parsed. `attempt` counts from 1; from the second attempt on the
    /// item is suspect, and a simpler reading is better than none.
    ///
    /// # Errors
    /// As for any call. After three attempts that end in a crash or `Bug` the engine gives the item
    /// up with [`Source::stub`].
    fn fetch<'a>(&'a self, id: &'a str, attempt: u32) -> BoxFuture<'a, Result<Fetched, Failure>>;

    /// The event for an item that could not be read: what is known, marked as unreadable.
    fn stub(&self, id: &str, reason: &str, now: Time) -> NewEvent;

    /// The provider's own listing of ids that came at or after `since`, a page at a time, for the
    /// recount and for the resync after an expired cursor.
    ///
    /// # Errors
    /// As for any call.
    fn listing<'a>(
        &'a self,
        since: Time,
        page: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Listing, Failure>>;
}

/// What step 1 found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovered {
    /// New ids, oldest first, and the cursor that is right once they are recorded.
    New {
        /// The source's ids; the same id may come again and is recorded once.
        ids: Vec<String>,
        /// The next cursor.
        cursor: String,
        /// Whether there is more to read at once.
        more: bool,
    },
    /// The provider no longer knows the cursor: resync by listing.
    Expired,
}

/// What step 2 made of one id.
#[derive(Clone, Debug, PartialEq)]
pub enum Fetched {
    /// An event.
    Event(Box<NewEvent>),
    /// Nothing for flows (a draft, our own mail), with the reason in a word.
    Ignored(&'static str),
    /// It is gone at the provider: normal.
    Gone,
}

/// One page of the provider's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Ids in the same form as [`Discovered::New`] has them.
    pub ids: Vec<String>,
    /// The next page, if any.
    pub next: Option<String>,
}
