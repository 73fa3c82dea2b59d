//! Integration tests of the sandbox: every stand-in over real sockets, in one binary.

mod opentext;
mod otag;
mod page;
mod phones;
mod wire;
