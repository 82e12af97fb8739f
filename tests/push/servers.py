"""Receivers of pushes: real servers on this machine."""

import contextlib
import http.server
import socketserver
import ssl
import threading
from dataclasses import dataclass, field


@dataclass
class Got:
    """A request that arrived."""

    target: str
    headers: list[tuple[str, str]]
    body: bytes
    peer: tuple[str, int]


class WebServer(socketserver.ThreadingTCPServer):
    """An HTTP server that notes what it gets and answers what it is told to."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, answer=b"HTTP/1.1 204 No Content\r\n\r\n", context: ssl.SSLContext | None = None):
        self.got: list[Got] = []
        self.answer = answer  # bytes, or a function of the handler
        self.context = context
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def get_request(self):
        connection, peer = super().get_request()
        if self.context:
            connection.settimeout(5)
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def handle_error(self, request, client_address):
        """Clients that go away are part of the tests."""

    def close(self):
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(Got(self.path, list(self.headers.items()), body, self.client_address))
        if callable(self.server.answer):
            self.server.answer(self)
        else:
            self.wfile.write(self.server.answer)
            self.close_connection = b"close" in self.server.answer.lower()

    def log_message(self, *_):
        """Quiet."""


@dataclass
class SmtpServer:
    """A mail server that keeps what it is sent."""

    refuse: bool = False
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    context: ssl.SSLContext | None = None
    starts_tls: bool = False  # when the client asks for it; otherwise, with a context, at once
    logins: int = 0

    def __post_init__(self):
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                if outer.context and not outer.starts_tls:
                    self.start_tls()
                try:
                    outer.converse(self)
                finally:
                    self.connection.close()

            def start_tls(self):
                self.connection = outer.context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = (self.connection.makefile(mode, 0) for mode in ("rb", "wb"))

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request, client_address):
                """Clients that go away are part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def converse(self, connection):
        def say(text):
            connection.wfile.write(text.encode() + b"\r\n")

        sender, receivers = "", []
        say("220 test")
        while line := connection.rfile.readline():
            word = line.decode().strip()
            command = word.upper()
            if command.startswith("MAIL FROM:"):
                sender = word.partition("<")[2].partition(">")[0]
                say("550 no" if self.refuse else "250 ok")
            elif command.startswith("RCPT TO:"):
                receivers.append(word.partition("<")[2].partition(">")[0])
                say("250 ok")
            elif command == "DATA":
                say("354 go on")
                lines = []
                while (part := connection.rfile.readline()) != b".\r\n":
                    lines.append(part.removeprefix(b"."))
                self.mails.append((sender, receivers, b"".join(lines)))
                say("250 ok")
            elif command == "QUIT":
                say("221 bye")
                return
            elif command == "STARTTLS":
                say("220 go on")
                connection.start_tls()
            else:
                say(self.answer(command))

    def answer(self, command):
        if command.startswith("EHLO"):
            return "250-test\r\n250-AUTH PLAIN" + ("\r\n250 STARTTLS" if self.starts_tls else "\r\n250 HELP")
        if command.startswith("AUTH"):
            self.logins += 1
            return "235 ok"
        return "250 test"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def web(answer=b"HTTP/1.1 204 No Content\r\n\r\n", context=None):
    """A web server for as long as the block lasts."""
    server = WebServer(answer, context)
    try:
        yield server
    finally:
        server.close()
