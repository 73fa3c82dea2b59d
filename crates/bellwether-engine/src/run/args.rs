//! How the arguments of an effect are made to fit into the record. What they are is decided
//! elsewhere.

use serde_json::Value as Json;

/// The most bytes of an effect's arguments as JSON text.
const ARGS_MAX: usize = 32 * 1024;
/// Stands where something was taken out of a text.
const CUT_MARK: &str = " […] ";
/// Texts shorter than this are never cut.
const SHORTEST_CUT: usize = 256;

/// The arguments as stored. What would be too much is taken from the middle of the longest text:
/// a message that is cut is better than none, and its end may hold the link to the whole.
pub(crate) fn fitting(args: &mut Json) -> String {
    loop {
        let text = serde_json::to_string(args).unwrap_or_default();
        if text.len() <= ARGS_MAX {
            return text;
        }
        let Some(longest) = longest(args).filter(|longest| longest.len() > SHORTEST_CUT) else {
            return text;
        };
        // In proportion, because escapes may make the stored text longer than the text itself.
        let keep = longest.len() * (ARGS_MAX - ARGS_MAX / 16) / text.len();
        let head = longest.floor_char_boundary(keep * 3 / 4);
        let tail = longest.ceil_char_boundary(longest.len() - keep / 4);
        *longest = format!("{}{CUT_MARK}{}", &longest[..head], &longest[tail..]);
    }
}

/// The longest text somewhere in a value.
fn longest(value: &mut Json) -> Option<&mut String> {
    match value {
        Json::String(text) => Some(text),
        Json::Array(items) => items.iter_mut().filter_map(longest).max_by_key(|t| t.len()),
        Json::Object(fields) => fields
            .values_mut()
            .filter_map(longest)
            .max_by_key(|t| t.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_that_are_too_long_are_cut_in_the_middle_of_their_longest_text() {
        let quotes = "\"".repeat(40_000);
        for long in ["é".repeat(30_000), quotes, "x".repeat(200_000)] {
            let body = format!("begin {long} end {{{{link}}}}");
            let mut args = json!({ "title": "A title", "body": body, "to": ["a@example.com"] });
            let stored = fitting(&mut args);
            assert!(stored.len() <= ARGS_MAX, "{}", stored.len());
            assert!(stored.len() > ARGS_MAX / 2, "{}", stored.len());
            let back: Json = serde_json::from_str(&stored).unwrap();
            assert_eq!(back, args, "what is sent is what is stored");
            let body = back["body"].as_str().unwrap();
            assert!(body.starts_with("begin ") && body.ends_with(" end {{link}}"));
            assert!(body.contains(CUT_MARK));
            assert_eq!(back["title"], "A title");
        }
    }

    #[test]
    fn arguments_that_fit_stay_as_they_are() {
        let mut args = json!({ "title": "é\"", "n": 3 });
        assert_eq!(fitting(&mut args), args.to_string());
    }
}
