//! Who processes are to the servers.

use super::PASSWORD;

/// Who a process is to the servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Users {
    /// Nobody in particular: all may do everything.
    None,
    /// One user does everything, and hears of lost connections.
    One,
    /// The same, and hears of nothing.
    Plain,
    /// A user for each role.
    Roles,
}

impl Users {
    /// Who runs this command, or is this dispatcher.
    pub(super) const fn of(self, role: &str) -> Option<&str> {
        match (self, role.as_bytes()) {
            (Self::None, _) => None,
            (Self::One | Self::Plain, _) => Some("push0"),
            (Self::Roles, b"serve") => Some("engine"),
            (Self::Roles, b"submit" | b"finish" | b"retry") => Some("client"),
            (Self::Roles, b"proofs" | b"status" | b"log" | b"logs" | b"artifacts") => {
                Some("reader")
            }
            (
                Self::Roles,
                b"apply" | b"discard" | b"unpin" | b"drain" | b"cordon" | b"uncordon",
            ) => Some("operator"),
            (Self::Roles, _) => Some(role),
        }
    }
}

/// Of all users that ship.
pub(super) fn passwords() -> Vec<(String, String)> {
    let users = ["ENGINE", "GPU_1", "GPU_2", "CLIENT", "READER", "OPERATOR", "SYSTEM"];
    users.map(|user| (format!("PUSH0_{user}_PASSWORD"), PASSWORD.to_owned())).into()
}

/// The users of a server, with `more` about `e1`.
pub(super) fn users(more: &str) -> String {
    format!(
        "authorization {{ users: [{{ user: push0, password: {PASSWORD} }}, {{ user: e1, password: {PASSWORD}{more} }}] }}"
    )
}
