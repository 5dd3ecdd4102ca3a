//! The bound on hollerd's memory that README states under "Limits and memory", computed from the limits that are in force.

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// A connection, whatever it does.
const CONNECTION: u64 = 280;
/// What the decoder takes for a message on its way in.
const DECODER: u64 = 5 * KIB;
/// Control frames that wait for one connection.
const CONTROL: u64 = 2 * KIB;
/// The history of a room, which one connection can be sent once.
const HISTORY: u64 = 64 * KIB;
/// A room in which everybody keeps up, in two protocols, with its history and the ids of its messages.
const ROOM: u64 = 100 * KIB;
/// How many protocols a room has a log for.
const LOGS: u64 = 2;
/// The program itself, one turn of its loop, and the rooms in which nobody is.
const PROGRAM: u64 = 26 * MIB;

/// The limits that the formula names, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    message: u64,
    turn_read: u64,
    outbox: u64,
    room_log: u64,
}

/// What there is in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Those of them who may be in the middle of everything.
    pub(crate) talkers: usize,
    /// Rooms in which everybody keeps up, and those with a slow reader.
    pub(crate) rooms: usize,
    pub(crate) slow_rooms: usize,
}

impl Limits {
    /// From a configuration file with every key at its default, and what the environment says instead.
    pub(crate) fn read(defaults: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let value = |key: &str| {
            let named = environment(&format!("HOLLERD_LIMITS_{}", key.to_uppercase()));
            let text = named.or_else(|| default(defaults, key)).ok_or_else(|| format!("limits.{key} is nowhere"))?;
            bytes(&text).ok_or_else(|| format!("limits.{key}: {text} is no number of bytes"))
        };
        Ok(Self {
            message: value("message")?,
            turn_read: value("turn_read")?,
            outbox: value("outbox")?,
            room_log: value("room_log")?,
        })
    }

    /// The most bytes that this load may take in user space.
    pub(crate) fn bound(&self, load: Load) -> u64 {
        let count = |number: usize| number as u64;
        count(load.connections) * CONNECTION
            + count(load.talkers) * self.busy()
            + count(load.rooms) * ROOM
            + count(load.slow_rooms) * LOGS * self.room_log
            + PROGRAM
    }

    /// What one connection takes that is in the middle of everything at once.
    fn busy(&self) -> u64 {
        // Answers and what others send to it alone have a bound each, and one message on top.
        2 * self.message + DECODER + self.turn_read + 2 * (self.outbox + self.message) + HISTORY + CONTROL
    }
}

/// The value behind `#key = ` in the part `[limits]`.
fn default(defaults: &str, key: &str) -> Option<String> {
    let (_, limits) = defaults.split_once("[limits]")?;
    let part = limits.split("\n[").next()?;
    let value =
        part.lines().find_map(|line| line.strip_prefix('#')?.strip_prefix(key)?.trim_start().strip_prefix('='))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// `64KiB` or `65536` as a number.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic()).trim_end();
    let unit = match text.strip_prefix(digits)?.trim() {
        "" | "B" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => KIB * MIB,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = "[log]\n#message = \"1B\"\n[limits]\n# Longest message.\n#message = \"16KiB\"\n\
        #message_timeout = \"10s\"\n#outbox = \"64KiB\"\n#room_log = \"4MiB\"\n#turn_read = 65536\n[shutdown]\n";

    #[test]
    fn limits_come_from_the_defaults_and_the_environment() {
        let limits = Limits::read(DEFAULTS, |_| None).unwrap();
        assert_eq!(limits, Limits { message: 16 * KIB, turn_read: 64 * KIB, outbox: 64 * KIB, room_log: 4 * MIB });
        let named = |name: &str| (name == "HOLLERD_LIMITS_ROOM_LOG").then(|| "8MiB".to_owned());
        assert_eq!(Limits::read(DEFAULTS, named).unwrap().room_log, 8 * MIB);
        for wrong in ["8MB", "much", "", "-1"] {
            assert!(Limits::read(DEFAULTS, |_| Some(wrong.to_owned())).is_err(), "{wrong}");
        }
        assert!(Limits::read("[limits]\n", |_| None).unwrap_err().contains("message"));
    }

    #[test]
    fn the_formula_is_that_of_the_readme() {
        let limits = Limits::read(DEFAULTS, |_| None).unwrap();
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("So in all:").unwrap();
        let formula = rest.split("\n\n").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let busy =
            format!("up to {} KiB for each that is in the middle", limits.busy().div_ceil(KIB).next_multiple_of(2));
        for part in ["connections × 280 bytes", &busy, "rooms × 100 KiB, or 8 MiB", "about 26 MiB"] {
            assert!(formula.contains(part), "{part} is not in: {formula}");
        }
        let load = Load { connections: 1_000, talkers: 1, rooms: 1, slow_rooms: 1 };
        assert_eq!(limits.bound(load), 280_000 + limits.busy() + 100 * KIB + 34 * MIB);
    }
}
