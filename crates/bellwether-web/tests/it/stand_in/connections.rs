//! What the stand-in knows of connections: one is refused, one works.

use bellwether_engine::seam::{ConnectionView, Connections};
use bellwether_engine::store::{Refusals, StoreError};
use bellwether_model::BoxFuture;
use bellwether_model::failure::Failure;
use bellwether_model::id::EffectId;

use super::fake::{Fake, done, lock};

impl Connections for Fake {
    fn list(&self) -> BoxFuture<'_, Vec<ConnectionView>> {
        done(lock(&self.connections).clone())
    }

    fn test<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, Failure>> {
        done(if name == "opentext" {
            Err(Failure::reauthorise(
                "bad_password",
                "OpenText refuses the password; set it again",
            ))
        } else {
            Ok("approvals@example.com".to_owned())
        })
    }

    fn read_now<'a>(&'a self, _: &'a str) -> BoxFuture<'a, bool> {
        done(true)
    }

    fn recount<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, Failure>> {
        done(Ok(2))
    }

    fn sweep<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, Failure>> {
        done(Ok(2))
    }

    fn refusals<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Refusals, StoreError>> {
        done(Ok(lock(&self.refused).clone()))
    }

    fn by_reference<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Option<EffectId>> {
        done(None)
    }
}
