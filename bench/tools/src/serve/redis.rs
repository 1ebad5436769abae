//! One GET a request, over one connection on which the commands of all requests follow one another
//! without waiting (`MultiplexedConnection`): what is fastest on one core.

use super::Key;
use anyhow::Result;
use redis::aio::MultiplexedConnection;

#[derive(Clone)]
pub(super) struct Store(MultiplexedConnection);

impl Store {
    pub(super) async fn open(address: &str) -> Result<Self> {
        Ok(Self(redis::Client::open(address)?.get_multiplexed_async_connection().await?))
    }

    pub(super) async fn knows(&self, key: Key) -> Result<bool> {
        let record: Option<Vec<u8>> =
            redis::cmd("GET").arg(&key).query_async(&mut self.0.clone()).await?;
        Ok(record.is_some())
    }

    pub(super) async fn revoke(&self, key: Key) -> Result<bool> {
        Ok(redis::cmd("DEL").arg(&key).query_async::<u64>(&mut self.0.clone()).await? == 1)
    }
}
