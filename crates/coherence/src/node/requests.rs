//! What a node asks the database for, on the way to a lease and from one to the next.

use alloc::vec;
use alloc::vec::Vec;

use super::{Asked, Doing, Effect, Node};
use crate::timing::LOAD_SILENCE_MILLIS_MAX;
use crate::{BootInstant, Rule};

impl Node {
    /// The next renewal, or on the way to the first one.
    pub(super) fn begin<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        if !self.loaded {
            self.doing = Doing::Asking {
                what: Asked::Load,
                deadline: now.plus_millis(LOAD_SILENCE_MILLIS_MAX),
            };
            return vec![Effect::Load { link: self.link, keep_revoked: self.keep_revoked }];
        }
        let only_reads = self.registered && !self.rules.keeps(Rule::RenewalWrites);
        if only_reads || !self.rules.keeps(Rule::RegisterBeforeRead) {
            self.read_log(Some(now), now)
        } else {
            self.write_row(now, now)
        }
    }

    pub(super) fn load_goes_on(&mut self, now: BootInstant) {
        let deadline = now.plus_millis(LOAD_SILENCE_MILLIS_MAX);
        self.doing = Doing::Asking { what: Asked::Load, deadline };
    }

    pub(super) fn write_row<C>(&mut self, t0: BootInstant, now: BootInstant) -> Vec<Effect<C>> {
        let (link, member, applied) = (self.link, self.member, self.applied);
        let lease_ms = self.timing.lease_ms();
        self.told = self.told.max(applied.epoch);
        if self.registered {
            self.ask(Asked::Renew { t0 }, now);
            vec![Effect::Renew { link, member, lease_ms, applied }]
        } else {
            self.ask(Asked::Register { t0 }, now);
            vec![Effect::Register { link, member, lease_ms, applied }]
        }
    }

    pub(super) fn read_log<C>(
        &mut self,
        t0: Option<BootInstant>,
        now: BootInstant,
    ) -> Vec<Effect<C>> {
        let t0 = if self.rules.keeps(Rule::CountBeforeTheRead) { t0 } else { t0.map(|_| now) };
        let after = self.applied;
        // What has rung until now is in what this will read; what rings from now on may not be.
        self.rung = None;
        self.ask(Asked::Log { t0, after }, now);
        vec![Effect::ReadLog { link: self.link, after }]
    }

    pub(super) fn ask(&mut self, what: Asked, now: BootInstant) {
        let deadline = now.plus_millis(self.timing.renewal_ms());
        self.doing = Doing::Asking { what, deadline };
    }
}
