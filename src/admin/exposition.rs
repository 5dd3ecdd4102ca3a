//! The two text formats in which Prometheus is told numbers: its own, version 0.0.4, and OpenMetrics 1.0.
//!
//! They differ in little: OpenMetrics names a counter's family without the `_total` of its samples, states units, has a
//! type for facts, and ends with `# EOF`.

use std::fmt::{Display, Write};

use crate::engine::Histogram;
use crate::wire::request::Request;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

/// What the samples of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// A text under construction. Names and labels come from the program, never from a peer, so nothing needs escaping.
#[derive(Debug)]
pub(super) struct Exposition {
    format: Format,
    text: String,
}

impl Format {
    /// What a request wants: OpenMetrics if its `Accept` asks for that at least as much as for other text.
    pub(super) fn wanted(request: &Request<'_>) -> Self {
        let wish = |media_type: &str| {
            let accepted = request.elements("accept").filter_map(|element| std::str::from_utf8(element).ok());
            let weights = accepted.filter_map(|element| {
                let mut parts = element.split(';').map(str::trim);
                let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
                let weight = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
                named.then(|| weight.parse::<f32>().unwrap_or(0.0))
            });
            weights.fold(0.0, f32::max)
        };
        let open_metrics = wish("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= wish("text/plain") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// For the header `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Exposition {
    pub(super) fn new(format: Format) -> Self {
        Self { format, text: String::with_capacity(16 * 1024) }
    }

    /// A number that only grows.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, "", [("", value)]);
    }

    /// One for each value of a label.
    pub(super) fn counters<L: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) {
        self.family(name, Kind::Counter, help);
        for (value, count) in samples {
            if label.is_empty() {
                self.line(format_args!("{name}_total {count}"));
            } else {
                self.line(format_args!("{name}_total{{{label}=\"{value}\"}} {count}"));
            }
        }
    }

    /// One for each pair of values of two labels.
    pub(super) fn counters_by_two<L: Display, M: Display>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; 2],
        samples: impl IntoIterator<Item = (L, M, u64)>,
    ) {
        self.family(name, Kind::Counter, help);
        let [first, second] = labels;
        for (one, other, count) in samples {
            self.line(format_args!("{name}_total{{{first}=\"{one}\",{second}=\"{other}\"}} {count}"));
        }
    }

    /// A number that comes and goes.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help);
        self.line(format_args!("{name} {value}"));
    }

    /// One for each value of a label.
    pub(super) fn gauges(&mut self, name: &str, help: &str, label: &str, samples: &[(&str, usize)]) {
        self.family(name, Kind::Gauge, help);
        for (value, count) in samples {
            self.line(format_args!("{name}{{{label}=\"{value}\"}} {count}"));
        }
    }

    /// How long things took. The name ends with the unit, which is seconds.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, Kind::Histogram, help);
        for (bound, count) in histogram.cumulative() {
            self.line(format_args!("{name}_bucket{{le=\"{}\"}} {count}", Seconds(bound)));
        }
        let count = histogram.count();
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        self.line(format_args!("{name}_sum {}", Seconds(histogram.sum_micros())));
        self.line(format_args!("{name}_count {count}"));
    }

    /// A fact, as labels of a constant.
    pub(super) fn info(&mut self, name: &str, help: &str, label: &str, value: &str) {
        self.family(name, Kind::Info, help);
        self.line(format_args!("{name}_info{{{label}=\"{value}\"}} 1"));
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let (suffix, kind) = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Format::Prometheus, Kind::Counter) => ("_total", "counter"),
            (Format::OpenMetrics, Kind::Info) => ("", "info"),
            // The older format knows no facts; there they are gauges that are 1.
            (Format::Prometheus, Kind::Info) => ("_info", "gauge"),
            (_, Kind::Gauge) => ("", "gauge"),
            (_, Kind::Histogram) => ("", "histogram"),
        };
        self.line(format_args!("# HELP {name}{suffix} {help}"));
        self.line(format_args!("# TYPE {name}{suffix} {kind}"));
        let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit));
        if let Some(unit) = unit.filter(|_| self.format == Format::OpenMetrics) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// Microseconds, shown as seconds without the loss of a binary fraction.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{HeadLimits, Parsed, parse};

    fn text(format: Format) -> String {
        let mut exposition = Exposition::new(format);
        exposition.counters("h_x", "Things.", "kind", [("a", 1), ("b", 2)]);
        exposition.counter("h_in_bytes", "Bytes.", 3);
        exposition.gauge("h_g", "Now.", 4.5);
        exposition.info("h_build", "Which.", "version", "0.1.0");
        let mut histogram = Histogram::default();
        histogram.record(40);
        exposition.histogram("h_t_seconds", "Long.", &histogram);
        exposition.finish()
    }

    #[test]
    fn each_format_is_written_by_its_rules() {
        let old = text(Format::Prometheus);
        assert!(old.starts_with(
            "# HELP h_x_total Things.\n# TYPE h_x_total counter\nh_x_total{kind=\"a\"} 1\nh_x_total{kind=\"b\"} 2\n\
             # HELP h_in_bytes_total Bytes.\n# TYPE h_in_bytes_total counter\nh_in_bytes_total 3\n\
             # HELP h_g Now.\n# TYPE h_g gauge\nh_g 4.5\n\
             # HELP h_build_info Which.\n# TYPE h_build_info gauge\nh_build_info{version=\"0.1.0\"} 1\n\
             # HELP h_t_seconds Long.\n# TYPE h_t_seconds histogram\nh_t_seconds_bucket{le=\"0.000032\"} 0\n\
             h_t_seconds_bucket{le=\"0.000064\"} 1\n"
        ));
        assert!(old.ends_with(
            "h_t_seconds_bucket{le=\"16.777216\"} 1\nh_t_seconds_bucket{le=\"+Inf\"} 1\nh_t_seconds_sum 0.000040\n\
             h_t_seconds_count 1\n"
        ));
        let new = text(Format::OpenMetrics);
        assert!(new.starts_with(
            "# HELP h_x Things.\n# TYPE h_x counter\nh_x_total{kind=\"a\"} 1\nh_x_total{kind=\"b\"} 2\n\
             # HELP h_in_bytes Bytes.\n# TYPE h_in_bytes counter\n# UNIT h_in_bytes bytes\nh_in_bytes_total 3\n"
        ));
        assert!(new.contains("# TYPE h_build info\nh_build_info{version=\"0.1.0\"} 1\n"));
        assert!(new.contains("# UNIT h_t_seconds seconds\n"));
        assert!(new.ends_with("h_t_seconds_count 1\n# EOF\n"));
    }

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
                          q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, wanted) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("text/plain;q=0.9, application/openmetrics-text;q=0.5", Format::Prometheus),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=x", Format::Prometheus),
            ("text/html,*/*;q=0.8", Format::Prometheus),
            ("", Format::Prometheus),
        ] {
            let head = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n");
            let Ok(Parsed::Complete { request, .. }) = parse(head.as_bytes(), HeadLimits { bytes: 8192, headers: 8 })
            else {
                panic!("not a head");
            };
            assert_eq!(Format::wanted(&request), wanted, "{accept}");
        }
    }
}
