//! The address of `listen`, as programs and people ask there.

use crate::support::{Home, PATIENCE, Warmd, text, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// A home whose daemon listens at `address`.
pub(crate) fn home_at(address: &str, models: &str) -> Home {
    let home = Home::at_trace(models);
    let config = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&config.replace("listen = \"off\"", &format!("listen = \"{address}\"")));
    home
}

/// Where a daemon that was given port 0 listens.
pub(crate) fn port(warmd: &Warmd) -> u16 {
    let mut port = None;
    wait_until("it says where the page is", PATIENCE, || {
        let log = warmd.log().concat();
        let told = log.split_once(", page http://").map(|(_, told)| told.to_owned());
        let address = told.and_then(|told| Some(told.split_once('/')?.0.to_owned()));
        port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
        port.is_some()
    });
    port.unwrap()
}

/// A daemon that listens.
pub(crate) fn listening(models: &str) -> (Home, Warmd, SocketAddr) {
    let home = home_at("127.0.0.1:0", models);
    let warmd = home.start();
    let port = port(&warmd);
    (home, warmd, (Ipv4Addr::LOCALHOST, port).into())
}

/// What a GET brings.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In lower case, with the values as they are.
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// Asks for `path`, of the kinds in `accept`.
pub(crate) fn get(address: SocketAddr, path: &str, accept: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // HTTP/1.0: the answer comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\naccept: {accept}\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let whole = text(&bytes);
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    let (first, headers) = head.split_once("\r\n").unwrap();
    let status = first.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, headers: headers.to_lowercase(), body: body.to_owned() }
}
