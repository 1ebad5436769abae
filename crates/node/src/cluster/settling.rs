//! The loop that waits for other nodes: one `coherence::Settler` for all that was revoked here, and
//! a `coherence::Reaper` that buries the rows of the dead.

use super::lease::{Events, sleep_until};
use super::requests;
use super::{Here, place};
use rescind_coherence::settling::{Effect, Event};
use rescind_coherence::{
    BootInstant, DeadRow, Member, MemberRow, Position, Reaper, Rules, Settler, Timing,
};
use rescind_store::{Epoch, LogPage, Roll, Settled};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::{mpsc, oneshot, watch};

/// What the store says, in its order.
pub(super) enum Asked {
    /// Before anybody waits for it.
    Committed(LogPage),
    /// As they were read behind it.
    Members { behind: Position, members: Roll },
    /// Somebody waits for an epoch.
    Settle { epoch: Epoch, answer: oneshot::Sender<Settled> },
}

/// What this loop is told by others.
#[derive(Debug)]
pub(super) enum Told {
    /// This node's own index is here.
    Applied { by: Member, at: Position },
    /// Another node says so.
    Acknowledged { by: Member, at: Position },
    /// The rows may have changed.
    Look,
    /// The rows as they were read, if they could be; for whoever waits for an epoch that they
    /// cover, or only to be watched.
    Members { covers: Option<Epoch>, read: Option<Roll> },
}

pub(super) struct Settlements {
    settler: Settler,
    reaper: Reaper,
    timing: Timing,
    /// This node, as its row says it now.
    own: Member,
    here: Here,
    asked: mpsc::Receiver<Asked>,
    /// To the lease: the index has moved past it.
    events: Events,
    told: mpsc::UnboundedReceiver<Told>,
    tell: mpsc::UnboundedSender<Told>,
    waiting: BTreeMap<Epoch, Vec<oneshot::Sender<Settled>>>,
    /// Answers about the rows since something began to wait.
    looks: u32,
    /// The last epoch that others were told of directly.
    rung: Epoch,
    /// By notification, for whoever has not heard it directly.
    rings: watch::Sender<Epoch>,
    wake_at: BootInstant,
    /// When the rows are read though nobody waits, to watch the dead.
    watch_at: BootInstant,
}

/// After somebody had to be waited out: soon its row can be buried, and the next need not wait.
const WATCH_SOON_MILLIS: u64 = 20;
/// After somebody has come of whom no row is known. Anybody can come, so not at once.
const STRANGER_MILLIS: u64 = 200;

impl Settlements {
    pub(super) fn new(
        own: Member,
        (timing, rules): (Timing, Rules),
        here: Here,
        (asked, events): (mpsc::Receiver<Asked>, Events),
        (tell, told): (mpsc::UnboundedSender<Told>, mpsc::UnboundedReceiver<Told>),
    ) -> Self {
        Self {
            settler: Settler::new(timing, rules),
            reaper: Reaper::new(timing, rules),
            timing,
            own,
            here,
            asked,
            events,
            told,
            tell,
            waiting: BTreeMap::new(),
            looks: 0,
            rung: 0,
            rings: watch::Sender::default(),
            wake_at: BootInstant::NEVER,
            watch_at: BootInstant::NEVER,
        }
    }

    pub(super) async fn run(mut self) {
        tokio::spawn(requests::ring(Arc::clone(&self.here.store), self.rings.subscribe()));
        self.watch();
        loop {
            let wake_at = self.wake_at.min(self.watch_at);
            tokio::select! {
                told = self.told.recv() => match told {
                    Some(told) => self.hear(told),
                    None => return,
                },
                asked = self.asked.recv() => match asked {
                    Some(Asked::Committed(page)) => self.committed(&page),
                    Some(Asked::Members { behind, members }) => {
                        let rows = self.saw(&members);
                        self.step(Event::MembersBehind { at: behind, rows });
                    }
                    Some(Asked::Settle { epoch, answer }) => self.wait_for(epoch, answer),
                    None => return,
                },
                () = sleep_until(&self.here.guard, wake_at) => self.tick(),
                () = self.here.peers.stranger.notified() => self.watch_after(STRANGER_MILLIS),
            }
        }
    }

    fn committed(&mut self, page: &LogPage) {
        self.rung = self.rung.max(page.head.epoch);
        self.here.peers.push(page);
    }

    /// Its commit has returned. The index was changed before, by whoever published it.
    fn wait_for(&mut self, epoch: Epoch, answer: oneshot::Sender<Settled>) {
        // Found as it is, and perhaps whoever has committed it has told nobody.
        if epoch > self.rung {
            self.rung = epoch;
            self.here.peers.ring(epoch);
        }
        self.looks = 0;
        self.waiting.entry(epoch).or_default().push(answer);
        if let Ok(Some(applied)) = self.here.store.applied() {
            let at = place(applied);
            self.step(Event::Applied { by: self.own, at });
            let _ = self.events.try_send(rescind_coherence::node::Event::Applied { at });
        }
        self.step(Event::Committed { epoch });
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Applied { by, at } => {
                self.own = by;
                self.step(Event::Applied { by, at });
            }
            Told::Look => self.step(Event::RowsChanged),
            Told::Acknowledged { by, at } => self.step(Event::Acknowledged { by, at }),
            Told::Members { covers, read: Some(roll) } => {
                let rows = self.saw(&roll);
                if let Some(covers) = covers {
                    self.step(Event::Members { covers, epoch: roll.head, rows });
                    self.ring_again(covers);
                }
            }
            Told::Members { covers: Some(_), read: None } => self.step(Event::Failed),
            Told::Members { covers: None, read: None } => {}
        }
    }

    /// The rows, as the machines know them.
    fn saw(&mut self, roll: &Roll) -> Vec<MemberRow> {
        self.here.peers.know(roll, self.own);
        self.here.seen.head.store(roll.head, Relaxed);
        self.here.seen.nodes.store(roll.members.len(), Relaxed);
        let rows: Vec<_> = roll.members.iter().map(row).collect();
        self.bury(&rows, &roll.members);
        rows
    }

    /// Whoever has not acknowledged by the second look may be new, or its connection may be dead.
    fn ring_again(&mut self, epoch: Epoch) {
        self.looks = self.looks.saturating_add(1);
        if self.looks > 1 && !self.waiting.is_empty() {
            self.rings.send_replace(epoch);
        }
    }

    fn tick(&mut self) {
        let now = self.here.guard.clock().boottime();
        if now >= self.watch_at {
            self.watch();
        }
        if now >= self.wake_at {
            self.wake_at = BootInstant::NEVER;
            self.step(Event::Tick);
        }
    }

    fn step(&mut self, event: Event) {
        for effect in self.settler.step(event, self.here.guard.clock().boottime()) {
            match effect {
                Effect::ReadMembers { covers } => self.read_members(Some(covers)),
                Effect::Settled(settled) => self.answer(settled),
                Effect::WakeAt { at } => self.wake_at = at,
            }
        }
    }

    fn answer(&mut self, settled: rescind_coherence::Settled) {
        let rescind_coherence::Settled { epoch, acknowledged, waited_out } = settled;
        for answer in self.waiting.remove(&epoch).into_iter().flatten() {
            // Whoever has gone away changes nothing about what was achieved.
            let _ = answer.send(Settled { epoch, acknowledged, waited_out });
        }
        if waited_out > 0 {
            self.watch_after(WATCH_SOON_MILLIS);
        }
    }

    fn watch_after(&mut self, millis: u64) {
        let soon = self.here.guard.clock().boottime().plus_millis(millis);
        self.watch_at = self.watch_at.min(soon);
    }

    fn watch(&mut self) {
        self.watch_at = self.here.guard.clock().boottime().plus_millis(self.timing.renewal_ms());
        self.read_members(None);
    }

    fn read_members(&self, covers: Option<Epoch>) {
        let (store, tell) = (Arc::clone(&self.here.store), self.tell.clone());
        tokio::spawn(async move {
            let read = store.members(covers.unwrap_or_default()).await;
            if let Err(error) = &read {
                tracing::debug!(%error, "the member rows were not read");
            }
            let _ = tell.send(Told::Members { covers, read: read.ok() });
        });
    }

    fn bury(&mut self, rows: &[MemberRow], members: &[rescind_store::Member]) {
        let now = self.here.guard.clock().boottime();
        for DeadRow { member, renewals } in self.reaper.saw(rows, self.own, now) {
            let mut named = rows.iter().zip(members);
            let Some((_, dead)) = named.find(|(row, _)| row.member == member) else { continue };
            let (store, node, incarnation) =
                (Arc::clone(&self.here.store), dead.node.clone(), dead.incarnation);
            tokio::spawn(async move {
                match store.remove_member(&node, incarnation, renewals).await {
                    Ok(true) => {
                        tracing::warn!(node, "this node is silent, and not waited for any more")
                    }
                    Ok(false) => {}
                    Err(error) => tracing::debug!(%error, node, "the row of a silent node stays"),
                }
            });
        }
    }
}

/// A row, as the machines know it.
fn row(member: &rescind_store::Member) -> MemberRow {
    let rescind_store::Member { node, incarnation, lease_ms, applied, renewals, .. } = member;
    MemberRow {
        member: Member { node: super::node_id(node), incarnation: super::of_row(*incarnation) },
        lease_ms: *lease_ms,
        applied: *applied,
        renewals: *renewals,
    }
}
