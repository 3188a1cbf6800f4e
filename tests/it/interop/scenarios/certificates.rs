//! Certificates change while links are up.

use crate::interop::pair::{Pair, Setup, say, talk};
use bocage_tests::{Direct, Peer, Usage};

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
        assert_eq!(shown(&pair, peer).await, leaf.der, "{} shows the new one", peer.site.domain);
    }
    pair.cut_links();
    say(&mut romeo, &mut juliet, "again").await;
    say(&mut juliet, &mut romeo, "again").await;
    assert!(pair.links() > links);
    pair.links_are_proven().await;
}

async fn shown(pair: &Pair, peer: &Peer) -> Vec<u8> {
    let stream = Direct::new(peer.site.s2s_direct, &pair.world.anchor()).tls(peer.site.domain).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}
