//! This process' connections to the NATS servers, as people are told of them: one word when they
//! are lost, and one when they are back, however many there are to one server.
//!
//! Not here: what is lost with them (`bus`, `replica`), and finding out (`push0_log`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use push0_log::{LinkNews, LinkTeller};

use crate::telemetry::lost_a_connection;
use crate::tell::{self, Level, Line, Repeats};

/// Tells people what becomes of connections.
pub(super) fn teller() -> LinkTeller {
    let links = Mutex::new(Links::default());
    LinkTeller::new(move |news| {
        let lines = links.lock().unwrap_or_else(PoisonError::into_inner).hear(news);
        tell::tell(&lines);
    })
}

/// The servers that connections were lost with.
#[derive(Debug, Default)]
struct Links(BTreeMap<String, LostServer>);

#[derive(Debug, Default)]
struct LostServer {
    /// How many connections are not there again.
    connections: usize,
    troubles: Repeats,
}

impl Links {
    /// What is to be told.
    fn hear(&mut self, news: LinkNews) -> Vec<Line> {
        match news {
            LinkNews::Up { server } => {
                let is_back = self.0.get_mut(&server).filter(|lost| lost.connections == 0);
                let back = is_back.and_then(|lost| lost.is_back(&server));
                let up = Line::new(Level::Debug, format!("connected to {server}"));
                vec![back.unwrap_or_else(|| up.with("server", server))]
            }
            LinkNews::Lost { server, why } => {
                if self.0.len() >= SERVERS_MAX {
                    self.0.retain(|_, lost| lost.connections > 0);
                }
                let lost = self.0.entry(server.clone()).or_default();
                lost.connections += 1;
                lost_a_connection();
                let words = format!("lost the connection to {server} ({why}); trying again");
                if lost.connections > 1 {
                    return vec![Line::new(Level::Debug, words).with("server", server)];
                }
                let lines = lost.troubles.failing(&words).into_iter();
                lines.map(|line| line.with("server", server.as_str()).with("why", &*why)).collect()
            }
            LinkNews::Back { lost, server } => {
                let line = self.is_over(&lost).and_then(|lost| lost.is_back(&server));
                line.into_iter().collect()
            }
            LinkNews::Gone { lost } => {
                self.is_over(&lost); // another one tells, or nobody wants to know
                vec![]
            }
            LinkNews::Leaving { server } => {
                let words = format!("the server {server} says that it ends soon");
                vec![Line::new(Level::Info, words).with("server", server)]
            }
            _ => vec![],
        }
    }

    /// Notes that there is one connection less that is lost; the server's, where that was the last.
    fn is_over(&mut self, server: &str) -> Option<&mut LostServer> {
        let lost = self.0.get_mut(server)?;
        lost.connections = lost.connections.saturating_sub(1);
        (lost.connections == 0).then_some(lost)
    }
}

impl LostServer {
    fn is_back(&mut self, server: &str) -> Option<Line> {
        let line = self.troubles.working(&format!("connected again to {server}"))?;
        Some(line.with("server", server))
    }
}

/// More than a cluster has. Those with which all is well are forgotten at it.
const SERVERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_to_one_server_are_lost_once_and_back_once() {
        let mut links = Links::default();
        let told = |links: &mut Links, news| shown(&links.hear(news));
        assert_eq!(told(&mut links, lost("a")), ["lost the connection to a (gone); trying again"]);
        assert_eq!(told(&mut links, lost("a")), [""; 0]);
        assert_eq!(told(&mut links, back("a", "b")), [""; 0], "one is still lost");
        let over = told(&mut links, back("a", "b"));
        assert!(matches!(&over[..], [one] if one.starts_with("connected again to b after ")));
    }

    #[test]
    fn servers_are_told_apart() {
        let mut links = Links::default();
        links.hear(lost("a"));
        let lost = shown(&links.hear(lost("b")));
        assert_eq!(lost, ["lost the connection to b (gone); trying again"]);
        assert_eq!(shown(&links.hear(back("a", "c"))).len(), 1);
    }

    #[test]
    fn one_that_nobody_wants_any_more_is_not_waited_for() {
        let mut links = Links::default();
        links.hear(lost("a"));
        let gone = LinkNews::Gone { lost: "a".to_owned() };
        assert_eq!(shown(&links.hear(gone)), [""; 0]);
        let up = LinkNews::Up { server: "a".to_owned() };
        let told = shown(&links.hear(up));
        assert!(matches!(&told[..], [one] if one.starts_with("connected again to a after ")));
    }

    #[test]
    fn a_server_that_comes_and_goes_is_not_told_each_time() {
        let mut links = Links::default();
        let times = (0..100).map(|_| {
            links.hear(lost("a"));
            shown(&links.hear(back("a", "a"))).len()
        });
        assert_eq!(times.sum::<usize>(), 1);
    }

    fn lost(server: &str) -> LinkNews {
        LinkNews::Lost { server: server.to_owned(), why: "gone".to_owned() }
    }

    fn back(lost: &str, server: &str) -> LinkNews {
        LinkNews::Back { lost: lost.to_owned(), server: server.to_owned() }
    }

    /// What is told unless details are asked for.
    fn shown(lines: &[Line]) -> Vec<String> {
        let lines = lines.iter().filter(|line| line.level() > Level::Debug);
        lines.map(Line::shown).collect()
    }
}
