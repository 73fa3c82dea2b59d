//! The expression language of flows: MiniJinja's syntax and values, a closed list of filters, tests
//! and functions, and strict comparisons. It is parsed and worked out here instead of by
//! MiniJinja's machine for three reasons: unlike types must be an error (there they have an order),
//! messages need the place in the flow file, and compiled expressions must live as long as their
//! flow without borrowing from an environment. A test compares the two on what both understand.

pub(crate) mod ast;
mod calls;
mod customers;
mod display;
mod eval;
mod expr;
mod filters;
mod fingerprint;
mod keep;
mod lookups;
mod moment;
pub mod money;
mod outcome;
pub(crate) mod parse;
mod scope;
mod select;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod unseen;
mod values;
mod who;
mod words;

pub use customers::{CUSTOMERS_MAX, Customers, Guests, addresses_in};
pub(crate) use expr::Part;
pub use expr::{EvalError, Expr, Text};
pub(crate) use keep::{kept, person_of, restored};
pub(crate) use lookups::LOOKUPS_MAX;
pub use lookups::Lookups;
pub use minijinja::Value;
pub use money::Money;
pub use scope::{Scope, World};
pub(crate) use unseen::{plainly, visible};
pub(crate) use values::{PERSON_FIELDS, as_instant};
pub use values::{instant_value, it_value, json_of, money_value, person_value, value_of};
pub use who::PersonOrAddress;
pub(crate) use who::names_meant;
pub use words::Language;
pub(crate) use words::{in_language, main_tag};

/// The words of the language with one sentence each: filters, tests, functions. The reference page
/// is made of it.
pub fn vocabulary() -> Vec<(&'static str, &'static str, &'static str)> {
    let filters = table::FILTERS.iter().map(|e| ("filter", e.name, e.about));
    let tests = table::TESTS.iter().map(|e| ("test", e.name, e.about));
    let functions = table::FUNCTIONS
        .iter()
        .map(|e| ("function", e.name, e.about));
    filters.chain(tests).chain(functions).collect()
}
