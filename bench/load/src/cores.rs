//! Which core does what.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The server under test has a core to itself; load and stores share another, or have one each where there are more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) load: usize,
    pub(crate) stores: usize,
}

impl Cores {
    /// Those that this process may use.
    pub(crate) fn available() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|core| allowed.is_set(*core))
            .collect();
        Self::of(&allowed).ok_or_else(|| io::Error::other("there is no core to run on"))
    }

    fn of(allowed: &[usize]) -> Option<Self> {
        let server = *allowed.first()?;
        let load = *allowed.get(1).unwrap_or(&server);
        let stores = *allowed.get(2).unwrap_or(&load);
        Some(Self {
            server,
            load,
            stores,
        })
    }

    /// Does something on one core, such as starting a process, which then stays there with all that it starts; goes
    /// back to the core of the load.
    pub(crate) fn on<T>(self, core: usize, act: impl FnOnce() -> T) -> io::Result<T> {
        pin(core)?;
        let result = act();
        pin(self.load)?;
        Ok(result)
    }
}

/// This thread, and what it starts from now on.
fn pin(core: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_shares_its_core_only_where_there_is_one() {
        let cores = |allowed| Cores::of(allowed).unwrap();
        let expected = |server, load, stores| Cores {
            server,
            load,
            stores,
        };
        assert_eq!(cores(&[3]), expected(3, 3, 3));
        assert_eq!(cores(&[0, 1]), expected(0, 1, 1));
        assert_eq!(cores(&[0, 1, 2, 3]), expected(0, 1, 2));
        assert_eq!(Cores::of(&[]), None);
    }
}
