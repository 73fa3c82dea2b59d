//! Identifiers that are computed and not stored: uuids that carry a number under a seed, so that a
//! feed of any size is found again without a table, and a small generator of seeded numbers.
//! Nothing here keeps anybody from guessing: it is quick instead, as a feed holds many of them.

/// Largest number that a uuid of ours carries: 48 bits.
pub(crate) const NUMBER_LIMIT: u64 = (1 << 48) - 1;

/// The uuid of thing `number` of this kind in the world of `seed`.
pub(crate) fn uuid(kind: &str, seed: u64, number: u64) -> String {
    let number = number & NUMBER_LIMIT;
    let mut draw = Draw::new(seed ^ spread(kind), number);
    let (a, b) = (draw.next(), draw.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b & 0xfff,
        number ^ mask(kind, seed)
    )
}

/// The number that a uuid carries; none when it is not one that [`uuid`] makes.
pub(crate) fn number(kind: &str, seed: u64, text: &str) -> Option<u64> {
    let tail = text.rsplit('-').next()?;
    let masked = u64::from_str_radix(tail, 16).ok()?;
    let number = (masked ^ mask(kind, seed)) & NUMBER_LIMIT;
    (uuid(kind, seed, number) == text).then_some(number)
}

/// A uuid that stands for a text, for example a project's name.
pub(crate) fn of_text(kind: &str, seed: u64, text: &str) -> String {
    uuid(kind, seed, spread(text))
}

/// What hides the number in a uuid from a reader's eye.
fn mask(kind: &str, seed: u64) -> u64 {
    Draw::new(seed, spread(kind)).next() & NUMBER_LIMIT
}

/// A number for a text (FNV-1a).
fn spread(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Numbers that follow from a seed alone (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which must not be 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of a list that is not empty.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_read_back_under_their_own_kind_and_seed_only() {
        for n in [0, 1, 100_000, NUMBER_LIMIT] {
            let text = uuid("lpt", 7, n);
            assert_eq!(text.len(), 36, "{text}");
            assert_eq!(number("lpt", 7, &text), Some(n));
            assert_eq!(number("lpt", 8, &text), None);
            assert_eq!(number("cursor", 7, &text), None);
        }
        for bad in ["", "x", "00000000-0000-4000-8000-000000000001", "-"] {
            assert_eq!(number("lpt", 7, bad), None, "{bad}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_numbers() {
        let draw = |stream| {
            let mut draw = Draw::new(5, stream);
            [draw.next(), draw.below(10), draw.below(10)]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
