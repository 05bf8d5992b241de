//! The threads that serve connections. A connection stays on one of them for all its life, so a request wakes no other
//! thread, which over HTTP/2 is a third of the cost of a short one (docs/decisions/serving-threads.md).
//!
//! What a handler computes for long it must do elsewhere, on a blocking thread: the connections beside it wait.

use std::{io, sync::Arc, thread};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    sync::oneshot,
};

use super::connection_service::{Answers, Shared};

/// The threads end when this is dropped, with whatever is still served.
#[derive(Debug)]
pub(super) struct Workers<A>(Vec<Worker<A>>);

#[derive(Debug)]
struct Worker<A> {
    handle: Handle,
    shared: Arc<Shared<A>>,
    /// Held by each of its connections as well.
    connections: Arc<()>,
    _stop: oneshot::Sender<()>,
}

impl<A: Answers> Workers<A> {
    /// `shared` is made once for each thread.
    pub(super) fn start(count: usize, shared: impl Fn() -> Shared<A>) -> io::Result<Self> {
        let workers = (0..count.max(1)).map(|number| Worker::start(number, shared()));
        workers.collect::<io::Result<_>>().map(Self)
    }

    /// Serves a connection on the thread that has the fewest.
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
        // A stream belongs to the thread that waits for its bytes.
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
            // The sender is never used: it is dropped.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, shared: Arc::new(shared), connections: Arc::default(), _stop: stop })
    }
}
