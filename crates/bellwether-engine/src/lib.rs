//! The engine: pure decisions over durable cells, the flow language, and the loops that carry
//! events in and effects out. No SQL, no HTTP and no provider's name here.

pub mod backtest;
pub mod calendar;
pub mod decide;
pub mod explain;
pub mod flow;
pub mod gate;
pub mod lang;
pub mod run;
pub mod seam;
pub mod store;
pub mod story;
pub mod yaml;
