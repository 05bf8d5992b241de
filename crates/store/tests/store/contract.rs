//! The contract, run by both back ends.

use std::sync::Arc;

use store::{Store, StoreConfig, conformance, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_store_keeps_the_contract() {
    conformance::run(|| async { open(&StoreConfig::Memory).await.expect("open") }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_store_keeps_the_contract() {
    let directory = tempfile::tempdir().expect("directory");
    let count = std::sync::atomic::AtomicU32::new(0);
    conformance::run(|| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(number.to_string());
        async move { open(&StoreConfig::Embedded { path }).await.expect("open") as Arc<dyn Store> }
    })
    .await;
}

#[tokio::test]
async fn embedded_store_keeps_the_contract_on_one_thread() {
    let directory = tempfile::tempdir().expect("directory");
    let count = std::cell::Cell::new(0);
    conformance::run(|| {
        count.set(count.get() + 1);
        let path = directory.path().join(count.get().to_string());
        async move { open(&StoreConfig::Embedded { path }).await.expect("open") }
    })
    .await;
}
