//! Writes down what clients do, with the times that the judge needs.

use crate::clock::monotonic_ns;
use crate::credential::{Credential, Signer};
use crate::judge::{Op, Operation, Outcome};
use crate::wire::{Answer, Connection, Request};
use std::sync::Mutex;

/// Shared by all clients of a test.
#[derive(Default)]
pub struct Recorder {
    history: Mutex<Vec<Operation>>,
    /// Answers that no contract allows at that place.
    oddities: Mutex<Vec<String>>,
}

/// Taken before the first byte is sent.
pub struct Invocation {
    client: u32,
    node: u32,
    op: Op,
    invoke_ns: u64,
}

impl Invocation {
    /// On one of several nodes.
    #[must_use]
    pub fn on(self, node: u32) -> Self {
        Self { node, ..self }
    }
}

impl Recorder {
    pub fn begin(&self, client: u32, op: Op) -> Invocation {
        Invocation { client, node: 0, op, invoke_ns: monotonic_ns() }
    }

    pub fn end(&self, invocation: Invocation, token: &str, outcome: Outcome) {
        let Invocation { client, node, op, invoke_ns } = invocation;
        let return_ns = monotonic_ns();
        let token = token.to_owned();
        let operation = Operation { client, node, op, token, invoke_ns, return_ns, outcome };
        self.history.lock().unwrap_or_else(|e| e.into_inner()).push(operation);
    }

    /// A token that was created before anything was recorded.
    pub fn given(&self, token: &str) {
        let created = Invocation { client: 0, node: 0, op: Op::Create, invoke_ns: 0 };
        self.end(created, token, Outcome::Accepted);
    }

    /// Calls the API with the credential. `Err` if the connection is of no more use.
    pub async fn verify(
        &self,
        client: u32,
        connection: &mut Connection,
        credential: &Credential,
    ) -> anyhow::Result<Outcome> {
        let request = credential.call()?;
        self.ask(client, Op::Verify, connection, credential.id(), request).await
    }

    /// Has the credential revoke itself.
    pub async fn revoke(
        &self,
        client: u32,
        connection: &mut Connection,
        credential: &Credential,
    ) -> anyhow::Result<Outcome> {
        let request = credential.revocation()?;
        self.ask(client, Op::Revoke, connection, credential.id(), request).await
    }

    /// Has another token of the same partner revoke this one.
    pub async fn revoke_by(
        &self,
        client: u32,
        connection: &mut Connection,
        steward: &Signer,
        token: &str,
    ) -> anyhow::Result<Outcome> {
        let request = steward.revocation_of(token)?;
        self.ask(client, Op::Revoke, connection, token, request).await
    }

    pub fn odd(&self, what: String) {
        self.oddities.lock().unwrap_or_else(|e| e.into_inner()).push(what);
    }

    /// The history, and what was odd.
    pub fn finish(&self) -> (Vec<Operation>, Vec<String>) {
        let history = std::mem::take(&mut *self.history.lock().unwrap_or_else(|e| e.into_inner()));
        let odd = std::mem::take(&mut *self.oddities.lock().unwrap_or_else(|e| e.into_inner()));
        (history, odd)
    }

    async fn ask(
        &self,
        client: u32,
        op: Op,
        connection: &mut Connection,
        token: &str,
        request: Request,
    ) -> anyhow::Result<Outcome> {
        let invocation = self.begin(client, op);
        let answer = connection.ask(&request).await;
        let outcome = answer.as_ref().map_or(Outcome::Unknown, |answer| self.outcome(op, answer));
        self.end(invocation, token, outcome);
        answer.map(|_| outcome)
    }

    fn outcome(&self, op: Op, answer: &Answer) -> Outcome {
        match (op, answer.status) {
            (_, 200) => Outcome::Accepted,
            (_, 401) | (Op::Revoke, 400) => Outcome::Refused,
            // The server says that it cannot say.
            (_, 503) => Outcome::Unknown,
            _ => {
                self.odd(format!("{op:?}: {}", answer.text()));
                Outcome::Unknown
            }
        }
    }
}
