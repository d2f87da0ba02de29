"""What a prover reads: bundles, their items, and the bounds on both."""

import json
import os

from support import Room

from push0_prover import InvalidInput, Item, Key, ResultFile, Task, Unprovable
from push0_prover._task import read_bounded


class Inputs(Room):
    def test_items_are_read_and_checked(self):
        done = self.prove("items", self.bundle())
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.read("out"), b"[{'number': 5}, b'p', b'v']")

    def test_a_damaged_or_missing_item_is_not_the_tasks_fault(self):
        for damage in (lambda: self.write("block", b'{"number": 6}'), lambda: os.unlink(self.path("block"))):
            bundle = self.bundle()
            damage()
            self.assertEqual(self.prove("items", bundle).code, 75)

    def test_a_bundle_that_is_none_is_an_invalid_input(self):
        good = json.loads(self.bundle())
        for change in (
            {"push0": 2},
            {"items": {}},
            {"items": [{}]},
            {"items": [{**good["items"][0], "sha256": "ab"}]},
            {"items": [{**good["items"][0], "path": 5}]},
            {"items": [{**good["items"][0], "public_values": "0xa"}]},
            {"items": [{**good["items"][0], "key": {"chain": -1}}]},
        ):
            done = self.prove("items", json.dumps({**good, **change}).encode())
            self.assertEqual(done.code, 1, done)
            self.assertIn("(invalid_input)", done.err)

    def test_fields_of_a_newer_push0_are_passed_over(self):
        bundle = json.loads(self.bundle())
        bundle["items"][0]["more"] = bundle["more"] = 1
        self.assertEqual(self.prove("items", json.dumps(bundle).encode()).code, 0)

    def test_a_pipeline_that_gives_something_else_is_told(self):
        done = self.prove("items", b"5")
        self.assertIn('needs give = "bundle"', done.err)
        done = self.prove("raw", self.bundle())
        self.assertIn('needs give = "raw"', done.err)

    def test_more_than_the_bound_is_over_a_limit_of_the_prover(self):
        self.assertEqual(self.prove("raw", b"x" * 101, TEST_BYTES_MAX="100").code, 77)
        self.assertEqual(self.prove("raw", b"x" * 100, TEST_BYTES_MAX="100").code, 0)
        item = json.dumps({"pad": "x" * 9000}).encode()
        bundle = json.dumps({"push0": 1, "items": [self.item("b", item).to_json()] * 2}).encode()
        self.assertEqual(self.prove("items", bundle, TEST_BYTES_MAX="8000").code, 77)

    def test_what_is_no_file_is_not_waited_for(self):
        os.mkfifo(self.path("pipe"))
        for path in (self.path("pipe"), "/dev/zero", self.path("")):
            done = self.run_to_end(["-i", path, "-o", self.path("out"), "raw"])
            self.assertEqual(done.code, 75, done)

    def test_a_deep_or_huge_number_of_json_ends_well(self):
        deep = b'{"push0":1,"items":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        self.assertEqual(self.prove("raw", deep).code, 0)
        huge = b'{"push0":1,"items":[' + b"9" * 500_000 + b"]}"
        self.assertEqual(self.prove("raw", huge).code, 0)

    def test_an_author_may_make_tasks_for_own_tests(self):
        key = Key(chain=1, first=5, last=5, tip="0x" + "00" * 32)
        result = ResultFile(vkey=None, mock=False, public_values=b"v", proof=b"p")
        task = Task(input_items=(Item.of(key, b"{}"), Item.of(key, result.encode(), task="2a")))
        self.assertEqual(task.items[0].json(), {})
        self.assertEqual(task.items[1].result(), result)
        with self.assertRaises(InvalidInput):
            task.items[0].result()
        with self.assertRaises(InvalidInput):
            Item.of(key, b"{").json()
        with self.assertRaises(InvalidInput):
            Item.of(key, b"{}", task="2a").result()

    def test_a_file_that_grows_is_cut_off(self):
        with self.assertRaises(Unprovable):
            read_bounded(self.write("a", b"12345"), 4)

    def bundle(self):
        result = ResultFile(vkey=None, mock=False, public_values=b"v", proof=b"p").encode()
        items = [
            self.item("block", b'{"number": 5}'),
            self.item("result", result, task="2a", program="p", public_values=b"v"),
        ]
        return json.dumps({"push0": 1, "items": [item.to_json() for item in items]}).encode()
