//! Finds our own capabilities in texts and takes them out: links to hosted pages, and the tokens of
//! reply addresses. They stand in every quotation of what we sent, and neither the record nor a
//! list is a place for them. Whose they are is not asked: what looks like one goes.

use serde_json::Value;

/// What stands where a capability was. It has the signs of a token, so that who cuts a quotation at
/// the first line with one of our links or addresses still finds that line.
const GONE: &str = "removed-by-bellwether";
/// Where the token of a link begins, as written and as mail filters wrap it.
const BEGINNINGS: [&str; 3] = ["/n/", "%2fn%2f", "%252fn%252f"];
/// From this many characters on it is a token; words and tags that people choose are shorter.
const TOKEN_MIN: usize = 40;
/// The field of an event that holds the token of a reply address by itself.
const REPLY_TOKEN: &str = "reply_token";

/// The text without tokens.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((begin, end)) = next(rest) {
        out.push_str(&rest[..begin]);
        out.push_str(GONE);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The value without tokens: in every text of it, and in every field that is a reply token.
pub fn value(given: &Value) -> Value {
    match given {
        Value::String(given) => Value::String(text(given)),
        Value::Array(list) => list.iter().map(value).collect(),
        Value::Object(map) => {
            let veiled = |(key, inner): (&String, &Value)| {
                let is_token = key == REPLY_TOKEN && inner.is_string();
                let inner = if is_token { GONE.into() } else { value(inner) };
                (key.clone(), inner)
            };
            Value::Object(map.iter().map(veiled).collect())
        }
        plain => plain.clone(),
    }
}

/// Where the first token begins and ends.
fn next(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let starts = (0..bytes.len()).filter(|at| matches!(bytes[*at], b'/' | b'%' | b'+'));
    starts.into_iter().find_map(|at| {
        let begin = at + beginning(&bytes[at..])?;
        let end = begin + run(&bytes[begin..]);
        let rest = &bytes[end..];
        let whole = bytes[at] != b'+' || rest.starts_with(b"@") || rest.starts_with(b"%40");
        (whole && end - begin >= TOKEN_MIN).then_some((begin, end))
    })
}

/// How long the beginning of a capability is that stands here.
fn beginning(bytes: &[u8]) -> Option<usize> {
    if bytes[0] == b'+' {
        return Some(1);
    }
    let begins = |word: &&&str| {
        let head = bytes.get(..word.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
    };
    BEGINNINGS.iter().find(begins).map(|word| word.len())
}

/// How many characters of a token the bytes begin with.
fn run(bytes: &[u8]) -> usize {
    let token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    bytes.iter().take_while(token).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_reply_addresses_lose_their_tokens_and_nothing_else_changes() {
        let token = "dgEBmY9-_pQ3".repeat(5);
        let tag = "abcdefghij234567".repeat(3);
        for before in [
            "https://push.example.com/n/",
            "look: http://127.0.0.1:8081/n/",
            "https://safe.example.net/?url=https%3A%2F%2Fpush.example.com%2Fn%2F",
        ] {
            let veiled = text(&format!("{before}{token}\n> and ä {before}{token}/x"));
            let expected =
                format!("{before}removed-by-bellwether\n> and ä {before}removed-by-bellwether/x");
            assert_eq!(veiled, expected);
        }
        assert_eq!(
            text(&format!("a <approvals+{tag}@example.com> wrote:")),
            "a <approvals+removed-by-bellwether@example.com> wrote:"
        );
        for kept in [
            "approvals+invoices@example.com",
            "https://example.com/n/page-of-news",
            "1+1 = 2, /n/ and + and ü+ö@x",
            "",
        ] {
            assert_eq!(text(kept), kept);
        }
        let event = serde_json::json!({"mail": {"reply_token": tag, "to": [{"a": token}],
            "refs": [format!("/n/{token}")], "n": 1}, "args": {"reply_token": true}});
        let expected = serde_json::json!({"mail": {"reply_token": "removed-by-bellwether",
            "to": [{"a": token}], "refs": ["/n/removed-by-bellwether"], "n": 1},
            "args": {"reply_token": true}});
        assert_eq!(value(&event), expected);
    }
}
