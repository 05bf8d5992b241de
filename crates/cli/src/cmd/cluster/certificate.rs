//! `portcullis cluster certificate`: the client certificates with which the API server of an attached cluster calls
//! the webhooks.

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use super::ClusterArgs;
use crate::{
    client::{CLUSTERS, Client, encode},
    cmd::attach::configuration::{CLIENT, client_pem},
    confirm::ConfirmArgs,
    files::{Directory, Replacement},
    output::{self, Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// Make a new certificate; the old one goes on until a day after the new one was first used
    #[command(after_help = "Examples:
  portcullis cluster certificate rotate prod --out prod-files")]
    Rotate {
        #[command(flatten)]
        cluster: ClusterArgs,
        /// Where to write it (client.pem)
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// List the certificates that count, until when, and the last ones that have ended
    #[command(after_help = "Examples:
  portcullis cluster certificate list prod
  portcullis cluster certificate list prod -o json")]
    List {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// End one certificate, at once
    #[command(after_help = "Examples:
  portcullis cluster certificate end prod 3f0d0d4e --yes

An API server that has no other one is refused from then on.")]
    End {
        #[command(flatten)]
        cluster: ClusterArgs,
        /// SHA-256 of the certificate as `list` shows it, or its first eight digits or more
        thumbprint: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(super) async fn run(client: &Client, command: CertificateCommand) -> anyhow::Result<()> {
    match command {
        CertificateCommand::Rotate { cluster, out } => {
            let _directory = Directory::prepare(&out)?;
            let place = Replacement::prepare(&out.join(CLIENT))?;
            let path = cluster.path(client).await?;
            let issued = client.post(&format!("{path}/listWebhookCredential?{CLUSTERS}"), &json!({})).await?;
            place.commit(&client_pem(&issued)?)?;
            let text = |pointer: &str| issued.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
            output::say(format_args!(
                "Wrote {}: certificate {}, which lasts until {}",
                out.join(CLIENT).display(),
                text("/certificate/thumbprint"),
                text("/certificate/expiresAt")
            ));
            output::say(
                "Next: put it in the place of the old one on each machine that runs kube-apiserver, by a rename. It is \
                 taken up within five minutes, without a restart. The old one ends a day after the new one was first \
                 used.",
            );
        }
        CertificateCommand::List { cluster, output } => {
            output.list(&COLUMNS, &list(client, &cluster.path(client).await?).await?);
        }
        CertificateCommand::End { cluster, thumbprint, confirm, output } => {
            let path = cluster.path(client).await?;
            let thumbprint = whole(&list(client, &path).await?, &thumbprint)?;
            confirm.ask(&format!(
                "End the certificate {thumbprint} of {}? An API server that has no other one is refused from now on.",
                cluster.name
            ))?;
            let address = format!("{path}/webhookCertificates/{}/end?{CLUSTERS}", encode(&thumbprint));
            output.one(&COLUMNS, &client.post(&address, &json!({})).await?);
        }
    }
    Ok(())
}

async fn list(client: &Client, path: &str) -> anyhow::Result<Vec<Value>> {
    client.list(&format!("{path}/webhookCertificates?{CLUSTERS}")).await
}

/// Finds the thumbprint with this prefix.
fn whole(known: &[Value], beginning: &str) -> anyhow::Result<String> {
    let beginning = beginning.trim().replace(':', "").to_ascii_lowercase();
    let thumbprints = known.iter().filter_map(|each| each.get("thumbprint")?.as_str());
    let found: Vec<&str> = thumbprints.filter(|each| each.starts_with(&beginning)).collect();
    match found.as_slice() {
        _ if beginning.len() < 8 => {
            bail!(
                "\"{beginning}\": expected the thumbprint of a certificate, or its first eight digits or more"
            )
        }
        [one] => Ok((*one).to_owned()),
        [] => {
            bail!("no certificate of the cluster begins with {beginning}: `list` shows those that there are")
        }
        _ => bail!("several certificates of the cluster begin with {beginning}: give more digits"),
    }
}

const COLUMNS: [Column; 6] = [
    ("THUMBPRINT", "/thumbprint"),
    ("ISSUED", "/issuedAt"),
    ("EXPIRES", "/expiresAt"),
    ("FIRST USED", "/seenAt"),
    ("COUNTS", "/counts"),
    ("UNTIL", "/countsUntil"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_by_enough_of_its_beginning() {
        let known = ["ab12cd34ef", "ab12cd35ef", "00112233aa"].map(|each| json!({"thumbprint": each}));
        assert_eq!(whole(&known, "00:11:22:33").unwrap(), "00112233aa");
        assert_eq!(whole(&known, "AB12CD34E").unwrap(), "ab12cd34ef");
        for (asked, said) in [("ab12", "eight digits"), ("ffffffff", "no certificate"), ("", "eight digits")]
        {
            assert!(whole(&known, asked).unwrap_err().to_string().contains(said), "{asked}");
        }
        let alike = ["ab12cd3411", "ab12cd3422"].map(|each| json!({"thumbprint": each}));
        assert!(whole(&alike, "ab12cd34").unwrap_err().to_string().contains("several"));
    }
}
