//! Which addresses are public, and what the operator's allow-list opens.

use std::net::IpAddr;

use bellwether_connectors::http::{Policy, Private, Range};
use bellwether_model::http::Egress;

const PRIVATE: &[&str] = &[
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2001:4860:4860::8888",
    "2002:808:808::1",
    "2606:4700::1111",
];

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn policy(allow_private: Private) -> Policy {
    Policy { allow_private }
}

#[test]
fn public_addresses_are_reached_and_private_ones_only_where_the_operator_says_so() {
    for text in PUBLIC {
        for egress in [Egress::Public, Egress::Operator] {
            assert!(policy(Private::Nowhere).allows(egress, ip(text)), "{text}");
        }
    }
    for text in PRIVATE {
        assert!(
            !policy(Private::Nowhere).allows(Egress::Operator, ip(text)),
            "{text}"
        );
        assert!(
            !policy(Private::Anywhere).allows(Egress::Public, ip(text)),
            "{text}"
        );
    }
}

#[test]
fn an_open_policy_still_keeps_cloud_metadata_closed() {
    let open = policy(Private::Anywhere);
    for text in ["10.0.0.1", "127.0.0.1", "::1", "fd00::1", "100.64.0.1"] {
        assert!(open.allows(Egress::Operator, ip(text)), "{text}");
    }
    for text in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "224.0.0.1",
    ] {
        assert!(!open.allows(Egress::Operator, ip(text)), "{text}");
    }
}

#[test]
fn a_list_opens_exactly_its_ranges() {
    let ranges = ["10.20.0.0/16", "127.0.0.1", "fd00:1::/32"];
    let ranges = ranges.map(|text| text.parse::<Range>().expect(text));
    let list = policy(Private::Only(ranges.to_vec()));
    for (text, open) in [
        ("10.20.255.1", true),
        ("10.21.0.1", false),
        ("127.0.0.1", true),
        ("::ffff:127.0.0.1", true),
        ("127.0.0.2", false),
        ("fd00:1:2::3", true),
        ("fd00:2::3", false),
        ("8.8.8.8", true),
    ] {
        assert_eq!(list.allows(Egress::Operator, ip(text)), open, "{text}");
    }
    assert!(!list.allows(Egress::Public, ip("10.20.0.1")));
    let all: Range = "0.0.0.0/0".parse().expect("all");
    assert!(all.contains(ip("1.2.3.4")) && !all.contains(ip("::1")));
    for wrong in ["10.0.0.0/33", "10.0.0", "x/8", "10.0.0.0/", "::/129"] {
        assert!(wrong.parse::<Range>().is_err(), "{wrong}");
    }
}
