//! What stays the same when the same thing is reported again, so that its failure, its repetition
//! and its recovery are one matter.

use std::sync::LazyLock;

/// Words that say how it stands, not what it is.
const STATES: [&str; 42] = [
    "re",
    "fw",
    "fwd",
    "aw",
    "wg",
    "failed",
    "failure",
    "fails",
    "fehlgeschlagen",
    "fehler",
    "error",
    "down",
    "up",
    "problem",
    "recovered",
    "recovery",
    "resolved",
    "ok",
    "cleared",
    "behoben",
    "wieder",
    "restored",
    "alert",
    "alarm",
    "warning",
    "warnung",
    "critical",
    "kritisch",
    "firing",
    "triggered",
    "reminder",
    "again",
    "still",
    "is",
    "has",
    "was",
    "ist",
    "the",
    "time",
    "since",
    "seit",
    "times",
];
/// The most characters that are kept.
const LENGTH_MAX: usize = 200;

/// What counts, measures or dates: it differs each time. Other numbers name something (line 3, a
/// host) and stay.
static CHANGING: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    let times = r"\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]m\b|\s*uhr\b)?";
    let dates = r"\d{4}-\d{2}-\d{2}t?|\b\d{1,2}\.\d{1,2}\.\d{4}";
    let counts = r"\b\d+(?:st|nd|rd|th|\.)\s+(?:time|mal)\b|\b\d+\s?x\b|\b\d+\s+times\b";
    let measures = r"\b\d+(?:[.,]\d+)?\s?(?:%|ms\b|s\b|sec\b|min\b|minutes?\b|h\b|hours?\b)";
    regex::Regex::new(&format!("{times}|{dates}|{counts}|{measures}")).ok()
});

/// The words of a text in small letters, without those that say how it stands, and without what
/// counts, measures or dates. The whole text in small letters when nothing would be left.
pub(super) fn fingerprint(text: &str) -> String {
    let lower = text.to_lowercase();
    let steady = match CHANGING.as_ref() {
        Some(changing) => changing.replace_all(&lower, " "),
        None => lower.as_str().into(),
    };
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@');
    let words = steady
        .split(|c: char| !inner(c))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty() && !STATES.contains(word));
    let kept: Vec<&str> = words.collect();
    let out = if kept.is_empty() {
        lower.trim().to_owned()
    } else {
        kept.join(" ")
    };
    out.chars().take(LENGTH_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn a_failure_its_repetition_and_its_recovery_are_one() {
        let same = [
            "[CRITICAL] Batch job NIGHTLY-7 failed",
            "Batch job NIGHTLY-7 failed (3rd time since 02:10)",
            "RECOVERED: batch job NIGHTLY-7 is OK",
            "Re: Batch job NIGHTLY-7 fails again, 20 min, 95 %",
            "2026-03-02 02:10: batch job NIGHTLY-7: problem 3x",
        ];
        for text in same {
            assert_eq!(fingerprint(text), "batch job nightly-7", "{text}");
        }
        assert_eq!(fingerprint("Line 3 stopped"), "line 3 stopped");
        assert_eq!(fingerprint("Server 10.0.0.7 down"), "server 10.0.0.7");
        assert_eq!(fingerprint("OK"), "ok");
    }
}
