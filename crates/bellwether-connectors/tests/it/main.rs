//! Behaviour of the connectors over real HTTP and in their contract. What the engine makes of it is
//! tested elsewhere.

mod common;
mod contract;
mod egress;
mod gmail;
mod gmail_send;
mod gmail_world;
mod http;
mod oauth;
mod opentext_answers;
mod opentext_inlets;
mod opentext_push;
mod sandbox;
mod smintio;
mod smintio_hints;
mod smintio_memory;
mod smintio_portals;
mod smintio_renewals;
mod smintio_webhook;
mod smintio_world;
mod webhook;
mod webhook_requests;
