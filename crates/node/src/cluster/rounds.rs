//! The loop of a node without leases: one `coherence::Rounds`, the requests that it asks for, and
//! those who wait to be let decide.
//!
//! It stands in the place of [`lease`](super::lease). At most one request is under way; its answer
//! comes back with the link that it was sent over.

use super::lease::{Inbox, Trouble, sleep_until};
use super::requests::why;
use super::settling::Told;
use super::{Here, place, stored};
use rescind_coherence::node::{Alarm, Event as Outside, Link, Timeline};
use rescind_coherence::rounds::{Effect, Event};
use rescind_coherence::{BootInstant, Member, Position, Proof, Round, Rounds, Rules};
use rescind_guard::Refusal;
use rescind_store::{Applied, LoadError, Loaded, LogPage, SharedStore};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Verifications that may wait at once, each a few dozen bytes; one more is answered 503.
pub const QUESTIONS_MAX: usize = 65_536;
/// How long one of them waits: for the round that is under way, and for one of its own. Then the
/// answer is neither yes nor no.
pub const PROOF_PATIENCE: Duration = Duration::from_secs(3);
/// How often a load says that it goes on: well within the silence that it is allowed.
const LOADING_EVERY: Duration = Duration::from_secs(5);

type Question = oneshot::Sender<Proof>;

/// Where verifications ask to be let decide.
#[derive(Clone, Debug)]
pub struct Proofs(mpsc::Sender<Question>);

impl Proofs {
    /// Returns after a round that began after this was called: memory is new enough then.
    ///
    /// # Errors
    /// No round has answered in time, or too many wait: neither yes nor no.
    pub async fn next(&self) -> Result<Proof, Refusal> {
        let (answer, proof) = oneshot::channel();
        self.0.try_send(answer).map_err(|_| Refusal::Sealed)?;
        let proof = timeout(PROOF_PATIENCE, proof).await;
        proof.map_err(|_| Refusal::Sealed)?.map_err(|_| Refusal::Sealed)
    }
}

pub(super) type Questions = mpsc::Receiver<Question>;

pub(super) fn questions() -> (Proofs, Questions) {
    let (ask, questions) = mpsc::channel(QUESTIONS_MAX);
    (Proofs(ask), questions)
}

pub(super) struct ReadThrough {
    machine: Rounds,
    own: Member,
    here: Here,
    inbox: Inbox,
    questions: Questions,
    answers: mpsc::UnboundedReceiver<Event<LogPage>>,
    /// To the own answers.
    tell: mpsc::UnboundedSender<Event<LogPage>>,
    settling: mpsc::UnboundedSender<Told>,
    waiting: BTreeMap<Round, Vec<Question>>,
    wake_at: BootInstant,
    request: Option<AbortHandle>,
    /// What went wrong last, for whoever waits for the first round.
    trouble: Trouble,
}

impl ReadThrough {
    pub(super) fn new(
        (own, rules): (Member, Rules),
        here: Here,
        (inbox, questions): (Inbox, Questions),
        settling: mpsc::UnboundedSender<Told>,
        trouble: Trouble,
    ) -> Self {
        let (tell, answers) = mpsc::unbounded_channel();
        Self {
            machine: Rounds::new(rules),
            own,
            here,
            inbox,
            questions,
            answers,
            tell,
            settling,
            waiting: BTreeMap::new(),
            wake_at: BootInstant::NEVER,
            request: None,
            trouble,
        }
    }

    /// Until the node has left.
    pub(super) async fn run(mut self) {
        self.step(Event::Tick);
        loop {
            let event = tokio::select! {
                told = self.inbox.recv() => match told {
                    // Whoever has revoked something here may wait for this memory, too.
                    Some(Outside::Doorbell { .. }) => Event::Asked,
                    Some(Outside::Applied { at }) => Event::Applied { at },
                    Some(Outside::Stop) | None => break,
                    Some(_) => continue,
                },
                Some(question) = self.questions.recv() => {
                    self.take(question);
                    Event::Asked
                }
                Some(answer) = self.answers.recv() => answer,
                () = sleep_until(&self.here.guard, self.wake_at) => Event::Tick,
            };
            self.step(event);
        }
        self.disconnect();
        self.here.guard.close();
    }

    /// With all that came along with it: they share a round, whatever their number.
    fn take(&mut self, question: Question) {
        let waiting = self.waiting.entry(self.machine.deciding()).or_default();
        waiting.push(question);
        waiting.extend(std::iter::from_fn(|| self.questions.try_recv().ok()));
    }

    fn step(&mut self, event: Event<LogPage>) {
        let mut told = Some(event);
        while let Some(event) = told.take() {
            for effect in self.machine.step(event, self.here.guard.clock().boottime()) {
                if let Some(event) = self.carry_out(effect) {
                    // The rest of this step rests on what could not be done.
                    told = Some(event);
                    break;
                }
            }
        }
    }

    fn carry_out(&mut self, effect: Effect<LogPage>) -> Option<Event<LogPage>> {
        match effect {
            Effect::Load { link, keep_revoked } => self.load(link, keep_revoked),
            Effect::Begin { link, after } => {
                self.request(link, read(&self.here.store, link, after))
            }
            Effect::Apply { changes, .. } => return self.apply(changes),
            Effect::Decide { round } => self.let_decide(round),
            Effect::GiveUp { round } => self.give_up(round),
            Effect::Seal => self.here.guard.close(),
            Effect::Disconnect { .. } => self.disconnect(),
            Effect::WakeAt { at } => self.wake_at = at,
            Effect::Alarm(alarm) => self.say(alarm),
        }
        None
    }

    /// A page that does not fit the index leaves it as it is.
    fn apply(&mut self, page: LogPage) -> Option<Event<LogPage>> {
        let head = page.head.epoch;
        match self.here.store.apply(page) {
            Ok(Applied::At(at)) if at.epoch >= head => {
                let _ = self.settling.send(Told::Applied { by: self.own, at: place(at) });
                None
            }
            fault => {
                tracing::warn!(node = &*self.here.name, ?fault, "the index is loaded anew");
                Some(Event::IndexLost)
            }
        }
    }

    fn let_decide(&mut self, round: Round) {
        let proof = self.here.guard.prove();
        for question in self.up_to(round) {
            // Whoever has gone away is not told.
            let _ = question.send(proof);
        }
    }

    /// Whoever waits learns it by the end of his channel.
    fn give_up(&mut self, round: Round) {
        self.here.guard.prove_nothing();
        drop(self.up_to(round));
    }

    fn up_to(&mut self, round: Round) -> Vec<Question> {
        let decided = self.waiting.extract_if(..=round, |_, _| true);
        decided.flat_map(|(_, questions)| questions).collect()
    }

    fn load(&mut self, link: Link, keep_revoked: bool) {
        if keep_revoked {
            // As on a node with leases: see `requests`.
            tracing::error!(
                node = &*self.here.name,
                "the database has gone back in time: this node stays sealed. See \"The database went \
                 back\" in docs/nodes.md"
            );
            return;
        }
        let (store, tell) = (Arc::clone(&self.here.store), self.tell.clone());
        self.request(link, async move {
            let mut load = pin!(store.load());
            let Loaded { at, timeline } = loop {
                match timeout(LOADING_EVERY, &mut load).await {
                    Ok(loaded) => break loaded?,
                    Err(_) => drop(tell.send(Event::Loading { link })),
                }
            };
            Ok(Event::Loaded { link, at: place(at), timeline: Timeline(timeline.into()) })
        });
    }

    /// Answered by an event in any case: one that fails says so.
    fn request(
        &mut self,
        link: Link,
        asked: impl Future<Output = Result<Event<LogPage>, LoadError>> + Send + 'static,
    ) {
        let (tell, trouble) = (self.tell.clone(), self.trouble.clone());
        let name = Arc::clone(&self.here.name);
        let request = tokio::spawn(async move {
            let answer = asked.await.unwrap_or_else(|error| {
                let why = why(&error);
                tracing::warn!(node = &*name, why, "the database did not answer this node");
                trouble.send_replace(Some(why));
                Event::Failed { link }
            });
            let _ = tell.send(answer);
        });
        self.request = Some(request.abort_handle());
    }

    fn disconnect(&mut self) {
        if let Some(request) = self.request.take() {
            request.abort();
        }
    }

    fn say(&self, alarm: Alarm) {
        tracing::error!(
            node = &*self.here.name,
            ?alarm,
            "what the database says is no later state"
        );
    }
}

fn read(
    store: &Arc<dyn SharedStore>,
    link: Link,
    after: Position,
) -> impl Future<Output = Result<Event<LogPage>, LoadError>> + Send + 'static {
    let store = Arc::clone(store);
    async move {
        let page = store.read_log_of_primary(stored(after)).await?;
        let (at, holds, in_recovery) = (place(page.head), page.holds, page.in_recovery);
        let timeline = Timeline(page.timeline.into());
        Ok(Event::Read { link, at, holds, in_recovery, timeline, changes: page })
    }
}
