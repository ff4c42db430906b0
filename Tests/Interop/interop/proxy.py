"""A TCP relay whose connections can be cut: what a network fault looks like from both ends."""

import select
import socket
import threading


class Proxy:
    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.refusing = False
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.refusing:
                    inner.close()
                    continue
                try:
                    outer = socket.create_connection(("127.0.0.1", self.target), 5)
                except OSError:
                    inner.close()
                    continue
                self.pairs.append((inner, outer))
            threading.Thread(target=self._relay, args=(inner, outer), daemon=True).start()

    def _relay(self, inner, outer):
        peers = {inner: outer, outer: inner}
        try:
            while True:
                for ready in select.select([inner, outer], [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    peers[ready].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            for end in (inner, outer):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()

    def cut(self, refuse=False):
        """Ends every connection; with `refuse` new ones end at once until `heal`."""
        with self.lock:
            self.refusing = refuse
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def heal(self):
        with self.lock:
            self.refusing = False

    def close(self):
        self.listener.close()
        self.cut(refuse=True)
