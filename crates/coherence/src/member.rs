//! Who holds a lease, as the database and the nodes speak of it.
//!
//! A row of the table `member` belongs to one *incarnation*: one life of one process between taking
//! up its index and losing faith in it. Its key is the pair (node, incarnation). The naive key is
//! the node alone, and it is wrong: a node that was paused or cut off still holds a lease when its
//! successor of the same name registers; were the row overwritten, nobody would wait for the
//! predecessor. So a successor gets a row of its own, and the old one stays until its owner deletes
//! it or somebody has watched it die ([`Reaper`](crate::Reaper)).

use crate::Epoch;

/// A configured node, whatever process runs it: a UUID, or a digest of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u128);

/// One life of a node. Drawn at random when the process starts, because a restarted process knows
/// nothing of its predecessor; counted up when the same process has to begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u128);

impl Incarnation {
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Whoever a lease, a row and an acknowledgement belong to. An acknowledgement of another
/// incarnation says nothing: that index is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    pub node: NodeId,
    pub incarnation: Incarnation,
}

/// A row of the table `member`, as a revoker and a reaper need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemberRow {
    pub member: Member,
    /// The length of its leases. It never changes within an incarnation.
    pub lease_ms: u64,
    /// Its index had applied everything up to here when it wrote this.
    pub applied: Epoch,
    /// How often it has renewed. Acknowledgements do not count.
    pub renewals: u64,
}
