//! Why an event started what it started, for pages and callers.

use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::event::Position;

use crate::explain::Why;
use crate::store::StoreError;

/// Who can say why.
pub trait Explains: Send + Sync + Debug {
    /// What became of the event at this place; None when there is none.
    fn why(&self, at: Position) -> BoxFuture<'_, Result<Option<Why>, StoreError>>;
}
