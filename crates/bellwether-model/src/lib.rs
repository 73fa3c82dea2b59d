//! The nouns and contracts that every other crate speaks: events, connectors, directory, failures,
//! time. There is no I/O here, no async runtime, no SQL and no HTTP implementation.

pub mod clock;
pub mod connector;
pub mod directory;
pub mod event;
pub mod failure;
pub mod feed;
pub mod http;
pub mod id;
pub mod notification;
pub mod reduce;
pub mod secret;
pub mod spec;
pub mod time;
pub mod veil;

use std::future::Future;
use std::pin::Pin;

/// A boxed future: what the async methods of our object-safe traits return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
