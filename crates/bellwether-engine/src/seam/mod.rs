//! What the web sees of the engine: plain values and traits, no concrete part. The binary builds
//! one [`App`] and passes it on; there is nothing global.

mod backtests;
mod directory;
mod explains;
mod flows;
mod hosted;
mod intake;
mod live;
mod people;
mod seals;

pub use backtests::{Backtest, Backtests, NotBegun};
pub use directory::{Directories, NotChanged};
pub use explains::Explains;
pub use flows::{FlowDocument, Flows, NotSaved, Recipe, Sample, Sampled};
pub use hosted::{
    Ask, Card, CardState, ChoiceView, CodeChecked, CodeSent, Fact, Hosted, HostedError, OpenGrade,
    Press, Pressed, Row, Visitor,
};
pub use intake::{
    Amended, ConnectionHealth, ConnectionView, Connections, Inlets, Intake, IntakeError, Submitted,
    TurnSaid, TurnedAway,
};
pub use live::{Live, LiveKind, LiveLine};
pub use people::{NewMapping, NotMapped, People, Recorded, UsageSaid, UserSaid};
pub use seals::{Flaw, Sealed, Seals};

use std::fmt;
use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::ConnectorDef;
use bellwether_model::secret::Secret;

use crate::store::{Registry, Views};

/// Who does something through the API, the console or a page. Every handler takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `admin(local)`, `token:ops`, or a person's id.
    pub name: String,
    /// What it may do.
    pub role: ActorRole,
    /// How it proved itself: `loopback`, `token`, `link`, `code`, `signed_in`.
    pub means: &'static str,
}

/// What an actor may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActorRole {
    /// Sees lists.
    Viewer,
    /// Retries, closes, decides for others.
    Operator,
    /// Everything.
    Admin,
}

/// How the two listeners treat callers.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// The address that people's devices reach: what deep links begin with.
    pub public_url: String,
    /// The address of the console.
    pub console_url: String,
    /// The token of the internal listener; empty: loopback callers are `admin(local)`.
    pub token: Secret,
    /// The token of the system that keeps people here by SCIM; empty: nobody may. It opens nothing
    /// else.
    pub scim_token: Secret,
    /// Host names that are accepted in `Host:` besides loopback names.
    pub hosts: Vec<String>,
    /// The address of the stand-ins' page, in the demo.
    pub sandbox_url: Option<String>,
}

/// Everything that a handler may use.
#[derive(Clone)]
pub struct App {
    /// Events from people and from tests of the set-up.
    pub intake: Arc<dyn Intake>,
    /// Inbound requests of connections.
    pub inlets: Arc<dyn Inlets>,
    /// Connections and their health.
    pub connections: Arc<dyn Connections>,
    /// The pages behind a push's link.
    pub hosted: Arc<dyn Hosted>,
    /// The directory and the register of customers, with the right to change them.
    pub directory: Arc<dyn Directories>,
    /// The flows, with the right to change and to try them.
    pub flows: Arc<dyn Flows>,
    /// Flows over what the record has.
    pub backtests: Arc<dyn Backtests>,
    /// Why flows did or did not begin with an event.
    pub explains: Arc<dyn Explains>,
    /// Whether a case is as it was written.
    pub seals: Arc<dyn Seals>,
    /// The register of usages, and who the users of other systems are.
    pub people: Arc<dyn People>,
    /// Lists.
    pub views: Arc<dyn Views>,
    /// Documents.
    pub registry: Arc<dyn Registry>,
    /// Connectors, as data.
    pub catalog: &'static [&'static ConnectorDef],
    /// What happens, as it happens.
    pub live: Live,
    /// Flow time.
    pub flow_clock: Arc<dyn Clock>,
    /// Transport time.
    pub transport_clock: Arc<dyn Clock>,
    /// Addresses and the console's token.
    pub web: WebSettings,
    /// Text of `/metrics` besides what the web counts itself.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Why nothing can be recorded at the moment, in a sentence; None when all is well.
    pub trouble: Arc<dyn Fn() -> BoxFuture<'static, Option<String>> + Send + Sync>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("web", &self.web)
            .finish_non_exhaustive()
    }
}
