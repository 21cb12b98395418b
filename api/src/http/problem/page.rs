//! The table of problems for reading: `docs/problems.md`, and `GET /problems/{code}`.

use serde_json::{Value, json};

use super::code::{Code, Row};

/// What `GET /problems/{code}` answers: both languages, so that it can be cached.
pub fn explain_code(code: Code) -> Value {
    let Row { name, status, title, help } = code.row();
    json!({
        "type": code.uri(),
        "code": name,
        "status": status.as_u16(),
        "title": { "zh-CN": title.0, "en": title.1 },
        "help": { "zh-CN": help.0, "en": help.1 },
    })
}

/// The whole of `docs/problems.md`.
pub fn problems_markdown() -> String {
    let mut page = String::from(HEAD);
    for code in Code::ALL {
        let Row { name, status, title, help } = code.row();
        let rows = [
            format!("\n## `{name}` · {}\n\n", status.as_u16()),
            format!("**{}** — {}\n\n", title.0, help.0),
            format!("**{}** — {}\n", title.1, help.1),
        ];
        page.extend(rows);
    }
    page
}

const HEAD: &str = "\
<!-- Written by `gridwhistle problems > docs/problems.md`; a test compares them. -->

# Problems 问题一览

For authors of clients 写给客户端开发者。
每个 4xx 和 5xx 回答都是 `application/problem+json`（RFC 9457）。
Every 4xx and 5xx answer is `application/problem+json` (RFC 9457).

| member | 含义 | meaning |
|---|---|---|
| `type` | 说明这种问题的网址，相对于本服务器 | address of the explanation of this kind of problem, relative to this server |
| `code` | 稳定的机器代码，程序按它判断 | the stable code that programs use to decide |
| `title`, `detail` | 给人看的话，按 `Accept-Language` 用中文（默认）或英文 | texts for people, in Chinese (default) or English as `Accept-Language` asks |
| `status` | 与 HTTP 状态码相同 | same as the HTTP status |
| `errors[]` | 具体哪里不对：`pointer`（正文的 JSON 指针）、`parameter` 或 `header`，以及 `code`、`message` | what exactly is wrong: `pointer` (JSON pointer into the body), `parameter` or `header`, with `code` and `message` |
| `trace_id` | 报修时请提供 | give it when asking for help |
| others 其他 | 这一次的事实，如 `state`、`possible`、`permission` | the facts of this problem, such as `state`, `possible`, `permission` |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/problems.md");
        let page = problems_markdown();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(committed, page, "run `gridwhistle problems > docs/problems.md`");
    }
}
