//! A browser goes the way of a newcomer: gallery, form, preview, on; a mail by SMTP, the push on
//! the phone, a decision on the hosted page, the answer in the mailbox, the complete case. It needs
//! Chromium and its driver, which ./check installs; there it is a step of its own.

use crate::driver::Browser;
use crate::support::{Demo, SENDER};

#[tokio::test]
async fn browser_from_the_gallery_to_the_complete_case() {
    let demo = Demo::start().await;
    let at = &demo.at;
    let browser = Browser::open(1440, 1200).await;

    // The demo has it on: switched off, a mail starts nothing.
    browser
        .go(&format!("{}/flows/approval-mail", at.console))
        .await;
    browser.choose("Off").await;
    browser.press("Switch").await;
    browser.says("Approval mail, version 2, is off.").await;

    browser.go(&at.console).await;
    browser.press("Recipes").await;
    browser.press("Approval mail").await;
    browser
        .fill("Told when nobody decides", "role nobody-has-this")
        .await;
    browser.fill("Above this amount", "lots").await;
    browser.choose("On").await;
    browser.press("Save").await;
    browser.says("Nothing was saved").await;
    browser.says("is not a clear amount such as 5000 EUR").await;
    browser.fill("Above this amount", "3000 EUR").await;
    browser.press("Preview").await;
    browser.says("What it would send").await;
    browser.says("Push to Alice Arnold").await;
    browser
        .says("the directory has nobody for `role nobody-has-this`")
        .await;
    browser.fill("Told when nobody decides", "ivan").await;
    browser.choose("On").await;
    browser.press("Save").await;
    browser.says("Approval mail, version 3, is on.").await;
    browser.press("What changed in version 3").await;
    browser.says("+   \"sign_in_above\": \"3000 EUR\"").await;

    at.order("BR-4711", "Huber GmbH").await;
    browser.go(&format!("{}/people/alice", at.sandbox)).await;
    browser.shows("€1,200.00 · Huber GmbH").await;
    browser.press("Open").await;
    browser.newest_window().await;
    browser.shows("Purchase order BR-4711").await;
    browser.press("Approve").await;
    browser.shows("Approved by you").await;

    at.answered("BR-4711", "Approved by Alice Arnold").await;
    browser.go(&format!("{}/people/ariba", at.sandbox)).await;
    browser.shows("Approved by Alice Arnold").await;
    assert_eq!(at.mails(SENDER, "Approved by Alice Arnold").await.len(), 1);

    browser
        .go(&format!("{}/cases?flow=approval-mail", at.console))
        .await;
    browser.shows("BR-4711").await;
    browser.press("BR-4711").await;
    for part in ["Alice Arnold", "approve", "Huber GmbH"] {
        browser.shows(part).await;
    }
    assert!(browser.address().await.contains("/cases/"));
    at.none_open().await;
}

#[tokio::test]
async fn browser_from_a_page_that_draws_itself_anew() {
    let demo = Demo::start().await;
    let at = &demo.at;
    let browser = Browser::open(1440, 1200).await;

    at.order("BR-4721", "Huber GmbH").await;
    browser.go(&format!("{}/people/alice", at.sandbox)).await;
    browser.shows("€1,200.00 · Huber GmbH").await;
    browser.keep("//button[normalize-space()='Open']").await;

    // It comes by itself, and what was there is still the same for a hand that reaches for it.
    at.order("BR-4722", "Meier AG").await;
    browser.comes("€1,200.00 · Meier AG").await;
    assert!(browser.kept().await, "the first push was drawn anew");
}
