//! Groups of flows: of those that an event would start, only the first of each group takes it, so
//! that nobody is asked twice about one matter because two flows fit. What starts a flow at all is
//! in `set`.

use super::{Active, Position};

/// The group that a flow is in, and its place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's name; flows of the same name are in it together.
    pub name: String,
    /// 1 comes first.
    pub place: u32,
}

/// The flow that takes an event from this one, if one of those that claim it does. A flow in shadow
/// takes nothing away from one that acts, because it would send nothing instead.
pub(crate) fn taken_by<'a>(
    one: &Active,
    claims: impl IntoIterator<Item = &'a Active>,
) -> Option<&'a str> {
    let group = one.flow.group.as_ref()?;
    let rank = |active: &Active| {
        let of = active.flow.group.as_ref();
        let of = of.filter(|of| of.name == group.name)?;
        Some((of.place, active.flow.name.clone()))
    };
    let own = rank(one);
    let counts = |other: &Active| match other.position {
        Position::On => true,
        Position::Shadow => one.position == Position::Shadow,
        Position::Off => false,
    };
    let before = claims.into_iter().filter(|other| counts(other));
    let before = before.filter_map(|other| Some((rank(other)?, other)));
    let first = before.min_by(|(a, _), (b, _)| a.cmp(b))?;
    (Some(first.0) < own).then_some(first.1.flow.name.as_str())
}
