//! The users of this machine that a dispatcher's programs run as.
//!
//! Not here: one of them (`user`), and what a program without its user comes to (`process`).

use std::collections::BTreeMap;
use std::os::unix::fs::lchown;
use std::path::Path;

use crate::Config;
use crate::context::CACHES;
use crate::dispatcher::{StartError, WORK, at};
use crate::folder::own;
use crate::user::{User, open_way};

/// The users that programs name, each with a directory that it keeps, and a way to where it works.
/// One that cannot be had is told of with its program, which is not offered. Those `known` are left
/// out.
pub(crate) fn find(
    config: &Config,
    dir: &Path,
    known: &BTreeMap<String, User>,
) -> Result<BTreeMap<String, User>, StartError> {
    let mut users: BTreeMap<String, User> = BTreeMap::new();
    for name in config.programs.values().filter_map(|program| program.surroundings.user.as_deref())
    {
        if known.contains_key(name) || users.contains_key(name) {
            continue;
        }
        let Ok(user) = User::find(name) else { continue };
        if user.is_other() {
            let (caches, cache) = (dir.join(CACHES), dir.join(CACHES).join(&user.name));
            own(&cache).map_err(at(&cache))?;
            lchown(&cache, Some(user.uid), Some(user.gid)).map_err(at(&cache))?;
            for folder in [dir, &caches, &dir.join(WORK)] {
                open_way(folder).map_err(at(folder))?;
            }
        }
        users.insert(name.to_owned(), user);
    }
    Ok(users)
}
