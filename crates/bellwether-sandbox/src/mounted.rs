//! A sandbox in process: the same stand-ins with the same routes, without a port. For tests that
//! live ten thousand lives; what only a connection has (resets, the push channel) is not here.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use crate::clock::Clock;
use crate::server::Wire;
use crate::world::World;
use crate::{Addresses, Door, Options, StartError, admin, all, check_people};

/// The most bytes of an answer.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// An answer in process.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// Names in lower case with their values; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// A sandbox without ports. Its parts have addresses, by which [`Mounted::call`] tells them apart.
#[derive(Debug)]
pub struct Mounted {
    addresses: Addresses,
    routers: Vec<(String, Router)>,
}

impl Mounted {
    /// A sandbox at the options' host and port, where nobody listens.
    ///
    /// # Errors
    /// [`StartError::People`] says what is wrong with the people given.
    pub fn new(options: Options) -> Result<Self, StartError> {
        check_people(&options.people)?;
        let mut addresses = Addresses::default();
        let mut add = |name, offset| {
            let port = options.port.saturating_add(offset);
            addresses
                .0
                .push((name, SocketAddr::new(options.host, port)));
        };
        add("page", 0);
        for stand_in in all() {
            if let Door::Http(offset, _) | Door::Tcp(offset, _) = stand_in.door {
                add(stand_in.name, offset);
            }
        }
        let clock = Clock::new(options.clock);
        let world = World::new(
            options.people,
            clock,
            addresses.clone(),
            options.mailbox_bytes,
        );
        Ok(Self {
            routers: routers(&world, &addresses),
            addresses,
        })
    }

    /// Where the parts would listen.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Calls the part whose address `url` begins with. A part that does not exist answers 404.
    pub async fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Answered {
        let found = self
            .routers
            .iter()
            .find_map(|(base, router)| Some((url.strip_prefix(base.as_str())?, router)));
        let refused = |status| Answered {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        };
        let Some((path, router)) = found else {
            return refused(404);
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Wire::of(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Body::from(body)) else {
            return refused(400);
        };
        let answer = match TowerToHyperService::new(router.clone()).call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let (head, body) = answer.into_parts();
        let headers = head.headers.iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        Answered {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: match to_bytes(body, ANSWER_MAX).await {
                Ok(bytes) => bytes.to_vec(),
                Err(_) => return refused(500),
            },
        }
    }
}

fn routers(world: &Arc<World>, addresses: &Addresses) -> Vec<(String, Router)> {
    let mut control = admin::routes(world);
    for stand_in in all() {
        control = control.merge((stand_in.admin)(world));
    }
    let doors = all().iter().filter_map(|stand_in| match stand_in.door {
        Door::Http(_, router) => Some((addresses.url(stand_in.name), router(world))),
        Door::None | Door::Tcp(..) => None,
    });
    let page = (addresses.url("page"), control);
    std::iter::once(page).chain(doors).collect()
}
