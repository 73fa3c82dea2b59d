//! The words of expressions in one table: filters, tests and functions, with how many arguments
//! each
//! takes and what it means. What they do is in `filters`, `calls` and `eval`.

use super::ast::{Filter, Function, Test};

/// One row of the language's word list.
#[derive(Debug)]
pub(crate) struct Entry<T: 'static> {
    /// How it is written.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) what: T,
    /// Fewest and most arguments by place.
    pub(crate) plain: (usize, usize),
    /// Whether arguments by name are taken (column names).
    pub(crate) named: bool,
    /// What it does, with an example; the reference page is made of these.
    pub(crate) about: &'static str,
}

const fn entry<T>(
    name: &'static str,
    what: T,
    plain: (usize, usize),
    about: &'static str,
) -> Entry<T> {
    Entry {
        name,
        what,
        plain,
        named: false,
        about,
    }
}

/// All filters.
pub(crate) static FILTERS: [Entry<Filter>; 24] = [
    entry(
        "labelled",
        Filter::Labelled,
        (1, 12),
        "mail.text | labelled('Amount', 'Total'): the text after the first of these labels; absent \
         when several lines say different things",
    ),
    entry(
        "money",
        Filter::Money,
        (0, 0),
        "text | money: the one amount with currency in a text; absent when it is not clear",
    ),
    entry(
        "find",
        Filter::Find,
        (1, 1),
        "text | find('[A-Z]+-[0-9]+'): the first part of the text that fits the pattern",
    ),
    Entry {
        name: "first_row",
        what: Filter::FirstRow,
        plain: (0, 0),
        named: true,
        about: "table | first_row(words=text, up_to=amount): the first row that fits",
    },
    Entry {
        name: "where",
        what: Filter::Where,
        plain: (0, 0),
        named: true,
        about: "table | where(kind='legal'): all rows that fit, as first_row has it",
    },
    entry(
        "column",
        Filter::Column,
        (1, 1),
        "rows | column('detail'): that field of each row",
    ),
    entry(
        "known",
        Filter::Known,
        (0, 0),
        "people | known: those whom the directory knows; absent when it knows none of them",
    ),
    entry(
        "without",
        Filter::Without,
        (1, 1),
        "people | without(actor): everybody but him",
    ),
    entry(
        "one_of",
        Filter::OneOf,
        (1, 1),
        "text | one_of('a@x.com, @example.com'): whether it is on the list; @ means a domain",
    ),
    entry(
        "in_words",
        Filter::InWords,
        (0, 0),
        "time | in_words: in the reader's language and zone",
    ),
    entry(
        "names",
        Filter::Names,
        (0, 0),
        "people | names: `Alice and Bob`",
    ),
    entry(
        "count",
        Filter::Count,
        (0, 0),
        "list | count: how many there are",
    ),
    entry(
        "first_lines",
        Filter::FirstLines,
        (1, 1),
        "text | first_lines(3): the first lines that are not empty",
    ),
    entry(
        "lower",
        Filter::Lower,
        (0, 0),
        "text | lower: in small letters",
    ),
    entry(
        "upper",
        Filter::Upper,
        (0, 0),
        "text | upper: in capital letters",
    ),
    entry(
        "fingerprint",
        Filter::Fingerprint,
        (0, 0),
        "mail.subject | fingerprint: without counts, times and words such as failed or recovered",
    ),
    entry(
        "moment",
        Filter::Moment,
        (1, 1),
        "text | moment('Europe/Vienna'): the one date or time in a text; absent when not clear",
    ),
    entry(
        "replace",
        Filter::Replace,
        (2, 2),
        "text | replace('_', ' '): with the second in place of the first, everywhere",
    ),
    entry(
        "trim",
        Filter::Trim,
        (0, 0),
        "text | trim: without space at both ends",
    ),
    entry(
        "default",
        Filter::Default,
        (1, 1),
        "value | default(0): the other value when it is absent",
    ),
    entry(
        "ago",
        Filter::Ago,
        (0, 0),
        "time | ago: `3 hours ago`, in the reader's language",
    ),
    entry(
        "in_zone",
        Filter::InZone,
        (1, 1),
        "time | in_zone('Europe/Vienna'): in words, in that zone",
    ),
    entry(
        "join",
        Filter::Join,
        (0, 1),
        "list | join(', '): one text of many",
    ),
    entry(
        "first",
        Filter::First,
        (0, 0),
        "list | first: the first element",
    ),
];

/// All tests.
pub(crate) static TESTS: [Entry<Test>; 2] = [
    entry(
        "matching",
        Test::Matching,
        (1, 1),
        "text is matching('^Re:'): whether the pattern fits somewhere",
    ),
    entry(
        "defined",
        Test::Defined,
        (0, 0),
        "value is defined: whether it is there",
    ),
];

/// All functions.
pub(crate) static FUNCTIONS: [Entry<Function>; 12] = [
    entry(
        "role",
        Function::Role,
        (1, 1),
        "role('legal'): everybody who holds the role",
    ),
    entry(
        "group",
        Function::Group,
        (1, 1),
        "group('partners'): everybody in the group",
    ),
    entry(
        "team",
        Function::Team,
        (1, 1),
        "team('brand'): everybody in the team",
    ),
    entry(
        "lead_of",
        Function::LeadOf,
        (1, 1),
        "lead_of('brand'): who leads the team",
    ),
    entry(
        "on_duty",
        Function::OnDuty,
        (1, 1),
        "on_duty('it-ops'): who is on duty now, or stands in for him",
    ),
    entry(
        "person",
        Function::Person,
        (1, 1),
        "person('alice'): one person by id or address",
    ),
    entry(
        "deputy_of",
        Function::DeputyOf,
        (1, 1),
        "deputy_of(x): who stands in now",
    ),
    entry(
        "manager_of",
        Function::ManagerOf,
        (1, 1),
        "manager_of(x): who leads him",
    ),
    entry(
        "users_of",
        Function::UsersOf,
        (1, 1),
        "users_of(asset.id): everybody in whose documents the asset is, as the register knows",
    ),
    entry(
        "outcome_of",
        Function::OutcomeOf,
        (1, 1),
        "outcome_of(push.notification): what is known of a push now: `delivered` (yes, no, cannot \
         know), `did` (answered, opened, dismissed; absent for nothing), `over` (its case ended)",
    ),
    entry(
        "customer",
        Function::Customer,
        (1, 1),
        "customer(mail.to): the one customer whom these addresses mean; absent when nobody or \
         several are in the register",
    ),
    entry(
        "money",
        Function::Money,
        (1, 1),
        "money('5000 EUR'): an amount",
    ),
];
