//! A plot of bars as SVG, written by hand: groups below each other, one colour per name, the value at the end of each bar.

use std::fmt::Write;

/// One bar.
#[derive(Debug, Clone)]
pub(crate) struct Bar<'a> {
    pub(crate) group: &'a str,
    pub(crate) name: &'a str,
    pub(crate) value: f64,
    /// The value as text.
    pub(crate) label: String,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 64.0;
const BAR: f64 = 16.0;
const GAP: f64 = 26.0;
/// From this ratio of the largest to the smallest on, lengths are logarithms.
const LOGARITHMIC_FROM: f64 = 30.0;
const COLOURS: [&str; 8] = ["#c2410c", "#475569", "#94a3b8", "#65a30d", "#0369a1", "#7c3aed", "#0d9488", "#a16207"];

/// The plot of these bars; bars of one group must follow each other.
pub(crate) fn bars(title: &str, subtitle: &str, bars: &[Bar<'_>]) -> String {
    let scale = Scale::of(bars);
    let mut names: Vec<&str> = Vec::new();
    let mut body = String::new();
    let mut y = TOP;
    let mut group = None;
    for bar in bars {
        if group != Some(bar.group) {
            group = Some(bar.group);
            y += GAP;
            text(&mut body, 12.0, y - 6.0, "group", bar.group);
        }
        let colour = position(&mut names, bar.name);
        let length = scale.length(bar.value);
        text(&mut body, 24.0, y + BAR - 4.0, "name", bar.name);
        let colour = COLOURS.get(colour % COLOURS.len()).copied().unwrap_or("black");
        let height = BAR - 3.0;
        let _ = writeln!(body, r#"<rect x="{LEFT}" y="{y}" width="{length:.1}" height="{height}" fill="{colour}"/>"#);
        text(&mut body, LEFT + length + 6.0, y + BAR - 4.0, "value", &bar.label);
        y += BAR;
    }
    let height = y + 16.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\">\n<style>text {{ font: 12px sans-serif; fill: #1e293b }} .title {{ font-size: 16px; \
         font-weight: bold }} .group {{ font-weight: bold }} .small {{ font-size: 10px; fill: #64748b }}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, 12.0, 26.0, "title", title);
    let scale = if scale.logarithmic { ", logarithmic lengths" } else { "" };
    text(&mut svg, 12.0, 44.0, "small", &format!("{subtitle}{scale}"));
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    svg
}

/// From values to lengths.
struct Scale {
    smallest: f64,
    largest: f64,
    logarithmic: bool,
}

impl Scale {
    fn of(bars: &[Bar<'_>]) -> Self {
        let values = || bars.iter().map(|bar| bar.value).filter(|value| *value > 0.0);
        let smallest = values().fold(f64::INFINITY, f64::min);
        let largest = values().fold(0.0, f64::max);
        Self { smallest, largest, logarithmic: largest / smallest > LOGARITHMIC_FROM }
    }

    fn length(&self, value: f64) -> f64 {
        let full = WIDTH - LEFT - RIGHT;
        if value <= 0.0 || self.largest <= 0.0 {
            return 0.0;
        }
        if !self.logarithmic {
            return full * value / self.largest;
        }
        // The smallest bar must still be seen, so the scale begins at its half.
        let start = self.smallest / 2.0;
        full * (value / start).ln() / (self.largest / start).ln()
    }
}

fn position<'n>(names: &mut Vec<&'n str>, name: &'n str) -> usize {
    names.iter().position(|other| *other == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

fn text(out: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(out, r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(group: &'static str, name: &'static str, value: f64) -> Bar<'static> {
        Bar { group, name, value, label: value.to_string() }
    }

    #[test]
    fn lengths_are_in_proportion() {
        let scale = Scale::of(&[bar("a", "x", 1.0), bar("a", "y", 4.0), bar("a", "z", 0.0)]);
        assert!((scale.length(4.0) - 4.0 * scale.length(1.0)).abs() < 1e-9);
        assert!(scale.length(0.0).abs() < 1e-9);
        let scale = Scale::of(&[bar("a", "x", 0.01), bar("a", "y", 10.0)]);
        assert!(scale.logarithmic && scale.length(0.01) > 10.0);
    }

    #[test]
    fn every_bar_is_there_and_text_is_escaped() {
        let svg = bars("a < b", "", &[bar("g", "x", 1.0), bar("g", "y", 2.0), bar("h", "x", 3.0)]);
        assert_eq!(svg.matches("<rect x=").count(), 3);
        assert_eq!(svg.matches("class=\"group\"").count(), 2);
        assert!(svg.contains("a &lt; b"));
        assert_eq!(svg.matches(COLOURS[0]).count(), 2);
    }
}
