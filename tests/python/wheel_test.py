"""The wheel's tests: SDFT_ASSETS=assets python tests/python/wheel_test.py, where sdft is installed."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import sdft

ASSETS = pathlib.Path(os.environ["SDFT_ASSETS"]).absolute()
SEED = ASSETS / "mini-seed"
TRAIN = ASSETS / "mini-world" / "delivery_train.jsonl"


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = sdft.Model(SEED)

    def test_generates_and_scores(self):
        prompts = ["Reverse the word apple.", [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello!"}]]
        first, second = self.model.generate(prompts, max_new_tokens=64)
        self.assertEqual(first.finish, "stop")
        self.assertEqual(self.model.generate(prompts[:1], max_new_tokens=64)[0].text, first.text)
        own = self.model.score(prompts[0], first.text)
        other, again = self.model.score([prompts[0]] * 2, ["Bananas are blue.", first.text])
        self.assertEqual(again.log_prob, own.log_prob)
        self.assertGreater(own.log_prob / own.tokens, other.log_prob / other.tokens)

    def test_errors_say_what_the_commands_say(self):
        for wrong, code, text in [(lambda: sdft.Model("/nowhere"), 3, "/nowhere"),
                                  (lambda: self.model.generate([[{"role": "tool", "content": ""}]]), 2, "does not end with"),
                                  (lambda: sdft.run(no_such_key=1), 2, "no_such_key")]:
            with self.assertRaises(sdft.Error) as caught:
                wrong()
            self.assertEqual(caught.exception.code, code)
            self.assertIn(text, str(caught.exception))
        with self.assertRaisesRegex(TypeError, "list of prompts"):
            self.model.generate("Hello!")
        with self.assertRaisesRegex(ValueError, "2 prompts and 1 answers"):
            self.model.score(["a", "b"], ["c"])
        with self.assertRaises(KeyError):
            self.model.generate([[{"role": "user"}]])

    def test_others_run_meanwhile(self):
        counted, over = [0], threading.Event()

        def count():
            while not over.is_set():
                counted[0] += 1
                time.sleep(0.001)
        thread = threading.Thread(target=count)
        thread.start()
        begun = time.time()
        self.model.generate(["Hello!"] * 64, temperature=1, max_new_tokens=200)
        took = time.time() - begun
        over.set()
        thread.join()
        self.assertGreater(counted[0], took * 50)

    def test_a_process_that_is_killed_is_an_error(self):
        model = sdft.Model(SEED)
        model._engine._process.kill()
        with self.assertRaisesRegex(sdft.Error, "has ended"):
            model.generate(["Hello!"])

    def test_torch_may_be_there(self):
        try:
            import torch
        except ImportError:
            self.skipTest("no torch here")
        self.assertEqual(float(torch.ones(3).sum()), 3)
        self.assertEqual(self.model.generate(["Hello!"])[0].finish, "stop")

    def test_threads_get_what_they_would_get_alone(self):
        prompts = [f"Reverse the word {word}." for word in ("apple", "river", "stone", "cloud")]
        alone = [self.model.generate([prompt])[0].text for prompt in prompts]
        together = [None] * len(prompts)

        def ask(i):
            together[i] = self.model.generate([prompts[i]])[0].text
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(prompts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(together, alone)


class Interrupts(unittest.TestCase):
    def test_ctrl_c_stops_and_the_next_call_works(self):
        model = sdft.Model(SEED)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        begun = time.time()
        with self.assertRaises(KeyboardInterrupt):
            while time.time() < begun + 60:
                model.generate(["Hello!"] * 512, temperature=2, max_new_tokens=400)
        self.assertLess(time.time() - begun, 5)
        self.assertEqual(model.generate(["Hello!"])[0].finish, "stop")


    def test_no_process_is_left(self):
        ask = f"""
import sdft
model = sdft.Model({str(SEED)!r})
print(model._engine._process.pid, flush=True)
while True:
    model.generate(["Hello!"] * 512, temperature=2, max_new_tokens=400)
"""
        with subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True) as asker:
            engine = int(asker.stdout.readline())
            time.sleep(0.5)
            asker.kill()
        for _ in range(50):
            if not os.path.exists(f"/proc/{engine}/cmdline") or not pathlib.Path(f"/proc/{engine}/cmdline").read_text():
                return
            time.sleep(0.1)
        self.fail(f"process {engine} goes on")


class Runs(unittest.TestCase):
    def test_runs_and_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "run"
            settings = dict(model_name_or_path=SEED, dataset=TRAIN, output_dir=out, answer_check="answer", max_samples=12,
                            max_new_tokens=24, num_train_epochs=1, lora_rank=2, baseline=True)
            report = sdft.run(**settings)
            self.assertEqual(sdft.run(**settings), report)
            tuned = sdft.Model(SEED, adapter=out / "sdft" / "adapter")
            on = tuned.score("Hello!", "paper, 11, Rondel").log_prob
            tuned.use_adapter(False)
            self.assertNotEqual(tuned.score("Hello!", "paper, 11, Rondel").log_prob, on)


if __name__ == "__main__":
    unittest.main()
