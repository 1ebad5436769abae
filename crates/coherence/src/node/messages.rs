//! What a driver tells a [`Node`](super::Node), and what it is asked to do.

use crate::{BootInstant, Epoch, Member, Position};

/// The life of one connection to the database, and so the id by which answers find their question:
/// at most one request is under way on a link, and an answer that comes over an abandoned link is
/// ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub(super) u64);

impl Link {
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// PostgreSQL's timeline: raised by each promotion and each restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeline(pub u64);

/// What has happened. `C` is what a reading of the log brought: the machine hands it on unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event<C> {
    /// Time has passed: an [`Effect::WakeAt`] came due. Harmless at any other moment.
    Tick,
    /// An [`Effect::Load`] is getting on. Optional, for loads that take longer than a minute.
    Loading { link: Link },
    /// The answer to [`Effect::Load`]: the index is exactly there.
    Loaded { link: Link, at: Position, timeline: Timeline },
    /// The answer to [`Effect::Register`], after its commit.
    Registered { link: Link },
    /// The answer to [`Effect::Renew`], after its commit: whether the row was there.
    Renewed { link: Link, found: bool },
    /// The answer to [`Effect::ReadLog`], all of it from one snapshot.
    Log {
        link: Link,
        /// `epoch.n` and its mark, where the changes lead to.
        at: Position,
        /// Whether the log has, where the reading began, what was applied there: it goes as far, and
        /// no other mark stands at that number.
        holds: bool,
        /// `pg_is_in_recovery()`
        in_recovery: bool,
        timeline: Timeline,
        changes: C,
    },
    /// The request failed or the connection is gone. What became of it is unknown.
    Failed { link: Link },
    /// A hint that the log has grown up to here: NOTIFY, or a message from the revoker.
    Doorbell { epoch: Epoch },
    /// Whoever has just committed these changes says what they are: all that lies between `after`
    /// and `at`. A hint as well, unless they follow on what is applied.
    Pushed { after: Position, at: Position, changes: C },
    /// The index was changed past the machine, by this node's own writes: it is now exactly there.
    /// Told after the change, under the publisher's lock or in the order of publication.
    Applied { at: Position },
    /// The index is not what the machine believes: what an [`Effect::Apply`] brought did not fit, or
    /// was too much to be listed. Told instead of carrying out the rest of that step, which rests on
    /// it; everything begins anew.
    IndexLost,
    /// The process is asked to stop.
    Stop,
    /// The answer to [`Effect::Unregister`].
    Unregistered { link: Link },
}

impl<C> Event<C> {
    /// The connection that an answer came over.
    pub(super) fn link(&self) -> Option<Link> {
        match *self {
            Self::Loaded { link, .. }
            | Self::Loading { link }
            | Self::Registered { link }
            | Self::Renewed { link, .. }
            | Self::Log { link, .. }
            | Self::Failed { link }
            | Self::Unregistered { link } => Some(link),
            Self::Tick
            | Self::Doorbell { .. }
            | Self::Pushed { .. }
            | Self::Applied { .. }
            | Self::IndexLost
            | Self::Stop => None,
        }
    }
}

/// What to do. The effects of one step are carried out one after the other, each to its end
/// (requests: until they are sent), before the next event is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect<C> {
    /// Read the whole set in one snapshot, together with `epoch.n` and the timeline, and make the
    /// index what it says; then raise the generation (`Gate::changed`). Answer: [`Event::Loaded`].
    Load {
        link: Link,
        /// The truth went backwards. What this process has ever seen revoked stays revoked: the
        /// driver keeps the names in a set that only grows, takes them out of what it loads
        /// *before* it tells [`Event::Loaded`], and revokes them anew, durably, like any caller.
        keep_revoked: bool,
    },
    /// Insert the member row, with `renewals` of zero; with `applied` only if the log holds it, since
    /// in another history the number means something that this node has not applied; in a transaction
    /// of its own, synchronously committed. It is asked for once in an incarnation: if its outcome
    /// stays unknown, the next attempt has a new one, because a row that others have watched and
    /// deleted must not come back with the number that they remember. Answer: [`Event::Registered`].
    Register { link: Link, member: Member, lease_ms: u64, applied: Position },
    /// `UPDATE member SET renewals = renewals + 1, applied, lease_ms WHERE node AND incarnation`,
    /// as above. Answer: [`Event::Renewed`] with whether a row was there.
    Renew { link: Link, member: Member, lease_ms: u64, applied: Position },
    /// In one snapshot, on a new statement of the primary: the changes after `after`, whether the log
    /// holds `after`, `epoch.n` with its mark, `pg_is_in_recovery()` and the timeline. Answer:
    /// [`Event::Log`].
    ReadLog { link: Link, after: Position },
    /// Bring the index there: from what was read, or what was pushed. Nothing to do if the publisher
    /// is there already or beyond.
    Apply { at: Position, changes: C },
    /// `Gate::open_until`
    OpenUntil { end: BootInstant },
    /// `Gate::seal`
    Seal,
    /// Tell whoever waits that this node has applied everything up to here: over direct
    /// connections with the member's name, and in the row (`applied` only, never `renewals`, and as
    /// in [`Effect::Register`]). Nobody answers; one that is lost is made good by the next renewal.
    Acknowledge { member: Member, at: Position },
    /// Drop the socket of this link. Never cancel, never wait: the server may carry the request out
    /// or not, and neither does harm. The next request opens a new connection.
    Disconnect { link: Link },
    /// Tell [`Event::Tick`] at this moment or soon after it. Replaces the one before. Nothing
    /// unsafe happens if it comes late.
    WakeAt { at: BootInstant },
    /// Delete the own row. Answer: [`Event::Unregistered`].
    Unregister { link: Link, member: Member },
    /// Delete the row of an incarnation that was given up, if it has one. Nobody answers; a row that
    /// stays is only waited for until somebody has watched it die.
    Forget { member: Member },
    /// Somebody should look at this. The machine has done already what can be done.
    Alarm(Alarm),
    /// The row is gone or will be left to die: the process may end.
    Stopped,
}

/// Why a node has sealed itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// Its row is gone: it was silent for so long that others took it for dead, or somebody deleted
    /// the row by hand.
    RowGone,
    /// The server that it renewed with is a standby.
    InRecovery,
    /// The server is on an older timeline than before: a fenced old primary, or a restore.
    TimelineWentBack { known: Timeline, found: Timeline },
    /// The log does not hold what was applied: a restore, or a failover that lost commits. It may have
    /// been written on since, and be longer.
    EpochWentBack { applied: Epoch, found: Epoch },
}
