//! Converters of addresses.

use std::net::{IpAddr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

use crate::{
    failure::Failure,
    program::{Args, Argument, Node},
    value::Value,
};

/// `IsInCIDR(target, networks)`
pub(super) fn is_in_cidr(args: &Args<'_>) -> Result<Value, Failure> {
    // What is no address is in no network, whatever the networks are.
    let Some(target) = address(args.text(0)?) else {
        return Ok(Value::Bool(false));
    };
    for network in args.items(1)? {
        let Value::String(text) = network else {
            continue;
        };
        let (base, bits) = cidr(text).map_err(Failure::Parse)?;
        if within(target, base, bits) {
            return Ok(Value::Bool(true));
        }
    }
    args.failure(1).map_or(Ok(Value::Bool(false)), Err)
}

/// Networks that are literals must be ones, up to the first that is none.
pub(super) fn check_networks(args: &[Argument]) -> Result<(), String> {
    let Some(Argument::Items { nodes, .. }) = args.get(1) else {
        return Ok(());
    };
    for node in nodes {
        let Node::Const(Value::String(text)) = node else {
            break;
        };
        cidr(text)?;
    }
    Ok(())
}

/// An address; one of version 4 in the form of version 6 is of version 4.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

fn cidr(text: &[u8]) -> Result<(IpAddr, u32), String> {
    let shown = String::from_utf8_lossy(text);
    let parsed = shown.split_once('/').and_then(|(base, bits)| {
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let plain = bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = bits.parse().ok().filter(|bits| plain && *bits <= most)?;
        // A network within the addresses of version 4 in the form of version 6 is one of version 4.
        let mapped = match base {
            IpAddr::V6(base) => masked(base, bits).to_ipv4_mapped(),
            IpAddr::V4(_) => None,
        };
        Some(match mapped {
            Some(base) => (IpAddr::V4(base), bits.saturating_sub(96)),
            None => (base, bits),
        })
    });
    parsed.ok_or_else(|| format!("invalid CIDR address: {shown}"))
}

fn within(address: IpAddr, base: IpAddr, bits: u32) -> bool {
    match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            a.to_bits() & mask == b.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => masked(a, bits) == masked(b, bits),
        _ => false,
    }
}

/// The address with all but so many bits cleared.
fn masked(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

/// `CommunityID(source_i_p, source_port, destination_i_p, destination_port, protocol?, seed?)`:
/// version 1 of the Community ID specification.
pub(super) fn community_id(args: &Args<'_>) -> Result<Value, Failure> {
    let ip = |at: usize| {
        let text = args.text(at)?;
        address(text).ok_or_else(|| {
            let text = String::from_utf8_lossy(text);
            Failure::Function(format!("invalid IP address: {text}"))
        })
    };
    let number = |what: &str, value: i64| {
        u16::try_from(value).map_err(|_| {
            Failure::Function(format!("{what} must be between 0 and 65535, got {value}"))
        })
    };
    let source = (octets(ip(0)?), number("source port", args.int(1)?)?);
    let destination = (octets(ip(2)?), number("destination port", args.int(3)?)?);
    let protocol = if args.has(4) { args.text(4)? } else { b"TCP" };
    let protocol: u8 = match protocol {
        b"ICMP" => 1,
        b"TCP" => 6,
        b"UDP" => 17,
        b"RSVP" => 46,
        b"ICMP6" => 58,
        b"SCTP" => 132,
        other => {
            return Err(Failure::Function(format!(
                "unsupported protocol: {}",
                String::from_utf8_lossy(other)
            )));
        }
    };
    let seed = number("seed", args.int_or(5, 0)?)?;
    let (low, high) = match source <= destination {
        true => (source, destination),
        false => (destination, source),
    };
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    hash.update(&low.0);
    hash.update(&high.0);
    hash.update([protocol, 0]);
    hash.update(low.1.to_be_bytes());
    hash.update(high.1.to_be_bytes());
    Ok(Value::text(format!(
        "1:{}",
        STANDARD.encode(hash.finalize())
    )))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
