//! Messages.

use crate::interop::pair::{Pair, Setup, say, talk, talk_again};
use bocage_tests::Way;

pub(in crate::interop) async fn near_calls_first(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    assert!(!pair.far.site.front.recordings().is_empty(), "the near one called");
    pair.links_are_proven().await;
}

pub(in crate::interop) async fn far_calls_first(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut juliet, &mut romeo).await;
    assert!(!pair.near.site.front.recordings().is_empty(), "the far one called");
    pair.links_are_proven().await;
}

/// However they prove themselves to each other.
pub(in crate::interop) async fn over_tls(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    assert!(pair.links() > 0, "there was a link");
    pair.links_are_sealed();
}

/// Both ways over one link (XEP-0288), whoever called.
pub(in crate::interop) async fn one_link_for_both_ways(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    talk(&mut juliet, &mut romeo).await;
    assert_eq!(pair.links(), 1);
    pair.cut_links();
    talk_again(&mut romeo, &mut juliet).await;
    assert_eq!(pair.links(), 2);
    pair.links_are_proven().await;
}

pub(in crate::interop) async fn direct_tls(setup: Setup) {
    let pair = Pair::of(Setup { way: Way::Direct, ..setup }).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    pair.links_are_proven().await;
    let calls = pair.far.site.front.recordings();
    assert!(!calls.is_empty(), "the near one called");
    for call in calls {
        assert_eq!(call.sent.first(), Some(&0x16), "TLS from the first byte");
        assert!(call.hello_says("xmpp-server"), "XEP-0368: the ALPN");
    }
}

/// Larger than any buffer on the way.
pub(in crate::interop) async fn large_stanzas(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    let words = "O speak again, bright angel! ".repeat(200 * 1024 / 29);
    say(&mut romeo, &mut juliet, words.trim_end()).await;
    say(&mut juliet, &mut romeo, words.trim_end()).await;
    pair.links_are_sealed();
}

/// In both directions at once, each in its order.
pub(in crate::interop) async fn order_is_kept(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    for n in 0..100 {
        romeo.send(&format!("<message to='{}' type='chat'><body>{n}</body></message>", juliet.jid)).await;
        juliet.send(&format!("<message to='{}' type='chat'><body>{n}</body></message>", romeo.jid)).await;
    }
    for n in 0..100 {
        for person in [&mut romeo, &mut juliet] {
            assert_eq!(bocage_tests::text(&person.message().await), n.to_string());
        }
    }
}
