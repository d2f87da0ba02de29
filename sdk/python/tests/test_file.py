"""The file contract, with real processes."""

import json
import os
import resource
import signal
import time

from support import Room


class TheFileContract(Room):
    def test_a_proof_is_written_whole_with_its_key(self):
        done = self.prove("prove")
        self.assertEqual((done.code, done.out), (0, ""), done)
        made = json.loads(self.read("out"))
        self.assertEqual(list(made), ["format", "vkey", "mock", "public_values", "proof"])
        self.assertEqual((made["format"], made["mock"]), ("push0.result/1", False))
        self.assertEqual((made["public_values"], made["proof"]), ("0x76616c756573", "cHJvb2Y="))
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"in", "out", "cache"})

    def test_a_mock_says_so(self):
        self.prove("prove", TEST_MOCK="1")
        self.assertIs(json.loads(self.read("out"))["mock"], True)

    def test_each_exception_has_its_exit_code(self):
        ones = ["Failure", "TimedOut", "InvalidInput", "Cancelled", "OSError", "ValueError", "Refused"]
        ones += ["SystemExit(0)", "SystemExit(77)", "Sulking", "surrogate", "long", "KeyboardInterrupt"]
        ones += ["nothing", "text", "no-parts", "NaN-parts", "recurse"]
        codes = {"Transient": 75, "Unprovable": 77, "Resource": 137, "MemoryError": 137, "full": 137}
        for what, code in {**dict.fromkeys(ones, 1), **codes}.items():
            with self.subTest(what):
                done = self.prove(what)
                self.assertEqual(done.code, code, done)
                self.assertIn("error: ", done.err)
                self.assertFalse((self.folder / "out").exists())

    def test_what_the_author_did_not_foresee_is_shown_with_its_traceback(self):
        self.assertIn("Traceback", self.prove("ValueError").err)
        self.assertNotIn("Traceback", self.prove("Unprovable").err)

    def test_load_fails_by_class_too(self):
        self.assertEqual(self.prove("prove", TEST_LOAD="Transient").code, 75)
        self.assertEqual(self.prove("prove", TEST_LOAD="ValueError").code, 1)

    def test_what_is_printed_goes_to_stderr(self):
        done = self.prove("print")
        self.assertEqual((done.code, done.out), (0, ""), done)
        for words in ("an import", "by load", "first stdout", "descriptor 1", "from a child", '{"done"'):
            self.assertIn(words, done.err)

    def test_progress_is_told_on_stdout(self):
        child = self.start(["-i", self.write("in", b"5"), "-o", self.path("out"), "wait"])
        self.assertEqual(child.stdout.readline(), b"progress 0.5000\n")

    def test_the_task_is_told_by_the_environment(self):
        env = {"PUSH0_TASK": "2a", "PUSH0_ATTEMPT": "7", "PUSH0_STAGE": "leaf", "PUSH0_DEADLINE": "60000"}
        self.assertEqual(self.prove("show", **env).code, 0)
        self.assertEqual(self.read("out"), b"['2a', 7, 'leaf', ('show',), True]")
        self.assertEqual(self.prove("show").code, 0)
        self.assertEqual(self.read("out"), b"['', 0, '', ('show',), False]")
        self.assertEqual(self.prove("show", PUSH0_DEADLINE="soon").code, 1)

    def test_parts_are_a_json_array(self):
        self.assertEqual(self.prove("parts").code, 0)
        self.assertEqual(json.loads(self.read("out")), [1, {"two": 2}])

    def test_raw_input_and_numbers_are_given_as_they_are(self):
        for data in (b"\xff\x00", b'{"push0":1', b'{"push0":true,"items":[]}', b'{"a":{"push0":1,"items":[]}}'):
            self.assertEqual(self.prove("raw", data).code, 0)
            self.assertEqual(self.read("out"), data)
        self.assertEqual(self.prove("number", b"16525000\n").code, 0)
        self.assertEqual(self.read("out"), b"16525000")
        self.assertEqual(self.prove("number", b"-1").code, 1)

    def test_a_thread_that_lives_on_does_not_hold_the_process(self):
        began = time.monotonic()
        self.assertEqual(self.prove("thread").code, 0)
        self.assertLess(time.monotonic() - began, 30)

    def test_an_output_that_cannot_be_written_is_transient(self):
        paths = ["-i", self.write("in", b"5"), "-o", self.path("nowhere/out")]
        self.assertEqual(self.run_to_end([*paths, "prove"]).code, 75)

    def test_an_output_that_cannot_be_written_leaves_nothing_behind_and_all_as_it_was(self):
        self.write("out", b"before")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            child = self.start(["-i", self.path("out"), "-o", self.path("out"), "prove"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        child.communicate(timeout=60)
        self.assertEqual((child.returncode, self.read("out")), (75, b"before"))
        os.mkdir(self.path("folder"))
        paths = ["-i", self.path("out"), "-o", self.path("folder")]
        self.assertEqual(self.run_to_end([*paths, "prove"]).code, 75)
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"cache", "folder", "out"})


class Signals(Room):
    def test_sigterm_cancels_and_cleans_up(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            child, err = self.stopped("sleep", number)
            self.assertEqual(child.returncode, -number)
            self.assertIn(b"cleaned up", err)
            self.assertNotIn(b"caught", err)
            self.assertNotIn(b"Traceback", err)

    def test_native_code_cannot_outstay_a_sigterm(self):
        child, _ = self.stopped("native", signal.SIGTERM)
        self.assertIn(child.returncode, (-signal.SIGTERM, 128 + signal.SIGTERM))

    def test_a_signal_to_a_fork_is_none_to_its_parent(self):
        self.assertEqual(self.prove("fork").code, 0)
        self.assertEqual(self.read("out"), b"-15")

    def stopped(self, what, number):
        child = self.start(["-i", self.write("in", b"5"), "-o", self.path("out"), what])
        self.assertEqual(child.stdout.readline(), b"progress 0.5000\n")
        child.send_signal(number)
        _, err = child.communicate(timeout=30)
        self.assertFalse((self.folder / "out").exists())
        return child, err


class TheCommandLine(Room):
    def test_half_a_command_line_is_refused(self):
        for args in (["-i", "a"], ["-o", "a"], ["verify"], ["-i"], ["-i", "a", "-o", "b", "-i", "c"]):
            done = self.run_to_end(args)
            self.assertEqual((done.code, done.out), (2, "printed by an import\n"), args)
            self.assertIn("error: ", done.err)

    def test_help_says_how_it_is_used(self):
        done = self.run_to_end(["--help"])
        self.assertEqual(done.code, 0)
        self.assertIn("Does as it is told.", done.out)
        self.assertIn('{"refused":"why"}', done.out)

    def test_main_takes_a_class(self):
        text = HALF.replace("main(Half)", "main(5)")
        done = self.run_to_end([], script=self.write("five.py", text.encode()))
        self.assertEqual(done.code, 1)
        self.assertIn("main takes the class of a prover, not 5", done.err)

    def test_a_class_that_misses_a_method_is_told(self):
        script = self.write("half.py", HALF.encode())
        paths = ["-i", self.write("in", b"5"), "-o", self.path("out")]
        done = self.run_to_end(paths, script=script)
        self.assertEqual(done.code, 1)
        self.assertIn("verify", done.err)


HALF = """
from push0_prover import Proof, Prover, main
class Half(Prover):
    def vkey(self): return None
    def prove(self, task, progress): return Proof(b"", b"")
main(Half)
"""
