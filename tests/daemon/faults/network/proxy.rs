//! A proxy named by the environment.

use super::peer::{Peer, say};
use super::tls::Authority;
use super::trial::says;
use crate::leak::{PROXY_PASSWORD, forms};
use crate::support::{Home, TOKEN, text};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A proxy that leads any tunnel to this machine, and keeps all that it was sent.
struct Proxy {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(&connection, &kept));
            }
        });
        Self { address, heard }
    }
}

fn serve(connection: &TcpStream, kept: &Arc<Mutex<Vec<u8>>>) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    kept.lock().unwrap().extend(head.bytes());
    let Some(target) = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) else {
        return (&*connection).write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    };
    let port = target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0);
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    (&*connection).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let (mut back, mut from) = (connection.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || io::copy(&mut from, &mut back));
    let mut chunk = [0; 4096];
    loop {
        let length = reader.read(&mut chunk)?;
        if length == 0 {
            return server.shutdown(std::net::Shutdown::Both);
        }
        kept.lock().unwrap().extend(&chunk[..length]);
        (&server).write_all(&chunk[..length])?;
    }
}

#[test]
fn a_proxy_of_the_environment() {
    let proxy = Proxy::start();
    let url = format!("http://somebody:{PROXY_PASSWORD}@{}", proxy.address);
    let environment: Vec<(&str, &str)> =
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"]
            .map(|name| (name, &*url))
            .into();
    let authority = Authority::new();
    let (plain, guarded) = (Peer::start(), Peer::start());
    guarded.speaks_tls(authority.signs("box.test", |_| {}));
    let here = Peer::start();
    here.speaks_tls(authority.signs("localhost", |_| {}));
    let home = Home::at_trace(&format!(
        "[replicate]\nbase_url = \"{}/v1\"\n[defaults]\nactive = [\"always\"]\ninterval = \"1s\"\n\
         [models.replicate]\nreplicate = \"acme/m\"\n\
         [models.cog]\ncog = \"{}\"\ntoken_env = \"REPLICATE_API_TOKEN\"\n\
         [models.here]\ncog = \"https://localhost:{}\"\n\
         [models.guarded]\ncog = \"https://box.test:{}\"\ntoken_env = \"REPLICATE_API_TOKEN\"\n",
        plain.url(),
        plain.url(),
        here.address.port(),
        guarded.address.port(),
    ));
    let warmd = authority.start(&home, &environment);
    for name in ["replicate", "cog", "here", "guarded"] {
        home.model_when(name, "warm", |model| model["counts"]["warm"].as_u64() >= Some(3));
    }
    let heard = text(&proxy.heard.lock().unwrap());
    let tunnel = format!("CONNECT box.test:{} HTTP/1.1\r\n", guarded.address.port());
    assert!(heard.contains(&tunnel), "{heard}");
    assert!(!heard.contains(TOKEN), "the proxy was shown the token");
    assert!(!heard.contains("localhost"), "{heard}");
    assert!(!heard.contains("/v1/") && !heard.contains("health-check"), "the proxy was shown a request");
    assert!(guarded.heard().iter().all(|heard| heard.token.as_deref() == Some(&format!("Bearer {TOKEN}"))));
    // The tool asks its daemon, whatever the environment says.
    let mut ctl = home.program(env!("CARGO_BIN_EXE_warmctl"));
    ctl.arg("--socket").arg(home.path("warmd.sock")).arg("status").envs(environment);
    assert!(ctl.output().unwrap().status.success());
    let log = warmd.log().concat();
    assert!(!log.contains(PROXY_PASSWORD), "the proxy's password is logged");
    assert!(warmd.stop().success());
}

/// A daemon whose two models are asked through the proxy at `url`, one of them over TLS.
fn through(url: &str) -> (Home, crate::support::Warmd) {
    let home = Home::at_trace(
        "[defaults]\nactive = [\"always\"]\ninterval = \"1s\"\n\
         [models.plain]\ncog = \"http://box.test\"\n[models.guarded]\ncog = \"https://box.test\"\n",
    );
    let variables = [("HTTP_PROXY", url), ("http_proxy", url), ("HTTPS_PROXY", url)];
    let warmd = Authority::new().start(&home, &variables);
    (home, warmd)
}

/// A proxy that is away, or refuses, is blamed by its name: nothing is wrong with the server, nor with its token.
#[test]
fn a_proxy_that_leads_nowhere_is_blamed() {
    let gone = crate::port::Port::reserve();
    let url = format!("http://somebody:{PROXY_PASSWORD}@{}", gone.address);
    let (home, warmd) = through(&url);
    let named = format!("the proxy http://{}, named by HTTPS_PROXY, HTTP_PROXY or ALL_PROXY", gone.address);
    for name in ["plain", "guarded"] {
        let model = home.model_when(name, "unreachable", |model| !model["last"].is_null());
        says(&model["last"], "unreachable", &named);
        says(&model["last"], "unreachable", "can't be reached: connection refused");
    }
    assert!(!warmd.log().concat().contains(PROXY_PASSWORD), "the proxy's password is logged");
    assert!(warmd.stop().success());

    for (status, tunnel) in
        [(403, "leads no connection to this server"), (407, "wants a user and a password (407)")]
    {
        let refusing = Peer::start();
        refusing.does(move |connection, _| say(connection, status, "", b"<html>no</html>"));
        let (home, warmd) = through(&refusing.url());
        let named = format!("the proxy {}", refusing.url());
        let model = home.model_when("guarded", "unreachable", |model| !model["last"].is_null());
        says(&model["last"], "unreachable", &named);
        says(&model["last"], "unreachable", tunnel);
        let model = home.model_when("plain", "refused", |model| !model["last"].is_null());
        let error = model["last"]["error"].as_str().unwrap();
        assert_eq!(error.contains("see whether that proxy lets requests to this server pass"), status == 403);
        assert!(error.contains(&named) && error.contains(&status.to_string()), "{error}");
        assert!(warmd.stop().success());
    }
}

/// A proxy that repeats its own password, in any form, has it struck out.
#[test]
fn a_proxy_that_repeats_its_password_shows_none_of_it() {
    for (form, said) in forms(PROXY_PASSWORD) {
        let refusing = Peer::start();
        let said = serde_json::json!({"detail": format!("go away, {said}")}).to_string();
        refusing.does(move |connection, _| say(connection, 403, "", said.as_bytes()));
        let url = refusing.url().replace("://", &format!("://somebody:{PROXY_PASSWORD}@"));
        let (home, warmd) = through(&url);
        let model = home.model_when("plain", "refused", |model| !model["last"].is_null());
        let error = model["last"]["error"].as_str().unwrap();
        // The look for secrets in all that was printed is the test's own: see `leak`.
        assert!(error.contains("go away") && error.contains("[secret]"), "{form}: {error}");
        assert!(warmd.stop().success());
    }
}
