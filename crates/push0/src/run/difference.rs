//! What differs between two pipelines, for a person to decide on.

use push0_core::PipelineSpec;
use serde_json::Value;

/// A line for each key that differs: `  stages.leaf.timeout: was "1h", is "2h"`.
#[must_use]
pub(super) fn difference(was: &PipelineSpec, is: &PipelineSpec) -> String {
    let json = |spec: &PipelineSpec| serde_json::to_value(spec).unwrap_or_default();
    let mut lines = Vec::new();
    compare("", &json(was), &json(is), &mut lines);
    lines.join("\n")
}

fn compare(path: &str, was: &Value, is: &Value, lines: &mut Vec<String>) {
    if was == is {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (was, is) else {
        lines.push(format!("  {path}: was {was}, is {is}"));
        return;
    };
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let absent = Value::Null;
        compare(&path, old.get(key).unwrap_or(&absent), new.get(key).unwrap_or(&absent), lines);
    }
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
}
