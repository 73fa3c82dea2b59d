//! Leases: one holder at a time, fences that grow with each new holder.

use bellwether_model::time::Millis;

use super::make::*;
use super::{each, each_lasting};

#[test]
fn a_lease_has_one_holder_until_it_ends() {
    each(|db| async move {
        let ttl = Millis::seconds(10);
        assert_eq!(db.lease("lane", us(), at(0), ttl).await, Ok(Some(1)));
        assert_eq!(db.lease("lane", them(), at(9), ttl).await, Ok(None));
        assert_eq!(db.lease("lane", us(), at(9), ttl).await, Ok(Some(1)));
        assert_eq!(db.lease("lane", them(), at(18), ttl).await, Ok(None));
        assert_eq!(db.lease("lane", them(), at(19), ttl).await, Ok(Some(2)));
        assert_eq!(db.lease("lane", us(), at(20), ttl).await, Ok(None));
        assert_eq!(db.lease("lane", us(), at(40), ttl).await, Ok(Some(3)));
        assert_eq!(db.lease("other", them(), at(40), ttl).await, Ok(Some(1)));
    });
}

#[test]
fn a_holder_that_comes_back_late_keeps_its_fence_if_nobody_took_it() {
    each(|db| async move {
        let ttl = Millis::seconds(1);
        assert_eq!(db.lease("lane", us(), at(0), ttl).await, Ok(Some(1)));
        assert_eq!(db.lease("lane", us(), at(60), ttl).await, Ok(Some(1)));
    });
}

#[test]
fn fences_survive_a_restart() {
    each_lasting(|backend, path| async move {
        let ttl = Millis::seconds(1);
        let db = backend.open(&path);
        assert_eq!(db.lease("lane", us(), at(0), ttl).await, Ok(Some(1)));
        db.close();
        let db = backend.open(&path);
        assert_eq!(db.lease("lane", them(), at(0), ttl).await, Ok(None));
        assert_eq!(db.lease("lane", them(), at(2), ttl).await, Ok(Some(2)));
    });
}
