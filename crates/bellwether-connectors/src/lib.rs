//! What Bellwether knows about the world outside: one folder for each provider, the one HTTP client
//! and the OAuth token source. When these are called, and what a failure leads to, is the engine's.

mod egress;
mod gmail;
pub mod http;
pub mod oauth;
mod opentext_push;
mod proof;
mod smintio;
mod webhook;
mod websocket;

use bellwether_model::connector::ConnectorDef;

/// Every connector of this build, in alphabetical order.
pub fn all() -> &'static [&'static ConnectorDef] {
    &[
        &gmail::CONNECTOR,
        &opentext_push::CONNECTOR,
        &smintio::CONNECTOR,
        &webhook::CONNECTOR,
    ]
}
