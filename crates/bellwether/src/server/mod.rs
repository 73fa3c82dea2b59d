//! The running server: parts put together, started, watched for changes, stopped. `compose` is the
//! only place that names concrete parts.

mod backtest_desk;
mod compose;
mod directory;
mod flow_desk;
mod flows;
mod import;
mod metrics;

pub(crate) use compose::{Composed, Options};
pub(crate) use flow_desk::in_memory;
pub(crate) use flows::{FlowFile, catalog, read_folder};
pub(crate) use import::check_folder;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bellwether_engine::seam::App;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long effects in flight may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) composed: Composed,
    pub(crate) internal: SocketAddr,
    pub(crate) public: SocketAddr,
    stop: watch::Sender<bool>,
    listeners: Vec<tokio::task::JoinHandle<std::io::Result<()>>>,
}

impl Running {
    /// Starts the loops and both listeners.
    ///
    /// # Errors
    /// A listener that failed, in a sentence.
    pub(crate) async fn start(
        composed: Composed,
        app: App,
        internal: TcpListener,
        public: TcpListener,
    ) -> Result<Self, String> {
        let address = |listener: &TcpListener| {
            listener
                .local_addr()
                .map_err(|error| format!("a listener has no address: {error}"))
        };
        let (internal_at, public_at) = (address(&internal)?, address(&public)?);
        let stop = watch::Sender::new(false);
        let mut listeners = Vec::new();
        let both = bellwether_web::routers(app);
        let routers = [(internal, both.internal), (public, both.public)];
        for (listener, router) in routers {
            let mut stopped = stop.subscribe();
            listeners.push(tokio::spawn(async move {
                let shutdown = async move {
                    drop(stopped.wait_for(|stop| *stop).await);
                };
                bellwether_web::serve(listener, router, shutdown).await
            }));
        }
        composed.engine.start().await;
        Ok(Self {
            composed,
            internal: internal_at,
            public: public_at,
            stop,
            listeners,
        })
    }

    /// Stops taking in, lets what is in flight end, closes the database.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for listener in self.listeners {
            if let Ok(Err(error)) = listener.await {
                tracing::warn!("a listener ended badly: {error}");
            }
        }
        self.composed.engine.stop(DRAIN).await;
        let database = Arc::clone(&self.composed.database);
        // Closing joins threads, so it does not belong on an async worker.
        if tokio::task::spawn_blocking(move || database.close())
            .await
            .is_err()
        {
            tracing::error!("closing the database failed");
        }
    }
}

/// Binds an address, or the next free port after it when `next` is set.
///
/// # Errors
/// The address cannot be bound, in a sentence.
pub(crate) async fn bind(address: SocketAddr, next: bool) -> Result<TcpListener, String> {
    let mut at = address;
    for _ in 0..50 {
        match TcpListener::bind(at).await {
            Ok(listener) => return Ok(listener),
            Err(error) if next && error.kind() == std::io::ErrorKind::AddrInUse => {
                at.set_port(at.port().saturating_add(10));
            }
            Err(error) => {
                return Err(format!(
                    "{at} cannot be bound: {error}; stop what uses it or give another port"
                ));
            }
        }
    }
    Err(format!("no port free from {address} on"))
}
