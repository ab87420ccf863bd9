"""tokenizer_peer.py TOKENIZER_JSON TEXT_FILE: Hugging Face tokenizers on the lines of a text, as tokenizer_bench does."""
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402  (reads the variable)

tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
with open(sys.argv[2], encoding="utf-8", newline="") as file:
    text = file.read()
lines = text.splitlines(keepends=True) if "\r" not in text else text.split("\n")
size = len(text.encode())


def report(what, tokens, seconds):
    print(f"{what:22} {size / 1e6 / seconds:8.2f} MB/s {tokens / 1e6 / seconds:9.2f} Mtoken/s {seconds:8.3f} s")


start = time.perf_counter()
batch = tokenizer.encode_batch_fast(lines, add_special_tokens=False)
seconds = time.perf_counter() - start
report("encode_batch_fast", sum(len(line) for line in batch), seconds)
del batch
start = time.perf_counter()
tokens = sum(len(tokenizer.encode(line, add_special_tokens=False)) for line in lines)
report("encode, line by line", tokens, time.perf_counter() - start)
