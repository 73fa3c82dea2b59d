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
    /// What became of a message.
    OutcomeOf,
    Customer,
    Money,
}

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
