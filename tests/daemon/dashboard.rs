//! What Prometheus and Grafana make of the numbers: the dashboard asks only for what there is, and for all of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::admin::Administered;
use crate::support::TempFile;

/// What nobody needs to look at all the time.
const NOT_DRAWN: [&str; 3] = ["hollerd_admin_connections", "hollerd_answers_total", "hollerd_build_info"];

fn dashboard() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/grafana/hollerd.json");
    let text = std::fs::read_to_string(path).expect("a dashboard");
    serde_json::from_str(&text).expect("a dashboard in JSON")
}

/// The values of all `key`s, however deep.
fn all<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|field| all(field, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

fn expressions(dashboard: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    all(dashboard, "expr", &mut found);
    found
}

/// The names that begin with `hollerd_`.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.split(|char| !name(char)).filter(|word| word.starts_with("hollerd_")).collect()
}

/// A daemon on which something has happened, so that every label has a value.
fn lively() -> Administered {
    let admin = Administered::start("");
    admin.daemon.enter("/ws", "yuan").close();
    admin.daemon.connect().request("GET", "/nothing", &[]);
    admin.await_metric("hollerd_closes_total{by=\"peer\",code=\"1000\"}", 1);
    admin.await_metric("hollerd_refusals_total{cause=\"not_found\"}", 1);
    admin
}

#[test]
fn the_dashboard_draws_what_there_is() {
    let text = lively().ask("GET", "/metrics").text();
    let samples: BTreeSet<&str> = text.lines().filter(|line| !line.starts_with('#')).flat_map(metrics_in).collect();
    let dashboard = dashboard();
    let drawn: BTreeSet<&str> = expressions(&dashboard).into_iter().flat_map(metrics_in).collect();
    for metric in &drawn {
        assert!(samples.contains(metric), "{metric} is drawn, but there is no such number");
    }
    for metric in samples.iter().filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")) {
        let shown = drawn.contains(metric) != NOT_DRAWN.contains(metric);
        assert!(shown, "{metric} is not drawn, or on the list of what is not drawn although it is");
    }
    for labels in expressions(&dashboard).iter().flat_map(|expression| expression.split(" by (").skip(1)) {
        for label in labels.split(')').next().unwrap_or_default().split(", ") {
            assert!(text.contains(&format!("{label}=\"")), "no number has the label {label}");
        }
    }
}

/// What Grafana wants of a file that is imported, as far as it can be seen without it.
#[test]
fn the_dashboard_can_be_imported() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 38), "Grafana 10");
    assert!(dashboard["uid"].is_string() && dashboard["title"].is_string() && dashboard.get("id").is_none());
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let is_source = |variable: &Value| variable["type"] == "datasource" && variable["query"] == "prometheus";
    assert!(variables.iter().any(is_source), "whose data source has another name must be able to choose it");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        for x in place("x")..place("x") + place("w") {
            assert!(x < 24, "{} does not fit", panel["title"]);
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", panel["title"]);
        }
    }
}

fn promtool(args: &[&str], input: &str) -> Output {
    let mut command = Command::new("promtool");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool, of the Debian package prometheus");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("promtool reads");
    child.wait_with_output().expect("promtool ends")
}

#[test]
#[ignore = "needs promtool"]
fn prometheus_understands_the_numbers_and_the_questions() {
    let text = lively().ask("GET", "/metrics").text();
    let checked = promtool(&["check", "metrics"], &text);
    let complaints = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && complaints.trim().is_empty(), "{complaints}");

    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, expression) in expressions(&dashboard()).into_iter().enumerate() {
        let expression = expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*");
        let quoted = Value::from(expression).to_string();
        writeln!(rules, "  - record: panel:number{number}\n    expr: {quoted}").expect("a text");
    }
    let file = TempFile::new("yml", rules);
    let checked = promtool(&["check", "rules", file.name()], "");
    let complaints = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{complaints}{}", String::from_utf8_lossy(&checked.stdout));
}
