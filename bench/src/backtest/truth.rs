//! The two flows of the backtest, and what they must differ in: worked out here from the seed, for
//! each order alone, without the product.

use std::collections::BTreeMap;

use crate::rng::Rng;

/// What the flow that was on says.
pub(super) const WAS: &str = "\
bellwether: 1
flow: orders
about: Tells whoever decides about an order.
when: { event: order.placed, if: order.total >= 100 }
steps:
  - push: person('bob') if order.total > 900 else person('alice')
    title: \"{{ order.number }} {{ order.kind }}\"
    text: \"{{ order.total }} to {{ order.kind }}\"
";

/// What the changed one says: smaller orders too, a lower limit, another text for one kind, and
/// nothing for another.
pub(super) const IS: &str = "\
bellwether: 1
flow: orders
about: Tells whoever decides about an order.
when: { event: order.placed, if: order.total >= 50 and order.kind != 'k9' }
steps:
  - push: person('bob') if order.total > 800 else person('alice')
    title: \"{{ order.number }} {{ order.kind }}{{ '!' if order.kind == 'k3' else '' }}\"
    text: \"{{ order.total }} to {{ order.kind }}\"
";

/// One order of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) total: u64,
    kind: u64,
}

impl Order {
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut rng = Rng::new(seed.wrapping_mul(1_000_003) ^ number);
        Self {
            total: rng.between(0, 1_000),
            kind: rng.between(0, 10),
        }
    }

    pub(super) fn name(number: u64) -> String {
        format!("O-{number:07}")
    }

    pub(super) fn body(self, number: u64) -> String {
        let name = Self::name(number);
        let (total, kind) = (self.total, self.kind);
        format!(r#"{{"number":"{name}","kind":"k{kind}","total":{total}}}"#)
    }

    /// Who was told.
    fn was(self) -> Option<&'static str> {
        (self.total >= 100).then_some(if self.total > 900 { "bob" } else { "alice" })
    }

    /// Who would be told.
    fn is(self) -> Option<&'static str> {
        let told = self.total >= 50 && self.kind != 9;
        told.then_some(if self.total > 800 { "bob" } else { "alice" })
    }

    /// In which way the two differ.
    pub(super) fn differs(self) -> Option<&'static str> {
        match (self.was(), self.is()) {
            (None, Some(_)) => Some("more"),
            (Some(_), None) => Some("fewer"),
            (Some(was), Some(is)) if was != is => Some("other_recipient"),
            (Some(_), Some(_)) if self.kind == 3 => Some("other_text"),
            _ => None,
        }
    }
}

/// What must be found of so many orders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) sent: u64,
    pub(super) would_send: u64,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Truth {
    pub(super) fn of(seed: u64, orders: u64) -> Self {
        let mut truth = Self::default();
        for order in (0..orders).map(|number| Order::of(seed, number)) {
            truth.sent += u64::from(order.was().is_some());
            truth.would_send += u64::from(order.is().is_some());
            if let Some(kind) = order.differs() {
                *truth.counts.entry(kind).or_default() += 1;
            }
        }
        truth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_differ_is_in_a_thousand_orders() {
        let truth = Truth::of(7, 1_000);
        let found: Vec<_> = truth.counts.keys().copied().collect();
        assert_eq!(found, ["fewer", "more", "other_recipient", "other_text"]);
        assert!(truth.sent > 800 && truth.would_send < 1_000);
        let order = |total, kind| Order { total, kind };
        assert_eq!(order(850, 3).differs(), Some("other_recipient"));
        assert_eq!(order(850, 9).differs(), Some("fewer"));
        assert_eq!(order(50, 3).differs(), Some("more"));
        assert_eq!(order(49, 3).differs(), None);
        assert_eq!(order(950, 1).differs(), None);
    }
}
