//! `gridhub cert`: a client certificate, made offline with the data directory's authority.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::connection::DataFlag;
use crate::identity::directory::{Access, CLIENTS, write_whole};

/// Make a client certificate.
#[derive(Args)]
pub struct Cert {
    /// Name of the client: the certificate's common name
    name: String,
    /// Where to write NAME.pem and NAME-key.pem [default: clients/ in the data directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the files as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataFlag,
}

impl Cert {
    /// Writes both files and prints their paths on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        let name = &self.name;
        if name.contains(['/', '\\']) || name.starts_with('.') {
            bail!("'{name}' makes no file name; leave out slashes and leading dots");
        }
        let identity = self.data.identity()?;
        let issued = identity.issue_client(name, super::wall_s())?;
        let out = self.out.clone().unwrap_or_else(|| identity.dir().join(CLIENTS));
        let out = std::path::absolute(&out)?;
        let (cert, key) = (out.join(format!("{name}.pem")), out.join(format!("{name}-key.pem")));
        write_whole(&key, &issued.key_pem, Access::Secret)?;
        write_whole(&cert, &issued.cert_pem, Access::Public)?;
        if self.json {
            let line = serde_json::json!({ "name": name, "cert_file": cert, "key_file": key });
            println!("{line}");
        } else {
            println!("{}\n{}", cert.display(), key.display());
        }
        Ok(())
    }
}
