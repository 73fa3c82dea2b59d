//! Filters of SCIM lists: comparisons for equality joined with `and`, which is what systems ask
//! that look for one user or group. Everything else is refused in a sentence.

use serde_json::Value;

use super::{Refusal, patch};

/// The most comparisons of one filter.
const PARTS_MAX: usize = 10;

/// An attribute and what it must equal.
#[derive(Debug, PartialEq)]
pub(super) struct Equal {
    pub(super) path: String,
    pub(super) value: Value,
}

/// Reads `userName eq "x" and active eq true`.
pub(super) fn parse(text: &str) -> Result<Vec<Equal>, Refusal> {
    let wrong = || {
        let detail = format!("`{text}` cannot be looked for: write such as userName eq \"a@b.c\"");
        Refusal::bad("invalidFilter", detail)
    };
    let mut out = Vec::new();
    let mut rest = text.trim();
    loop {
        // Brackets of a path may hold blanks: emails[type eq "work"].value eq "x".
        let end = path_end(rest).ok_or_else(wrong)?;
        let (path, after) = rest.split_at(end);
        let after = after.trim_start();
        let operator = after.get(..3).ok_or_else(wrong)?;
        if !operator.eq_ignore_ascii_case("eq ") {
            return Err(wrong());
        }
        let mut values = serde_json::Deserializer::from_str(&after[3..]).into_iter::<Value>();
        let value = values.next().and_then(Result::ok).ok_or_else(wrong)?;
        let used = values.byte_offset();
        out.push(Equal {
            path: path.to_owned(),
            value,
        });
        rest = after[3..].get(used..).ok_or_else(wrong)?.trim();
        if rest.is_empty() {
            return Ok(out);
        }
        let and = rest
            .get(..4)
            .filter(|word| word.eq_ignore_ascii_case("and "));
        and.ok_or_else(wrong)?;
        rest = rest[4..].trim_start();
        if out.len() >= PARTS_MAX {
            return Err(wrong());
        }
    }
}

fn path_end(text: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, sign) in text.char_indices() {
        match sign {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            ' ' if depth == 0 => return (at > 0).then_some(at),
            _ => {}
        }
    }
    None
}

/// Whether all comparisons hold. Texts are compared without regard to case.
pub(super) fn fits(resource: &Value, all: &[Equal]) -> bool {
    all.iter().all(|one| {
        let found = patch::values_at(resource, &one.path);
        found.iter().any(|value| same(value, &one.value))
    })
}

pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.to_lowercase() == right.to_lowercase(),
        (Value::Bool(_), _) | (_, Value::Bool(_)) => super::truth(left) == super::truth(right),
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_finds_by_equality_and_refuses_the_rest() {
        let user = json!({"userName": "Ann@X.example", "active": true,
            "emails": [{"type": "home", "value": "h@x.example"}, {"type": "work", "value": "w@x.example"}]});
        for (text, want) in [
            (r#"userName eq "ann@x.example""#, true),
            (r#"username EQ "other""#, false),
            (r#"userName eq "ann@x.example" and active eq true"#, true),
            (r#"active eq "False""#, false),
            (r#"emails[type eq "work"].value eq "w@x.example""#, true),
            (r#"emails[type eq "work"].value eq "h@x.example""#, false),
            (r#"emails.value eq "h@x.example""#, true),
            (r#"nothing eq "x""#, false),
        ] {
            assert_eq!(fits(&user, &parse(text).unwrap()), want, "{text}");
        }
        for wrong in [
            "",
            "userName",
            "userName co \"a\"",
            "userName eq a",
            "userName eq \"a\" or x eq 1",
            "a[b eq \"x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
