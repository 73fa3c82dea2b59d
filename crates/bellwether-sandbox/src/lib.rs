//! The sandbox: local stand-ins for the outside services that Bellwether talks to, on one machine
//! and without an account. Here are the frame, its options and the registry; it depends on no other
//! Bellwether crate, so that a misunderstanding cannot be shared.
//!
//! # How to add a stand-in
//! 1. A module with its state and a `pub(crate) const STAND_IN: StandIn`: name, port offset and
//!    door, the fault targets it guards, its admin routes, its fragment of `/admin/info`, its
//!    reset.
//! 2. One line in [`all`], and one field in [`world::World`] with the typed state
//!    (`pub(crate) opentext: OpenText`, built in `World::new`). Other stand-ins reach it as
//!    `world.opentext`. A lock is taken and released inside one call and never held over an await.
//!
//! - **Door.** `Door::Http(fn(&Arc<World>) -> Router)` is served at base port + offset;
//!   `Door::Tcp` gets the listener itself; `Door::None` has no port, only admin routes at the base
//!   port (the phones and the page are such). Routers are complete: `.with_state(world.clone())`.
//! - **Faults.** Wrap each group of routes: `faults::guard(router, world, "opentext.mra")`, and
//!   list the target in `targets`. The guard applies what `/admin/faults` registered and records
//!   the call.
//! - **Admin routes.** `admin: fn(&Arc<World>) -> Router` is merged into the server at the base
//!   port; refuse with `admin::refuse(status, "sentence")`.
//! - **Lines for the page.** `world.tell("push", "alice", "One sentence.", json!({..}))` reaches
//!   `GET /events` (server-sent events: `event:` is the kind, `data:` is the JSON of
//!   `world::Line`).
//! - **Time.** `world.clock.now()` for what people see, `clock::real_now()` for the wire.
//! - **Own address.** `world.addresses.url("opentext")` and `.get("smtp")`.
//! - **Client address.** Every HTTP request has a `server::Wire` extension (`peer`, `reset()`).

mod admin;
mod clock;
mod faults;
mod google;
mod mounted;
mod opentext;
mod page;
mod people;
mod phones;
mod recorder;
mod server;
mod smintio;
mod smtp;
mod world;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use clock::{ClockSetting, RATE_LIMIT};
pub use google::MAILBOX_BYTES_LIMIT;
pub use mounted::{Answered, Mounted};
pub use people::{PEOPLE_LIMIT, Person, default_people};

use clock::Clock;
use server::Stop;
use world::World;

/// How to start a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to bind; the sandbox has no protection and belongs on the loopback.
    pub host: IpAddr,
    /// Base port: the page is there, the stand-ins follow at their offsets. 0 = free ports.
    pub port: u16,
    /// People and mailboxes.
    pub people: Vec<Person>,
    /// Where the flow clock stands at the start.
    pub clock: ClockSetting,
    /// Bytes of mail each mailbox keeps before it refuses more as over quota.
    pub mailbox_bytes: usize,
}

impl Default for Options {
    /// Port 9400 on 127.0.0.1, the demonstration's people, flow time equal to real time.
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 9400,
            people: default_people(),
            clock: ClockSetting::default(),
            mailbox_bytes: MAILBOX_BYTES_LIMIT,
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A port could not be bound.
    Bind {
        /// What the port was for.
        name: &'static str,
        /// The address that is taken or not allowed.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The people given make no sense, for example one address twice.
    People(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind {
                name,
                address,
                source,
            } => write!(
                f,
                "port {} for {name} of the sandbox cannot be bound at {}: {source}; \
                 stop what uses it or give another base port",
                address.port(),
                address.ip()
            ),
            Self::People(what) => write!(f, "the people of the sandbox are not usable: {what}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } => Some(source),
            Self::People(_) => None,
        }
    }
}

/// Where the parts of a sandbox listen.
#[derive(Debug, Clone, Default)]
pub struct Addresses(Vec<(&'static str, SocketAddr)>);

impl Addresses {
    /// Address of a part: `page`, `google`, `opentext`, `smintio`, `smtp`.
    pub fn get(&self, name: &str) -> Option<SocketAddr> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, address)| *address)
    }

    /// `http://host:port` of a part; empty when there is no such part.
    pub fn url(&self, name: &str) -> String {
        self.get(name)
            .map(|a| format!("http://{a}"))
            .unwrap_or_default()
    }

    /// All parts that listen, in order of their ports' offsets.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.0.iter().copied()
    }
}

/// Serves a listener in a protocol of its own until the sandbox stops.
pub(crate) type TcpDoor =
    fn(Arc<World>, TcpListener, Stop) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// What serves a stand-in's port.
#[derive(Clone, Copy)]
pub(crate) enum Door {
    /// No port of its own: admin routes only.
    None,
    /// HTTP at base port + offset.
    Http(u16, fn(&Arc<World>) -> Router),
    /// Any protocol at base port + offset.
    Tcp(u16, TcpDoor),
}

/// One stand-in, as the registry lists it.
pub(crate) struct StandIn {
    /// Name in [`Addresses`].
    pub(crate) name: &'static str,
    pub(crate) door: Door,
    /// Names of the fault targets that its router guards.
    pub(crate) targets: &'static [&'static str],
    /// Its routes on the control surface.
    pub(crate) admin: fn(&Arc<World>) -> Router,
    /// Its fragment of `/admin/info`.
    pub(crate) info: fn(&World) -> Map<String, Value>,
    /// Back to the start state.
    pub(crate) reset: fn(&World),
}

/// Every stand-in. The page and control surface itself is the base port and not listed.
pub(crate) fn all() -> &'static [StandIn] {
    &[
        google::STAND_IN,
        smtp::STAND_IN,
        opentext::STAND_IN,
        smintio::STAND_IN,
        phones::STAND_IN,
        page::STAND_IN,
    ]
}

/// Every target that a fault can be set on.
pub(crate) fn fault_targets() -> impl Iterator<Item = &'static str> {
    all().iter().flat_map(|s| s.targets.iter().copied())
}

/// A running sandbox. Dropping it stops it; [`Sandbox::shutdown`] also waits.
#[derive(Debug)]
pub struct Sandbox {
    addresses: Addresses,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Where the parts listen.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Stops listening and cuts open connections.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts a sandbox: binds all ports, then serves until it is shut down or dropped.
///
/// # Errors
/// [`StartError::Bind`] names the port that is taken; [`StartError::People`] says what is wrong
/// with the people given. Nothing runs after an error.
pub async fn start(options: Options) -> Result<Sandbox, StartError> {
    check_people(&options.people)?;
    let page = bind(&options, "page", 0).await?;
    let mut addresses = Addresses::default();
    record(&mut addresses, &options, "page", &page)?;
    let mut listeners = Vec::with_capacity(all().len());
    for stand_in in all() {
        let (Door::Http(offset, _) | Door::Tcp(offset, _)) = stand_in.door else {
            continue;
        };
        let listener = bind(&options, stand_in.name, offset).await?;
        record(&mut addresses, &options, stand_in.name, &listener)?;
        listeners.push((stand_in, listener));
    }
    let clock = Clock::new(options.clock);
    let world = World::new(
        options.people,
        clock,
        addresses.clone(),
        options.mailbox_bytes,
    );
    let (sender, stop) = Stop::new();
    let mut tasks = JoinSet::new();
    let mut control = admin::routes(&world);
    for stand_in in all() {
        control = control.merge((stand_in.admin)(&world));
    }
    tasks.spawn(server::serve_http(page, control, stop.clone()));
    for (stand_in, listener) in listeners {
        match stand_in.door {
            Door::None => {}
            Door::Http(_, router) => {
                tasks.spawn(server::serve_http(listener, router(&world), stop.clone()));
            }
            Door::Tcp(_, serve) => {
                tasks.spawn(serve(Arc::clone(&world), listener, stop.clone()));
            }
        }
    }
    Ok(Sandbox {
        addresses,
        stop: sender,
        tasks,
    })
}

async fn bind(
    options: &Options,
    name: &'static str,
    offset: u16,
) -> Result<TcpListener, StartError> {
    let port = match options.port {
        0 => 0,
        base => base.checked_add(offset).ok_or_else(|| StartError::Bind {
            name,
            address: SocketAddr::new(options.host, base),
            source: std::io::Error::other("base port too high"),
        })?,
    };
    let address = SocketAddr::new(options.host, port);
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Bind {
            name,
            address,
            source,
        })
}

fn record(
    addresses: &mut Addresses,
    options: &Options,
    name: &'static str,
    listener: &TcpListener,
) -> Result<(), StartError> {
    let address = listener.local_addr().map_err(|source| StartError::Bind {
        name,
        address: SocketAddr::new(options.host, options.port),
        source,
    })?;
    addresses.0.push((name, address));
    Ok(())
}

fn check_people(people: &[Person]) -> Result<(), StartError> {
    if people.len() > PEOPLE_LIMIT {
        return Err(StartError::People(format!(
            "at most {PEOPLE_LIMIT} are served"
        )));
    }
    for (i, person) in people.iter().enumerate() {
        if person.id.is_empty() || !person.address.contains('@') {
            return Err(StartError::People(format!(
                "{:?} needs an id and an address",
                person.name
            )));
        }
        let twice = people[..i].iter().any(|p| {
            p.id.eq_ignore_ascii_case(&person.id) || p.address.eq_ignore_ascii_case(&person.address)
        });
        if twice {
            return Err(StartError::People(format!(
                "{} is there twice",
                person.address
            )));
        }
    }
    Ok(())
}
