//! Sessions whose connection is lost: what comes for them, and what they had.

use super::*;

#[tokio::test]
async fn what_comes_for_sessions_that_sleep_is_stored_first_and_all_of_them_get_it() {
    for archived in [false, true] {
        let place = Place::with(|at| {
            if archived {
                at.recorder(Everything)
            }
        });
        let owner: BareJid = "b@x.example".parse().unwrap();
        let (one, two) = (place.online("b@x.example/1").await, place.online("b@x.example/2").await);
        mail(&one);
        [&one, &two].iter().for_each(|session| session.sleep());
        place.route(&chat("b@x.example", "1")).await;
        place.route(&chat("b@x.example/2", "2")).await;
        let held = place.router.held(&owner, 0).await.unwrap();
        assert_eq!(held.iter().map(|row| row.message.message_id.as_deref()).collect::<Vec<_>>(), [Some("1"), Some("2")]);
        assert_eq!(held.iter().filter(|row| row.kept == archived).count(), 2, "one row, the archive's where that has it");
        let waiting = two.mailbox.waiting();
        assert_eq!(waiting.iter().map(|it| it.waits).collect::<Vec<_>>(), [Some(held[0].id), Some(held[1].id)]);
        assert_eq!(mail(&one).len(), 1);
        place.lose(&two).await;
        assert_eq!(place.router.held(&owner, 0).await.unwrap().len(), 2, "it is in the store already");
        assert!(!mail(&one).iter().any(|m| m.starts_with("<message")), "and the other one has its own");
    }
}

#[tokio::test]
async fn who_falls_asleep_while_a_message_is_stored_has_it_in_the_turn_of_its_sender() {
    let place = Place::with(|at| at.recorder(Everything));
    let owner: BareJid = "b@x.example".parse().unwrap();
    let there = place.online("b@x.example/r").await;
    place.router.facts.load(&"a@x.example".parse().unwrap()).await.unwrap();
    let mut commits = Vec::new();
    for id in ["1", "2"] {
        let Step::Commit(stored) = place.router.route(stanza(&chat("b@x.example", id))) else { panic!("a commit") };
        commits.push(stored);
        // The second one is stored for a sleeper from the start.
        there.sleep();
    }
    let mut turns = Vec::new();
    for stored in commits {
        turns.push(stored.await);
    }
    for turn in turns {
        let Step::Then(then) = turn else { panic!("in its turn") };
        place.router.finish(then(&place.router)).await;
    }
    let held = place.router.held(&owner, 0).await.unwrap();
    let waiting: Vec<_> = there.mailbox.waiting().iter().map(|it| (it.id.clone().unwrap(), it.waits)).collect();
    assert_eq!(waiting, [("1".to_owned(), Some(held[0].id)), ("2".to_owned(), Some(held[1].id))]);
}

#[tokio::test]
async fn what_a_session_had_when_it_fell_asleep_is_stored_before_what_comes_then() {
    let place = Place::new();
    let there = place.online("b@x.example/r").await;
    place.route(&chat("b@x.example", "1")).await;
    let old = there.mailbox.waiting().remove(0);
    let sheltered = place.router.shelter(&there, &old).expect("it may wait");
    tokio::pin!(sheltered);
    there.sleep();
    assert!(!place.router.is_awake(&"b@x.example".parse().unwrap()));
    let new = sheltered.await.expect("its row");
    place.route(&chat("b@x.example", "2")).await;
    assert_eq!(place.on_shelf(), ["1", "2"]);
    there.mailbox.exchange(&old, &new);
    place.lose(&there).await;
    assert_eq!(place.on_shelf(), ["1", "2"], "nothing is stored twice");
}

#[tokio::test]
async fn what_another_device_reads_needs_no_row_when_one_falls_asleep() {
    let place = Place::new();
    let (one, two) = (place.online("b@x.example/1").await, place.online("b@x.example/2").await);
    place.route(&chat("b@x.example", "1")).await;
    let message = one.mailbox.waiting().pop().unwrap();
    assert!(place.router.shelter(&one, &message).is_none());
    two.sleep();
    assert!(place.router.shelter(&one, &message).is_some());
}

#[tokio::test]
async fn who_has_read_the_archive_is_told_of_what_came_afterwards() {
    let place = Place::with(|at| at.recorder(Everything));
    let there = place.online("b@x.example/r").await;
    there.mailbox.take_flush_held();
    there.set_reads_archive();
    let storing = place.router.storing("b@x.example".parse().unwrap());
    place.route(&chat("b@x.example", "1")).await;
    drop(storing);
    assert!(there.mailbox.take_flush_held() && !there.reads_archive(), "stored behind another one, and then handed out");
}
