//! Which source wins, and what is refused.

use std::ffi::OsString;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Result<Partial, Fault> {
    let variables = variables.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
    source::environment(variables)
}

fn file(text: &str) -> Result<Partial, Fault> {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("gridwhistle-config-{}-{number}.toml", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    let read = source::file(&path);
    std::fs::remove_file(&path).unwrap();
    read
}

#[test]
fn nothing_said_is_the_default() {
    let settings = Settings::from(Partial::default()).unwrap();
    assert_eq!(settings.database.expose(), "sqlite://gridwhistle.db");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((settings.access_minutes, settings.refresh_days), (15, 30));
    assert_eq!((settings.log, settings.log_level), (LogFormat::Text, LogLevel::Info));
}

#[test]
fn flags_stand_above_the_environment_and_that_above_the_file() {
    let flags = Partial { waiting: Some(1), ..Partial::default() };
    let environment = environment(&[
        ("GRIDWHISTLE_WAITING", "2"),
        ("GRIDWHISTLE_WORKERS", " 2 "),
        ("GRIDWHISTLE_LOG", "json"),
        ("GRIDWHISTLE_PROXIES", ""),
        ("PATH", "/bin"),
    ])
    .unwrap();
    let file = file("waiting = 3\nworkers = 3\nproxies = 3\nlisten = \"[::]:80\"\n").unwrap();
    let settings = Settings::from(flags.or(environment).or(file)).unwrap();
    assert_eq!((settings.waiting, settings.workers, settings.proxies), (1, Some(2), 3));
    assert_eq!((settings.listen.to_string().as_str(), settings.log), ("[::]:80", LogFormat::Json));
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    for (variable, value, sentence) in [
        (
            "GRIDWHISTLE_LISTEN",
            "localhost",
            "the environment variable GRIDWHISTLE_LISTEN is \"localhost\": invalid socket address syntax",
        ),
        (
            "GRIDWHISTLE_LOG",
            "xml",
            "the environment variable GRIDWHISTLE_LOG is \"xml\"; give one of text, json",
        ),
        (
            "GRIDWHISTLE_WORKERS",
            "-1",
            "the environment variable GRIDWHISTLE_WORKERS is \"-1\": invalid digit found in string",
        ),
    ] {
        assert_eq!(environment(&[(variable, value)]).unwrap_err().to_string(), sentence);
    }
    let unknown = environment(&[("GRIDWHISTLE_DATABSE", "x")]).unwrap_err().to_string();
    assert!(unknown.starts_with(
        "the environment variable GRIDWHISTLE_DATABSE is unknown; known are GRIDWHISTLE_DATABASE_URL, "
    ));
    let kubernetes = [("GRIDWHISTLE_PORT", "tcp://1"), ("GRIDWHISTLE_SERVICE_HOST", "1")];
    assert_eq!(environment(&kubernetes), Ok(Partial::default()));
}

#[test]
fn a_file_with_an_unknown_name_is_refused_without_quoting_it() {
    let fault =
        file("waiting = 3\ndatabse = \"postgres://u:secret@h/d\"\n").unwrap_err().to_string();
    assert!(fault.contains("line 2: unknown field `databse`"), "{fault}");
    assert!(!fault.contains("secret"));
    let fault = file("database = 3").unwrap_err().to_string();
    assert!(fault.contains("line 1: invalid type: integer `3`, expected a string"), "{fault}");
    let fault = Settings::load(Partial::default(), Some(Path::new("/no/such.toml"))).unwrap_err();
    assert!(fault.to_string().starts_with("cannot read the configuration /no/such.toml: "));
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let given = Partial { access_minutes: Some(0), ..Partial::default() };
    let fault = Settings::from(given).unwrap_err().to_string();
    assert_eq!(fault, "access_minutes is 0; give 1 to 1440");
    let given = Partial { workers: Some(5000), ..Partial::default() };
    assert!(Settings::from(given).is_err());
}

#[test]
fn every_setting_can_come_from_the_environment() {
    // The names of the environment are those of the file, but for the database's.
    let unknown = file("x = 1").unwrap_err().to_string();
    let names: Vec<_> = unknown.split('`').skip(3).step_by(2).collect();
    assert_eq!(names.len(), 12);
    for name in names {
        let name = if name == "database" { "database_url" } else { name };
        let variable = format!("GRIDWHISTLE_{}", name.to_uppercase());
        let fault = environment(&[(&variable, "?")]).err().map(|fault| fault.to_string());
        assert!(!fault.unwrap_or_default().contains("is unknown; known are"), "{variable}");
    }
}
