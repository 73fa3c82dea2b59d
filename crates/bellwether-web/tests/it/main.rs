//! The web behind real listeners, with a small in-memory stand-in for the engine.

mod api;
mod auth;
mod backtest;
mod client;
mod console;
mod directory;
mod flows;
mod hooks;
mod hosted;
mod hostile;
mod live;
mod refusals;
mod register;
mod scim;
mod stand_in;
mod style;
mod why;
