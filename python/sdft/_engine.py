"""The process that computes for one sdft.Model or sdft.run(): calls come over the descriptor named by the first argument, and
results go back. It ends with the process that began it, whatever ends that."""
import multiprocessing.connection
import os
import queue
import signal
import sys
import threading

import _sdft  # beside this file, which is run by its path


def read_calls(connection, calls):
    """In order: a call takes back the interrupt of the one before."""
    try:
        while True:
            call = connection.recv()
            _sdft.interrupt(call is None)
            if call is not None:
                calls.put(call)
    except (EOFError, OSError):
        os._exit(0)


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = multiprocessing.connection.Connection(int(sys.argv[1]))
    calls = queue.SimpleQueue()
    threading.Thread(target=read_calls, args=(connection, calls), daemon=True).start()
    model = None
    while True:
        name, *args = calls.get()
        try:
            if name == "open":
                model = _sdft.ChatModel(*args)
                result = None
            else:
                result = getattr(_sdft if name == "run" else model, name)(*args)
            connection.send((True, result))
        except Exception as error:  # pylint: disable=broad-except
            connection.send((False, error))


main()
