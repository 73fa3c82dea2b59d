//! Which addresses a request may reach: the tests of single addresses, the allow-list of the
//! operator, and the resolver that applies both at connect. No request is sent here.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use bellwether_model::http::Egress;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What the file configuration allows outbound requests to reach.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Which non-public addresses a connection's own address may lead to.
    pub allow_private: Private,
}

/// Non-public addresses that requests with [`Egress::Operator`] may reach. `Egress::Public` never
/// reaches any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Private {
    /// None.
    #[default]
    Nowhere,
    /// Loopback, private and shared ranges; link-local (cloud metadata) and multicast stay closed.
    Anywhere,
    /// Exactly these ranges.
    Only(Vec<Range>),
}

/// A range of addresses such as `10.0.0.0/8` or `127.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    base: IpAddr,
    bits: u8,
}

/// The text is not an address or a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARange;

impl fmt::Display for NotARange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address or a range such as 10.0.0.0/8 is needed")
    }
}

impl Error for NotARange {}

impl FromStr for Range {
    type Err = NotARange;
    fn from_str(text: &str) -> Result<Self, NotARange> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| NotARange)?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| NotARange)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(NotARange);
        }
        Ok(Self { base, bits })
    }
}

impl Range {
    /// Whether `address` lies in the range. A mapped IPv6 address counts as its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let keep = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & keep == address.to_bits() & keep
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                let keep = u128::MAX.checked_shl(shift).unwrap_or(0);
                base.to_bits() & keep == address.to_bits() & keep
            }
            _ => false,
        }
    }
}

impl Policy {
    /// Whether a request of this kind may connect to `address`.
    pub fn allows(&self, egress: Egress, address: IpAddr) -> bool {
        if is_public(address) {
            return true;
        }
        if egress == Egress::Public {
            return false;
        }
        match &self.allow_private {
            Private::Nowhere => false,
            Private::Anywhere => !is_never_wanted(address.to_canonical()),
            Private::Only(ranges) => ranges.iter().any(|range| range.contains(address)),
        }
    }
}

/// Whether the whole internet may reach this address: neither private nor special in any way.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        // 192.0.0/24 protocols, 192.0.2/24 documentation, 192.88.99/24 the old 6to4 relays.
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99),
        198 => b == 18 || b == 19 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        224..=255 => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let part = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    // NAT64 leads to the IPv4 address in the last 32 bits.
    if part[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return embedded(part[6], part[7]);
    }
    // Only 2000::/3 is handed out to the public; everything else is loopback, ULA, link-local,
    // site-local, multicast or undefined.
    if part[0] & 0xe000 != 0x2000 {
        return false;
    }
    match (part[0], part[1]) {
        // Teredo and other protocol assignments (2001::/23), documentation.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => false,
        // 6to4 leads to the IPv4 address in the next 32 bits.
        (0x2002, _) => embedded(part[1], part[2]),
        _ => true,
    }
}

/// Addresses that no connection ever means, even where private ranges are open.
fn is_never_wanted(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast(),
    }
}

/// What is wrong with an address before anything is connected, if anything is. An address literal
/// never reaches the resolver, so it is tested here.
pub(crate) fn refuse(policy: &Policy, egress: Egress, url: &Url) -> Option<&'static str> {
    match url.scheme() {
        "https" => {}
        "http" if egress == Egress::Operator => {}
        "http" => return Some("only https addresses are called here"),
        _ => return Some("only http and https addresses can be called"),
    }
    let Some(host) = url.host_str() else {
        return Some("the address has no host");
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse::<IpAddr>() {
        Ok(address) if !policy.allows(egress, address) => Some(FORBIDDEN),
        _ => None,
    }
}

const FORBIDDEN: &str = "it leads to an address that is not public and is not on the allow-list";

/// A name led only to addresses that the policy forbids.
#[derive(Debug)]
pub(crate) struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORBIDDEN)
    }
}

impl Error for Forbidden {}

/// Resolves names and drops every address that the policy forbids, so that what was checked is what
/// is connected: a name that changes between check and connect gains nothing.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    policy: Arc<Policy>,
    egress: Egress,
}

impl Resolver {
    pub(crate) fn new(policy: Arc<Policy>, egress: Egress) -> Self {
        Self { policy, egress }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let any = !found.is_empty();
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| this.policy.allows(this.egress, address.ip()))
                .collect();
            if any && allowed.is_empty() {
                return Err(Box::new(Forbidden) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
