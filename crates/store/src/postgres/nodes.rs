//! What other nodes make necessary, each call one line.

use super::{DurabilityReport, fetch, load, memory::Unheard, store::PostgresStore};
use crate::{
    Applied, Doorbell, Epoch, Fetched, LoadError, Loaded, LogPage, Member, Position, Roll,
    SharedStore, Sought, StoreError, outage::Outage,
};
use async_trait::async_trait;
use rescind_core::Digest;

#[async_trait]
impl SharedStore for PostgresStore {
    async fn register(&self, member: &Member, mark: Option<Digest>) -> Result<(), StoreError> {
        self.members.register(member, mark).await
    }

    async fn renew(
        &self,
        node: &str,
        incarnation: u64,
        applied: Position,
        lease_ms: u64,
    ) -> Result<bool, StoreError> {
        self.members.renew(node, incarnation, applied, lease_ms).await
    }

    async fn acknowledge(
        &self,
        node: &str,
        incarnation: u64,
        applied: Position,
    ) -> Result<bool, StoreError> {
        self.members.acknowledge(node, incarnation, applied).await
    }

    async fn ring(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.members.ring(epoch).await
    }

    async fn leave(&self, node: &str, incarnation: u64) -> Result<(), StoreError> {
        self.members.leave(node, incarnation).await
    }

    async fn members(&self, known: Epoch) -> Result<Roll, StoreError> {
        self.members.all(known).await
    }

    async fn remove_member(
        &self,
        node: &str,
        incarnation: u64,
        renewals: u64,
    ) -> Result<bool, StoreError> {
        self.members.remove(node, incarnation, renewals).await
    }

    async fn read_log(&self, after: Position) -> Result<LogPage, StoreError> {
        self.members.read_log(after).await
    }

    async fn read_log_of_primary(&self, after: Position) -> Result<LogPage, StoreError> {
        self.members.read_log_of_primary(after).await
    }

    fn apply(&self, page: LogPage) -> Result<Applied, StoreError> {
        if page.too_far || page.in_recovery {
            return Ok(Applied::Gap);
        }
        Ok(match self.memory.apply(page).map_err(Outage::Failed)? {
            Ok(at) => Applied::At(at),
            Err(Unheard::Empty) => Applied::NothingLoaded,
            Err(Unheard::Behind(_) | Unheard::Stale) => Applied::Gap,
        })
    }

    fn applied(&self) -> Result<Option<Position>, StoreError> {
        Ok(self.memory.applied().map_err(Outage::Failed)?)
    }

    async fn load(&self) -> Result<Loaded, LoadError> {
        let _alone = self.loading.lock().await;
        load::load(&self.connector, &self.memory, &self.keys).await
    }

    async fn fetch(&self, sought: &[Sought]) -> Result<Vec<Fetched>, StoreError> {
        fetch::fetch(&self.readers, &self.memory, &self.keys, sought).await
    }

    async fn durability(&self) -> Result<DurabilityReport, StoreError> {
        self.members.durability().await
    }

    fn doorbell(&self) -> Doorbell {
        self.bell.doorbell()
    }
}
