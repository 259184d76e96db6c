//! The published JSON schemas as oracles.
//!
//! A validator for the few keywords those schemas use (JSON Schema draft 4). An unknown keyword
//! is a panic: a check that is skipped would be believed.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Asserts that a document follows a schema of `tests/schemas`, such as `state-schema.json`.
///
/// # Panics
/// Listing every violation with its JSON path.
#[track_caller]
pub fn assert_follows(document: &Value, schema: &str) {
    let wrong = violations(document, schema);
    assert!(
        wrong.is_empty(),
        "against {schema}:\n{}\nin {document:#}",
        wrong.join("\n")
    );
}

/// Every way in which the document does not follow the schema.
#[must_use]
pub fn violations(document: &Value, schema: &str) -> Vec<String> {
    let mut check = Check { wrong: Vec::new() };
    check.value(document, load(schema), schema, "$");
    check.wrong
}

/// Built in, so that the suite can run where the repository is not.
const SCHEMAS: &[(&str, &str)] = &[
    (
        "config-linux.json",
        include_str!("../schemas/config-linux.json"),
    ),
    (
        "config-schema.json",
        include_str!("../schemas/config-schema.json"),
    ),
    (
        "defs-linux.json",
        include_str!("../schemas/defs-linux.json"),
    ),
    ("defs.json", include_str!("../schemas/defs.json")),
    (
        "features-linux.json",
        include_str!("../schemas/features-linux.json"),
    ),
    (
        "features-schema.json",
        include_str!("../schemas/features-schema.json"),
    ),
    (
        "state-schema.json",
        include_str!("../schemas/state-schema.json"),
    ),
];

/// Read once: fuzzing asks a thousand times a second.
fn load(name: &str) -> &'static Value {
    static READ: LazyLock<BTreeMap<&str, Value>> = LazyLock::new(|| {
        let schemas = SCHEMAS.iter();
        schemas
            .map(|(name, text)| (*name, serde_json::from_str(text).expect("a schema is JSON")))
            .collect()
    });
    READ.get(name)
        .unwrap_or_else(|| panic!("no such schema: {name}"))
}

/// Every property that a schema knows, as paths such as `mounts[].options[]`; a `*` stands for any name. What
/// refers to a schema that is not here is one property.
#[must_use]
pub fn properties(schema: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(load(schema), schema, "", &mut found);
    found
}

fn collect(schema: &Value, file: &str, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let name = if name.is_empty() { file } else { name };
        if !SCHEMAS.iter().any(|(known, _)| *known == name) {
            return found.push(at.to_owned());
        }
        let document = load(name);
        let target = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{file}: {reference} leads nowhere"));
        return collect(target, name, at, found);
    }
    let parts = ["allOf", "anyOf"]
        .iter()
        .filter_map(|word| schema[word].as_array());
    let parts: Vec<&Value> = parts.flatten().collect();
    for part in &parts {
        collect(part, file, at, found);
    }
    if let Some(members) = schema["properties"].as_object() {
        for (name, member) in members {
            let dot = if at.is_empty() { "" } else { "." };
            collect(member, file, &format!("{at}{dot}{name}"), found);
        }
    } else if schema["items"].is_object() {
        collect(&schema["items"], file, &format!("{at}[]"), found);
    } else if schema["additionalProperties"].is_object() {
        collect(
            &schema["additionalProperties"],
            file,
            &format!("{at}.*"),
            found,
        );
    } else if schema["patternProperties"].is_object() {
        found.push(format!("{at}.*"));
    } else if parts.is_empty() {
        found.push(at.to_owned());
    }
}

struct Check {
    wrong: Vec<String>,
}

impl Check {
    fn value(&mut self, value: &Value, schema: &Value, file: &str, at: &str) {
        let keywords = schema.as_object().expect("a schema is an object");
        for (keyword, rule) in keywords {
            match keyword.as_str() {
                "description" | "$schema" | "definitions" | "id" => {}
                "$ref" => self.reference(value, rule, file, at),
                "type" => self.kind(value, rule, at),
                "enum" => self.member(value, rule, at),
                "required" => self.required(value, rule, at),
                "properties" | "patternProperties" | "additionalProperties" => {}
                "items" => self.items(value, rule, file, at),
                "minItems" => self.min_items(value, rule, at),
                "minimum" | "maximum" => self.bound(value, keyword, rule, at),
                "pattern" => self.pattern(value, rule, at),
                "allOf" => {
                    for part in rule.as_array().expect("allOf is a list") {
                        self.value(value, part, file, at);
                    }
                }
                "anyOf" => self.any_of(value, rule, file, at),
                _ => panic!("{file}: unknown schema keyword {keyword} at {at}"),
            }
        }
        self.properties(value, schema, file, at);
    }

    fn fail(&mut self, at: &str, why: &str) {
        self.wrong.push(format!("{at}: {why}"));
    }

    fn reference(&mut self, value: &Value, rule: &Value, file: &str, at: &str) {
        let reference = rule.as_str().expect("$ref is text");
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let name = if name.is_empty() { file } else { name };
        let document = load(name);
        let target = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{file}: {reference} leads nowhere"));
        self.value(value, target, name, at);
    }

    fn kind(&mut self, value: &Value, rule: &Value, at: &str) {
        let fits = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            other => panic!("unknown type {other}"),
        };
        let is_one = match rule {
            Value::String(name) => fits(name),
            Value::Array(names) => names.iter().filter_map(Value::as_str).any(fits),
            _ => panic!("type is a word or a list"),
        };
        if !is_one {
            self.fail(at, &format!("{value} is not of type {rule}"));
        }
    }

    fn member(&mut self, value: &Value, rule: &Value, at: &str) {
        let words = rule.as_array().expect("enum is a list");
        if !words.contains(value) {
            self.fail(at, &format!("{value} is not one of {rule}"));
        }
    }

    fn required(&mut self, value: &Value, rule: &Value, at: &str) {
        let names = rule.as_array().expect("required is a list");
        for name in names.iter().filter_map(Value::as_str) {
            if value.is_object() && value.get(name).is_none() {
                self.fail(at, &format!("{name} is missing"));
            }
        }
    }

    fn properties(&mut self, value: &Value, schema: &Value, file: &str, at: &str) {
        let Some(members) = value.as_object() else {
            return;
        };
        for (name, member) in members {
            let at = format!("{at}.{name}");
            if let Some(rule) = schema["properties"].get(name) {
                self.value(member, rule, file, &at);
                continue;
            }
            let patterns = schema["patternProperties"]
                .as_object()
                .into_iter()
                .flatten();
            let mut is_known = false;
            for (pattern, rule) in patterns {
                if matches(pattern, name) {
                    is_known = true;
                    self.value(member, rule, file, &at);
                }
            }
            match &schema["additionalProperties"] {
                Value::Bool(false) if !is_known => self.fail(&at, "is not allowed"),
                rule @ Value::Object(_) if !is_known => self.value(member, rule, file, &at),
                _ => {}
            }
        }
    }

    fn items(&mut self, value: &Value, rule: &Value, file: &str, at: &str) {
        for (number, item) in value.as_array().into_iter().flatten().enumerate() {
            self.value(item, rule, file, &format!("{at}[{number}]"));
        }
    }

    fn min_items(&mut self, value: &Value, rule: &Value, at: &str) {
        let least = rule.as_u64().expect("minItems is a number");
        if value
            .as_array()
            .is_some_and(|items| (items.len() as u64) < least)
        {
            self.fail(at, &format!("has fewer than {least} items"));
        }
    }

    fn bound(&mut self, value: &Value, keyword: &str, rule: &Value, at: &str) {
        let (Some(number), Some(bound)) = (value.as_f64(), rule.as_f64()) else {
            return;
        };
        if (keyword == "minimum" && number < bound) || (keyword == "maximum" && number > bound) {
            self.fail(at, &format!("{value} passes the {keyword} {rule}"));
        }
    }

    fn pattern(&mut self, value: &Value, rule: &Value, at: &str) {
        let (Some(text), Some(pattern)) = (value.as_str(), rule.as_str()) else {
            return;
        };
        if !matches(pattern, text) {
            self.fail(at, &format!("{text:?} does not match {pattern}"));
        }
    }

    fn any_of(&mut self, value: &Value, rule: &Value, file: &str, at: &str) {
        let choices = rule.as_array().expect("anyOf is a list");
        let fits = choices.iter().any(|choice| {
            let mut attempt = Self { wrong: Vec::new() };
            attempt.value(value, choice, file, at);
            attempt.wrong.is_empty()
        });
        if !fits {
            self.fail(at, &format!("{value} fits none of {rule}"));
        }
    }
}

/// The patterns the schemas use, each written out.
fn matches(pattern: &str, text: &str) -> bool {
    let upper =
        |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    match pattern {
        "^CAP_[A-Z_]+$" => text.strip_prefix("CAP_").is_some_and(upper),
        "^RLIMIT_[A-Z]+$" => text.strip_prefix("RLIMIT_").is_some_and(upper),
        "^[cbup]$" => matches!(text, "c" | "b" | "u" | "p"),
        "^[0-9, -]*$" => text
            .chars()
            .all(|c| c.is_ascii_digit() || ", -".contains(c)),
        "^[1-9][0-9]*[KMG]B$" => ["KB", "MB", "GB"].iter().any(|unit| {
            let number = text.strip_suffix(unit).unwrap_or_default();
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            !number.is_empty() && digits && !number.starts_with('0')
        }),
        "^MB:[^\\n]*$" => text.starts_with("MB:") && !text.contains('\n'),
        ".{1,}" => !text.is_empty(),
        _ => panic!("unknown pattern {pattern}"),
    }
}
