//! `warmd --demo`.

use std::time::Duration;

pub(super) async fn run(_length: Option<Duration>) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
