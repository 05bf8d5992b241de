//! Where the client and the servers run: on a processor each, as on two machines. On shared ones, which of their threads
//! the scheduler puts together changes the figures by a fifth from one run to the next.

use rustix::{
    process::Pid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

pub(crate) struct Processors {
    all: CpuSet,
    each: Vec<CpuSet>,
}

impl Processors {
    /// Those that this program may use.
    pub(crate) fn find() -> Self {
        let all = sched_getaffinity(None).expect("a thread knows its processors");
        let each = (0..CpuSet::MAX_CPU).filter(|number| all.is_set(*number)).map(|number| {
            let mut one = CpuSet::new();
            one.set(number);
            one
        });
        Self { all, each: each.collect() }
    }

    /// Moves this thread to the place of clients.
    pub(crate) fn stay_with_clients(&self) {
        stay(self.each.first());
    }

    /// Moves this thread to the place of servers: those that it starts stay there.
    pub(crate) fn stay_with_servers(&self) {
        stay(self.each.last());
    }

    /// Lets this thread, and what it starts, go anywhere again.
    pub(crate) fn go_anywhere(&self) {
        stay(Some(&self.all));
    }
}

fn stay(on: Option<&CpuSet>) {
    let on = on.expect("there is a processor");
    sched_setaffinity(None::<Pid>, on).expect("a thread may choose among its processors");
}
