//! A port that is nobody's until somebody listens there.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpSocket;

/// A port at which nobody listens. It is bound, so that no other test is given it meanwhile, and refuses
/// connections; whoever binds it with `SO_REUSEADDR`, as listeners do, may listen there.
#[derive(Debug)]
pub(crate) struct Port {
    _bound: TcpSocket,
    pub(crate) address: SocketAddr,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { _bound: socket, address }
    }
}

#[test]
fn a_reserved_port_refuses_is_nobodys_and_can_be_listened_at() {
    let port = Port::reserve();
    let refused = std::net::TcpStream::connect(port.address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let others: Vec<Port> = (0..200).map(|_| Port::reserve()).collect();
    assert!(others.iter().all(|other| other.address != port.address));
    let _listener = std::net::TcpListener::bind(port.address).unwrap();
    assert!(std::net::TcpStream::connect(port.address).is_ok());
}
