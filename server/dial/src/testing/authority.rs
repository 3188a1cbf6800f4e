//! The server: UDP and TCP on one port of a loopback address, until it is dropped.

use super::zone::{Reply, Spoil, World};
use hickory_resolver::proto::{
    op::{Edns, Message, OpCode, ResponseCode},
    rr::RecordType,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

type Asked = Arc<Mutex<Vec<String>>>;

/// A running name server.
pub struct Authority {
    /// Where it answers.
    pub address: SocketAddr,
    asked: Asked,
    _tasks: JoinSet<()>,
}

impl Authority {
    /// Starts one at `address`, or at any port of 127.0.0.1.
    pub async fn start(world: World, address: Option<SocketAddr>) -> Self {
        let wanted = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = TcpListener::bind(wanted).await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        let (world, asked) = (Arc::new(world), Asked::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(datagrams(socket, world.clone(), asked.clone()));
        tasks.spawn(streams(listener, world, asked.clone()));
        Self { address, asked, _tasks: tasks }
    }
    /// All questions so far: "a.test. SRV".
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Whether anybody has asked for what contains `text`.
    #[must_use]
    pub fn was_asked(&self, text: &str) -> bool {
        self.asked().iter().any(|question| question.contains(text))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Udp,
    Tcp,
}

async fn datagrams(socket: UdpSocket, world: Arc<World>, asked: Asked) {
    let mut buffer = vec![0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        if let Some(reply) = buffer.get(..length).and_then(|question| answer(&world, question, &asked, Over::Udp)) {
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

async fn streams(listener: TcpListener, world: Arc<World>, asked: Asked) {
    let mut tasks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        tasks.spawn(talk(stream, world.clone(), asked.clone()));
    }
}

async fn talk(mut stream: TcpStream, world: Arc<World>, asked: Asked) {
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; usize::from(length)];
        if stream.read_exact(&mut question).await.is_err() {
            return;
        }
        let Some(reply) = answer(&world, &question, &asked, Over::Tcp) else { continue };
        let framed = [&u16::try_from(reply.len()).unwrap().to_be_bytes()[..], &reply].concat();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

fn answer(world: &World, question: &[u8], asked: &Asked, over: Over) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let (owner, kind): (_, RecordType) = (query.name().to_lowercase(), query.query_type());
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} {kind}", owner.to_ascii()));
    let spoiling = world.spoiling(&owner, kind);
    if spoiling == Some(Spoil::Silent) {
        return None;
    }
    let Reply { answers, authorities, code } = world.reply(&owner, kind);
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.metadata.recursion_available = true;
    message.metadata.response_code = if question.queries.len() == 1 { code } else { ResponseCode::FormErr };
    message.add_query(query);
    let mut edns = Edns::new();
    edns.set_dnssec_ok(true);
    message.set_edns(edns);
    if spoiling == Some(Spoil::Truncated) && over == Over::Udp {
        message.metadata.truncation = true;
    } else {
        message.add_answers(answers);
        message.add_authorities(authorities);
    }
    message.to_vec().ok()
}
