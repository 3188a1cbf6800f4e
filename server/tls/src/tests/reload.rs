//! Certificates that change under a running server.

use rustls::HandshakeKind;
use rustls::version::TLS13;

use super::*;

fn kind(client: &Client) -> HandshakeKind {
    client.get_ref().1.handshake_kind().unwrap()
}

#[tokio::test]
async fn tickets_resume_until_the_reload() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    let mut config = client(&[&TLS13]);
    config.enable_early_data = true;
    let config = Arc::new(config);

    let (_, first) = connect(&acceptor, Opening::Direct, &config, "a.example").await;
    assert_eq!(kind(&first), HandshakeKind::Full);
    let (resumed, again) = connect(&acceptor, Opening::Direct, &config, "a.example").await;
    assert_eq!(kind(&again), HandshakeKind::Resumed);
    assert!(!again.get_ref().1.is_early_data_accepted());
    let identity = acceptor.identity("a.example").unwrap();
    assert_eq!(resumed.bindings().server_end_point(), identity.leaf().end_point.as_deref());

    lab.put("a.example", &["a.example"]);
    let report = acceptor.reload().unwrap();
    assert_eq!((report.changed.len(), report.unchanged.len()), (1, 0));
    let (_, renewed) = connect(&acceptor, Opening::Direct, &config, "a.example").await;
    assert_eq!(kind(&renewed), HandshakeKind::Full);
    assert_ne!(shown(&renewed), shown(&first));

    // The same certificate again: its tickets are void all the same.
    let report = acceptor.reload().unwrap();
    assert_eq!((report.changed.len(), report.unchanged.len()), (0, 1));
    let (_, last) = connect(&acceptor, Opening::Direct, &config, "a.example").await;
    assert_eq!(kind(&last), HandshakeKind::Full);
    assert_eq!(shown(&last), shown(&renewed));
}

#[tokio::test]
async fn tickets_of_one_host_are_nothing_to_another() {
    let lab = Lab::new(&["a.example", "b.example"]);
    let acceptor = lab.acceptor(&["a.example", "b.example"], Profile::Modern);
    let config = Arc::new(client(&[&TLS13]));
    let to = |to| Opening::Starttls { to: Some(to), pipelined: 0 };
    let (_, first) = connect(&acceptor, to("a.example"), &config, "c.example").await;
    let (_, second) = connect(&acceptor, to("b.example"), &config, "c.example").await;
    assert_eq!(kind(&second), HandshakeKind::Full);
    assert_ne!(shown(&first), shown(&second));
}

#[tokio::test]
async fn a_failed_reload_changes_nothing_and_is_told_once() {
    let lab = Lab::new(&["a.example", "b.example"]);
    let acceptor = lab.acceptor(&["a.example", "b.example"], Profile::Modern);
    let before: Vec<_> = acceptor.identities();
    assert!(!acceptor.changed_on_disk());

    // The new certificate of one host is fine, the other's has been written and its key not yet.
    lab.put("a.example", &["a.example"]);
    let renewed = self_signed(&["b.example"]).unwrap();
    lab.write("b.example.crt", &renewed.certificate, 0o644);
    assert!(acceptor.changed_on_disk());
    let faults = acceptor.reload().unwrap_err();
    let chain = lab.file("b.example.crt");
    let key = lab.file("b.example.key");
    assert_eq!(faults, [CertificateError::Mismatch { chain, key }]);
    assert!(!acceptor.changed_on_disk());
    let after = acceptor.identities();
    assert!(before.iter().zip(&after).all(|(before, after)| Arc::ptr_eq(before, after)));

    lab.write("b.example.key", &renewed.key, 0o600);
    assert!(acceptor.changed_on_disk());
    assert_eq!(acceptor.reload().unwrap().changed.len(), 2);
    assert!(!acceptor.changed_on_disk());
}

#[tokio::test]
async fn new_files_are_noticed() {
    let lab = Lab::new(&[]);
    lab.put("wide", &["a.example", "*.a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    lab.put("a.example", &["a.example"]);
    assert!(acceptor.changed_on_disk());
    acceptor.reload().unwrap();
    let identity = acceptor.identity("a.example").unwrap();
    assert_eq!(identity.chain_path(), lab.file("a.example.crt"));
}
