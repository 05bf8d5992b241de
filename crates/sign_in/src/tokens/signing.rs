//! Where signatures are made: on blocking threads, at most as many at once as there are processors.
//!
//! A thread that has made one goes on with the next that waits, so that under load no thread is put to sleep and woken
//! for a signature, which would cost a twentieth of it.

use std::{
    collections::VecDeque,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
};

use tokio::{sync::oneshot, task::spawn_blocking};

use state::Error;

#[derive(Clone, Debug)]
pub(super) struct Signing {
    queue: Arc<Mutex<Queue>>,
    processors: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Threads that take from the queue until it is empty.
    working: usize,
}

type Job = Box<dyn FnOnce() + Send>;

impl Default for Signing {
    fn default() -> Self {
        // Asked once: the answer comes from files.
        let processors = available_parallelism().map_or(2, NonZero::get);
        Self { queue: Arc::default(), processors }
    }
}

impl Signing {
    /// Waits for its turn and for what `sign` gives. Whoever gives up waiting costs nothing.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        sign: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, made) = oneshot::channel();
        self.add(Box::new(move || {
            if !sender.is_closed() {
                // One who has just given up does not hear it.
                let _ = sender.send(sign());
            }
        }));
        made.await.map_err(Error::internal)
    }

    fn add(&self, job: Job) {
        let mut queue = self.queue();
        queue.waiting.push_back(job);
        if queue.working < self.processors {
            queue.working += 1;
            drop(queue);
            let work = Work { signing: self.clone(), ended: false };
            spawn_blocking(move || work.until_none_waits());
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the threads that are counted as working.
struct Work {
    signing: Signing,
    ended: bool,
}

impl Work {
    /// A panic is for the one whose job it was, who hears that there is no answer; the others still wait for this thread.
    fn until_none_waits(mut self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("making a signature ended in a panic, which is a fault of ours");
            }
        }
    }

    /// Finding none and counting no longer is one step: a job that comes in between would wait for ever.
    fn next(&mut self) -> Option<Job> {
        let mut queue = self.signing.queue();
        let job = queue.waiting.pop_front();
        if job.is_none() {
            queue.working -= 1;
            self.ended = true;
        }
        job
    }
}

/// A thread that was never started, as while its runtime stops, does not count either.
impl Drop for Work {
    fn drop(&mut self) {
        if !self.ended {
            self.signing.queue().working -= 1;
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { waiting, working } = self;
        f.debug_struct("Queue").field("waiting", &waiting.len()).field("working", working).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn each_gets_its_own_and_no_more_work_at_once_than_there_are_processors() {
        let signing = Signing::default();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let ask = |number: usize| {
            let (signing, now, most) = (signing.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                let made = signing.make(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    number * 2
                });
                assert_eq!(made.await.unwrap(), number * 2);
            })
        };
        let all: Vec<_> = (0..500).map(ask).collect();
        for one in all {
            one.await.unwrap();
        }
        assert!((1..=signing.processors).contains(&most.load(Ordering::SeqCst)));
        // The last thread may still be on its way out.
        while signing.queue().working > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error_for_its_own_caller_alone() {
        let signing = Signing { processors: 1, ..Signing::default() };
        let ask = |number: usize| {
            let signing = signing.clone();
            let sign = move || if number.is_multiple_of(2) { panic!("in a test") } else { number };
            tokio::spawn(async move { signing.make(sign).await.ok() })
        };
        // All of them wait for one thread, which is this one.
        signing.queue().working = 1;
        let asked: Vec<_> = (0..8).map(ask).collect();
        while signing.queue().waiting.len() < asked.len() {
            tokio::task::yield_now().await;
        }
        Work { signing: signing.clone(), ended: false }.until_none_waits();
        for (number, answer) in asked.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap(), (number % 2 == 1).then_some(number));
        }
        assert_eq!(signing.make(|| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_thread_that_never_starts_does_not_count() {
        let signing = Signing::default();
        signing.queue().working = 1;
        drop(Work { signing: signing.clone(), ended: false });
        assert_eq!(signing.queue().working, 0);
    }

    #[tokio::test]
    async fn whoever_gives_up_costs_nothing() {
        let signing = Signing::default();
        let begun = Arc::new(AtomicUsize::new(0));
        signing.queue().working = usize::MAX / 2;
        let job = {
            let begun = begun.clone();
            move || begun.fetch_add(1, Ordering::SeqCst)
        };
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, signing.make(job));
        assert!(waiting.await.is_err());
        signing.queue().working = 0;
        assert_eq!(signing.make(|| 1).await.unwrap(), 1);
        assert_eq!(begun.load(Ordering::SeqCst), 0);
    }
}
