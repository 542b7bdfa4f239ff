"""Somebody's webhook, and the secret that signs what it is sent."""

import base64
import hashlib
import hmac
import http.server
import os
import shutil
import threading

from servers import free_port, server_user

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Hook:
    """Somebody's webhook; fails so many times first.  tls: an SSLContext."""

    def __init__(self, failures=0, port=None, tls=None):
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((dict(self.headers), body))
                self.send_response(500 if len(hook.posts) <= failures
                                   else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.posts = []
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", port or free_port()), Handler)
        self.url = "http%s://127.0.0.1:%d/hook" % (
            "s" if tls else "", self.server.server_port)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket,
                                                 server_side=True)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def secret(server, name, text):
    path = server.write("etc/" + name, text)

    if server_user():
        shutil.chown(path, *server_user())
    os.chmod(path, 0o600)

    return path


def signed(post):
    """Standard Webhooks 1.0."""
    headers, body = post
    text = "%s.%s." % (headers["webhook-id"], headers["webhook-timestamp"])
    mac = hmac.new(base64.b64decode(SECRET), text.encode() + body,
                   hashlib.sha256).digest()

    return headers.get("webhook-signature", "").split(" ")[0] \
        == "v1," + base64.b64encode(mac).decode()
