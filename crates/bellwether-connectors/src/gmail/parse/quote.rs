//! What a person newly wrote in a reply: the lines above the quotation and the signature. Only what
//! stands above counts, because text below may be ours and contain the very words that decide.

/// More lines than this are not looked at.
pub(super) const LINES_MAX: usize = 4000;
/// An attribution ("On … wrote:") is wrapped over at most this many lines.
const ATTRIBUTION_LINES: usize = 4;
/// Within how many lines a header block must show two more of its labels.
const BLOCK_LINES: usize = 8;
/// The longest label of a header block, in letters.
const LABEL_MAX: usize = 30;

/// The labels of a header block that mail programs put above a quotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    From,
    Other,
}

const FROM_LABELS: &[&str] = &["from", "von", "de", "da", "van", "från", "fra"];
const OTHER_LABELS: &[&str] = &[
    "sent",
    "date",
    "to",
    "cc",
    "subject",
    "reply-to",
    "gesendet",
    "datum",
    "an",
    "kopie",
    "betreff",
    "antwort an",
    "envoyé",
    "date",
    "à",
    "objet",
    "enviado",
    "fecha",
    "para",
    "asunto",
    "inviato",
    "data",
    "a",
    "oggetto",
    "verzonden",
    "aan",
    "onderwerp",
    "skickat",
    "till",
    "ämne",
    "sendt",
    "til",
    "emne",
];
/// How an attribution line begins and what it must contain.
const ATTRIBUTIONS: &[(&str, &str)] = &[
    ("on ", "wrote"),
    ("am ", "schrieb"),
    ("le ", "a écrit"),
    ("el ", "escribió"),
    ("il ", "ha scritto"),
    ("op ", "schreef"),
    ("den ", "skrev"),
    ("em ", "escreveu"),
];
const SIGNATURES: &[&str] = &[
    "sent from my ",
    "sent from outlook",
    "sent from mail for",
    "sent from yahoo",
    "sent via ",
    "get outlook for ",
    "von meinem ",
    "gesendet von ",
    "gesendet mit ",
    "holen sie sich outlook",
    "outlook für ",
    "diese nachricht wurde von meinem ",
    "envoyé de mon ",
    "enviado desde mi ",
    "inviato da ",
];

/// The lines above quotation and signature, trimmed; `None` when nothing is left.
pub(super) fn new_text(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    let end = (0..lines.len())
        .find(|at| begins_old(&lines, *at))
        .unwrap_or(lines.len());
    let end = before_attribution(&lines, end);
    let kept = lines[..end].join("\n");
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// In whatever language an attribution is written, it stands right above quoted lines, ends with a
/// colon and names a time or an address.
fn before_attribution(lines: &[&str], end: usize) -> usize {
    let quoted = lines
        .get(end)
        .is_some_and(|line| line.trim_start().starts_with('>'));
    let above = &lines[..end];
    let Some(last) = above.iter().rposition(|line| !line.trim().is_empty()) else {
        return end;
    };
    if !quoted || !above[last].trim_end().ends_with(':') {
        return end;
    }
    let names =
        |line: &str| line.contains('@') || line.bytes().filter(u8::is_ascii_digit).count() >= 4;
    (0..=last)
        .rev()
        .take(ATTRIBUTION_LINES)
        .take_while(|at| !above[*at].trim().is_empty())
        .filter(|at| names(above[*at]))
        .last()
        .unwrap_or(end)
}

fn begins_old(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim();
    if line.is_empty() {
        return false;
    }
    line.starts_with(['>', '|']) && !line.starts_with("||")
        || is_signature(line)
        || is_divider(line)
        || is_forward_divider(line)
        || is_underscores(line)
        || is_attribution(lines, at)
        || is_header_block(lines, at)
        || is_unknown_block(lines, at)
}

fn is_signature(line: &str) -> bool {
    if line == "--" || line == "—" {
        return true;
    }
    let lower = line.trim_start_matches(['*', '_', '<']).to_lowercase();
    // A sentence of the person may begin likewise; a device's line is short and stands alone.
    lower.len() <= 80 && SIGNATURES.iter().any(|start| lower.starts_with(start))
}

/// `-----Original Message-----` and its relatives in any language: dashes, words, dashes.
fn is_divider(line: &str) -> bool {
    let inner = line.trim_start_matches('-');
    let left = line.len() - inner.len();
    let words = inner.trim_end_matches('-');
    let right = inner.len() - words.len();
    left >= 3 && right >= 3 && words.chars().any(char::is_alphabetic) && words.len() <= 60
}

/// Whether the line says that a forwarded text follows.
pub(super) fn is_forward_divider(line: &str) -> bool {
    let line = line.trim().trim_start_matches(['>', ' ']);
    let lower = line.to_lowercase();
    if lower.starts_with("begin forwarded message")
        || lower.starts_with("anfang der weitergeleiteten")
    {
        return true;
    }
    is_divider(line)
        && [
            "forward",
            "weitergeleitet",
            "transféré",
            "reenviado",
            "inoltrato",
            "doorgestuurd",
        ]
        .iter()
        .any(|word| lower.contains(word))
}

/// The rule that Outlook draws above a quotation.
fn is_underscores(line: &str) -> bool {
    line.len() >= 20 && line.chars().all(|c| c == '_')
}

/// `On Mon, 2 Nov 2026 at 10:00, J. Berger <x@y> wrote:` in several languages, wrapped or not.
fn is_attribution(lines: &[&str], at: usize) -> bool {
    let first = lines[at].trim().to_lowercase();
    let starts: Vec<_> = ATTRIBUTIONS
        .iter()
        .filter(|(start, _)| first.starts_with(start))
        .collect();
    let named = first.contains('@') || first.contains('<');
    if starts.is_empty() && !named {
        return false;
    }
    let mut joined = String::new();
    for line in lines[at..].iter().take(ATTRIBUTION_LINES) {
        let line = line.trim();
        if line.is_empty() {
            return false;
        }
        joined.push_str(&line.to_lowercase());
        joined.push(' ');
        if line.ends_with(':') || line.ends_with(":*") {
            let by_language = starts.iter().any(|(_, verb)| joined.contains(verb))
                && joined.chars().any(|c| c.is_ascii_digit() || c == '@');
            // `J. Berger <x@y> wrote:` and `… schrieb am …:` begin with the name.
            let by_name = named
                && ATTRIBUTIONS
                    .iter()
                    .any(|(_, verb)| joined.contains(&format!(" {verb}")));
            return by_language || by_name;
        }
    }
    false
}

/// Whether a block of `From: … Sent: … To: … Subject: …` begins at this line.
pub(super) fn is_header_block(lines: &[&str], at: usize) -> bool {
    let is_from = |line: &str| matches!(label(line), Some((Label::From, _)));
    if !is_from(lines[at]) {
        return false;
    }
    let others = lines[at + 1..]
        .iter()
        .take(BLOCK_LINES)
        .filter(|line| matches!(label(line), Some((Label::Other, _))))
        .count();
    others >= 2
}

/// A header block in a language that is not listed: three lines or more of `Word: value` below each
/// other, of which one names an address or a time of day. What a person lists (`Cost centre: 4100`)
/// names neither.
fn is_unknown_block(lines: &[&str], at: usize) -> bool {
    let block = || lines[at..].iter().take_while(|line| is_labelled(line));
    block().count() >= 3 && block().any(|line| line.contains('@') || names_a_time(line))
}

fn is_labelled(line: &str) -> bool {
    let line = line.trim().trim_start_matches('*');
    let Some((name, value)) = line.split_once(':') else {
        return false;
    };
    let name = name.trim_end_matches(['*', ' ', '\u{a0}']);
    let word = |c: char| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.');
    !value.starts_with("//")
        && (1..=LABEL_MAX).contains(&name.chars().count())
        && name.chars().all(word)
        && name.split_whitespace().count() <= 3
}

/// `10:42`, or `10.42` as the north writes it.
fn names_a_time(line: &str) -> bool {
    let (_, value) = line.split_once(':').unwrap_or_default();
    let bytes = value.as_bytes();
    bytes.windows(4).any(|four| {
        four[0].is_ascii_digit()
            && matches!(four[1], b':' | b'.')
            && four[2].is_ascii_digit()
            && four[3].is_ascii_digit()
    })
}

/// Splits `*From:* value` into what it is and its value.
pub(super) fn label(line: &str) -> Option<(Label, &str)> {
    let line = line.trim_start_matches(['>', ' ', '\t', '*', '\u{a0}']);
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end_matches(['*', ' ', '\u{a0}']).to_lowercase();
    let value = value.trim_start_matches(['*', ' ', '\t', '\u{a0}']);
    if FROM_LABELS.contains(&name.as_str()) {
        Some((Label::From, value))
    } else if OTHER_LABELS.contains(&name.as_str()) {
        Some((Label::Other, value))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::new_text;

    #[test]
    fn header_blocks_of_any_language_begin_the_quotation() {
        let blocks = [
            "Od: Freigaben <a+t@example.com>\nWysłano: poniedziałek, 2 listopada\nDo: A\nTemat: PO-1",
            "Od: Freigaben\nWysłano: poniedziałek, 2 listopada 2026 10:42\nDo: Alice\nTemat: PO-1",
            "*Lähettäjä:* Freigaben\n*Lähetetty:* maanantai 2. marraskuuta 2026 10.42\n\
             *Vastaanottaja:* Alice\n*Aihe:* PO-1",
            "Kimden: Freigaben\nGönderildi: 2 Kasım 2026 10:42\nKime: Alice\nKonu: PO-1",
        ];
        for block in blocks {
            let text = format!("Rejected\nToo dear\n\n{block}\n\nhttps://b.example.com/n/abc");
            assert_eq!(
                new_text(&text).as_deref(),
                Some("Rejected\nToo dear"),
                "{block}"
            );
        }
        let list = "Here it is:\nCost centre: 4100\nProject: North\nAccount: 12";
        assert_eq!(new_text(list).as_deref(), Some(list));
    }
}
