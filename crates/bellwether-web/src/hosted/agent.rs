//! Who looks at a page: a browser with a person before it, or a scanner, preview or prefetch. Only
//! headers are asked; whoever lies about them gains nothing, because looking never decides.

use axum::http::{HeaderMap, Method};
use bellwether_engine::seam::OpenGrade;

/// Parts of the names under which scanners and previews fetch, in lower case. What does not call
/// itself `Mozilla/…` at all is taken for a program anyway.
const MACHINES: [&str; 26] = [
    "bot",
    "crawl",
    "spider",
    "preview",
    "scan",
    "headless",
    "facebookexternalhit",
    "whatsapp",
    "slack",
    "telegram",
    "skypeuri",
    "imageproxy",
    "safelinks",
    "safebrowsing",
    "proofpoint",
    "urldefense",
    "mimecast",
    "barracuda",
    "trendmicro",
    "symantec",
    "forcepoint",
    "fireeye",
    "virustotal",
    "ms-office",
    "microsoft office",
    "lighthouse",
];

/// How surely a person looks.
pub(crate) fn grade(method: &Method, headers: &HeaderMap) -> OpenGrade {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_ascii_lowercase()
    };
    let ahead = ["purpose", "sec-purpose", "x-purpose", "x-moz"]
        .iter()
        .map(|name| text(name))
        .any(|value| value.contains("prefetch") || value.contains("preview"));
    let agent = text("user-agent");
    let machine =
        !agent.starts_with("mozilla/") || MACHINES.iter().any(|name| agent.contains(name));
    if method == Method::GET && !ahead && !machine {
        OpenGrade::Rendered
    } else {
        OpenGrade::Fetched
    }
}

/// Browser and system in three words, for the record: "Safari on iPhone".
pub(crate) fn device(headers: &HeaderMap) -> String {
    let agent = headers
        .get("user-agent")
        .and_then(|value| value.to_str().ok());
    let agent = agent.unwrap_or_default();
    let first = |table: &[(&str, &'static str)], otherwise| {
        let found = table.iter().find(|(part, _)| agent.contains(part));
        found.map_or(otherwise, |(_, name)| *name)
    };
    // In this order: Edge also says Chrome, and Chrome also says Safari.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let systems = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("Linux", "Linux"),
    ];
    let (browser, system) = (
        first(&browsers, "unknown browser"),
        first(&systems, "unknown system"),
    );
    format!("{browser} on {system}")
}
