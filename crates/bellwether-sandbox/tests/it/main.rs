//! Integration tests of the sandbox: every stand-in over real sockets, in one binary.

mod frame;
mod gmail;
mod history;
mod mailboxes;
mod oauth;
mod opentext;
mod otag;
mod page;
mod phones;
mod search;
mod smintio;
mod smintio_feed;
mod smintio_hooks;
mod smintio_life;
mod smintio_portals;
mod smintio_push;
mod smtp;
mod wire;
