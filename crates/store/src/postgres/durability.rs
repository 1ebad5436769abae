//! What a commit of this server is worth, as the operator declares it and as the server says.
//!
//! A revocation that was answered must survive whatever the operator has said it will: the crash of
//! the one server, or a failover to its standby. A setting that breaks this silently (one role with
//! `synchronous_commit = off` is enough) would be found out on the worst day, so it is asked for on
//! the very connections that write.

use super::{connection::Session, fault::Fault, rows::Columns};

/// How the database keeps what it has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// One server. Its crash loses nothing; a failover to a standby could.
    Single,
    /// A standby confirms each commit, and a failover to it loses nothing.
    Sync,
    /// A standby follows. A failover to it may bring back what was revoked just before, which the
    /// operator must have accepted.
    Async { accept_lost_revocations_on_failover: bool },
}

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurabilityReport {
    /// As `server_version_num` has it: 150004 is 15.4.
    pub server_version: u32,
    pub fsync: bool,
    pub full_page_writes: bool,
    pub synchronous_commit: String,
    pub synchronous_standby_names: String,
    /// Servers that stream from this one now.
    pub standbys: u32,
    pub in_recovery: bool,
}

/// The server does not keep what was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unkept {
    #[error("PostgreSQL runs with fsync off: a crash loses what it has confirmed")]
    Fsync,
    #[error("PostgreSQL runs with full_page_writes off: a crash can damage it")]
    FullPageWrites,
    #[error("synchronous_commit is off: a crash loses what was confirmed last")]
    CommitOff,
    #[error(
        "durability is declared as sync, and synchronous_commit is neither on nor remote_apply: \
         no standby has what was confirmed"
    )]
    CommitLocal,
    #[error("durability is declared as sync, and synchronous_standby_names is empty")]
    NoStandbyNames,
    #[error(
        "durability is declared as async: set accept_lost_revocations_on_failover, or a \
         synchronous standby"
    )]
    NotAccepted,
    #[error("this server is a replica, or is recovering")]
    InRecovery,
}

/// The declaration is kept, and yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caution {
    /// Declared as one server, and others stream from it: a failover to one of them could bring
    /// back what was revoked.
    StandbyOfASingle,
    /// Commits wait for a standby, and none is there.
    NoStandbyNow,
    /// A failover may bring back what was revoked.
    MayLoseRevocations,
}

impl DurabilityReport {
    /// Refuses a declaration that the server does not keep.
    pub fn check(&self, declared: Durability) -> Result<Vec<Caution>, Unkept> {
        let refused = [
            (self.in_recovery, Unkept::InRecovery),
            (!self.fsync, Unkept::Fsync),
            (!self.full_page_writes, Unkept::FullPageWrites),
            (self.synchronous_commit == "off", Unkept::CommitOff),
        ];
        if let Some((_, unkept)) = refused.into_iter().find(|(holds, _)| *holds) {
            return Err(unkept);
        }
        match declared {
            Durability::Single => Ok(caution(self.standbys > 0, Caution::StandbyOfASingle)),
            Durability::Sync => self.check_sync(),
            Durability::Async { accept_lost_revocations_on_failover: true } => {
                Ok(vec![Caution::MayLoseRevocations])
            }
            Durability::Async { .. } => Err(Unkept::NotAccepted),
        }
    }

    fn check_sync(&self) -> Result<Vec<Caution>, Unkept> {
        if !matches!(self.synchronous_commit.as_str(), "on" | "remote_apply") {
            return Err(Unkept::CommitLocal);
        }
        if self.synchronous_standby_names.trim().is_empty() {
            return Err(Unkept::NoStandbyNames);
        }
        Ok(caution(self.standbys == 0, Caution::NoStandbyNow))
    }
}

fn caution(holds: bool, caution: Caution) -> Vec<Caution> {
    holds.then_some(caution).into_iter().collect()
}

pub(super) async fn report(session: &Session) -> Result<DurabilityReport, Fault> {
    let row = session
        .query_one(
            "SELECT current_setting('server_version_num')::bigint,
                 current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
                 current_setting('synchronous_commit'),
                 current_setting('synchronous_standby_names'),
                 (SELECT count(*) FROM pg_stat_replication), pg_is_in_recovery()",
            &[],
        )
        .await?;
    let mut columns = Columns::of(&row);
    Ok(DurabilityReport {
        server_version: u32::try_from(columns.count()?).unwrap_or(u32::MAX),
        fsync: columns.get()?,
        full_page_writes: columns.get()?,
        synchronous_commit: columns.get()?,
        synchronous_standby_names: columns.get()?,
        standbys: u32::try_from(columns.count()?).unwrap_or(u32::MAX),
        in_recovery: columns.get()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> DurabilityReport {
        DurabilityReport {
            server_version: 150_000,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".into(),
            synchronous_standby_names: String::new(),
            standbys: 0,
            in_recovery: false,
        }
    }

    fn accepted(accept_lost_revocations_on_failover: bool) -> Durability {
        Durability::Async { accept_lost_revocations_on_failover }
    }

    #[test]
    fn server_that_loses_what_it_confirmed_is_refused_under_every_declaration() {
        let losing = [
            (DurabilityReport { fsync: false, ..kept() }, Unkept::Fsync),
            (DurabilityReport { full_page_writes: false, ..kept() }, Unkept::FullPageWrites),
            (DurabilityReport { in_recovery: true, ..kept() }, Unkept::InRecovery),
            (DurabilityReport { synchronous_commit: "off".into(), ..kept() }, Unkept::CommitOff),
        ];
        for (report, unkept) in losing {
            for declared in [Durability::Single, Durability::Sync, accepted(true)] {
                assert_eq!(report.check(declared), Err(unkept), "{declared:?}");
            }
        }
    }

    #[test]
    fn sync_needs_a_named_standby_and_commits_that_wait_for_it() {
        let named = |commit: &str| DurabilityReport {
            synchronous_commit: commit.into(),
            synchronous_standby_names: "*".into(),
            standbys: 1,
            ..kept()
        };
        for commit in ["on", "remote_apply"] {
            assert_eq!(named(commit).check(Durability::Sync), Ok(vec![]), "{commit}");
        }
        for commit in ["local", "remote_write"] {
            let refused = named(commit).check(Durability::Sync);
            assert_eq!(refused, Err(Unkept::CommitLocal), "{commit}");
        }
        assert_eq!(kept().check(Durability::Sync), Err(Unkept::NoStandbyNames));
        let alone = DurabilityReport { standbys: 0, ..named("on") };
        assert_eq!(alone.check(Durability::Sync), Ok(vec![Caution::NoStandbyNow]));
    }

    #[test]
    fn async_must_be_accepted_and_a_standby_of_a_single_server_is_told() {
        assert_eq!(kept().check(accepted(false)), Err(Unkept::NotAccepted));
        assert_eq!(kept().check(accepted(true)), Ok(vec![Caution::MayLoseRevocations]));
        assert_eq!(kept().check(Durability::Single), Ok(vec![]));
        let followed = DurabilityReport { standbys: 1, ..kept() };
        let told = Ok(vec![Caution::StandbyOfASingle]);
        assert_eq!(followed.check(Durability::Single), told);
    }
}
