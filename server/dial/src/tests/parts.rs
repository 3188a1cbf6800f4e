//! Order, decisions, names.

use super::fill;
use crate::{
    Dane, DaneSet, Mode, Tlsa, Unreachable,
    connect::{ADDRESSES, in_turns},
    dane::{self, Names},
    name::ascii,
    order::{Srv, TARGETS, order},
    route::{Decision, Service, decide},
};
use proptest::prelude::*;
use std::net::IpAddr;

fn srv(priority: u16, weight: u16, host: &str) -> Srv {
    Srv { priority, weight, host: host.into(), port: 5269, mode: Mode::Starttls, secure: false }
}

#[test]
fn weights_are_shares() {
    let fill = fill();
    let mut first = [0_u32; 3];
    for _ in 0..4000 {
        let drawn = order(vec![srv(1, 10, "0"), srv(1, 30, "1"), srv(1, 0, "2"), srv(2, 999, "last")], &fill);
        assert_eq!((drawn.len(), drawn[3].host.as_str()), (4, "last"));
        first[drawn[0].host.parse::<usize>().unwrap()] += 1;
    }
    assert!((700..1300).contains(&first[0]), "{first:?}");
    assert!((2600..3300).contains(&first[1]), "{first:?}");
    assert!((1..300).contains(&first[2]), "{first:?}");
}

proptest! {
    #[test]
    fn order_keeps_priorities_and_bounds(records in proptest::collection::vec((0_u16..4, any::<u16>(), 0_u8..40), 0..60)) {
        let records: Vec<_> = records.into_iter().map(|(p, w, h)| srv(p, w, &format!("h{h}"))).collect();
        let ordered = order(records.clone(), &fill());
        prop_assert!(ordered.is_sorted_by_key(|r| r.priority));
        prop_assert!(ordered.iter().all(|r| records.contains(r)));
        let mut hosts: Vec<_> = records.iter().map(|r| &r.host).collect();
        hosts.sort();
        hosts.dedup();
        prop_assert_eq!(ordered.len(), hosts.len().min(TARGETS));
    }
    #[test]
    fn names_are_names_or_nothing(text in ".{0,80}") {
        if let Some(name) = ascii(&text) {
            prop_assert_eq!(ascii(&name), Some(name));
        }
    }
}

#[test]
fn both_services_decide_together() {
    let offered = || Ok(Service::Offered(vec![srv(1, 1, "a")]));
    let silent = |secure| Ok(Service::Silent { secure });
    let records = || Ok(Decision::Records(vec![srv(1, 1, "a")]));
    let cases = [
        (silent(true), silent(true), Ok(Decision::Domain { secure: true })),
        (silent(true), silent(false), Ok(Decision::Domain { secure: false })),
        (silent(false), silent(true), Ok(Decision::Domain { secure: false })),
        (Ok(Service::Declined), silent(true), Ok(Decision::Domain { secure: true })),
        (Ok(Service::Declined), Ok(Service::Declined), Err(Unreachable::NotFound)),
        (silent(true), Ok(Service::Declined), Err(Unreachable::NotFound)),
        (offered(), Ok(Service::Declined), records()),
        (silent(true), offered(), records()),
        (Err(Unreachable::TimedOut), offered(), records()),
        (Err(Unreachable::TimedOut), silent(true), Err(Unreachable::TimedOut)),
        (silent(true), Err(Unreachable::TimedOut), Err(Unreachable::TimedOut)),
        (Err(Unreachable::TimedOut), Ok(Service::Declined), Err(Unreachable::TimedOut)),
        (Err(Unreachable::Bogus), offered(), Err(Unreachable::Bogus)),
        (offered(), Err(Unreachable::Bogus), Err(Unreachable::Bogus)),
        (Err(Unreachable::TimedOut), Err(Unreachable::Bogus), Err(Unreachable::Bogus)),
    ];
    for (number, (direct, starttls, decision)) in cases.into_iter().enumerate() {
        assert_eq!(decide(direct, starttls), decision, "case {number}");
    }
}

fn tlsa(n: u8) -> Tlsa {
    Tlsa { usage: 3, selector: 1, matching: 1, data: vec![n] }
}

#[test]
fn h44_failures_are_bogus_and_many_records_are_few() {
    for cause in [Unreachable::Bogus, Unreachable::TimedOut, Unreachable::NotFound] {
        assert_eq!(dane::judge(Err(cause), "h", Names::Srv), Dane::Bogus);
    }
    assert_eq!(dane::judge(Ok(None), "h", Names::Srv), Dane::Absent);
    assert_eq!(dane::judge(Ok(Some(Vec::new())), "h", Names::Srv), Dane::Absent);
    let Dane::Secure(set) = dane::judge(Ok(Some(vec![tlsa(1); 99])), "h", Names::None) else { panic!("secure") };
    assert_eq!((set.records.len(), set.names.len()), (dane::RECORDS, 0));
}

#[test]
fn h44_a_union_is_as_bad_as_its_worst_part() {
    let set = |n, name: &str| Dane::Secure(DaneSet { records: vec![tlsa(n)], names: vec![name.into()] });
    let union = |parts: Vec<Dane>| dane::union(parts.into_iter());
    assert_eq!(union(vec![]), Dane::Absent);
    assert_eq!(union(vec![Dane::Absent]), Dane::Absent);
    assert_eq!(union(vec![set(1, "a"), Dane::Bogus]), Dane::Bogus);
    let both = Dane::Secure(DaneSet { records: vec![tlsa(1), tlsa(2)], names: vec!["a".into(), "b".into()] });
    assert_eq!(union(vec![set(1, "a"), Dane::Absent, set(2, "b"), set(1, "a")]), both);
}

#[test]
fn families_take_turns_and_nobody_elses_address_is_tried() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let v6 = vec![ip("::"), ip("2001:db8::1"), ip("ff02::1"), ip("2001:db8::2"), ip("::ffff:0.0.0.0")];
    let v4 = vec![ip("255.255.255.255"), ip("192.0.2.1"), ip("224.0.0.1"), ip("0.0.0.1"), ip("127.0.0.1")];
    let expected = ["2001:db8::1", "192.0.2.1", "2001:db8::2", "127.0.0.1"].map(ip);
    assert_eq!(in_turns(v6, v4), expected);
    assert_eq!(in_turns(vec![ip("::1"); 20], vec![ip("127.0.0.1"); 20]).len(), ADDRESSES);
}

#[test]
fn failures_name_nobody() {
    for cause in [Unreachable::NotFound, Unreachable::Refused, Unreachable::TimedOut, Unreachable::Bogus, Unreachable::Proxy] {
        assert!(!cause.to_string().contains('.'));
    }
}
