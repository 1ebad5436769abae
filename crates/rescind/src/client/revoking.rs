//! A revocation, answered once it holds everywhere: a node that has gone silent is waited for as long
//! as its lease may be, which can be longer than any one request is.

use super::Client;
use crate::failure::Failure;
use crate::output::{Output, field};
use serde_json::Value;

/// How long the server waits before it says where to ask on: well within the time-out of a request.
const PREFER: &str = "wait=20";
/// Longest wait in all, in requests: past the end of the longest lease.
const QUESTIONS_MAX: usize = 20;
/// What was achieved, as a settled revocation says it.
const FACTS: [&str; 3] = ["acknowledged", "waited_out", "took_ms"];

impl Client {
    /// What a settled revocation answers; a person is told if that takes long.
    pub(crate) async fn revoke(
        &self,
        path: &[&str],
        body: &Value,
        output: Output,
    ) -> Result<Value, Failure> {
        let mut answer = self.post_preferring(PREFER, path, body).await?;
        if answer.get("settled") != Some(&Value::Bool(false)) {
            return Ok(answer);
        }
        if !output.is_json() {
            output.talk("revoked for good; waiting until it holds on every node");
        }
        let epoch = field(&answer, "epoch");
        let told = self.settled(&epoch).await.map_err(|failure| {
            failure.next("it is revoked for good; repeat the command to hear when everywhere")
        })?;
        if let Some(answer) = answer.as_object_mut() {
            answer.retain(|name, _| name != "settled" && name != "status_url");
            for name in FACTS {
                answer.insert(name.into(), told.get(name).cloned().unwrap_or_default());
            }
        }
        Ok(answer)
    }

    async fn settled(&self, epoch: &str) -> Result<Value, Failure> {
        for _ in 0..QUESTIONS_MAX {
            let told = self.get_preferring(PREFER, &["v1", "revocations", epoch]).await?;
            if told.get("settled") == Some(&Value::Bool(true)) {
                return Ok(told);
            }
        }
        Err(Failure::unreachable("it is revoked for good, and not known to hold on every node"))
    }
}
