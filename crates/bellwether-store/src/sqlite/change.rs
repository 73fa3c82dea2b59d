//! The change row: what one transaction did to lists and totals, as a compact list of records. The
//! writer appends, the projector reads; nobody else knows the form.

use bellwether_model::id::Id;

/// What happened to something that lists show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// An event was recorded.
    Event { kind: i64, position: i64 },
    /// A cell began, open or already closed.
    Opened { program: i64, id: Id, open: bool },
    /// An open cell closed.
    Closed { program: i64, id: Id },
    /// An effect began.
    Born {
        id: Id,
        program: i64,
        role: u8,
        standing: Standing,
        person: Option<&'a str>,
    },
    /// An effect's state or delivery changed.
    Moved {
        id: Id,
        program: i64,
        role: u8,
        from: Standing,
        to: Standing,
    },
    /// Dead letters were written.
    DeadLetters(i64),
    /// Dead letters were settled.
    Settled(i64),
    /// Events came again.
    Duplicates(i64),
}

/// State and delivery of an effect, as stored numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: u8,
    pub(super) delivery: u8,
}

/// Appends records to a change row's body.
#[derive(Debug, Default)]
pub(super) struct ChangeLog {
    body: Vec<u8>,
}

impl ChangeLog {
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.body.clear();
    }

    pub(super) fn push(&mut self, change: Change<'_>) {
        match change {
            Change::Event { kind, position } => {
                self.body.push(1);
                self.int(kind);
                self.int(position);
            }
            Change::Opened { program, id, open } => {
                self.body.push(if open { 2 } else { 3 });
                self.int(program);
                self.body.extend_from_slice(id.bytes());
            }
            Change::Closed { program, id } => {
                self.body.push(4);
                self.int(program);
                self.body.extend_from_slice(id.bytes());
            }
            Change::Born {
                id,
                program,
                role,
                standing,
                person,
            } => {
                self.body.push(5);
                self.body.extend_from_slice(id.bytes());
                self.int(program);
                self.body
                    .extend_from_slice(&[role, standing.state, standing.delivery]);
                let person = person.unwrap_or("");
                self.int(i64::try_from(person.len()).unwrap_or(0));
                self.body.extend_from_slice(person.as_bytes());
            }
            Change::Moved {
                id,
                program,
                role,
                from,
                to,
            } => {
                self.body.push(6);
                self.body.extend_from_slice(id.bytes());
                self.int(program);
                let codes = [role, from.state, from.delivery, to.state, to.delivery];
                self.body.extend_from_slice(&codes);
            }
            Change::DeadLetters(n) => self.count(7, n),
            Change::Settled(n) => self.count(8, n),
            Change::Duplicates(n) => self.count(9, n),
        }
    }

    fn count(&mut self, tag: u8, n: i64) {
        self.body.push(tag);
        self.int(n);
    }

    /// Seven bits a byte, lowest first. All our numbers are positive.
    fn int(&mut self, value: i64) {
        let mut rest = value.unsigned_abs();
        while rest >= 0x80 {
            self.body.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.body.push(rest.to_le_bytes()[0]);
    }
}

/// Reads the records of a body; ends early at the first byte that makes no sense.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    rest: &'a [u8],
}

impl<'a> Changes<'a> {
    pub(super) fn of(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn id(&mut self) -> Option<Id> {
        self.take(16)?.try_into().ok().map(Id)
    }

    fn int(&mut self) -> Option<i64> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return i64::try_from(value).ok();
            }
        }
        None
    }

    fn standing(&mut self) -> Option<Standing> {
        Some(Standing {
            state: self.byte()?,
            delivery: self.byte()?,
        })
    }

    fn born(&mut self) -> Option<Change<'a>> {
        let (id, program, role) = (self.id()?, self.int()?, self.byte()?);
        let standing = self.standing()?;
        let length = usize::try_from(self.int()?).ok()?;
        let person = std::str::from_utf8(self.take(length)?).ok()?;
        Some(Change::Born {
            id,
            program,
            role,
            standing,
            person: (!person.is_empty()).then_some(person),
        })
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Change<'a>;

    fn next(&mut self) -> Option<Change<'a>> {
        Some(match self.byte()? {
            1 => Change::Event {
                kind: self.int()?,
                position: self.int()?,
            },
            tag @ (2 | 3) => Change::Opened {
                program: self.int()?,
                id: self.id()?,
                open: tag == 2,
            },
            4 => Change::Closed {
                program: self.int()?,
                id: self.id()?,
            },
            5 => self.born()?,
            6 => Change::Moved {
                id: self.id()?,
                program: self.int()?,
                role: self.byte()?,
                from: self.standing()?,
                to: self.standing()?,
            },
            7 => Change::DeadLetters(self.int()?),
            8 => Change::Settled(self.int()?),
            9 => Change::Duplicates(self.int()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_read_as_it_was_written() {
        let at = |state, delivery| Standing { state, delivery };
        let id = Id([7; 16]);
        let all = [
            Change::Event {
                kind: 3,
                position: i64::MAX >> 1,
            },
            Change::Opened {
                program: 128,
                id,
                open: true,
            },
            Change::Opened {
                program: 127,
                id,
                open: false,
            },
            Change::Closed { program: 0, id },
            Change::Born {
                id,
                program: 5,
                role: 2,
                standing: at(1, 0),
                person: Some("p-é"),
            },
            Change::Moved {
                id,
                program: 5,
                role: 2,
                from: at(1, 0),
                to: at(2, 3),
            },
            Change::DeadLetters(1),
            Change::Settled(300),
            Change::Duplicates(20_000),
        ];
        let mut log = ChangeLog::default();
        for change in all {
            log.push(change);
        }
        assert_eq!(Changes::of(log.body()).collect::<Vec<_>>(), all);
    }

    #[test]
    fn a_cut_body_ends_quietly() {
        let mut log = ChangeLog::default();
        log.push(Change::Closed {
            program: 1,
            id: Id([1; 16]),
        });
        let cut = &log.body()[..9];
        assert_eq!(Changes::of(cut).count(), 0);
    }
}
