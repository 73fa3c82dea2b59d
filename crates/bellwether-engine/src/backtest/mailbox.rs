//! The mails of a connected mailbox, read for a backtest: before anything was recorded, they are
//! what a flow can be tried on. Nothing is recorded, and nothing in the mailbox is changed.

use bellwether_model::connector::{Fetched, Source};
use bellwether_model::event::NewEvent;
use bellwether_model::failure::Failure;
use bellwether_model::time::Time;
use futures_util::future::join_all;

use super::{NoReport, Progress};
use crate::run::{Engine, is_ours};

/// How many mails are read at most: the newest that the provider lists.
const MAILS_MAX: usize = 2_000;
/// How many are read at a time.
const FETCHES: usize = 8;
/// A bound for a listing that does not end.
const PAGES_MAX: usize = 1_000;

/// Reads what came to a mailbox in a period, oldest first.
///
/// # Errors
/// There is no such mailbox, it cannot be read, or somebody ended it.
pub async fn read_mailbox(
    real: &Engine,
    connection: &str,
    period: (Time, Time),
    progress: &Progress,
) -> Result<Vec<NewEvent>, NoReport> {
    let setup = real.setup();
    let found = setup.links.get(connection);
    let Some(source) = found.and_then(|link| link.connection.source()) else {
        let mut known: Vec<&str> = setup
            .links
            .values()
            .filter(|link| link.connection.source().is_some())
            .map(|link| link.name.as_str())
            .collect();
        known.sort_unstable();
        let words = match known.as_slice() {
            [] => "no connected mailbox can be read".to_owned(),
            known => format!(
                "{connection} is no mailbox that can be read; there is {}",
                known.join(", ")
            ),
        };
        return Err(NoReport::Mailbox(words));
    };
    let failed = |failure: Failure| NoReport::Mailbox(failure.to_string());
    let ids = listed(source, period.0).await.map_err(failed)?;
    progress.all(ids.len());
    let mut mails = Vec::new();
    for group in ids.chunks(FETCHES) {
        if progress.is_cancelled() {
            return Err(NoReport::Cancelled);
        }
        // What cannot be read in full is read in the simpler way; what fails then is left out.
        let read = |id: &'_ String| {
            let id = id.clone();
            async move {
                match source.fetch(&id, 1).await {
                    Err(failure) if is_ours(&failure) => {
                        source.fetch(&id, 2).await.or(Ok(Fetched::Gone))
                    }
                    other => other,
                }
            }
        };
        for fetched in join_all(group.iter().map(read)).await {
            if let Fetched::Event(event) = fetched.map_err(failed)? {
                mails.push(*event);
            }
            progress.one_more();
        }
    }
    mails.retain(|mail| mail.time >= period.0 && mail.time < period.1);
    mails.sort_by_key(|mail| mail.time);
    Ok(mails)
}

async fn listed(source: &dyn Source, since: Time) -> Result<Vec<String>, Failure> {
    let mut ids: Vec<String> = Vec::new();
    let mut page: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let listing = source.listing(since, page.as_deref()).await?;
        ids.extend(listing.ids);
        page = listing.next;
        if page.is_none() || ids.len() >= MAILS_MAX {
            break;
        }
    }
    ids.truncate(MAILS_MAX);
    Ok(ids)
}
