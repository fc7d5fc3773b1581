//! `input`: from TOML to the JSON that is laid over a model's minimal input.

use super::field::Wrong;
use super::section::kind;
use serde_json::{Map, Number, Value};
use toml::de::{DeInteger, DeTable, DeValue};

/// A table of inputs.
pub(super) fn table(value: &DeValue<'_>) -> Result<Map<String, Value>, Wrong> {
    match value {
        DeValue::Table(table) => object(table),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => Err(Wrong::new(format!("{} is no table", kind(value)))),
    }
}

/// Keys in the order of their names: the parser keeps no other. The parser bounds how deep this goes.
fn object(table: &DeTable<'_>) -> Result<Map<String, Value>, Wrong> {
    table
        .iter()
        .map(|(key, value)| Ok((key.get_ref().to_string(), json(key.get_ref(), value.get_ref())?)))
        .collect()
}

fn json(key: &str, value: &DeValue<'_>) -> Result<Value, Wrong> {
    let wrong = |what: &str| Wrong::new(format!("the value of `{}` {what}", super::report::echo(key)));
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            Value::Number(integer(number).ok_or_else(|| wrong("is too large a number"))?)
        }
        DeValue::Float(number) => {
            let number = number.as_str().parse::<f64>().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| wrong("is no number that JSON has"))?)
        }
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(_) => {
            return Err(wrong("is a date, which JSON does not have").help("write it as a string, in quotes"));
        }
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json(key, item.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Value::Object(object(table)?),
    })
}

fn integer(number: &DeInteger<'_>) -> Option<Number> {
    let (text, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(text, radix).ok().map(Number::from);
    signed.or_else(|| u64::from_str_radix(text, radix).ok().map(Number::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let value = DeValue::parse(text).unwrap();
        match table(value.get_ref()) {
            Ok(map) => Ok(Value::Object(map).to_string()),
            Err(wrong) => Err(wrong.what),
        }
    }

    #[test]
    fn values_keep_their_kinds() {
        let toml =
            "{ a = 'x', b = 1, c = 1.5, d = true, e = [1, 'y'], f = { g = 0x10 }, h = 18446744073709551615 }";
        let json = r#"{"a":"x","b":1,"c":1.5,"d":true,"e":[1,"y"],"f":{"g":16},"h":18446744073709551615}"#;
        assert_eq!(read(toml), Ok(json.to_owned()));
    }

    #[test]
    fn what_json_does_not_have() {
        assert_eq!(
            read("{ a = 2026-01-01 }"),
            Err("the value of `a` is a date, which JSON does not have".into())
        );
        assert_eq!(read("{ a = [nan] }"), Err("the value of `a` is no number that JSON has".into()));
        assert_eq!(read("{ a = { b = -inf } }"), Err("the value of `b` is no number that JSON has".into()));
        assert_eq!(
            read("{ a = 99999999999999999999 }"),
            Err("the value of `a` is too large a number".into())
        );
        assert_eq!(read("1"), Err("a number is no table".into()));
    }
}
