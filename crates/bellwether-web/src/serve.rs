//! The server loop: accepts, limits, serves and drains. It knows nothing of what is served.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections that one listener serves at once; more wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 4096;
/// How long requests in flight may take to end after the shutdown began.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);
/// How long a caller may take to send the head of a request, idle time between requests included.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The most bytes that the head of a request may have.
const HEAD_MAX: usize = 32 * 1024;
/// How long to rest when the system cannot accept (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end, and whether the server is about to stop.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The other end's address.
    pub(crate) address: SocketAddr,
    /// Turns true when the server drains: endless answers end then.
    pub(crate) draining: watch::Receiver<bool>,
}

/// Serves `router` on `listener` until `shutdown` completes, then lets requests in flight end for
/// at most [`DRAIN_MAX`].
///
/// # Errors
/// The listener has no address: it was not bound.
pub async fn serve<F>(listener: TcpListener, router: Router, shutdown: F) -> io::Result<()>
where
    F: Future<Output = ()> + Send,
{
    listener.local_addr()?;
    let (drain, draining) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let service = TowerToHyperService::new(router);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, address)) => {
                let draining = draining.clone();
                let peer = Peer { address, draining };
                let service = service.clone();
                connections.spawn(async move {
                    connection(stream, peer, service).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drain.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_MAX, ended).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    connections.shutdown().await;
    Ok(())
}

async fn connection(stream: TcpStream, peer: Peer, service: TowerToHyperService<Router>) {
    // Answers are small and complete: waiting to fill a segment would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let mut draining = peer.draining.clone();
    let handler = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        service.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), handler);
    let mut served = pin!(served);
    let drains = async {
        // An error means that the loop is gone, which is the same news.
        drop(draining.wait_for(|stop| *stop).await);
    };
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = drains => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}
