//! A SOCKS5 server (RFC 1928, 1929) in the place of Tor: it knows a few names, refuses all else, and remembers what it
//! was asked by whom.

use crate::{loopback, pump::pump};
use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name, or an IP address as text: a client that resolves names itself leaks them.
    pub name: String,
    /// The port.
    pub port: u16,
    /// User and password, by which Tor isolates circuits.
    pub credentials: Option<(String, String)>,
}

/// The server.
pub struct Socks {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Socks {
    /// Reaches `routes`: name and port, and where that is.
    #[must_use]
    pub fn start(routes: &[(&str, u16, SocketAddr)]) -> Self {
        let listener = TcpListener::bind((loopback::address(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let routes: HashMap<_, _> = routes.iter().map(|&(name, port, target)| ((name.to_owned(), port), target)).collect();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (routes, seen) = (routes.clone(), seen.clone());
                std::thread::spawn(move || serve(stream, &routes, &seen));
            }
        });
        Self { address, requests }
    }
    /// Every request up to now.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, routes: &HashMap<(String, u16), SocketAddr>, seen: &Mutex<Vec<Request>>) -> Option<()> {
    let request = read(&mut stream).ok()?;
    let target = routes.get(&(request.name.clone(), request.port)).copied();
    seen.lock().unwrap().push(request);
    let reached = target.and_then(|target| TcpStream::connect(target).ok());
    // Succeeded, or host unreachable; bound to nothing in particular.
    let answer = if reached.is_some() { 0 } else { 4 };
    stream.write_all(&[5, answer, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let server = reached?;
    pump(stream.try_clone().ok()?, server.try_clone().ok()?, |_| ());
    pump(server, stream, |_| ());
    Some(())
}

fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let [_, count] = bytes(stream)?;
    let methods = string(stream, count)?;
    let credentials = if methods.contains('\u{2}') {
        stream.write_all(&[5, 2])?;
        let [_, length] = bytes(stream)?;
        let user = string(stream, length)?;
        let [length] = bytes(stream)?;
        let password = string(stream, length)?;
        stream.write_all(&[1, 0])?;
        Some((user, password))
    } else {
        stream.write_all(&[5, 0])?;
        None
    };
    let [_, command, _, kind] = bytes(stream)?;
    let name = match (command, kind) {
        (1, 1) => Ipv4Addr::from(bytes::<4>(stream)?).to_string(),
        (1, 3) => {
            let [length] = bytes(stream)?;
            string(stream, length)?
        }
        (1, 4) => std::net::Ipv6Addr::from(bytes::<16>(stream)?).to_string(),
        _ => return Err(io::Error::other("not a CONNECT")),
    };
    Ok(Request { name, port: u16::from_be_bytes(bytes(stream)?), credentials })
}

fn bytes<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
fn string(stream: &mut TcpStream, length: u8) -> io::Result<String> {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
