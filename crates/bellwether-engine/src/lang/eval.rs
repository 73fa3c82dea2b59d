//! Works an expression out. Bounded by the parser's limits: no loops, no calls of its own, at most
//! a few hundred nodes, so it runs on the caller's thread.

use std::cmp::Ordering;

use minijinja::Value;

use super::ast::{Arguments, Ast, Comparison, Function, Kind, Operator, Test};
use super::expr::EvalError;
use super::money::Money;
use super::scope::{Scope, TEXT_MAX};
use super::values::{Sort, as_instant};
use super::{customers, filters, outcome, who};

/// Why there is no value: the offset in the expression, until the place in the file is known.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    at: usize,
    message: String,
    unknown: Vec<String>,
    place: Option<(usize, usize)>,
}

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            at,
            message: message.into(),
            unknown: Vec::new(),
            place: None,
        })
    }

    pub(crate) fn unknown(at: usize, message: String, unknown: Vec<String>) -> Box<Self> {
        Box::new(Self {
            at,
            message,
            unknown,
            place: None,
        })
    }

    /// A fault in another expression, which has its own place.
    pub(crate) fn from_error(error: EvalError) -> Box<Self> {
        Box::new(Self {
            at: 0,
            message: error.message,
            unknown: error.unknown,
            place: Some((error.line, error.column)),
        })
    }

    pub(crate) fn placed(self, place: impl Fn(usize) -> (usize, usize)) -> EvalError {
        let (line, column) = self.place.unwrap_or_else(|| place(self.at));
        EvalError {
            message: self.message,
            line,
            column,
            unknown: self.unknown,
        }
    }
}

/// A value, or why there is none.
pub(crate) type Worked = Result<Value, Box<Fault>>;

pub(crate) fn absent() -> Value {
    Value::from(())
}

pub(crate) fn is_absent(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

/// Whether a value counts as yes.
pub(crate) fn truthy(value: &Value) -> bool {
    match value.downcast_object_ref::<Money>() {
        Some(money) => money.minor() != 0,
        None => value.is_true(),
    }
}

/// The value of a node.
pub(crate) fn work_out(ast: &Ast, scope: &Scope) -> Worked {
    match &ast.kind {
        Kind::Literal(value) => Ok(value.clone()),
        Kind::Name(name) => scope.lookup(name, ast.at),
        Kind::Attr(inner, _, key) => work_out(inner, scope).map(|value| field(&value, key)),
        Kind::Index(inner, index) => work_out(inner, scope).map(|value| element(&value, *index)),
        Kind::List(all) => list(all, scope),
        Kind::And(all) => and_or(all, scope, false),
        Kind::Or(all) => and_or(all, scope, true),
        Kind::Not(inner) => work_out(inner, scope).map(|value| Value::from(!truthy(&value))),
        Kind::Minus(inner) => minus(inner, scope),
        Kind::Compare(how, a, b) => compared(*how, a, b, ast.at, scope),
        Kind::In(a, b) => contained(a, b, ast.at, scope),
        Kind::Math(operator, a, b) => calculated(*operator, a, b, ast.at, scope),
        Kind::Choice(value, test, other) => chosen(value, test, other.as_deref(), scope),
        Kind::Filter(filter, inner, arguments) => {
            let value = work_out(inner, scope)?;
            filters::apply(*filter, value, arguments, ast.at, scope)
        }
        Kind::Test(test, inner, arguments) => tested(*test, inner, arguments, ast.at, scope),
        Kind::Call(function, arguments) => called(*function, arguments, ast.at, scope),
    }
}

/// A field; a field of nothing is nothing.
fn field(value: &Value, key: &Value) -> Value {
    if is_absent(value) {
        return absent();
    }
    match value.get_item(key) {
        Ok(found) if !found.is_undefined() => found,
        _ => absent(),
    }
}

fn element(value: &Value, index: i64) -> Value {
    if is_absent(value) || Sort::of(value) != Sort::List {
        return absent();
    }
    match value.get_item(&Value::from(index)) {
        Ok(found) if !found.is_undefined() => found,
        _ => absent(),
    }
}

fn list(all: &[Ast], scope: &Scope) -> Worked {
    let values: Result<Vec<Value>, _> = all.iter().map(|ast| work_out(ast, scope)).collect();
    values.map(Value::from)
}

fn and_or(all: &[Ast], scope: &Scope, stop_at: bool) -> Worked {
    let mut value = absent();
    for ast in all {
        value = work_out(ast, scope)?;
        if truthy(&value) == stop_at {
            break;
        }
    }
    Ok(value)
}

fn chosen(value: &Ast, test: &Ast, other: Option<&Ast>, scope: &Scope) -> Worked {
    if truthy(&work_out(test, scope)?) {
        return work_out(value, scope);
    }
    other.map_or_else(|| Ok(absent()), |other| work_out(other, scope))
}

fn minus(inner: &Ast, scope: &Scope) -> Worked {
    let value = work_out(inner, scope)?;
    if let Some(money) = value.downcast_object_ref::<Money>() {
        let less = money.minor().checked_neg();
        let less = less.and_then(|minor| Money::new(minor, money.currency()));
        return less
            .map(Value::from_object)
            .ok_or_else(|| too_large(inner.at));
    }
    if let Some(whole) = value.as_i64().filter(|_| value.is_integer()) {
        return whole
            .checked_neg()
            .map(Value::from)
            .ok_or_else(|| too_large(inner.at));
    }
    match f64::try_from(value.clone()) {
        Ok(number) if Sort::of(&value) == Sort::Number => Ok(Value::from(-number)),
        _ => Err(Fault::new(
            inner.at,
            format!("- needs a number, but this is {}", Sort::of(&value).words()),
        )),
    }
}

fn too_large(at: usize) -> Box<Fault> {
    Fault::new(at, "the result is too large")
}

fn compared(how: Comparison, a: &Ast, b: &Ast, at: usize, scope: &Scope) -> Worked {
    let (left, right) = (work_out(a, scope)?, work_out(b, scope)?);
    let out = match how {
        Comparison::Equal => equal(&left, &right, at)?,
        Comparison::NotEqual => !equal(&left, &right, at)?,
        _ => {
            let order = order(&left, &right, at)?;
            match how {
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                _ => order.is_ge(),
            }
        }
    };
    Ok(Value::from(out))
}

/// Whether two values are the same. Nothing equals only nothing; unlike things are an error.
pub(crate) fn equal(left: &Value, right: &Value, at: usize) -> Result<bool, Box<Fault>> {
    let (a, b) = (Sort::of(left), Sort::of(right));
    if a == Sort::Absent || b == Sort::Absent {
        return Ok(a == b);
    }
    if a == Sort::Money && b == Sort::Money {
        let money = |value: &Value| value.downcast_object_ref::<Money>().copied();
        return Ok(money(left) == money(right));
    }
    if a == b {
        return Ok(left == right);
    }
    if let (Some(a), Some(b)) = (as_instant(left), as_instant(right)) {
        return Ok(a == b);
    }
    Err(unlike(a, b, at))
}

fn unlike(a: Sort, b: Sort, at: usize) -> Box<Fault> {
    let mut message = format!("{} cannot be compared with {}", a.words(), b.words());
    if a == Sort::Money || b == Sort::Money {
        message.push_str("; write the other side as money('5000 EUR')");
    }
    Fault::new(at, message)
}

fn order(left: &Value, right: &Value, at: usize) -> Result<Ordering, Box<Fault>> {
    let (a, b) = (Sort::of(left), Sort::of(right));
    if a == Sort::Absent || b == Sort::Absent {
        let side = if a == Sort::Absent { "left" } else { "right" };
        return Err(Fault::new(
            at,
            format!("the {side} side is absent here; test it first, or use default"),
        ));
    }
    if let (Some(a), Some(b)) = (
        left.downcast_object_ref::<Money>(),
        right.downcast_object_ref::<Money>(),
    ) {
        return a.compare(b).ok_or_else(|| {
            let (a, b) = (a.currency(), b.currency());
            Fault::new(at, format!("{a} cannot be compared with {b}"))
        });
    }
    if let (Some(a), Some(b)) = (as_instant(left), as_instant(right)) {
        return Ok(a.cmp(&b));
    }
    if a == b && matches!(a, Sort::Number | Sort::Text) {
        return Ok(left.cmp(right));
    }
    if a == b {
        return Err(Fault::new(at, format!("{} has no order", a.words())));
    }
    Err(unlike(a, b, at))
}

fn contained(a: &Ast, b: &Ast, at: usize, scope: &Scope) -> Worked {
    let (item, whole) = (work_out(a, scope)?, work_out(b, scope)?);
    if is_absent(&whole) || is_absent(&item) {
        return Ok(Value::from(false));
    }
    let out = match Sort::of(&whole) {
        Sort::Text => match item.as_str() {
            Some(part) => whole.as_str().is_some_and(|text| text.contains(part)),
            None => return Err(unlike(Sort::of(&item), Sort::Text, at)),
        },
        Sort::List => {
            let mut found = false;
            for element in whole.try_iter().into_iter().flatten() {
                found = found || equal(&item, &element, at)?;
            }
            found
        }
        Sort::Map => !is_absent(&field(&whole, &item)),
        other => {
            return Err(Fault::new(
                at,
                format!("`in` needs a list or a text, but this is {}", other.words()),
            ));
        }
    };
    Ok(Value::from(out))
}

fn calculated(operator: Operator, a: &Ast, b: &Ast, at: usize, scope: &Scope) -> Worked {
    let (left, right) = (work_out(a, scope)?, work_out(b, scope)?);
    let texts = left.as_str().is_some() && right.as_str().is_some();
    if operator == Operator::Join || (operator == Operator::Plus && texts) {
        let mut out = String::new();
        scope.print(&left, &mut out);
        scope.print(&right, &mut out);
        if out.len() > TEXT_MAX {
            return Err(Fault::new(
                at,
                format!("the text has more than {TEXT_MAX} bytes"),
            ));
        }
        return Ok(Value::from(out));
    }
    let (x, y) = (
        left.downcast_object_ref::<Money>(),
        right.downcast_object_ref::<Money>(),
    );
    if let (Some(x), Some(y)) = (x, y) {
        return with_money(operator, x, y, at);
    }
    if left.is_integer()
        && right.is_integer()
        && let (Some(x), Some(y)) = (left.as_i64(), right.as_i64())
        && operator != Operator::Divided
    {
        let out = match operator {
            Operator::Plus => x.checked_add(y),
            Operator::Minus => x.checked_sub(y),
            Operator::Times => x.checked_mul(y),
            _ => x.checked_rem_euclid(y),
        };
        return out
            .map(Value::from)
            .ok_or_else(|| Fault::new(at, "this has no result: too large, or divided by zero"));
    }
    let (a, b) = (Sort::of(&left), Sort::of(&right));
    match (f64::try_from(left), f64::try_from(right)) {
        (Ok(x), Ok(y)) if a == Sort::Number && b == Sort::Number => numbers(operator, x, y, at),
        _ => Err(Fault::new(
            at,
            format!("{} and {} cannot be calculated", a.words(), b.words()),
        )),
    }
}

fn numbers(operator: Operator, x: f64, y: f64, at: usize) -> Worked {
    let out = match operator {
        Operator::Plus => x + y,
        Operator::Minus => x - y,
        Operator::Times => x * y,
        Operator::Divided => x / y,
        _ => x.rem_euclid(y),
    };
    if out.is_finite() {
        return Ok(Value::from(out));
    }
    Err(Fault::new(
        at,
        "this has no result: too large, or divided by zero",
    ))
}

fn with_money(operator: Operator, x: &Money, y: &Money, at: usize) -> Worked {
    if x.currency() != y.currency() {
        let message = format!("{} and {} cannot be added up", x.currency(), y.currency());
        return Err(Fault::new(at, message));
    }
    let minor = match operator {
        Operator::Plus => x.minor().checked_add(y.minor()),
        Operator::Minus => x.minor().checked_sub(y.minor()),
        _ => return Err(Fault::new(at, "amounts can only be added and subtracted")),
    };
    minor
        .and_then(|minor| Money::new(minor, x.currency()))
        .map(Value::from_object)
        .ok_or_else(|| too_large(at))
}

fn tested(test: Test, inner: &Ast, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    let value = work_out(inner, scope)?;
    let out = match test {
        Test::Defined => !is_absent(&value),
        Test::Matching if is_absent(&value) => false,
        Test::Matching => {
            let text = value.as_str().ok_or_else(|| {
                let sort = Sort::of(&value).words();
                Fault::new(at, format!("matching needs a text, but this is {sort}"))
            })?;
            arguments
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(text))
        }
    };
    Ok(Value::from(out))
}

fn called(function: Function, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    let Some(first) = arguments.plain.first() else {
        return Ok(absent());
    };
    let value = work_out(first, scope)?;
    match function {
        Function::Role | Function::Group | Function::Team | Function::LeadOf | Function::OnDuty => {
            who::called(function, &value, at, scope)
        }
        Function::Customer => Ok(customers::customer(&value, scope)),
        Function::Person => who::person(&value, at, scope),
        Function::DeputyOf => who::deputies(&value, at, scope),
        Function::ManagerOf => who::managers(&value, at, scope),
        Function::UsersOf => who::users_of(&value, at, scope),
        Function::OutcomeOf => outcome::outcome_of(&value, at, scope),
        // Replaced by its value when it is parsed.
        Function::Money => Ok(value),
    }
}
