//! `lottery`: tickets on points in the plane.

use crate::program::{data, files, tropix};

#[test]
fn tickets_are_measured_beside_their_originals_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let run = "lottery --toy moons --points 400 --hidden 16 --rates 0.3,0.6 --seeds 3 --epochs 20 --device cpu";
    let report = tropix(folder.path(), &format!("{run} --svg tickets.svg --json")).expect(0, &[]).json();
    let (tickets, summaries) = (report["tickets"].as_array().unwrap(), report["summaries"].as_array().unwrap());
    assert_eq!((tickets.len(), summaries.len(), report["originals"].as_array().unwrap().len()), (24, 8, 3));
    for ticket in tickets {
        let number = |key: &str| ticket[key].as_f64().unwrap();
        assert!(number("orientation") > 0.0 && number("hausdorff") > 0.0, "{ticket}");
        assert!((0.0..=1.0).contains(&number("kept_edges")) && number("disagreement") < 0.5, "{ticket}");
        assert!(number("accuracy") > 0.6, "{ticket}");
    }
    for summary in summaries {
        let start = summary["start"].as_str().unwrap();
        assert_eq!(summary["orientation"]["count"], 3);
        let rival = &summary["rewound"];
        assert_eq!(rival.is_null(), start == "rewound");
        if start != "rewound" {
            assert_eq!(rival["nearer"].as_u64().unwrap() + rival["farther"].as_u64().unwrap(), 3);
            assert!(rival["p"].as_f64().unwrap() >= 0.25, "three seeds prove nothing: {rival}");
        }
    }
    let picture = std::fs::read_to_string(folder.path().join("tickets.svg")).unwrap();
    assert!(picture.contains("60 % gone") && picture.contains("small-normal"));
    // The same seed gives the same numbers; masks from the network before give others, but for the first rate.
    let again = tropix(folder.path(), &format!("{run} --json")).expect(0, &[]).json();
    assert_eq!(again["tickets"], report["tickets"]);
    let iterative = tropix(folder.path(), &format!("{run} --iterative --json")).expect(0, &[]).json();
    let of = |report: &serde_json::Value, rate: f64| -> Vec<serde_json::Value> {
        let tickets = report["tickets"].as_array().unwrap().iter();
        tickets.filter(|ticket| ticket["rate"] == rate && ticket["start"] == "rewound").cloned().collect()
    };
    assert_eq!(of(&iterative, 0.3), of(&report, 0.3));
    assert_ne!(of(&iterative, 0.6), of(&report, 0.6));
    let text = tropix(folder.path(), run).expect(0, &[]).stdout;
    assert!(text.contains("no difference at the level of 5 %: at 30, 60 %"), "{text}");
}

#[test]
fn what_is_no_experiment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, code, part) in [
        (String::new(), 2, "--toy"),
        ("--toy moons --rates 0.5,0.3".to_owned(), 2, "ascending"),
        ("--toy moons --rates 1".to_owned(), 2, "below 1"),
        ("--toy moons --seeds 0".to_owned(), 2, "seeds"),
        ("--toy moons --hidden 0".to_owned(), 2, "hidden"),
        ("--toy moons --svg picture.png".to_owned(), 2, "svg"),
        (format!("--data {}", data()), 65, "784 values"),
        (format!("--data {} --points 7", data()), 2, "without `--toy`"),
    ] {
        tropix(folder.path(), &format!("lottery --device cpu {arguments}")).expect(code, &[part]);
    }
    assert!(files(folder.path()).is_empty());
}
