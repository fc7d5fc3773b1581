//! TLS certificates that are wrong, each in its own way, beside one that is right.

use super::peer::Peer;
use super::trial::says;
use crate::support::{Home, PATIENCE, Warmd, text, wait_until};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use warmd::clock::Stopwatch;

/// One that the daemons of these tests trust.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("whom these tests trust")
    }

    fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server's certificate for `name`, made otherwise by `change`.
    pub(super) fn signs(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        server(params.signed_by(&key, &self.issuer).unwrap().der(), &key)
    }

    /// Starts a home's daemon, which trusts this one alone.
    pub(super) fn start(&self, home: &Home, environment: &[(&str, &str)]) -> Warmd {
        fs::write(home.path("ca.pem"), &self.pem).unwrap();
        start(home, environment)
    }
}

/// Starts a home's daemon, which trusts whom its `ca.pem` names.
fn start(home: &Home, environment: &[(&str, &str)]) -> Warmd {
    let mut command = home.warmd();
    command.env("SSL_CERT_FILE", home.path("ca.pem")).env_remove("SSL_CERT_DIR");
    command.envs(environment.iter().copied());
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status", "--json"]).status.success());
    warmd
}

fn server(certificate: &CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.clone()], key);
    Arc::new(config.unwrap())
}

/// One that vouches for itself, and says of itself that it may vouch for others too, or not.
fn self_signed(is_ca: IsCa) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = is_ca;
    server(params.self_signed(&key).unwrap().der(), &key)
}

#[test]
fn wrong_certificates() {
    let authority = Authority::new();
    let right = || authority.signs("localhost", |_| {});
    let wrong = [
        (
            "name",
            authority.signs("other.example", |_| {}),
            "its TLS certificate is not for this name, but for other.example",
        ),
        (
            "self-signed",
            self_signed(IsCa::NoCa),
            "its TLS certificate is signed by nobody whom this system trusts",
        ),
        (
            "own-issuer",
            self_signed(IsCa::Ca(BasicConstraints::Unconstrained)),
            "its TLS certificate is that of an issuer, as self-signed ones often are",
        ),
        (
            "expired",
            authority.signs("localhost", |params| params.not_after = date_time_ymd(2026, 3, 1)),
            "its TLS certificate expired on 2026-03-01",
        ),
        (
            "impostor",
            Authority::new().signs("localhost", |_| {}),
            "names an issuer whom this system trusts, and is not signed by it",
        ),
        (
            "nameless",
            authority.signs("localhost", |params| params.subject_alt_names.clear()),
            "its TLS certificate is for no name at all",
        ),
        (
            "early",
            authority.signs("localhost", |params| params.not_before = date_time_ymd(2090, 1, 1)),
            "its TLS certificate is valid from 2090-01-01 on: is the clock right here?",
        ),
    ];
    let good = Peer::start();
    good.speaks_tls(right());
    let plain = Peer::start();
    let mut config = String::from("[defaults]\nactive = [\"always\"]\ninterval = \"1s\"\n");
    let mut add = |name: &str, peer: &Peer| {
        let url = format!("https://localhost:{}", peer.address.port());
        writeln!(config, "[models.{name}]\ncog = \"{url}\"\ntoken_env = \"REPLICATE_API_TOKEN\"").unwrap();
    };
    add("right", &good);
    add("plain", &plain);
    let peers: Vec<Peer> = wrong.iter().map(|_| Peer::start()).collect();
    for ((name, certificate, _), peer) in wrong.iter().zip(&peers) {
        peer.speaks_tls(Arc::clone(certificate));
        add(name, peer);
    }
    writeln!(config, "[models.replicate]\nreplicate = \"acme/m\"").unwrap();
    writeln!(config, "[replicate]\nbase_url = \"https://localhost:{}/v1\"", peers[0].address.port()).unwrap();
    let home = Home::at_trace(&config);
    let warmd = authority.start(&home, &[]);
    let meets = |name: &str, why: &str| {
        let model = home.model_when(name, "meets the fault", |model| !model["last"].is_null());
        println!("{name}: {}", model["last"]["error"]);
        says(&model["last"], "unreachable", why);
    };
    for (name, _, why) in &wrong {
        meets(name, why);
    }
    meets("plain", "what answers there does not speak TLS");
    meets(
        "replicate",
        "GET /models/acme/m could not be sent: its TLS certificate is not for this name, but for",
    );
    home.model_when("right", "warm", |model| model["counts"]["warm"].as_u64() >= Some(3));
    assert!(good.heard().iter().all(|heard| heard.token.is_some()), "the token was there to be told");
    for peer in peers.iter().chain([&plain]) {
        assert!(peer.heard().is_empty(), "nobody is asked, or told the token, who can't show who he is");
    }
    for peer in peers.iter().chain([&plain]) {
        peer.speaks_tls(right());
    }
    let since = Stopwatch::start();
    for name in [
        "name",
        "self-signed",
        "own-issuer",
        "expired",
        "impostor",
        "nameless",
        "early",
        "plain",
        "replicate",
    ] {
        home.model_when(name, "warm", |model| model["state"] == "warm");
    }
    println!("measured: wrong certificates: warm again in {:.1} s", since.elapsed().as_secs_f64());
    assert!(warmd.stop().success());
}

/// A CA that is added to those of the system is trusted without a restart; while their file is away, those of before
/// are trusted on.
#[test]
fn certificates_that_are_added_are_trusted_without_a_restart() {
    let (first, second) = (Authority::new(), Authority::named("another one"));
    let (one, other) = (Peer::start(), Peer::start());
    one.speaks_tls(first.signs("localhost", |_| {}));
    other.speaks_tls(second.signs("localhost", |_| {}));
    let config = |interval: &str| {
        format!(
            "[defaults]\nactive = [\"always\"]\ninterval = \"{interval}\"\n\
             [models.one]\ncog = \"https://localhost:{}\"\n[models.other]\ncog = \"https://localhost:{}\"\n",
            one.address.port(),
            other.address.port()
        )
    };
    let home = Home::at_trace(&config("1s"));
    let warmd = first.start(&home, &[]);
    home.model_when("one", "warm", |model| model["state"] == "warm");
    let model = home.model_when("other", "refused", |model| !model["last"].is_null());
    says(&model["last"], "unreachable", "signed by nobody whom this system trusts");
    // As an update does it: the file is away, then there is another.
    fs::remove_file(home.path("ca.pem")).unwrap();
    warmd.tells(&["ca.pem", "no CA certificates that can be read"]);
    let before = home.model("one")["counts"]["warm"].as_u64();
    home.model_when("one", "warm all the while", |model| model["counts"]["warm"].as_u64() > before);
    fs::write(home.path("ca.pem"), format!("{}{}", first.pem, second.pem)).unwrap();
    warmd.tells(&["2 are trusted now"]);
    assert!(home.ctl(&["beat", "other"]).status.success());
    assert_eq!(home.model("one")["counts"]["unreachable"], 0);
    assert!(warmd.stop().success());
}

/// A variable that names no file is to blame, and not the server.
#[test]
fn certificates_that_can_not_be_read_are_named() {
    let authority = Authority::new();
    let peer = Peer::start();
    peer.speaks_tls(authority.signs("localhost", |_| {}));
    let home = Home::at_trace(&format!(
        "[models.box]\ncog = \"https://localhost:{}\"\nactive = [\"always\"]\ninterval = \"1s\"\n",
        peer.address.port()
    ));
    let named = format!("SSL_CERT_FILE={} has no CA certificates", home.path("ca.pem").display());
    let warmd = start(&home, &[]);
    let model = home.model_when("box", "refused", |model| !model["last"].is_null());
    says(&model["last"], "unreachable", &named);
    says(&model["last"], "unreachable", "No such file");
    let mut check = home.program(env!("CARGO_BIN_EXE_warmctl"));
    check
        .env("SSL_CERT_FILE", home.path("ca.pem"))
        .env_remove("SSL_CERT_DIR")
        .args(["check", "--online"])
        .arg(home.config());
    let told = check.output().unwrap();
    assert!(
        text(&told.stdout).replace(char::is_whitespace, "").contains(&named.replace(' ', "")),
        "{told:?}"
    );
    assert!(warmd.stop().success());
}
