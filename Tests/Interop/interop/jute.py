"""A small codec for the client protocol and a client that sends exactly the bytes it is given.

Written from the protocol description alone and used for nothing but judging: it never hides an error, never
reconnects, never pings on its own.
"""

import select
import socket
import struct
import time
from collections import namedtuple

# Operation codes.
CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL, GET_CHILDREN, SYNC = 1, 2, 3, 4, 5, 6, 7, 8, 9
PING, GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECK_WATCHES, REMOVE_WATCHES = 11, 12, 13, 14, 15, 16, 17, 18
CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL, MULTI_READ = 19, 20, 21, 22
AUTH, SET_WATCHES, SASL, GET_EPHEMERALS, GET_ALL_CHILDREN_NUMBER = 100, 101, 102, 103, 104
SET_WATCHES2, ADD_WATCH, WHO_AM_I, CREATE_SESSION, CLOSE_SESSION = 105, 106, 107, -10, -11

OPEN = [(31, "world", "anyone")]

Stat = namedtuple("Stat", "czxid mzxid ctime mtime version cversion aversion owner length children pzxid")
Reply = namedtuple("Reply", "xid zxid error body")
Event = namedtuple("Event", "type state path zxid error")


class Short(Exception):
    """The bytes end before the record does."""


# Encoding.

def int_(value):
    return struct.pack(">i", value)


def long_(value):
    return struct.pack(">q", value if value < 1 << 63 else value - (1 << 64))


def bool_(value):
    return b"\x01" if value else b"\x00"


def buffer_(value):
    return int_(-1) if value is None else int_(len(value)) + value


def string_(value):
    return buffer_(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)


def vector_(items, encode):
    if items is None:
        return int_(-1)
    return int_(len(items)) + b"".join(encode(item) for item in items)


def acl_(entry):
    return int_(entry[0]) + string_(entry[1]) + string_(entry[2])


def acls_(entries):
    return vector_(entries, acl_)


def frame_(payload):
    return int_(len(payload)) + payload


def create_(path, data=b"", acl=OPEN, flags=0):
    return string_(path) + buffer_(data) + acls_(acl) + int_(flags)


def create_ttl_(path, data, acl, flags, ttl):
    return create_(path, data, acl, flags) + long_(ttl)


def path_version_(path, version=-1):
    return string_(path) + int_(version)


def path_watch_(path, watch=False):
    return string_(path) + bool_(watch)


def set_data_(path, data, version=-1):
    return string_(path) + buffer_(data) + int_(version)


def set_acl_(path, acl, version=-1):
    return string_(path) + acls_(acl) + int_(version)


def multi_(operations):
    """`operations`: (code, encoded body) pairs."""
    parts = [int_(code) + b"\x00" + int_(-1) + body for code, body in operations]
    return b"".join(parts) + int_(-1) + b"\x01" + int_(-1)


def connect_(last_zxid=0, timeout=30_000, session=0, password=bytes(16), read_only=False, version=0):
    body = int_(version) + long_(last_zxid) + int_(timeout) + long_(session) + buffer_(password)
    return body if read_only is None else body + bool_(read_only)


# Decoding.

class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Short()
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def int(self):
        return struct.unpack(">i", self.take(4))[0]

    def long(self):
        return struct.unpack(">q", self.take(8))[0]

    def bool(self):
        return self.take(1) != b"\x00"

    def buffer(self):
        count = self.int()
        return None if count == -1 else bytes(self.take(count))

    def string(self):
        value = self.buffer()
        if value is None:
            return None
        try:
            text = value.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return value.decode("utf-8", "surrogateescape")
        # Java writes a character beyond the first plane as its two surrogates, three bytes each.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def vector(self, decode):
        count = self.int()
        return None if count == -1 else [decode() for _ in range(count)]

    def stat(self):
        return Stat(*struct.unpack(">qqqqiiiqiiq", self.take(68)))

    def names(self):
        """A list of names in unspecified order, sorted."""
        names = self.vector(self.string)
        if names is None or None in names:
            raise ValueError("a null list or name")
        return sorted(names)

    def acl(self):
        return (self.int(), self.string(), self.string())

    def acls(self):
        return self.vector(self.acl)

    def identity(self):
        return (self.string(), self.string())

    @property
    def rest(self):
        return len(self.data) - self.at


def multi_results(reader):
    """The results of a multi or multiRead: (type, value) tuples; a failure is (-1, code)."""
    results = []
    while True:
        kind, done, error = reader.int(), reader.bool(), reader.int()
        if done:
            return results + ([("end", kind, error)] if (kind, error) != (-1, -1) else [])
        if kind == CREATE:
            results.append((kind, reader.string()))
        elif kind == CREATE2:
            results.append((kind, reader.string(), reader.stat()))
        elif kind == SET_DATA:
            results.append((kind, reader.stat()))
        elif kind in (DELETE, CHECK):
            results.append((kind,))
        elif kind == GET_DATA:
            results.append((kind, reader.buffer(), reader.stat()))
        elif kind == GET_CHILDREN:
            results.append((kind, reader.names()))
        elif kind == -1:
            results.append((kind, error, reader.int()))
        else:
            raise ValueError(f"result type {kind}")


def decode_body(operation, body):
    """The value of a reply body; lists in unspecified order come sorted."""
    reader = Reader(body)
    if operation == CREATE:
        value = (reader.string(),)
    elif operation in (CREATE2, CREATE_CONTAINER, CREATE_TTL):
        value = (reader.string(), reader.stat())
    elif operation in (EXISTS, SET_DATA, SET_ACL):
        value = (reader.stat(),)
    elif operation in (GET_DATA, RECONFIG):
        value = (reader.buffer(), reader.stat())
    elif operation == GET_ACL:
        value = (reader.acls(), reader.stat())
    elif operation in (GET_CHILDREN, GET_EPHEMERALS):
        value = (reader.names(),)
    elif operation == GET_CHILDREN2:
        value = (reader.names(), reader.stat())
    elif operation == SYNC:
        value = (reader.string(),)
    elif operation in (MULTI, MULTI_READ):
        value = tuple(multi_results(reader))
    elif operation in (GET_ALL_CHILDREN_NUMBER, ADD_WATCH):
        value = (reader.int(),)
    elif operation == WHO_AM_I:
        value = (sorted(reader.vector(reader.identity) or []),)
    elif operation == SASL:
        value = (reader.buffer(),)
    else:
        value = ()
    if reader.rest:
        value += (("trailing", bytes(body[reader.at:])),)
    return value


def session_password(session):
    """The password every ZooKeeper server derives from a session id."""
    state = ((session ^ 0xB3415C00) ^ 0x5DEECE66D) & ((1 << 48) - 1)
    out = b""
    for _ in range(4):
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        out += struct.pack("<I", (state >> 16) & 0xFFFFFFFF)
    return out


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """One TCP connection; frames in, frames out."""

    def __init__(self, port, timeout=20.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.input = bytearray()
        self.events = []
        self.xid = 0
        self.session = 0
        self.password = bytes(16)
        self.negotiated = 0
        self.last_zxid = 0
        self.reminds_after = None
        self.reminders = 0

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(str(error))

    def frame(self):
        """The payload of the next frame."""
        while True:
            if len(self.input) >= 4:
                count = struct.unpack_from(">i", self.input)[0]
                if count < 0 or count > 64 << 20:
                    raise ValueError(f"frame length {count} from the server")
                if len(self.input) >= 4 + count:
                    payload = bytes(self.input[4:4 + count])
                    del self.input[:4 + count]
                    return payload
            try:
                piece = self.socket.recv(1 << 18)
            except socket.timeout:
                raise TimeoutError("no answer")
            except OSError as error:
                raise Closed(str(error))
            if not piece:
                raise Closed("end of stream")
            self.input += piece

    def connect(self, **arguments):
        """Sends a ConnectRequest; returns (timeout, session, password, readOnly or None)."""
        self.send(frame_(connect_(**arguments)))
        return self.connect_response()

    def connect_response(self):
        reader = Reader(self.frame())
        reader.int()
        timeout, session, password = reader.int(), reader.long(), reader.buffer()
        read_only = reader.bool() if reader.rest else None
        if reader.rest:
            raise ValueError("bytes behind a ConnectResponse")
        self.session, self.password, self.negotiated = session, password, timeout
        return timeout, session, password, read_only

    def post(self, operation, body=b"", xid=None):
        if xid is None:
            self.xid = self.xid % 0x7FFFFFFE + 1
            xid = self.xid
        self.send(frame_(int_(xid) + int_(operation) + body))
        return xid

    def pings_when_silent(self):
        """From now on a server that keeps silent is sent a ping, as clients do of themselves.

        The CommitProcessor of Apache's 3.8.0 leaves the reply to a write lying until the session's next request, about once
        in 100,000 writes on a busy machine: seen with every server having performed the write, and that thread waiting.
        """
        self.reminds_after = 3.0
        return self

    def frame_or_reminder(self):
        if self.reminds_after is None:
            return self.frame()
        self.socket.settimeout(self.reminds_after)
        try:
            return self.frame()
        except TimeoutError:
            self.reminders += 1
            self.socket.settimeout(self.timeout)
            self.post(PING, xid=-2)
            return self.frame()
        finally:
            self.socket.settimeout(self.timeout)

    def reply(self):
        """The next reply; events that come first are kept in `events`."""
        while True:
            payload = self.frame_or_reminder()
            reader = Reader(payload)
            xid, zxid, error = reader.int(), reader.long(), reader.int()
            if xid == -2 and self.reminders:
                self.reminders -= 1
                continue
            if xid == -1:
                self.events.append(Event(reader.int(), reader.int(), reader.string(), zxid, error))
                continue
            if zxid > self.last_zxid:
                self.last_zxid = zxid
            return Reply(xid, zxid, error, payload[16:])

    def call(self, operation, body=b"", xid=None):
        sent = self.post(operation, body, xid)
        reply = self.reply()
        if reply.xid != sent:
            raise ValueError(f"reply to {reply.xid}, expected {sent}")
        return reply

    def ask(self, operation, body=b""):
        """Like `call` but decodes: (error, value)."""
        reply = self.call(operation, body)
        return (reply.error, ()) if reply.error else (0, decode_body(operation, reply.body))

    def ping(self):
        return self.call(PING, xid=-2)

    def authenticate(self, scheme="digest", credential=b"super:test"):
        return self.call(AUTH, int_(0) + string_(scheme) + buffer_(credential), xid=-4)

    def take_events(self):
        events, self.events = self.events, []
        return events

    def closed_by_server(self, seconds=10.0):
        """Whether the server closes the connection (what it still sends is read away)."""
        self.socket.settimeout(seconds)
        try:
            while True:
                if not self.socket.recv(1 << 18):
                    return True
        except socket.timeout:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(self.timeout)

    def close_session(self):
        try:
            return self.call(CLOSE_SESSION)
        finally:
            self.close()

    def close(self):
        self.socket.close()


def open_session(port, timeout=30_000, super_user=False, **arguments):
    connection = Connection(port)
    connection.connect(timeout=timeout, **arguments)
    if connection.negotiated == 0:
        raise Closed("the session was refused")
    if super_user:
        connection.authenticate()
    return connection


def dump_tree(connection, root="/"):
    """Every node below `root`: path -> (data, stat, acl). Reads are pipelined level by level."""
    tree = {}
    level = [root]
    while level:
        following = []
        for start in range(0, len(level), 500):
            part = level[start:start + 500]
            for path in part:
                body = path_watch_(path)
                connection.post(GET_DATA, body)
                connection.post(GET_ACL, string_(path))
                connection.post(GET_CHILDREN, body)
            for path in part:
                replies = [connection.reply() for _ in range(3)]
                if any(reply.error for reply in replies):
                    tree[path] = ("error", [reply.error for reply in replies])
                    continue
                data, stat = decode_body(GET_DATA, replies[0].body)
                acl, _ = decode_body(GET_ACL, replies[1].body)
                names, = decode_body(GET_CHILDREN, replies[2].body)
                tree[path] = (data, stat, acl)
                following += [path.rstrip("/") + "/" + name for name in names]
        level = following
    return tree
