//! Which source takes precedence, and what is refused.

use std::ffi::OsString;

use super::*;

fn read_environment(variables: &[(&str, &str)]) -> Result<Partial, Fault> {
    let variables = variables.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
    source::read_environment(variables)
}

fn read_file(text: &str) -> Result<Partial, Fault> {
    read_file_with_mode(0o600, text)
}

/// A file others may do this with.
fn read_file_with_mode(mode: u32, text: &str) -> Result<Partial, Fault> {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("gridwhistle-config-{}-{number}.toml", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let read = source::read_file(&path);
    std::fs::remove_file(&path).unwrap();
    read
}

#[test]
fn nothing_said_is_the_default() {
    let settings = Settings::from_partial(Partial::default()).unwrap();
    assert_eq!(settings.database.expose(), "sqlite://gridwhistle.db");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((settings.access_minutes, settings.refresh_days), (15, 30));
    assert_eq!((settings.log, settings.log_level), (LogFormat::Text, LogLevel::Info));
}

#[test]
fn flags_stand_above_the_environment_and_that_above_the_file() {
    let flags = Partial { waiting: Some(1), ..Partial::default() };
    let environment = read_environment(&[
        ("GRIDWHISTLE_WAITING", "2"),
        ("GRIDWHISTLE_WORKERS", " 2 "),
        ("GRIDWHISTLE_LOG", "json"),
        ("GRIDWHISTLE_PROXIES", ""),
        ("PATH", "/bin"),
    ])
    .unwrap();
    let file = read_file("waiting = 3\nworkers = 3\nproxies = 3\nlisten = \"[::]:80\"\n").unwrap();
    let settings = Settings::from_partial(flags.or(environment).or(file)).unwrap();
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
            "the environment variable GRIDWHISTLE_LOG is \"xml\"; expected one of text, json",
        ),
        (
            "GRIDWHISTLE_WORKERS",
            "-1",
            "the environment variable GRIDWHISTLE_WORKERS is \"-1\": invalid digit found in string",
        ),
    ] {
        assert_eq!(read_environment(&[(variable, value)]).unwrap_err().to_string(), sentence);
    }
    let unknown = read_environment(&[("GRIDWHISTLE_DATABSE", "x")]).unwrap_err().to_string();
    assert!(unknown.starts_with(
        "the environment variable GRIDWHISTLE_DATABSE is unknown; available: GRIDWHISTLE_DATABASE_URL, "
    ));
    let kubernetes = [("GRIDWHISTLE_PORT", "tcp://1"), ("GRIDWHISTLE_SERVICE_HOST", "1")];
    assert_eq!(read_environment(&kubernetes), Ok(Partial::default()));
}

#[test]
fn a_file_with_an_unknown_name_is_refused_without_quoting_it() {
    let fault =
        read_file("waiting = 3\ndatabse = \"postgres://u:hushed@h/d\"\n").unwrap_err().to_string();
    assert!(fault.contains("line 2: unknown field `databse`"), "{fault}");
    assert!(!fault.contains("hushed"));
    let fault = read_file("database = 3").unwrap_err().to_string();
    assert!(fault.contains("line 1: invalid type: integer `3`, expected a string"), "{fault}");
    let fault = Settings::load(Partial::default(), Some(Path::new("/no/such.toml"))).unwrap_err();
    assert!(fault.to_string().starts_with("cannot read the configuration file /no/such.toml: "));
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let given = Partial { access_minutes: Some(0), ..Partial::default() };
    let fault = Settings::from_partial(given).unwrap_err().to_string();
    assert_eq!(fault, "access_minutes is 0; expected 1 to 1440");
    let given = Partial { workers: Some(5000), ..Partial::default() };
    assert!(Settings::from_partial(given).is_err());
}

#[test]
fn every_setting_can_come_from_the_environment() {
    // The names of the environment are those of the file, but for the database's.
    let unknown = read_file("x = 1").unwrap_err().to_string();
    let names: Vec<_> = unknown.split('`').skip(3).step_by(2).collect();
    assert_eq!(names.len(), 30);
    for name in names {
        let name = if name == "database" { "database_url" } else { name };
        let variable = format!("GRIDWHISTLE_{}", name.to_uppercase());
        let fault = read_environment(&[(&variable, "?")]).err().map(|fault| fault.to_string());
        assert!(!fault.unwrap_or_default().contains("is unknown; available:"), "{variable}");
    }
}

#[test]
fn secrets_are_read_and_never_shown() {
    let text = r#"[{ "app_id": "wx1", "secret": "hush" }]"#;
    let given = read_environment(&[
        ("GRIDWHISTLE_MINI_PROGRAMS", text),
        ("GRIDWHISTLE_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    ]);
    let settings = Settings::from_partial(given.unwrap()).unwrap();
    assert_eq!(settings.mini_programs.len(), 1);
    assert_eq!(settings.key.as_ref().and_then(Secret::bytes).unwrap()[31], 31);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hush") && !shown.contains("AAEC"), "{shown}");
    let fault =
        read_environment(&[("GRIDWHISTLE_MINI_PROGRAMS", "[{\"secret\":\"hush\"")]).unwrap_err();
    assert!(!fault.to_string().contains("hush"), "{fault}");
    let wrong = Partial { key: Some(Secret::from("short")), ..Partial::default() };
    assert!(Settings::from_partial(wrong).unwrap_err().to_string().contains("32 bytes"));
}

#[cfg(unix)]
#[test]
fn a_file_with_secrets_is_for_its_owner_alone() {
    let program = "[[mini_programs]]\napp_id = \"wx1\"\nsecret = \"hush\"\n";
    let secret = [
        program,
        "database = \"postgres://grid:hush@db/city\"\n",
        "key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n",
        "vault_key = \"hush\"\n",
        "media_secret_key = \"hush\"\n",
    ];
    for text in secret {
        for open in [0o644, 0o604, 0o666] {
            let fault = read_file_with_mode(open, text).unwrap_err().to_string();
            assert!(
                fault.contains(&format!("(mode {open:03o}); run `chmod 600` on it")),
                "{fault}"
            );
            assert!(!fault.contains("hush"), "{fault}");
        }
        for kept in [0o600, 0o640] {
            assert!(read_file_with_mode(kept, text).is_ok(), "{text}");
        }
    }
    // A file without secrets may be readable by all.
    assert!(
        read_file_with_mode(0o644, "database = \"postgres://grid@db/city\"\nproxies = 1\n").is_ok()
    );
}

#[test]
fn a_provider_must_be_complete() {
    let provider = |extra: &str| {
        let text = format!("[[providers]]\nname = \"city\"\nlabel = \"统一认证\"\n{extra}");
        read_file(&text).and_then(Settings::from_partial)
    };
    let whole = "kind = \"oidc\"\nissuer = \"https://id.example\"\nclient_id = \"a\"\nclient_secret = \"b\"\nredirect_uri = \"https://grid.example/login\"\n";
    assert_eq!(provider(whole).unwrap().providers[0].claim, "preferred_username");
    for (wrong, sentence) in [
        (whole.replace("issuer", "agent_id"), "needs issuer"),
        (whole.replace("https://id.example", "ftp://id"), "begins with http"),
        (whole.replace("oidc", "oauth2"), "needs authorize_url"),
        (whole.replace("oidc", "saml"), "unknown variant"),
    ] {
        let fault = provider(&wrong).unwrap_err().to_string();
        assert!(fault.contains(sentence), "{fault}");
    }
}
