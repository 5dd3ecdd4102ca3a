//! The instruction counts that were kept, and the gate: nothing may come to need a tenth more without anybody noticing.

use std::collections::BTreeMap;

/// So much more than the baseline fails.
const MORE_MAX: f64 = 0.10;
/// The note in which a file of results says how it was made.
pub(crate) const MADE_WITH: &str = "made with";
/// How the baseline is made again.
pub(crate) const RENEWAL: &str = "cargo run --release -p hollerd-bench -- instructions";
/// The column that is compared.
pub(crate) const COLUMN: &str = "instructions";

/// Counts by case.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    counts: BTreeMap<String, f64>,
    /// Compiler, processor features and tools.
    pub(crate) made_with: Option<String>,
}

impl Baseline {
    /// Reads a file of results.
    pub(crate) fn parse(csv: &str) -> Result<Self, String> {
        let note = format!("# hollerd, {MADE_WITH}: ");
        let made_with = csv.lines().find_map(|line| line.strip_prefix(&note)).map(str::to_owned);
        let mut lines = csv.lines().filter(|line| !line.starts_with('#'));
        let head = lines.next().unwrap_or_default();
        let column = head.split(',').position(|name| name == COLUMN).ok_or("it has no column with instructions")?;
        let mut counts = BTreeMap::new();
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            let count = fields.get(column).and_then(|field| field.parse().ok());
            let (Some(case), Some(count)) = (fields.first(), count) else {
                return Err(format!("this line of it is not understood: {line}"));
            };
            counts.insert((*case).to_owned(), count);
        }
        Ok(Self { counts, made_with })
    }

    /// By which part a count is more than it was, or less; not a number for a case that is new.
    pub(crate) fn change(&self, case: &str, now: f64) -> f64 {
        self.counts.get(case).map_or(f64::NAN, |before| now / before - 1.0)
    }

    /// What is wrong with a count, in a line that says what to do.
    pub(crate) fn verdict(&self, case: &str, now: f64) -> Result<(), String> {
        let renew = format!("if that is meant to be so, renew the baseline: {RENEWAL}");
        let Some(before) = self.counts.get(case) else {
            return Err(format!("{now:.1} instructions, and the baseline does not know this case; {renew}"));
        };
        let change = now / before - 1.0;
        if change.is_nan() || change > MORE_MAX {
            let percent = 100.0 * change;
            return Err(format!("{now:.1} instructions, {before:.1} in the baseline, {percent:+.1} %; {renew}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# 2026-01-31 12:00, some processor\n# nothing pinned\n# hollerd, made with: rustc 1.95.0\n\
                        case,server,instructions,counted,ratio to floor\nping,hollerd,5000.0000,1000.0000,\n\
                        echo of 64 B,hollerd,1234.5000,9.0000,\n";

    #[test]
    fn a_file_of_results_is_a_baseline() {
        let baseline = Baseline::parse(FILE).unwrap();
        assert_eq!(baseline.made_with.as_deref(), Some("rustc 1.95.0"));
        assert!((baseline.change("ping", 5_500.0) - 0.1).abs() < 1e-9);
        assert!(baseline.change("echo of 64 B", 1_234.5).abs() < 1e-9);
        assert!(baseline.change("pong", 1.0).is_nan());
    }

    #[test]
    fn the_gate_lets_less_and_a_little_more_through() {
        let baseline = Baseline::parse(FILE).unwrap();
        for now in [1.0, 5_000.0, 5_499.0] {
            assert_eq!(baseline.verdict("ping", now), Ok(()), "{now}");
        }
    }

    #[test]
    fn the_gate_says_what_is_wrong_and_what_to_do() {
        let baseline = Baseline::parse(FILE).unwrap();
        let refused = baseline.verdict("ping", 5_510.0).unwrap_err();
        for part in ["5510.0", "5000.0", "+10.2 %", RENEWAL] {
            assert!(refused.contains(part), "{refused}");
        }
        assert!(baseline.verdict("pong", 1.0).unwrap_err().contains(RENEWAL));
        assert!(baseline.verdict("ping", f64::NAN).is_err());
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        for (from, to) in [("instructions,", "deliveries,"), ("5000.0000", "many"), ("5000.0000", "")] {
            assert!(Baseline::parse(&FILE.replace(from, to)).is_err(), "{to}");
        }
        assert!(Baseline::parse("").is_err());
    }
}
