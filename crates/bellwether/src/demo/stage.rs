//! The stage: stand-ins and server, brought up on free ports, with one flow clock that both show.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_engine::seam::WebSettings;
use bellwether_model::clock::Clock;
use bellwether_model::time::Time;
use bellwether_sandbox::{ClockSetting, Sandbox};
use serde_json::json;

use super::{Settings, company, outside, sixteen};
use crate::cli::Failed;
use crate::clock::{ScaledClock, SystemClock};
use crate::config::SetupFile;
use crate::output;
use crate::secrets::Lost;
use crate::server::{Composed, Options, Running, bind};

/// The flow clock begins on a Monday morning in Vienna.
const MONDAY: &str = "2026-03-02T08:00:00Z";
/// The tenant at the stand-in's control surface.
pub(super) const TENANT: &str = "/admin/smintio/alpenwerk";
/// Flow seconds in one second while a person may take part.
const RATE: f64 = 60.0;

/// Everything that is up.
#[derive(Debug)]
pub(super) struct Stage {
    running: Running,
    sandbox: Sandbox,
    clock: Arc<ScaledClock>,
    folder: Option<PathBuf>,
}

impl Stage {
    /// Brings everything up.
    pub(super) async fn set(settings: &Settings) -> Result<Self, Failed> {
        let start = Self::begins()?;
        let clock = Arc::new(ScaledClock::new(start, RATE));
        let sandbox = open_sandbox(settings.sandbox_port, &clock).await?;
        let (folder, passing) = folder(settings.data.as_deref())?;
        let internal = bind(SocketAddr::from(([127, 0, 0, 1], settings.port)), true).await?;
        let public = bind(
            SocketAddr::from(([127, 0, 0, 1], settings.public_port)),
            true,
        )
        .await?;
        let at = |listener: &tokio::net::TcpListener| {
            listener
                .local_addr()
                .map(|at| format!("http://{at}"))
                .map_err(|e| e.to_string())
        };
        let public_url = at(&public)?;
        let composed = Composed::build(Options {
            database: format!("sqlite:{}", folder.join("bellwether.db").display()),
            key_file: folder.join("bellwether.key"),
            lost: Lost::Refuse,
            flow_clock: Arc::clone(&clock) as Arc<dyn Clock>,
            transport_clock: Arc::new(SystemClock),
            egress: bellwether_connectors::http::Policy {
                allow_private: bellwether_connectors::http::Private::Anywhere,
            },
            web: WebSettings {
                public_url: public_url.clone(),
                console_url: at(&internal)?,
                token: bellwether_model::secret::Secret::default(),
                scim_token: bellwether_model::secret::Secret::default(),
                hosts: Vec::new(),
                sandbox_url: Some(sandbox.addresses().url("page")),
            },
        })
        .await?;
        composed.seal_secrets(Lost::Refuse).await?;
        let page = sandbox.addresses().url("page");
        furnish(&composed, &page).await?;
        let companion = json!({
            "engagement_url": format!("{public_url}/hooks/push/engagement"),
            "app_key": company::APP_KEY,
        });
        outside::post(&format!("{page}/admin/companion"), &companion).await?;
        let told_at = json!({ "webhook_url": format!("{public_url}/hooks/smintio") });
        outside::post(&format!("{page}{TENANT}/settings"), &told_at).await?;
        let app = composed.app();
        let running = Running::start(composed, app, internal, public).await?;
        let tenant = outside::get(&format!("{page}{TENANT}")).await?;
        let identities = format!("http://{}/api/identities", running.internal);
        outside::post(&identities, &company::known_at(&tenant)).await?;
        let register = format!("http://{}/api/customers", running.internal);
        outside::post(&register, &company::customers()).await?;
        if running.internal.port() != settings.port && settings.port != 0 {
            output::say(&format!(
                "port {} is taken; the console is at {} instead",
                settings.port,
                running.internal.port()
            ));
        }
        let folder = passing.then_some(folder);
        Ok(Self {
            running,
            sandbox,
            clock,
            folder,
        })
    }

    /// Console, public pages, stand-ins.
    pub(super) fn urls(&self) -> (String, String, String) {
        (
            format!("http://{}", self.running.internal),
            format!("http://{}", self.running.public),
            self.sandbox.addresses().url("page"),
        )
    }

    /// Where mail goes in.
    pub(super) fn smtp(&self) -> Option<SocketAddr> {
        self.sandbox.addresses().get("smtp")
    }

    /// Present flow time.
    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// When the story begins, in flow time.
    pub(super) fn begins() -> Result<Time, String> {
        Time::parse(MONDAY).map_err(|error| error.to_string())
    }

    /// Lets flow time run at another rate from now on, on both sides.
    pub(super) async fn run_at(&self, rate: f64) -> Result<(), String> {
        self.clock.run_at(rate);
        self.share_clock().await
    }

    async fn share_clock(&self) -> Result<(), String> {
        let (start, rate, real_start) = self.clock.shared();
        let page = self.sandbox.addresses().url("page");
        let body = json!({
            "start": start.to_string(), "rate": rate, "real_start": real_start.to_string(),
        });
        outside::post(&format!("{page}/admin/clock"), &body)
            .await
            .map(drop)
    }

    /// Takes everything down; what was kept for this run only is removed.
    pub(super) async fn strike(self) {
        self.running.stop().await;
        self.sandbox.shutdown().await;
        if let Some(folder) = self.folder
            && let Err(error) = std::fs::remove_dir_all(&folder)
        {
            tracing::warn!("{} could not be removed: {error}", folder.display());
        }
    }
}

/// Sets the server up with the company and its flows.
async fn furnish(composed: &Composed, page: &str) -> Result<(), Failed> {
    let info = outside::get(&format!("{page}/admin/info")).await?;
    let setup = SetupFile {
        connections: company::connections(&info)?,
        directory: company::directory(),
        flows: std::collections::BTreeMap::new(),
    };
    composed.import_setup(&setup).await?;
    sixteen::switch_on(composed).await?;
    let complaints = composed.reload().await?;
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.into())
    }
}

async fn open_sandbox(port: u16, clock: &ScaledClock) -> Result<Sandbox, String> {
    let (start, rate, real_start) = clock.shared();
    let setting = ClockSetting {
        start: start.timestamp(),
        rate,
        real_start: real_start.timestamp(),
    };
    let mut at = port;
    for _ in 0..50 {
        let options = bellwether_sandbox::Options {
            port: at,
            clock: setting,
            people: company::outside(),
            ..bellwether_sandbox::Options::default()
        };
        match bellwether_sandbox::start(options).await {
            Ok(sandbox) => {
                if at != port {
                    output::say(&format!(
                        "ports from {port} are taken; the stand-ins are at {at}"
                    ));
                }
                return Ok(sandbox);
            }
            Err(bellwether_sandbox::StartError::Bind { .. }) if port != 0 => {
                at = at.saturating_add(10);
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("no free ports for the stand-ins from {port} on"))
}

/// The folder of the record, and whether it goes away with the demo.
fn folder(given: Option<&Path>) -> Result<(PathBuf, bool), String> {
    let (folder, passing) = match given {
        Some(folder) => (folder.to_owned(), false),
        None => {
            let name = format!("bellwether-demo-{}", std::process::id());
            (std::env::temp_dir().join(name), true)
        }
    };
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok((folder, passing))
}
