//! The `Store` trait: every call goes to the writer or to a reader. No SQL here.

use bellwether_engine::store::{
    Answer, CellRef, EffectRow, EventRef, InletState, InletStep, Member, Owner, Query, Ready,
    Snapshot, Store, StoreError, Verdict,
};
use bellwether_model::BoxFuture;
use bellwether_model::event::{Alias, Event};
use bellwether_model::id::{CellId, EffectId};
use bellwether_model::time::{Millis, Time};
use tokio::sync::oneshot;

use super::writer::{LeaseAsk, Request};
use super::{Database, GONE, gone, inlet, read};

impl Database {
    /// Asks the writer and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (to, answer) = oneshot::channel();
        self.requests.send(request(to)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

impl Store for Database {
    fn commit(&self, members: Vec<Member>) -> BoxFuture<'_, Vec<Verdict>> {
        Box::pin(async move {
            let n = members.len();
            if n == 0 {
                return Vec::new();
            }
            self.ask(|to| Request::Commit(members, to))
                .await
                .unwrap_or_else(|_| vec![Verdict::Refused(GONE.to_owned()); n])
        })
    }

    fn load<'a>(
        &'a self,
        cells: &'a [CellRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Snapshot>>, StoreError>> {
        let cells = cells.to_vec();
        Box::pin(self.point(move |conn| read::load(conn, &cells)))
    }

    fn resolve<'a>(
        &'a self,
        aliases: &'a [Alias],
    ) -> BoxFuture<'a, Result<Vec<Option<CellId>>, StoreError>> {
        let keys: Vec<[u8; 16]> = aliases.iter().map(Alias::key).collect();
        Box::pin(self.point(move |conn| read::resolve(conn, &keys)))
    }

    fn events<'a>(
        &'a self,
        refs: &'a [EventRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Event>>, StoreError>> {
        let (refs, seen) = (refs.to_vec(), self.seen.clone());
        Box::pin(self.point(move |conn| read::events(conn, &seen, &refs)))
    }

    fn effects<'a>(
        &'a self,
        ids: &'a [EffectId],
    ) -> BoxFuture<'a, Result<Vec<Option<EffectRow>>, StoreError>> {
        let ids = ids.to_vec();
        Box::pin(self.point(move |conn| read::effects(conn, &ids)))
    }

    fn answer<'a>(
        &'a self,
        queries: &'a [Query],
    ) -> BoxFuture<'a, Result<Vec<Answer>, StoreError>> {
        let queries = queries.to_vec();
        Box::pin(self.point(move |conn| read::answer(conn, &queries)))
    }

    fn ready(&self, now: Time, limit: usize) -> BoxFuture<'_, Result<Ready, StoreError>> {
        Box::pin(self.list(move |conn| read::ready(conn, now, limit)))
    }

    fn due_effects<'a>(
        &'a self,
        lane: &'a str,
        now: Time,
        limit: usize,
        left_by_others: Option<Owner>,
    ) -> BoxFuture<'a, Result<(Vec<EffectRow>, Option<Time>), StoreError>> {
        let lane = lane.to_owned();
        Box::pin(self.list(move |conn| match left_by_others {
            Some(owner) => read::left(conn, &lane, limit, owner).map(|rows| (rows, None)),
            None => read::due(conn, &lane, now, limit),
        }))
    }

    fn inlet<'a>(
        &'a self,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>> {
        let connection = connection.to_owned();
        Box::pin(async move {
            if inlet::writes(&step) {
                self.ask(|to| Request::Inlet(connection, step, to))
                    .await?
                    .map_err(StoreError)
            } else {
                self.point(move |conn| inlet::look(conn, &connection, &step))
                    .await
            }
        })
    }

    fn lease<'a>(
        &'a self,
        name: &'a str,
        owner: Owner,
        now: Time,
        ttl: Millis,
    ) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        let ask = LeaseAsk {
            name: name.to_owned(),
            owner,
            now,
            ttl,
        };
        Box::pin(async move {
            self.ask(|to| Request::Lease(ask, to))
                .await?
                .map_err(StoreError)
        })
    }
}
