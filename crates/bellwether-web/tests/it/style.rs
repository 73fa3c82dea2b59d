//! The one style: its size, and the contrast of its colours in both themes, computed.

use std::collections::HashMap;

const STYLE: &str = include_str!("../../src/assets/style.css");

/// The colours of a theme, by name.
fn theme(start: &str) -> HashMap<String, [u8; 3]> {
    let (_, rest) = STYLE.split_once(start).expect("the theme's block");
    let block = rest.split('}').next().expect("its end");
    let colour = |text: &str| {
        let hex = text.strip_prefix('#')?;
        let hex = match hex.len() {
            3 => hex.chars().flat_map(|c| [c, c]).collect(),
            _ => hex.to_owned(),
        };
        let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
        Some([part(0)?, part(2)?, part(4)?])
    };
    block
        .split([';', '{'])
        .filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'))
        .filter_map(|(name, value)| Some((name.to_owned(), colour(value)?)))
        .collect()
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let luminance = |colour: [u8; 3]| {
        let [r, g, b] = colour.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn the_style_is_small() {
    assert!(STYLE.len() <= 15 * 1024, "{} bytes", STYLE.len());
    assert!(!STYLE.contains("@import") && !STYLE.contains("url("));
}

#[test]
fn the_dark_theme_is_the_same_by_choice_and_by_preference() {
    assert_eq!(
        theme("[data-theme=dark]{"),
        theme(":root:not([data-theme=light]){")
    );
}

#[test]
fn every_colour_can_be_read_in_both_themes() {
    for start in [":root{", "[data-theme=dark]{"] {
        let colours = theme(start);
        assert_eq!(colours.len(), 17, "{start}");
        let pairs: &[(&str, &str, f64)] = &[
            ("text", "bg", 13.9),
            ("text", "card", 13.9),
            ("text", "sunk", 13.0),
            ("muted", "bg", 5.6),
            ("muted", "card", 5.6),
            ("muted", "sunk", 5.5),
            ("ok", "ok-bg", 5.69),
            ("warn", "warn-bg", 5.69),
            ("bad", "bad-bg", 5.69),
            ("info", "info-bg", 5.69),
            ("on-accent", "accent", 5.5),
            ("ok", "card", 4.5),
            ("warn", "card", 4.5),
            ("bad", "card", 4.5),
            ("info", "card", 4.5),
            ("accent", "bg", 4.5),
            ("accent", "card", 4.5),
            ("edge", "card", 3.3),
            ("edge", "bg", 3.3),
        ];
        for (one, other, least) in pairs {
            let found = contrast(colours[*one], colours[*other]);
            assert!(
                found >= *least,
                "{start} {one} on {other}: {found:.2} < {least}"
            );
        }
    }
}
