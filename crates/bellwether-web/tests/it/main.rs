//! The web behind real listeners, with a small in-memory stand-in for the engine.

// The gallery shares two of these files and uses other parts of them.
#![allow(dead_code, unreachable_pub)]

mod api;
mod auth;
mod client;
mod console;
mod fake;
mod hooks;
mod hosted;
mod hostile;
mod live;
mod samples;
mod style;
