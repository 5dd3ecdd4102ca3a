//! Both sides' CPU beside wall time, over a stretch of a run.

use super::{Server, tree};
use crate::clock;

/// A stretch that has begun.
#[derive(Debug)]
pub(crate) struct Watch {
    processes: Vec<u32>,
    server: tree::Cpu,
    generator: u64,
    wall: u64,
}

/// What a stretch took, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) server: tree::Cpu,
    pub(crate) generator: u64,
    pub(crate) wall: u64,
}

impl Watch {
    pub(crate) fn begin(server: &Server) -> Self {
        let processes = tree::processes(server.pid());
        let cpu = tree::cpu(&processes);
        Self { processes, server: cpu, generator: clock::own_cpu(), wall: clock::now() }
    }

    pub(crate) fn end(self) -> Spent {
        let wall = clock::now() - self.wall;
        let generator = clock::own_cpu() - self.generator;
        Spent { server: tree::cpu(&self.processes).since(self.server), generator, wall }
    }
}

impl Spent {
    /// Two stretches together.
    pub(crate) fn plus(self, other: Self) -> Self {
        let server = self.server.plus(other.server);
        Self { server, generator: self.generator + other.generator, wall: self.wall + other.wall }
    }

    pub(crate) fn seconds(&self) -> f64 {
        clock::seconds(self.wall)
    }

    /// How many of something happened per second.
    pub(crate) fn rate(&self, count: u64) -> f64 {
        count as f64 / self.seconds()
    }

    /// Microseconds of the server's CPU for each of so many.
    pub(crate) fn cost(&self, count: u64) -> f64 {
        self.server.total as f64 / 1_000.0 / count as f64
    }

    /// The server's CPU in percent of a core.
    pub(crate) fn server_share(&self) -> f64 {
        100.0 * self.server.total as f64 / self.wall as f64
    }

    /// The generator's CPU in percent of a core.
    pub(crate) fn generator_share(&self) -> f64 {
        100.0 * self.generator as f64 / self.wall as f64
    }

    /// True if the server waited for the generator: then what happened per second says nothing about the server, and only
    /// its CPU does.
    pub(crate) fn generator_was_the_bottleneck(&self) -> bool {
        self.generator_share() > 90.0 && self.generator_share() > self.server_share()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_generator_beside_an_idle_server_is_said_to_be_the_bottleneck() {
        let spent = |server, generator| Spent {
            server: tree::Cpu { total: server, ..tree::Cpu::default() },
            generator,
            wall: 1_000,
        };
        assert!(spent(500, 950).generator_was_the_bottleneck());
        assert!(!spent(980, 950).generator_was_the_bottleneck());
        assert!(!spent(100, 800).generator_was_the_bottleneck());
    }
}
