//! Checks values against `dist/protocol.schema.json`: the part of JSON Schema 2020-12 that this schema uses, and no more. The
//! general checkers bring some fifty packages; `another_checker_agrees` asks one of them, in Python, whether it agrees.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The schema of the JSON protocol.
pub(crate) struct Schema {
    root: Value,
}

/// Who sends an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Keywords that say nothing about values.
const NOTES: [&str; 5] = ["$schema", "$id", "$defs", "title", "description"];

impl Schema {
    /// The schema that is shipped; a test fails when it uses what is not understood here.
    pub(crate) fn protocol() -> Self {
        let root = serde_json::from_str(include_str!("../../dist/protocol.schema.json")).expect("the schema is JSON");
        Self { root }
    }

    /// Checks one message.
    ///
    /// # Errors
    /// Where it is wrong and why, or that it is no JSON.
    pub(crate) fn check(&self, side: Side, message: &str) -> Result<Value, String> {
        let value = serde_json::from_str(message).map_err(|error| format!("{message}: {error}"))?;
        self.valid(&self.definition(side.name()), &value, side.name()).map_err(|why| format!("{message}: {why}"))?;
        if side == Side::Server {
            // A client ignores what it does not know, but the server says nothing that is not in the schema.
            self.has_only_known_fields(&value).map_err(|why| format!("{message}: {why}"))?;
        }
        Ok(value)
    }

    /// The types of one side, in the order of the schema.
    pub(crate) fn types(&self, side: Side) -> Vec<String> {
        let branches = self.definition(side.name())["oneOf"].as_array().cloned().unwrap_or_default();
        branches
            .iter()
            .map(|branch| self.resolve(branch)["properties"]["type"]["const"].clone())
            .map(|kind| text(&kind))
            .collect()
    }

    /// The fields of a type, without `type` itself.
    pub(crate) fn fields(&self, side: Side, kind: &str) -> Vec<String> {
        let object = self.definition(&format!("{}_{kind}", side.name()));
        let properties = object["properties"].as_object().cloned().unwrap_or_default();
        properties.keys().filter(|name| *name != "type").cloned().collect()
    }

    /// What is under `$defs`.
    pub(crate) fn definition(&self, name: &str) -> Value {
        match self.root["$defs"].get(name) {
            Some(definition) => definition.clone(),
            None => panic!("the schema has no definition {name}"),
        }
    }

    /// Whether `value` is what `schema` wants; `place` leads to it.
    fn valid(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let keywords = schema.as_object().ok_or_else(|| format!("{place}: the schema is no object"))?;
        for (keyword, wanted) in keywords {
            let fine = match keyword.as_str() {
                known if NOTES.contains(&known) => true,
                "$ref" => return self.valid(&self.resolve(schema), value, place),
                "const" => wanted == value,
                "enum" => list(wanted).contains(value),
                "type" => match wanted {
                    Value::Array(kinds) => kinds.iter().any(|kind| is_kind(kind, value)),
                    kind => is_kind(kind, value),
                },
                // Each of these is about one kind of value, and all other kinds are fine with it.
                "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= number(wanted)),
                "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= number(wanted)),
                "minimum" => value.as_f64().is_none_or(|found| found >= number(wanted) as f64),
                "maximum" => value.as_f64().is_none_or(|found| found <= number(wanted) as f64),
                "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= number(wanted)),
                "uniqueItems" => value.as_array().is_none_or(|items| all_differ(items)),
                "items" => {
                    for (index, item) in list(value).iter().enumerate() {
                        self.valid(wanted, item, &format!("{place}[{index}]"))?;
                    }
                    true
                }
                "required" => {
                    let names = list(wanted).iter().filter_map(Value::as_str);
                    names.into_iter().all(|name| value.as_object().is_none_or(|object| object.contains_key(name)))
                }
                "properties" => {
                    self.valid_properties(wanted, value, place)?;
                    true
                }
                "oneOf" => return self.valid_branches(list(wanted), value, place),
                unknown => return Err(format!("{place}: this checker does not know {unknown}")),
            };
            if !fine {
                return Err(format!("{place}: {value} breaks {keyword}: {wanted}"));
            }
        }
        Ok(())
    }

    fn valid_properties(&self, properties: &Value, value: &Value, place: &str) -> Result<(), String> {
        for (name, field) in value.as_object().into_iter().flatten() {
            if let Some(schema) = properties.get(name) {
                self.valid(schema, field, &format!("{place}.{name}"))?;
            }
        }
        Ok(())
    }

    /// Exactly one of the branches has to fit.
    fn valid_branches(&self, branches: &[Value], value: &Value, place: &str) -> Result<(), String> {
        let tried: Vec<_> = branches.iter().map(|branch| self.valid(branch, value, place)).collect();
        match tried.iter().filter(|outcome| outcome.is_ok()).count() {
            1 => Ok(()),
            0 => {
                let mut why = format!("{place}: no type fits");
                // What the branch of its own type says is what somebody wants to read.
                let of_its_type =
                    |branch: &&Value| self.resolve(branch)["properties"]["type"]["const"] == value["type"];
                if let Some(Err(reason)) =
                    branches.iter().find(of_its_type).map(|branch| self.valid(branch, value, place))
                {
                    write!(why, ", {reason}").expect("writing to memory");
                }
                Err(why)
            }
            several => Err(format!("{place}: {several} types fit")),
        }
    }

    fn has_only_known_fields(&self, value: &Value) -> Result<(), String> {
        let kind = value["type"].as_str().unwrap_or_default();
        let known = self.fields(Side::Server, kind);
        let object: &Map<String, Value> = value.as_object().ok_or("no object")?;
        match object.keys().find(|name| *name != "type" && !known.contains(name)) {
            Some(name) => Err(format!("the field {name} is not in the schema")),
            None => Ok(()),
        }
    }

    /// Follows `$ref`, if there is one.
    fn resolve(&self, schema: &Value) -> Value {
        let Some(reference) = schema["$ref"].as_str() else { return schema.clone() };
        let name = reference.strip_prefix("#/$defs/").unwrap_or_else(|| panic!("cannot follow {reference}"));
        self.definition(name)
    }
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

fn is_kind(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap_or_default() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("this checker does not know the type {other}"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a bound is a whole number")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a type is a text").to_owned()
}

fn all_differ(items: &[Value]) -> bool {
    items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
}
