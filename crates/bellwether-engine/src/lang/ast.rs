//! What an expression is after parsing, and the plain list of filters, tests and functions that
//! there are. How it is worked out is in `eval`.

use std::sync::Arc;

use minijinja::Value;

/// A mistake in an expression: where in the source it is and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Byte offset in the source.
    pub(crate) at: usize,
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead; empty when there is nothing to say.
    pub(crate) hint: String,
}

impl Wrong {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            hint: String::new(),
        }
    }

    pub(crate) fn hint(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.hint);
        self
    }
}

/// A node and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Ast {
    pub(crate) kind: Kind,
    pub(crate) at: usize,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A constant.
    Literal(Value),
    /// A variable.
    Name(Arc<str>),
    /// `a.b`: the key both as a name for messages and as a value for the lookup.
    Attr(Box<Ast>, Arc<str>, Value),
    /// `a[0]`.
    Index(Box<Ast>, i64),
    /// `[a, b]`.
    List(Vec<Ast>),
    /// `a and b and c`.
    And(Vec<Ast>),
    /// `a or b or c`.
    Or(Vec<Ast>),
    /// `not a`.
    Not(Box<Ast>),
    /// `-a`.
    Minus(Box<Ast>),
    /// `a < b`.
    Compare(Comparison, Box<Ast>, Box<Ast>),
    /// `a in b`.
    In(Box<Ast>, Box<Ast>),
    /// `a + b`.
    Math(Operator, Box<Ast>, Box<Ast>),
    /// `a if test else b`.
    Choice(Box<Ast>, Box<Ast>, Option<Box<Ast>>),
    /// `a | filter(…)`.
    Filter(Filter, Box<Ast>, Arguments),
    /// `a is test(…)`.
    Test(Test, Box<Ast>, Arguments),
    /// `function(…)`.
    Call(Function, Arguments),
}

/// What stands between the brackets of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    /// By place.
    pub(crate) plain: Vec<Ast>,
    /// By name.
    pub(crate) named: Vec<(Arc<str>, Ast)>,
    /// The compiled pattern of `find` and `matching`.
    pub(crate) pattern: Option<regex::Regex>,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A calculation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Plus,
    Minus,
    Times,
    Divided,
    Remainder,
    Join,
}

/// The filters of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Labelled,
    Money,
    Find,
    FirstRow,
    Where,
    Column,
    Known,
    OneOf,
    Replace,
    Without,
    Moment,
    Fingerprint,
    InWords,
    Names,
    Count,
    FirstLines,
    Lower,
    Upper,
    Trim,
    Default,
    Ago,
    InZone,
    Join,
    First,
}

/// The tests of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Matching,
    Defined,
}

/// The functions of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Role,
    Group,
    Team,
    LeadOf,
    OnDuty,
    Person,
    DeputyOf,
    ManagerOf,
    UsersOf,
    Customer,
    Money,
}

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
pub(crate) static FUNCTIONS: [Entry<Function>; 11] = [
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

/// A variable with the fields that are read from it: `mail.from.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The variable.
    pub(crate) root: Arc<str>,
    /// Byte offset of the variable.
    pub(crate) at: usize,
    /// The fields with their byte offsets; None is an index.
    pub(crate) fields: Vec<(Option<Arc<str>>, usize)>,
}

impl Ast {
    /// The children, in order of writing.
    pub(crate) fn children(&self) -> Vec<&Ast> {
        match &self.kind {
            Kind::Literal(_) | Kind::Name(_) => Vec::new(),
            Kind::Attr(inner, ..)
            | Kind::Index(inner, _)
            | Kind::Not(inner)
            | Kind::Minus(inner) => vec![inner],
            Kind::List(all) | Kind::And(all) | Kind::Or(all) => all.iter().collect(),
            Kind::Compare(_, a, b) | Kind::In(a, b) | Kind::Math(_, a, b) => vec![a, b],
            Kind::Choice(value, test, other) => {
                let mut out: Vec<&Ast> = vec![value, test];
                out.extend(other.as_deref());
                out
            }
            Kind::Filter(_, inner, arguments) | Kind::Test(_, inner, arguments) => {
                let mut out: Vec<&Ast> = vec![inner];
                out.extend(arguments.all());
                out
            }
            Kind::Call(_, arguments) => arguments.all().collect(),
        }
    }

    /// Every path in the expression, each with all its fields.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut out = Vec::new();
        self.collect_paths(&mut out);
        out
    }

    fn collect_paths(&self, out: &mut Vec<Path>) {
        if let Some(path) = self.as_path() {
            out.push(path);
            return;
        }
        for child in self.children() {
            child.collect_paths(out);
        }
    }

    /// This node as a path, if it is nothing but one.
    pub(crate) fn as_path(&self) -> Option<Path> {
        let mut fields = Vec::new();
        let mut node = self;
        loop {
            match &node.kind {
                Kind::Name(root) => {
                    fields.reverse();
                    return Some(Path {
                        root: root.clone(),
                        at: node.at,
                        fields,
                    });
                }
                Kind::Attr(inner, name, _) => {
                    fields.push((Some(name.clone()), node.at));
                    node = inner;
                }
                Kind::Index(inner, _) => {
                    fields.push((None, node.at));
                    node = inner;
                }
                _ => return None,
            }
        }
    }

    /// Whether the value depends on who reads it (a date in words).
    pub(crate) fn speaks(&self) -> bool {
        let here = match &self.kind {
            Kind::Filter(filter, ..) => matches!(
                filter,
                Filter::InWords | Filter::Names | Filter::Ago | Filter::InZone | Filter::Join
            ),
            Kind::Math(operator, ..) => *operator == Operator::Join,
            _ => false,
        };
        here || self.children().into_iter().any(Self::speaks)
    }
}

impl Arguments {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Ast> {
        self.plain
            .iter()
            .chain(self.named.iter().map(|(_, value)| value))
    }
}
