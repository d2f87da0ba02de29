//! What is scraped of a cluster is what happens in it, whoever leads.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use push0_testbed::until;

use crate::world::{BLOCKS, World};

#[test]
fn the_numbers_are_those_of_whoever_leads_and_go_on_when_the_lead_changes() {
    let mut world = World::new(1, "300ms");
    for process in ["e1", "e2", "d1", "d2"] {
        world.tell(process, "PUSH0_METRICS", "127.0.0.1:0");
    }
    let mut world = world.peopled();
    world.submit();
    world.wait_accepted(4);
    let (first, second) = (Scrape::of(&world, "e1"), Scrape::of(&world, "e2"));
    assert_eq!((first.one("push0_leader"), first.one("push0_engine_answers")), (1.0, 1.0));
    assert_eq!(first.one("push0_blocks_submitted_total"), BLOCKS as f64);
    assert_eq!(first.one("push0_dispatchers"), 2.0);
    assert_eq!(first.one("push0_slots{state=\"offered\"}"), 4.0);
    assert_eq!(first.one("push0_dispatchers_offering{program=\"mock\"}"), 2.0);
    // Turns are shown a moment after they are durable.
    until("what is proved is not counted", || {
        let proved = "push0_proving_seconds_count{stage=\"prove\",program=\"mock\"}";
        (Scrape::of(&world, "e1").any(proved)? >= 4.0).then_some(())
    });
    assert!(first.one("push0_append_seconds_count") > 0.0 && first.one("push0_log_bytes") > 0.0);
    // An engine that stands by knows that it does, and says nothing of the rest.
    assert_eq!((second.one("push0_leader"), second.one("push0_engine_answers")), (0.0, 0.0));
    assert_eq!(second.any("push0_blocks_submitted_total"), None);
    let dispatcher = Scrape::of(&world, "d1");
    assert_eq!(dispatcher.one("push0_dispatcher_slots{state=\"offered\"}"), 2.0);
    assert_eq!(dispatcher.one("push0_dispatcher_connected"), 1.0);
    assert!(
        dispatcher.one("push0_disk_free_bytes") > 0.0 && dispatcher.any("push0_leader").is_none()
    );

    world.kill("e1");
    world.wait_for("e2", "leads in");
    let taken_over = until("the next engine has no numbers", || {
        let scrape = Scrape::of(&world, "e2");
        scrape.any("push0_blocks_submitted_total").is_some().then_some(scrape)
    });
    assert_eq!((taken_over.one("push0_leader"), taken_over.one("push0_epoch")), (1.0, 2.0));
    assert_eq!(taken_over.one("push0_blocks_submitted_total"), BLOCKS as f64);
    // The oldest block was submitted before this engine led, and has its age all the same.
    let age = taken_over.one("push0_oldest_block_age_seconds");
    assert!(age > 0.3, "{age}");
    until("what is released is not counted", || {
        let scrape = Scrape::of(&world, "e2");
        (scrape.one("push0_blocks_released_total") == BLOCKS as f64).then_some(())
    });
    let end = Scrape::of(&world, "e2");
    assert_eq!(end.one("push0_oldest_block_age_seconds"), 0.0);
    assert_eq!(
        end.one("push0_attempts_ended_total{outcome=\"accepted\",class=\"\"}"),
        BLOCKS as f64
    );
    assert_eq!(end.one("push0_tasks{stage=\"prove\",state=\"accepted\"}"), BLOCKS as f64);
    assert_eq!(end.one("push0_work_seconds{program=\"mock\"}"), 0.0);
    world.finish(BLOCKS);
}

#[test]
fn an_address_that_is_taken_ends_the_engine_with_its_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it has one").to_string();
    let mut world = World::new(1, "1ms");
    world.tell("e1", "PUSH0_METRICS", &*address);
    world.serve("e1");
    assert_eq!(world.wait_end("e1").code(), Some(2));
    let said = world.said("e1");
    let told = format!("metrics cannot be served at {address}");
    assert!(said.contains(&told) && said.contains("name another address (--metrics)"), "{said}");
}

#[test]
fn only_metrics_are_there() {
    let mut world = World::new(1, "1ms");
    world.tell("e1", "PUSH0_METRICS", "127.0.0.1:0");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    let address = address(&world, "e1");
    for (asked, status) in [("GET /", "404"), ("GET /metrics/x", "404"), ("POST /metrics", "405")] {
        let answer = answer(&address, asked);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{asked}: {answer}");
    }
    let answer = answer(&address, "GET /metrics");
    assert!(answer.contains("application/openmetrics-text; version=1.0.0"), "{answer}");
}

/// What a process has answered.
struct Scrape(String);

impl Scrape {
    fn of(world: &World, name: &str) -> Self {
        let answer = answer(&address(world, name), "GET /metrics");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("# EOF\n"), "{answer}");
        Self(answer)
    }

    fn any(&self, series: &str) -> Option<f64> {
        let mut samples = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        samples.find(|(name, _)| *name == series).map(|(_, value)| value.parse().expect("a number"))
    }

    fn one(&self, series: &str) -> f64 {
        self.any(series).unwrap_or_else(|| panic!("no {series}:\n{}", self.0))
    }
}

/// Where a process has said that its metrics are.
fn address(world: &World, name: &str) -> String {
    until("it does not say where its metrics are", || {
        let said = world.said(name);
        let rest = said.split("metrics are at http://").nth(1)?;
        Some(rest.split('/').next()?.to_owned())
    })
}

fn answer(address: &str, asked: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a socket");
    let request = format!("{asked} HTTP/1.1\r\nHost: push0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
