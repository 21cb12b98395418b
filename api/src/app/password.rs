//! Passwords: argon2id with the parameters OWASP recommends, on threads of lower priority than
//! those that answer requests.
//!
//! An account that does not exist costs as much as one that does, so that the time reveals nothing.
//! Each verification takes 19 MiB and some 20 ms of a core; only a few run at once, a few more may
//! wait, the rest are refused with a time to retry.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, PasswordHash, Salt},
    },
};
use domain::core::fold::normalise_width;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::{
    app::{background::Background, random::random_bytes},
    http::problem::{Code, Problem, Reply},
};

/// The fewest characters of a password.
pub const MIN: usize = 10;

/// The fewest characters of an administrator's password.
pub const MIN_ADMINISTRATOR: usize = 12;

/// The most characters of a password; a bound on work, not on memory.
pub const MAX: usize = 128;

/// 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).
const PARAMS: (u32, u32, u32) = (19 * 1024, 2, 1);

/// The hash of a password that no one has, made with the same parameters.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
    L/6AVVZW2kXy+ufuAtSA0Q$wAVt6m4PGd/RZ3ZiqlpnVA57KSN2pg9wIKkNYXKStZQ";

/// The threads that hash and verify passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    threads: Background,
    places: Arc<Semaphore>,
    /// The places that strangers may have: the others are left for known devices.
    for_strangers: Arc<Semaphore>,
    /// How many of the places are for those who wait.
    waiting: usize,
    computed: Arc<AtomicU64>,
}

impl Passwords {
    /// Hashes `at_once` passwords at a time; eight times as many wait.
    pub fn new(at_once: usize) -> std::io::Result<Self> {
        let at_once = at_once.max(1);
        let waiting = at_once.saturating_mul(8);
        Ok(Self {
            threads: Background::start("password", at_once)?,
            places: Arc::new(Semaphore::new(at_once.saturating_add(waiting))),
            for_strangers: Arc::new(Semaphore::new(at_once.saturating_mul(6))),
            waiting,
            computed: Arc::default(),
        })
    }

    /// Whether `given` is the password whose hash is `stored`. Without a stored hash the answer
    /// is no, at the same price.
    pub async fn verify(&self, given: String, stored: Option<String>) -> Reply<bool> {
        self.compare_hash(given, stored, None).await
    }

    async fn compare_hash(
        &self,
        given: String,
        stored: Option<String>,
        kept: Option<OwnedSemaphorePermit>,
    ) -> Reply<bool> {
        let computed = Arc::clone(&self.computed);
        self.run(move || {
            let known = stored.is_some();
            computed.fetch_add(1, Ordering::Relaxed);
            let stored = stored.as_deref().unwrap_or(DECOY);
            // Those that were stored before passwords had one form are compared as they are typed.
            let normal = normalise_width(&given);
            let matches = match verify_hash(&normal, stored) {
                Ok(false) if normal != given => verify_hash(&given, stored),
                matches => matches,
            };
            // Held until now, even if the caller has gone away.
            drop(kept);
            Ok(matches? && known)
        })
        .await
    }

    /// The same for a client that is not known yet: many of those leave places for clients that
    /// logged in before.
    pub async fn verify_stranger(&self, given: String, stored: Option<String>) -> Reply<bool> {
        let place = Arc::clone(&self.for_strangers).try_acquire_owned();
        let place = place.map_err(|_crowd| Problem::new(Code::Overloaded))?;
        self.compare_hash(given, stored, Some(place)).await
    }

    /// The hash to store for a password that is acceptable for this owner.
    pub async fn check_and_hash(&self, password: String, owner: Owner) -> Reply<String> {
        self.run(move || {
            check(&normalise_width(&password), &owner)?;
            hash(&password)
        })
        .await
    }

    /// How many hashes were computed: what a login costs, for an account that exists or not.
    pub fn hash_count(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Reply<R> + Send + 'static,
    ) -> Reply<R> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(Problem::new(Code::Overloaded));
            }
        };
        let (places, waiting) = (Arc::clone(&self.places), self.waiting);
        let worked = self.threads.run(move || {
            let worked = work();
            // Held until the work is done, even if the caller has gone away.
            drop(place);
            // With more free places than waiting ones, no one waits.
            if places.available_permits() > waiting {
                forget_memory();
            }
            worked
        });
        worked.await.ok_or_else(|| Problem::new(Code::Internal))?
    }
}

/// The owner of the password.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The account; a password that is like it is refused.
    pub account: String,
    /// The person's name; a password that is made of it counts as easy to guess.
    pub name: String,
    /// Whether the person is an administrator, whose password has to be longer.
    pub administers: bool,
}

/// Words that people here build passwords of and that a list made elsewhere does not know.
const COMMON_HERE: [&str; 22] = [
    "woaini",
    "1314520",
    "5201314",
    "520",
    "1314",
    "aini",
    "nihao",
    "mima",
    "woshi",
    "zhongguo",
    "caonima",
    "beijing",
    "gridwhistle",
    "wanggeshao",
    "网格哨",
    "wangge",
    "wanggeyuan",
    "jiedao",
    "shequ",
    "chengguan",
    "guanliyuan",
    "admin",
];

/// Refuses a password that is too short, too long, or too easy to guess.
///
/// What is guessed first is known: the commonest passwords, names, dates, walks over the keyboard,
/// and the account with a number behind it. The password needs no special characters and is not to
/// be changed every month: that makes passwords worse.
pub fn check(password: &str, owner: &Owner) -> Reply<()> {
    let min = if owner.administers { MIN_ADMINISTRATOR } else { MIN };
    let refused = |reason: &str| {
        let problem = Problem::new(Code::PasswordUnacceptable).with("reason", reason);
        problem.with("min", min).with("max", MAX)
    };
    let length = password.chars().count();
    if length < min {
        return Err(refused("too_short"));
    }
    if length > MAX {
        return Err(refused("too_long"));
    }
    let plain = password.to_lowercase();
    if plain.trim() == owner.account.to_lowercase() {
        return Err(refused("like_account"));
    }
    let own: Vec<&str> =
        [owner.account.as_str(), owner.name.as_str()].into_iter().chain(COMMON_HERE).collect();
    let enough = if owner.administers { zxcvbn::Score::Three } else { zxcvbn::Score::Two };
    if estimate_strength(password, &own) < enough {
        return Err(refused("guessable"));
    }
    Ok(())
}

/// How hard a password is to guess, up to the strength that is required.
///
/// The time this takes grows with the third power of the length and more, so that a long one is
/// judged by its beginning and its end: it is no easier to guess than either.
fn estimate_strength(password: &str, own: &[&str]) -> zxcvbn::Score {
    const JUDGED: usize = 24;
    let judge = |part: &str| zxcvbn::zxcvbn(part, own).score();
    let letters: Vec<char> = password.chars().collect();
    let beyond = letters.len().saturating_sub(JUDGED);
    let begin: String = letters.iter().take(JUDGED).collect();
    if beyond == 0 {
        return judge(&begin);
    }
    let end: String = letters.iter().skip(beyond).collect();
    judge(&begin).max(judge(&end))
}

/// A new password that can be read over the telephone: four groups of four characters without
/// `0`, `1`, `l` and `o`, 80 random bits.
pub fn generate() -> Result<String, rand::rngs::SysError> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut password = String::with_capacity(19);
    for (index, byte) in random_bytes::<16>()?.into_iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            password.push('-');
        }
        let letter = ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'x');
        password.push(char::from(letter));
    }
    Ok(password)
}

/// Hashes a password on this thread, in PHC format: takes its time.
pub fn hash(password: &str) -> Reply<String> {
    let password = &normalise_width(password);
    let salt = random_bytes::<16>()?;
    let hashed = || -> password_hash::Result<String> {
        let salt = Salt::new(&salt)?;
        let (memory, passes, lanes) = PARAMS;
        let params = Params::new(memory, passes, lanes, None)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: (&params).try_into()?,
            salt: Some(salt),
            hash: Some(compute_digest(password, &salt, Version::V0x13, params)?),
        };
        Ok(hash.to_string())
    };
    hashed().map_err(|error| Problem::new(Code::Internal).because(error))
}

fn verify_hash(password: &str, stored: &str) -> Reply<bool> {
    // No password is longer; hashing more would be wasted work.
    if password.chars().nth(MAX).is_some() {
        return Ok(false);
    }
    let verified = || -> password_hash::Result<bool> {
        let stored = PasswordHash::new(stored)?;
        let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
            return Err(password_hash::Error::EncodingInvalid);
        };
        if stored.algorithm != Algorithm::Argon2id.ident() {
            return Err(password_hash::Error::Algorithm);
        }
        let version = stored.version.map_or(Ok(Version::V0x13), Version::try_from)?;
        // Outputs are compared in constant time.
        Ok(compute_digest(password, &salt, version, Params::try_from(&stored)?)? == expected)
    };
    verified().map_err(|error| Problem::new(Code::Internal).because(error))
}

fn compute_digest(
    password: &str,
    salt: &[u8],
    version: Version,
    params: Params,
) -> password_hash::Result<Output> {
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let blocks = params.block_count();
    let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
    MEMORY.with_borrow_mut(|memory| {
        reserve_memory(memory, blocks);
        let mut out = [0; Output::MAX_LENGTH];
        let out = out.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)?;
        Ok(Output::new(out)?)
    })
}

thread_local! {
    /// The memory for hashing, reused while others wait: taking 19 MiB from the system and giving
    /// them back for each password would slow down the threads that answer requests.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Memory for one password, given back to the system as soon as it is dropped.
///
/// glibc learns from freed blocks of up to 32 MiB to keep such blocks, for every thread: 350 MiB
/// after twenty logins. What is larger it always gives back, and what is not touched costs
/// nothing.
fn reserve_memory(memory: &mut Vec<Block>, blocks: usize) {
    const LARGER: usize = 33 * 1024;
    if memory.len() < blocks {
        *memory = Vec::with_capacity(blocks.max(LARGER));
    }
    memory.resize(blocks, Block::new());
}

/// Frees the memory of this thread, once no one waits.
fn forget_memory() {
    MEMORY.with_borrow_mut(|memory| *memory = Vec::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_readable_and_differ() {
        let password = generate().unwrap();
        assert_eq!(password.len(), 19);
        assert!(password.split('-').all(|group| group.len() == 4));
        assert!(!password.contains(['0', '1', 'l', 'o']));
        assert_ne!(password, generate().unwrap());
    }

    #[test]
    fn the_decoy_costs_what_a_real_hash_costs() {
        let (decoy, real) = (PasswordHash::new(DECOY).unwrap(), hash("a password").unwrap());
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!((decoy.algorithm, decoy.version), (real.algorithm, real.version));
        assert_eq!(decoy.params, real.params);
        // Made by the usual way through argon2, which this file leaves to save memory.
        assert!(verify_hash("nobody has this one: 没有人用它", DECOY).unwrap());
    }

    #[actix_web::test]
    async fn only_the_right_password_of_a_known_account_passes() {
        let passwords = Passwords::new(2).unwrap();
        let stored = hash("正确的密码 123").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verify = |given: &str, stored: Option<&str>| {
            passwords.verify(given.to_owned(), stored.map(str::to_owned))
        };
        assert!(verify("正确的密码 123", Some(&stored)).await.unwrap());
        assert!(!verify("错误的密码 123", Some(&stored)).await.unwrap());
        assert!(!verify("no such account", None).await.unwrap());
        assert!(verify("x", Some("not a hash")).await.is_err());
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        let owner = |administers| Owner {
            account: "wangge-1".to_owned(),
            name: "王芳".to_owned(),
            administers,
        };
        for (password, reason) in [
            ("short", "too_short"),
            ("", "too_short"),
            ("WANGGE-1  ", "like_account"),
            ("1234567890", "guessable"),
            ("password123", "guessable"),
            ("qwertyuiop", "guessable"),
            ("wangge-1wangge-1", "guessable"),
            ("gridwhistle1", "guessable"),
            ("aaaaaaaaaaaa", "guessable"),
            ("woaini1314520", "guessable"),
        ] {
            let refused = check(password, &owner(false)).expect_err(password);
            assert!(format!("{refused:?}").contains("password_unacceptable"));
            let told = crate::http::problem::render_problem(
                &refused,
                crate::http::language::Language::Zh,
                "t",
            );
            let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
            assert_eq!(told["reason"], reason, "{password}");
        }
        assert!(check(&"长".repeat(129), &owner(false)).is_err());
        assert!(check("密码短语足够长就可以", &owner(false)).is_ok());
        assert!(check("shui-guan-lou", &owner(false)).is_ok());
        // Eleven characters will do for a grid worker, and not for an administrator.
        assert!(check("Xk7#pQ2vLm9", &owner(false)).is_ok());
        assert!(check("Xk7#pQ2vLm9", &owner(true)).is_err());
        assert!(check("correct horse battery", &owner(true)).is_ok());
        for _ in 0..20 {
            assert!(check(&generate().unwrap(), &owner(true)).is_ok());
        }
    }

    #[test]
    fn no_password_takes_long_to_judge() {
        let owner =
            Owner { account: "wangge-1".to_owned(), name: "王芳".to_owned(), administers: true };
        for part in [
            "1",
            "a",
            "@4",
            "p@55w0rd",
            "20240101",
            "qwerty",
            "abc",
            "💥",
            "長",
            "!1|",
            "4@8({[<369&0$5+7%2",
            "il1!|o0",
        ] {
            let password: String = part.chars().cycle().take(MAX).collect();
            let begun = std::time::Instant::now();
            drop(check(&password, &owner));
            let took = begun.elapsed();
            assert!(took < std::time::Duration::from_secs(2), "{part}: {took:?}");
        }
    }

    #[test]
    fn a_long_password_is_as_strong_as_its_stronger_end() {
        let owner =
            Owner { account: "wangge-1".to_owned(), name: "王芳".to_owned(), administers: false };
        let weak = "a".repeat(40);
        assert!(check(&weak, &owner).is_err());
        assert!(check(&format!("{weak}shui-guan-lou-4-xia"), &owner).is_ok());
        assert!(check(&format!("shui-guan-lou-4-xia{weak}"), &owner).is_ok());
    }

    #[actix_web::test]
    async fn strangers_leave_places_for_those_who_are_known() {
        let passwords = Passwords::new(1).unwrap();
        let _all = passwords.for_strangers.clone().try_acquire_many_owned(6).unwrap();
        let problem = passwords.verify_stranger("x".to_owned(), None).await.unwrap_err();
        assert_eq!(problem.code(), Code::Overloaded);
        assert!(!passwords.verify("x".to_owned(), None).await.unwrap());
    }

    #[actix_web::test]
    async fn a_crowd_is_told_to_come_back() {
        let passwords = Passwords::new(1).unwrap();
        let _all = passwords.places.clone().try_acquire_many_owned(9).unwrap();
        let problem = passwords.verify("x".to_owned(), None).await.unwrap_err();
        assert_eq!(problem.code(), Code::Overloaded);
    }
}
