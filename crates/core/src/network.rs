//! Networks: where a token may be used from. CIDR blocks (RFC 4632, RFC 4291 §2.3), and an address
//! is either inside one of them or not.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, net::IpAddr};
use ipnet::IpNet;

/// Most blocks that one token, owner or listener may name.
pub const NETWORKS_MAX: usize = 64;

/// One block. A bare address is the block of that address alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

/// A sorted set of blocks without duplicates. The empty set contains no address at all.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct NetworkSet(Box<[Network]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("a network looks like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7")]
    Form,
    /// `10.0.0.7/8` may mean either; whoever wrote it is asked.
    #[error("a network has no bits set behind its prefix length")]
    HostBits,
    #[error("at most {NETWORKS_MAX} networks")]
    TooMany,
}

impl Network {
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let block = block(text).ok_or(NetworkError::Form)?;
        if block.trunc() != block {
            return Err(NetworkError::HostBits);
        }
        match block {
            // Addresses are compared in their IPv4 form, so such a block would contain none.
            IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => Err(NetworkError::Form),
            _ => Ok(Self(block)),
        }
    }

    /// An IPv4 address that is written as IPv6 (`::ffff:192.0.2.7`) is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The address is read by the standard library: `192.0.02.1` is octal to some and decimal to
/// others, and ipnet takes it.
fn block(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return Some(text.parse::<IpAddr>().ok()?.into());
    };
    let digits = (1..=3).contains(&length.len()) && length.bytes().all(|b| b.is_ascii_digit());
    let length = length.parse().ok().filter(|_| digits)?;
    IpNet::new(address.parse().ok()?, length).ok()
}

impl NetworkSet {
    pub fn parse<'a>(blocks: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworkError> {
        let mut networks = Vec::new();
        for block in blocks {
            if networks.len() == NETWORKS_MAX {
                return Err(NetworkError::TooMany);
            }
            networks.push(Network::parse(block)?);
        }
        networks.sort_unstable();
        networks.dedup();
        Ok(Self(networks.into()))
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Network> {
        self.0.iter()
    }

    /// The blocks in order, separated by single spaces.
    pub fn join(&self) -> String {
        let mut out = String::new();
        for network in self.iter() {
            if !out.is_empty() {
                out.push(' ');
            }
            // Writing to a `String` cannot fail.
            let _ = fmt::Write::write_fmt(&mut out, format_args!("{network}"));
        }
        out
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for NetworkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use rstest::rstest;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::inside("192.0.2.0/24", "192.0.2.255", true)]
    #[case::outside("192.0.2.0/24", "192.0.3.0", false)]
    #[case::bare("192.0.2.7", "192.0.2.7", true)]
    #[case::bare_is_only_itself("192.0.2.7", "192.0.2.8", false)]
    #[case::everything("0.0.0.0/0", "203.0.113.9", true)]
    #[case::other_family("0.0.0.0/0", "2001:db8::1", false)]
    #[case::mapped("192.0.2.0/24", "::ffff:192.0.2.9", true)]
    #[case::v6("2001:db8::/32", "2001:db8:ffff::1", true)]
    #[case::v6_outside("2001:db8::/32", "2001:db9::1", false)]
    fn address_is_inside_or_not(#[case] block: &str, #[case] at: &str, #[case] inside: bool) {
        assert_eq!(Network::parse(block).unwrap().contains(address(at)), inside);
    }

    #[rstest]
    #[case::empty("", NetworkError::Form)]
    #[case::blank(" 192.0.2.0/24", NetworkError::Form)]
    #[case::name("localhost", NetworkError::Form)]
    #[case::too_long("192.0.2.0/33", NetworkError::Form)]
    #[case::no_length("192.0.2.0/", NetworkError::Form)]
    #[case::octal("192.0.02.0/24", NetworkError::Form)]
    #[case::sign("192.0.2.0/+24", NetworkError::Form)]
    #[case::zone("fe80::1%eth0", NetworkError::Form)]
    #[case::host_bits("10.0.0.7/8", NetworkError::HostBits)]
    #[case::host_bits_v6("2001:db8::1/32", NetworkError::HostBits)]
    #[case::mapped("::ffff:192.0.2.0/120", NetworkError::Form)]
    fn what_is_no_network_is_refused(#[case] text: &str, #[case] fault: NetworkError) {
        assert_eq!(Network::parse(text), Err(fault));
    }

    #[test]
    fn set_is_sorted_without_duplicates_and_reads_back() {
        let set = NetworkSet::parse(["192.0.2.7", "10.0.0.0/8", "192.0.2.7/32"]).unwrap();
        assert_eq!(set.join(), "10.0.0.0/8 192.0.2.7/32");
        assert_eq!(NetworkSet::parse(set.join().split(' ')).unwrap(), set);
        assert_eq!(format!("{set:?}"), "[10.0.0.0/8, 192.0.2.7/32]");
    }

    #[test]
    fn empty_set_contains_nobody() {
        let none = NetworkSet::parse([]).unwrap();
        assert!(!none.contains(address("127.0.0.1")) && !none.contains(address("::1")));
    }

    #[test]
    fn most_networks_are_taken_and_one_more_is_not() {
        let blocks: Vec<_> = (0..=NETWORKS_MAX).map(|n| format!("192.0.2.{n}")).collect();
        let set = |many: usize| NetworkSet::parse(blocks.iter().take(many).map(|b| b.as_str()));
        assert_eq!(set(NETWORKS_MAX).map(|set| set.iter().len()), Ok(NETWORKS_MAX));
        assert_eq!(set(NETWORKS_MAX + 1), Err(NetworkError::TooMany));
        assert_eq!(Network::parse("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
    }
}
