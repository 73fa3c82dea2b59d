//! The engine: pure decisions over durable cells, the flow language, and the loops that carry events
//! in and effects out. No SQL, no HTTP and no provider's name here.

pub mod calendar;
pub mod flow;
pub mod lang;
pub mod store;
pub mod story;
pub mod yaml;
