//! The dev identity (product.md 3): everything `gridhub dev` makes once in its data directory and
//! the offline verbs `token` and `cert` use. Knows nothing of listeners, sessions or permissions.

pub mod authority;
pub mod directory;
pub mod lock;
mod policies;
pub mod profile;
pub mod signing;

use std::path::{Path, PathBuf};

use anyhow::Context;

use authority::{Authority, Issued};
use directory::DataDir;
use lock::DirLock;
use signing::SigningKey;

use crate::config::hub::PolicyEntry;

/// A data directory with all its keys and certificates present. While `dev` runs it also holds
/// the lock; an ephemeral one is removed on drop.
pub struct Identity {
    authority: Authority,
    signing: SigningKey,
    // Field order is drop order: the lock goes before the directory it lies in.
    _lock: Option<DirLock>,
    dir: DataDir,
}

/// The files that a server of this identity reads.
pub struct Files {
    /// The private authority's certificate (PEM).
    pub ca: PathBuf,
    /// The server's certificate (PEM).
    pub server_cert: PathBuf,
    /// The server's private key (PEM).
    pub server_key: PathBuf,
    /// The public half of the token key as a JWK set.
    pub jwks: PathBuf,
}

impl Identity {
    /// For `dev`: takes the lock, creates what is missing, renews what nears its end.
    /// `wall_s` is the wall clock in Unix seconds.
    ///
    /// # Errors
    /// When another process holds the directory (its pid is named), or it cannot be written.
    pub fn prepare(dir: DataDir, wall_s: u64) -> anyhow::Result<Self> {
        dir.create()?;
        let lock = DirLock::take(dir.path())?;
        dir.remove_leftovers()?;
        let authority = Authority::open_or_create(&dir, wall_s)?;
        authority.renew_server(&dir, &server_names(), wall_s)?;
        authority.renew_client(&dir, DEFAULT_CLIENT, wall_s)?;
        let signing = SigningKey::open_or_create(&dir)?;
        Ok(Self { authority, signing, _lock: Some(lock), dir })
    }

    /// For the offline verbs: reads what `dev` made, changes nothing.
    ///
    /// # Errors
    /// When `dev` never ran there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let dir = DataDir::kept(path.to_owned());
        let hint = || format!("{} holds no identity; run `gridhub dev` first", path.display());
        let authority = Authority::open(&dir).with_context(hint)?;
        let signing = SigningKey::open(&dir).with_context(hint)?;
        Ok(Self { authority, signing, _lock: None, dir })
    }

    /// Makes a client certificate with `name` as its common name.
    ///
    /// # Errors
    /// When the name is no valid authentication name.
    pub fn issue_client(&self, name: &str, wall_s: u64) -> anyhow::Result<Issued> {
        self.authority.issue_client(name, wall_s)
    }

    /// Signs bearer tokens.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The hub's policies, made when they are asked for first.
    ///
    /// # Errors
    /// When their file is damaged or cannot be written.
    pub fn hub_policies(&self) -> anyhow::Result<Vec<PolicyEntry>> {
        policies::open_or_create(&self.dir)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The private authority's certificate (PEM).
    pub fn ca_file(&self) -> PathBuf {
        self.dir.file(authority::CA_CERT)
    }

    /// Where the files of an identity in `dir` lie.
    pub fn files(dir: &Path) -> Files {
        Files {
            ca: dir.join(authority::CA_CERT),
            server_cert: dir.join(authority::SERVER_CERT),
            server_key: dir.join(authority::SERVER_KEY),
            jwks: dir.join(signing::JWKS),
        }
    }

    /// Certificate and key (PEM) of a client that lies in the directory.
    pub fn client_files(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.dir.file(&authority::client_cert(name)), self.dir.file(&authority::client_key(name)))
    }
}

/// What the server certificate is good for: loopback by name and number, and this host.
fn server_names() -> Vec<String> {
    let mut names: Vec<String> =
        ["localhost", "127.0.0.1", "::1"].iter().map(|name| (*name).to_owned()).collect();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    let host = host.trim().to_ascii_lowercase();
    let plausible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if !host.is_empty() && host.len() <= 253 && host.chars().all(plausible) && host != "localhost" {
        names.push(host);
    }
    names
}

/// The client that `dev` makes a certificate for (product.md 3).
pub const DEFAULT_CLIENT: &str = "client1";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn read(path: PathBuf) -> String {
        std::fs::read_to_string(path).expect("readable")
    }

    #[test]
    fn made_once_kept_later_and_private() {
        let dir = DataDir::ephemeral().expect("dir");
        let path = dir.path().to_owned();
        let first = Identity::prepare(DataDir::kept(path.clone()), NOW_S).expect("first");
        let before = (read(first.ca_file()), read(Identity::files(first.dir()).server_cert));
        drop(first);
        let again = Identity::prepare(DataDir::kept(path.clone()), NOW_S + 60).expect("again");
        assert_eq!(before, (read(again.ca_file()), read(Identity::files(again.dir()).server_cert)));
        let mode =
            |path: &Path| std::fs::metadata(path).expect("meta").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&Identity::files(again.dir()).server_key), 0o600);
        assert_eq!(mode(&path.join(signing::KEY)), 0o600);
        assert_eq!(mode(&again.client_files(DEFAULT_CLIENT).1), 0o600);
    }

    #[test]
    fn a_second_process_is_refused_with_the_pid() {
        let dir = DataDir::ephemeral().expect("dir");
        let path = dir.path().to_owned();
        let _first = Identity::prepare(DataDir::kept(path.clone()), NOW_S).expect("first");
        let second = Identity::prepare(DataDir::kept(path), NOW_S).map(|_| ());
        let why = second.expect_err("must be refused").to_string();
        assert!(why.contains(&std::process::id().to_string()), "{why}");
    }

    #[test]
    fn a_certificate_near_its_end_is_renewed_and_the_authority_stays() {
        let dir = DataDir::ephemeral().expect("dir");
        let path = dir.path().to_owned();
        let first = Identity::prepare(DataDir::kept(path.clone()), NOW_S).expect("first");
        let (ca, server) = (read(first.ca_file()), read(Identity::files(first.dir()).server_cert));
        drop(first);
        let later = NOW_S + 350 * 86_400;
        let again = Identity::prepare(DataDir::kept(path), later).expect("again");
        assert_eq!(ca, read(again.ca_file()));
        assert_ne!(server, read(Identity::files(again.dir()).server_cert));
    }

    #[test]
    fn what_a_crash_left_undone_is_finished() {
        let dir = DataDir::ephemeral().expect("dir");
        let path = dir.path().to_owned();
        drop(Identity::prepare(DataDir::kept(path.clone()), NOW_S).expect("first"));
        for lost in [authority::CA_CERT, authority::SERVER_CERT, signing::JWKS] {
            let key = read(path.join(signing::KEY));
            std::fs::remove_file(path.join(lost)).expect("remove");
            let again = Identity::prepare(DataDir::kept(path.clone()), NOW_S).expect(lost);
            assert!(path.join(lost).exists(), "{lost}");
            assert_eq!(key, read(path.join(signing::KEY)));
            drop(again);
        }
    }

    #[test]
    fn an_ephemeral_directory_leaves_nothing() {
        let identity =
            Identity::prepare(DataDir::ephemeral().expect("dir"), NOW_S).expect("identity");
        let path = identity.dir().to_owned();
        assert!(path.exists());
        drop(identity);
        assert!(!path.exists());
    }
}
