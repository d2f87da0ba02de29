//! Against a fake node: a thread that answers what a test has it answer. Real ones are in the tests
//! of `push0 run`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use push0_core::{BlockHashing, Finality};
use serde_json::{Value, json};

use super::*;
use crate::made;

/// What a fake node has.
#[derive(Clone)]
struct Fake {
    url: String,
    says: Arc<Mutex<Says>>,
}

struct Says {
    chain: u64,
    /// Its blocks, from the first.
    blocks: Vec<String>,
    is_final: u64,
    /// In place of any answer.
    instead: Option<String>,
    asked: usize,
}

impl Fake {
    /// Of the blocks from `first` on.
    fn new(first: u64, count: u64, fields: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v2/S3cret-key", listener.local_addr().expect("it has one"));
        let blocks = made(first, count, fields);
        let is_final = first + count - 1;
        let says = Says { chain: 7, blocks, is_final, instead: None, asked: 0 };
        let says = Arc::new(Mutex::new(says));
        let own = Arc::clone(&says);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = Arc::clone(&own);
                thread::spawn(move || serve(stream, &own));
            }
        });
        Self { url, says }
    }

    fn change(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().expect("nobody panics with it"));
    }
}

fn serve(mut stream: std::net::TcpStream, says: &Mutex<Says>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    loop {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(told) = line.to_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().expect("a number");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the whole question");
        let question: Value = serde_json::from_slice(&body).expect("JSON");
        let answer = says.lock().expect("nobody panics with it").answer(&question);
        let answer = answer.unwrap_or_else(|whole| whole);
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

impl Says {
    /// A whole answer; an error where it is to be sent as it is.
    fn answer(&mut self, question: &Value) -> Result<String, String> {
        self.asked += 1;
        if let Some(instead) = &self.instead {
            return Err(instead.clone());
        }
        let first = self.number(0);
        let result = match question.get("method").and_then(Value::as_str).expect("a method") {
            "eth_chainId" => format!("\"0x{:x}\"", self.chain),
            "eth_blockNumber" => format!("\"0x{:x}\"", first + self.blocks.len() as u64 - 1),
            "eth_getBlockReceipts" => "[{\"status\":\"0x1\"}]".to_owned(),
            _ => {
                let named = question.pointer("/params/0").and_then(Value::as_str).expect("a block");
                let height = match named.strip_prefix("0x") {
                    Some(digits) => u64::from_str_radix(digits, 16).expect("a number"),
                    None => self.is_final,
                };
                let index = usize::try_from(height - first).expect("a small chain");
                self.blocks.get(index).cloned().unwrap_or_else(|| "null".to_owned())
            }
        };
        Ok(http("200 OK", &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}")))
    }

    fn number(&self, index: usize) -> u64 {
        let block: Value =
            serde_json::from_str(self.blocks.get(index).expect("a block")).expect("JSON");
        let number =
            block.get("number").and_then(Value::as_str).and_then(|it| it.strip_prefix("0x"));
        u64::from_str_radix(number.expect("a number"), 16).expect("a number")
    }
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn nodes(fakes: &[&Fake], after: Option<(Height, BlockHash)>) -> NodeBlocks {
    with(fakes, after, Finality::Finalized, NodePayload::Block).expect("they are named")
}

fn with(
    fakes: &[&Fake],
    after: Option<(Height, BlockHash)>,
    finality: Finality,
    payload: NodePayload,
) -> Result<NodeBlocks, SourceError> {
    let http = fakes.iter().map(|fake| fake.url.clone()).collect();
    let node = NodeSource {
        http,
        begins_at_head: false,
        finality,
        poll: Duration::from_millis(50),
        payload,
    };
    let (kind, hash) = (SourceKind::Node(node), BlockHashing::OfHeader);
    let (start, canonical) = (Some(Height(5)), Canonical::ByArrival);
    let source = Source { chain: ChainId(7), kind, hash, start, canonical };
    let rules = Rules { fields: Vec::new(), hashing: hash };
    NodeBlocks::open((&source, rules), after, None)
}

/// The numbers of the blocks that are there now.
fn numbers(nodes: &mut NodeBlocks) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Step::Block(next) = nodes.step().expect("it goes on") {
        numbers.push(next.block.number.0);
    }
    numbers
}

/// Why there is none now.
fn why(nodes: &mut NodeBlocks) -> String {
    match nodes.step().expect("it goes on") {
        Step::Wait { why, .. } => why.unwrap_or_default(),
        Step::Block(next) => panic!("block {}", next.block.number),
        Step::End => panic!("it has no end"),
    }
}

#[test]
fn final_blocks_come_in_order_each_once_and_more_as_they_become_final() {
    let fake = Fake::new(5, 60, &[]);
    fake.change(|says| says.is_final = 44);
    let mut nodes = nodes(&[&fake], None);
    assert_eq!(numbers(&mut nodes), (5..=44).collect::<Vec<_>>());
    assert_eq!(why(&mut nodes), "", "it is not final yet, and nothing is wrong");
    fake.change(|says| says.is_final = 46);
    assert_eq!(numbers(&mut nodes), [45, 46]);
}

#[test]
fn whoever_goes_on_gets_what_is_behind_the_last() {
    let fake = Fake::new(5, 10, &[]);
    let mut first = nodes(&[&fake], None);
    let Ok(Step::Block(five)) = first.step() else { panic!("it is there") };
    let mut next = nodes(&[&fake], Some((Height(5), five.block.hash)));
    assert_eq!(numbers(&mut next), (6..=14).collect::<Vec<_>>());
    let again = next.again(Height(5), five.block.hash).expect("it is there still");
    let Step::Block(again) = again else { panic!("{again:?}") };
    assert_eq!(again, five);
}

#[test]
fn a_block_is_final_once_so_many_are_above_it() {
    let fake = Fake::new(5, 10, &[]);
    let nodes = with(&[&fake], None, Finality::Depth(3), NodePayload::Header);
    assert_eq!(numbers(&mut nodes.expect("it is named")), (5..=11).collect::<Vec<_>>());
}

#[test]
fn receipts_are_of_the_payload() {
    let fake = Fake::new(5, 1, &[]);
    let nodes = with(&[&fake], None, Finality::Safe, NodePayload::BlockAndReceipts);
    let Ok(Step::Block(five)) = nodes.expect("it is named").step() else { panic!("it is there") };
    let payload: Value = serde_json::from_slice(&five.payload).expect("JSON");
    assert_eq!(payload.get("receipts"), Some(&json!([{"status": "0x1"}])));
}

#[test]
fn a_node_of_another_chain_ends_it_and_no_key_is_told() {
    let fake = Fake::new(5, 1, &[]);
    fake.change(|says| says.chain = 8);
    let told = nodes(&[&fake], None).step().expect_err("another chain").to_string();
    assert!(told.contains("of chain 8, and the pipeline of chain 7"), "{told}");
    assert!(told.contains("http://127.0.0.1:") && !told.contains("S3cret"), "{told}");
}

#[test]
fn what_is_no_answer_is_told_without_its_key_and_asked_for_again() {
    let endless = http("200 OK", &format!("\"{}\"", " ".repeat(17 << 20)));
    for (instead, words) in [
        (
            "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "asked too often",
        ),
        ("HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n".to_owned(), "status 503"),
        ("nonsense\r\n\r\n".to_owned(), "does not answer"),
        (http("200 OK", "no JSON"), "no answer"),
        (
            http("200 OK", "{\"error\":{\"code\":-32005,\"message\":\"limit exceeded\"}}"),
            "limit exceeded (-32005)",
        ),
        (endless, "more than 16 MiB"),
    ] {
        let fake = Fake::new(5, 2, &[]);
        fake.change(|says| says.instead = Some(instead));
        let mut nodes = nodes(&[&fake], None);
        let told = why(&mut nodes);
        assert!(told.contains(words) && !told.contains("S3cret"), "{told}");
        fake.change(|says| says.instead = None);
        assert_eq!(numbers(&mut nodes), [5, 6]);
    }
}

#[test]
fn a_block_that_is_not_what_it_says_is_not_given_out() {
    let fake = Fake::new(5, 3, &[]);
    let good = made(5, 3, &[]);
    let bad: Vec<_> = good.iter().map(|block| block.replace("0x1c9c380", "0x1c9c381")).collect();
    fake.change(|says| says.blocks = bad);
    let mut one = nodes(&[&fake], None);
    let told = why(&mut one);
    assert!(told.contains("that is not right: its header's hash is"), "{told}");
    // One that is right, but another than was asked for.
    let shifted = made(6, 3, &[]);
    let five = good.first().cloned().expect("there are three");
    fake.change(|says| says.blocks = std::iter::once(five).chain(shifted).collect());
    fake.change(|says| says.is_final = 6);
    let told = why(&mut one);
    assert!(told.contains("that is not right"), "{told}");
}

#[test]
fn the_next_node_is_asked_where_one_does_not_answer() {
    let (dead, live) = (Fake::new(5, 3, &[]), Fake::new(5, 3, &[]));
    dead.change(|says| {
        says.instead = Some("HTTP/1.1 500 Dead\r\nContent-Length: 0\r\n\r\n".to_owned());
    });
    let mut both = nodes(&[&dead, &live], None);
    assert!(why(&mut both).contains("status 500"));
    assert_eq!(numbers(&mut both), [5, 6, 7]);
    let alone = both.warning().expect("one node vouches alone").to_owned();
    assert!(alone.contains("on the word of") && alone.contains("status 500"), "{alone}");
    let whole = made(5, 5, &[]);
    for fake in [&dead, &live] {
        fake.change(|says| says.instead = None);
        fake.change(|says| (says.blocks, says.is_final) = (whole.clone(), 9));
    }
    assert_eq!(numbers(&mut both), [8, 9]);
    assert_eq!(both.warning(), None, "another has the same again");
}

#[test]
fn what_two_nodes_disagree_about_is_not_given_out_before_they_agree() {
    let (one, other) = (Fake::new(5, 4, &[]), Fake::new(5, 4, &[]));
    let fork = made(5, 4, &["extra".to_owned()]);
    // The same heights with another history: other timestamps.
    let fork: Vec<_> = relinked(&fork, "0x1c9c380", "0x1c9c381");
    other.change(|says| says.blocks.clone_from(&fork));
    let mut both = nodes(&[&one, &other], None);
    for _ in 0..3 {
        assert!(why(&mut both).contains("nodes disagree about block 8"));
    }
    other.change(|says| says.blocks = made(5, 4, &[]));
    assert_eq!(numbers(&mut both), [5, 6, 7, 8]);
    // Once given out, a node that has it otherwise is not followed, and two that have end it.
    let forked = |says: &mut Says| {
        (says.blocks, says.is_final) = (relinked(&made(5, 6, &[]), "0x1c9c380", "0x1c9c381"), 10);
    };
    other.change(forked); // the one that was asked last
    assert!(why(&mut both).contains("contradicts itself or others"));
    one.change(forked);
    let told = both.step().expect_err("all contradict what was final").to_string();
    assert!(told.contains("at height 8, where") && told.contains("was final"), "{told}");
}

#[test]
fn a_second_node_that_is_behind_is_waited_for() {
    let (ahead, behind) = (Fake::new(5, 9, &[]), Fake::new(5, 4, &[]));
    let mut both = nodes(&[&ahead, &behind], None);
    // Of the node that is ahead none, of the other those that both have.
    assert_eq!(why(&mut both), "");
    assert_eq!(numbers(&mut both), [5, 6, 7, 8]);
    assert_eq!(both.warning(), None);
}

/// The same blocks with another gas limit, each the child of the one before.
fn relinked(blocks: &[String], from: &str, to: &str) -> Vec<String> {
    let mut parent: Option<String> = None;
    let relink = |block: &String| {
        let mut block: serde_json::Map<_, _> =
            serde_json::from_str(&block.replace(from, to)).expect("JSON");
        if let Some(parent) = parent.take() {
            block.insert("parentHash".to_owned(), parent.into());
        }
        let object: crate::json::Object = block.clone().into_iter().collect();
        let hash = crate::header::hash(&object).expect("a whole header").to_string();
        block.insert("hash".to_owned(), hash.clone().into());
        parent = Some(hash);
        Value::Object(block).to_string()
    };
    blocks.iter().map(relink).collect()
}
