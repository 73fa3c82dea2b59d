//! Takes our own capabilities out of what people send back to us: links to hosted pages and the
//! tokens of reply addresses stand in every quotation, and the record is no place for them. Whose
//! they are is not asked: what looks like one goes.

use super::headers::Person;

/// What stands where a capability was.
const GONE: &str = "(removed)";
/// Where the token of a link begins, as written and as mail filters wrap it.
const BEGINNINGS: [&str; 3] = ["/n/", "%2fn%2f", "%252fn%252f"];
/// From this many characters on it is a token; words and tags that people choose are shorter.
const TOKEN_MIN: usize = 40;

/// The text without tokens.
pub(super) fn text(text: &str) -> String {
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

/// The same for the addresses of a list.
pub(super) fn people(list: Vec<Person>) -> Vec<Person> {
    let veiled = |person: Person| Person {
        name: person.name.map(|name| text(&name)),
        address: person.address.map(|address| text(&address)),
    };
    list.into_iter().map(veiled).collect()
}

/// Where the first token begins and ends.
fn next(text: &str) -> Option<(usize, usize)> {
    let link = text.char_indices().find_map(|(at, _)| {
        let after = &text.as_bytes()[at..];
        let begins = |word: &&str| {
            let head = after.get(..word.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
        };
        let begin = at + BEGINNINGS.iter().find(|word| begins(word))?.len();
        let end = begin + run(&text[begin..]);
        (end - begin >= TOKEN_MIN).then_some((begin, end))
    });
    let tag = text.match_indices('+').find_map(|(at, _)| {
        let begin = at + 1;
        let end = begin + run(&text[begin..]);
        let is_address = text[end..].starts_with('@') || text[end..].starts_with("%40");
        (is_address && end - begin >= TOKEN_MIN).then_some((begin, end))
    });
    link.into_iter().chain(tag).min()
}

/// How many characters of a token a text begins with.
fn run(text: &str) -> usize {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.bytes().take_while(|byte| token(*byte)).count()
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
            assert_eq!(
                veiled,
                format!("{before}(removed)\n> and ä {before}(removed)/x")
            );
        }
        assert_eq!(
            text(&format!("a <approvals+{tag}@example.com> wrote:")),
            "a <approvals+(removed)@example.com> wrote:"
        );
        for kept in [
            "approvals+invoices@example.com",
            "https://example.com/n/page-of-news",
            "1+1 = 2, /n/ and + and ü+ö@x",
            "",
        ] {
            assert_eq!(text(kept), kept);
        }
    }
}
