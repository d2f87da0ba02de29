//! Why a server cannot be used: each cause in its own words, with its own remedy.
//!
//! A connection that fails says little: a server of another kind, one that wants TLS first and one
//! that is frozen are all silent. So a server that was not reached is looked at once more, and
//! asked in another way.
//!
//! Not here: the connection itself (`connect`), and what a server refuses later.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use async_nats::rustls::{self, AlertDescription, CertificateError};
use async_nats::{ConnectError, ConnectErrorKind, ServerAddr, ServerError};
use push0_core::causes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What keeps a server from being used. Shown, it is what follows the server's name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trouble {
    /// Its name has no address.
    NoHost,
    /// Its machine is there, and nothing listens at the port.
    Refused,
    /// Nothing comes from there.
    Silent,
    /// Something else listens there; its first words.
    NotNats(String),
    /// It expects TLS before it says anything.
    TlsFirst,
    /// Nobody here trusts who signed its certificate.
    UntrustedCertificate,
    /// Its certificate is for another name.
    OtherName,
    /// Its certificate is not valid any more, or not yet.
    ExpiredCertificate,
    /// It wants a certificate of this side, and takes none or not this one.
    CertificateWanted,
    /// It does not speak TLS.
    NoTls,
    /// TLS fails otherwise.
    Tls(String),
    /// It refuses, in these words.
    Refuses(String),
    /// What the system says.
    Other(String),
}

impl Trouble {
    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoHost => "correct the name (--nats, urls in [nats]), or see to its DNS",
            Self::Refused => "start a server there, or name others (--nats)",
            Self::Silent => "see whether the server runs, and whether a firewall is between",
            Self::NotNats(_) => "name the port that NATS clients use, 4222 by default",
            Self::TlsFirst => {
                "turn `handshake_first` off at the server, or name the port that NATS clients use"
            }
            Self::UntrustedCertificate => {
                "name the CA that signed its certificate with tls_ca in [nats]"
            }
            Self::OtherName => {
                "name it as its certificate does (--nats), or give it another certificate"
            }
            Self::ExpiredCertificate => {
                "renew its certificate, and see whether the clocks are right"
            }
            Self::CertificateWanted => {
                "give one that it trusts with tls_cert and tls_key in [nats]"
            }
            Self::NoTls => "write nats:// and leave out tls_ca, or turn TLS on at the server",
            Self::Tls(_) => "see to TLS on both sides (tls_ca, tls_cert and tls_key in [nats])",
            Self::Refuses(_) => "see to the server",
            Self::Other(_) => "the same command, once that is mended",
        }
    }

    /// Of several servers' the one that says most is told.
    pub(super) const fn weight(&self) -> u8 {
        match self {
            Self::NoHost => 0,
            Self::Silent => 1,
            Self::Refused => 2,
            Self::Other(_) => 3,
            Self::NotNats(_) | Self::TlsFirst => 4,
            Self::Refuses(_) => 5,
            Self::UntrustedCertificate
            | Self::OtherName
            | Self::ExpiredCertificate
            | Self::CertificateWanted
            | Self::NoTls
            | Self::Tls(_) => 6,
        }
    }

    /// What a failed connection means.
    pub(super) async fn of(error: &ConnectError, server: &ServerAddr) -> Self {
        if let Some(words) = find::<ServerError>(error) {
            return Self::Refuses(plain(&words.to_string()));
        }
        if let Some(fault) = find::<rustls::Error>(error) {
            return of_tls(fault);
        }
        if error.kind() == ConnectErrorKind::Dns {
            return Self::NoHost;
        }
        if error.kind() == ConnectErrorKind::Tls {
            return Self::Tls(plain(&causes(error)));
        }
        if find::<io::Error>(error).map(io::Error::kind) == Some(io::ErrorKind::ConnectionRefused) {
            return Self::Refused;
        }
        look(server).await.unwrap_or_else(|| Self::Other(plain(&causes(error))))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("its name has no address"),
            Self::Refused => f.write_str("nothing listens there (connection refused)"),
            Self::Silent => f.write_str("it does not answer"),
            Self::NotNats(words) => {
                write!(f, "no NATS server is there, but something that says \"{words}\"")
            }
            Self::TlsFirst => f.write_str("it expects TLS before it says anything"),
            Self::UntrustedCertificate => {
                f.write_str("its certificate is signed by a CA that is not trusted here")
            }
            Self::OtherName => f.write_str("its certificate is for another name"),
            Self::ExpiredCertificate => f.write_str("its certificate is expired, or not valid yet"),
            Self::CertificateWanted => {
                f.write_str("it wants a certificate of its clients, and does not take this one")
            }
            Self::NoTls => f.write_str("it does not speak TLS"),
            Self::Tls(words) => write!(f, "TLS fails: {words}"),
            Self::Refuses(words) => write!(f, "it refuses: {words}"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

fn of_tls(fault: &rustls::Error) -> Trouble {
    use CertificateError as Of;
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
    let is_expired = |why: &Of| {
        matches!(
            why,
            Of::Expired
                | Of::ExpiredContext { .. }
                | Of::NotValidYet
                | Of::NotValidYetContext { .. }
        )
    };
    // A certificate that signs itself is its own CA.
    let is_own =
        |why: &Of| matches!(why, Of::Other(why) if why.to_string().contains("CaUsedAsEndEntity"));
    if let InvalidCertificate(why) = fault {
        if is_expired(why) {
            return Trouble::ExpiredCertificate;
        }
        if matches!(why, Of::NotValidForName | Of::NotValidForNameContext { .. }) {
            return Trouble::OtherName;
        }
        if matches!(why, Of::UnknownIssuer) || is_own(why) {
            return Trouble::UntrustedCertificate;
        }
    }
    if let AlertReceived(alert) = fault
        && OF_CERTIFICATES.contains(alert)
    {
        return Trouble::CertificateWanted;
    }
    match matches!(fault, InvalidMessage(_)) {
        true => Trouble::NoTls,
        false => Trouble::Tls(plain(&fault.to_string())),
    }
}

/// What is at the server's port; none where it is a NATS server.
async fn look(server: &ServerAddr) -> Option<Trouble> {
    let said = timeout(LOOK_MAX, first_words(server)).await;
    match said {
        Err(_) => Some(Trouble::Silent),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Some(Trouble::Refused)
        }
        Ok(Err(_)) => None,
        Ok(Ok(words)) if words.starts_with(b"INFO ") => None,
        Ok(Ok(words)) if words.starts_with(TLS_ALERT) => Some(Trouble::TlsFirst),
        Ok(Ok(words)) if words.is_empty() => Some(Trouble::Silent),
        Ok(Ok(words)) => Some(Trouble::NotNats(first_line(&words))),
    }
}

/// What it says by itself; or, where it says nothing, to a line that no protocol leaves without an
/// answer.
async fn first_words(server: &ServerAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((server.host(), server.port())).await?;
    let mut words = vec![0; WORDS_BYTES_MAX];
    let read = match timeout(BY_ITSELF, stream.read(&mut words)).await {
        Ok(read) => read?,
        Err(_) => {
            stream.write_all(b"PING\r\n\r\n").await?;
            stream.read(&mut words).await?
        }
    };
    words.truncate(read);
    Ok(words)
}

fn first_line(words: &[u8]) -> String {
    let line = words.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    plain(&String::from_utf8_lossy(line))
}

/// Somebody else's words, on one line of bounded length.
pub(super) fn plain(words: &str) -> String {
    words.chars().take(WORDS_MAX).flat_map(char::escape_debug).collect()
}

/// The first cause of this type, also within what the system's errors hold.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// What a server says to a client without a certificate that it takes.
const OF_CERTIFICATES: [AlertDescription; 5] = [
    AlertDescription::CertificateRequired,
    AlertDescription::BadCertificate,
    AlertDescription::UnknownCA,
    AlertDescription::CertificateUnknown,
    AlertDescription::CertificateExpired,
];
/// How a TLS alert begins (RFC 8446, section 5.1).
const TLS_ALERT: &[u8] = &[0x15, 0x03];
/// A NATS server speaks first, at once. Longer than a way around the world.
const BY_ITSELF: Duration = Duration::from_millis(700);
/// It has been waited for once already.
const LOOK_MAX: Duration = Duration::from_secs(2);
const WORDS_BYTES_MAX: usize = 256;
/// Unit: characters.
const WORDS_MAX: usize = 120;
