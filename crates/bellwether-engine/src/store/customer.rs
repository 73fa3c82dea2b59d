//! The register of customers: people outside the organisation, by address. It is written as part of
//! a member and read by address or page by page, never as a whole.

use bellwether_model::directory::Customer;
use bellwether_model::time::Time;

/// A change of the register of customers.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerWrite {
    /// The customer as he is from now on; his address says who it is.
    pub customer: Customer,
    /// True: he is taken out.
    pub removed: bool,
    /// Who says so, as the actor says itself.
    pub by: String,
    /// When (transport time).
    pub at: Time,
}

/// Which customers to list, in order of address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerQuery {
    /// Only those whose address begins with this, in small letters.
    pub begins: Option<String>,
    /// The address that the page before ended with.
    pub after: Option<String>,
    /// At most this many; the store caps it at 1 000.
    pub limit: usize,
}

/// A customer in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerRow {
    /// The customer.
    pub customer: Customer,
    /// Who said so last.
    pub by: String,
    /// When (transport time).
    pub at: Time,
}

/// How many customers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomerCounts {
    /// All.
    pub all: u64,
    /// With an id in the companion app.
    pub with_app: u64,
    /// Who said yes.
    pub given: u64,
    /// Who took it back.
    pub opted_out: u64,
    /// To whom a push may go: app and yes.
    pub reachable: u64,
}
