//! Their bug, our run: failures that users of other orchestrators reported, each as worlds in which
//! what caused it happens often, and nothing else does.
//!
//! Names say the failure; where it was reported stands beside it. What takes real processes (a
//! grandchild that outlives its limit, GPUs) is tried by `crates/dispatch/tests`.

use std::collections::BTreeSet;

use push0_sim::{Fault, Story};

/// A cancelled job's result was taken for final, and a later request got that (aztec-packages
/// 24558).
#[test]
fn what_was_taken_back_is_proved_when_it_is_asked_for_again() {
    hold(Story::of, &[Fault::TakenBack, Fault::Retried, Fault::RemadeByHand, Fault::LateProof]);
}

/// An epoch was given up in silence after a fork, until a restart (aztec-packages 24436).
#[test]
fn a_fork_beside_the_chain_stalls_nothing() {
    let kinds = [
        Fault::Forked,
        Fault::Reordered,
        Fault::ArtifactLost,
        Fault::PayloadGone,
        Fault::EngineKilled,
    ];
    hold(Story::of, &kinds);
}

/// What fails for good was tried 80 times, and ids in flight were lost with a restart (optimism
/// 22764, 22823, 22717).
#[test]
fn what_fails_for_good_is_not_tried_for_ever_and_a_restart_loses_no_attempt() {
    hold(Story::of, &[Fault::Poison, Fault::ProverFails, Fault::EngineKilled, Fault::PowerLost]);
}

/// A worker said that it was ready, and was not; wedged ones were left out without a word (zisk
/// 1249, 1207, 1032).
#[test]
fn who_offers_what_it_cannot_run_is_set_aside_and_comes_back() {
    hold(Story::of, &[Fault::ProgramGone, Fault::FleetFails, Fault::NoRoom]);
}

/// A beat starved, a stray failure ended the newer lease, and a proof was dropped on an error of
/// the wire (world-chain 818, 713, 803).
#[test]
fn a_stray_failure_ends_no_other_lease_and_a_proof_outlives_the_wire() {
    let kinds = [
        Fault::DispatcherFrozen,
        Fault::SpeaksForOther,
        Fault::MessageLost,
        Fault::MessageDoubled,
        Fault::MessageLate,
    ];
    hold(Story::of, &kinds);
}

/// A completion was lost or made less of, a last write was lost in an outage, a create was done
/// twice (sp1-cluster 169, 126, 160, 177, 168).
#[test]
fn what_was_accepted_stays_so_through_an_outage_of_the_log() {
    let kinds = [
        Fault::AnswerLost,
        Fault::AppendLate,
        Fault::AskedLate,
        Fault::Election,
        Fault::LogOutOfReach,
        Fault::EngineKilled,
    ];
    hold(Story::of_cluster, &kinds);
}

/// A slot leaked whenever retries ran out, until nothing ran (boundless 1978); work was given out
/// before there was room for what it makes (zksync-os-server 1522).
#[test]
fn no_slot_is_lost_with_what_fails_in_it() {
    let kinds = [Fault::ProverFails, Fault::ProverSilent, Fault::Poison, Fault::NoRoom];
    hold(Story::of, &kinds);
}

/// Provers worked on what was proved elsewhere (sp1-cluster 140, aztec-packages 23972).
#[test]
fn what_is_proved_elsewhere_is_cancelled() {
    let kinds = [Fault::LateProof, Fault::Partition, Fault::DispatcherKilled, Fault::HeldKept];
    hold(Story::of, &kinds);
}

/// A prover of another circuit got work, and one broken device took the fleet down
/// (airbender-prover 141, zksync-era 4858, zisk 679).
#[test]
fn a_prover_of_another_key_spoils_nothing() {
    hold(Story::of, &[Fault::OwnKey, Fault::Unfit, Fault::ProverLies, Fault::VerifierStuck]);
}

/// Work that was delivered again put a shard into an aggregate twice (sp1 2904).
#[test]
fn one_result_is_taken_for_an_input_however_often_it_comes() {
    let kinds =
        [Fault::MessageDoubled, Fault::HeldKept, Fault::OtherBytes, Fault::DispatcherKilled];
    hold(Story::of, &kinds);
    hold(Story::of_cluster, &kinds);
}

/// A client's retries multiplied what there was to do (aztec-packages 22355).
#[test]
fn asking_twice_is_once() {
    hold(Story::of, &[Fault::Repeated, Fault::Flooded, Fault::OtherPayload]);
    hold(Story::of_cluster, &[Fault::MessageDoubled, Fault::MessageLate, Fault::AnswerLost]);
}

/// In these worlds all checks hold, and each of these happens.
fn hold(story: fn(u64) -> Story, kinds: &[Fault]) {
    let mut missing: BTreeSet<_> = kinds.iter().copied().collect();
    for seed in 0..SEEDS {
        let story = Story { often: kinds.to_vec(), ..story(seed) };
        let outcome = story.run();
        assert!(outcome.violation.is_none(), "{story}: {:?}", outcome.violation);
        for struck in &outcome.struck {
            missing.remove(&struck.strike.fault);
        }
    }
    assert!(missing.is_empty(), "in {SEEDS} worlds none of these strikes: {missing:?}");
}

const SEEDS: u64 = 50;
