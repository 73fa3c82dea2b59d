//! A browser that a test drives: Chromium through its driver, as the WebDriver standard has it.
//! What is looked at is in the tests.

use std::process::Stdio;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{client, until};

/// The name under which WebDriver gives an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A window of a browser without a screen. It ends with this value.
#[derive(Debug)]
pub(crate) struct Browser {
    http: Client,
    session: String,
    _driver: Child,
}

impl Browser {
    /// Starts the driver on a free port and opens a window of this size.
    pub(crate) async fn open(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is there: apt install chromium-driver");
        let stdout = driver.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(stdout).lines();
        let port = loop {
            let line = lines.next_line().await.expect("it speaks");
            let line = line.expect("it says its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Nobody reads on: what it says further must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = client();
        let size = format!("--window-size={width},{height}");
        let arguments = json!(["--headless=new", "--no-sandbox", "--disable-gpu", size]);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments },
        } } });
        let url = format!("http://127.0.0.1:{port}/session");
        let answer = http
            .post(&url)
            .json(&wanted)
            .send()
            .await
            .expect("a driver");
        let answer: Value = answer.json().await.expect("JSON");
        let id = answer["value"]["sessionId"].as_str();
        let id = id.unwrap_or_else(|| panic!("no window: {answer}"));
        Self {
            http,
            session: format!("{url}/{id}"),
            _driver: driver,
        }
    }

    async fn ask(&self, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/{path}", self.session);
        let request = match body {
            Some(body) => self.http.post(url).json(&body),
            None => self.http.get(url),
        };
        let answer = request.send().await.expect("the driver answers");
        let mut answer: Value = answer.json().await.expect("JSON");
        answer["value"].take()
    }

    /// Goes to an address.
    pub(crate) async fn go(&self, url: &str) {
        self.ask("url", Some(json!({ "url": url }))).await;
    }

    /// The address that is shown.
    pub(crate) async fn address(&self) -> String {
        let url = self.ask("url", None).await;
        url.as_str().unwrap_or_default().to_owned()
    }

    /// What can be read on the page.
    pub(crate) async fn text(&self) -> String {
        let script = json!({ "script": "return document.body.innerText", "args": [] });
        let text = self.ask("execute/sync", Some(script)).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something, loading it again meanwhile.
    pub(crate) async fn shows(&self, words: &str) {
        until(&format!("the page shows \"{words}\""), async || {
            if self.text().await.contains(words) {
                return Some(());
            }
            self.ask("refresh", Some(json!({}))).await;
            None
        })
        .await;
    }

    /// Waits until the page says something by itself.
    pub(crate) async fn comes(&self, words: &str) {
        until(&format!("\"{words}\" comes on the page"), async || {
            self.text().await.contains(words).then_some(())
        })
        .await;
    }

    /// Remembers an element and puts the keyboard on it.
    pub(crate) async fn keep(&self, path: &str) {
        let id = self.find(path).await;
        let keep = "window.kept = arguments[0]; window.kept.focus()";
        let body = json!({ "script": keep, "args": [{ ELEMENT: id }] });
        self.ask("execute/sync", Some(body)).await;
    }

    /// Whether the element that was remembered still stands on the page, with the keyboard on it.
    pub(crate) async fn kept(&self) -> bool {
        let kept = "return window.kept.isConnected && document.activeElement === window.kept";
        let body = json!({ "script": kept, "args": [] });
        self.ask("execute/sync", Some(body)).await == true
    }

    /// Says what the page says now.
    pub(crate) async fn says(&self, words: &str) {
        let text = self.text().await;
        assert!(text.contains(words), "\"{words}\" is not on: {text}");
    }

    async fn find(&self, path: &str) -> String {
        let wanted = json!({ "using": "xpath", "value": path });
        let found = self.ask("element", Some(wanted)).await;
        match found[ELEMENT].as_str() {
            Some(id) => id.to_owned(),
            None => panic!("no {path} on: {}", self.text().await),
        }
    }

    /// Presses what is there. A page that draws itself anew may take away what was found before it
    /// could be pressed; then nothing was pressed, and what stands there now is meant.
    async fn click(&self, path: &str) {
        until(&format!("{path} is pressed"), async || {
            let id = self.find(path).await;
            let click = format!("element/{id}/click");
            let said = self.ask(&click, Some(json!({}))).await;
            if said["error"] == "stale element reference" {
                return None;
            }
            assert!(said.is_null(), "{path} cannot be pressed: {said}");
            Some(())
        })
        .await;
    }

    /// Presses a button or a link with these words, and waits for the page that it leads to, unless
    /// that opens beside this one. The driver alone does not wait for the answer to a form.
    pub(crate) async fn press(&self, words: &str) {
        let button = format!("//button[normalize-space()='{words}' and not(@tabindex='-1')]");
        let link = format!("//a[normalize-space()='{words}']");
        let path = format!("({button} | {link})[1]");
        let mark = "window.left = true;
            const e = document.evaluate(arguments[0], document, null, 9, null).singleNodeValue;
            return e && ((e.form || e).target || '')";
        let body = json!({ "script": mark, "args": [path] });
        let beside = self.ask("execute/sync", Some(body)).await;
        self.click(&path).await;
        if beside.as_str().is_some_and(|target| !target.is_empty()) {
            return;
        }
        until(&format!("the page behind {words} is there"), async || {
            let there = "return window.left === undefined && document.readyState === 'complete'";
            let body = json!({ "script": there, "args": [] });
            let there = self.ask("execute/sync", Some(body)).await;
            (there == true).then_some(())
        })
        .await;
    }

    /// Chooses one of several by the words beside it.
    pub(crate) async fn choose(&self, words: &str) {
        self.click(&format!(
            "//label[.//strong[normalize-space()='{words}']]//input"
        ))
        .await;
    }

    /// Writes into the field with this label, over what stands there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = format!("//*[@id=//label[starts-with(normalize-space(),'{label}')]/@for]");
        let id = self.find(&field).await;
        self.ask(&format!("element/{id}/clear"), Some(json!({})))
            .await;
        self.ask(
            &format!("element/{id}/value"),
            Some(json!({ "text": text })),
        )
        .await;
    }

    /// Goes on in the window that was opened last.
    pub(crate) async fn newest_window(&self) {
        let handle = until("a second window is open", async || {
            let all = self.ask("window/handles", None).await;
            let all = all.as_array().cloned().unwrap_or_default();
            (all.len() > 1).then(|| all.last().cloned())?
        })
        .await;
        self.ask("window", Some(json!({ "handle": handle }))).await;
    }
}
