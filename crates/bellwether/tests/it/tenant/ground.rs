//! Where lives are lived: stand-ins in process or behind real connections, and the steps of a
//! process that may end between any two of them. What happens in a life is in `life.rs`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_engine::store::{InletState, InletStep, Member, Store, StoreError, Verdict};
use bellwether_engine::story::Between;
use bellwether_model::BoxFuture;
use bellwether_model::connector::Vault;
use bellwether_model::failure::Failure;
use bellwether_model::http::{Http, HttpRequest, HttpResponse, Socket};
use bellwether_model::secret::Secret;
use bellwether_sandbox::{Mounted, Options, Sandbox};
use serde_json::Value as Json;

use crate::support::Place;

/// The stand-ins that the lives of one thread share.
pub(super) enum Ground {
    /// In process, through their routes.
    Mounted(Mounted),
    /// Behind ports of their own.
    Tcp {
        _sandbox: Box<Sandbox>,
        at: Box<Place>,
        http: HttpClient,
    },
}

impl Ground {
    pub(super) fn mounted() -> Self {
        Self::Mounted(Mounted::new(Options::default()).unwrap())
    }

    pub(super) async fn tcp() -> Self {
        let options = Options {
            port: 0,
            ..Options::default()
        };
        let sandbox = bellwether_sandbox::start(options).await.unwrap();
        let at = Place::of(&sandbox.addresses().url("page")).await;
        let policy = Policy {
            allow_private: Private::Anywhere,
        };
        Self::Tcp {
            _sandbox: Box::new(sandbox),
            at: Box::new(at),
            http: HttpClient::new(policy).unwrap(),
        }
    }

    pub(super) fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    /// Turns something at the stand-ins.
    pub(super) async fn set(&self, path: &str, body: Json) -> Json {
        match self {
            Self::Tcp { at, .. } => at.set(path, body).await,
            Self::Mounted(mounted) => {
                let url = format!("{}/admin/{path}", mounted.addresses().url("page"));
                let json = [("content-type".to_owned(), "application/json".to_owned())];
                let body = body.to_string().into_bytes();
                answer(path, mounted.call("POST", &url, &json, body).await)
            }
        }
    }

    /// How a tenant stands.
    pub(super) async fn show(&self, tenant: &str) -> Json {
        let path = format!("/admin/smintio/{tenant}");
        match self {
            Self::Tcp { at, .. } => at.admin(path.trim_start_matches("/admin/")).await,
            Self::Mounted(mounted) => {
                let url = format!("{}{path}", mounted.addresses().url("page"));
                answer(&path, mounted.call("GET", &url, &[], Vec::new()).await)
            }
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        match self {
            Self::Tcp { http, .. } => http.send(request).await,
            Self::Mounted(mounted) => {
                let (url, headers) = (&request.url, &request.headers);
                let answer = mounted
                    .call(request.method, url, headers, request.body)
                    .await;
                Ok(HttpResponse {
                    status: answer.status,
                    headers: answer.headers,
                    body: answer.body,
                })
            }
        }
    }
}

fn answer(path: &str, answer: bellwether_sandbox::Answered) -> Json {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// The steps of one process: everything that it writes, asks and keeps. It ends after so many.
#[derive(Debug)]
pub(super) struct Steps(AtomicI64);

impl Steps {
    /// A process that goes on.
    pub(super) fn endless() -> Arc<Self> {
        Self::after(i64::MAX)
    }

    pub(super) fn after(steps: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(steps)))
    }

    /// One more step, unless the process has ended.
    fn is_over(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) <= 0
    }

    /// Whether it has ended.
    pub(super) fn are_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) <= 0
    }
}

const ENDED: &str = "the process has ended";

/// The store of a process. It may end before a write and after it, before anybody knows.
#[derive(Debug)]
pub(super) struct Ends(pub(super) Arc<Steps>);

impl Between for Ends {
    fn commit<'a>(
        &'a self,
        store: &'a dyn Store,
        members: Vec<Member>,
    ) -> BoxFuture<'a, Vec<Verdict>> {
        Box::pin(async move {
            let count = members.len();
            let gone = || vec![Verdict::Unavailable(ENDED.to_owned()); count];
            if self.0.is_over() {
                return gone();
            }
            let verdicts = store.commit(members).await;
            if self.0.is_over() { gone() } else { verdicts }
        })
    }

    fn inlet<'a>(
        &'a self,
        store: &'a dyn Store,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>> {
        Box::pin(async move {
            let gone = || Err(StoreError(ENDED.to_owned()));
            if self.0.is_over() {
                return gone();
            }
            let state = store.inlet(connection, step).await;
            if self.0.is_over() { gone() } else { state }
        })
    }
}

/// The way out of a process. It may end before it asks, and when the answer is on its way.
pub(super) struct Way {
    pub(super) ground: Arc<Ground>,
    pub(super) steps: Arc<Steps>,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Way")
    }
}

fn gone() -> Failure {
    Failure::retry("ended", ENDED, None)
}

impl Http for Way {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        Box::pin(async move {
            if self.steps.is_over() {
                return Err(gone());
            }
            let answer = self.ground.send(request).await;
            if self.steps.is_over() {
                return Err(gone());
            }
            answer
        })
    }

    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<Box<dyn Socket>, Failure>> {
        match &*self.ground {
            Ground::Tcp { http, .. } => http.open(request),
            Ground::Mounted(_) => Box::pin(async { Err(gone()) }),
        }
    }
}

/// The secrets that outlive the processes of a life.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<BTreeMap<String, Secret>>);

impl Kept {
    /// Somebody consented anew: what was kept is of no use.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// The vault of one process.
#[derive(Debug)]
pub(super) struct Safe {
    pub(super) kept: Arc<Kept>,
    pub(super) steps: Arc<Steps>,
}

impl Vault for Safe {
    fn get<'a>(
        &'a self,
        _: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Secret>, Failure>> {
        let found = self.kept.0.lock().unwrap().get(name).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        name: &'a str,
        secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        let before = self.steps.is_over();
        if !before {
            let mut kept = self.kept.0.lock().unwrap();
            kept.insert(name.to_owned(), secret);
        }
        let after = self.steps.is_over();
        let put = if before || after { Err(gone()) } else { Ok(()) };
        Box::pin(std::future::ready(put))
    }
}
