//! What a process is to the cluster, as far as NATS can keep the roles apart.
//!
//! Not here: what each may publish and hear (`docs/nats.md`, `deploy/nats-roles.conf`).

/// What a process is to the cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// Keeps the log.
    Engine,
    /// Runs provers; asks nobody anything.
    Dispatcher,
    /// Has engines prove blocks.
    Client,
    /// Reads the log, and asks engines how far they are.
    Reader,
    /// Reads the log, and has engines do what changes how they go on.
    Operator,
}

impl Role {
    /// Where answers come to: a place of its own for each role, so that a user who may hear those
    /// of one hears none of another.
    pub(super) fn inbox(self, prefix: &str) -> String {
        let role = match self {
            Self::Engine => "engine",
            Self::Dispatcher => "dispatcher",
            Self::Client => "client",
            Self::Reader => "reader",
            Self::Operator => "operator",
        };
        format!("{INBOX}.{prefix}.{role}")
    }
}

/// Whether `subject` is one where somebody waits for an answer: `_R_` and `_GR_` are where servers
/// carry one to another account or cluster. A question that is to be answered anywhere else may
/// name the log's subjects.
pub(super) fn is_inbox(subject: &str) -> bool {
    let first = subject.split('.').next().unwrap_or_default();
    [INBOX, "_R_", "_GR_"].contains(&first)
}

/// What inboxes begin with.
pub(super) const INBOX: &str = "_INBOX";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_clusters_own_is_an_inbox() {
        assert!(is_inbox(&format!("{}.abc.def", Role::Client.inbox("push0"))));
        assert!(is_inbox("_R_.abcdef.1"));
        for subject in
            ["push0.log.a.b", "push0.engine.beat", "$JS.API.STREAM.PURGE.push0", "_INBOXES.a"]
        {
            assert!(!is_inbox(subject), "{subject}");
        }
    }
}
