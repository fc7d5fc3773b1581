//! `warmctl alert test`.

use super::moody::Moody;
use super::receiver::{Conduct, Receiver};
use crate::support::{Home, Warmd, text};

#[test]
fn each_way_is_tried_once_and_told() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let command = "[[alerts]]\nname = \"pager\"\ncommand = [\"sh\", \"-c\", \"cat >/dev/null\"]\n\n";
    let off = "[[alerts]]\nname = \"off\"\ncommand = [\"false\"]\nenabled = false\n\n";
    let home = Home::at_trace(&(receiver.alert("ops", "") + command + off + &cogs.always("llama")));
    let _warmd = home.start();
    let output = home.ctl(&["alert", "test"]);
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    let [ops, pager] = lines.as_slice() else { panic!("{told}") };
    assert!(ops.starts_with(&format!("ops → http://{}: ok in ", receiver.address)), "{ops}");
    assert!(pager.starts_with("pager → sh: ok in "), "{pager}");
    let event = receiver.wait_for(1).remove(0);
    assert_eq!((&event["event"], &event["alert"]), (&"test".into(), &"ops".into()));
    receiver.does(Conduct::Answers(403, Vec::new(), "invalid_token".to_owned()));
    let output = home.ctl(&["alert", "test", "ops", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ops = &told["alerts"][0];
    assert_eq!((&ops["name"], &ops["ok"]), (&"ops".into(), &false.into()));
    assert!(ops["error"].as_str().unwrap().eq("403 Forbidden: \"invalid_token\""), "{told}");
    let output = home.ctl(&["alert", "test", "ops"]);
    let line = format!("ops → http://{}: failed: 403 Forbidden: \"invalid_token\"\n", receiver.address);
    assert_eq!(text(&output.stdout), line);
    // It was tried once each time, and what is counted is what happened.
    assert_eq!(receiver.heard().len(), 3);
    assert_eq!(home.status()["daemon"]["alerts"][0]["failed_attempts"], 0);
    for (name, said) in [("opps", "did you mean `ops`?"), ("off", "is disabled")] {
        let output = home.ctl(&["alert", "test", name]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    home.write(&cogs.always("llama"));
    assert!(home.ctl(&["reload"]).status.success());
    let output = home.ctl(&["alert", "test"]);
    assert!(text(&output.stderr).contains("the configuration has no [[alerts]]"), "{}", text(&output.stderr));
}

#[test]
fn without_its_address_the_daemon_does_not_start_and_says_where_it_looked() {
    let cogs = Moody::start();
    let missing = "[[alerts]]\nwebhook_env = \"NOWHERE\"\ntoken_file = \"/nowhere\"\n\n";
    let home = Home::at_trace(&(missing.to_owned() + &cogs.always("llama")));
    let mut warmd = Warmd::spawn(home.warmd());
    assert_eq!(warmd.ended().code(), Some(78));
    let log = warmd.log().concat();
    assert!(log.contains("no URL: tried $NOWHERE (not set)"), "{log}");
    assert!(log.contains("no token: tried /nowhere (no such file)"), "{log}");
}

#[test]
fn without_a_daemon_it_says_so() {
    let home = Home::at_trace("");
    assert_eq!(home.ctl(&["alert", "test"]).status.code(), Some(69));
}
