//! Certificates change while links are up.

use crate::interop::pair::{Pair, Setup, talk, talk_again};
use bocage_tests::{Direct, Peer, Usage};
use std::time::Duration;

/// Longer than ours takes to see that a file has changed.
const NOTICE: Duration = Duration::from_secs(40);

/// A renewal cuts no link, and the next link has the new certificate.
pub(in crate::interop) async fn certificates_are_renewed(setup: Setup) {
    let mut pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    let links = pair.links();
    let leaves = [&pair.near, &pair.far].map(|peer| pair.world.authority.leaf(peer.site.domain, Usage::Both));
    pair.near.renew(&pair.world, &leaves[0]).await;
    pair.far.renew(&pair.world, &leaves[1]).await;
    talk(&mut romeo, &mut juliet).await;
    assert_eq!(pair.links(), links, "no link was lost");
    for (peer, leaf) in [&pair.near, &pair.far].into_iter().zip(&leaves) {
        let seen = tokio::time::timeout(NOTICE, shows(&pair, peer, &leaf.der)).await;
        assert!(seen.is_ok(), "{} shows the new one", peer.site.domain);
    }
    pair.cut_links();
    talk_again(&mut romeo, &mut juliet).await;
    assert!(pair.links() > links);
    pair.links_are_proven().await;
}

async fn shows(pair: &Pair, peer: &Peer, certificate: &[u8]) {
    let connector = Direct::new(peer.site.s2s_direct, &pair.world.anchor());
    loop {
        let stream = connector.tls(peer.site.domain).await.unwrap();
        if stream.get_ref().1.peer_certificates().unwrap()[0].as_ref() == certificate {
            return;
        }
        // Nothing tells from outside that it has been seen.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
