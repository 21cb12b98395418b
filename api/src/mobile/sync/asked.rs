//! One item of a queue: its operation, its path, and which flows it touches.

use domain::core::id::{CommandId, PersonId};
use serde_json::Value;
use uuid::Uuid;

use super::{ItemBody, operations::Operation, queue::Touches};
use crate::{
    app::{caller::Caller, clock::derive_id},
    http::{
        body::parse,
        problem::{Code, Problem},
    },
};

/// The kinds of flows whose identity is derived from the command that begins them.
const MADE: [&str; 5] = ["report", "case", "patrol", "visit", "household"];

/// An item that is well-formed.
pub struct Asked {
    /// The item as it was sent.
    pub item: ItemBody,
    /// The operation of the API that the item names.
    pub operation: &'static Operation,
    /// The values of the item in the path, by name and in order.
    pub segments: Vec<(String, String)>,
}

impl Asked {
    /// Parses an item, or answers what is wrong with it.
    pub fn read(item: &Value) -> Result<Self, Problem> {
        let item: ItemBody = parse(item.to_string().as_bytes())?;
        let operation =
            Operation::find(&item.operation).ok_or_else(|| unknown_operation(&item.operation))?;
        let text = |name: &str| match item.path.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let segments = operation.segments(text).ok_or_else(|| wrong_path(operation))?;
        if let Some(name) =
            item.path.keys().find(|name| operation.path_names().all(|one| one != **name))
        {
            return Err(unknown_parameter(operation, name));
        }
        Ok(Self { item, operation, segments })
    }

    /// The flow it changes; none when it begins one.
    pub fn flow_id(&self) -> Option<&str> {
        self.item.path.get("id").and_then(Value::as_str)
    }

    /// The identities it touches.
    pub fn touches(&self, caller: &Caller) -> Touches {
        let own = self.operation.is_about_the_caller().then_some(caller.person.0);
        let moved =
            collect_moved((caller.person, self.item.id), self.item.path.get("id"), &self.item.body);
        let moved: Vec<Uuid> = moved.into_iter().chain(own).collect();
        Touches::new(self.item.id, &moved, &self.item.body, &self.item.after)
    }
}

fn unknown_operation(operation: &str) -> Problem {
    let shown: String = operation.chars().take(60).collect();
    let zh = format!("没有可离线办理的操作“{shown}”。");
    let en = format!("There is no operation `{shown}` that can be queued offline.");
    Problem::new(Code::InvalidBody).error("/operation", "unknown_value", zh, en)
}

fn wrong_path(operation: &Operation) -> Problem {
    let names: Vec<&str> = operation.path_names().collect();
    let zh = format!("path 应含 {}，值为编号。", names.join("、"));
    let en = format!("Expected {} in path, each with an id.", names.join(" and "));
    Problem::new(Code::InvalidBody).error("/path", "invalid", zh, en)
}

fn unknown_parameter(operation: &Operation, name: &str) -> Problem {
    let shown: String = name.chars().take(60).collect();
    let names: Vec<&str> = operation.path_names().collect();
    let known = if names.is_empty() { "—".to_owned() } else { names.join(", ") };
    let zh = format!("未知的路径参数“{shown}”；可用的有：{known}。");
    let en = format!("Unknown path parameter `{shown}`; available: {known}.");
    Problem::new(Code::InvalidBody).error("/path", "unknown_field", zh, en)
}

/// The identities a command creates or changes: those in its path, those its body gives, and those
/// derived from the command's own.
fn collect_moved((by, command): (PersonId, Uuid), path: Option<&Value>, body: &Value) -> Vec<Uuid> {
    let id = |value: Option<&Value>| value?.as_str().and_then(|id| Uuid::try_parse(id).ok());
    let named = [id(path), id(body.get("id")), id(body.get("case_id"))];
    let derived = MADE.map(|what| Some(derive_id(by, CommandId(command), what)));
    named.into_iter().chain(derived).flatten().collect()
}

/// A malformed item still holds back the items that name what it would have created or changed.
pub fn guess_touches(item: &Value, caller: &Caller) -> Touches {
    let command = item.get("id").and_then(Value::as_str);
    let command = command.and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_default();
    let body = item.get("body").unwrap_or(&Value::Null);
    Touches::new(
        command,
        &collect_moved((caller.person, command), item.pointer("/path/id"), body),
        &Value::Null,
        &[],
    )
}
