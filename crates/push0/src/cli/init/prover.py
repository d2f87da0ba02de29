#!/usr/bin/env python3
"""Proves that it knows the integer square root of a block's number. Put what you prove in place of it.

  prover.py --input-path TASK --output-path RESULT      proves: exit 0 with a result, or 77 if there is no proof
  prover.py verify --input-path ENVELOPE                judges: one line of JSON says what it finds
"""
import base64
import hashlib
import json
import math
import sys

VKEY = "sha256:" + hashlib.sha256(b"square root/1").hexdigest()  # changes when what is proved changes


def flag(name):
    return sys.argv[sys.argv.index(name) + 1]


def prove():
    with open(flag("--input-path")) as file:
        (block,) = json.load(file)["items"]  # "path" is the block's file; "key" says which block it is
    number = block["key"]["first"]
    result = {
        "format": "push0.result/1",
        "vkey": VKEY,
        "mock": False,
        "public_values": "0x" + str(number).encode().hex(),  # what the proof is about
        "proof": base64.b64encode(str(math.isqrt(number)).encode()).decode(),
    }
    with open(flag("--output-path"), "w") as file:
        json.dump(result, file)


def verify():
    with open(flag("--input-path")) as file:
        envelope = json.load(file)
    try:
        number = int(bytes.fromhex(envelope["public_values"][2:]).decode())
        root = int(base64.b64decode(envelope["proof"], validate=True).decode())
    except ValueError:
        return {"refused": "its public values or its proof are no numbers"}
    if math.isqrt(number) != root:
        return {"refused": "that is not its root"}
    if number != envelope["key"]["first"]:  # a valid proof of something else
        return {"refused": "it is about another block"}
    return {"vkey": VKEY, "claim": {"number": number}}


if sys.argv[1:2] == ["verify"]:
    print(json.dumps(verify()))
else:
    prove()
