//! Which amounts are read, which are refused, and how they print.

use super::*;

#[test]
fn clear_amounts_are_read_and_unclear_ones_refused() {
    let cases = [
        ("4.200,00 EUR", Some("4200.00 EUR")),
        ("€4,200.00", Some("4200.00 EUR")),
        ("EUR 4200", Some("4200.00 EUR")),
        ("4200 eur", Some("4200.00 EUR")),
        ("5000 EUR", Some("5000.00 EUR")),
        ("4 200,00 €", Some("4200.00 EUR")),
        ("CHF 1'234.50", Some("1234.50 CHF")),
        ("1.234.567,89 EUR", Some("1234567.89 EUR")),
        ("1.234.567 EUR", Some("1234567.00 EUR")),
        ("$1,234.5", Some("1234.50 USD")),
        ("US$ 12", Some("12.00 USD")),
        ("0,50 EUR", Some("0.50 EUR")),
        ("-12,00 EUR", None),
        ("−12,00 EUR", None),
        ("€-12.00", None),
        ("JPY 4,200", Some("4200 JPY")),
        ("12.345 KWD", None),
        ("12.3456 KWD", None),
        ("1.234 EUR", None),
        ("1,234 EUR", None),
        ("4200", None),
        ("1.23.4 EUR", None),
        ("4,2,00 EUR", None),
        ("100 EUR or 200 EUR", None),
        ("100 EUR (100,00 EUR)", Some("100.00 EUR")),
        ("100-200 EUR", None),
        ("net 4.200,00 EUR (incl. 19% VAT)", Some("4200.00 EUR")),
        ("99999999999999999999 EUR", None),
        ("4200 EURO", Some("4200.00 EUR")),
        ("PO-4711", None),
        ("¥ 4200", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let read = Money::parse(text).map(|money| money.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }
}

#[test]
fn a_part_of_a_number_is_never_the_amount() {
    let cases = [
        "99\u{2002}999,00 EUR",
        "99  999,00 EUR",
        "99\t999,00 EUR",
        "99·999 EUR",
        "99:999 EUR",
        "99_999 EUR",
        "99|999 EUR",
        "99/999 EUR",
        "99´999.00 EUR",
        "99٬999 EUR",
        "9٩999 EUR",
        "９９999 EUR",
        "EUR 99·999",
        "EUR 99 | 999,00",
        "€ 99_999.00",
        "9 9 9 9 9 EUR",
        "1,00 EUR per unit x 100000",
        "100000 x 1,00 EUR",
        "100000 je 1,00 EUR",
        "1,00 EUR/Stück",
        "EUR 99 million",
        "EUR 1,5 Mio.",
        "€99k",
        "€99 k",
        "99O999 EUR, 5 EUR",
        "5½ EUR",
        "5e6 EUR",
        "100 x 5,00 EUR",
        "5 EUR 99 999",
    ];
    for text in cases {
        assert_eq!(Money::parse(text), None, "{text}");
    }
    let clear = [
        ("99\u{2009}999,00 EUR", "99999.00 EUR"),
        ("99\u{2007}999,00 EUR", "99999.00 EUR"),
        ("99\u{202f}999,00 EUR", "99999.00 EUR"),
        ("EUR 99\u{2009}999,00", "99999.00 EUR"),
        ("50\u{ad}00 EUR", "5000.00 EUR"),
        ("99\u{34f}999 EUR", "99999.00 EUR"),
        ("99\u{180e}999 EUR", "99999.00 EUR"),
        ("99\u{200c}999 EUR", "99999.00 EUR"),
        ("12 Europaletten, 900 EUR", "900.00 EUR"),
        ("Total: 900,00 EUR for 12 chairs", "900.00 EUR"),
    ];
    for (text, expected) in clear {
        let read = Money::parse(text).map(|money| money.to_string());
        assert_eq!(read.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn an_amount_prints_itself_in_the_readers_language() {
    let money = Money::new(420_000, "EUR").unwrap();
    assert_eq!(money.words(Language::En), "€4,200.00");
    assert_eq!(money.words(Language::De), "4.200,00 €");
    let yen = Money::new(-1_234_567, "JPY").unwrap();
    assert_eq!(yen.words(Language::En), "JPY -1,234,567");
    assert_eq!(yen.words(Language::De), "-1.234.567 JPY");
}

#[test]
fn currencies_are_not_compared() {
    let (a, b) = (Money::new(1, "EUR").unwrap(), Money::new(1, "USD").unwrap());
    assert_eq!(a.compare(&b), None);
    assert_eq!(a.compare(&a), Some(Ordering::Equal));
}
