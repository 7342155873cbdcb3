//! A place to run `gridhub serve --config` from: certificates and keys, a configuration, starts.
use crate::server::{Folder, Options, Server, Verb, gridhub};
use crate::tls::Proof;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with an identity in `.gridhub`, as an operator has who used `gridhub dev` before.
pub struct Site {
    folder: Folder,
    ca_file: String,
}

impl Site {
    /// With an authority, a server certificate and a token key; nothing runs.
    #[track_caller]
    pub fn new() -> Self {
        let folder = Folder::new();
        let mut dev = Server::start(&Options::on(&folder.path().join(".gridhub")));
        let ca_file = dev.text("ca_file");
        dev.terminate();
        assert!(dev.ended().success());
        Self { folder, ca_file }
    }

    /// The folder that holds everything.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The directory with the identity.
    pub fn identity(&self) -> PathBuf {
        self.path().join(".gridhub")
    }

    /// Makes a client certificate with the site's authority.
    #[track_caller]
    pub fn certificate(&self, name: &str) -> Proof {
        let out = self.path().join("issued");
        let words = ["cert", name, "--out", out.to_str().expect("text"), "--json"];
        let made = Verb::new(&words).within(self.path()).output();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let part = |name: &str| PathBuf::from(made[name].as_str().expect("a path"));
        Proof::Certificate(part("cert_file"), part("key_file"))
    }

    /// Hashes a password as the documentation says.
    #[track_caller]
    pub fn hash(&self, password: &str) -> String {
        let mut verb = Verb::new(&["config", "hash-password"]);
        let input = self.path().join("password");
        std::fs::write(&input, password).expect("a file of ours");
        verb.0.stdin(std::fs::File::open(&input).expect("just written"));
        let output = verb.output();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_string()
    }

    /// Writes the configuration: listeners on free ports and the site's TLS files, then `more`.
    pub fn configure(&self, top: &str, more: &str) -> PathBuf {
        let text = format!(
            "{top}\n\
             listeners.mqtt = [\"127.0.0.1:0\"]\n\
             listeners.mqtts = [\"127.0.0.1:0\"]\n\
             listeners.https = [\"127.0.0.1:0\"]\n\
             tls.cert_file = \".gridhub/server.pem\"\n\
             tls.key_file = \".gridhub/server-key.pem\"\n\
             tls.client_ca_files = [\".gridhub/ca.pem\"]\n{more}"
        );
        let file = self.path().join("gridhub.toml");
        std::fs::write(&file, text).expect("a file of ours");
        file
    }

    /// Serves a configuration. The ready line is brought into the form of `gridhub dev`.
    #[track_caller]
    pub fn serve(&self, config: &Path) -> Server {
        let mut command = Command::new(gridhub());
        command.args(["serve", "--json", "--config"]).arg(config).current_dir(self.path());
        let mut server = Server::launch(command, self.identity(), None);
        let ready = &mut server.ready;
        for listener in ["mqtt", "mqtts"] {
            ready[listener] = ready[listener][0].clone();
        }
        let https = ready["https"][0].as_str().and_then(|a| a.rsplit(':').next());
        ready["https"] = json!(format!("https://localhost:{}", https.expect("a port")));
        ready["ca_file"] = json!(self.ca_file);
        server
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}
