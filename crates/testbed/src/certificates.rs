//! Certificates for servers and clients of one test.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// An authority, and what it signed: files of its certificate, the server's and its key, the
/// client's and its key.
#[must_use]
pub fn certificates(dir: &Path) -> [String; 5] {
    let key = KeyPair::generate().expect("there is chance");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("it signs");
    let issuer = Issuer::new(params, key);
    let put = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).expect("there is room");
        path.display().to_string()
    };
    let signed = |name: &str| {
        let key = KeyPair::generate().expect("there is chance");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        let certificate = params.signed_by(&key, &issuer).expect("it signs");
        (put(name, certificate.pem()), put(&format!("{name}.key"), key.serialize_pem()))
    };
    let ca = put("ca", authority.pem());
    let ((server, server_key), (client, client_key)) = (signed("server"), signed("client"));
    [ca, server, server_key, client, client_key]
}
