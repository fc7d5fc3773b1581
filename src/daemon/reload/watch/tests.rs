use super::*;
use std::fs;
use std::os::unix::fs::symlink;

fn start(path: &Path) -> Watch {
    Watch::start(path, Arc::default())
}

/// All that the system has to say.
fn told(watch: &Watch) -> bool {
    let events = watch.events.as_ref().unwrap().get_ref();
    let mut told = false;
    while let Ok(some) = watch.told(events) {
        told |= some;
    }
    told
}

#[tokio::test]
async fn what_happens_to_others_in_its_folder_is_no_word_of_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("warm.toml");
    fs::write(&path, "a").unwrap();
    let mut watch = start(&path);
    for _ in 0..1_000 {
        fs::write(home.path().join("warmd.db"), "b").unwrap();
    }
    fs::remove_file(home.path().join("warmd.db")).unwrap();
    fs::read(&path).unwrap();
    watch.reading();
    assert!(!told(&watch), "neither of others, nor of being read");
    fs::write(&path, "b").unwrap();
    assert!(told(&watch), "of a write");
    fs::write(home.path().join("new"), "c").unwrap();
    fs::rename(home.path().join("new"), &path).unwrap();
    assert!(told(&watch), "of another that took its place");
    fs::remove_file(&path).unwrap();
    assert!(told(&watch), "of its end");
}

#[tokio::test]
async fn a_link_on_the_way_may_be_swapped_and_its_folder_taken_away() {
    let home = tempfile::tempdir().unwrap();
    for folder in ["1", "2"] {
        fs::create_dir(home.path().join(folder)).unwrap();
        fs::write(home.path().join(folder).join("warm.toml"), folder).unwrap();
    }
    symlink("1", home.path().join("data")).unwrap();
    let mut watch = start(&home.path().join("data/warm.toml"));
    assert!(!told(&watch));
    symlink("2", home.path().join("new")).unwrap();
    fs::rename(home.path().join("new"), home.path().join("data")).unwrap();
    assert!(told(&watch));
    watch.reading();
    told(&watch);
    fs::write(home.path().join("1/warm.toml"), "it is this no more").unwrap();
    assert!(!told(&watch));
    fs::write(home.path().join("2/warm.toml"), "but this").unwrap();
    assert!(told(&watch));
    fs::remove_dir_all(home.path().join("2")).unwrap();
    assert!(told(&watch));
    watch.reading();
    assert!(!told(&watch));
    fs::create_dir(home.path().join("2")).unwrap();
    assert!(told(&watch), "of the folder, made anew");
    watch.reading();
    told(&watch);
    fs::write(home.path().join("2/warm.toml"), "and this again").unwrap();
    assert!(told(&watch));
}

#[tokio::test]
async fn more_than_the_system_keeps_is_word_of_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("warm.toml");
    fs::write(&path, "a").unwrap();
    let mut watch = start(&path);
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let (one, other) = (home.path().join("one"), home.path().join("other"));
    fs::write(&one, "").unwrap();
    // Each is two events, from here and to there.
    for _ in 0..=queue.trim().parse::<usize>().unwrap().div_ceil(4) {
        fs::rename(&one, &other).unwrap();
        fs::rename(&other, &one).unwrap();
    }
    assert!(told(&watch), "nobody knows of what");
    watch.reading();
    assert!(!told(&watch));
}
