//! What one input may cost, and which it was when it took the whole process with it.

use std::{
    env, fs,
    path::PathBuf,
    process,
    time::{Duration, Instant},
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

/// Of a processor, for one input, in a build without optimisation.
pub const MOST_TIME: Duration = Duration::from_secs(1);

/// What the process may take beside what it has when the test begins. More aborts it.
pub const MOST_MEMORY: u64 = 1 << 30;

pub(crate) struct Limits {
    /// The input that is being read: a stack that overflows leaves no other trace.
    trace: PathBuf,
    memory: Rlimit,
}

impl Limits {
    pub(crate) fn begin() -> Self {
        let memory = getrlimit(Resource::As);
        let current = Some(taken() + MOST_MEMORY);
        // Where it cannot be set, time alone is watched.
        let _ = setrlimit(Resource::As, Rlimit { current, maximum: memory.maximum });
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        Self { trace: env::temp_dir().join(format!("fuzzing-{}-{name}", process::id())), memory }
    }

    pub(crate) fn watch(&self, input: &[u8], read: impl FnOnce()) -> Result<(), String> {
        if fs::write(&self.trace, input).is_err() {
            return Err(format!("{} cannot be written", self.trace.display()));
        }
        let (before, begun) = (processor(), Instant::now());
        read();
        // Reading the processor's clock costs more than most inputs do.
        if begun.elapsed() < MOST_TIME {
            return Ok(());
        }
        let took = processor().saturating_sub(before);
        if took > MOST_TIME {
            return Err(format!(
                "{} bytes took {took:?} of a processor, expected at most {MOST_TIME:?}",
                input.len()
            ));
        }
        Ok(())
    }

    pub(crate) fn end(&self) {
        let _ = fs::remove_file(&self.trace);
        let _ = setrlimit(Resource::As, self.memory);
    }
}

/// The time that this thread has had.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Bytes of the process's address space.
fn taken() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').next().and_then(|size| size.parse::<u64>().ok()));
    pages.unwrap_or(0) * PAGE
}

const PAGE: u64 = 4096;
