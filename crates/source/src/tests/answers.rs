//! Block files that hold a node's answers, as it gave them.

use super::*;

#[test]
fn a_nodes_answers_are_taken_as_they_come() {
    let blocks = chain(4);
    let plain = read(&lines(&blocks), &[]).expect("a chain");
    let answer = |block: &Value| json!({"jsonrpc": "2.0", "id": 1, "result": block});
    let answers: Vec<_> = blocks.iter().map(answer).collect();
    assert_eq!(read(&lines(&answers), &[]).expect("a chain"), plain);
    let batches = [json!(answers.get(..2)), json!(answers.get(2..))];
    assert_eq!(read(&lines(&batches), &[]).expect("a chain"), plain);
    // In any order, as a node may; and as one list.
    let turned: Vec<_> = answers.iter().rev().collect();
    assert_eq!(read(&lines(&[json!(turned)]), &[]).expect("a chain"), plain);
    let mut turned = blocks.clone();
    turned.reverse();
    assert_eq!(read(&lines(&[json!({ "result": turned })]), &[]).expect("a chain"), plain);
    assert_eq!(read(&lines(&[json!(turned)]), &[]).expect("a chain"), plain);
    // What a node adds, and how it writes, stays: the payload is the block's own bytes.
    let spaced = lines(&blocks);
    let spaced = str::from_utf8(&spaced).expect("text").lines().next().expect("a line");
    let line = format!(" {{ \"id\" : 1 , \"result\" : {} }} ", spaced.replace(',', " , "));
    let read = read(line.as_bytes(), &[]).expect("a block");
    let payload = read.first().map(|block| block.payload.clone()).expect("one");
    assert_eq!(String::from_utf8(payload).expect("text"), spaced.replace(',', " , "));
}

#[test]
fn answers_over_several_lines_are_refused_with_what_makes_them_one_a_line() {
    let blocks = chain(2);
    let answers: Vec<_> = blocks.iter().map(|block| json!({ "result": block })).collect();
    for (document, remedy) in [
        (json!(answers), "`jq -c '.[]' FILE`"),
        (json!({ "result": blocks }), "jq -c ."),
        (json!({ "result": blocks.first() }), "jq -c ."),
    ] {
        let text = serde_json::to_vec_pretty(&document).expect("JSON");
        let error = read(&text, &[]).expect_err("no line is whole").to_string();
        assert!(error.contains(remedy) && error.contains("(FILE:1)"), "{error}");
    }
}

#[test]
fn a_nodes_error_is_quoted_with_its_line() {
    let block = chain(1).remove(0);
    for (answer, said) in [
        (
            json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "rate limit\u{202e}\n"}}),
            "a node's error, and no block: \"rate limit\\u{202e}\\n\" (code -32005) (FILE:2)",
        ),
        (json!({"error": "no such key"}), "a node's error, and no block: \"no such key\" (FILE:2)"),
        (
            json!({"jsonrpc": "2.0", "id": 1, "result": null}),
            "the answer of a node that has no such block: its `result` is null (FILE:2)",
        ),
        (json!([]), "an empty batch of answers (FILE:2)"),
        (
            json!({"jsonrpc": "2.0", "id": 1, "result": "0x64"}),
            "no block: invalid type: string \"0x64\", expected an object (FILE:2)",
        ),
    ] {
        let error = read(&lines(&[block.clone(), answer]), &[]).expect_err("no block").to_string();
        assert!(error.starts_with(said), "{error}");
    }
}
