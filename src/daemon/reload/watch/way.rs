//! The way to a file: what has to stay as it is for its path to lead to the same file.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux itself follows.
const LINKS: usize = 40;

/// By the folders that they are in, every link on the way, be it to the file or to a folder, and the file; or the
/// first of them that is not there.
pub(super) fn to(path: &Path) -> HashMap<PathBuf, HashSet<OsString>> {
    let mut way: HashMap<PathBuf, HashSet<OsString>> = HashMap::new();
    let mut ahead: VecDeque<PathBuf> = parts(path);
    let mut at = PathBuf::from(".");
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        let Some(Component::Normal(name)) = part.components().next() else {
            // The root, or the folder above: there are no links in what lies behind.
            at.push(part);
            continue;
        };
        let target = std::fs::read_link(at.join(name));
        let missing = target.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if target.is_ok() || missing || ahead.is_empty() {
            way.entry(at.clone()).or_default().insert(name.to_owned());
        }
        match target {
            Ok(target) if links < LINKS => {
                links += 1;
                for part in parts(&target).into_iter().rev() {
                    ahead.push_front(part);
                }
            }
            Err(_) if missing => break,
            Ok(_) | Err(_) => at.push(name),
        }
    }
    way
}

fn parts(path: &Path) -> VecDeque<PathBuf> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn told(path: &Path, home: &Path) -> Vec<String> {
        let mut told = Vec::new();
        for (folder, names) in to(path) {
            let folder = folder.canonicalize().unwrap();
            let folder = folder.strip_prefix(home).unwrap().display().to_string();
            told.extend(names.iter().map(|name| format!("{folder}:{}", name.display())));
        }
        told.sort();
        told
    }

    #[test]
    fn every_link_and_the_file_are_on_the_way_each_in_its_folder() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        // As a cluster mounts a configuration.
        std::fs::create_dir_all(home.join("etc/..1")).unwrap();
        std::fs::write(home.join("etc/..1/warm.toml"), "").unwrap();
        symlink("..1", home.join("etc/..data")).unwrap();
        symlink("..data/warm.toml", home.join("etc/warm.toml")).unwrap();
        symlink(home.join("etc"), home.join("conf")).unwrap();
        symlink("../conf/./warm.toml", home.join("etc/again.toml")).unwrap();
        assert_eq!(told(&home.join("etc/..1/warm.toml"), &home), ["etc/..1:warm.toml"]);
        assert_eq!(
            told(&home.join("etc/warm.toml"), &home),
            ["etc/..1:warm.toml", "etc:..data", "etc:warm.toml"]
        );
        assert_eq!(
            told(&home.join("etc/again.toml"), &home),
            [":conf", "etc/..1:warm.toml", "etc:..data", "etc:again.toml", "etc:warm.toml"]
        );
        assert_eq!(told(&home.join("etc/none.toml"), &home), ["etc:none.toml"]);
        assert_eq!(told(&home.join("none/warm.toml"), &home), [":none"]);
    }

    #[test]
    fn links_in_a_circle_end() {
        let home = tempfile::tempdir().unwrap();
        symlink("b", home.path().join("a")).unwrap();
        symlink("a", home.path().join("b")).unwrap();
        assert_eq!(to(&home.path().join("a"))[home.path()].len(), 2);
    }

    #[test]
    fn a_path_may_be_relative() {
        let way = to(Path::new("warm.toml"));
        assert_eq!(way[Path::new(".")], HashSet::from([OsString::from("warm.toml")]));
        assert_eq!(to(Path::new("../warm.toml")).keys().next(), Some(&PathBuf::from("./..")));
    }
}
