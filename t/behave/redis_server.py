"""A real redis-server of one's own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from servers import DEADLINE, die_with_parent, free_port

BINARY = shutil.which("redis-server")


class Redis:
    def __init__(self, *options):
        self.options = options
        self.dir = tempfile.mkdtemp(prefix="tollgate-redis-")
        self.port = free_port()
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [BINARY, "--port", str(self.port), "--bind", "127.0.0.1",
             "--save", "", "--appendonly", "no", "--dir", self.dir,
             *self.options], stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent)
        end = time.monotonic() + DEADLINE

        while time.monotonic() < end:
            try:
                if self.ask("PING") in ("+PONG", "-NOAUTH Authentication"
                                        " required."):
                    return self
            except OSError:
                time.sleep(0.02)

        raise RuntimeError("redis-server does not start")

    def ask(self, *words):
        """A command, and the first line of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as s:
            s.sendall(("*%d\r\n" % len(words) + "".join(
                "$%d\r\n%s\r\n" % (len(w), w) for w in words)).encode())
            return s.makefile().readline().strip()

    def all(self):
        """Everything it knows, as bytes."""
        out = subprocess.run(["redis-cli", "-p", str(self.port), "--scan"],
                             capture_output=True, text=True)
        dump = [out.stdout]

        for name in out.stdout.split():
            dump.append(subprocess.run(
                ["redis-cli", "-p", str(self.port), "HGETALL", name],
                capture_output=True, text=True).stdout)

        return "".join(dump)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.resume()
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
