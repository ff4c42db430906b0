"""A TCP relay whose connections can be cut: what a network fault looks like from both ends."""

import select
import socket
import threading
import time


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


class Wires:
    """Relays between the servers of an ensemble, one for each direction of dialling and port, whose flows can be stopped.

    A stopped flow loses nothing and ends nothing: its bytes wait, as on a network that is down for a while. New connections
    are taken, and nothing is heard on them either.
    """

    #: How long one that is patient for its dialler tries.
    PATIENCE = 0.5

    def __init__(self, ports, patient_for=()):
        """`ports`: id -> ports of that server, in an order of the caller's.

        A relay cannot refuse a connection as a server does that does not listen yet: it takes it, and ends it. For diallers
        in `patient_for`, who try again only what was refused, it tries itself, for as long as they would.
        """
        self.patient_for = set(patient_for)
        self.condition = threading.Condition()
        self.stopped = set()
        self.is_closed = False
        self.listeners = {}
        self.sockets = set()
        for source in ports:
            for target in ports:
                if source == target:
                    continue
                for index, port in enumerate(ports[target]):
                    listener = socket.create_server(("127.0.0.1", 0))
                    self.listeners[source, target, index] = listener
                    threading.Thread(target=self._accept, args=(listener, source, target, port), daemon=True).start()

    def ports(self, source, target):
        """Where `source` is to dial `target`."""
        return [listener.getsockname()[1] for (one, other, _), listener in sorted(self.listeners.items())
                if (one, other) == (source, target)]

    def stop(self, sources, targets, both=True):
        """Nothing goes from any of the sources to any of the targets any more, and nothing back unless told otherwise."""
        with self.condition:
            for source in sources:
                for target in targets:
                    self.stopped.add((source, target))
                    if both:
                        self.stopped.add((target, source))

    def heal(self):
        with self.condition:
            self.stopped.clear()
            self.condition.notify_all()

    def close(self):
        with self.condition:
            self.is_closed = True
            self.condition.notify_all()
            sockets, self.sockets = self.sockets, set()
        for listener in self.listeners.values():
            listener.close()
        for one in sockets:
            self._end(one)

    def _accept(self, listener, source, target, port):
        while True:
            try:
                inner, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(inner, source, target, port), daemon=True).start()

    def _connect(self, inner, source, target, port):
        if not self._wait(source, target):
            return self._end(inner)
        outer = self._dial(port, self.PATIENCE if source in self.patient_for else 0)
        if outer is None:
            return self._end(inner)
        for one in (inner, outer):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.condition:
            self.sockets |= {inner, outer}
        threading.Thread(target=self._pump, args=(outer, inner, target, source), daemon=True).start()
        self._pump(inner, outer, source, target)

    def _dial(self, port, patience):
        deadline = time.monotonic() + patience
        while not self.is_closed:
            try:
                outer = socket.create_connection(("127.0.0.1", port), 5)
                outer.settimeout(None)
                return outer
            except OSError:
                if time.monotonic() >= deadline:
                    return None
                time.sleep(0.02)
        return None

    def _wait(self, source, target):
        """Waits until the flow is open; false if everything has ended."""
        with self.condition:
            while (source, target) in self.stopped and not self.is_closed:
                self.condition.wait()
            return not self.is_closed

    def _pump(self, inner, outer, source, target):
        try:
            while True:
                data = inner.recv(1 << 16)
                if not self._wait(source, target):
                    break
                if not data:
                    break
                outer.sendall(data)
        except OSError:
            pass
        for one in (inner, outer):
            self._end(one)

    def _end(self, one):
        with self.condition:
            self.sockets.discard(one)
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()
