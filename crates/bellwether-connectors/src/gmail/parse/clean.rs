//! Makes texts of strangers safe to store and show: control characters, marks that reorder or hide
//! text, and lengths. Meaning is not touched.

/// One line for a title or a name: no line breaks, no marks that hide or reorder text, at most
/// `max` bytes.
pub(in crate::gmail) fn line(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = !out.is_empty();
        } else if !is_hidden(c) && !c.is_control() {
            if gap {
                out.push(' ');
                gap = false;
            }
            out.push(c);
        }
        if out.len() >= max {
            break;
        }
    }
    out.truncate(out.floor_char_boundary(max));
    out
}

/// A body: line ends become `\n`, other control characters and reordering marks go away. Joiners
/// stay, because scripts and emoji need them. Says whether it was cut to `max` bytes.
pub(super) fn body(text: &str, max: usize) -> (String, bool) {
    let mut out = String::with_capacity(text.len().min(max));
    let mut chars = text.chars().peekable();
    let mut newlines = 0;
    while let Some(c) = chars.next() {
        if out.len() >= max {
            out.truncate(out.floor_char_boundary(max));
            return (out, true);
        }
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => {
                newlines += 1;
                // Padding of converted tables.
                let end = out.trim_end_matches([' ', '\t']).len();
                out.truncate(end);
                // Runs of empty lines carry nothing and are used to push text out of sight.
                if newlines <= 3 {
                    out.push('\n');
                }
            }
            '\t' => out.push('\t'),
            c if c.is_control() || is_reordering(c) => {}
            c => {
                if !c.is_whitespace() {
                    newlines = 0;
                }
                out.push(c);
            }
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    (out, false)
}

/// Characters that change the order of others, or show nothing and join nothing.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Characters that must not stand in a title: they hide or imitate.
pub(in crate::gmail) fn is_hidden(c: char) -> bool {
    is_reordering(c)
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
            | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{3164}'
            | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}
