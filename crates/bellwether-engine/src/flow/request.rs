//! `http:`, the request to another system: what it is once understood. How it is read is in
//! `read/request.rs`, what goes out in `decide/request.rs`.

use super::Block;
use crate::lang::Expr;

/// `http:`. It is sent through a connection, which knows the address and how to sign.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name of the connection, as an expression (`inputs.ticketing`).
    pub connection: Expr,
    /// What it says that happened, such as `order.approved`; the flow's name unless written.
    pub event: Option<String>,
    /// The payload: each leaf's dotted path and its value.
    pub data: Vec<(String, Expr)>,
    /// What happens when it cannot be sent: None = dead letter.
    pub on_error: Option<Block>,
}
