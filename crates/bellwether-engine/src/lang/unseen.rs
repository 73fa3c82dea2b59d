//! Signs that nobody sees: they hide, reorder or pretend. What is compared, counted or shown to
//! somebody who decides is taken without them.

/// Whether a character shows nothing, or changes how others are shown.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
        | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A text of several lines without what cannot be seen, such as a comment.
pub(crate) fn visible(text: &str) -> String {
    let shown = |c: &char| !is_hidden(*c) && (!c.is_control() || matches!(c, '\n' | '\t'));
    let shown: String = text.chars().filter(shown).collect();
    shown.trim().to_owned()
}
