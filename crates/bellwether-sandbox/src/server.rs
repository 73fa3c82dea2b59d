//! The listeners: binding ports, serving HTTP on a connection that a fault may reset, stopping.
//! What is answered is with the stand-ins.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};

/// Connections one listener serves at one time; more wait in the kernel's queue.
pub(crate) const CONNECTIONS_LIMIT: usize = 512;

/// The connection a request came on. Every request carries one in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    /// Address of the client.
    pub(crate) peer: SocketAddr,
    cut: Arc<Notify>,
}

impl Wire {
    /// A connection that is none: nothing can be reset.
    pub(crate) fn of(peer: SocketAddr) -> Self {
        Self {
            peer,
            cut: Arc::default(),
        }
    }

    /// Makes the connection end with a TCP reset, without an answer.
    pub(crate) fn reset(&self) {
        self.cut.notify_one();
    }
}

/// Tells tasks that the sandbox stops.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until the sandbox stops; a dropped sandbox counts as stopped.
    pub(crate) async fn wait(&mut self) {
        while !*self.0.borrow_and_update() {
            if self.0.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Serves HTTP until the sandbox stops.
pub(crate) async fn serve_http(listener: TcpListener, router: Router, stop: Stop) {
    accept(listener, stop, move |stream, peer| {
        connection(stream, peer, router.clone())
    })
    .await;
}

/// Accepts connections until the sandbox stops and runs `serve` for each, a bounded number at once.
pub(crate) async fn accept<F, S>(listener: TcpListener, mut stop: Stop, serve: S)
where
    S: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
    loop {
        let slot = tokio::select! {
            () = stop.wait() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let Ok(slot) = slot else { return };
        let accepted = tokio::select! {
            () = stop.wait() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let work = serve(stream, peer);
                let mut stop = stop.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.wait() => {}
                        () = work => {}
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the sandbox could not accept a connection");
                // Out of descriptors, mostly: give others time to close.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router) {
    drop(stream.set_nodelay(true));
    let cut = Arc::new(Notify::new());
    let wire = Wire {
        peer,
        cut: Arc::clone(&cut),
    };
    let answering = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(wire.clone());
        let answer = answering.call(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    let conn = builder.serve_connection(TokioIo::new(stream), service);
    let mut conn = conn.with_upgrades();
    tokio::select! {
        served = &mut conn => {
            if let Err(error) = served {
                tracing::debug!(%error, %peer, "a connection to the sandbox ended early");
            }
        }
        () = cut.notified() => {
            // None: the connection was upgraded, and whoever has it closes it.
            if let Some(parts) = conn.into_parts() {
                // A zero linger makes the close a reset, which is what a broken network looks like.
                drop(parts.io.into_inner().set_zero_linger());
            }
        }
    }
}
