//! Headers of every fork that has added a field, with their hashes.
//!
//! The first is the genesis of Ethereum's mainnet, and the last a block of a public test network
//! that reth made. The others were made by go-ethereum on the test chain of the execution API's
//! conformance tests; their hashes are its own.

use serde_json::{Value, json};

fn zeros(bytes: usize) -> String {
    format!("0x{}", "00".repeat(bytes))
}

/// A bloom filter of these bytes, each at its place, and zeros.
fn bloom(bytes: &[(usize, u8)]) -> String {
    let mut bloom = [0_u8; 256];
    for (place, byte) in bytes {
        *bloom.get_mut(*place).expect("a place") = *byte;
    }
    format!("0x{}", hex::encode(bloom))
}

/// Ethereum mainnet's genesis.
pub(super) fn frontier() -> Value {
    json!({
        "number": "0x0", "parentHash": zeros(32), "sha3Uncles": NO_UNCLES, "miner": zeros(20),
        "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
        "transactionsRoot": EMPTY, "receiptsRoot": EMPTY, "logsBloom": zeros(256),
        "difficulty": "0x400000000", "gasLimit": "0x1388", "gasUsed": "0x0", "timestamp": "0x0",
        "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
        "mixHash": zeros(32), "nonce": "0x0000000000000042",
        "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    })
}

pub(super) fn shanghai() -> Value {
    json!({
        "number": "0x27", "sha3Uncles": NO_UNCLES, "miner": zeros(20), "mixHash": zeros(32),
        "parentHash": "0x42e8850f25f4b485ec41ca5fd1b739396101b9e342f8751360eda2c23f2e59c7",
        "stateRoot": "0xe08e279cf4a1d63c0124fd6360acab3df93d4949319c80b44701834d5c44e72f",
        "transactionsRoot": "0xecb17a94f7359cafb2f558ca27410833feaa72f92c3b88dd810874921ecaba0f",
        "receiptsRoot": "0xd8b031b7eaf79c70b378523ef39d37bcae47cab5e8d93e080d7b124f0504f1aa",
        "logsBloom": bloom(SHANGHAI_BLOOM), "difficulty": "0x0", "gasLimit": "0xbebc200",
        "gasUsed": "0x3923b", "timestamp": "0x186", "extraData": "0x", "nonce": zeros(8),
        "baseFeePerGas": "0xc0c00f7",
        "withdrawalsRoot": "0x0cbd4206b2131f21f541589e2bb2ad8cfceb1875f04acde910ea91933245f92b",
        "hash": "0x75e13732ba750526a8363ffaa970fa602e883780efcc68beaa43b0c1733637a4",
    })
}

pub(super) fn cancun() -> Value {
    json!({
        "number": "0x2a", "sha3Uncles": NO_UNCLES, "miner": zeros(20), "mixHash": zeros(32),
        "parentHash": "0x3f48caa9f008fc368c54449bcf5866229a4d394c52d12ae860290a74c05e6a1d",
        "stateRoot": "0xd57890add22fbbfd3817dadf352b60e49056d43fa7aaba115e1eb32058d84c1b",
        "transactionsRoot": "0xa50f8a5695bda2c18ead4c929e13c5a1ec409a2ea2a0d4ceaf2eaa116e54257a",
        "receiptsRoot": "0xd986dfa6b469d59e2b16338ad9b4e757dd3d29deda9676d4d1dde8ec7721ea54",
        "logsBloom": bloom(CANCUN_BLOOM), "difficulty": "0x0", "gasLimit": "0xbebc200",
        "gasUsed": "0x3b27a", "timestamp": "0x1a4", "extraData": "0x", "nonce": zeros(8),
        "baseFeePerGas": "0x813ba56", "withdrawalsRoot": EMPTY, "blobGasUsed": "0x20000",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": "0x83472eda6eb475906aeeb7f09e757ba9f6663b9f6a5bf8611d6306f677f67ebd",
        "hash": "0x0f301cfeb1ba6f4ebfb246a350357f7c136adf5aa77b464e422b8a1059565bad",
    })
}

pub(super) fn prague() -> Value {
    json!({
        "number": "0x2d", "sha3Uncles": NO_UNCLES, "miner": zeros(20), "mixHash": zeros(32),
        "parentHash": "0x5728fa3c576e9a3752567c117c855c453c366645ed30f9490bb30b230a99b751",
        "stateRoot": "0x56852e5aa0d8282b17c5bf8bc232b237080bd5d8bd2bca5ea885a222ebc9d281",
        "transactionsRoot": "0xe5dd57ce3d51101d81f5dd866b2c0a878d44245ef8f96836c07210a529b0a438",
        "receiptsRoot": "0x2c86b2791cdd088d3c3e9d6225f71724d3e8c67bdd13cd6208831058cee1043f",
        "logsBloom": bloom(PRAGUE_BLOOM), "difficulty": "0x0", "gasLimit": "0xbebc200",
        "gasUsed": "0x54a92", "timestamp": "0x1c2", "extraData": "0x", "nonce": zeros(8),
        "baseFeePerGas": "0x56a6c98", "withdrawalsRoot": EMPTY, "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": "0x4b118bd31ed2c4eeb81dc9e3919e9989994333fe36f147c2930f12c53f0d3c78",
        "requestsHash": "0x57cac3e52cdcd73e52bd9e54956e0eae370f00ed41f68edc78266bdb46c3a543",
        "hash": "0xe02dd6dfcd01b2afca0e56cd1d09535398be984b97b3e8be7bfba38ea17fc633",
    })
}

pub(super) fn amsterdam() -> Value {
    json!({
        "number": "0xc0", "sha3Uncles": NO_UNCLES, "nonce": zeros(8), "logsBloom": zeros(256),
        "miner": "0x8943545177806ed17b9f23f0a21ee5948ecaa776",
        "mixHash": "0x27184df4d2e2182675a2310a546d32e0d74a7accd4fbeafa84a903cd489dd40c",
        "parentHash": "0x2648510bb7819909b36373a3a2ccda82a51a0c8b154d03ff7710ef8d64b689e6",
        "stateRoot": "0x2338ab0cb5b76db31251fc2352e9142fd8b2bf19de6ac4a3c201b84d6ba737d3",
        "transactionsRoot": EMPTY, "receiptsRoot": EMPTY, "difficulty": "0x0", "gasLimit": "0xbebc200",
        "gasUsed": "0x0", "timestamp": "0x6abd0dcb", "extraData": "0x726574682f76322e372e302f6c696e7578",
        "baseFeePerGas": "0x7", "withdrawalsRoot": EMPTY, "blobGasUsed": "0x0", "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": "0x1214de134cf32c261ff3c2b6f96435016e9b98bf7dcd4870ad0009a2acf79974",
        "requestsHash": "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "blockAccessListHash": "0x1d33a17375e8dd0aef5da65c3f51422043f1c40d52eceaaca238cc92501aa32e",
        "slotNumber": "0xc0",
        "hash": "0x86e1583ca604ce5de648b44c41fb309b8dfe72ab21b57ad9f12eb0d92ac991f8",
    })
}

/// The first block of ZKsync Era's mainnet, whose hash is not that of its header.
pub(super) fn zksync() -> Value {
    json!({
        "hash": "0x51f81bcdfc324a0dff2b5bec9d92e21cbebc4d5e29d3a3d30de3e03fbeab8d7f",
        "parentHash": "0xe8e77626586f73b955364c7b4bbf0bb7f7685ebd40e852b164633a4acbd3244c",
        "sha3Uncles": NO_UNCLES, "miner": zeros(20), "stateRoot": zeros(32),
        "transactionsRoot": zeros(32), "receiptsRoot": zeros(32), "number": "0x1",
        "l1BatchNumber": "0x1", "gasUsed": "0x19bfcc00", "gasLimit": "0xffffffff",
        "baseFeePerGas": "0x1dcd6500", "extraData": "0x", "logsBloom": zeros(256),
        "timestamp": "0x63eb991e", "l1BatchTimestamp": "0x63eb991e", "difficulty": "0x0",
        "totalDifficulty": "0x0", "sealFields": [], "uncles": [], "transactions": [], "size": "0x0",
        "mixHash": zeros(32), "nonce": zeros(8),
    })
}

const NO_UNCLES: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";
const EMPTY: &str = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
const SHANGHAI_BLOOM: &[(usize, u8)] = &[
    (3, 0x08),
    (10, 0x10),
    (16, 0x01),
    (25, 0x01),
    (28, 0x80),
    (44, 0x40),
    (45, 0x04),
    (50, 0x48),
    (51, 0x10),
    (62, 0x40),
    (66, 0x80),
    (69, 0x10),
    (74, 0x40),
    (76, 0x20),
    (80, 0x02),
    (95, 0x20),
    (97, 0x01),
    (100, 0x40),
    (103, 0x08),
    (114, 0x20),
    (117, 0x10),
    (124, 0x08),
    (128, 0x01),
    (135, 0x80),
    (136, 0x20),
    (144, 0x10),
    (149, 0x01),
    (151, 0x02),
    (162, 0x08),
    (167, 0x91),
    (172, 0x02),
    (173, 0x20),
    (187, 0x04),
    (199, 0x10),
    (206, 0x40),
    (210, 0x80),
    (214, 0x20),
    (250, 0x01),
    (254, 0x01),
];
const CANCUN_BLOOM: &[(usize, u8)] = &[
    (23, 0x01),
    (28, 0x80),
    (74, 0x40),
    (80, 0x02),
    (95, 0x20),
    (134, 0x02),
    (139, 0x08),
    (145, 0x08),
    (167, 0x90),
    (238, 0x04),
    (244, 0x10),
];
const PRAGUE_BLOOM: &[(usize, u8)] = &[
    (5, 0x80),
    (15, 0x40),
    (28, 0x80),
    (36, 0x08),
    (74, 0x40),
    (79, 0x02),
    (80, 0x02),
    (95, 0x20),
    (122, 0x01),
    (167, 0x90),
    (179, 0x20),
];
