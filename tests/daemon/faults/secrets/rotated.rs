//! Files of secrets that are replaced while the daemon runs.

use super::super::network::peer::{Heard, Peer, Then, say, well};
use crate::alerts::receiver::Receiver;
use crate::leak::{BOX_TOKEN, RECEIVER_TOKEN, TOKEN};
use crate::support::{Home, PATIENCE, wait_until};
use serde_json::Value;
use std::fs;
use std::io;
use std::net::TcpStream;

/// Refuses any other token than this one.
fn wants(token: &'static str) -> impl Fn(&mut TcpStream, &Heard) -> io::Result<Then> {
    move |connection, heard| {
        if heard.token.as_deref() == Some(&format!("Bearer {token}")) {
            well(connection, heard)
        } else {
            say(connection, 401, "", b"{\"detail\":\"no\"}")
        }
    }
}

/// Writes a file as those who rotate secrets do: beside it, then in its place.
fn replace(home: &Home, name: &str, secret: &str) {
    let beside = home.path(&format!("{name}-new"));
    fs::write(&beside, secret).unwrap();
    fs::rename(beside, home.path(name)).unwrap();
}

#[test]
fn a_rotated_secret_is_read_within_half_a_minute_without_a_reload() {
    let (account, cog, receiver) = (Peer::start(), Peer::start(), Receiver::start());
    account.does(wants(TOKEN));
    cog.does(wants(BOX_TOKEN));
    let home = Home::at_trace("");
    for (name, secret) in [
        ("token-account", TOKEN),
        ("token-box", BOX_TOKEN),
        ("token-receiver", RECEIVER_TOKEN),
        ("token-hook", &receiver.url("/services/first")),
    ] {
        fs::write(home.path(name), secret).unwrap();
    }
    let path = |name: &str| home.path(name).display().to_string();
    home.write(&format!(
        "[replicate]\nbase_url = \"{}/v1\"\ntoken_file = \"{}\"\n\
         [defaults]\nactive = [\"always\"]\ninterval = \"1d\"\n\
         [models.llama]\nreplicate = \"acme/well\"\n\
         [models.box]\ncog = \"{}\"\ntoken_file = \"{}\"\n\
         [[alerts]]\nname = \"ops\"\nwebhook_file = \"{}\"\ntoken_file = \"{}\"\n",
        account.url(),
        path("token-account"),
        cog.url(),
        path("token-box"),
        path("token-hook"),
        path("token-receiver")
    ));
    let warmd = home.start();
    let state = |name: &str, state: &str| {
        home.model_when(name, state, |model: &Value| model["state"] == state);
    };
    state("llama", "warm");
    state("box", "warm");
    // Both servers take another token from now on; the next heartbeat is due tomorrow.
    account.does(wants(RECEIVER_TOKEN));
    cog.does(wants(TOKEN));
    for name in ["llama", "box"] {
        home.ctl(&["beat", name]);
        state(name, "blocked");
    }
    replace(&home, "token-account", RECEIVER_TOKEN);
    replace(&home, "token-box", TOKEN);
    replace(&home, "token-hook", &receiver.url("/services/second"));
    replace(&home, "token-receiver", BOX_TOKEN);
    wait_until("both are warm again", 2 * PATIENCE, || {
        ["llama", "box"].iter().all(|name| home.model(name)["state"] == "warm")
    });
    wait_until("the alert goes to the new address with the new token", PATIENCE, || {
        home.ctl(&["alert", "test"]);
        receiver.heard().last().is_some_and(|heard| {
            heard.path == "/services/second"
                && heard.headers["authorization"] == format!("Bearer {BOX_TOKEN}")
        })
    });
    assert!(home.status()["daemon"]["config_error"].is_null());
    assert!(warmd.stop().success());
}
