//! Ctrl-C, once and more often.

use crate::support::api::State;
use crate::support::letters::{
    DLQ, cloud_of, delivered, each_at_least_once, each_once, leased, left,
};
use crate::support::{Pid, Ran, When, failure};

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_finishes_the_batch_in_hand_and_gives_the_rest_back() {
    let cloud = cloud_of(1000).await;
    let run = Pid::default();
    let mut interrupted = false;
    let signalled = run.clone();
    let interrupt = move |_: &mut State| {
        if !std::mem::replace(&mut interrupted, true) {
            signalled.signal_from_inside("-INT");
        }
    };
    cloud.hook("/id-tail-logs/messages/batch", interrupt);
    let child = cloud.spawn_as(&run, &["replay", "--concurrency", "1"]);
    let ran: Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.says("replayed 100 dead letters");
    ran.says("left 900: not reached");
    ran.warns("run it again to go on");
    assert_eq!((left(&cloud), leased(&cloud)), (900, 0));
    cloud.state().hooks.clear();
    assert_eq!(cloud.run(&["replay"]).await.code, 0);
    each_once(&cloud, 1000);
}

/// The second Ctrl-C comes while the letters are nowhere but in the process, on their way back or to `tail-logs`.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_waits_and_a_third_does_not() {
    for (interrupts, arguments) in [
        (2, vec!["replay", "--reason", "rejected"]),
        (2, vec!["replay"]),
        (3, vec!["replay", "--reason", "rejected"]),
    ] {
        let cloud = delivered(120, 100).await;
        let run = Pid::default();
        // The first try at publishing fails after the interrupts; the next one comes soon.
        let mut first = true;
        cloud.fault("/messages/batch", 1, When::Before, failure(500, 0, "down"));
        let signalled = run.clone();
        cloud.before("/messages/batch", move |_| {
            if std::mem::take(&mut first) {
                (0..interrupts).for_each(|_| signalled.signal_from_inside("-INT"));
            }
        });
        let child = cloud.spawn_as(&run, &arguments);
        let ran: Ran = child.wait_with_output().await.unwrap().into();
        // Whatever ends it first: the interrupt, or that nothing is left to do.
        assert!([1, 130].contains(&ran.code), "{ran:?}");
        ran.warns("Ctrl-C again stops at once, but for dead letters on their last delivery");
        ran.warns("dead letters are on the last delivery");
        cloud.state().hooks.clear();
        cloud.state().expire_leases(DLQ);
        cloud.run(&["replay"]).await;
        let kept = if interrupts == 2 { 120 } else { 20 };
        each_at_least_once(&cloud, kept);
    }
}
