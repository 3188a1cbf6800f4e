//! Streams with other servers (RFC 6120, XEP-0288, XEP-0198): TLS and a verified certificate, or nothing (H42).
//!
//! A stanza for elsewhere is posted to the queue of its pair of hosts ([`queue::Link`]); one task brings it to the peer
//! over a stream that cannot exist without a `TlsProof`. What surprises: an incoming stream only hears, unless the peer
//! agreed to bidi; and a message is safe when the peer has it *or* when it is a row, whichever is first (`ticket`).

mod dialback;
mod features;
mod federation;
mod incoming;
mod links;
mod live;
mod manners;
mod memory;
mod outgoing;
pub mod queue;
mod rows;
mod ticket;

pub use federation::Federation;
pub use links::Links;
pub use memory::{Memory, Peer};

use crate::c2s::Opening;
use bocage_tls::Plain;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Leads an accepted connection through its life.
pub(crate) async fn serve(federation: Arc<Federation>, socket: TcpStream, opening: Opening, admitted: impl FnOnce()) {
    let stream = Box::pin(incoming::accept(&federation, Plain::new(socket), opening)).await;
    admitted();
    if let Some(stream) = stream {
        live::run_incoming(&federation, *stream).await;
    }
}

/// What federation does besides its streams: rows go, and what a former run has left is taken up.
pub(crate) fn begin(federation: &Arc<Federation>) {
    let router = &federation.router;
    router.links.begin(federation.clone());
    let rows = federation.clone();
    router.tasks.spawn_core("rows of messages to other servers", async move { rows.rows.run(&rows.router).await });
    let left = router.clone();
    router.tasks.spawn_core("messages that a former run has left", async move { left.take_up_rows().await });
}
