//! Signs that nobody sees: they hide, reorder or pretend. What is compared, counted or shown to
//! somebody who decides is taken without them.

/// Whether a character shows nothing, or changes how others are shown.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
        | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Signs that show nothing by themselves, but scripts and emoji are joined by them.
fn joins(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// A text of several lines, such as a comment, without what cannot be seen; empty when there is
/// nothing that can.
pub(crate) fn visible(text: &str) -> String {
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let shown = |c: &char| joins(*c) || !is_hidden(*c) && !control(*c);
    let shown: String = text.chars().filter(shown).collect();
    if shown.chars().all(|c| joins(c) || c.is_whitespace()) {
        return String::new();
    }
    shown.trim().to_owned()
}

/// A text of one line or more for a title or a fact: nothing in it that cannot be seen.
pub(crate) fn plainly(text: &str) -> String {
    let mut shown = visible(text);
    shown.retain(|c| !is_hidden(c));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_joins_stays_and_what_hides_goes() {
        assert_eq!(visible(" a\u{202e}b\u{200b}\n\u{7}c "), "ab\nc");
        assert_eq!(visible("👩\u{200d}🔧 ❤\u{fe0f}"), "👩\u{200d}🔧 ❤\u{fe0f}");
        for nothing in [
            "\u{200b}",
            "\u{200d} \u{fe0f}",
            "\u{2800}\n\u{3164}",
            "\u{e0041}",
        ] {
            assert_eq!(visible(nothing), "");
        }
        assert_eq!(plainly("PO\u{200d}-1"), "PO-1");
    }
}
