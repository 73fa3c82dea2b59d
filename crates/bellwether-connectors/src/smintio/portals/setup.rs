//! What is read of a portal, as the setting `portals` says it: where it is, what is watched, how
//! often. What the vendor's public material does not say is a setting here, with a default that
//! nobody has verified: where the portal's users' tokens are made, the path of the executor, the
//! names of its interfaces.

use bellwether_model::failure::Failure;
use bellwether_model::id::{hash, hex};
use bellwether_model::spec::Settings;
use bellwether_model::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::client::Interface;
use super::super::settings::{Setup, wrong};
use super::wire::level;
use crate::oauth::{Client, ClientAuth, encoded};

/// Searches, and collections, that one connection watches.
const WATCHES_MAX: usize = 50;
/// The deepest page that the vendor's base library serves, in assets.
pub(super) const OFFSET_MAX: u64 = 5_000;
/// The most assets on one page.
const PAGE_MAX: u64 = 50;
/// Characters of a name.
const NAME_MAX: usize = 120;

/// The setting's keys, and those of its parts.
const KEYS: [&str; 17] = [
    "base_url",
    "token_url",
    "client_id",
    "portal_uuid",
    "page_uuid",
    "executor_path",
    "context_url",
    "culture",
    "asset_url",
    "methods",
    "searches",
    "collections",
    "poll_seconds",
    "task_poll_seconds",
    "task_patience_minutes",
    "page_size",
    "items",
];
const METHOD_KEYS: [&str; 3] = ["search", "collection", "asset"];
const SEARCH_KEYS: [&str; 5] = ["name", "query", "content_type", "mode", "filters"];
const COLLECTION_KEYS: [&str; 3] = ["name", "uuid", "ready_when"];
const READY_KEYS: [&str; 3] = ["flag", "all_published", "size"];

/// When a collection is ready: everything that is given must hold for the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::smintio) struct Ready {
    /// The least flag of every asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) flag: Option<u8>,
    /// Whether every asset must be published.
    pub(in crate::smintio) published: bool,
    /// How many assets must be there at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) size: Option<u64>,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Matter {
    /// Everything that a search finds: its arguments without the page.
    Search(Map<String, Value>),
    Collection {
        uuid: String,
        ready: Ready,
    },
}

/// One thing that is watched.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watch {
    pub(super) name: String,
    pub(super) matter: Matter,
    /// Tells apart what was read before from what the settings added or changed.
    pub(super) print: String,
}

/// Paths of the three methods that are called, below the executor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Methods {
    pub(super) search: String,
    pub(super) collection: String,
    pub(super) asset: String,
}

/// Checked settings.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) interface: Interface,
    /// The path under which methods are executed.
    pub(super) executor: String,
    pub(super) methods: Methods,
    pub(super) context_url: Option<String>,
    pub(super) culture: Option<String>,
    /// The page of an asset, with `{assetId}` in it.
    pub(super) asset_url: Option<String>,
    pub(super) watches: Vec<Watch>,
    pub(super) poll: Millis,
    pub(super) task_poll: Millis,
    pub(super) task_patience: Millis,
    pub(super) page_size: u64,
    pub(super) items: u64,
}

/// An object of the setting, with where it is.
struct Part<'a> {
    at: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Part<'a> {
    fn of(at: String, value: &'a Value, keys: &[&str]) -> Result<Self, Failure> {
        let Value::Object(fields) = value else {
            return Err(wrong(&at, format!("keys are needed: {}", keys.join(", "))));
        };
        match fields.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(wrong(
                &at,
                format!("`{key}` is unknown; known: {}", keys.join(", ")),
            )),
            None => Ok(Self { at, fields }),
        }
    }

    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.at)
    }

    fn value(&self, key: &str) -> &'a Value {
        self.fields.get(key).unwrap_or(&Value::Null)
    }

    fn text(&self, key: &str) -> Result<Option<String>, Failure> {
        match self.value(key) {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(wrong(&self.at(key), "a text is needed")),
        }
    }

    fn name(&self, key: &str) -> Result<String, Failure> {
        let text = self.text(key)?;
        let text = text.filter(|text| text.chars().count() <= NAME_MAX);
        text.ok_or_else(|| wrong(&self.at(key), "a text of at most 120 characters is needed"))
    }

    fn url(&self, key: &str) -> Result<Option<String>, Failure> {
        let text = self.text(key)?;
        let web = |text: &String| text.starts_with("https://") || text.starts_with("http://");
        match text {
            Some(text) if !web(&text) => Err(wrong(&self.at(key), "an https:// address is needed")),
            text => Ok(text.map(|text| text.trim_end_matches('/').to_owned())),
        }
    }

    fn number(&self, key: &str, bounds: (u64, u64), default: u64) -> Result<u64, Failure> {
        let (least, most) = bounds;
        let number = match self.value(key) {
            Value::Null => Some(default),
            value => value.as_u64().filter(|n| (least..=most).contains(n)),
        };
        let words = format!("a number from {least} to {most} is needed");
        number.ok_or_else(|| wrong(&self.at(key), words))
    }

    fn list(&self, key: &str) -> Result<&'a [Value], Failure> {
        match self.value(key) {
            Value::Null => Ok(&[]),
            Value::Array(list) if list.len() <= WATCHES_MAX => Ok(list),
            _ => {
                let words = format!("a list of at most {WATCHES_MAX} is needed");
                Err(wrong(&self.at(key), words))
            }
        }
    }
}

impl Reading {
    /// What the settings say of portals; None when they say nothing.
    pub(super) fn read(settings: &Settings, setup: &Setup) -> Result<Option<Self>, Failure> {
        let tree = settings.tree("portals");
        if tree.is_null() {
            return Ok(None);
        }
        let part = Part::of("portals".to_owned(), tree, &KEYS)?;
        if settings.secret("portals_refresh_token").is_empty() {
            let words = "is needed with `portals`: the consent for licences does not cover them";
            return Err(wrong("portals_refresh_token", words));
        }
        let seconds = |key, bounds, default| part.number(key, bounds, default).map(Millis::seconds);
        let watches = watches(&part)?;
        if watches.is_empty() {
            let words = "name at least one of `searches` or `collections`";
            return Err(wrong("portals", words));
        }
        let patience = part.number("task_patience_minutes", (1, 240), 30)?;
        Ok(Some(Self {
            interface: interface(settings, setup, &part)?,
            executor: executor(&part)?,
            methods: methods(&part)?,
            context_url: part.url("context_url")?,
            culture: part.text("culture")?,
            asset_url: part.url("asset_url")?,
            watches,
            poll: seconds("poll_seconds", (60, 43_200), 900)?,
            task_poll: seconds("task_poll_seconds", (5, 10), 5)?,
            task_patience: Millis::minutes(patience),
            page_size: part.number("page_size", (1, PAGE_MAX), PAGE_MAX)?,
            items: part.number("items", (1, OFFSET_MAX), 1_000)?,
        }))
    }
}

fn interface(settings: &Settings, setup: &Setup, part: &Part<'_>) -> Result<Interface, Failure> {
    let own = format!("https://{}.portalsapife.smint.io/frontend/v1", setup.tenant);
    let secret = settings.secret("portals_client_secret");
    let shared = setup.client.clone();
    Ok(Interface {
        tenant: setup.tenant.clone(),
        base_url: part.url("base_url")?.unwrap_or(own),
        client: Client {
            token_url: part.url("token_url")?.unwrap_or(shared.token_url),
            id: part.text("client_id")?.unwrap_or(shared.id),
            secret: if secret.is_empty() {
                shared.secret
            } else {
                secret
            },
            auth: ClientAuth::Body,
        },
        may: "search the portal",
    })
}

/// The path of the executor: the portal's own or that of a page, if no other one is given.
fn executor(part: &Part<'_>) -> Result<String, Failure> {
    let portal = encoded(&part.name("portal_uuid")?);
    let page = part.text("page_uuid")?.map(|page| encoded(&page));
    let usual = match page {
        None => "portals/{portal}/portalsContext",
        Some(_) => "portals/{portal}/pageConfigurations/{page}/dataAdapter",
    };
    let path = part.text("executor_path")?;
    let path = path.as_deref().unwrap_or(usual).trim_matches('/');
    if path.contains(['?', '#']) || path.contains("..") {
        return Err(wrong(&part.at("executor_path"), "a plain path is needed"));
    }
    let path = path.replace("{portal}", &portal);
    Ok(path.replace("{page}", page.as_deref().unwrap_or_default()))
}

fn methods(part: &Part<'_>) -> Result<Methods, Failure> {
    let empty = Value::Object(Map::new());
    let value = match part.value("methods") {
        Value::Null => &empty,
        value => value,
    };
    let given = Part::of(part.at("methods"), value, &METHOD_KEYS)?;
    let path = |key: &str, usual: &str| {
        let text = given.text(key)?;
        let text = text
            .as_deref()
            .unwrap_or(usual)
            .trim_matches('/')
            .to_owned();
        if text.contains(['?', '#']) || text.contains("..") {
            return Err(wrong(&given.at(key), "a plain path is needed"));
        }
        Ok(text)
    };
    Ok(Methods {
        search: path("search", "IAssetsSearch/execute/searchAssetsAsync")?,
        collection: path(
            "collection",
            "ICollectionsAssets/execute/searchCollectionAssetsAsync",
        )?,
        asset: path("asset", "IAssetsRead/execute/getAssetAsync")?,
    })
}

fn watches(part: &Part<'_>) -> Result<Vec<Watch>, Failure> {
    let mut watches: Vec<Watch> = Vec::new();
    for (at, value) in part.list("searches")?.iter().enumerate() {
        let at = format!("{}.{at}", part.at("searches"));
        watches.push(search(&Part::of(at, value, &SEARCH_KEYS)?)?);
    }
    for (at, value) in part.list("collections")?.iter().enumerate() {
        let at = format!("{}.{at}", part.at("collections"));
        watches.push(collection(&Part::of(at, value, &COLLECTION_KEYS)?)?);
    }
    for (at, watch) in watches.iter().enumerate() {
        if watches[..at]
            .iter()
            .any(|one| one.name == watch.name || one.print == watch.print)
        {
            let words = format!("`{}` is watched twice", watch.name);
            return Err(wrong("portals", words));
        }
    }
    Ok(watches)
}

fn search(part: &Part<'_>) -> Result<Watch, Failure> {
    let mut arguments = Map::new();
    let query = part.text("query")?.unwrap_or_default();
    arguments.insert("queryString".to_owned(), query.into());
    for (key, name) in [
        ("content_type", "contentType"),
        ("mode", "resourceAssetMode"),
    ] {
        if let Some(text) = part.text(key)? {
            arguments.insert(name.to_owned(), text.into());
        }
    }
    match part.value("filters") {
        Value::Null => {}
        filters @ (Value::Array(_) | Value::Object(_)) => {
            arguments.insert("currentFilters".to_owned(), filters.clone());
        }
        _ => return Err(wrong(&part.at("filters"), "filters as JSON are needed")),
    }
    let print = print(&json!(["search", arguments]));
    Ok(Watch {
        name: part.name("name")?,
        matter: Matter::Search(arguments),
        print,
    })
}

fn collection(part: &Part<'_>) -> Result<Watch, Failure> {
    let uuid = part.name("uuid")?;
    let at = part.at("ready_when");
    let when = Part::of(at.clone(), part.value("ready_when"), &READY_KEYS)?;
    let flag = match when.text("flag")? {
        None => None,
        Some(text) => {
            let flag = level(&text).filter(|flag| *flag > 0);
            Some(flag.ok_or_else(|| wrong(&when.at("flag"), "a flag such as level_10 is needed"))?)
        }
    };
    let published = match when.value("all_published") {
        Value::Null => false,
        Value::Bool(published) => *published,
        _ => return Err(wrong(&when.at("all_published"), "true or false is needed")),
    };
    let size = match when.value("size") {
        Value::Null => None,
        _ => Some(when.number("size", (1, OFFSET_MAX), 1)?),
    };
    if flag.is_none() && !published {
        return Err(wrong(&at, "`flag` or `all_published` is needed"));
    }
    if published && size.is_none() {
        let words = "`all_published` needs `size`: what is not published may not be shown at all, \
                     and the rest would look like everything";
        return Err(wrong(&at, words));
    }
    let ready = Ready {
        flag,
        published,
        size,
    };
    let print = print(&json!(["collection", uuid, ready]));
    Ok(Watch {
        name: part.name("name")?,
        matter: Matter::Collection { uuid, ready },
        print,
    })
}

fn print(value: &Value) -> String {
    hex(&hash(&[value.to_string().as_bytes()])[..8])
}
