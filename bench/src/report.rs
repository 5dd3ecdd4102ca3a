//! The answer to a question: a table for people, CSV for programs, and a plot.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::clock;
use crate::machine;
use crate::plot;

/// What is in a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

pub(crate) const fn column(name: &'static str, unit: &'static str) -> Column {
    Column { name, unit }
}

/// What a question looks like when it is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) question: &'static str,
    pub(crate) columns: &'static [Column],
    /// The column that is plotted, and compared with the floor.
    pub(crate) key: usize,
}

/// One measurement. A value that does not exist is not a number.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) server: String,
    pub(crate) case: String,
    pub(crate) values: Vec<f64>,
}

/// All measurements of one question.
#[derive(Debug)]
pub(crate) struct Report {
    form: Form,
    rows: Vec<Row>,
    notes: Vec<String>,
    /// By server, what must not happen: it could not be asked, or it lost what it was given to deliver.
    failures: Vec<(String, String)>,
}

/// What others are compared with.
const FLOOR: &str = "floor";

impl Report {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, rows: Vec::new(), notes: Vec::new(), failures: Vec::new() }
    }

    pub(crate) fn add(&mut self, server: &str, case: impl Into<String>, values: Vec<f64>) {
        self.rows.push(Row { server: server.to_owned(), case: case.into(), values });
    }

    /// A server that could not be asked is in the table all the same.
    pub(crate) fn add_missing(&mut self, server: &str, reason: &str) {
        self.add(server, "missing", Vec::new());
        self.fail(server, "missing", reason);
    }

    /// Notes what must not happen.
    pub(crate) fn fail(&mut self, server: &str, case: &str, text: &str) {
        self.note(server, case, text);
        self.failures.push((server.to_owned(), format!("{server}, {case}: {text}")));
    }

    /// What must not happen and happened to this server.
    pub(crate) fn failures_of(&self, server: &str) -> Vec<String> {
        self.failures.iter().filter(|(other, _)| other == server).map(|(_, text)| text.clone()).collect()
    }

    pub(crate) fn note(&mut self, server: &str, case: &str, text: &str) {
        self.notes.push(format!("{server}, {case}: {text}"));
    }

    /// The key value of this row as a multiple of the floor's in the same case.
    fn ratio(&self, row: &Row) -> f64 {
        let key = |row: &Row| row.values.get(self.form.key).copied();
        let floor = self.rows.iter().find(|other| other.server == FLOOR && other.case == row.case).and_then(key);
        key(row).zip(floor).map_or(f64::NAN, |(value, floor)| value / floor)
    }

    /// The table as text, cases together so that servers can be compared.
    fn table(&self) -> String {
        let mut head = vec!["case".to_owned(), "server".to_owned()];
        head.extend(self.form.columns.iter().map(|column| match column.unit {
            "" => column.name.to_owned(),
            unit => format!("{} {unit}", column.name),
        }));
        let ratios = self.rows.iter().any(|row| row.server == FLOOR && row.case != "missing");
        if ratios {
            head.push(format!("{} ÷ floor", self.form.columns.get(self.form.key).map_or("", |column| column.name)));
        }
        let mut lines = vec![head];
        for row in self.sorted() {
            let mut line = vec![row.case.clone(), row.server.clone()];
            line.extend((0..self.form.columns.len()).map(|at| shown(row.values.get(at).copied().unwrap_or(f64::NAN))));
            if ratios {
                line.push(shown(self.ratio(row)));
            }
            lines.push(line);
        }
        aligned(&lines)
    }

    fn sorted(&self) -> Vec<&Row> {
        let mut cases: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !cases.contains(&row.case.as_str()) {
                cases.push(&row.case);
            }
        }
        cases.iter().flat_map(|case| self.rows.iter().filter(move |row| row.case == *case)).collect()
    }

    fn csv(&self, how: &str) -> String {
        let mut text = format!("# {}, {}\n# {how}\n", clock::date(), machine::description());
        for note in &self.notes {
            text.push_str(&format!("# {note}\n"));
        }
        text.push_str("case,server");
        for Column { name, unit } in self.form.columns {
            text.push_str(&format!(",{}", field(format!("{name} {unit}").trim())));
        }
        text.push_str(",ratio to floor\n");
        for row in self.sorted() {
            text.push_str(&format!("{},{}", field(&row.case), row.server));
            for at in 0..self.form.columns.len() {
                text.push_str(&format!(",{}", plain(row.values.get(at).copied().unwrap_or(f64::NAN))));
            }
            text.push_str(&format!(",{}\n", plain(self.ratio(row))));
        }
        text
    }

    /// Prints the table and writes the files.
    pub(crate) fn publish(&self, folder: &Path, quick: bool, how: &str) -> Result<(), String> {
        let mut out = std::io::stdout().lock();
        let mut text = format!("\n{}\n{}", self.form.question, self.table());
        for note in &self.notes {
            text.push_str(&format!("  {note}\n"));
        }
        // A reader that has gone away does not make the measurement wrong.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        let write = |ending: &str, text: &str| {
            let quick = if quick { ".quick" } else { "" };
            let path = folder.join(format!("{}{quick}.{ending}", self.form.question));
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        write("csv", &self.csv(how))?;
        let Some(&Column { name, unit }) = self.form.columns.get(self.form.key) else { return Ok(()) };
        let bars: Vec<plot::Bar<'_>> = self
            .sorted()
            .into_iter()
            .filter_map(|row| {
                let value = row.values.get(self.form.key).copied().filter(|value| value.is_finite())?;
                Some(plot::Bar { group: &row.case, name: &row.server, value, label: shown(value) })
            })
            .collect();
        let title = format!("{}: {name}{}{unit}", self.form.question, if unit.is_empty() { "" } else { ", " });
        write("svg", &plot::bars(&title, &format!("{}, {}", clock::date(), machine::description()), &bars))
    }
}

/// A number as people like it: three digits, or all of them if it is large.
fn shown(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if value == 0.0 || size >= 100.0 {
        grouped(value)
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// A whole number with its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text as a field of CSV.
fn field(text: &str) -> String {
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn plain(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { String::new() }
}

/// Columns under each other, the first two to the left and the numbers to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            let (before, behind) = if at < 2 { ("", padding.as_str()) } else { (padding.as_str(), "") };
            text.push_str(&format!("  {before}{cell}{behind}"));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form { question: "test", columns: &[column("cost", "µs"), column("rate", "/s")], key: 0 };

    #[test]
    fn rows_are_compared_with_the_floor_of_their_case() {
        let mut report = Report::new(FORM);
        report.add("hollerd", "small", vec![1.5, 10.0]);
        report.add("hollerd", "large", vec![8.0, 1.0]);
        report.add("floor", "large", vec![4.0, 2.0]);
        report.add("floor", "small", vec![1.0, 20.0]);
        report.add_missing("nchan", "not installed");
        let csv = report.csv("how");
        let rows: Vec<&str> = csv.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(rows[0], "case,server,cost µs,rate /s,ratio to floor");
        assert_eq!(rows[1], "small,hollerd,1.5000,10.0000,1.5000");
        assert_eq!(rows[3], "large,hollerd,8.0000,1.0000,2.0000");
        assert_eq!(rows[5], "missing,nchan,,,");
        assert!(csv.contains("# nchan, missing: not installed"));
        assert_eq!((field("1000, pipelined"), field("a")), ("\"1000, pipelined\"".to_owned(), "a".to_owned()));
        let table = report.table();
        assert!(table.lines().next().unwrap().ends_with("cost ÷ floor"), "{table}");
        assert!(table.lines().nth(1).unwrap().ends_with("1.50"), "{table}");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.0164, "0.016"),
            (1.416, "1.42"),
            (12.34, "12.3"),
            (1_234_567.8, "1,234,568"),
            (-120.0, "-120"),
        ] {
            assert_eq!(shown(value), text);
        }
        assert_eq!(shown(f64::NAN), "–");
    }
}
