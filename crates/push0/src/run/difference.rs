//! What differs between two pipelines, for a person to decide on.

use std::time::Duration;

use push0_core::PipelineSpec;
use serde_json::Value;

/// A line for each key that differs: `  stages.leaf.timeout: was "1h", is "2h"`.
#[must_use]
pub(crate) fn difference(was: &PipelineSpec, is: &PipelineSpec) -> String {
    let json = |spec: &PipelineSpec| serde_json::to_value(spec).unwrap_or_default();
    let mut lines = Vec::new();
    compare("", &json(was), &json(is), &mut lines);
    lines.join("\n")
}

fn compare(path: &str, was: &Value, is: &Value, lines: &mut Vec<String>) {
    if was == is {
        return;
    }
    let (Value::Object(old), Value::Object(new), None) = (was, is, duration(was)) else {
        lines.push(format!("  {path}: was {}, is {}", words(was), words(is)));
        return;
    };
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let absent = Value::Null;
        compare(&path, old.get(key).unwrap_or(&absent), new.get(key).unwrap_or(&absent), lines);
    }
}

/// A value as a pipeline's file would say it.
fn words(value: &Value) -> String {
    if let Some(duration) = duration(value) {
        return format!("\"{}\"", humantime::format_duration(duration));
    }
    match value {
        Value::Null => "absent".to_owned(),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !is_unsaid(value));
            let said = said.map(|(key, value)| format!("{key} = {}", words(value)));
            format!("{{ {} }}", said.collect::<Vec<_>>().join(", "))
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value.to_string(),
    }
}

/// Whether a key of this value is absent from the file.
fn is_unsaid(value: &Value) -> bool {
    value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// As serde writes a duration.
fn duration(value: &Value) -> Option<Duration> {
    let number = |key| value.get(key)?.as_u64();
    Some(Duration::new(number("secs")?, u32::try_from(number("nanos")?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_that_differs_has_a_line() {
        let was = PipelineSpec { window: Some(8), ..PipelineSpec::default() };
        let is = PipelineSpec { window: Some(9), name: "other".to_owned(), ..was.clone() };
        assert_eq!(difference(&was, &is), "  name: was \"\", is \"other\"\n  window: was 8, is 9");
    }

    #[test]
    fn a_duration_is_told_as_the_file_tells_it() {
        let mut was = PipelineSpec::default();
        was.stages.insert("leaf".to_owned(), push0_core::StageSpec::default());
        let mut is = was.clone();
        is.stages.entry("leaf".to_owned()).or_default().timeout = Some(Duration::from_secs(300));
        assert_eq!(difference(&was, &is), "  stages.leaf.timeout: was absent, is \"5m\"");
    }
}
