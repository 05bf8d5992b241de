//! The serving threads. A connection stays on one thread for its whole life, so a request wakes no other thread; over
//! HTTP/2 that would be a third of the cost of a short request (docs/decisions/serving-threads.md).
//!
//! Handlers must run long computations on a blocking thread: other connections of the same thread wait meanwhile.

use std::{io, sync::Arc, thread};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    sync::oneshot,
};

use super::connection_service::{Answers, Shared};

/// The serving threads. Dropping it ends them and every open connection.
#[derive(Debug)]
pub(super) struct Workers<A>(Vec<Worker<A>>);

#[derive(Debug)]
struct Worker<A> {
    handle: Handle,
    shared: Arc<Shared<A>>,
    /// Each of the thread's connections holds a clone; the count is the number of connections.
    connections: Arc<()>,
    _stop: oneshot::Sender<()>,
}

impl<A: Answers> Workers<A> {
    /// `shared` is called once for each thread.
    pub(super) fn start(count: usize, shared: impl Fn() -> Shared<A>) -> io::Result<Self> {
        let workers = (0..count.max(1)).map(|number| Worker::start(number, shared()));
        workers.collect::<io::Result<_>>().map(Self)
    }

    /// Serves a connection on the thread with the fewest connections.
    pub(super) fn serve<F>(
        &self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream, Arc<Shared<A>>) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        let least = |worker: &&Worker<A>| Arc::strong_count(&worker.connections);
        let Some(worker) = self.0.iter().min_by_key(least) else { return };
        let (connections, shared) = (worker.connections.clone(), worker.shared.clone());
        // A Tokio stream is registered with one runtime: converted, to register it with the worker's.
        let stream = stream.into_std();
        worker.handle.spawn(async move {
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => serve(stream, shared).await,
                Err(error) => tracing::error!(%error, "a new connection could not be handed over"),
            }
            drop(connections);
        });
    }
}

impl<A: Answers> Worker<A> {
    fn start(number: usize, shared: Shared<A>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
            // Returns when the sender is dropped; nothing is ever sent.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, shared: Arc::new(shared), connections: Arc::default(), _stop: stop })
    }
}
