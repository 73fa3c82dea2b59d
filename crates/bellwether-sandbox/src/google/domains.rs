//! The stand-in's DNS and the rule behind `Authentication-Results`: SPF by the client's source
//! address, DMARC by alignment. Signatures are not verified: a DKIM-Signature that comes from
//! outside has no key.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::letter::{self, Field};

/// Domains the table holds at most.
const DOMAINS_LIMIT: usize = 1_000;

/// A DMARC policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    None,
    Quarantine,
    Reject,
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Quarantine => "QUARANTINE",
            Self::Reject => "REJECT",
        }
    }
}

/// What the DNS says about one domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Domain {
    pub(crate) domain: String,
    /// Source addresses that may send for it.
    #[serde(default)]
    pub(crate) spf: Vec<IpAddr>,
    /// `null`: no DMARC record.
    pub(crate) dmarc: Option<Policy>,
}

/// The table of domains.
#[derive(Debug)]
pub(crate) struct Domains(BTreeMap<String, Domain>);

impl Default for Domains {
    /// `example.com` sends from 127.0.0.1 only and asks to reject the rest.
    fn default() -> Self {
        let mut domains = Self(BTreeMap::new());
        domains.set(Domain {
            domain: "example.com".to_owned(),
            spf: vec![IpAddr::from([127, 0, 0, 1])],
            dmarc: Some(Policy::Reject),
        });
        domains
    }
}

/// How a message came.
#[derive(Debug, Clone)]
pub(crate) enum Source<'a> {
    /// From the net, with this client address and this sender of the envelope (empty for a bounce).
    Net(IpAddr, &'a str),
    /// Sent by a mailbox of the stand-in: signed and aligned.
    Own,
}

impl Domains {
    pub(crate) fn list(&self) -> Vec<Domain> {
        self.0.values().cloned().collect()
    }

    /// Sets what is known about a domain; false when the table is full.
    pub(crate) fn set(&mut self, mut domain: Domain) -> bool {
        domain.domain = domain
            .domain
            .trim()
            .trim_end_matches('.')
            .to_ascii_lowercase();
        if self.0.len() >= DOMAINS_LIMIT && !self.0.contains_key(&domain.domain) {
            return false;
        }
        self.0.insert(domain.domain.clone(), domain);
        true
    }

    /// The record of the domain, else that of its organisational domain.
    fn policy(&self, domain: &str) -> Option<Policy> {
        let found = self
            .0
            .get(domain)
            .or_else(|| self.0.get(&organisation(domain)))?;
        found.dmarc
    }

    /// `pass`, `fail`, or `none` when the domain is not in the table.
    fn spf(&self, ip: IpAddr, mail_from: &str) -> &'static str {
        let known = letter::domain(mail_from).and_then(|d| self.0.get(&d));
        match known {
            None => "none",
            Some(known) if known.spf.contains(&ip) => "pass",
            Some(_) => "fail",
        }
    }

    /// The headers that a server writes on top of a message which it takes in: SPF and results.
    pub(crate) fn stamp(&self, fields: &[Field], source: &Source<'_>) -> String {
        let from = header_from(fields);
        let (spf, ip, mail_from) = match source {
            Source::Own => (
                "pass",
                "127.0.0.1".to_owned(),
                from.clone().unwrap_or_default(),
            ),
            Source::Net(ip, mail_from) => {
                (self.spf(*ip, mail_from), ip.to_string(), clean(mail_from))
            }
        };
        let from_domain = from.as_deref().and_then(letter::domain);
        let mail_domain = letter::domain(&mail_from);
        let aligned = |other: &Option<String>| {
            let ours = from_domain.as_deref().map(organisation);
            ours.is_some() && ours == other.as_deref().map(organisation)
        };
        let dkim = match source {
            Source::Own => {
                let domain = from_domain.clone().unwrap_or_default();
                format!("dkim=pass header.i=@{domain} header.s=sandbox")
            }
            Source::Net(..) => match letter::first(fields, "DKIM-Signature").and_then(signer) {
                Some(domain) => format!("dkim=neutral (no key) header.i=@{domain}"),
                None => "dkim=none".to_owned(),
            },
        };
        let passed = matches!(source, Source::Own) || (spf == "pass" && aligned(&mail_domain));
        let dmarc = match from_domain.as_deref().map(|d| (d, self.policy(d))) {
            Some((domain, Some(policy))) => {
                let verdict = if passed { "pass" } else { "fail" };
                let policy = policy.name();
                format!("dmarc={verdict} (p={policy} sp={policy} dis=NONE) header.from={domain}")
            }
            Some((domain, None)) => format!("dmarc=none header.from={domain}"),
            None => "dmarc=none".to_owned(),
        };
        let words = match spf {
            "pass" => format!("domain of {mail_from} designates {ip} as permitted sender"),
            "fail" => format!("domain of {mail_from} does not designate {ip} as permitted sender"),
            _ => format!("{ip} is neither permitted nor denied by domain of {mail_from}"),
        };
        let words = format!("(google.com: {words})");
        let by = if mail_from.is_empty() {
            "postmaster"
        } else {
            mail_from.as_str()
        };
        format!(
            "Received-SPF: {spf} {words} client-ip={ip};\r\n\
             Authentication-Results: mx.google.com;\r\n       {dkim};\r\n       \
             spf={spf} {words} smtp.mailfrom={by};\r\n       {dmarc}\r\n"
        )
    }
}

/// The first address of the first From field.
fn header_from(fields: &[Field]) -> Option<String> {
    let value = letter::first(fields, "From")?;
    letter::addresses(value)
        .into_iter()
        .next()
        .map(|m| clean(&m.address))
}

/// What may stand in a header line: a sender cannot write lines of its own into the stamp.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() && !";()".contains(*c))
        .take(254)
        .collect()
}

/// The domain of `d=` in a signature.
fn signer(signature: &str) -> Option<String> {
    let tag = signature
        .split(';')
        .map(str::trim)
        .find_map(|tag| tag.strip_prefix("d="))?;
    Some(clean(tag.trim())).filter(|d| !d.is_empty())
}

/// The organisational domain: the last two labels.
fn organisation(domain: &str) -> String {
    let labels: Vec<&str> = domain.split('.').collect();
    labels[labels.len().saturating_sub(2)..].join(".")
}
