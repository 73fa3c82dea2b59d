//! The two listeners: the public one for people's devices and providers, the internal one for the
//! console and the API. Everything is rendered here; nothing is decided here, and no SQL is known.

mod api;
mod body;
mod console;
mod guard;
mod headers;
mod hooks;
mod hosted;
mod limits;
mod metrics;
mod note;
mod people;
mod pieces;
mod problem;
mod query;
mod rows;
mod scim;
mod serve;
mod statics;
mod text;
mod web;
mod when;
mod why;
mod words;

pub use serve::{CONNECTIONS_MAX, DRAIN_MAX, serve};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use bellwether_engine::seam::App;

use web::Web;

/// The routes of the two listeners. They share their counters and limits.
#[derive(Clone, Debug)]
pub struct Routers {
    /// What people's devices and providers reach: hooks, the pages behind links, the style.
    pub public: Router,
    /// The console and the API. Never reachable from the internet.
    pub internal: Router,
}

/// The routes over an application.
pub fn routers(app: App) -> Routers {
    let web = Web::new(app);
    Routers {
        public: public(web.clone()),
        internal: internal(web),
    }
}

fn public(web: Web) -> Router {
    let pages = hosted::routes()
        .layer(from_fn(body::limited))
        .layer(from_fn_with_state(web.clone(), headers::of_hosted));
    let rest = statics::routes().route("/healthz", get(api::healthz));
    // The hooks carry no layer at all: they are the busy path, and they limit their own body.
    hooks::routes().merge(pages).merge(rest).with_state(web)
}

fn internal(web: Web) -> Router {
    let guarded = console::routes()
        .merge(api::routes())
        .layer(from_fn(body::limited))
        .merge(console::flow_routes().layer(from_fn(body::limited_flow)))
        .layer(from_fn_with_state(web.clone(), guard::host))
        .layer(from_fn_with_state(web.clone(), headers::of_console));
    let probes = Router::new()
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(api::readyz));
    // These bring whole directories, and take no forms.
    let large = api::large_routes()
        .merge(scim::routes())
        .layer(from_fn_with_state(web.clone(), guard::host))
        .layer(from_fn_with_state(web.clone(), headers::of_console));
    // Probes come with whatever Host their runner uses and learn nothing, and the style is no
    // secret: these pass unguarded.
    probes
        .merge(statics::routes())
        .merge(guarded)
        .merge(large)
        .with_state(web)
}
