//! Many at once, on the threads of one program and in several programs on one store: nobody's write is lost, and
//! whoever follows hears of each.

mod watch;
mod writes;

use std::sync::Arc;

use testkit::{Rendezvous, World};

/// Programs that serve one installation.
struct Programs {
    store: Arc<Rendezvous>,
    worlds: Vec<World>,
}

impl Programs {
    async fn start(count: usize) -> Self {
        let store = Rendezvous::in_memory().await;
        let mut worlds = vec![World::builder().store(store.clone()).start().await];
        while worlds.len() < count {
            let another = worlds[0].reopened().await;
            worlds.push(another);
        }
        Self { store, worlds }
    }

    fn first(&self) -> &World {
        &self.worlds[0]
    }

    /// Lets one transaction of each program meet: all are decided before any is committed. What each came to.
    async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        each: impl Fn(World, usize) -> F,
    ) -> Vec<T> {
        for world in &self.worlds {
            world.caught_up().await;
        }
        self.store.meet(self.worlds.len());
        let tasks: Vec<_> = (0..)
            .zip(&self.worlds)
            .map(|(number, world)| tokio::spawn(each(world.clone(), number)))
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        for world in &self.worlds {
            world.caught_up().await;
        }
        results
    }
}
